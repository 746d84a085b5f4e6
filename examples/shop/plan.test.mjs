// That a plan is what it claims to be: the same for the same seed, as large as asked for, with everybody in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planTraffic } from './traffic.mjs';
import { schedule } from './traffic/plan.mjs';

const plan = planTraffic({ seed: 1, requests: 2_000 });

test('the same seed gives the same plan, another seed another', () => {
  assert.deepEqual(planTraffic({ seed: 1, requests: 2_000 }), plan);
  assert.notDeepEqual(planTraffic({ seed: 2, requests: 2_000 }).actors, plan.actors);
});

test('a plan is plain data', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
});

test('a plan has as many requests as asked for, and never less than the fixed company', () => {
  const company = planTraffic({ seed: 1, requests: 0 });
  assert.ok(company.requests < 800);
  for (const requests of [1_000, 2_000, 12_345]) {
    const { actors, ...rest } = planTraffic({ seed: 1, requests });
    assert.equal(rest.requests, requests);
    assert.equal(actors.reduce((sum, { steps }) => sum + steps.length, 0), requests);
    assert.deepEqual(actors.slice(0, company.actors.length), company.actors);
  }
});

test('everybody is there, and only attackers send attacks', () => {
  const labels = new Set(plan.actors.map(({ label }) => label));
  assert.deepEqual([...labels].sort(), [
    'bola_enumeration', 'credential_stuffing', 'customer', 'dead_links', 'forced_browsing', 'health_check', 'inventory_abuse',
    'mistyper', 'mobile_customer', 'odd_text', 'office', 'partner', 'request_attacks', 'uptime_monitor',
  ]);
  for (const { id, isAttacker, steps } of plan.actors) assert.equal(steps.some(({ attack }) => attack), isAttacker, id);
});

test('only the office shares an address', () => {
  const owners = new Map();
  for (const { label, id, client } of plan.actors) {
    for (const address of client.addresses) {
      const owner = label === 'office' ? label : id;
      assert.equal(owners.get(address) ?? owner, owner, address);
      owners.set(address, owner);
    }
  }
  const [{ client }, ...colleagues] = plan.actors.filter(({ label }) => label === 'office');
  for (const colleague of colleagues) assert.deepEqual(colleague.client, client);
});

test('some phones change their address but never their carrier', () => {
  const phones = plan.actors.filter(({ label }) => label === 'mobile_customer');
  assert.ok(phones.some(({ client, steps }) => client.addresses.length > 1 && steps.some(({ address }) => address > 0)));
  for (const { client, steps } of phones) for (const { address } of steps) assert.ok(client.addresses[address]);
});

test('cues run forward in time and keep each actor in order', () => {
  const next = new Map();
  let time = 0;
  for (const { actor, index, at } of schedule(plan)) {
    assert.ok(at >= time);
    time = at;
    assert.equal(index, next.get(actor) ?? 0);
    next.set(actor, index + 1);
  }
  assert.equal(time, plan.durationMs);
});
