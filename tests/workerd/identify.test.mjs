// What an operator is told about a sample or a HAR file is what would be made of it as traffic: the same session, user,
// links and marks; asking leaves no trace; and what cannot be read is refused by its place.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { values } from './http1.mjs';
import { startOrigin } from './origin.mjs';
import { ask, BROWSER, client, order, problem, recorded } from './scene.mjs';
import { faults } from './schema.mjs';

const ISS = 'https://login.shop.test';
const SECRET = 'a-secret-that-only-the-login-service-has-0123456789';
const VARS = {
  DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50 },
  JWT: [{ iss: ISS, aud: 'shop', alg: 'HS256', secret: SECRET }],
  SESSION_KEYS: [
    { from: 'request.jwt.sid', issued_by: 'response.body#/access_token' },
    { from: 'request.body#/session', on: 'POST /rpc' },
    { from: 'request.cookie.app', issued_by: 'response.set-cookie.app' },
  ],
  PARAMETERS: [
    { name: 'username', from: 'request.body#/username', on: 'POST /login', role: 'user' },
    { name: 'subject', from: 'request.jwt.sub', role: 'user' },
    { name: 'role', from: 'request.jwt#/roles/*', role: 'role' },
  ],
};
const NOBODY = '00112233445566778899aabbccddeeff';
const JSON_TYPE = ['Content-Type', 'application/json'];
const seconds = (ms) => Math.floor(ms / 1_000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
function token(claims, { secret = SECRET, now = Date.now() } = {}) {
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: ISS, aud: 'shop', exp: seconds(now) + 600, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
const bearer = (value) => ['Authorization', `Bearer ${value}`];
const json = (value) => ({ method: 'POST', headers: [JSON_TYPE], body: JSON.stringify(value) });

/** Answers as the request says in `x-reply`, so that what is sampled can be played. */
function answer({ headers }) {
  const [told] = values(headers, 'x-reply');
  return told === undefined ? { headers: [['Content-Type', 'text/plain']], body: 'answered' } : JSON.parse(Buffer.from(told, 'base64'));
}

describe('a sample', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ answer, vars: VARS }); });
  after(() => pair?.stop());

  const identify = async (body) => (await ask(pair, 'identify', order(body))).items;
  const identified = async (request, more = {}) => (await identify({ request: { url: 'https://shop.test/orders', ...request }, ...more }))[0];

  for (const [name, request, source, outcomes] of [
    ['a verified claim', { headers: { authorization: `Bearer ${token({ sid: 's1' })}` } }, 'request.jwt.sid', ['matched']],
    ['a token that is not verified', { headers: { authorization: `Bearer ${token({ sid: 's1' }, { secret: 'x'.repeat(40) })}` } }, 'request.jwt.sid', ['unverified']],
    ['a verified token without the claim', { headers: { authorization: `Bearer ${token({ sub: 'ann' })}` } }, 'request.jwt.sid', ['unverified']],
    ['a body on its endpoint', { url: 'https://shop.test/rpc', ...json({ session: 'b1' }) }, 'request.body#/session', ['absent', 'matched']],
    ['a cookie', { headers: [['Cookie', 'a=1; app=c1']] }, 'request.cookie.app', ['absent', 'elsewhere', 'matched']],
    ['the same cookie where the body has no key', { url: 'https://shop.test/rpc', ...json({}), headers: [JSON_TYPE, ['Cookie', 'app=c1']] }, 'request.cookie.app', ['absent', 'absent', 'matched']],
    ['a built-in cookie', { headers: { Cookie: ['sid=x'] } }, 'request.cookie.sid', ['absent', 'elsewhere', 'absent', 'matched']],
    ['no key at all', { headers: { 'User-Agent': BROWSER } }, 'client.ip+ua', ['absent', 'elsewhere', 'absent', 'matched']],
  ]) {
    test(`says which key matched, and what became of those before it: ${name}`, async () => {
      const { key, tried, session } = await identified(request, { client: { ip: '192.0.2.1' } });
      assert.deepEqual([key.source, key.verified], [source, name === 'a verified claim']);
      assert.deepEqual(tried.map(({ outcome }) => outcome), outcomes);
      const configured = VARS.SESSION_KEYS.map(({ from }) => from);
      assert.deepEqual(tried.map(({ source: at }) => at), [...configured.slice(0, outcomes.length), ...(configured.includes(source) ? [] : [source])]);
      for (const { reason } of tried) assert.ok(reason.length > 5, reason);
      assert.match(session, /^[0-9a-f]{32}$/);
    });
  }

  test('says why a token is not believed, and believes it at the time it was in force', async () => {
    const then = Date.UTC(2030, 0, 1);
    const headers = [bearer(token({ sid: 's9', sub: 'ann', roles: ['admin', 'buyer'] }, { now: then }))];
    const past = await identified({ headers }, { time: new Date(then).toISOString() });
    assert.deepEqual([past.key.verified, past.time, past.roles, past.user_attempted, past.marks], [true, '2030-01-01T00:00:00.000Z', ['admin', 'buyer'], false, []]);
    const later = await identified({ headers }, { time: new Date(then + 86_400_000).toISOString() });
    assert.deepEqual([later.key.verified, later.tried[0].outcome, later.user, later.marks], [false, 'unverified', null, ['token_refused']]);
    assert.match(later.tried[0].reason, /expired/i);
  });

  /** Everything the API says of the request once it was really sent, in the words of a sample. */
  const played = async ({ target, first, reply, ip, ja4, ...request }) => {
    const marker = `x${randomUUID().replaceAll('-', '').replace(/\d/g, 'a')}`;
    const headers = [...(request.headers ?? []), ...(reply ? [['x-reply', Buffer.from(JSON.stringify({ ...reply, headers: reply.headers ?? [] })).toString('base64')]] : [])];
    const before = (await ask(pair, 'stats')).total.requests;
    const send = client(pair, { ip, ja4, agent: `${BROWSER} ${marker}` });
    if (first) await send(first);
    await send(target, { ...request, headers });
    await recorded(pair, before + (first ? 2 : 1));
    const { items: [event] } = await ask(pair, `events?limit=1&endpoint=${target.replace('/x/..', '')}`);
    const session = await ask(pair, `sessions/${event.session}`);
    const response = reply && { status: reply.status ?? 200, headers: reply.headers ?? [], body: reply.body };
    const [item] = await identify({ client: { ip, ...(ja4 && { ja4 }) }, response,
      request: { method: request.method, url: `${pair.origin.url}${target}`, headers: [['User-Agent', `${BROWSER} ${marker}`], ...(request.headers ?? [])], body: request.body } });
    const since = ({ request: by }) => by === event.id;
    const here = session.successors.filter(since).map(({ session: id, reason }) => [id, reason]);
    const start = session.predecessors.filter(since).map(({ reason }) => [session.id, reason]);
    return { event, session, item, links: [...start, ...here] };
  };

  const SET = (...lines) => lines.map((line) => ['Set-Cookie', line]);
  const CASES = {
    'a cookie': { target: '/orders', headers: [['Cookie', 'app=agree-1']] },
    'a verified token': { target: '/orders', headers: [bearer(token({ sid: 'agree-2', sub: 'ann', roles: ['buyer'] }))] },
    'a forged token': { target: '/orders', headers: [bearer(token({ sid: 'agree-2', sub: 'ann', roles: ['admin'] }, { secret: 'y'.repeat(40) }))] },
    'a token of somebody else': { target: '/orders', headers: [bearer(token({ sid: 'agree-2', iss: 'https://elsewhere.test' }))] },
    'a key in the body': { target: '/rpc', ...json({ session: 'agree-3' }) },
    'an API key': { target: '/orders', headers: [['X-Api-Key', 'agree-4']] },
    'a cookie sent twice': { target: '/orders', headers: [['Cookie', 'app=agree-5; app=agree-6']] },
    'no key': { target: '/orders' },
    'no key but a fingerprint': { target: '/orders', ja4: 't13d1516h2_8daaf6152771_02713d6af862' },
    'no key, and a cookie that starts a session': { target: '/welcome', first: '/products', reply: { headers: SET('theme=dark', 'app=agree-7; Path=/; HttpOnly') } },
    'an error page that sets a cookie': { target: '/welcome', reply: { status: 404, headers: SET('app=agree-8') } },
    'a login that is let in': { target: '/login', ...json({ username: 'bea' }), headers: [JSON_TYPE, ['Cookie', 'app=agree-9']], reply: { headers: SET('app=agree-10') } },
    'a login that is refused': { target: '/login', ...json({ username: 'bea' }), headers: [JSON_TYPE, ['Cookie', 'app=agree-11']], reply: { status: 401 } },
    'a login that only the feedback refuses': { target: '/login', ...json({ username: 'bea' }), headers: [JSON_TYPE, ['Cookie', 'app=agree-12']], reply: { headers: [['Session-Event', 'login-failure']] } },
    'a token in the answer': { target: '/tokens', ...json({}), headers: [JSON_TYPE, ['Cookie', 'app=agree-13']],
      reply: { headers: [JSON_TYPE], body: JSON.stringify({ access_token: token({ sid: 'agree-14', sub: 'cid' }) }) } },
    'a rotated cookie': { target: '/orders', headers: [['Cookie', 'app=agree-15']], reply: { headers: SET('app=agree-16') } },
    'a logout': { target: '/logout', method: 'POST', headers: [['Cookie', 'app=agree-17']], reply: { headers: SET('app=; Max-Age=0') } },
    'a logout that is reported': { target: '/orders', headers: [['Cookie', 'app=agree-18']], reply: { headers: [['Session-Event', 'logout']] } },
    'feedback with a user and a role': { target: '/orders', headers: [['Cookie', 'app=agree-19']], reply: { headers: [['Session-Event', 'login-success;user="dan";role="admin", order']] } },
    'feedback that cannot be read': { target: '/orders', headers: [['Cookie', 'app=agree-20']], reply: { headers: [['Session-Event', 'login-success;user=']] } },
    'feedback in two lines': { target: '/orders', headers: [['Cookie', 'app=agree-21']], reply: { headers: [['Session-Event', 'order'], ['Session-Event', 'logout']] } },
    'feedback of 5 KB': { target: '/orders', headers: [['Cookie', 'app=agree-22']], reply: { headers: [['Session-Event', `order;note="${'x'.repeat(5_000)}"`]] } },
    'a path with dots': { target: '/x/../rpc', ...json({ session: 'agree-23' }) },
  };
  for (const [at, [name, request]] of Object.entries(CASES).entries()) {
    test(`is read as it is as traffic: ${name}`, async () => {
      const { event, session, item, links } = await played({ ...request, ip: `198.51.100.${at}` });
      assert.deepEqual([item.session, item.feedback, item.roles], [event.session, event.feedback, event.roles]);
      assert.deepEqual([item.user, item.user_attempted], [event.user ?? event.attempted_user, event.attempted_user !== null]);
      assert.deepEqual(item.marks, event.marks.filter((mark) => !['user_attempted', 'ended'].includes(mark)));
      assert.deepEqual([item.ended, item.ended], [event.marks.includes('ended'), session.ended !== null]);
      assert.deepEqual(item.links.map(({ session: id, reason }) => [id, reason]), links);
      const start = item.links.find(({ starts }) => starts);
      if (start) assert.deepEqual([start.session, start.source, session.key.source], [item.session, start.source, start.source]);
      else assert.deepEqual(item.key, session.key);
    });
  }

  test('of a token is verified with keys that have to be fetched first, as traffic is', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] });
    const origin = await startOrigin({ answer: () => ({ headers: [JSON_TYPE], body: keys }) });
    const other = await startPair({ origin, vars: { ...VARS, JWT: [{ iss: ISS, aud: 'shop', jwks_url: `${origin.url}/keys.json` }] } });
    try {
      const signed = `${part({ alg: 'ES256', typ: 'JWT', kid: 'k1' })}.${part({ iss: ISS, aud: 'shop', exp: seconds(Date.now()) + 600, sid: 'fetched-1' })}`;
      const value = `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
      const sample = order({ request: { url: `${origin.url}/orders`, headers: [bearer(value)] } });
      const { items: [first] } = await ask(other, 'identify', sample);
      await other.send({ target: '/orders', headers: [bearer(value)] });
      await recorded(other, 1);
      const { items: [session] } = await ask(other, 'sessions');
      const { items: [again] } = await ask(other, 'identify', sample);
      assert.deepEqual([again.session, again.key], [session.id, { source: 'request.jwt.sid', verified: true }]);
      assert.deepEqual([first.session, first.key], [again.session, again.key]);
    } finally {
      await other.stop();
      await origin.stop();
    }
  });
});

describe('a HAR file', { skip: notOurs }, () => {
  const then = Date.UTC(2031, 4, 1, 9);
  const fields = (...pairs) => pairs.map(([name, value]) => ({ name, value }));
  const access = token({ sid: 'har-1', sub: 'ann', roles: ['buyer'] }, { now: then });
  const common = { cache: {}, timings: { send: 0, wait: 1, receive: 0 }, time: 1 };
  const HAR = { log: { version: '1.2', creator: { name: 'a browser', version: '1' }, pages: [], entries: [
    { ...common, startedDateTime: '2031-05-01T11:00:00.000+02:00',
      request: { method: 'GET', url: 'https://shop.test/welcome', httpVersion: 'HTTP/2', headers: fields([':authority', 'shop.test'], ['user-agent', BROWSER]), cookies: [], queryString: [] },
      response: { status: 200, statusText: '', headers: fields(['set-cookie', 'theme=dark; Path=/\napp=har-cookie; Path=/; HttpOnly']), cookies: [], content: { size: 2, mimeType: 'text/plain', text: 'ok' } } },
    { ...common, startedDateTime: '2031-05-01T09:00:01.000Z',
      request: { method: 'POST', url: 'https://shop.test/login?next=1#top', headers: fields(['Content-Type', 'application/json'], ['Cookie', 'theme=dark; app=har-cookie']), postData: { mimeType: 'application/json', text: '{"username":"ann"}' } },
      response: { status: 200, headers: fields(['Content-Type', 'application/json']), content: { encoding: 'base64', text: Buffer.from(JSON.stringify({ access_token: access })).toString('base64') } } },
    { ...common, startedDateTime: '2031-05-01T09:00:02.000Z',
      request: { method: 'GET', url: 'https://shop.test/orders', headers: fields(['Authorization', `Bearer ${access}`]) },
      response: { status: 0, headers: [], content: {} } },
  ] } };
  let pair;
  before(async () => { pair = await startPair({ vars: VARS }); });
  after(() => pair?.stop());

  test('is read entry by entry, at the time of each, and leaves no trace; a viewer may ask', async () => {
    for (const as of [pair.tokens.admin, pair.tokens.viewer]) {
      const page = await ask(pair, 'identify', { ...order(HAR), token: as });
      assert.deepEqual(faults(await (await pair.admin('openapi.json')).json(), { $ref: '#/components/schemas/IdentifiedPage' }, page), []);
      const { items, next, partial } = page;
      assert.deepEqual([items.length, next, partial], [3, null, false]);
      const [welcome, login, orders] = items;
      assert.deepEqual(items.map(({ method, url, time }) => [method, url, time]), [['GET', 'https://shop.test/welcome', '2031-05-01T09:00:00.000Z'],
        ['POST', 'https://shop.test/login?next=1#top', '2031-05-01T09:00:01.000Z'], ['GET', 'https://shop.test/orders', '2031-05-01T09:00:02.000Z']]);
      assert.deepEqual(welcome.links, [{ session: login.session, source: 'request.cookie.app', verified: false, reason: 'start', starts: true }]);
      assert.deepEqual([welcome.session, login.key.source], [login.session, 'request.cookie.app']);
      assert.deepEqual(login.links, [{ session: orders.session, source: 'request.jwt.sid', verified: true, reason: 'login', starts: false }]);
      assert.match(login.user, /^h:/);
      assert.deepEqual([orders.user, orders.roles, orders.key.verified, orders.links, orders.ended], [login.user, ['buyer'], true, [], false]);
    }
    assert.equal((await pair.admin('api/v1/identify', { ...order(HAR), token: 'nobody' })).status, 401);
    assert.deepEqual([await recorded(pair, 0), (await ask(pair, 'sessions')).items, (await ask(pair, 'events')).items, (await ask(pair, 'audit')).items], [0, [], [], []]);
    assert.equal(pair.origin.count, 0);
  });

  const U = 'https://shop.test/a';
  const entry = (request, more) => ({ request: { method: 'GET', url: U, ...request }, ...more });
  for (const [name, body, place] of [
    ['what is no JSON', '{"request":', /body/], ['nothing', '', /body/], ['a URL without a scheme', { request: { url: '/a' } }, /`request\.url`/],
    ['a time that is none', { request: { url: U }, time: 'noon' }, /`time`/], ['a date alone', { request: { url: U }, time: '2026-01-01' }, /`time`/],
    ['base64 that is none', { log: { entries: [entry(), entry({}, { response: { status: 200, content: { text: '%', encoding: 'base64' } } })] } }, /log\.entries\[1\]\.response\.content/],
    ['a list', [], /body/], ['a member that is not known', { request: { url: U }, colour: 1 }, /colour/], ['one within the request', { request: { url: U, colour: 1 } }, /colour/],
    ['a header that is a number', { request: { url: U, headers: { a: 1 } } }, /headers/], ['a request without a URL', { request: {} }, /url/],
    ['a HAR without entries', { log: {} }, /entries/], ['an entry without a whole URL', { log: { entries: [entry(), entry({ url: '/a' })] } }, /entries\[1\]/],
    ['an address that is none', { request: { url: U }, client: { ip: 'nowhere' } }, /ip/], ['a URL without a host', { request: { url: 'https://' } }, /url/],
  ]) {
    test(`or sample that cannot be read is refused by its place: ${name}`, async () => {
      const init = { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) };
      assert.match((await problem(await pair.admin('api/v1/identify', init), 400, name)).detail, place);
    });
  }

  test('that is read in part only is called partial', async () => {
    const { items, partial } = await ask(pair, 'identify', order({ log: { entries: Array.from({ length: 501 }, () => entry()) } }));
    assert.deepEqual([items.length, partial], [500, true]);
  });

  test('has four megabytes at most', async () => {
    const most = 4 * 1024 * 1024;
    const padded = (size) => ({ method: 'POST', body: JSON.stringify({ request: { url: U } }).padEnd(size) });
    assert.equal((await pair.admin('api/v1/identify', padded(most))).status, 200);
    assert.match((await problem(await pair.admin('api/v1/identify', padded(most + 1)), 413)).detail, /4194304/);
  });

  test('is posted: other methods, and parameters, are refused', async () => {
    assert.deepEqual(await pair.admin('api/v1/identify').then(({ status, headers }) => [status, headers.get('allow')]), [405, 'POST']);
    assert.equal((await problem(await pair.admin('api/v1/identify?x=1', order(HAR)), 400)).parameter, 'x');
  });
});

test('a story is of known sessions, and a session alone is a story of one', { skip: notOurs }, async () => {
  const pair = await startPair({ vars: { ...VARS, SHARDS: 2 } });
  try {
    for (const id of [NOBODY, 'xyz', `${NOBODY}0`]) await problem(await pair.admin(`api/v1/sessions/${id}/story`), 404, id);
    for (const cookie of ['app=alone', 'app=beside']) await client(pair, { cookie, ip: '192.0.2.60' })('/orders');
    await client(pair, { ip: '192.0.2.60' })('/orders');
    await recorded(pair, 3);
    const { items } = await ask(pair, 'sessions');
    for (const session of items) assert.deepEqual(await ask(pair, `sessions/${session.id}/story`), { items: [session], links: [], partial: false });
    assert.equal((await pair.admin(`api/v1/sessions/${items[0].id}/story`, { token: pair.tokens.viewer })).status, 200);
    await problem(await pair.admin(`api/v1/sessions/${items[0].id}/story`, { method: 'POST' }), 405);
    await problem(await pair.admin(`api/v1/sessions/${items[0].id}/story?limit=1`), 400);
  } finally {
    await pair.stop();
  }
});
