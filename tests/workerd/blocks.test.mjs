// Blocks by hand: at once where they are ordered, until they end or are lifted, on record who did it, and there again
// after a restart.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';
import { all, ask, client, order, problem, recorded, sentProblem, sessionOf } from './scene.mjs';

const T0 = Date.UTC(2040, 0, 1, 12);
const MINUTE = 60_000;
const vars = { DEV_CLIENT_HEADERS: true, MODE: 'enforce', LIMITS: { flush_ms: 50 } };
const lift = (pair, kind, value) => pair.admin(`api/v1/blocks?kind=${kind}&value=${encodeURIComponent(value)}`, { method: 'DELETE' });

async function withPair(settings, use) {
  const pair = await startPair(settings);
  try {
    await use(pair);
  } finally {
    await pair.stop();
  }
}

describe('a block by hand', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: { ...vars, SHARDS: 3 } }); });
  after(() => pair?.stop());

  /** A client whose session is known already. */
  async function visitor(name, who = {}) {
    const visit = client(pair, { cookie: `sid=${name}`, ...who });
    const answer = await visit(`/hello/${name}`);
    assert.equal(answer.status, 200);
    await waitFor(async () => (await ask(pair, `events?q=/hello/${name}`)).items.length === 1, { what: 'the visitor to be known' });
    return { visit, session: await sessionOf(pair, `/hello/${name}`) };
  }

  test('on a session holds from the next request on, for this session only', async () => {
    const [ann, bob] = [await visitor('ann', { ip: '192.0.2.1' }), await visitor('bob', { ip: '192.0.2.1' })];
    const answer = await ask(pair, `sessions/${ann.session.id}/actions`, order({ action: 'block', for: '10m', reason: 'scraping' }));
    assert.deepEqual([answer.id, answer.state], [ann.session.id, 'blocked']);
    const asked = pair.origin.count;
    const { reference } = sentProblem(await ann.visit('/next', { method: 'POST', body: 'x' }), 403);
    sentProblem(await client(pair, { cookie: 'sid=ann', ip: '192.0.2.99' })('/elsewhere'), 403);
    assert.equal(pair.origin.count, asked);
    assert.equal((await bob.visit('/next')).status, 200);
    const event = await waitFor(async () => (await ask(pair, `events?request=${reference}`)).items[0], { what: 'the refusal on record' });
    assert.deepEqual([event.session, event.status, event.action], [ann.session.id, 403, 'block']);
    assert.deepEqual((await all(pair, 'sessions?state=blocked')).map(({ id }) => id), [ann.session.id]);

    assert.equal((await ask(pair, `sessions/${ann.session.id}/actions`, order({ action: 'allow', reason: 'a partner' }))).state, 'clear');
    assert.equal((await ann.visit('/again')).status, 200);
  });

  test('on an address holds for every session from it, and for an IPv6 client for its /64', async () => {
    const imposed = await ask(pair, 'blocks', order({ kind: 'ip', value: '2001:db8:5::1', reason: 'flood' }));
    assert.deepEqual([imposed.value, imposed.action, imposed.enforced, imposed.by], ['2001:db8:5::/64', 'block', true, 'admin']);
    assert.equal(Date.parse(imposed.until) - Date.parse(imposed.created), 60 * MINUTE, 'an hour, unless told otherwise');
    for (const [ip, cookie, status] of [['2001:db8:5::1', 'sid=x', 403], ['2001:db8:5::ffff', undefined, 403], ['2001:db8:5:1::1', 'sid=y', 200]]) {
      assert.equal((await client(pair, { ip, cookie })('/v6')).status, status, ip);
    }
    await ask(pair, 'blocks', order({ kind: 'ip', value: '::ffff:192.0.2.77' }));
    assert.equal((await client(pair, { ip: '192.0.2.77' })('/v4')).status, 403);
    assert.deepEqual((await ask(pair, 'blocks')).items.map(({ kind, value }) => `${kind} ${value}`), ['ip 192.0.2.77', 'ip 2001:db8:5::/64'], 'newest first');

    for (const value of ['192.0.2.77', '2001:db8:5::/64']) assert.equal((await lift(pair, 'ip', value)).status, 204);
    assert.equal((await client(pair, { ip: '2001:db8:5::1' })('/v6')).status, 200);
    await problem(await lift(pair, 'ip', '192.0.2.77'), 404);
    assert.deepEqual((await ask(pair, 'blocks')).items, []);
  });

  test('as a throttle answers 429 and says when to come back', async () => {
    const dan = await visitor('dan');
    await ask(pair, `sessions/${dan.session.id}/actions`, order({ action: 'throttle', for: '30s' }));
    const got = await dan.visit('/soon');
    const refusal = sentProblem(got, 429);
    const after = Number(values(got.headers, 'retry-after')[0]);
    assert.ok(after >= 25 && after <= 30, `Retry-After: ${after}`);
    assert.deepEqual(Object.keys(refusal).sort(), ['detail', 'reference', 'status', 'title', 'type']);
    const event = await waitFor(async () => (await ask(pair, `events?request=${refusal.reference}`)).items[0], { what: 'the refusal on record' });
    assert.deepEqual([event.status, event.action], [429, 'throttle']);
    assert.equal((await lift(pair, 'session', dan.session.id)).status, 204);
    assert.equal((await dan.visit('/soon')).status, 200);
  });

  test('gives way to the later order, and the stricter of two subjects decides', async () => {
    const eve = await visitor('eve', { ip: '192.0.2.5' });
    await ask(pair, 'blocks', order({ kind: 'session', value: eve.session.id, action: 'block' }));
    await ask(pair, 'blocks', order({ kind: 'session', value: eve.session.id, action: 'throttle' }));
    assert.equal((await eve.visit('/one')).status, 429);
    await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.5' }));
    assert.equal((await eve.visit('/two')).status, 403);
    assert.equal((await ask(pair, 'blocks')).items.length, 2);
    for (const [kind, value] of [['ip', '192.0.2.5'], ['session', eve.session.id]]) await lift(pair, kind, value);
  });

  test('lets a CORS preflight pass, for which nobody can be asked who they are', async () => {
    await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.6' }));
    const headers = [['Origin', 'https://shop.example'], ['Access-Control-Request-Method', 'PUT']];
    assert.equal((await client(pair, { ip: '192.0.2.6' })('/cors', { method: 'OPTIONS', headers, status: 204 })).status, 204);
    assert.equal((await client(pair, { ip: '192.0.2.6' })('/cors', { method: 'PUT' })).status, 403);
    await lift(pair, 'ip', '192.0.2.6');
  });

  test('is on record with who did what, newest first', async () => {
    const acts = (await ask(pair, 'audit?limit=500')).items.map(({ actor, act, subject, detail }) => [actor, act, subject, detail]);
    const of = (subject) => acts.filter(([, , about]) => about === subject).map(([actor, act, , detail]) => [actor, act, detail]).reverse();
    const ann = await sessionOf(pair, '/hello/ann');
    assert.deepEqual(of(`session:${ann.id}`), [['admin', 'block', 'scraping'], ['admin', 'allow', 'a partner']]);
    assert.deepEqual(of('ip:2001:db8:5::/64'), [['admin', 'block', 'flood'], ['admin', 'allow', '']]);
    assert.deepEqual(of('ip:192.0.2.77').map(([, act]) => act), ['block', 'allow'], 'an order that lifted nothing did nothing');
    const times = (await ask(pair, 'audit?limit=500')).items.map(({ time }) => time);
    assert.deepEqual(times, times.toSorted().reverse());
    assert.equal((await ask(pair, 'audit?limit=3')).items.length, 3);
  });
});

test('monitor mode stops nothing, and says so', { skip: notOurs }, () => withPair({ vars: { ...vars, MODE: 'monitor' } }, async (pair) => {
  const visit = client(pair, { ip: '192.0.2.1', cookie: 'sid=ann' });
  await visit('/one');
  await recorded(pair, 1);
  const { id } = await sessionOf(pair, '/one');
  await ask(pair, `sessions/${id}/actions`, order({ action: 'block' }));
  assert.equal((await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.1' }))).enforced, false);
  assert.ok((await ask(pair, 'blocks')).items.every(({ enforced }) => enforced === false));
  for (let i = 0; i < 5; i += 1) assert.equal((await visit('/two')).status, 200);
  await recorded(pair, 6);
  assert.deepEqual((await all(pair, 'events')).map(({ action }) => action), Array(6).fill('allow'));
}));

test('a block ends on time', { skip: notOurs }, () => withPair({ vars: { ...vars, DEV_CLOCK: true } }, async (pair) => {
  const visit = client(pair, { ip: '192.0.2.1', cookie: 'sid=ann' });
  const at = async (minutes) => (await visit('/at', { time: T0 + minutes * MINUTE })).status;
  assert.equal(await at(0), 200);
  await recorded(pair, 1);
  const { id } = await sessionOf(pair, '/at');
  await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.1', for: '10m' }));
  const { until } = await ask(pair, 'blocks', order({ kind: 'session', value: id, action: 'throttle', for: '20m' }));
  assert.equal(Date.parse(until), T0 + 20 * MINUTE);
  for (const [minutes, status, holding] of [[0, 403, 2], [9.999, 403, 2], [10, 429, 1], [19.999, 429, 1], [20, 200, 0], [60, 200, 0]]) {
    assert.equal(await at(minutes), status, `after ${minutes} minutes`);
    assert.equal((await ask(pair, 'blocks')).items.length, holding, `${holding} hold after ${minutes} minutes`);
    assert.equal((await ask(pair, `sessions/${id}`)).state, minutes < 20 ? 'blocked' : 'clear', `state after ${minutes} minutes`);
  }
  await problem(await lift(pair, 'session', id), 404);
}));

for (const [name, end] of [['an orderly restart', 'SIGTERM'], ['a crash', 'SIGKILL']]) {
  test(`blocks hold after ${name} from the very first requests on, however many come at once`, { skip: notOurs }, async () => {
    const storage = mkdtempSync(join(tmpdir(), 'throughline-blocks-'));
    await withPair({ storage, vars: { ...vars, SHARDS: 2 } }, async (pair) => {
      for (let i = 0; i < 8; i += 1) await client(pair, { cookie: `sid=v${i}`, ip: '192.0.2.1' })(`/v/${'abcdefgh'[i]}`);
      await recorded(pair, 8);
      await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.1', for: '1h' }));
      const { items: before } = await ask(pair, 'blocks');
      const asked = pair.origin.count;
      for (let round = 0; round < 3; round += 1) {
        await pair.worker.restart(end);
        const statuses = await Promise.all(Array.from({ length: 24 }, async (_, i) =>
          (await client(pair, { cookie: `sid=v${i % 8}`, ip: '192.0.2.1' })('/cold')).status));
        assert.deepEqual(statuses, Array(24).fill(403));
        assert.equal(pair.origin.count, asked);
      }
      assert.deepEqual((await ask(pair, 'blocks')).items, before);
      await lift(pair, 'ip', '192.0.2.1');
      assert.equal((await client(pair, { ip: '192.0.2.1' })('/free')).status, 200);
      await pair.worker.restart(end);
      assert.equal((await client(pair, { ip: '192.0.2.1' })('/still-free')).status, 200);
    });
    rmSync(storage, { recursive: true, force: true });
  });
}
