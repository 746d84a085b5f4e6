// What the API has shown once is there for good: after an orderly restart, after a crash, and after the journal has
// been folded into chunks; and what is counted over time goes on where it was.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, order, recorded } from './scene.mjs';

const FOLD_BYTES = 6 * 1024 * 1024; // before a journal is this large, it has been folded in slices
const GUESSES = 'abcdefghijklmnopqrstuvwxyz';

/** A pair on storage of its own that is removed at the end. */
async function withPair(vars, use) {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-durability-'));
  const pair = await startPair({ storage, vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50, path_bytes: 8192 }, ...vars } });
  try {
    await use(pair);
  } finally {
    await pair.stop();
    rmSync(storage, { recursive: true, force: true });
  }
}

/** Twenty sessions, one of them a scanner and one only an address; answers how many requests they made. */
async function populate(pair) {
  let count = 0;
  for (let i = 0; i < 200; i += 1) {
    const visit = client(pair, { cookie: `sid=v${i % 18}`, ip: `203.0.113.${i % 18}`, country: ['DE', 'US', 'FR'][i % 3] });
    await visit(`/api/orders/${i}`, { status: i % 11 === 0 ? 404 : undefined });
  }
  count += 200;
  for (const letter of GUESSES.slice(0, 12)) await client(pair, { cookie: 'sid=scanner', ip: '192.0.2.66' })(`/guess/${letter}`, { status: 404 });
  await client(pair, { agent: null, ip: '2001:db8::1' })('/alone', { method: 'POST', body: 'x' });
  count += 13;
  await recorded(pair, count);
  return count;
}

/** Everything the API says, without what changes by itself as time goes by. */
async function snapshot(pair) {
  const sessions = await all(pair, 'sessions', { limit: 7 });
  for (const session of sessions) assert.deepEqual(steady(await ask(pair, `sessions/${session.id}`)), steady(session));
  return {
    sessions: sessions.map(steady),
    events: await all(pair, 'events', { limit: 100 }),
    ofSessions: await Promise.all(sessions.map(({ id }) => all(pair, `sessions/${id}/events`))),
    stats: await ask(pair, 'stats?group_by=endpoint'),
    scanners: (await all(pair, 'sessions?detector=forced_browsing&state=flagged&state=blocked')).map(({ id }) => id),
    refused: (await all(pair, 'sessions?status=4xx&country=DE')).map(({ id }) => id),
    blocks: await ask(pair, 'blocks'),
    audit: await ask(pair, 'audit'),
  };
}
const steady = ({ risk, ...session }) => ({ ...session, risky: risk >= 50 });

const ends = { 'an orderly restart': (pair) => pair.worker.restart(), 'a crash': async (pair) => {
  await pair.worker.kill();
  await pair.worker.start();
} };

for (const [name, end] of Object.entries(ends)) {
  for (const SHARDS of [1, 2, 8]) {
    test(`everything is the same after ${name}, with ${SHARDS} shards`, { skip: notOurs }, () => withPair({ SHARDS }, async (pair) => {
      const count = await populate(pair);
      const [{ id }] = await all(pair, 'sessions?ip=203.0.113.3');
      await ask(pair, `sessions/${id}/actions`, order({ action: 'throttle', for: '1h', reason: 'too eager' }));
      await ask(pair, 'blocks', order({ kind: 'ip', value: '198.51.100.1', reason: 'by hand' }));
      const before = await snapshot(pair);
      assert.deepEqual([before.sessions.length, before.events.length, before.scanners.length, before.blocks.items.length], [20, count, 1, 2]);
      for (let round = 0; round < 2; round += 1) {
        await end(pair);
        assert.deepEqual(await snapshot(pair), before);
      }
      // And it goes on from there.
      await client(pair, { cookie: 'sid=v4' })('/afterwards');
      await recorded(pair, count + 1);
      const [event] = await all(pair, 'events?q=/afterwards');
      assert.equal((await ask(pair, `sessions/${event.session}`)).requests, before.sessions.find((session) => session.id === event.session).requests + 1);
    }));
  }
}

test('a scan that is interrupted by a crash is found all the same', { skip: notOurs }, () => withPair({}, async (pair) => {
  const guess = (letter) => client(pair, { cookie: 'sid=scanner' })(`/guess/${letter}`, { status: 404 });
  for (const letter of GUESSES.slice(0, 6)) await guess(letter);
  await recorded(pair, 6);
  await ends['a crash'](pair);
  for (const letter of GUESSES.slice(6, 12)) await guess(letter);
  await recorded(pair, 12);
  const [session] = await all(pair, 'sessions');
  assert.deepEqual([session.state, session.findings], ['flagged', { forced_browsing: 1 }]);
  const { items: [event] } = await ask(pair, 'events?detector=forced_browsing');
  const evidence = event.findings[0].evidence.map(({ what }) => what);
  for (const letter of 'cdefgh') assert.ok(evidence.includes(`GET /guess/${letter} → 404`), `${letter} in ${evidence}`);
}));

test('ids of events are never given twice, whatever ends between', { skip: notOurs }, () => withPair({}, async (pair) => {
  for (let round = 1; round <= 3; round += 1) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => client(pair, { cookie: 'sid=ann' })(`/round/${round}/${i}`)));
    await recorded(pair, round * 50);
    await ends['a crash'](pair);
  }
  const events = await all(pair, 'events');
  assert.deepEqual([events.length, new Set(events.map(({ id }) => id)).size, new Set(events.map(({ path }) => path)).size], [150, 150, 150]);
}));

/** Sends long paths until the journal has been folded; answers how many requests that took. */
async function fold(pair, count, { sessions }) {
  const folds = async () => Number(/^throughline_folds_total\{layout="1",shard="0"\} (\d+)$/m.exec(await (await pair.admin('metrics')).text())[1]);
  const filler = 'long-'.repeat(1_600);
  const before = await folds();
  let sent = 0;
  const send = async () => {
    await client(pair, { cookie: `sid=filler-${sent % sessions}`, ip: '198.51.100.200' })(`/${sent}-${filler}`);
    sent += 1;
  };
  while (sent * filler.length < FOLD_BYTES) await send();
  await waitFor(async () => {
    await send();
    return (await folds()) > before;
  }, { what: 'the journal to be folded', timeout: 30_000 });
  await recorded(pair, count + sent);
  return sent;
}

test('folding changes no answer', { skip: notOurs }, () => withPair({ SHARDS: 1 }, async (pair) => {
  const count = await populate(pair);
  const mine = (items) => items.filter((item) => !JSON.stringify(item).includes('long-'));
  const before = await snapshot(pair);
  let filled = 0;
  const check = async () => {
    const now = await snapshot(pair);
    for (const part of ['sessions', 'events']) assert.deepEqual(mine(now[part]), before[part], part);
    assert.deepEqual(now.ofSessions.map(mine).filter((events) => events.length > 0), before.ofSessions);
    for (const part of ['scanners', 'refused']) assert.deepEqual(now[part], before[part], part);
    assert.equal(now.stats.total.requests, count + filled);
  };
  for (let round = 0; round < 2; round += 1) {
    filled += await fold(pair, count + filled, { sessions: 23 });
    await check();
    await ends['a crash'](pair);
    await check();
  }
  // A folded session goes on as the session it was.
  await client(pair, { cookie: 'sid=v4', ip: '203.0.113.4' })('/afterwards');
  await recorded(pair, count + filled + 1);
  const [event] = await all(pair, 'events?q=/afterwards');
  const [was, is] = [before.sessions.find(({ id }) => id === event.session), await ask(pair, `sessions/${event.session}`)];
  assert.deepEqual([is.requests, is.first_seen, is.endpoints.length], [was.requests + 1, was.first_seen, was.endpoints.length + 1]);
}));

test('folding loses nothing of a single session that asks for long paths', { skip: notOurs }, () => withPair({ SHARDS: 1 }, async (pair) => {
  const sent = await fold(pair, 0, { sessions: 1 });
  const events = await all(pair, 'events', { limit: 50 });
  assert.deepEqual([events.length, new Set(events.map(({ id }) => id)).size], [sent, sent]);
  assert.deepEqual((await all(pair, 'sessions')).map(({ requests }) => requests), [sent]);
}));

test('a search comes to its end, however much it has to read for it', { skip: notOurs }, () => withPair({ SHARDS: 1 }, async (pair) => {
  await fold(pair, 0, { sessions: 1 }).catch(() => {}); // that all is found is the test before
  for (const order of ['asc', 'desc']) {
    const found = [];
    let next = '';
    for (let pages = 0; next !== null; pages += 1) {
      assert.ok(pages < 20, 'no end after twenty pages');
      const page = await ask(pair, `events?q=/7-long&order=${order}${next === '' ? '' : `&cursor=${next}`}`);
      found.push(...page.items);
      next = page.next;
    }
    assert.equal(found.length, 1, order);
  }
}));
