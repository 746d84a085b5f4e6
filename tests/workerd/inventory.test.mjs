// The endpoint inventory on the real runtime: the shop is driven by its own traffic and compared with its own document;
// documents come and go through the API, and isolates follow.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { startShop } from '../../examples/shop/server.mjs';
import { planTraffic, playTraffic } from '../../examples/shop/traffic.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, problem, recorded } from './scene.mjs';

const SHOP = JSON.parse(readFileSync(new URL('../../examples/shop/openapi.json', import.meta.url), 'utf8'));
const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const OPERATIONS = Object.entries(SHOP.paths).flatMap(([path, item]) => METHODS.filter((method) => method in item)
  .map((method) => ({ method: method.toUpperCase(), path, deprecated: item[method].deprecated ?? false })));

/** The documented operation of a request; static segments before parameters. */
function operationOf({ method, target }) {
  const path = target.split('?')[0];
  const fits = ({ path: template }) => new RegExp(`^${template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  return OPERATIONS.filter((each) => each.method === method && fits(each)).sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
}
/** What of a document is not as OpenAPI 3.1 has it (sections 4.8.1 to 4.8.27, of what an export may hold). */
function misshapen(document) {
  const wrong = [];
  const check = (holds, place) => holds || wrong.push(place);
  const only = (object, place, required, optional = []) => {
    const names = Object.keys(object ?? {});
    for (const name of required) check(names.includes(name), `${place} lacks ${name}`);
    for (const name of names) check([...required, ...optional].includes(name), `${place} has ${name}`);
  };
  const schema = (value, place) => {
    only(value, place, [], ['type', 'format', 'pattern', 'minLength', 'maxLength', 'contentEncoding', 'properties']);
    if (value.type !== undefined) check(['string', 'integer', 'number', 'boolean', 'object', 'array', 'null'].includes(value.type), `${place}/type`);
    for (const [name, member] of Object.entries(value.properties ?? {})) schema(member, `${place}/properties/${name}`);
  };
  only(document, '', ['openapi', 'info', 'servers', 'paths', 'components']);
  check(/^3\.1\.\d+$/.test(document.openapi), 'openapi');
  only(document.info, 'info', ['title', 'version'], ['description']);
  for (const server of document.servers) only(server, 'servers', ['url']);
  const schemes = document.components.securitySchemes;
  for (const [name, scheme] of Object.entries(schemes)) {
    if (scheme.type === 'http') only(scheme, name, ['type', 'scheme']);
    else only(scheme, name, ['type', 'in', 'name']);
    check(scheme.type === 'http' || (scheme.type === 'apiKey' && ['query', 'header', 'cookie'].includes(scheme.in)), `${name}/type`);
  }
  const forms = Object.keys(document.paths).map((path) => path.replace(/\{[^}]+\}/g, '{}'));
  check(new Set(forms).size === forms.length, 'paths: two templates are the same');
  for (const [path, item] of Object.entries(document.paths)) {
    check(path.startsWith('/') && !/[?#]/.test(path), path);
    only(item, path, [], ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']);
    for (const [method, operation] of Object.entries(item)) {
      const place = `${method} ${path}`;
      only(operation, place, ['responses'], ['parameters', 'requestBody', 'security', 'deprecated']);
      const parameters = operation.parameters ?? [];
      check(new Set(parameters.map((each) => `${each.in} ${each.name}`)).size === parameters.length, `${place}: a parameter stands there twice`);
      for (const parameter of parameters) {
        only(parameter, `${place} ${parameter.name}`, ['name', 'in', 'schema'], ['required', 'example']);
        check(['path', 'query'].includes(parameter.in) && (parameter.in !== 'path' || parameter.required === true), `${place} ${parameter.name}`);
        schema(parameter.schema, `${place} ${parameter.name}`);
      }
      const placeholders = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
      check(placeholders.join() === parameters.filter((each) => each.in === 'path').map(({ name }) => name).join(), `${place}: placeholders`);
      if (operation.requestBody) only(operation.requestBody, `${place} body`, ['content']);
      for (const [type, media] of Object.entries(operation.requestBody?.content ?? {})) {
        check(/^[a-z]+\/[a-z0-9.+-]+$/.test(type), `${place} ${type}`);
        only(media, `${place} ${type}`, ['schema']);
        schema(media.schema, `${place} ${type}`);
      }
      check(Object.keys(operation.responses).length > 0, `${place}: responses`);
      for (const [status, response] of Object.entries(operation.responses)) {
        check(/^([1-5]\d\d|default)$/.test(status), `${place} ${status}`);
        only(response, `${place} ${status}`, ['description']);
      }
      for (const requirement of operation.security ?? []) for (const name of Object.keys(requirement)) check(schemes[name], `${place}: ${name}`);
    }
  }
  return wrong;
}
const named = ({ method, path, template }) => `${method} ${template ?? path}`;

describe('the inventory of the shop', { skip: notOurs }, () => {
  let shop;
  let pair;
  let requests;
  let truth;
  let endpoints;
  before(async () => {
    shop = await startShop();
    pair = await startPair({
      origin: shop,
      vars: { DEV_CLIENT_HEADERS: true, SESSION_KEYS: [{ from: 'request.cookie.sid' }], INVENTORY: { documents: [SHOP] } },
    });
    truth = await playTraffic(planTraffic({ seed: 7, requests: 1_200 }), { baseUrl: pair.worker.url });
    requests = truth.sessions.flatMap((session) => session.requests.map((request) => ({ ...request, session })));
    await recorded(pair, truth.totals.requests, { timeout: 60_000 });
    const expected = requests.filter((request) => operationOf(request) || request.status === 200).length;
    endpoints = await waitFor(async () => {
      const items = await all(pair, 'endpoints');
      return items.reduce((sum, { calls }) => sum + calls, 0) >= expected && items;
    }, { timeout: 30_000, what: 'the endpoints to be counted' });
  });
  after(async () => {
    await pair?.stop();
    await shop?.close();
  });

  const of = (state) => endpoints.filter(({ inventory }) => inventory === state).map(named).sort();

  test('finds every planted shadow and zombie, and nothing else', () => {
    assert.deepEqual(of('shadow'), ['GET /api/debug/config', 'GET /internal/metrics']);
    assert.deepEqual(of('zombie'), ['GET /api/v1/orders/{id}', 'GET /api/v1/products']);
    assert.deepEqual(endpoints.filter(({ inventory }) => inventory === null), []);
  });

  test('names every documented operation that was called by its template, and the others orphans', () => {
    const called = new Set(requests.map(operationOf).filter((each) => each && !each.deprecated).map(named));
    assert.deepEqual(of('documented'), [...called].sort());
    const never = OPERATIONS.filter((each) => !requests.some((request) => operationOf(request) === each));
    assert.deepEqual(of('orphan'), never.map(named).sort());
    assert.ok(of('orphan').includes('POST /api/gift-cards/redeem'));
  });

  test('counts calls and statuses as the shop saw them', () => {
    for (const endpoint of endpoints.filter(({ calls }) => calls > 0)) {
      const own = requests.filter(({ method, target }) => {
        const operation = operationOf({ method, target });
        return operation ? named(operation) === named(endpoint) : `${method} ${target.split('?')[0]}` === named(endpoint);
      });
      assert.equal(endpoint.calls, own.length, named(endpoint));
      assert.equal(Object.values(endpoint.statuses).reduce((a, b) => a + b), own.length, named(endpoint));
      assert.ok(endpoint.first_seen <= endpoint.last_seen && endpoint.duration_ms.p50 <= endpoint.duration_ms.p99);
    }
  });

  test('lists the sessions on each rogue endpoint, and tells them', async () => {
    for (const endpoint of endpoints.filter(({ inventory }) => inventory === 'shadow' || inventory === 'zombie')) {
      const sessions = await all(pair, `endpoints/${endpoint.id}/sessions`);
      const own = requests.filter(({ target }) => endpoint.template.startsWith('/api/v1/orders/')
        ? target.startsWith('/api/v1/orders/') : target.split('?')[0] === endpoint.template);
      assert.equal(sessions.length, new Set(own.map(({ session }) => session)).size, named(endpoint));
      assert.equal(endpoint.sessions, sessions.length);
      const detector = `${endpoint.inventory}_access`;
      if (own.some(({ status }) => status < 400)) assert.ok(sessions.some(({ findings }) => findings[detector] > 0), named(endpoint));
      assert.deepEqual(await ask(pair, `endpoints/${endpoint.id}`), (await all(pair, `endpoints?q=${encodeURIComponent(endpoint.template)}`)).find(({ id }) => id === endpoint.id));
    }
    const { items: clear } = await ask(pair, 'sessions?detector=shadow_access&detector=zombie_access&state=blocked');
    assert.deepEqual(clear, []);
  });

  test('tells each event, and finds events and sessions by it', async () => {
    const events = await all(pair, 'events');
    for (const { inventory, method, path, status } of events) {
      const operation = operationOf({ method, target: path });
      const expected = operation ? (operation.deprecated ? 'zombie' : 'documented') : status === 200 ? 'shadow' : null;
      assert.equal(inventory, expected, `${method} ${path} ${status}`);
    }
    for (const state of ['documented', 'shadow', 'zombie']) {
      const expected = events.filter(({ inventory }) => inventory === state);
      assert.equal((await all(pair, `events?inventory=${state}`)).length, expected.length, state);
      assert.equal((await all(pair, `sessions?inventory=${state}`)).length, new Set(expected.map(({ session }) => session)).size, state);
    }
  });

  test('finds in no request that the shop takes anything that is unlike its document', async () => {
    const findings = await all(pair, 'findings?detector=schema_violation');
    const events = new Map((await all(pair, 'events')).map((event) => [event.id, event]));
    for (const { request, message } of findings) {
      const { method, path, status } = events.get(request);
      if (status < 400) assert.match(message, /query\.\S+ is not in the document/, `${method} ${path} ${status}`);
    }
  });

  test('tells how callers show who they are', () => {
    const auth = Object.fromEntries(endpoints.map((each) => [named(each), [each.auth, each.auth_means]]));
    assert.deepEqual(auth['GET /api/partner/stock'], ['consistent', ['api_key']]);
    assert.deepEqual(auth['GET /internal/metrics'], ['none', []]);
    assert.equal(auth['GET /api/profile'][0], 'consistent');
  });

  test('exports what was discovered: every called operation with its parameters, as OpenAPI 3.1', async () => {
    const document = await ask(pair, 'endpoints/openapi.json');
    assert.deepEqual(misshapen(document), []);
    assert.deepEqual(misshapen({ ...document, openapi: '3.0.3', paths: { a: {} } }), ['openapi', 'a']);
    const form = (path) => path.replace(/\{[^}]+\}/g, '{}');
    const found = new Map(Object.entries(document.paths).map(([path, item]) => [form(path), { path, item }]));
    for (const [path, item] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(item)) {
        const described = (operation.parameters ?? []).filter((each) => each.in === 'path');
        assert.deepEqual(described.map(({ name }) => name), names);
        assert.ok(described.every(({ required, schema }) => required === true && schema.type));
        assert.ok(Object.values(operation.responses).every(({ description }) => description));
        for (const [scheme] of (operation.security ?? []).flatMap(Object.entries)) assert.ok(document.components.securitySchemes[scheme]);
      }
    }
    const called = new Set(requests.map(operationOf).filter(Boolean));
    for (const { method, path } of called) assert.ok(found.get(form(path))?.item[method.toLowerCase()], `${method} ${path}`);
    // Against the shop's own document: what was sent and answered with success is there, under the same type.
    const followed = (node) => (node.$ref ? node.$ref.split('/').slice(1).reduce((at, name) => at[name], SHOP) : node);
    let compared = 0;
    for (const { method, path } of called) {
      const described = (SHOP.paths[path][method.toLowerCase()].parameters ?? []).map(followed).filter((each) => each.in === 'query');
      const own = requests.filter((request) => request.status < 300 && operationOf(request)?.path === path && request.method === method);
      const sent = new Set(own.flatMap(({ target }) => [...new URLSearchParams(target.split('?')[1] ?? '').keys()]));
      const operation = found.get(form(path)).item[method.toLowerCase()];
      for (const { name, schema } of described.filter((each) => sent.has(each.name))) {
        const exported = (operation.parameters ?? []).find((each) => each.in === 'query' && each.name === name);
        assert.ok(exported, `${method} ${path} ${name}`);
        if (schema.type === 'integer') assert.equal(exported.schema.type, 'integer', `${method} ${path} ${name}`);
        compared += 1;
      }
      for (const status of new Set(own.map((request) => request.status))) assert.ok(operation.responses[status], `${method} ${path} ${status}`);
      const body = SHOP.paths[path][method.toLowerCase()].requestBody?.content['application/json'].schema;
      if (body && own.length > 0) {
        const members = Object.keys(operation.requestBody?.content['application/json'].schema.properties ?? {});
        for (const name of followed(body).required ?? []) assert.ok(members.includes(name), `${method} ${path} ${name}`);
      }
    }
    assert.ok(compared >= 3, `${compared} parameters were compared`);
    // It is good enough to be compared with: uploaded, it documents what it was made of.
    const answer = await pair.admin('api/v1/documents', { method: 'POST', body: JSON.stringify(document) });
    assert.equal(answer.status, 201, await answer.text());
    assert.deepEqual((await all(pair, 'endpoints?inventory=shadow')).map(named), []);
  });
});

describe('operations of GraphQL and JSON-RPC', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
  });
  after(() => pair?.stop());

  test('are endpoints of their own, found by their name and by their path', async () => {
    const json = (visit, target, body, status) => visit(target, {
      method: 'POST', status, headers: [['Content-Type', 'application/json']], body: JSON.stringify(body),
    });
    const [ann, bob] = ['ann', 'bob'].map((name) => client(pair, { cookie: `sid=${name}` }));
    await json(ann, '/graphql', { query: 'query Cart { cart { id } }' });
    await json(ann, '/graphql', { query: 'mutation Pay($id: ID!) { pay(id: $id) { id } }', variables: { id: '7' } });
    await json(bob, '/graphql', { query: 'query Cart { cart { id } }' });
    await json(bob, '/graphql', { query: 'query MadeUp { nothing }' }, 400);
    await json(bob, '/rpc', { jsonrpc: '2.0', id: 1, method: 'orders.create' });
    await json(bob, '/search', { query: 'shoes' });
    await recorded(pair, 6);
    const endpoints = await waitFor(async () => {
      const items = await all(pair, 'endpoints');
      return items.reduce((sum, { calls }) => sum + calls, 0) >= 5 && items;
    }, { what: 'the endpoints to be counted' });
    assert.deepEqual(endpoints.map(named).sort(), ['POST /graphql#mutation Pay', 'POST /graphql#query Cart', 'POST /rpc#orders.create', 'POST /search']);
    const find = async (query) => (await all(pair, `sessions?${query}`)).length;
    const { id, host } = endpoints.find(({ template }) => template === '/graphql#query Cart');
    assert.equal((await all(pair, `endpoints/${id}/sessions`)).length, 2);
    assert.equal(await find(`endpoint=${encodeURIComponent(`POST ${host}/graphql#mutation Pay`)}`), 1);
    assert.equal(await find('endpoint=/graphql'), 2);
    assert.equal((await all(pair, `events?endpoint=${encodeURIComponent('/graphql#query Cart')}`)).length, 2);
    const { paths } = await ask(pair, 'endpoints/openapi.json');
    assert.deepEqual(Object.keys(paths).sort(), ['/graphql', '/rpc', '/search']);
  });
});

describe('documents through the API', { skip: notOurs }, () => {
  let pair;
  let visit;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
    visit = client(pair, { cookie: 'sid=ann' });
  });
  after(() => pair?.stop());

  const upload = async (body) => {
    const answer = await pair.admin('api/v1/documents', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  const version = (number, paths) => ({ openapi: '3.0.3', info: { title: 'Orders', version: number }, paths });
  const get = { get: { responses: { 200: { description: 'ok' } } } };
  let visits = 0;
  const state = async (path, options) => {
    visits += 1;
    await visit(`${path}?n=${visits}`, options);
    await recorded(pair, visits);
    const { items } = await ask(pair, 'events?limit=1');
    return [items[0].inventory, items[0].endpoint.replace(/^\S+ [^/]+/, '')];
  };

  test('one that is uploaded is compared with within seconds, in its newest version', async () => {
    assert.deepEqual(await state('/orders/7'), [null, '/orders/{integer}']);
    const first = await upload(version('1', { '/orders/{order}': get, '/orders/{order}/label': get }));
    assert.equal(first.status, 201);
    assert.deepEqual([first.body.operations, first.body.changes], [2, null]);
    await waitFor(async () => (await state('/orders/7'))[0] === 'documented', { what: 'isolates to know it' });
    assert.deepEqual(await state('/orders/7'), ['documented', '/orders/{order}']);
    assert.deepEqual(await state('/orders/latest/label/'), ['documented', '/orders/{order}/label']);
    assert.deepEqual(await state('/hidden'), ['shadow', '/hidden']);
    assert.deepEqual(await state('/gone', { status: 404 }), [null, '/gone']);
    const second = await upload('openapi: 3.1.0\ninfo: {title: Orders, version: "2"}\npaths:\n  /orders/{id}:\n    get: {deprecated: false, responses: {200: {description: ok}}}\n');
    assert.deepEqual(second.body.changes, { since: '1', added: [], removed: ['GET /orders/{order}/label'], deprecated: [], secured: [], opened: [], contracts: [] });
    await waitFor(async () => (await state('/orders/7/label'))[0] === 'zombie', { what: 'isolates to know the second version' });
    const rows = await all(pair, 'endpoints');
    const row = (template) => rows.find((each) => each.template === template);
    assert.deepEqual([row('/hidden').inventory, row('/orders/{order}/label').inventory], ['shadow', 'zombie']);
    assert.equal(row('/gone'), undefined);
    assert.equal(rows.filter(({ template }) => template.startsWith('/orders/{') && !template.endsWith('label')).length, 1, 'what was seen before the document is under its name');
    assert.deepEqual((await ask(pair, 'documents')).items.map(({ id, version: number }) => [id, number]), [[2, '2'], [1, '1']]);
    assert.equal((await pair.admin('api/v1/documents/1', { method: 'DELETE' })).status, 204);
    await waitFor(async () => (await state('/orders/7/label'))[0] === 'shadow', { what: 'isolates to forget the first version' });
  });

  test('one that is broken is refused with its pointers, and changes nothing', async () => {
    const { items: kept } = await ask(pair, 'documents');
    const broken = version('3', { 'orders': get, '/a/{': get, '/b': { get: 7 }, '/c': { $ref: '#/nowhere' } });
    const refused = await problem(await pair.admin('api/v1/documents', { method: 'POST', body: JSON.stringify(broken) }), 400);
    for (const pointer of ['/paths/orders', '/paths/~1a~1{', '/paths/~1b/get', '/paths/~1c/$ref']) assert.ok(refused.detail.includes(pointer), refused.detail);
    for (const body of ['', '[', 'a: &a [*a]', '{"swagger":"2.0"}', 'x'.repeat(100)]) {
      await problem(await pair.admin('api/v1/documents', { method: 'POST', body }), 400, body);
    }
    await problem(await pair.admin('api/v1/documents', { method: 'POST', body: 'x', token: pair.tokens.viewer }), 403);
    assert.deepEqual((await ask(pair, 'documents')).items, kept);
  });
});
