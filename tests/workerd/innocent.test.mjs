// The innocent half of the shop's audience: nothing above a hint is to be told about customers, their programs and the odd things
// they send, neither of a request nor of a session.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startShop } from '../../examples/shop/server.mjs';
import { planTraffic, playTraffic } from '../../examples/shop/traffic.mjs';
import { notOurs, startPair } from './harness.mjs';
import { all, recorded } from './scene.mjs';

const HINT = ['info', 'low'];

describe('customers of the shop', { skip: notOurs }, () => {
  let shop, pair;
  before(async () => {
    shop = await startShop();
    pair = await startPair({ origin: shop.url, vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, LIMITS: { flush_ms: 20 } } });
  });
  after(async () => {
    await pair?.stop();
    await shop?.close();
  });

  test('are told nothing of above low severity', async () => {
    const plan = planTraffic({ seed: 7, requests: 2_000 });
    const innocent = { ...plan, actors: plan.actors.filter(({ isAttacker }) => !isAttacker) };
    assert.ok(innocent.actors.length > 100, `${innocent.actors.length} customers`);
    const { totals } = await playTraffic(innocent, { baseUrl: pair.worker.url, simulateClock: true });
    assert.equal(totals.unanswered, 0);
    await recorded(pair, totals.requests);
    const told = (await all(pair, 'events')).flatMap((event) => (event.findings ?? [])
      .filter(({ severity }) => !HINT.includes(severity))
      .map(({ detector, severity, where, message }) => `${event.method} ${event.path}: ${severity} ${detector} ${where}: ${message}`));
    assert.deepEqual(told, []);
  });
});
