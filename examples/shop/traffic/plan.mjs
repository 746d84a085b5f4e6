// Casts the play: a fixed company of unusual people and attackers, then customers until there are enough requests.
// Pure and deterministic; a larger plan of the same seed has the same actors plus more.

import { bolaEnumeration, credentialStuffing, forcedBrowsing, inventoryAbuse, requestAttacks } from './attackers.mjs';
import { customer, mobileCustomer, office } from './customers.mjs';
import { deadLinks, healthCheck, mistyper, oddText, partner, uptimeMonitor } from './oddities.mjs';
import { Stage } from './stage.mjs';

const INNOCENT = [
  ['odd_text', oddText, 12],
  ['mistyper', mistyper, 8],
  ['dead_links', deadLinks, 6],
  ['partner', partner, 1],
  ['health_check', healthCheck, 1],
  ['uptime_monitor', uptimeMonitor, 1],
];
const ATTACKERS = [
  ['forced_browsing', forcedBrowsing],
  ['bola_enumeration', bolaEnumeration],
  ['credential_stuffing', credentialStuffing],
  ['request_attacks', requestAttacks],
  ['inventory_abuse', inventoryAbuse],
];
const COLLEAGUES = 10;
const CUSTOMERS_PER_PHONE = 4;

/**
 * {seed, requests, durationMs, actors: [{id, label, isAttacker, keepsCookies, client, headers, startsAt, steps}]},
 * as JSON can hold it. The fixed company is always complete, however few `requests` are asked for; from there on the
 * plan has exactly as many as asked for. Steps are described in steps.mjs, clients in clients.mjs.
 */
export function planTraffic({ seed = 1, requests = 2_000 } = {}) {
  const stage = new Stage(seed);
  for (const [label, script, count] of INNOCENT) {
    for (let entered = 0; entered < count; entered += 1) stage.enter(label, script);
  }
  for (const [label, script] of ATTACKERS) stage.enter(label, script, { isAttacker: true });
  office(stage, COLLEAGUES);

  let missing = requests - stage.requests;
  for (let count = 1; missing > 0; count += 1) {
    const isOnPhone = count % (CUSTOMERS_PER_PHONE + 1) === 0;
    missing -= isOnPhone
      ? stage.enter('mobile_customer', mobileCustomer, { atMost: missing })
      : stage.enter('customer', customer, { atMost: missing });
  }
  return { seed, requests: stage.requests, durationMs: Math.max(...schedule(stage).map(({ at }) => at)), actors: stage.actors };
}

/** Every step of every actor in the order of the play: [{actor, index, at}], `at` in ms from its beginning. */
export function schedule({ actors }) {
  const cues = actors.flatMap((actor) => {
    let at = actor.startsAt;
    return actor.steps.map(({ wait }, index) => {
      at += wait;
      return { actor, index, at };
    });
  });
  return cues.sort((one, other) => one.at - other.at); // stable: what is due at once keeps the plan's order
}
