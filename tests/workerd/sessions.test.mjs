// Which requests are one session, by which key, and what an investigator is shown of it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, BROWSER, client, recorded, sessionOf } from './scene.mjs';

const KEYS = [{ from: 'request.cookie.shop' }, { from: 'request.header.X-Device' }, { from: 'request.query.s' }, { from: 'request.jwt' },
  { from: 'request.cookie.j', join: 'app' }, { from: 'request.header.x-j', join: 'app' }];
const BUILT_IN_COOKIES = ['__Host-session', '__Secure-session', '__Secure-next-auth.session-token', 'next-auth.session-token', 'PHPSESSID',
  'JSESSIONID', 'connect.sid', 'ASP.NET_SessionId', '.AspNetCore.Session', 'laravel_session', 'ci_session', '_session_id', 'sessionid',
  'session_id', 'sessid', 'sid', 'session', 'auth_token'];
const JA4 = 't13d1516h2_8daaf6152771_02713d6af862';
const bearer = (token) => [['Authorization', `Bearer ${token}`]];
const device = (value) => [['X-Device', value]];

/** What a request carries, and the selector its session is found by. */
const ORDER = [
  [{ cookie: 'sid=1; shop=2', query: '?s=4', headers: [...device('3'), ...bearer('five')] }, 'request.cookie.shop'],
  [{ cookie: 'sid=1', query: '?s=4', headers: [...device('3'), ...bearer('five')] }, 'request.header.X-Device'],
  [{ cookie: 'sid=1', query: '?x=0&s=4', headers: bearer('five') }, 'request.query.s'],
  [{ cookie: 'sid=1; j=8', query: '?s=', headers: bearer('five') }, 'request.jwt'],
  [{ cookie: 'sid=1; j=8', headers: [['X-J', '9']] }, 'request.cookie.j'],
  [{ cookie: 'lang=de; sid=1; PHPSESSID=6', headers: [['X-Api-Key', '7']] }, 'request.cookie.PHPSESSID'],
  [{ cookie: 'lang=de; shop=; sid=', headers: [['X-Api-Key', '7']], ja4: JA4 }, 'request.header.x-api-key'],
  [{ headers: [['Authorization', 'Basic dTpw']], ja4: JA4 }, 'request.header.authorization'],
  [{ ja4: JA4 }, 'client.ip+ua+ja4'],
  [{}, 'client.ip+ua'],
  [{ agent: null }, 'client.ip'],
];

describe('a session', { skip: notOurs }, () => {
  let pair;
  let played = 0;
  before(async () => { pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, SESSION_KEYS: KEYS, LIMITS: { flush_ms: 50 } } }); });
  after(() => pair?.stop());

  /** Plays requests one after another and answers the session each was found in. */
  async function sessionsOf(...requests) {
    const paths = requests.map((_, i) => `/play/n${played + i}x`);
    for (const [i, { query = '', ...who }] of requests.entries()) await client(pair, who)(`${paths[i]}${query}`);
    played += requests.length;
    await recorded(pair, played);
    return Promise.all(paths.map((path) => sessionOf(pair, path)));
  }
  const idsOf = async (...requests) => (await sessionsOf(...requests)).map(({ id }) => id);

  test('is found by the first key a request carries, configured ones before built-in ones', async () => {
    const found = await sessionsOf(...ORDER.map(([request]) => request));
    assert.deepEqual(found.map(({ key }) => key), ORDER.map(([, source]) => ({ source, verified: false })));
    assert.equal(new Set(found.map(({ id }) => id)).size, ORDER.length);
  });

  test('is found by every cookie and API key header that is common', async () => {
    const cookies = await sessionsOf(...BUILT_IN_COOKIES.map((name) => ({ cookie: `lang=de; ${name}=abc; b=c` })));
    assert.deepEqual(cookies.map(({ key }) => key.source), BUILT_IN_COOKIES.map((name) => `request.cookie.${name}`));
    const names = ['x-api-key', 'api-key', 'x-auth-token', 'x-access-token'];
    const headers = await sessionsOf(...names.map((name) => ({ headers: [[name.toUpperCase(), 'abc']] })));
    assert.deepEqual(headers.map(({ key }) => key.source), names.map((name) => `request.header.${name}`));
  });

  test('holds what carries the same value, wherever and with whatever it comes from', async () => {
    const [one, two, three, other] = await idsOf({ cookie: 'shop=ann', ip: '192.0.2.1' },
      { cookie: 'a=b;shop="ann" ; c=d', ip: '2001:db8::9', ja4: JA4, headers: bearer('x') }, { cookie: 'shop=ann; shop=bob', agent: null }, { cookie: 'shop=Ann' });
    assert.deepEqual([two, three], [one, one]);
    assert.notEqual(other, one);
  });

  test('is another for an equal value of another key, unless the keys are joined', async () => {
    const ids = await idsOf({ cookie: 'shop=same' }, { headers: device('same') }, { query: '?s=same' }, { headers: bearer('same') }, { cookie: 'sid=same' },
      { cookie: 'j=same' }, { headers: [['x-j', 'same']] });
    assert.equal(ids.at(-1), ids.at(-2));
    assert.equal(new Set(ids).size, 6);
  });

  test('of a value in the query is found however the value is encoded', async () => {
    const [plain, encoded] = await idsOf({ query: '?s=a%20b' }, { query: '?x=1&%73=%61+b' });
    assert.equal(encoded, plain);
  });

  test('of a client without a key is its address and agent, an IPv6 one by its /64', async () => {
    const [a, b, c, d, e, f, g, h] = await idsOf({ ip: '2001:db8:1:2::1' }, { ip: '2001:db8:1:2:ffff::9' }, { ip: '2001:db8:1:3::1' }, { ip: '192.0.2.50' },
      { ip: '192.0.2.51' }, { ip: '::ffff:192.0.2.50' }, { ip: '192.0.2.50', agent: null }, { ip: '192.0.2.50', agent: 'curl/8' });
    assert.deepEqual([b, f], [a, d]);
    assert.equal(new Set([a, c, d, e, g, h]).size, 6);
  });

  test('lists its events in the order they were sent', async () => {
    const ann = client(pair, { cookie: 'shop=in-order' });
    for (let i = 0; i < 60; i += 1) await ann(`/steps/${i}`, { method: i % 7 === 0 ? 'POST' : 'GET', status: i % 5 === 0 ? 404 : undefined });
    played += 60;
    await recorded(pair, played);
    const { id } = await sessionOf(pair, '/steps/0');
    const paths = Array.from({ length: 60 }, (_, i) => `/steps/${i}`);
    const pathsOf = async (query, limit) => (await all(pair, query, { limit })).map(({ path }) => path);
    for (const limit of [7, 60, 500]) {
      assert.deepEqual(await pathsOf(`sessions/${id}/events`, limit), paths);
      assert.deepEqual(await pathsOf(`sessions/${id}/events?order=desc`, limit), paths.toReversed());
      assert.deepEqual(await pathsOf(`events?session=${id}`, limit), paths.toReversed());
      assert.deepEqual(await pathsOf(`events?session=${id}&order=asc`, limit), paths);
    }
    assert.equal((await ask(pair, `sessions/${id}/events`)).items.length, 50, 'a page has 50 unless told otherwise');
  });
});

describe('an investigator', { skip: notOurs }, () => {
  let pair;
  let began;
  before(async () => {
    // One cookie in two programs is what a stolen one looks like; here it is about what is shown.
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, DETECTORS: { session_hijack: 'off' } } });
    began = Date.now();
    const home = client(pair, { ip: '203.0.113.10', country: 'DE', asn: 3320, ja4: JA4, cookie: 'sid=ann' });
    const mobile = client(pair, { ip: '2001:db8::5', country: 'AT', asn: 8447, agent: 'ShopApp/7.3', cookie: 'sid=ann' });
    await home('/api/orders/1');
    await home('/api/orders/2', { headers: [['x-answer', 'length 1234']] });
    await home('/api/orders?token=abc', { method: 'POST', status: 201, body: '{"sku":1}' });
    await mobile('/api/orders/77', { status: 404 });
    await mobile('/api/orders/78', { method: 'HEAD', headers: [['x-answer', 'stream 10 chunked']] });
    await recorded(pair, 5);
  });
  after(() => pair?.stop());

  const near = (text) => {
    assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Date.parse(text) >= began - 5 && Date.parse(text) <= Date.now(), text);
  };

  test('is shown the whole session, counted right', async () => {
    const { items: [session], next, partial } = await ask(pair, 'sessions');
    assert.deepEqual([next, partial], [null, false]);
    assert.deepEqual(await ask(pair, `sessions/${session.id}`), session);
    const { id, first_seen, last_seen, duration_ms, ...rest } = session;
    assert.match(id, /^[0-9a-f]{32}$/);
    for (const time of [first_seen, last_seen]) near(time);
    assert.equal(duration_ms, Date.parse(last_seen) - Date.parse(first_seen));
    const host = new URL(pair.origin.url).host;
    assert.deepEqual(rest, {
      state: 'clear', risk: 0, requests: 5, attacks: 0, key: { source: 'request.cookie.sid', verified: false },
      proof: 'unproven', users: [], roles: [], attempted_users: [], ended: null, marks: [],
      ips: [{ ip: '203.0.113.10', country: 'DE', asn: 3320, requests: 3 }, { ip: '2001:db8::5', country: 'AT', asn: 8447, requests: 2 }],
      user_agents: [BROWSER, 'ShopApp/7.3'].sort(),
      endpoints: [[3, 'GET', '/api/orders/{integer}'], [1, 'HEAD', '/api/orders/{integer}'], [1, 'POST', '/api/orders']]
        .map(([requests, method, template]) => ({ endpoint: `${method} ${host}${template}`, requests })),
      endpoints_rest: 0, label: null, partial: false, flows: [{ flow: 'checkout', requests: 1, percent: 20 }], statuses: { 200: 3, 201: 1, 404: 1 }, methods: { GET: 3, HEAD: 1, POST: 1 }, params: {}, params_rest: 0, findings: {},
      predecessors: [], successors: [],
    });
  });

  test('is shown each event with all that is known of it', async () => {
    const { items: [session] } = await ask(pair, 'sessions');
    const events = await all(pair, `sessions/${session.id}/events`);
    const host = new URL(pair.origin.url).host;
    const common = { session: session.id, host, colo: null, user: null, attempted_user: null, roles: [], feedback: [], params: {}, flow: null, action: 'allow', inventory: null, marks: [], findings: [] };
    const home = { ip: '203.0.113.10', country: 'DE', asn: 3320, ja4: JA4, user_agent: BROWSER };
    const mobile = { ip: '2001:db8::5', country: 'AT', asn: 8447, ja4: null, user_agent: 'ShopApp/7.3' };
    const echoed = Buffer.byteLength(`GET /api/orders/1\n0 ${'0'.repeat(64)}\n`);
    const order = (method, path, template, status, request_bytes, response_bytes, who) =>
      ({ ...common, flow: method === 'POST' ? 'checkout' : null, ...who, method, path, endpoint: `${method} ${host}${template}`, status, request_bytes, response_bytes });
    assert.deepEqual(events.map(({ id, time, duration_ms, ...rest }) => rest), [
      order('GET', '/api/orders/1', '/api/orders/{integer}', 200, null, echoed, home),
      order('GET', '/api/orders/2', '/api/orders/{integer}', 200, null, 1234, home),
      order('POST', '/api/orders', '/api/orders', 201, 9, 'status 201\n'.length, home),
      order('GET', '/api/orders/77', '/api/orders/{integer}', 404, null, 'status 404\n'.length, mobile),
      order('HEAD', '/api/orders/78', '/api/orders/{integer}', 200, null, null, mobile),
    ]);
    for (const { id, time, duration_ms } of events) {
      near(time);
      assert.ok(Number.isInteger(duration_ms) && duration_ms >= 0 && duration_ms < 5_000, `${duration_ms} ms`);
      assert.deepEqual((await ask(pair, `events?request=${id}`)).items.map((event) => event.id), [id]);
      assert.deepEqual((await ask(pair, `events?request=${id.toLowerCase()}`)).items.length, 1);
    }
    assert.equal(new Set(events.map(({ id }) => id)).size, 5);
  });

  test('is told how long the origin took, in milliseconds', async () => {
    await client(pair, { cookie: 'sid=slow' })('/slow', { headers: [['x-answer', 'slow 400']] });
    await recorded(pair, 6);
    const { items: [{ duration_ms }] } = await ask(pair, 'events?q=/slow');
    assert.ok(duration_ms >= 395 && duration_ms < 2_000, `${duration_ms} ms`);
  });
});
