// One person from the first anonymous request through login, refresh and rotation to the logout: one linked story.
// And what must never become one: two people on one address, two devices of one person, a token of somebody else.

import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client } from './scene.mjs';

const ISS = 'https://login.shop.test';
const SECRET = 'a-secret-that-only-the-login-service-has-0123456789';
const JWT = [{ iss: ISS, aud: 'shop', kid: 'k1', alg: 'HS256', secret: SECRET }];
const KEYS = [
  { from: 'request.jwt.sid', issued_by: 'response.body#/access_token' },
  { from: 'request.cookie.app', issued_by: 'response.set-cookie.app' },
];
const PARAMETERS = [
  { name: 'username', from: 'request.body#/username', on: 'POST /login', role: 'user' },
  { name: 'subject', from: 'request.jwt.sub', role: 'user' },
  { name: 'role', from: 'request.jwt#/roles/*', role: 'role' },
];

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
export function token(claims, { secret = SECRET, header = {} } = {}) {
  const signed = `${part({ alg: 'HS256', typ: 'JWT', kid: 'k1', ...header })}.${part({ iss: ISS, aud: 'shop', exp: Math.floor(Date.now() / 1000) + 600, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
const bearer = (value) => [['Authorization', `Bearer ${value}`]];
const json = (value) => ({ body: JSON.stringify(value), headers: [['Content-Type', 'application/json']] });

/** The shop's login service, as far as sessions are concerned. */
function answer({ method, target, headers, body }) {
  const sent = (name) => headers.find(([n]) => n.toLowerCase() === name)?.[1] ?? '';
  const { username = '', sub = username, sid } = body?.length ? JSON.parse(body) : {};
  const ok = (extra = {}, more = []) => ({ headers: [['Content-Type', 'application/json'], ...more], body: JSON.stringify(extra) });
  switch (`${method} ${target.split('?')[0]}`) {
    case 'GET /welcome': return ok({}, [['Set-Cookie', `app=${randomUUID()}; Path=/; HttpOnly`]]);
    case 'POST /login': return body.includes('wrong') ? { ...ok(), status: 401 } : ok({}, [['Set-Cookie', `app=${randomUUID()}; Path=/`]]);
    case 'POST /api/tokens': return ok({ access_token: token({ sub, sid: sid ?? randomUUID() }) });
    case 'POST /rotate': return ok({}, [['Set-Cookie', `app=${randomUUID()}; Path=/`]]);
    case 'POST /logout': return ok({}, [['Set-Cookie', 'app=; Max-Age=0; Path=/']]);
    default: return ok({ cookie: sent('cookie') });
  }
}

const setCookie = (got) => got.headers.find(([name]) => name.toLowerCase() === 'set-cookie')[1].split(';')[0];
const accessToken = (got) => JSON.parse(got.body).access_token;

describe('a person', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({ answer, vars: { DEV_CLIENT_HEADERS: true, SESSION_KEYS: KEYS, JWT, PARAMETERS, LIMITS: { flush_ms: 50 } } });
  });
  after(() => pair?.stop());

  const only = async (value) => (await ask(pair, 'lookup', { method: 'POST', body: JSON.stringify({ value }) })).items;
  /** The session of a raw key, once it has that many requests. */
  const known = (value, requests) => waitFor(async () => {
    const [found] = await only(value);
    const session = found && await ask(pair, `sessions/${found.session}`);
    return session?.requests >= requests && session;
  }, { what: `a session of ${requests} requests` });
  const from = (ip) => client(pair, { ip });

  test('is one story from the first anonymous request to the logout', async () => {
    const send = from('192.0.2.10');
    await send('/products');
    const first = setCookie(await send('/welcome'));
    const with1 = (target, more = {}) => send(target, { ...more, headers: [['Cookie', first], ...(more.headers ?? [])] });
    await with1('/products');
    const failed = json({ username: 'ann', password: 'wrong' });
    await with1('/login', { method: 'POST', ...failed });
    const second = setCookie(await with1('/login', { method: 'POST', ...json({ username: 'ann', password: 'right' }) }));
    const with2 = (target, more = {}) => send(target, { ...more, headers: [['Cookie', second], ...(more.headers ?? [])] });
    await with2('/orders');
    const third = setCookie(await with2('/rotate', { method: 'POST' }));
    const with3 = (target, more = {}) => send(target, { ...more, headers: [['Cookie', third], ...(more.headers ?? [])] });
    await with3('/orders');
    await with3('/logout', { method: 'POST' });

    const value = (cookie) => cookie.split('=')[1];
    const [a, b, c] = [await known(value(first), 4), await known(value(second), 2), await known(value(third), 2)];
    assert.deepEqual([a.requests, b.requests, c.requests], [4, 2, 2]);
    assert.deepEqual(a.successors.map(({ session, reason }) => [session, reason]), [[b.id, 'login']]);
    assert.deepEqual(b.predecessors.map(({ session, reason }) => [session, reason]), [[a.id, 'login']]);
    assert.deepEqual(b.successors.map(({ session, reason }) => [session, reason]), [[c.id, 'rotation']]);
    assert.deepEqual(a.predecessors.map(({ reason }) => reason), ['start']);
    assert.deepEqual([a.proof, b.proof, c.proof], ['issued', 'issued', 'issued']);
    assert.deepEqual([a.ended, b.ended], [null, null]);
    assert.ok(c.ended);
    // The name of the failed attempt is nobody's; that of the login is the user's.
    assert.equal(a.users.length, 1);
    assert.match(a.users[0], /^h:[0-9a-f]{4}:[0-9a-f]{32}$/);
    assert.deepEqual(a.attempted_users, a.users);
    const story = await ask(pair, `sessions/${b.id}/story`);
    const keyless = a.predecessors[0].session;
    assert.deepEqual(story.items.map(({ id }) => id), [keyless, a.id, b.id, c.id]);
    assert.deepEqual(story.links.map(({ from: one, to, reason }) => [one, to, reason]),
      [[keyless, a.id, 'start'], [a.id, b.id, 'login'], [b.id, c.id, 'rotation']]);
    const found = await ask(pair, 'sessions?user=ann');
    assert.deepEqual(found.items.map(({ id }) => id), [a.id]);
  });

  test('keeps its story when a cookie becomes a token and the token is refreshed', async () => {
    const send = from('192.0.2.11');
    const cookie = setCookie(await send('/welcome'));
    const one = accessToken(await send('/api/tokens', { method: 'POST', headers: [['Cookie', cookie], ['Content-Type', 'application/json']], body: JSON.stringify({ username: 'bea', sid: 'bea-1' }) }));
    await send('/orders', { headers: bearer(one) });
    const two = accessToken(await send('/api/tokens', { method: 'POST', headers: [...bearer(one), ['Content-Type', 'application/json']], body: JSON.stringify({ username: 'bea', sid: 'bea-2' }) }));
    await send('/orders', { headers: bearer(two) });
    const [a, b, c] = [await known(cookie.split('=')[1], 2), await known('bea-1', 2), await known('bea-2', 1)];
    assert.deepEqual([b.key, c.key], Array(2).fill({ source: 'request.jwt.sid', verified: true }));
    assert.deepEqual([b.proof, c.proof], ['verified', 'verified']);
    assert.deepEqual(a.successors.map(({ session, reason }) => [session, reason]), [[b.id, 'login']]);
    assert.deepEqual(c.predecessors.map(({ session, reason }) => [session, reason]), [[b.id, 'refresh']]);
    assert.deepEqual(await only(one).then(([{ session }]) => session), b.id);
  });

  test('never shares a session with somebody else on the same address', async () => {
    const send = from('192.0.2.12');
    const [ann, bob] = [setCookie(await send('/welcome')), setCookie(await send('/welcome'))];
    for (const [cookie, n] of [[ann, 3], [bob, 2]]) {
      for (let i = 0; i < n; i++) await send(`/orders/${i}`, { headers: [['Cookie', cookie]] });
    }
    const [a, b] = [await known(ann.split('=')[1], 4), await known(bob.split('=')[1], 3)];
    assert.notEqual(a.id, b.id);
    assert.deepEqual([a.requests, b.requests], [4, 3]);
    const story = await ask(pair, `sessions/${a.id}/story`);
    assert.ok(!story.items.some(({ id }) => id === b.id));
  });

  test('on two devices is two sessions and one user', async () => {
    await from('192.0.2.13')('/orders', { headers: bearer(token({ sub: 'cid', sid: 'phone', roles: ['buyer', 'admin'] })) });
    await from('198.51.100.13')('/orders', { headers: bearer(token({ sub: 'cid', sid: 'laptop' })) });
    await known('phone', 1);
    await known('laptop', 1);
    const { items } = await ask(pair, 'sessions?user=cid');
    assert.equal(items.length, 2);
    assert.deepEqual(new Set(items.map(({ users }) => users.join())).size, 1);
    assert.deepEqual((await ask(pair, 'sessions?role=admin')).items.map(({ roles }) => roles), [['admin', 'buyer']]);
  });

  test('with another sub is another session, and no link leads there', async () => {
    const send = from('192.0.2.14');
    const dan = token({ sub: 'dan', sid: 'dan-1' });
    await send('/orders', { headers: bearer(dan) });
    // The service hands out eve's token inside dan's session: a support tool, or an attack.
    const eve = accessToken(await send('/api/tokens', { method: 'POST', headers: [...bearer(dan), ['Content-Type', 'application/json']], body: JSON.stringify({ username: 'eve', sid: 'eve-1' }) }));
    await send('/orders', { headers: bearer(eve) });
    const [a, b] = [await known('dan-1', 2), await known('eve-1', 1)];
    assert.notEqual(a.id, b.id);
    assert.deepEqual([a.successors, b.predecessors], [[], []]);
  });

  test('is not entered by whoever sends a name, a sub or a forged token', async () => {
    const send = from('192.0.2.15');
    const own = token({ sub: 'fay', sid: 'fay-1' });
    await send('/orders', { headers: bearer(own) });
    const fay = await known('fay-1', 1);
    const forged = [
      token({ sub: 'fay', sid: 'fay-1' }, { secret: 'x'.repeat(50) }),
      `${part({ alg: 'none', kid: 'k1' })}.${part({ iss: ISS, aud: 'shop', sub: 'fay', sid: 'fay-1', exp: 4e9 })}.`,
      token({ sub: 'fay', sid: 'fay-1', iss: 'https://elsewhere.test' }),
      token({ sub: 'fay', sid: 'fay-1', aud: 'another' }),
      token({ sub: 'fay', sid: 'fay-1', exp: 1_000_000_000 }),
      token({ sub: 'fay', sid: 'fay-1' }, { header: { crit: ['exp'] } }),
      'fay-1',
      own.slice(0, -2),
    ];
    const attacker = from('203.0.113.66');
    for (const value of forged) await attacker('/orders/1', { headers: bearer(value) });
    for (const value of ['fay', 'fay-1', own, fay.id]) {
      await attacker('/orders/2', { headers: [['Cookie', `app=${value}`]] });
      await attacker('/orders/2', { headers: [['Cookie', `sid=${value}`]] });
      await attacker('/orders/2', { headers: [['X-Api-Key', value]] });
    }
    const { total } = await waitFor(async () => {
      const stats = await ask(pair, 'stats?ip=203.0.113.66');
      return stats.total.requests === forged.length + 12 && stats;
    }, { what: 'the attempts' });
    assert.ok(total.requests > 0);
    const after = await ask(pair, `sessions/${fay.id}`);
    assert.deepEqual([after.requests, after.ips.length], [1, 1]);
    assert.deepEqual((await ask(pair, 'sessions?user=fay')).items.map(({ id }) => id), [fay.id]);
  });
});
