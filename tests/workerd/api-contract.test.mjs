// openapi.json is true: what it names is there and nothing else is, every parameter it describes is taken and every
// other refused, and each answer, good or bad, has the shape it gives. A refusal for lack of room (409) needs 50,000
// blocks and is left to the native tests.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client, order, problem, recorded } from './scene.mjs';
import { faults, followed, resolve } from './schema.mjs';

const FILE = new URL('../../src/api/openapi.json', import.meta.url);
const document = JSON.parse(readFileSync(FILE, 'utf8'));
const SECRET = 'a-session-secret-that-nobody-may-see';
const NOBODY = '00112233445566778899aabbccddeeff';
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'options'];

const operations = Object.entries(document.paths).flatMap(([path, item]) => METHODS.filter((method) => method in item).map((method) => ({
  path, method: method.toUpperCase(), ...item[method],
  parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((each) => followed(document, each)),
})));
const named = Object.fromEntries(operations.map((operation) => [operation.operationId, operation]));
const queries = ({ parameters }) => parameters.filter((each) => each.in === 'query');

describe('openapi.json', { skip: notOurs }, () => {
  let pair;
  let session;
  let finding;
  let endpoint;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, MODE: 'enforce', SESSION_SECRET: SECRET } });
    const ann = client(pair, { ip: '203.0.113.10', country: 'DE', asn: 3320, ja4: 't13d1516h2_8daaf6152771_02713d6af862', cookie: 'sid=ann' });
    await ann('/api/orders/1');
    await ann('/api/orders', { method: 'POST', body: '{}', headers: [['Session-Context', 'id=1']] });
    await ann('/api/orders/2', { headers: [['x-answer', 'reset']] });
    const scanner = client(pair, { ip: '2001:db8::7', agent: null });
    for (let i = 0; i < 12; i += 1) await scanner(`/admin/${'abcdefghijkl'[i]}`, { status: 404 });
    await recorded(pair, 15);
    session = (await ask(pair, 'sessions?ip=203.0.113.10')).items[0].id;
    finding = (await ask(pair, 'events?detector=forced_browsing')).items[0].findings[0].id;
    const { body } = order(named.addDocument.requestBody.content['application/json'].example);
    assert.equal((await ask(pair, 'documents', { method: 'POST', body })).id, 1);
    endpoint = await waitFor(async () => (await ask(pair, 'endpoints?method=GET')).items.find(({ calls }) => calls > 0)?.id, { what: 'an endpoint' });
  });
  after(() => pair?.stop());

  /** What stands for {id} where it is not a session's. */
  const others = { '/api/v1/share/{id}': '0123456789abcdef', '/api/v1/alerts/{id}/retry': `msg_${'0'.repeat(32)}` };
  const filled = (operation, { id = session, kind = 'user', value = 'ann' } = {}) =>
    operation.path.replace('{id}', others[operation.path] ?? id).replace('{finding}', finding).replace('{endpoint}', endpoint).replace('{document}', '1').replace('{kind}', kind).replace('{value}', encodeURIComponent(value)).slice(1);

  /** Calls an operation and checks the answer against the document; answers the parsed body. */
  async function call(operationId, expected, { id, kind, value, query = '', ...init } = {}) {
    const operation = named[operationId];
    const answer = await pair.admin(`${filled(operation, { id, kind, value })}${query}`, { method: operation.method, ...init });
    // A stream does not end; its beginning is there at once.
    const streams = answer.body !== null && answer.headers.get('content-type')?.startsWith('text/event-stream');
    const text = streams ? await beginning(answer) : await answer.text();
    assert.equal(answer.status, expected, text);
    const described = followed(document, operation.responses[expected] ?? assert.fail(`${operationId} does not describe ${expected}`));
    for (const header of Object.keys(described.headers ?? {})) assert.ok(answer.headers.has(header), `${operationId} ${expected}: ${header}`);
    if (described.content === undefined) return assert.equal(text, '');
    const type = answer.headers.get('content-type');
    assert.ok(type in described.content, `${operationId} answers ${expected} as ${type}`);
    const body = /^application\/(problem\+)?json$/.test(type) ? JSON.parse(text) : text;
    assert.deepEqual(faults(document, described.content[type].schema, body), [], `${operationId} ${expected}`);
    return body;
  }

  test('is served as it is in the repository', async () => {
    assert.deepEqual(await call('getOpenApi', 200), document);
  });

  test('is OpenAPI 3.1 whose references all lead somewhere and whose operations have names of their own', () => {
    assert.match(document.openapi, /^3\.1\.\d+$/);
    for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)) resolve(document, reference);
    for (const kind of ['parameters', 'responses', 'schemas']) {
      for (const name of Object.keys(document.components[kind])) {
        assert.ok(JSON.stringify(document).includes(`"#/components/${kind}/${name}"`), `${kind}/${name} is used`);
      }
    }
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
    for (const { operationId, summary, parameters } of operations) {
      assert.ok(operationId && summary, operationId);
      assert.equal(new Set(parameters.map(({ name }) => name)).size, parameters.length, operationId);
      for (const { name, description, schema } of parameters) assert.ok(description && schema, `${operationId} ${name}`);
    }
  });

  test('names exactly the methods that its paths take, and who needs a token', async () => {
    for (const path of Object.keys(document.paths)) {
      const there = operations.filter((operation) => operation.path === path);
      const url = `${pair.worker.url}/_throughline/${filled(there[0], { id: NOBODY })}`;
      for (const method of METHODS.map((each) => each.toUpperCase())) {
        const operation = there.find((each) => each.method === method);
        const { status } = await fetch(url, { method });
        const open = operation?.security?.some((each) => Object.keys(each).length === 0);
        assert.equal(status, operation === undefined ? 405 : open ? 200 : 401, `${method} ${path}`);
      }
    }
  });

  for (const operation of operations.filter(({ method }) => method === 'GET')) {
    test(`describes the parameters of ${operation.path}, each of which is taken`, async () => {
      for (const { name, schema, example } of queries(operation).filter((each) => each.name !== 'cursor')) {
        const { type, items, enum: values = items && followed(document, items).enum, minimum } = followed(document, schema);
        const value = [example ?? values?.[0] ?? minimum].flat()[0];
        const needed = name === 'bucket' ? '&from=-1h' : '';
        const query = `?${encodeURIComponent(name)}=${encodeURIComponent(value)}${needed}`;
        // Of a stream the head says as much, and nothing stays open.
        const method = operation.operationId === 'streamEvents' ? 'HEAD' : 'GET';
        await call(operation.operationId, 200, { query, method });
        if (type === 'array') await call(operation.operationId, 200, { query: `${query}&${query.slice(1)}`, method });
        if (items !== undefined) assert.deepEqual(faults(document, items, value), [], `${name}=${value}`);
      }
    });
  }

  for (const operation of operations.filter(({ path }) => path.startsWith('/api/'))) {
    test(`leaves out no parameter that ${operation.method} ${operation.path} takes`, async () => {
      const own = new Set(queries(operation).map(({ name }) => name));
      const others = new Set(operations.flatMap(queries).filter(({ name }) => !own.has(name)).map(({ name }) => name));
      for (const name of others) {
        const needed = operation.operationId === 'liftBlock' ? 'kind=ip&value=192.0.2.1&' : '';
        const body = operation.requestBody && JSON.stringify(operation.requestBody.content['application/json'].example);
        const answer = await pair.admin(`${filled(operation)}?${needed}${encodeURIComponent(name)}=1`,
          { method: operation.method, body });
        assert.equal((await problem(answer, 400, name)).parameter, name);
      }
    });
  }

  test('gives the shape of every answer', async () => {
    for (const operationId of ['getHealth', 'getMetrics', 'getPolicy', 'getStats', 'getRollups', 'listFindings', 'listEndpoints', 'getDiscovered', 'getEndpoint', 'listEndpointSessions', 'listDocuments', 'getDocument', 'listShares', 'listAlerts']) await call(operationId, 200);
    await call('getHealth', 200, { token: 'none' });
    await call('getStats', 200, { query: '?group_by=country&bucket=1m&from=-1h' });
    const { items: sessions } = await call('listSessions', 200);
    assert.deepEqual(sessions.map(({ state }) => state).sort(), ['clear', 'flagged']);
    for (const { id } of sessions) {
      await call('getSession', 200, { id });
      await call('getStory', 200, { id });
    }
    await call('listSessions', 200, { query: '?limit=1' });
    assert.ok((await call('getFinding', 200)).before.length > 0);
    for (const operationId of ['listNeighbours', 'listLabels', 'getDryRun']) await call(operationId, 200);
    const address = await call('getSubject', 200, { kind: 'ip', value: '203.0.113.10' });
    assert.deepEqual(address.sessions.items.map(({ value }) => value), [session]);
    await call('getSubject', 200, { kind: 'session', value: session });
    const { items: events } = await call('listEvents', 200, { query: '?limit=500' });
    assert.ok(events.some(({ findings }) => findings.length > 0) && events.some(({ marks }) => marks.includes('spoofed')));
    assert.ok(events.some(({ marks }) => marks.includes('origin_failed')));
    await call('listSessionEvents', 200, { query: '?limit=1' });
    assert.equal((await call('lookUpSession', 200, { body: '{"value":"ann"}' })).items.length, 1);
    const blocked = JSON.stringify({ kind: 'ip', value: '2001:db8:9::1', action: 'throttle', for: '1m' });
    await call('imposeBlock', 201, { body: blocked });
    await call('actOnSession', 200, { body: '{"action":"block","for":"1m","reason":"test"}' });
    assert.equal((await call('listBlocks', 200)).items.length, 2);
    await call('liftBlock', 204, { query: '?kind=ip&value=2001:db8:9::1/64' });
    await call('actOnSession', 200, { body: '{"action":"allow"}' });
    assert.ok((await call('listAudit', 200)).items.length >= 4);
  });

  test('gives the shape of every refusal', async () => {
    for (const { operationId, responses, requestBody } of operations) {
      if (responses[401]) await call(operationId, 401, { token: 'none' });
      const elsewhere = operationId === 'callMcp' ? { Origin: 'https://other.example' } : {};
      if (responses[403]) await call(operationId, 403, { token: pair.tokens.viewer, headers: elsewhere, body: requestBody && '{}' });
      if (responses[413]) await call(operationId, 413, { body: ' '.repeat(['identify', 'replay', 'addDocument'].includes(operationId) ? 4_194_305 : 65_537) });
      if (responses[400]) await call(operationId, 400, requestBody ? { body: '{}' } : { query: '?colour=red' });
    }
    for (const operationId of ['getSession', 'listSessionEvents', 'actOnSession']) {
      await call(operationId, 404, { id: NOBODY, body: operationId === 'actOnSession' ? '{"action":"block"}' : undefined });
    }
    await call('unlearnEndpoint', 409);
    for (const kind of ['user', 'planet']) await call('getSubject', 404, { kind, value: 'nobody' });
    await call('getSubject', 400, { kind: 'ip', value: 'mars' });
    await call('liftBlock', 404, { query: '?kind=ip&value=192.0.2.1' });
    for (const operationId of ['unshare', 'retryAlert']) await call(operationId, 404);
    await call('exportSession', 404, { id: NOBODY });
  });

  test('has bodies for examples that are taken', async () => {
    for (const { operationId, requestBody } of operations.filter((each) => each.requestBody)) {
      const { schema, example } = requestBody.content['application/json'];
      assert.deepEqual(faults(document, schema, example), [], operationId);
      await call(operationId, ['imposeBlock', 'addDocument', 'share'].includes(operationId) ? 201 : 200, { body: JSON.stringify(example) });
    }
    await call('removeDocument', 204);
  });

  test('metrics are Prometheus text whose counters follow the traffic', async () => {
    const read = async () => parse(await call('getMetrics', 200));
    const before = await read();
    const stopped = client(pair, { ip: '203.0.113.7' });
    await waitFor(async () => (await stopped('/blocked')).status === 403, { what: 'the example\'s block' });
    await waitFor(async () => (await read()).total('throughline_events_total') > before.total('throughline_events_total'), { what: 'the event to be counted' });
    const now = await read();
    assert.ok(now.total('throughline_stopped_total') > before.total('throughline_stopped_total'));
    assert.deepEqual([now.total('throughline_findings_total'), now.total('throughline_origin_failures_total')], [1, 1]);
    for (const zero of ['events_dropped', 'flushes_refused', 'corrupt_rows', 'flush_failures', 'undecided']) {
      assert.equal(now.total(`throughline_${zero}_total`), 0, zero);
    }
    assert.equal(now.total('throughline_shards_missing'), 0);
  });

  test('the policy shows what is configured and no secret', async () => {
    const policy = await call('getPolicy', 200);
    assert.deepEqual([policy.mode, policy.origin, policy.shards, policy.development.client_headers], ['enforce', pair.origin.url, 1, true]);
    for (const secret of [SECRET, pair.tokens.admin, pair.tokens.viewer]) assert.ok(!JSON.stringify(policy).includes(secret));
  });
});

/** The first part of a body that goes on. */
async function beginning(answer) {
  const reader = answer.body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}

/** Reads the text format: fails on what it does not allow; total(name) adds up a metric's series. */
function parse(text) {
  const types = new Map();
  const series = new Map();
  assert.ok(text.endsWith('\n'));
  for (const line of text.trimEnd().split('\n')) {
    const [, kind, about, rest] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      assert.ok(!types.has(about), `${about} twice`);
      types.set(about, null);
    } else if (kind === 'TYPE') {
      assert.equal(types.get(about), null, `TYPE of ${about} after its HELP`);
      assert.match(rest, /^(counter|gauge)$/);
      types.set(about, rest);
    } else {
      const [, name, , value] = /^([a-z_]+)(\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? (\d+)$/.exec(line) ?? assert.fail(line);
      assert.equal(types.get(name), name.endsWith('_total') ? 'counter' : 'gauge', name);
      const key = line.slice(0, line.lastIndexOf(' '));
      assert.ok(!series.has(key), `${key} twice`);
      series.set(key, Number(value));
    }
  }
  return { total: (name) => {
    const values = [...series].filter(([key]) => key === name || key.startsWith(`${name}{`)).map(([, value]) => value);
    return values.length > 0 ? values.reduce((a, b) => a + b) : assert.fail(`no ${name}`);
  } };
}
