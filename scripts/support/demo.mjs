// `scripts/dev --demo`: plays the shop's audience through the Worker, shows what an investigator sees of it, and
// says whether that is the truth.

import { setTimeout as delay } from 'node:timers/promises';
import { policy } from '../../examples/shop/policy.mjs';
import { planTraffic, playTraffic } from '../../examples/shop/traffic.mjs';
import { differences, readBack } from './demo-check.mjs';
import { ranked, sessionTable, timeline, totals } from './demo-view.mjs';

const SEED = 1;
const REQUESTS = 2_000;
const VISIBLE_LIMIT_MS = 15_000; // a flush goes out after a second; the rest is room for a busy machine
const TOLD = 20; // differences printed

const { ROUTES, ...sections } = policy();

/**
 * The shop's sample policy, but for what the truth goes by (examples/shop/README.md): nobody is stopped, everything is
 * recorded, and there is one session key.
 */
export const DEMO_VARS = {
  ...Object.fromEntries(Object.entries(sections).map(([name, section]) => [name, JSON.stringify(section)])),
  ROUTES: JSON.stringify(ROUTES.filter(({ record }) => record !== 'off')),
  MODE: 'monitor',
  SESSION_KEYS: '[{"from":"request.cookie.sid"}]',
};

/** Plays, shows and checks; answers whether all that was shown is true. `tell` and `say` take lines. */
export async function playDemo({ url, api, tell, say }) {
  const plan = planTraffic({ seed: SEED, requests: REQUESTS });
  say(`playing ${plan.requests} requests of ${plan.actors.length} actors (seed ${SEED})`);
  const headers = new Map();
  const truth = await playTraffic(plan, { baseUrl: url, onRequest: ({ request }) => { headers.set(request.id, request.headers); } });
  say('waiting for the last of them to be visible, then reading everything back');
  await visible(api, truth.totals.requests);
  const found = await readBack(api, truth, headers);
  show(found.sessions, tell);
  return judge(truth, found, tell, say);
}

/** Waits until the API counts this many requests; gives up in silence, for the comparison says it better. */
async function visible(api, requests) {
  const until = Date.now() + VISIBLE_LIMIT_MS;
  while ((await api.get('stats')).total.requests < requests && Date.now() < until) await delay(50);
}

function show(sessions, tell) {
  const [worst] = ranked(sessions.filter(({ state }) => state === 'flagged'));
  const sections = [sessionTable(sessions), ...(worst === undefined ? [] : [timeline(worst)]), totals(sessions)];
  for (const section of sections) for (const line of ['', ...section]) tell(line);
  tell('');
}

function judge(truth, found, tell, say) {
  const wrong = differences(truth, found);
  // The scanner must be caught: a demo that shows nobody would prove little.
  const scanner = truth.sessions.findIndex(({ label }) => label === 'forced_browsing');
  const caught = found.sessions.find(({ id }) => id === found.ids[scanner][0]);
  if (caught?.state !== 'flagged') wrong.push('the scanner (forced_browsing) is not flagged');
  for (const line of wrong.slice(0, TOLD)) say(`wrong: ${line}`);
  if (wrong.length > TOLD) say(`… and ${wrong.length - TOLD} more`);
  const { sessions, requests } = truth.totals;
  tell(wrong.length === 0
    ? `demo ok: ${sessions} sessions, ${requests} requests, each present once and in order; the scanner is flagged`
    : `demo wrong: ${wrong.length} differences from what was played`);
  return wrong.length === 0;
}
