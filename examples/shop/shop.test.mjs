// How the shop behaves: sessions, tokens, buying, its planted weaknesses, and what it does with bad input.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { CARD, DECLINED_CARD, FIRST_ORDER, account } from './demo-data.mjs';
import { startShop } from './server.mjs';
import { Visitor } from './testing/visitor.mjs';

let shop;
let time = Date.UTC(2026, 5, 1);
before(async () => { shop = await startShop({ now: () => time }); });
after(() => shop.close());

const visitor = () => new Visitor(shop.url);
const credentials = (index) => ({ username: account(index).username, password: account(index).password });
async function loggedIn(index) {
  const customer = visitor();
  await customer.post('/api/login', credentials(index));
  return customer;
}
const bearer = ({ json }) => ({ authorization: `Bearer ${json.access_token}` });

test('a visitor gets a session at the first page, out of reach of scripts, and keeps it', async () => {
  const someone = visitor();
  const first = await someone.get('/api/products');
  assert.match(first.headers['set-cookie'][0], /^sid=[0-9a-f]{32}; .*HttpOnly/);
  assert.equal(first.headers['set-cookie'].length, 2);
  const second = await someone.get('/api/products/3');
  assert.equal(second.headers['set-cookie'], undefined);
});

test('a session id the shop did not issue is never adopted', async () => {
  const { headers } = await visitor().get('/api/products', { cookie: 'sid=chosen-by-me' });
  assert.match(headers['set-cookie'][0], /^sid=[0-9a-f]{32};/);
});

test('login rotates the session id, keeps the cart and ends the old session', async () => {
  const customer = visitor();
  await customer.post('/api/cart', { product_id: 4, quantity: 2 });
  const anonymous = customer.sid;
  const login = await customer.post('/api/login', credentials(1));
  assert.equal(login.headers['session-event'], `login-success;user="${account(1).username}"`);
  assert.notEqual(customer.sid, anonymous);
  assert.deepEqual((await customer.get('/api/cart')).json.items.map(({ product_id, quantity }) => [product_id, quantity]), [[4, 2]]);
  assert.match((await visitor().get('/api/products', { cookie: `sid=${anonymous}` })).headers['set-cookie'][0], /^sid=/);
});

test('logout ends the session and clears the cookie', async () => {
  const customer = await loggedIn(2);
  const sid = customer.sid;
  assert.equal((await customer.post('/api/logout')).status, 204);
  assert.equal(customer.sid, undefined);
  assert.equal((await visitor().get('/api/profile', { cookie: `sid=${sid}` })).status, 401);
});

test('a session ends after a day', async () => {
  const customer = await loggedIn(3);
  time += 25 * 3600 * 1000;
  assert.equal((await customer.get('/api/profile')).status, 401);
});

test('planted: failed logins are reported but never slowed down', async () => {
  const { username, password } = credentials(5);
  for (let attempt = 0; attempt < 25; attempt += 1) {
    const { status, headers } = await visitor().post('/api/login', { username, password: `wrong${attempt}` });
    assert.equal(status, 401);
    assert.equal(headers['session-event'], `login-failure;user="${username}"`);
  }
  assert.equal((await visitor().post('/api/login', { username, password })).status, 200);
});

test('Session-Event quotes any user name as RFC 9651 asks', async () => {
  const eventFor = async (username) => (await visitor().post('/api/login', { username, password: 'x' })).headers['session-event'];
  assert.equal(await eventFor('a"b\\c, d'), 'login-failure;user="a\\"b\\\\c, d"');
  assert.equal(await eventFor('jürgen "100%"'), 'login-failure;user=%"j%c3%bcrgen %22100%25%22"');
});

test('registration creates an account once', async () => {
  const account = { username: 'grace', password: 'long-enough', name: 'Grace', email: 'g@example.com' };
  const created = await visitor().post('/api/register', account);
  assert.equal(created.status, 201);
  assert.equal(created.headers['session-event'], 'signup;user="grace"');
  assert.equal((await visitor().post('/api/register', account)).status, 409);
  assert.equal((await visitor().post('/api/register', { ...account, username: 'root', role: 'admin' })).status, 422);
});

test('tokens verify against the key set and carry the promised claims', async () => {
  const pair = await visitor().post('/api/token', credentials(6));
  const { json: jwks } = await visitor().get('/.well-known/jwks.json');
  const [header, payload, signature] = pair.json.access_token.split('.');
  const key = createPublicKey({ key: jwks.keys[0], format: 'jwk' });
  assert.ok(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')));
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  assert.deepEqual(Object.keys(claims).sort(), ['aud', 'exp', 'iss', 'jti', 'role', 'sid', 'sub']);
  assert.equal(claims.sub, account(6).username);
  assert.equal((await visitor().get('/api/profile', bearer(pair))).json.username, account(6).username);
});

test('a token that expired, was tampered with or is of the other kind opens nothing', async () => {
  const pair = await visitor().post('/api/token', credentials(6));
  const [header, , signature] = pair.json.access_token.split('.');
  const forged = `${header}.${Buffer.from('{"sub":"ada.almeida0","aud":"shop-api","exp":9999999999}').toString('base64url')}.${signature}`;
  for (const token of [forged, pair.json.refresh_token, 'a.b.c', 'a', '...']) {
    assert.equal((await visitor().get('/api/profile', { authorization: `Bearer ${token}` })).status, 401);
  }
  time += 16 * 60 * 1000;
  assert.equal((await visitor().get('/api/profile', bearer(pair))).status, 401);
});

test('a refresh token works once, and its reuse ends the whole token session', async () => {
  const first = await visitor().post('/api/token', credentials(7));
  const refresh = (pair) => visitor().post('/api/token/refresh', { refresh_token: pair.json.refresh_token });
  const second = await refresh(first);
  assert.equal(second.status, 200);
  const sidOf = ({ json }) => JSON.parse(Buffer.from(json.access_token.split('.')[1], 'base64url')).sid;
  assert.equal(sidOf(second), sidOf(first));
  assert.equal((await refresh(first)).status, 401);
  assert.equal((await refresh(second)).status, 401);
});

test('a cart becomes an order, and the order is paid once, at its price, by its owner', async () => {
  const customer = await loggedIn(8);
  await customer.post('/api/cart', { product_id: 9, quantity: 3 });
  const order = await customer.post('/api/checkout', { shipping: 'standard' });
  assert.equal(order.headers['session-event'], `order;user="${account(8).username}"`);
  const payment = { order_id: order.json.id, amount: order.json.total, card_token: CARD };
  const declined = await customer.post('/api/payments', { ...payment, card_token: DECLINED_CARD });
  assert.equal(declined.status, 402);
  assert.equal(declined.headers['session-event'], `payment-failure;user="${account(8).username}"`);
  assert.equal((await customer.post('/api/payments', { ...payment, amount: 0.01 })).status, 422);
  assert.equal((await (await loggedIn(9)).post('/api/payments', payment)).status, 422);
  assert.equal((await customer.post('/api/payments', payment)).status, 201);
  assert.equal((await customer.post('/api/payments', payment)).status, 409);
  assert.equal((await customer.post('/api/checkout', { shipping: 'standard' })).status, 409);
  assert.equal((await customer.get('/api/orders')).json.items.at(-1).status, 'paid');
});

test('planted: anybody logged in reads any order, and v1 does not even ask for that', async () => {
  const stranger = await loggedIn(10);
  const order = await stranger.get(`/api/orders/${FIRST_ORDER}`);
  assert.equal(order.status, 200);
  assert.notEqual(order.json.username, account(10).username);
  const legacy = await visitor().get(`/api/v1/orders/${FIRST_ORDER}`);
  assert.equal(legacy.status, 200);
  assert.match(legacy.headers.deprecation, /^@\d+$/);
  assert.ok(Date.parse(legacy.headers.sunset));
});

test('planted: the debug routes answer to everybody', async () => {
  assert.equal((await visitor().get('/api/debug/config')).json.debug, true);
  assert.match((await visitor().get('/internal/metrics')).text, /^shop_requests \d+\n/);
});

test('bad input is refused with the right status', async () => {
  const customer = await loggedIn(11);
  const statusOf = async (...request) => (await customer.send(...request)).status;
  assert.equal(await statusOf('GET', '/api/nothing'), 404);
  assert.equal(await statusOf('GET', '/api/products/'), 404);
  assert.equal(await statusOf('GET', '/api/products/5000'), 404);
  assert.equal(await statusOf('GET', '/api/products/1%27%20OR%201=1'), 400);
  assert.equal(await statusOf('GET', '/api/products/%E0%A4%A'), 400);
  assert.equal(await statusOf('GET', '/api/products?page=-1'), 400);
  assert.equal(await statusOf('GET', '/api/search'), 400);
  assert.equal(await statusOf('POST', '/api/cart', '{"product_id":'), 400);
  assert.equal(await statusOf('POST', '/api/cart', '['.repeat(500_000)), 400);
  assert.equal(await statusOf('POST', '/api/cart', { product_id: 1, quantity: 0 }), 422);
  assert.equal(await statusOf('POST', '/api/cart', { product_id: 5000, quantity: 1 }), 422);
  assert.equal(await statusOf('POST', '/api/cart', '"text"'), 422);
  assert.equal(await statusOf('POST', '/api/cart', 'product_id=1', { 'content-type': 'application/x-www-form-urlencoded' }), 415);
  assert.equal(await statusOf('POST', '/api/cart', `"${'x'.repeat(1024 * 1024)}"`), 413);
  const wrongMethod = await customer.send('PATCH', '/api/cart');
  assert.equal(wrongMethod.status, 405);
  assert.equal(wrongMethod.headers.allow, 'GET, POST, DELETE');
});

test('a client that breaks off, or does not speak HTTP, does the shop no harm', async () => {
  for (const bytes of ['POST /api/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{', '\0\x01\x02\r\n\r\n']) {
    const socket = connect(shop.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    socket.end();
    socket.resume();
    await once(socket, 'close');
  }
  assert.equal((await visitor().get('/healthz')).status, 200);
});

test('every shop starts with the same goods', async (t) => {
  const other = await startShop();
  t.after(() => other.close());
  assert.deepEqual([...other.state.products.values()], [...shop.state.products.values()]);
  assert.equal(other.state.orders.get(FIRST_ORDER).username, shop.state.orders.get(FIRST_ORDER).username);
});
