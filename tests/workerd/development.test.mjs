// The two development bindings: what they do, and that they do nothing to a request from the real network.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';
import { all, ask, client, recorded, sessionOf } from './scene.mjs';

const T0 = Date.UTC(2040, 0, 1, 12);
const HOUR = 3_600_000;
const PLAYED = { country: 'DE', asn: 3320, ja4: 't13d1516h2_8daaf6152771_02713d6af862' };
const iso = (ms) => new Date(ms).toISOString();
const DEV_HEADERS = ['x-dev-asn', 'x-dev-ja4', 'x-dev-latlon', 'x-dev-time'];

async function withPair(vars, use) {
  const pair = await startPair({ vars: { LIMITS: { flush_ms: 50 }, ...vars } });
  try {
    await use(pair);
  } finally {
    await pair.stop();
  }
}
const lastSent = (pair) => pair.origin.requests.at(-1).headers;

describe('DEV_CLIENT_HEADERS', { skip: notOurs }, () => {
  test('says where a client comes from, and the origin is not told', () => withPair({ DEV_CLIENT_HEADERS: true }, async (pair) => {
    await client(pair, { ...PLAYED, ip: '203.0.113.10' })('/one', { headers: [['x-dev-latlon', '52.5,13.4']] });
    await recorded(pair, 1);
    const { items: [{ ip, country, asn, ja4 }] } = await ask(pair, 'events');
    assert.deepEqual({ ip, country, asn, ja4 }, { ...PLAYED, ip: '203.0.113.10' });
    for (const name of DEV_HEADERS) assert.deepEqual(values(lastSent(pair), name), [], name);
  }));

  test('does nothing for a request with CF-Ray, and the log says so', () => withPair({ DEV_CLIENT_HEADERS: true, DEV_CLOCK: true }, async (pair) => {
    const before = Date.now();
    await client(pair, { ...PLAYED, ip: '203.0.113.10' })('/real', { time: T0, headers: [['CF-Ray', '8f1e2d3c4b5a6978-FRA']] });
    await recorded(pair, 1);
    const { items: [{ country, asn, ja4, time }] } = await ask(pair, 'events');
    assert.deepEqual({ country, asn, ja4 }, { country: null, asn: null, ja4: null });
    assert.ok(Date.parse(time) >= before - 5 && Date.parse(time) <= Date.now(), time);
    assert.match(pair.worker.logs(), /DEV_CLIENT_HEADERS and DEV_CLOCK are ignored/);
    for (const name of DEV_HEADERS) assert.deepEqual(values(lastSent(pair), name), [], `${name} is not for the origin either way`);
    // And the next one, without it, is played again.
    const soon = before + 3_600_000; // within retention of what is there already
    await client(pair, PLAYED)('/played', { time: soon });
    await recorded(pair, 2);
    assert.deepEqual((await ask(pair, 'events?q=/played')).items.map((event) => [event.country, event.time]), [['DE', iso(soon)]]);
  }));

  test('is needed: without it the headers are the client\'s own affair and reach the origin', () => withPair({}, async (pair) => {
    await client(pair, PLAYED)('/plain', { time: T0 });
    await recorded(pair, 1);
    const { items: [{ country, asn, ja4, time }] } = await ask(pair, 'events');
    assert.deepEqual({ country, asn, ja4 }, { country: null, asn: null, ja4: null });
    assert.ok(Date.parse(time) < T0);
    assert.deepEqual(values(lastSent(pair), 'x-dev-time'), [String(T0)]);
  }));

  test('leaves a client that says nothing at the loopback address', () => withPair({ DEV_CLIENT_HEADERS: true }, async (pair) => {
    await pair.send({ target: '/local' });
    await recorded(pair, 1);
    assert.equal((await ask(pair, 'events')).items[0].ip, '127.0.0.1');
  }));
});

describe('DEV_CLOCK', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, LIMITS: { flush_ms: 50 } } }); });
  after(() => pair?.stop());

  test('plays hours in seconds', async () => {
    const ann = client(pair, { cookie: 'sid=ann' });
    for (const hours of [0, 1, 3]) await ann(`/hour/${hours}`, { time: T0 + hours * HOUR });
    await recorded(pair, 3);
    const session = await sessionOf(pair, '/hour/0');
    assert.deepEqual([session.first_seen, session.last_seen, session.duration_ms], [iso(T0), iso(T0 + 3 * HOUR), 3 * HOUR]);
    assert.equal((await (await pair.admin('healthz')).json()).time, iso(T0 + 3 * HOUR));
    assert.deepEqual((await all(pair, 'events?from=-2h')).map(({ path }) => path), ['/hour/3', '/hour/1']);
  });

  test('goes on for requests that say no time, and never backwards', async () => {
    const ann = client(pair, { cookie: 'sid=ann' });
    await ann('/no-time');
    await ann('/not-a-time', { time: 'noon' });
    await recorded(pair, 5);
    for (const path of ['/no-time', '/not-a-time']) assert.equal((await ask(pair, `events?q=${path}`)).items[0].time, iso(T0 + 3 * HOUR), path);
    assert.equal((await (await pair.admin('healthz')).json()).time, iso(T0 + 3 * HOUR));
  });

  test('lets risk fade', async () => {
    const scanner = client(pair, { cookie: 'sid=scanner' });
    for (let i = 0; i < 12; i += 1) await scanner(`/guess/${'abcdefghijkl'[i]}`, { status: 404, time: T0 + 4 * HOUR });
    await recorded(pair, 17);
    const flagged = await sessionOf(pair, '/guess/a');
    assert.equal(flagged.state, 'flagged');
    await client(pair, { cookie: 'sid=other' })('/later', { time: T0 + 7 * HOUR });
    await recorded(pair, 18);
    const later = await ask(pair, `sessions/${flagged.id}`);
    assert.deepEqual([later.state, later.findings], ['clear', { forced_browsing: 1 }]);
    assert.ok(later.risk < flagged.risk);
  });

  test('folds the journal when its time has come, again and again', async () => {
    const folds = async () => Number(/^throughline_folds_total\{layout="1",shard="0"\} (\d+)$/m.exec(await (await pair.admin('metrics')).text())[1]);
    const ann = client(pair, { cookie: 'sid=ann' });
    let hour = 10;
    let count = 18;
    for (let round = 1; round <= 2; round += 1) {
      const before = await folds();
      await waitFor(async () => {
        await ann('/folding', { time: T0 + hour * HOUR });
        hour += 1;
        await recorded(pair, count += 1);
        return (await folds()) > before;
      }, { what: `fold ${round}`, timeout: 5_000 });
    }
    assert.equal((await all(pair, 'events')).length, count);
  });
});
