// That openapi.json is true: it names exactly the routes it should, each is answered as it says, and everything the
// demo's traffic sends and gets fits it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PARTNER_KEY, account } from './demo-data.mjs';
import { openapi } from './origin/contract.mjs';
import { routes } from './origin/routes.mjs';
import { resolve, violations } from './origin/schema.mjs';
import { startShop } from './server.mjs';
import { Visitor } from './testing/visitor.mjs';
import { planTraffic, playTraffic } from './traffic.mjs';

let shop;
before(async () => { shop = await startShop(); });
after(() => shop.close());

const operations = Object.entries(openapi.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })));
const operationNamed = (name) => operations.find((each) => each.name === name).operation;
const followed = (node) => (node.$ref ? resolve(node.$ref, openapi) : node);

/** Fails unless `response` has a documented status and a body of the documented shape. */
function assertDocumented(name, { status, json }) {
  const documented = operationNamed(name).responses[status];
  assert.ok(documented, `${name} answered ${status}, which is not documented`);
  const schema = followed(documented).content?.['application/json'].schema;
  if (schema) assert.deepEqual(violations(json, schema, openapi), [], `${name} ${status}`);
  else assert.equal(json, undefined, `${name} ${status} has a body`);
}

test('the document names every route except those hidden on purpose', () => {
  const meant = routes.filter(({ documented = true }) => documented).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(operations.map(({ name }) => name).sort(), meant.sort());
  assert.doesNotMatch(JSON.stringify(openapi), /debug|internal/);
});

test('every reference leads somewhere and every operation has a name of its own', () => {
  for (const [, reference] of JSON.stringify(openapi).matchAll(/"\$ref":"([^"]+)"/g)) assert.ok(resolve(reference, openapi), reference);
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
});

test('exactly v1 is deprecated', () => {
  for (const { path, operation } of operations) assert.equal(operation.deprecated ?? false, path.startsWith('/api/v1/'), path);
});

test('each documented operation is answered with its documented success, from its own examples', async () => {
  const customer = new Visitor(shop.url);
  const { username, password } = account(0);
  await customer.post('/api/login', { username, password });
  const call = async (name, changes = {}) => {
    const [method, path] = name.split(' ');
    const { parameters = [], requestBody } = operationNamed(name);
    const inputs = parameters.map(followed).filter(({ example }) => example !== undefined);
    const query = new URLSearchParams(inputs.filter((input) => input.in === 'query').map((input) => [input.name, input.example]));
    const target = inputs.filter((input) => input.in === 'path').reduce((text, input) => text.replace(`{${input.name}}`, input.example), path);
    const example = requestBody?.content['application/json'].example;
    if (example) assert.deepEqual(violations(example, requestBody.content['application/json'].schema, openapi), [], `example of ${name}`);
    const response = await customer.send(method, query.size > 0 ? `${target}?${query}` : target, example && { ...example, ...changes }, { 'x-api-key': PARTNER_KEY });
    assert.ok(response.status >= 200 && response.status < 300, `${name} answered ${response.status} ${response.text}`);
    assertDocumented(name, response);
    called.add(name);
    return response.json;
  };
  const called = new Set();

  const { refresh_token } = await call('POST /api/token');
  await call('POST /api/token/refresh', { refresh_token });
  await call('POST /api/cart');
  await call('PUT /api/cart/items/{id}');
  await call('DELETE /api/cart/items/{id}');
  await call('POST /api/cart');
  const order = await call('POST /api/checkout');
  await call('POST /api/payments', { order_id: order.id, amount: order.total });
  const { price } = await call('GET /api/products/{id}');
  await call('POST /api/orders', { order: { items: [{ product_id: 1, quantity: 1 }], total: price } });
  const last = 'POST /api/logout';
  for (const { name } of operations) if (!called.has(name) && name !== last) await call(name);
  await call(last);
  assert.equal(called.size, operations.length);
});

test('what the traffic gets is documented, and what the innocent send fits the document', async () => {
  const templates = routes.map(({ method, path }) => ({ name: `${method} ${path}`, shape: new RegExp(`^${method} ${path.replace(/\{\w+\}/g, '[^/]+')}$`) }));
  const seen = new Set();
  await playTraffic(planTraffic({ seed: 5, requests: 1_200 }), {
    baseUrl: shop.url,
    onRequest({ request, response }) {
      const line = `${request.method} ${request.target.split('?')[0]}`;
      const name = templates.find(({ shape }) => shape.test(line))?.name;
      if (!operations.some((operation) => operation.name === name)) return;
      seen.add(name);
      assertDocumented(name, { status: response.status, json: response.body === '' ? undefined : JSON.parse(response.body) });
      const schema = operationNamed(name).requestBody?.content['application/json'].schema;
      if (schema && !request.attack) assert.deepEqual(violations(JSON.parse(request.body), schema, openapi), [], request.id);
    },
  });
  const orphans = operations.map(({ name }) => name).filter((name) => !seen.has(name));
  assert.deepEqual(orphans.sort(), ['DELETE /api/cart', 'GET /.well-known/jwks.json', 'GET /api/addresses', 'POST /api/gift-cards/redeem'].sort());
});
