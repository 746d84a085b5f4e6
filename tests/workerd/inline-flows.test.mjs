// Flows and watches on inline routes: the request that would break a rule does not reach the origin, however many come at
// once; and the nearest innocent request does.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, sentProblem } from './scene.mjs';

const JSON_TYPE = [['Content-Type', 'application/json']];
const CLOSED = { decide: 'inline', on_error: 'closed', deadline_ms: 10_000 };
const VARS = {
  DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, MODE: 'enforce', SHARDS: 2,
  SESSION_KEYS: [{ from: 'request.cookie.sid' }],
  PARAMETERS: [
    { name: 'total', from: 'request.body#/total', on: 'POST /*', type: 'number' },
    { name: 'card', from: 'request.body#/card', on: 'POST /cards', store: 'hashed' },
  ],
  WATCHES: [
    { parameter: 'total', kind: 'velocity', of: 'sum', window: '1h', above: 100, action: 'throttle' },
    { parameter: 'card', kind: 'distinct', window: '1h', above: 3, action: 'block' },
  ],
  FLOWS: [
    { name: 'purchase', steps: ['POST /cart', 'POST /checkout', { at: 'POST /pay', repeat: false }], min_seconds: 1, keep: ['total'], action: 'block' },
    { name: 'coupon', steps: ['POST /coupon'], action: 'block', limit: { per: 'session', window: '1h', completions: 3 } },
    { name: 'voucher', steps: ['POST /voucher'], action: 'block', for: '10m', limit: { per: 'ip', window: '1h', completions: 2 } },
  ],
  ROUTES: [
    { match: 'POST /pay', ...CLOSED }, { match: 'POST /coupon', ...CLOSED }, { match: 'POST /voucher', ...CLOSED },
    { match: 'POST /orders', ...CLOSED }, { match: 'POST /cards', ...CLOSED },
  ],
  LIMITS: { unproven_sessions: 10_000, unproven_device_sessions: 10_000, body_bytes: 1_024 },
};
// Three days after the deployment began to see its shards, so that what a session did not do was not done.
const START = Date.now() + 3 * 86_400_000;

describe('an inline flow', { skip: notOurs }, () => {
  let pair;
  let visits = 0;
  before(async () => {
    pair = await startPair({ vars: VARS });
    await ask(pair, 'stats'); // every shard is there from now on
  });
  after(() => pair?.stop());

  /** Somebody new: (endpoint, seconds, body, answer of the origin) → status. */
  function visitor(options = {}) {
    visits += 1;
    const visit = client(pair, { ip: `192.0.2.${visits}`, cookie: `sid=visitor-${visits}`, ...options });
    const post = async (target, s, body = {}, status = 200) => {
      const got = await visit(target, { method: 'POST', time: START + s * 1000, status, headers: JSON_TYPE, body: JSON.stringify(body) });
      if (got.status === 403 || got.status === 429) sentProblem(got, got.status);
      return got.status;
    };
    return Object.assign(post, { named: `visitor-${visits}` });
  }
  const reached = (from) => pair.origin.requests.slice(from).map(({ target }) => target);

  test('stops a payment without a checkout, before the origin', async () => {
    const post = visitor();
    assert.equal(await post('/cart', 0), 200);
    const before = pair.origin.requests.length;
    assert.equal(await post('/pay', 60), 403);
    assert.deepEqual(reached(before), []);
    assert.equal(await post('/checkout', 70), 200, 'the request alone was stopped');
    assert.equal(await post('/pay', 80), 200);
  });

  test('says why with the event that was stopped', async () => {
    const post = visitor();
    await post('/cart', 0, { total: 7 });
    await post('/checkout', 5, { total: 7 });
    assert.equal(await post('/pay', 60, { total: 1 }), 403);
    let event;
    await waitFor(async () => {
      [event] = (await all(pair, 'events?endpoint=POST+/pay&status=403')).filter(({ params }) => params.total === 1);
      return event !== undefined;
    }, { what: 'the stopped event' });
    assert.equal(event.action, 'block');
    assert.equal(event.findings[0].detector, 'flow_violation');
    assert.match(event.findings[0].message, /with a changed total/);
    assert.equal(event.findings[0].action, 'block');
  });

  for (const [name, steps] of [
    ['a slow buyer', [['/cart', 0], ['/checkout', 3_000], ['/pay', 9_000]]],
    ['the back button', [['/cart', 0], ['/checkout', 60], ['/cart', 120], ['/checkout', 180], ['/pay', 240]]],
    ['a retry after a declined card', [['/cart', 0], ['/checkout', 60], ['/pay', 120, {}, 402], ['/pay', 180]]],
    ['a retry after a failing origin', [['/cart', 0], ['/checkout', 60], ['/pay', 120, {}, 503], ['/pay', 180]]],
    ['two tabs', [['/cart', 0, { total: 5 }], ['/cart', 5, { total: 9 }], ['/checkout', 10, { total: 5 }], ['/checkout', 15, { total: 9 }],
      ['/pay', 20, { total: 9 }], ['/pay', 25, { total: 5 }]]],
  ]) {
    test(`lets ${name} pass`, async () => {
      const post = visitor();
      for (const [target, s, body, status = 200] of steps) assert.equal(await post(target, s, body, status), status, `${target} at ${s} s`);
    });
  }

  test('stops a checkout that comes too soon after the cart', async () => {
    const post = visitor();
    assert.equal(await post('/cart', 0), 200);
    assert.equal(await post('/checkout', 0.3), 403);
    assert.equal(await post('/checkout', 30), 200);
  });

  test('lets a payment pass only once its checkout is done', async () => {
    const post = visitor();
    assert.equal(await post('/cart', 0), 200);
    const [checkout, pay] = await Promise.all([post('/checkout', 20, {}, 409), post('/pay', 21)]);
    assert.deepEqual([checkout, pay], [409, 403]);
  });

  test('lets exactly as many of ten at once pass as may', async () => {
    const post = visitor();
    const before = pair.origin.requests.length;
    const statuses = await Promise.all(Array.from({ length: 10 }, () => post('/coupon', 0)));
    assert.deepEqual(statuses.toSorted(), [200, 200, 200, 403, 403, 403, 403, 403, 403, 403]);
    assert.equal(reached(before).filter((target) => target === '/coupon').length, 3);
    assert.equal(await post('/coupon', 60), 403);
    assert.equal(await post('/coupon', 3_700), 200, 'the next hour');
  });

  test('counts no attempt that the origin refused', async () => {
    const post = visitor();
    for (let at = 0; at < 5; at += 1) assert.equal(await post('/coupon', at, {}, 422), 422);
    const statuses = await Promise.all(Array.from({ length: 6 }, () => post('/coupon', 20)));
    assert.equal(statuses.filter((status) => status === 200).length, 3);
  });

  test('counts an address whatever its sessions are, and blocks for as long as it is told', async () => {
    const ip = '198.51.100.77';
    const sessions = Array.from({ length: 40 }, () => visitor({ ip }));
    const statuses = [];
    for (const post of sessions) statuses.push(await post('/voucher', 0));
    // Each of two shards counts its own share of an address.
    assert.ok(statuses.filter((status) => status === 200).length <= 4, `${statuses}`);
    const stopped = sessions[statuses.lastIndexOf(403)];
    await waitFor(async () => (await stopped('/cart', 1)) === 403, { what: 'a block of its session' });
    assert.equal(await visitor()('/voucher', 2), 200);
  });

  test('stops the order that takes a sum above its limit, also among many', async () => {
    const post = visitor();
    assert.equal(await post('/orders', 0, { total: 60 }, 402), 402, 'declined: not spent');
    const statuses = await Promise.all(Array.from({ length: 10 }, () => post('/orders', 1, { total: 30 })));
    assert.deepEqual(statuses.toSorted(), [200, 200, 200, 429, 429, 429, 429, 429, 429, 429]);
    assert.equal(await post('/orders', 2, { total: 5 }), 200, 'what is left may be spent');
  });

  test('stops the fourth card, and not the third one again', async () => {
    const post = visitor();
    for (const card of ['a', 'b', 'c', 'a', 'c']) assert.equal(await post('/cards', 0, { card: `4111-${card}` }, 402), 402);
    assert.equal(await post('/cards', 1, { card: '4111-d' }), 403);
    assert.equal(await post('/cards', 2, { card: '4111-b' }), 200);
  });

  test('follows on_error where the values of a body cannot be read', async () => {
    const post = visitor();
    const long = { padding: 'x'.repeat(2_000), total: 1 };
    const short = { total: 1, padding: 'x'.repeat(2_000) };
    assert.equal(await post('/orders', 0, long), 503);
    assert.equal(await post('/orders', 1, short), 200, 'what is there is enough');
  });
});

describe('the same in monitor mode', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: { ...VARS, MODE: 'monitor' } }); });
  after(() => pair?.stop());

  test('stops nobody', async () => {
    const visit = client(pair, { cookie: 'sid=ann' });
    const statuses = await Promise.all(Array.from({ length: 10 }, async () =>
      (await visit('/coupon', { method: 'POST', headers: JSON_TYPE, body: '{}', time: START })).status));
    assert.deepEqual([...new Set(statuses)], [200]);
  });
});
