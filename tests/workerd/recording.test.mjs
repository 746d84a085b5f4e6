// Every request is found exactly once, in good time, whatever its method and however many shards there are; what is
// not to be recorded leaves no trace. A flush sent twice cannot be played from outside: the native tests do that.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { open } from './client.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, recorded, sentProblem } from './scene.mjs';
const SECRET = 'tern-osprey-lantern-quarry-0000000001'; // one under which the forty sessions fall to all eight shards

async function withPair(settings, use) {
  const pair = await startPair(settings);
  try {
    await use(pair);
  } finally {
    await pair.stop();
  }
}

/** Sends `count` requests of `sessions` sessions, `width` at a time, each to a path of its own; answers their statuses. */
async function crowd(pair, { count, sessions, width = 32 }) {
  const clients = Array.from({ length: sessions }, (_, i) => client(pair, { cookie: `sid=visitor-${i}`, ip: `198.51.100.${i}` }));
  const statuses = [];
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < count) {
      const i = next;
      next += 1;
      statuses[i] = (await clients[i % sessions](`/things/${i}`, { method: i % 3 === 0 ? 'POST' : 'GET', status: i % 10 === 0 ? 404 : undefined })).status;
    }
  }));
  return statuses;
}

async function metric(pair, name) {
  const text = await (await pair.admin('metrics')).text();
  return [...text.matchAll(new RegExp(`^throughline_${name}(?:\\{[^}]*\\})? (\\d+)$`, 'gm'))].map(([, value]) => Number(value));
}

for (const [shards, count] of [[1, 2_000], [2, 1_000], [8, 1_000]]) {
  test(`${count} requests at once over ${shards} shards are found once each`, { skip: notOurs }, () =>
    withPair({ vars: { DEV_CLIENT_HEADERS: true, SHARDS: shards, SESSION_SECRET: SECRET } }, async (pair) => {
      const sessions = 40;
      const statuses = await crowd(pair, { count, sessions });
      assert.equal(pair.origin.count, count);
      assert.equal(await recorded(pair, count), sessions);
      const paths = Array.from({ length: count }, (_, i) => `/things/${i}`).sort();
      for (const limit of [500, 333]) {
        const events = await all(pair, 'events', { limit });
        assert.deepEqual(events.map(({ path }) => path).sort(), paths);
        assert.equal(new Set(events.map(({ id }) => id)).size, count);
        for (const { path, status } of events) assert.equal(status, statuses[Number(path.slice('/things/'.length))]);
        const times = events.map(({ time, id }) => `${time} ${id}`);
        assert.deepEqual(times, times.toSorted().reverse(), 'newest first, across shards');
      }
      const listed = await all(pair, 'sessions', { limit: 7 });
      assert.deepEqual([listed.length, new Set(listed.map(({ id }) => id)).size], [sessions, sessions]);
      for (const { requests } of listed) assert.equal(requests, count / sessions);
      const perShard = await metric(pair, 'events_total');
      assert.equal(perShard.length, shards);
      assert.equal(perShard.reduce((a, b) => a + b), count);
      assert.ok(perShard.every((events) => events > 0), `each shard has its part: ${perShard}`);
      for (const name of ['events_dropped_total', 'flush_failures_total', 'corrupt_rows_total', 'flushes_refused_total']) {
        assert.deepEqual((await metric(pair, name)).filter((value) => value !== 0), [], name);
      }
    }));
}

describe('an event', { skip: notOurs }, () => {
  let pair;
  let count = 0;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true,
      ROUTES: [{ match: '* /health/*', record: 'off' }, { match: 'GET /off-for-get', record: 'off' }] } });
  });
  after(() => pair?.stop());

  const visit = (target, options) => client(pair, { cookie: 'sid=ann' })(target, options);
  const found = async () => (await all(pair, 'events?order=asc')).map(({ method, path }) => `${method} ${path}`);

  test('is found soon after a single request, without another one', async () => {
    const sent = Date.now();
    await visit('/single');
    count += 1;
    await recorded(pair, count, { timeout: 4_000 });
    assert.ok(Date.now() - sent < 4_000);
  });

  test('is made of every method', async () => {
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'LOCK', 'REPORT'];
    for (const method of methods) await visit(`/by-method/${method.toLowerCase()}`, { method });
    count += methods.length;
    await recorded(pair, count);
    assert.deepEqual((await found()).slice(-methods.length), methods.map((method) => `${method} /by-method/${method.toLowerCase()}`));
  });

  test('is not made of a CORS preflight, which makes no session either', async () => {
    const preflight = [['Origin', 'https://shop.example'], ['Access-Control-Request-Method', 'PUT']];
    for (const cookie of [undefined, 'sid=preflight']) {
      assert.equal((await client(pair, { cookie, ip: '192.0.2.200' })('/cors', { method: 'OPTIONS', headers: preflight, status: 204 })).status, 204);
    }
    // These are none: no method is asked for, no origin is named, or it is not OPTIONS.
    await visit('/no-preflight/a', { method: 'OPTIONS', headers: [preflight[0]] });
    await visit('/no-preflight/b', { method: 'OPTIONS', headers: [preflight[1]] });
    await visit('/no-preflight/c', { headers: preflight });
    count += 3;
    await recorded(pair, count);
    assert.deepEqual((await found()).slice(-3), ['OPTIONS /no-preflight/a', 'OPTIONS /no-preflight/b', 'GET /no-preflight/c']);
    assert.deepEqual((await ask(pair, 'sessions?ip=192.0.2.200')).items, []);
  });

  test('is not made where the route says so, not even when the origin fails', async () => {
    const off = client(pair, { cookie: 'sid=off', ip: '192.0.2.201' });
    for (const method of ['GET', 'POST', 'HEAD']) assert.equal((await off('/health/live', { method })).status, 200);
    await off('/off-for-get');
    sentProblem(await off('/health/ready', { headers: [['x-answer', 'reset']] }), 502);
    assert.equal((await off('/health/odd', { status: 500 })).status, 500);
    await off('/off-for-get', { method: 'POST' });
    await off('/healthy');
    count += 2;
    await recorded(pair, count);
    assert.deepEqual((await found()).slice(-2), ['POST /off-for-get', 'GET /healthy']);
    assert.equal((await ask(pair, 'sessions?ip=192.0.2.201')).items[0].requests, 2);
  });

  test('says that the origin failed, and is what the problem document refers to', async () => {
    const { reference } = sentProblem(await visit('/broken', { method: 'POST', body: 'x', headers: [['x-answer', 'reset']] }), 502);
    count += 1;
    await recorded(pair, count);
    const { items: [event] } = await ask(pair, `events?request=${reference}`);
    assert.deepEqual([event.path, event.status, event.marks, event.action], ['/broken', 502, ['origin_failed'], 'allow']);
  });

  test('says that something was cut or forged', async () => {
    await visit(`/long/${'a'.repeat(2_000)}`);
    await visit('/agent', { headers: [['Session-Context', 'id=1']] });
    count += 2;
    await recorded(pair, count);
    const [long, forged] = (await all(pair, 'events?order=asc')).slice(-2);
    assert.deepEqual([long.marks, long.path.length, forged.marks], [['cut'], 1024, ['spoofed']]);
  });
});

describe('the buffer', { skip: notOurs }, () => {
  const slow = (limits) => ({ vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 10_000, ...limits } } });

  test('is flushed as soon as it holds flush_events', () => withPair(slow({ flush_events: 10 }), async (pair) => {
    for (let i = 0; i < 30; i += 1) await client(pair, { cookie: 'sid=ann' })(`/n/${i}`);
    await recorded(pair, 30, { timeout: 5_000 });
    assert.deepEqual(await metric(pair, 'flushes_total'), [3]);
  }));

  test('is flushed early for the sake of refused requests', () => withPair(slow(), async (pair) => {
    for (let i = 0; i < 8; i += 1) await client(pair, { cookie: 'sid=ann' })(`/n/${i}`, { status: 404 });
    await recorded(pair, 8, { timeout: 5_000 });
  }));

  test('is flushed after flush_ms though the client whose request began it has gone', () => withPair({ vars: { DEV_CLIENT_HEADERS: true } }, async (pair) => {
    const wire = await open({ port: pair.worker.port, target: '/gone', headers: [['Host', new URL(pair.origin.url).host]] });
    await wire.line();
    wire.socket.resetAndDestroy();
    await recorded(pair, 1, { timeout: 5_000 });
  }));
});

describe('a request that nobody waits for any more', { skip: notOurs }, () => {
  const vars = { DEV_CLIENT_HEADERS: true, LIMITS: { abandon_ms: 1_000, flush_ms: 50 } };

  test('lets the origin go', () => withPair({ vars }, async (pair) => {
    const wire = await open({ port: pair.worker.port, target: '/silent', headers: [['Host', new URL(pair.origin.url).host], ['x-answer', 'silent']] });
    await waitFor(() => pair.origin.busy === 1, { what: 'the origin to be asked' });
    wire.socket.resetAndDestroy();
    await waitFor(() => pair.origin.busy === 0, { what: 'the connection to the origin to be closed', timeout: 5_000 });
  }));

  test('does not lend its place to another\'s outcome when its answer comes after all', () => {
    const answer = async ({ target }) => {
      const [, name, ms, status] = target.split('/');
      await delay(Number(ms ?? 0));
      return { status: Number(status ?? 200), reason: name, body: name };
    };
    return withPair({ answer, vars }, async (pair) => {
      const first = client(pair)('/first/2500/202');
      await delay(1_500);
      const second = client(pair)('/second/2500/404');
      assert.deepEqual([(await first).status, (await second).status], [202, 404]);
      const found = (name) => all(pair, `events?q=${name}`);
      await waitFor(async () => {
        await client(pair)('/refused/0/404'); // refused requests are flushed early
        return (await found('first')).length > 0 && (await found('second')).length > 0;
      }, { what: 'both to be found', timeout: 5_000 });
      assert.deepEqual((await found('second')).map(({ status }) => status), [404]);
      assert.equal((await found('first')).length, 1);
    });
  });
});
