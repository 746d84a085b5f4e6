// Health, a configuration that is refused, and a host of its own for the API.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { send } from './client.mjs';
import { notOurs, startPair } from './harness.mjs';
import { values } from './http1.mjs';
import { client, problem, sentProblem } from './scene.mjs';

const BAD = {
  SHARDS: 'zero', MODE: 'observe', ROUTES: [{ match: 'GET /a' }, { match: 'GET api' }], LIMITS: { flush_events: 0 },
  DETECTORS: { forced_browsing: { for: 'soon' } }, SESSION_KEYS: [{ from: 'request.cookie.a' }, { from: 'request.cokie.b' }],
};
const PATHS = ['DETECTORS.forced_browsing.for', 'LIMITS.flush_events', 'MODE', 'ROUTES[1].match', 'SESSION_KEYS[1].from', 'SHARDS'];

/** Starts a pair for one test and stops it afterwards. */
async function withPair(vars, use) {
  const pair = await startPair({ vars });
  try {
    await use(pair);
  } finally {
    await pair.stop();
  }
}
const health = (pair, Authorization) =>
  fetch(`${pair.worker.url}/_throughline/healthz`, { headers: Authorization === undefined ? {} : { Authorization } });

describe('health', { skip: notOurs }, () => {
  test('says little without a token, and with one what runs', () => withPair({}, async (pair) => {
    for (const bad of [undefined, 'Bearer wrong']) assert.deepEqual(await (await health(pair, bad)).json(), { status: 'ok' });
    for (const token of Object.values(pair.tokens)) {
      const told = await (await health(pair, `Bearer ${token}`)).json();
      assert.deepEqual([told.status, told.mode, typeof told.version], ['ok', 'monitor', 'string']);
      assert.ok(Math.abs(Date.parse(told.time) - Date.now()) < 5_000);
    }
  }));
});

describe('a configuration that is refused', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: BAD }); });
  after(() => pair?.stop());

  test('is told with the exact path of every value at fault, to who has a token', async () => {
    for (const token of Object.values(pair.tokens)) {
      for (const path of ['healthz', 'api/v1/policy']) {
        const answer = await pair.admin(path, { token });
        const { status, problems } = await answer.json();
        assert.deepEqual([answer.status, status], [503, 'misconfigured']);
        assert.deepEqual(problems.map((text) => text.split(': ')[0]).sort(), PATHS);
        for (const text of problems) assert.ok(text.length > text.indexOf(': ') + 10, `${text} has a reason`);
      }
    }
    for (const path of PATHS) assert.ok(pair.worker.logs().includes(path), `the log names ${path}`);
  });

  test('is not told to others', async () => {
    for (const bad of [undefined, 'Bearer wrong', 'Bearer ']) {
      const answer = await health(pair, bad);
      assert.deepEqual([answer.status, await answer.json()], [503, { status: 'misconfigured' }]);
      const policy = await fetch(`${pair.worker.url}/_throughline/api/v1/policy`, { headers: bad ? { Authorization: bad } : {} });
      for (const path of PATHS) assert.ok(!JSON.stringify(await problem(policy.clone(), 503)).includes(path));
    }
  });

  test('leaves the rest of the API unavailable', async () => {
    for (const path of ['api/v1/sessions', 'metrics', 'openapi.json', 'nothing', '']) await problem(await pair.admin(path), 503, path);
  });

  test('lets traffic pass unharmed, but nothing that only Throughline may say', async () => {
    pair.origin.clear();
    const ann = client(pair, { cookie: 'sid=ann' });
    assert.equal((await ann('/api/orders?x=1', { method: 'POST', body: 'order', headers: [['Session-Context', 'id=1']] })).status, 200);
    assert.equal((await ann('/_throughlinex')).status, 200);
    assert.equal((await ann('/teapot', { status: 418 })).status, 418);
    assert.deepEqual(pair.origin.requests.map(({ method, target }) => `${method} ${target}`), ['POST /api/orders?x=1', 'GET /_throughlinex', 'GET /teapot']);
    const [{ headers, body }] = pair.origin.requests;
    assert.deepEqual([values(headers, 'session-context'), values(headers, 'cookie'), body.toString()], [[], ['sid=ann'], 'order']);
  });

  test('stops all traffic where ON_ERROR is closed', () => withPair({ SHARDS: '0', ON_ERROR: 'closed' }, async (closed) => {
    for (const method of ['GET', 'POST']) sentProblem(await client(closed)('/api/orders', { method }), 503);
    assert.equal(closed.origin.count, 0);
    assert.deepEqual(await (await health(closed)).json(), { status: 'misconfigured' });
  }));

  test('does not show the credentials in an ORIGIN_URL, neither in answers nor in the log', () =>
    withPair({ ORIGIN_URL: 'http://shop:hunter2secret@127.0.0.1:9' }, async (leaky) => {
      const text = await (await leaky.admin('healthz')).text();
      assert.match(text, /ORIGIN_URL/);
      assert.doesNotMatch(text + leaky.worker.logs(), /hunter2secret/);
    }));

  test('opens to nobody because tokens are missing or too short', () => withPair({ ADMIN_TOKEN: null, VIEWER_TOKEN: 'short' }, async (open) => {
    for (const token of ['', 'null', 'undefined', 'Bearer']) {
      assert.deepEqual(await (await health(open, `Bearer ${token}`)).json(), { status: 'misconfigured' });
    }
    await problem(await open.admin('api/v1/sessions', { token: 'short' }), 503);
    for (const name of ['ADMIN_TOKEN', 'VIEWER_TOKEN']) assert.ok(open.worker.logs().includes(name));
  }));
});

describe('ADMIN_HOST', { skip: notOurs }, () => {
  // The harness names the origin as Host; here the host is what the test is about.
  const sendAt = (pair, host, target) =>
    send({ port: pair.worker.port, target, headers: [['Host', host], ['Authorization', `Bearer ${pair.tokens.admin}`]] });

  test('serves the API and nothing else, and other hosts do not serve it', () => withPair({ ADMIN_HOST: 'Admin.shop.test' }, async (pair) => {
    for (const host of ['admin.shop.test', 'ADMIN.shop.test']) {
      const got = await sendAt(pair, host, '/_throughline/healthz');
      assert.deepEqual([got.status, JSON.parse(got.body).mode], [200, 'monitor']);
      assert.equal((await sendAt(pair, host, '/_throughline/api/v1/sessions')).status, 200);
      for (const target of ['/', '/api/orders', '/_throughlinex', '/_throughline%2fhealthz']) sentProblem(await sendAt(pair, host, target), 404);
    }
    assert.equal(pair.origin.count, 0);
    const elsewhere = ['/_throughline/healthz', '/_throughline/api/v1/sessions', '/_throughline'];
    for (const target of elsewhere) assert.equal((await sendAt(pair, 'shop.test', target)).status, 200);
    assert.deepEqual(pair.origin.requests.map(({ target }) => target), elsewhere);
    assert.match((await sendAt(pair, 'evil-admin.shop.test', '/')).body.toString(), /^GET \//);
  }));

  test('keeps the API off other hosts while the configuration is refused', () =>
    withPair({ ADMIN_HOST: 'admin.shop.test', SHARDS: 'x' }, async (pair) => {
      assert.equal((await sendAt(pair, 'admin.shop.test', '/_throughline/healthz')).status, 503);
      assert.equal((await sendAt(pair, 'shop.test', '/_throughline/healthz')).status, 200);
      sentProblem(await sendAt(pair, 'admin.shop.test', '/api/orders'), 404);
    }));
});
