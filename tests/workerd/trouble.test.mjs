// Objects in trouble: who does not answer in time is missing and the answer says so; a shard that has too much to do is
// left alone for growing whiles, and nothing is lost by that.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startFaultyPair } from './faults.mjs';
import { notOurs, waitFor } from './harness.mjs';
import { all, ask, client, order, problem, recorded } from './scene.mjs';

const DEADLINE_MS = 5_000; // of a question to a shard
const VISITORS = 16;

const started = (vars = {}) => startFaultyPair({ vars: { DEV_CLIENT_HEADERS: true, SHARDS: 2, LIMITS: { flush_ms: 50, unproven_sessions: 10_000 }, ...vars } });
const visitAll = (pair, round) => Promise.all(Array.from({ length: VISITORS }, (_, n) => client(pair, { cookie: `sid=visitor-${n}` })(`/${round}/${n}`)));

describe('a shard that does not answer', { skip: notOurs }, () => {
  let pair;
  let here; // sessions of the shard that answers
  before(async () => {
    pair = await started();
    await visitAll(pair, 'first');
    await recorded(pair, VISITORS);
    await pair.fault({ 'shard-2-0 /query': 'fail' });
    here = (await ask(pair, 'sessions?limit=500')).items.map(({ id }) => id);
    assert.ok(here.length > 0 && here.length < VISITORS);
  });
  after(() => pair?.stop());

  for (const [fault, least, most] of [['hang', DEADLINE_MS, DEADLINE_MS + 3_000], ['fail', 0, DEADLINE_MS]]) {
    test(`(${fault}) makes every answer partial, in time, and is not counted under another's name`, async () => {
      await pair.fault({});
      const everyone = (await all(pair, 'sessions')).map(({ id }) => id);
      await pair.fault({ 'shard-2-0 /query': fault });
      const timed = async (question) => {
        const sent = Date.now();
        const answer = await question();
        const took = Date.now() - sent;
        assert.ok(took >= least - 50 && took < most, `${took} ms`);
        return answer;
      };
      const lost = everyone.find((id) => !here.includes(id));
      await Promise.all([
        timed(async () => {
          const { items, partial } = await ask(pair, 'sessions');
          assert.deepEqual([items.map(({ id }) => id).sort(), partial], [here.toSorted(), true]);
        }),
        timed(async () => {
          const { items, partial } = await ask(pair, 'events');
          assert.deepEqual([items.map(({ session }) => session).sort(), partial], [here.toSorted(), true]);
        }),
        timed(async () => {
          const { total, partial } = await ask(pair, 'stats');
          assert.deepEqual([total.sessions, partial], [here.length, true]);
        }),
        timed(async () => {
          const text = await (await pair.admin('metrics')).text();
          assert.match(text, /^throughline_shards_missing 1$/m);
          assert.deepEqual([...text.matchAll(/^throughline_events_total\{(.+)\} /gm)].map(([, labels]) => labels), ['layout="2",shard="1"']);
        }),
        timed(async () => problem(await pair.admin(`api/v1/sessions/${lost}`), 503)),
      ]);
      assert.equal((await ask(pair, `sessions/${here[0]}`)).partial, false);
    });
  }
});

test('while the fleet does not name the layouts, what is known is answered and called partial', { skip: notOurs }, async () => {
  const pair = await started();
  try {
    await pair.fault({ 'fleet /fleet': 'fail' });
    await visitAll(pair, 'first');
    const total = await waitFor(async () => {
      const answer = await ask(pair, 'stats');
      assert.equal(answer.partial, true);
      return answer.total.requests === VISITORS && answer.total;
    }, { what: 'the events' });
    assert.equal(total.sessions, VISITORS);
    const { items, partial } = await ask(pair, 'sessions');
    assert.deepEqual([items.length, partial, items[0].partial], [VISITORS, true, true]);
    assert.equal((await ask(pair, `sessions/${items[0].id}`)).partial, true);
    await problem(await pair.admin(`api/v1/sessions/${'0'.repeat(32)}`), 503);
    const found = await ask(pair, 'lookup', order({ value: 'visitor-3' }));
    assert.deepEqual([found.items.length, found.partial], [1, true]);
    await pair.fault({});
    assert.equal((await ask(pair, 'sessions')).partial, false);
    const calls = (await pair.calls()).filter(({ path }) => path === '/fleet').length;
    for (let n = 0; n < 10; n += 1) await ask(pair, 'sessions');
    // Each list asks it for labels, and once in a while for the layouts.
    assert.ok((await pair.calls()).filter(({ path }) => path === '/fleet').length <= calls + 11, 'the fleet is asked once a list');
    assert.equal((await pair.calls()).filter(({ path, object }) => path === '/query' && !object.startsWith('shard-2-')).length, 0, 'one layout, no other shards');
  } finally {
    await pair.stop();
  }
});

test('a shard that is overloaded is left alone for growing whiles; nothing is lost, and others go on', { skip: notOurs }, async () => {
  const pair = await started();
  try {
    await pair.fault({ 'shard-2-0 /flush': 'overloaded' });
    let rounds = 0;
    const flushes = async () => (await pair.calls()).filter(({ object, path }) => object === 'shard-2-0' && path === '/flush');
    // Traffic goes on until the shard has been tried four times.
    await waitFor(async () => {
      await visitAll(pair, `round-${rounds}`);
      rounds += 1;
      return (await flushes()).length >= 4;
    }, { what: 'four tries', timeout: 30_000, interval: 100 });
    const tried = (await flushes()).map(({ at }) => at);
    const waits = tried.slice(1).map((at, n) => at - tried[n]);
    for (const [n, wait] of waits.entries()) assert.ok(wait >= 1_000 * 2 ** n - 20, `wait ${n} is ${wait} ms`);
    const { total } = await ask(pair, 'stats');
    assert.ok(total.requests > 0 && total.requests < rounds * VISITORS, 'the other shard has taken its part');
    await pair.fault({});
    await recorded(pair, rounds * VISITORS, { timeout: 30_000 });
    assert.equal((await all(pair, 'sessions')).length, VISITORS);
    const events = await all(pair, 'events');
    assert.equal(new Set(events.map(({ path }) => path)).size, rounds * VISITORS);
    const metrics = await (await pair.admin('metrics')).text();
    for (const name of ['flush_failures', 'flushes_overloaded']) {
      assert.equal(Number(new RegExp(`^throughline_${name}_total (\\d+)$`, 'm').exec(metrics)[1]), tried.length, name);
    }
    assert.match(metrics, /^throughline_events_dropped_total 0$/m);
  } finally {
    await pair.stop();
  }
});

test('flushes that fail are tried again soon, and all arrive', { skip: notOurs }, async () => {
  const pair = await started();
  try {
    await pair.fault({ 'shard-2-0 /flush': 'fail', 'shard-2-1 /flush': 'fail' });
    await visitAll(pair, 'first');
    await waitFor(async () => (await pair.calls()).filter(({ path }) => path === '/flush').length >= 4, { what: 'tries' });
    await pair.fault({});
    // Nobody sends anything any more: who waits in the background brings it.
    await recorded(pair, VISITORS);
  } finally {
    await pair.stop();
  }
});
