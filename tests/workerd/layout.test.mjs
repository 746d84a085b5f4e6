// SHARDS may change at any time: what was recorded under every number is found, once, and what goes on is one session.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startFaultyPair } from './faults.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { startOrigin } from './origin.mjs';
import { all, ask, client, order, problem, recorded } from './scene.mjs';

const SECRET = 'the same secret over all restarts';
const SORTS = ['last_seen', 'first_seen', 'requests', 'duration', 'risk'];
const NUMBERS = [1, 3, 2, 1]; // the last one has been there before

describe('SHARDS changes from 1 to 3, 2 and back to 1', { skip: notOurs }, () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-layout-'));
  const sent = new Map(); // visitor → paths, in the order they were sent
  let origin;
  let pair;
  let count = 0;
  before(async () => { origin = await startOrigin(); });
  after(async () => {
    await pair?.stop();
    await origin?.stop();
    rmSync(storage, { recursive: true, force: true });
  });

  const visit = async (visitor, path, options) => {
    const known = sent.get(visitor) ?? [];
    sent.set(visitor, [...known, path]);
    count += 1;
    assert.ok((await client(pair, { cookie: `sid=${visitor}`, ip: '203.0.113.9' })(path, options)).status < 500);
  };

  /** Traffic of one round, several clients side by side, while an investigator looks on. */
  const traffic = async (round) => {
    let busy = true;
    const watching = (async () => {
      while (busy) {
        const seen = (await all(pair, 'sessions', { limit: 4 })).map(({ id }) => id);
        assert.equal(new Set(seen).size, seen.length, 'no session twice in a list while traffic runs');
      }
    })();
    await Promise.all(Array.from({ length: 24 }, async (_, n) => {
      // Some come in every round, some in the first only, some skip rounds, some are new.
      const comes = [true, round === 0, round % 2 === 0, round > 0, round === 1][n % 5];
      for (let k = 0; comes && k <= n % 4; k += 1) await visit(`visitor-${n}`, `/round-${round}/${n}/${k}`, { status: k === 3 ? 404 : undefined });
    })).finally(() => { busy = false; });
    await watching;
    await recorded(pair, count);
  };

  for (const [round, shards] of NUMBERS.entries()) {
    test(`round ${round}: ${shards} shards`, async (t) => {
      await pair?.stop();
      pair = await startPair({ origin, storage, vars: { DEV_CLIENT_HEADERS: true, SESSION_SECRET: SECRET, SHARDS: shards,
        LIMITS: { flush_ms: 20, unproven_sessions: 10_000 } } });
      if (round > 0) assert.equal((await ask(pair, 'stats')).total.requests, count, 'all is there before anything new comes');
      await traffic(round);
      const ids = new Map();
      for (const visitor of sent.keys()) {
        const { items, partial } = await ask(pair, 'lookup', order({ value: visitor }));
        assert.deepEqual([items.length, partial], [1, false], visitor);
        ids.set(items[0].session, visitor);
      }

      await t.test('every event is found once', async () => {
        for (const each of ['asc', 'desc']) {
          const events = await all(pair, `events?order=${each}`, { limit: 17 });
          assert.deepEqual(events.map(({ path }) => path).sort(), [...sent.values()].flat().sort());
          assert.equal(new Set(events.map(({ id }) => id)).size, count);
          const times = events.map(({ time }) => time);
          assert.deepEqual(times, each === 'asc' ? times.toSorted() : times.toSorted().reverse());
          for (const { session, path } of events) assert.ok(sent.get(ids.get(session)).includes(path));
        }
      });

      await t.test('the one address of all is known from every shard of every layout', async () => {
        const { requests, sessions, partial } = await ask(pair, 'subjects/ip/203.0.113.9');
        assert.deepEqual([requests, sessions.count, sessions.exact, partial], [count, sessions.exact ? ids.size : sessions.count, sessions.exact, false]);
      });

      await t.test('every session is listed once and whole, by every order and page by page', async () => {
        for (const sort of SORTS) {
          for (const each of ['asc', 'desc']) {
            const listed = await all(pair, `sessions?sort=${sort}&order=${each}`, { limit: 5 });
            assert.deepEqual(listed.map(({ id }) => ids.get(id)).sort(), [...sent.keys()].sort(), `${sort} ${each}`);
            for (const { id, requests, partial } of listed) assert.deepEqual([requests, partial], [sent.get(ids.get(id)).length, false], id);
            const key = sort.endsWith('_seen') ? listed.map((session) => session[sort]) : [];
            assert.deepEqual(key, each === 'asc' ? key.toSorted() : key.toSorted().reverse());
          }
        }
      });

      await t.test('a session is what its events are', async () => {
        for (const [id, visitor] of ids) {
          const session = await ask(pair, `sessions/${id}`);
          const events = await all(pair, `sessions/${id}/events`, { limit: 3 });
          assert.deepEqual(events.map(({ path }) => path), sent.get(visitor));
          assert.deepEqual([session.requests, session.first_seen, session.last_seen], [events.length, events[0].time, events.at(-1).time]);
          assert.equal(session.duration_ms, Date.parse(session.last_seen) - Date.parse(session.first_seen));
          const refused = events.filter(({ status }) => status === 404).length;
          assert.deepEqual(session.statuses[404] ?? 0, refused);
          assert.deepEqual((await ask(pair, `sessions/${id}/story`)).items, [session]);
        }
      });

      await t.test('filters, requests and groups reach all of it', async () => {
        const refused = (await all(pair, 'sessions?status=404', { limit: 2 })).map(({ id }) => ids.get(id));
        const expected = [...sent].filter(([, paths]) => paths.some((path) => path.endsWith('/3'))).map(([visitor]) => visitor);
        assert.deepEqual(refused.sort(), expected.sort());
        for (const event of (await all(pair, 'events')).filter((_, at) => at % 9 === 0)) {
          assert.deepEqual((await ask(pair, `events?request=${event.id}`)).items, [event]);
          assert.deepEqual((await ask(pair, `sessions?request=${event.id}`)).items.map(({ id }) => id), [event.session]);
        }
        const { buckets } = await ask(pair, 'stats?group_by=status');
        assert.equal(buckets.reduce((sum, { requests }) => sum + requests, 0), count);
      });

      await t.test('metrics tell the shards of every number apart', async () => {
        const text = await (await pair.admin('metrics')).text();
        const series = [...text.matchAll(/^throughline_blocks\{layout="(\d+)",shard="(\d+)"\} /gm)].map(([, layout, shard]) => `${layout}-${shard}`);
        const layouts = new Set(NUMBERS.slice(0, round + 1));
        assert.deepEqual(series.toSorted(), [...layouts].flatMap((number) => Array.from({ length: number }, (_, n) => `${number}-${n}`)).sort());
        assert.match(text, /^throughline_shards_missing 0$/m);
      });

      await t.test('an action on a session reaches all of it at once', async () => {
        const [id] = [...ids].find(([, visitor]) => visitor === 'visitor-1'); // it came in the first round only
        for (const [action, state] of [['block', 'blocked'], ['allow', 'clear']]) {
          assert.equal((await ask(pair, `sessions/${id}/actions`, order({ action, for: '1h' }))).state, state);
          const blocked = (await all(pair, 'sessions?state=blocked')).map((session) => session.id);
          assert.deepEqual(blocked, action === 'block' ? [id] : []);
        }
      });

      await t.test('what is not there is not found', async () => {
        await problem(await pair.admin(`api/v1/sessions/${'0'.repeat(32)}`), 404);
        await problem(await pair.admin(`api/v1/sessions/${'0'.repeat(32)}/events`), 404);
      });
    });
  }

  test('a crash right after a change loses none of the numbers', async () => {
    await pair.worker.kill();
    await pair.worker.start();
    assert.equal((await ask(pair, 'stats')).total.requests, count);
    await waitFor(async () => (await all(pair, 'sessions')).length === sent.size, { what: 'all sessions' });
  });
});

test('while two releases with different numbers run side by side, both see all of it', { skip: notOurs }, async () => {
  const VISITORS = 12;
  const pair = await startFaultyPair({ second: { SHARDS: '5' },
    vars: { DEV_CLIENT_HEADERS: true, SHARDS: '2', LIMITS: { flush_ms: 20, unproven_sessions: 10_000 } } });
  const second = { ...pair, admin: (path, init = {}) => pair.admin(path, { ...init, headers: { 'x-release': 'second' } }) };
  try {
    let count = 0;
    const moved = new Set();
    for (let round = 0; round < 6; round += 1) {
      // More and more requests reach the new release.
      await Promise.all(Array.from({ length: VISITORS }, async (_, n) => {
        const isNew = n * 6 < round * VISITORS || round === 5;
        if (isNew) moved.add(n);
        count += 1;
        await client(pair, { cookie: `sid=visitor-${n}`, headers: isNew ? [['x-release', 'second']] : [] })(`/${round}/${n}`);
      }));
    }
    assert.equal(moved.size, VISITORS);
    for (const seenBy of [pair, second]) {
      await recorded(seenBy, count, { timeout: 15_000 });
      assert.deepEqual((await ask(seenBy, 'policy')).shards, seenBy === pair ? 2 : 5);
      for (const sort of SORTS) {
        const listed = await all(seenBy, `sessions?sort=${sort}`, { limit: 3 });
        assert.deepEqual(listed.map(({ requests }) => requests), Array(VISITORS).fill(6), sort);
        assert.equal(new Set(listed.map(({ id }) => id)).size, VISITORS);
      }
      const events = await all(seenBy, 'events', { limit: 10 });
      assert.equal(new Set(events.map(({ path }) => path)).size, count);
    }
    assert.deepEqual((await all(second, 'sessions')).map(({ id }) => id), (await all(pair, 'sessions')).map(({ id }) => id));
  } finally {
    await pair.stop();
  }
});
