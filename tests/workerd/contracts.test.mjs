// Contracts on the real runtime: what a request or its answer has that its document does not let it have, what messages
// show of an endpoint, and what changes about it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, recorded } from './scene.mjs';

const JSON_TYPE = ['Content-Type', 'application/json'];
const ORDER = {
  type: 'object', required: ['sku'], additionalProperties: false,
  properties: { sku: { type: 'string', maxLength: 8 }, count: { type: 'integer', minimum: 1 } },
};
const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Orders', version: '1' },
  paths: {
    '/orders': {
      get: {
        parameters: [{ in: 'query', name: 'page', schema: { type: 'integer' } }],
        responses: { 200: { description: 'ok', content: { 'application/json': {} } } },
      },
      post: {
        requestBody: { required: true, content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } } },
        responses: { 200: { description: 'ok', content: { 'application/json': { schema: { type: 'object', required: ['id'] } } } } },
      },
    },
  },
  components: { schemas: { Order: ORDER } },
};

/** An origin that answers what a test tells it to, as JSON. */
const told = new Map();
const answer = ({ target }) => {
  const { status = 200, body = { id: 1 } } = told.get(target.split('?')[0]) ?? {};
  return { status, headers: [JSON_TYPE], body: JSON.stringify(body) };
};
const post = (visit, target, body) => visit(target, { method: 'POST', headers: [JSON_TYPE], body: JSON.stringify(body) });
const READS_ANSWERS = [{ name: 'id', from: 'response.body#/id', on: '* /*', type: 'number' }];

describe('contracts', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({
      answer,
      vars: {
        DEV_CLIENT_HEADERS: true, INVENTORY: { documents: [DOCUMENT] }, PARAMETERS: READS_ANSWERS,
        EXCEPTIONS: [{ detector: 'schema_violation', parameter: 'tracking' }],
      },
    });
  });
  after(() => pair?.stop());

  test('what is unlike them is told once a session and place, weighs little, and stops nothing', async () => {
    const [ann, bob, eve] = ['ann', 'bob', 'eve'].map((name) => client(pair, { cookie: `sid=${name}` }));
    await ann('/orders?page=1');
    await ann('/orders?page=2&utm_source=mail&tracking=1');
    await post(ann, '/orders', { sku: 'shirt', count: 2 });
    for (let round = 0; round < 3; round += 1) await post(eve, '/orders', { sku: 7, is_admin: true });
    await eve('/orders?page=first&colour=red');
    told.set('/orders', { status: 202 });
    await bob('/orders');
    told.set('/orders', { body: { name: 'no id' } });
    await post(bob, '/orders', { sku: 'a' });
    told.clear();
    await recorded(pair, 9);
    const findings = await waitFor(async () => {
      const items = await all(pair, 'findings?detector=schema_violation');
      return items.length >= 4 && items;
    }, { what: 'the findings' });
    const seen = findings.map(({ message, where, severity, action }) => [where, message.split(';').slice(0, -1).join(';'), severity, action]);
    assert.deepEqual(seen.sort(), [
      ['body#/is_admin', 'unlike its document: body#/is_admin is not in the document; body#/sku is no text', 'low', 'tag'],
      ['query.page', 'unlike its document: query.page is no integer; query.colour is not in the document', 'low', 'tag'],
      ['response.body#/id', 'unlike its document: response.body#/id is missing', 'info', 'tag'],
      ['response.status', 'unlike its document: response.status is not in the document', 'info', 'tag'],
    ]);
    const { items: sessions } = await ask(pair, 'sessions');
    assert.equal(sessions.length, 3);
    for (const { risk, state } of sessions) assert.ok(risk <= 5 && state !== 'blocked', `${risk} ${state}`);
    const [{ reasons }] = (await all(pair, 'endpoints?method=GET')).filter(({ template }) => template === '/orders');
    assert.deepEqual(reasons, ['answers with statuses that are not in its document: 202']);
  });
});

describe('what messages show of an endpoint', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({ answer, vars: { DEV_CLIENT_HEADERS: true, PARAMETERS: READS_ANSWERS } });
  });
  after(() => pair?.stop());

  test('is its parameters with their types and the kinds of sensitive data, and what changes is told', async () => {
    const visit = client(pair);
    told.set('/people', { body: { id: 7, name: 'Ann' } });
    await visit('/people?page=1&q=shoes');
    await visit('/people?page=2&active=true');
    await post(visit, '/people', { name: 'Ann', age: 41, tags: ['a'] });
    const read = async (calls) => {
      const items = await all(pair, 'endpoints?q=/people');
      return items.reduce((sum, each) => sum + each.calls, 0) >= calls && Object.fromEntries(items.map((each) => [each.method, each]));
    };
    let endpoints = await waitFor(() => read(3), { what: 'three calls' });
    assert.deepEqual(endpoints.GET.parameters, [
      { name: 'active', in: 'query', types: ['boolean'] }, { name: 'page', in: 'query', types: ['integer'] }, { name: 'q', in: 'query', types: ['string'] },
    ]);
    assert.deepEqual(endpoints.POST.parameters.map(({ name, in: place, types }) => [name, place, types]), [
      ['age', 'body', ['integer']], ['name', 'body', ['string']], ['tags', 'body', ['nested']],
    ]);
    assert.deepEqual(endpoints.GET.sensitive, []);
    told.set('/people', { body: { id: 7, mail: 'ann@example.com', card_number: '4111111111111111', order_id: '5555555555554444' } });
    await visit('/people?page=3');
    endpoints = await waitFor(() => read(4), { what: 'the fourth call' });
    assert.deepEqual(endpoints.GET.sensitive, ['email', 'card_number']);
    assert.ok(endpoints.GET.risk_reasons.some((reason) => reason.includes('email, card_number')), endpoints.GET.risk_reasons.join());
    const everything = JSON.stringify([endpoints, await all(pair, 'events'), await ask(pair, 'endpoints/openapi.json')]);
    for (const secret of ['ann@example.com', '4111111111111111', 'shoes']) assert.ok(!everything.includes(secret), secret);
    const changes = await all(pair, 'endpoints/changes?order=asc');
    assert.deepEqual(changes.map(({ kind, method, template, to }) => [kind, method, template, to]), [
      ['new', 'GET', '/people', null], ['new', 'POST', '/people', null], ['sensitive', 'GET', '/people', 'email,card_number'],
    ]);
    assert.ok(changes.every(({ time, endpoint }) => Date.parse(time) > 0 && [endpoints.GET.id, endpoints.POST.id].includes(endpoint)));
    assert.deepEqual((await all(pair, 'endpoints/changes?kind!=new', { limit: 1 })).length, 1);
    assert.deepEqual((await all(pair, 'endpoints/changes', { limit: 1 })).map(({ id }) => id), changes.map(({ id }) => id).reverse());
    const { paths } = await ask(pair, 'endpoints/openapi.json');
    assert.deepEqual(paths['/people'].get.parameters.map(({ name, schema }) => [name, schema.type]), [['active', 'boolean'], ['page', 'integer'], ['q', 'string']]);
    assert.deepEqual(Object.keys(paths['/people'].post.requestBody.content['application/json'].schema.properties), ['age', 'name', 'tags']);
    told.clear();
  });
});
