// That the truth is true: played directly against the shop, it agrees with what arrived there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { account } from './demo-data.mjs';
import { createListener } from './origin/listener.mjs';
import { createStore } from './origin/store.mjs';
import { Tokens } from './origin/tokens.mjs';
import { startShop } from './server.mjs';
import { planTraffic, playTraffic } from './traffic.mjs';
import { get, login, logout, post } from './traffic/steps.mjs';

const company = planTraffic({ seed: 3, requests: 900 });

/** Serves `listener` on a port of its own until the test is over. */
async function serve(t, listener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

async function freshShop(t) {
  const shop = await startShop();
  t.after(() => shop.close());
  return shop.url;
}

/** A plan with one actor at a browser. */
function solo(steps, more = {}) {
  const client = { addresses: ['198.18.0.1'], country: 'DE', asn: 3320, userAgent: 'Browser', ja4: 'fingerprint' };
  return { seed: 't', durationMs: 0, actors: [{ id: 'one', label: 'customer', isAttacker: false, keepsCookies: true, client, headers: {}, startsAt: 0, steps, ...more }] };
}

const outline = ({ sessions }) => sessions.map(({ key_source, requests }) => [key_source, requests.map(({ method, target, status }) => `${method} ${target} ${status}`)]);

test('the truth agrees with what arrived at the shop', async (t) => {
  const arrived = new Map();
  const shop = createListener({ store: createStore(), tokens: new Tokens(Date.now), now: Date.now });
  const baseUrl = await serve(t, (request, response) => {
    response.on('finish', () => arrived.set(request.headers['x-demo-request'], { headers: request.headers, line: `${request.method} ${request.url} ${response.statusCode}` }));
    return shop(request, response);
  });
  const truth = await playTraffic(company, { baseUrl });

  assert.equal(arrived.size, 900);
  assert.equal(truth.totals.requests, 900);
  assert.equal(truth.totals.unanswered, 0);
  for (const { requests } of truth.sessions) {
    for (const { request_id: id, method, target, status } of requests) assert.equal(arrived.get(id).line, `${method} ${target} ${status}`);
  }
  const keys = [...arrived.values()].map(({ headers: { cookie = '', authorization, 'x-api-key': apiKey, ...headers } }) =>
    cookie.split('; ').find((pair) => pair.startsWith('sid=')) ?? authorization ?? apiKey ??
    [headers['cf-connecting-ip'], headers['user-agent'], headers['x-dev-ja4']].join());
  assert.equal(truth.totals.sessions, new Set(keys).size);
  assert.equal(truth.sessions.length, truth.totals.sessions);
});

test('totals by label add up, and every attack is on record', async (t) => {
  const truth = await playTraffic(company, { baseUrl: await freshShop(t) });
  const labels = Object.values(truth.totals.byLabel);
  for (const unit of ['requests', 'sessions']) assert.equal(labels.reduce((sum, counts) => sum + counts[unit], 0), truth.totals[unit]);
  assert.equal(labels.reduce((sum, { actors }) => sum + actors, 0), company.actors.length);
  assert.deepEqual([...new Set(truth.sessions.flatMap(({ attacks }) => attacks))].sort(), [
    'bola_enumeration', 'command_injection', 'credential_stuffing', 'forced_browsing', 'jndi', 'path_traversal', 'shadow_access', 'sqli', 'ssti', 'xss', 'zombie_access',
  ]);
  assert.deepEqual(truth.sessions.filter(({ shared }) => shared).map(({ label, key_source }) => [label, key_source]), [['office', 'ip_ua_ja4']]);
  for (const { label, requests } of truth.sessions) {
    for (const { actor } of requests) assert.equal(company.actors.find(({ id }) => id === actor).label, label);
  }
});

test('a browser that logs in and out makes three sessions and returns to the first', async (t) => {
  const plan = solo([get('/api/products'), get('/api/cart'), login(account(0)), get('/api/profile'), logout, get('/healthz')]);
  assert.deepEqual(outline(await playTraffic(plan, { baseUrl: await freshShop(t) })), [
    ['ip_ua_ja4', ['GET /api/products 200', 'GET /healthz 200']],
    ['cookie', ['GET /api/cart 200', 'POST /api/login 200']],
    ['cookie', ['GET /api/profile 200', 'POST /api/logout 204']],
  ]);
});

test('an app makes one session a token; what it sends without a token belongs to its address', async (t) => {
  const { username, password } = account(1);
  const save = { access: 'access_token', refresh: 'refresh_token' };
  const plan = solo([
    post('/api/token', { username, password }, { save }),
    get('/api/profile', { withToken: true }),
    post('/api/token/refresh', { refresh_token: '{saved.refresh}' }, { save }),
    get('/api/profile', { withToken: true }),
  ]);
  assert.deepEqual(outline(await playTraffic(plan, { baseUrl: await freshShop(t) })), [
    ['ip_ua_ja4', ['POST /api/token 200', 'POST /api/token/refresh 200']],
    ['bearer', ['GET /api/profile 200']],
    ['bearer', ['GET /api/profile 200']],
  ]);
});

test('no session key is written into the truth', async (t) => {
  const secrets = new Set();
  const truth = await playTraffic(company, {
    baseUrl: await freshShop(t),
    onRequest({ request: { headers } }) {
      const [, sid] = /sid=(\w+)/.exec(headers.cookie) ?? [];
      for (const secret of [sid, headers.authorization?.slice('Bearer '.length), headers['x-api-key']]) if (secret) secrets.add(secret);
    },
  });
  const written = JSON.stringify(truth);
  assert.ok(secrets.size > 10);
  for (const secret of secrets) assert.ok(!written.includes(secret));
});

test('played one at a time, the same plan tells the same story', async (t) => {
  const story = async () => outline(await playTraffic(company, { baseUrl: await freshShop(t), concurrency: 1 }));
  assert.deepEqual(await story(), await story());
});

test('a simulated clock gives each request its planned time, never backwards for an actor', async (t) => {
  const last = new Map();
  const clockStart = Date.UTC(2026, 0, 1);
  await playTraffic(company, {
    baseUrl: await freshShop(t), simulateClock: true, clockStart,
    onRequest({ request: { actor, at, headers } }) {
      assert.equal(headers['x-dev-time'], String(at));
      assert.ok(at >= (last.get(actor) ?? clockStart));
      last.set(actor, at);
    },
  });
  assert.equal(Math.max(...last.values()), clockStart + company.durationMs);
});

test('the actors play on when they are blocked, and the truth says by whom', async (t) => {
  const baseUrl = await serve(t, (_, response) => response.writeHead(403, { 'content-type': 'application/problem+json' }).end('{}'));
  const { totals } = await playTraffic(company, { baseUrl });
  assert.equal(totals.requests, 900);
  assert.equal(totals.enforced, 900);
});

test('requests nobody answers are counted, not repeated', async () => {
  const { url, close } = await startShop();
  await close();
  const { totals } = await playTraffic(solo([get('/healthz'), get('/healthz')]), { baseUrl: url });
  assert.deepEqual([totals.requests, totals.unanswered], [2, 2]);
});
