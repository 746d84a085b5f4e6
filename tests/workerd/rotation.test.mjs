// Clients that make session keys up, throw them away, or never had one: how many sessions they can start, what becomes
// of the rest of their requests, and that customers on the very same address keep what is theirs.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { notOurs, residentMb, startPair, waitFor } from './harness.mjs';
import { pelt, quickOrigin } from './pelt.mjs';
import { all, ask, client, recorded } from './scene.mjs';

const MADE_UP = 100_000;
const EVERY = 250; // that many made-up keys between two requests of customers
const CUSTOMERS = 40; // half of them on the first attacker's address
const TURNS = MADE_UP / EVERY / CUSTOMERS; // requests of each customer
const REQUESTS = MADE_UP + CUSTOMERS * TURNS;
const ALLOWED = 50;
const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
const WARM = 20_000; // requests after which memory should not grow
const GROWN_MB = 150; // what garbage collection moves, with room
const SLACK = 20; // keys a shard was asked about in vain: whoever is not answered in time keeps the session
const AGENT = 'made-up/1.0';
const OWN = 'client.ip+ua';
/** A request without a key belongs to the session it is issued the key of. */
const ISSUED = [{ from: 'request.cookie.sid', issued_by: 'response.set-cookie.sid' }];

/** Reproducible random numbers (xorshift32). */
function random(seed) {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

test(`${MADE_UP} made-up session keys start no more sessions than allowed, and customers keep theirs`, { skip: notOurs, timeout: 600_000 }, async (context) => {
  let issued = 0;
  const origin = await quickOrigin((head) => (head.startsWith('GET /welcome ') ? `Set-Cookie: sid=customer-${issued += 1}\r\n` : ''));
  const pair = await startPair({ origin: origin.url, vars: { DEV_CLIENT_HEADERS: true, SESSION_KEYS: ISSUED, LIMITS: { unproven_sessions: ALLOWED, unproven_grace_ms: 0 } } });
  const customers = Array.from({ length: CUSTOMERS }, (_, n) => ({ ip: n < CUSTOMERS / 2 ? ADDRESSES[0] : `198.51.100.${n}`, cookie: null, turns: 0 }));
  try {
    // The most memory held in each stretch of requests: a single moment says more about garbage collection.
    const memory = [];
    const began = Date.now();
    await flood(pair.worker.port, new URL(origin.url).host, customers, (answered) => {
      if (answered % 500 > 0) return;
      const stretch = Math.min(Math.ceil(answered / WARM), MADE_UP / WARM) - 1;
      memory[stretch] = Math.max(memory[stretch] ?? 0, Math.round(residentMb(pair.worker.pid)));
    });
    const seconds = (Date.now() - began) / 1000;
    await recorded(pair, REQUESTS, { timeout: 30_000, interval: 200 });

    const sessions = await all(pair, 'sessions');
    const metrics = await (await pair.admin('metrics')).text();
    const metric = (name) => Number(new RegExp(`^throughline_${name} (\\d+)$`, 'm').exec(metrics)[1]);
    context.diagnostic(`${sessions.length} sessions of ${REQUESTS} requests, ${metric('set_aside_total')} set aside`);
    context.diagnostic(`${Math.round(REQUESTS / seconds)} requests a second for ${Math.round(seconds)} s`);
    context.diagnostic(`workerd held up to ${memory[0]} MB in the first ${WARM} requests and ${memory.at(-1)} MB in the last (${memory.join(', ')})`);

    assert.equal(origin.count(), REQUESTS, 'every request reached the origin once');
    assert.equal(metric('events_dropped_total'), 0);
    assert.equal(sessions.reduce((sum, { requests }) => sum + requests, 0), REQUESTS);

    const byId = new Map(sessions.map((session) => [session.id, session]));
    for (const { cookie, ip } of customers) {
      const { items } = await ask(pair, 'lookup', { method: 'POST', body: JSON.stringify({ value: cookie }) });
      assert.equal(items.length, 1, `one session of ${cookie}`);
      const { requests, ips, proof, marks, findings } = byId.get(items[0].session);
      assert.deepEqual({ requests, ips: ips.map((known) => known.ip), proof, marks, findings },
        { requests: TURNS, ips: [ip], proof: 'issued', marks: [], findings: {} });
      byId.delete(items[0].session);
    }

    const own = [...byId.values()].filter(({ key }) => key.source === OWN);
    const made = byId.size - own.length;
    assert.deepEqual(own.map(({ ips }) => ips.map(({ ip }) => ip).join()).sort(), ADDRESSES);
    for (const { id, requests, state, marks, findings } of own) {
      assert.ok(requests >= MADE_UP / ADDRESSES.length - ALLOWED - SLACK - 1, `${id} has only ${requests} requests`);
      assert.deepEqual(marks, ['session_rotation']);
      assert.deepEqual(Object.keys(findings), ['session_rotation']);
      assert.notEqual(state, 'blocked');
    }
    assert.ok(made <= ADDRESSES.length * ALLOWED + SLACK, `${made} sessions of made-up keys`);
    assert.ok(memory.at(-1) - memory[0] <= GROWN_MB, `workerd grew by ${memory.at(-1) - memory[0]} MB`);
  } finally {
    await pair.stop();
    await origin.stop();
  }
});

/** Made-up keys from all addresses and, now and then, one of the customers, who keeps the cookie it is issued. */
async function flood(port, host, customers, onAnswer) {
  const number = random(20_251_117);
  let answered = 0;
  const say = (path, ip, cookie) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\ncf-connecting-ip: ${ip}\r\nUser-Agent: ${AGENT}\r\n${cookie === null ? '' : `Cookie: sid=${cookie}\r\n`}\r\n`;
  const tell = () => onAnswer(answered += 1);
  await pelt({ port, total: REQUESTS, ask: (i) => {
    if (i % (EVERY + 1) !== EVERY) return { head: say('/shop', ADDRESSES[i % ADDRESSES.length], `${number().toString(36)}${number().toString(36)}`), answered: tell };
    const customer = customers[Math.floor(i / (EVERY + 1)) % CUSTOMERS];
    if (customer.turns > 0 && customer.cookie === null) throw new Error('a customer came back before it had its cookie');
    customer.turns += 1;
    const kept = (got) => {
      if (customer.cookie === null) [, customer.cookie] = /^set-cookie: sid=(\S+)\r$/im.exec(got);
      tell();
    };
    return { head: say(customer.cookie === null ? '/welcome' : '/orders', customer.ip, customer.cookie), answered: kept };
  } });
}

/** A pair for a few hundred requests at most, and what to ask of it. */
async function withPair(vars, use, answer) {
  const pair = await startPair({ answer, vars: { DEV_CLIENT_HEADERS: true, SESSION_KEYS: ISSUED, ...vars, LIMITS: { flush_ms: 50, ...vars.LIMITS } } });
  try {
    await use(pair);
  } finally {
    await pair.stop();
  }
}
const cookie = (value) => ({ headers: [['Cookie', `sid=${value}`]] });
/** The only session of a raw key, once it has that many requests. */
const of = (pair, value, requests) => waitFor(async () => {
  const { items } = await ask(pair, 'lookup', { method: 'POST', body: JSON.stringify({ value }) });
  const session = items.length === 1 && await ask(pair, `sessions/${items[0].session}`);
  return session?.requests === requests && session;
}, { what: `a session of ${requests} requests with the key ${value}` });

describe('a client with few allowed keys', { skip: notOurs }, () => {
  const LIMITS = { unproven_sessions: 10 };

  test('is only marked while the deployment is new: no session is taken away', () => withPair({ LIMITS }, async (pair) => {
    const number = random(1);
    const send = client(pair);
    const keys = Array.from({ length: 25 }, () => String(number()));
    for (const key of keys) await send('/shop', cookie(key));
    assert.equal(await recorded(pair, keys.length), keys.length);
    for (const [i, key] of keys.entries()) {
      const { key: { source }, marks, findings, proof } = await of(pair, key, 1);
      assert.deepEqual([source, proof], ['request.cookie.sid', 'unproven']);
      assert.deepEqual(marks, i < 10 ? [] : ['session_rotation']);
      assert.deepEqual(findings, i < 10 ? {} : { session_rotation: 1 });
    }
    // What it showed before is not one too many.
    await send('/shop', cookie(keys[0]));
    assert.deepEqual((await of(pair, keys[0], 2)).marks, []);
  }));

  test('is set aside after that, and neither other addresses nor keys shown before are', () => withPair({ LIMITS: { ...LIMITS, unproven_grace_ms: 0 } }, async (pair) => {
    const number = random(2);
    const keys = Array.from({ length: 25 }, () => String(number()));
    for (const key of keys) await client(pair, { ip: '2001:db8::1' })('/shop', cookie(key));
    for (const ip of ['2001:db8::2', '2001:db8:0:1::2']) await client(pair, { ip })('/shop', cookie(`at ${ip}`));
    await client(pair, { ip: '2001:db8::3' })('/again', cookie(keys[9]));
    // Ten keys, the own session of the /64, which is one client, and one key from another.
    assert.equal(await recorded(pair, 28), 12);
    assert.equal((await of(pair, keys[9], 2)).ips.length, 2);
    const own = (await all(pair, 'sessions')).filter(({ key }) => key.source === OWN);
    assert.deepEqual(own.map(({ requests, marks }) => [requests, marks]), [[16, ['session_rotation']]]);
  }));

  test('is one device where it shows a TLS fingerprint, beside others on its address', () => withPair({ LIMITS: { ...LIMITS, unproven_device_sessions: 5, unproven_grace_ms: 0 } }, async (pair) => {
    for (let i = 0; i < 8; i += 1) await client(pair, { ja4: 't13d_one' })('/shop', cookie(`one ${i}`));
    for (let i = 0; i < 4; i += 1) await client(pair, { ja4: 't13d_two' })('/shop', cookie(`two ${i}`));
    await recorded(pair, 12);
    const sessions = await all(pair, 'sessions');
    assert.deepEqual(sessions.filter(({ key }) => key.source === `${OWN}+ja4`).map(({ requests }) => requests), [3]);
    assert.equal(sessions.length, 5 + 4 + 1);
  }));

  test('that throws away each cookie it is issued starts no more sessions than it may', () => withPair({ LIMITS }, async (pair) => {
    for (let i = 0; i < 60; i += 1) await client(pair)(`/shop/${i}`);
    assert.equal(await recorded(pair, 60), 11);
    const sessions = await all(pair, 'sessions');
    const [own] = sessions.filter(({ key }) => key.source === OWN);
    assert.deepEqual([own.requests, own.marks], [50, ['session_rotation']]);
    assert.notEqual(own.state, 'blocked');
    assert.ok(sessions.filter(({ id }) => id !== own.id).every(({ requests, proof }) => requests === 1 && proof === 'issued'));
    // One that keeps its cookie is in its session, from that very address.
    await client(pair)('/shop/kept', cookie('issued-59'));
    assert.equal((await of(pair, 'issued-59', 1)).proof, 'issued');
  }, issuing(200)));

  test('does not get rid of a block by showing made-up keys before the one that is blocked', () => withPair({ MODE: 'enforce', DEV_CLOCK: true, LIMITS: { ...LIMITS, unproven_grace_ms: 0 } }, async (pair) => {
    const T0 = Date.UTC(2040, 0, 1, 12);
    const at = (minutes, key) => client(pair)('/shop', { time: T0 + minutes * 60_000, ...cookie(key) });
    await at(0, 'taken');
    const { id } = await of(pair, 'taken', 1);
    await ask(pair, `sessions/${id}/actions`, { method: 'POST', body: JSON.stringify({ action: 'block', for: '1d' }) });
    assert.equal((await at(1, 'taken')).status, 403);
    // An hour later the client's keys are counted anew, and none of them is left for the blocked one.
    for (let i = 0; i < 12; i += 1) assert.equal((await at(70, `made up ${i}`)).status, 200);
    assert.equal((await at(71, 'taken')).status, 403);
    assert.equal((await at(71, 'another')).status, 200);
  }));

  test('is not let off by tokens that name a key nobody has', () => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const ISS = 'https://login.shop.test';
    const JWT = [{ iss: ISS, jwks: { keys: [{ kty: 'oct', kid: 'k1', alg: 'HS256', k: Buffer.alloc(32, 'k').toString('base64url') }] } }];
    return withPair({ JWT, SESSION_KEYS: [{ from: 'request.jwt.sid' }], LIMITS: { ...LIMITS, unproven_grace_ms: 0 } }, async (pair) => {
      for (let i = 0; i < 25; i += 1) {
        const token = `${part({ alg: 'HS256', kid: `made up ${i}` })}.${part({ iss: ISS, sid: 'x', exp: 4e9 })}.${part(i)}`;
        await client(pair)('/shop', { headers: [['Authorization', `Bearer ${token}`]] });
      }
      assert.equal(await recorded(pair, 25), 11);
    });
  });

  test('is one client however many agents it shows', () => withPair({ LIMITS: { ...LIMITS, unproven_grace_ms: 0 } }, async (pair) => {
    for (let i = 0; i < 25; i += 1) await client(pair, { agent: `agent ${i}` })('/shop');
    assert.equal(await recorded(pair, 25), 11);
    const sessions = await all(pair, 'sessions');
    assert.deepEqual(sessions.filter(({ key }) => key.source === 'client.ip').map(({ requests }) => requests), [15]);
  }));

  test('that is refused with a cookie each time is one client without a key, and found out as a scanner', () => withPair({ LIMITS }, async (pair) => {
    for (let i = 0; i < 40; i += 1) await client(pair)(`/${'abcdefghij'[i % 10]}${'klmn'[Math.floor(i / 10)]}.php`);
    assert.equal(await recorded(pair, 40), 1);
    const [session] = await all(pair, 'sessions');
    assert.deepEqual([session.key.source, session.requests, session.statuses], [OWN, 40, { 404: 40 }]);
    assert.ok(session.findings.forced_browsing >= 1);
    assert.deepEqual([session.successors, session.marks], [[], []]);
  }, issuing(404)));
});

/** Answers with that status and a fresh cookie. */
function issuing(status) {
  let issued = 0;
  return () => ({ status, headers: [['Set-Cookie', `sid=issued-${issued++}; Path=/`]], body: 'x' });
}

describe('a key that is used where the anonymous are refused', { skip: notOurs }, () => {
  const T0 = Date.UTC(2040, 0, 1, 12); // in the future: a development clock never runs behind the real one
  const known = new Set(['sid=real', 'sid=brief', 'sid=open']);
  const guard = ({ target, headers }) => {
    const sent = headers.find(([name]) => name.toLowerCase() === 'cookie')?.[1];
    return { status: target === '/open' || known.has(sent) ? 200 : 401, body: 'x' };
  };
  const vars = { DEV_CLOCK: true, LIMITS: { unproven_sessions: 10, unproven_grace_ms: 0 } };

  test('for more than ten minutes is proven by use, and honoured from an address that is beyond its keys', () => withPair(vars, async (pair) => {
    const at = (minutes, target, key, ip = '192.0.2.1') => client(pair, { ip })(target, { time: T0 + minutes * 60_000, ...(key ? cookie(key) : {}) });
    await at(0, '/account', 'real');
    await at(0, '/open');
    for (let i = 0; i < 3; i += 1) await at(1, '/account', null, `198.51.100.${i}`);
    await recorded(pair, 5);
    for (const [minute, target, key] of [[2, '/account', 'real'], [2, '/account', 'brief'], [2, '/open', 'open'], [3, '/account', 'forged'],
      [11.9, '/account', 'brief'], [11.9, '/account', 'real'], [12, '/account', 'real'], [20, '/open', 'open'], [20, '/account', 'forged']]) {
      await at(minute, target, key);
    }
    await recorded(pair, 14);
    assert.equal((await of(pair, 'real', 4)).proof, 'used');
    for (const key of ['brief', 'open', 'forged']) assert.equal((await of(pair, key, 2)).proof, 'unproven', key);

    // A fresh isolate knows no key; the shard does.
    await pair.worker.restart();
    for (let i = 0; i < 15; i += 1) await at(30, '/account', `made up ${i}`, '203.0.113.9');
    await at(31, '/account', 'real', '203.0.113.9');
    await at(31, '/account', 'brief', '203.0.113.9');
    await recorded(pair, 31);
    assert.equal((await of(pair, 'real', 5)).ips.length, 2);
    assert.equal((await of(pair, 'brief', 2)).ips.length, 1);
  }, guard));
});

test('limits of unproven keys outside their range are refused by name', { skip: notOurs }, async () => {
  const RANGES = { unproven_sessions: [10, 10_000], unproven_device_sessions: [5, 10_000], unproven_window_ms: [60_000, 86_400_000], unproven_grace_ms: [0, 2_592_000_000] };
  const names = Object.keys(RANGES);
  for (const wrong of [([min]) => min - 1, ([, max]) => max + 1]) {
    const LIMITS = Object.fromEntries(names.map((name) => [name, wrong(RANGES[name])]).filter(([, value]) => value >= 0));
    await withPair({ LIMITS }, async (pair) => {
      const answer = await pair.admin('healthz');
      assert.deepEqual([answer.status, (await answer.json()).problems], [503,
        Object.entries(LIMITS).map(([name, value]) => `LIMITS.${name}: is ${value}; use ${RANGES[name].join(' to ')}`)]);
    });
  }
  for (const end of [0, 1]) {
    await withPair({ LIMITS: Object.fromEntries(names.map((name) => [name, RANGES[name][end]])) }, async (pair) =>
      assert.equal((await (await pair.admin('healthz')).json()).status, 'ok'));
  }
});
