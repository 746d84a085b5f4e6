// Who may ask the API, and that whatever it does not describe is refused by name. What is wrong with parameters and
// bodies is in api-refusals.test.mjs, what it describes in api-contract.test.mjs, health in api-health.test.mjs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { ask, client, order, problem, recorded } from './scene.mjs';

const NOBODY = '00112233445566778899aabbccddeeff';
const LOOKING = [['GET', 'openapi.json'], ['GET', 'metrics'], ['GET', 'api/v1/policy'], ['GET', 'api/v1/sessions'],
  ['GET', 'api/v1/events'], ['GET', 'api/v1/stats'], ['GET', 'api/v1/blocks'], ['GET', 'api/v1/audit'],
  ['POST', 'api/v1/lookup', { value: 'abc' }]];
const ACTING = [['POST', `api/v1/sessions/${NOBODY}/actions`, { action: 'block' }],
  ['POST', 'api/v1/blocks', { kind: 'ip', value: '192.0.2.9' }], ['DELETE', 'api/v1/blocks?kind=ip&value=192.0.2.9']];

describe('the API', { skip: notOurs }, () => {
  let pair;
  let session;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
    await client(pair, { cookie: 'sid=ann' })('/api/orders/1');
    await recorded(pair, 1);
    session = (await ask(pair, 'sessions')).items[0].id;
  });
  after(() => pair?.stop());

  const call = ([method, path, body], options = {}) =>
    pair.admin(path, { method, ...options, ...(body ? { body: JSON.stringify(body) } : {}) });

  test('refuses whoever brings no token or not one of the two', async () => {
    const { admin } = pair.tokens;
    for (const operation of [...LOOKING, ...ACTING, ['GET', `api/v1/sessions/${session}`], ['GET', `api/v1/sessions/${session}/events`]]) {
      for (const Authorization of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${admin}x`, `Bearer ${admin.slice(1)}`,
        `Basic ${admin}`, admin, `Bearer ${admin.toLowerCase()}`]) {
        const [method, path, body] = operation;
        const answer = await fetch(`${pair.worker.url}/_throughline/${path}`, {
          method, body: body && JSON.stringify(body), headers: Authorization === undefined ? {} : { Authorization } });
        const refusal = await problem(answer, 401, `${method} ${path} with ${Authorization}`);
        assert.match(answer.headers.get('www-authenticate'), /^Bearer\b/);
        assert.equal(refusal.parameter, undefined);
      }
    }
  });

  test('takes no token from the query, a cookie or another header', async () => {
    const { admin } = pair.tokens;
    for (const [query, headers] of [[`?token=${admin}`, {}], [`?access_token=${admin}`, {}], ['', { Cookie: `token=${admin}` }], ['', { 'X-Api-Key': admin }]]) {
      await problem(await fetch(`${pair.worker.url}/_throughline/api/v1/stats${query}`, { headers }), 401);
    }
  });

  test('takes the scheme in any case', async () => {
    const answer = await fetch(`${pair.worker.url}/_throughline/api/v1/stats`, { headers: { Authorization: `bEaReR ${pair.tokens.admin}` } });
    assert.equal(answer.status, 200);
  });

  test('lets a viewer look', async () => {
    const looking = [...LOOKING, ['GET', `api/v1/sessions/${session}`], ['GET', `api/v1/sessions/${session}/events`]];
    for (const operation of looking) assert.equal((await call(operation, { token: pair.tokens.viewer })).status, 200, operation.join(' '));
  });

  test('lets no viewer act, and nothing is done', async () => {
    const acting = [...ACTING, ['POST', `api/v1/sessions/${session}/actions`, { action: 'block' }]];
    for (const operation of acting) await problem(await call(operation, { token: pair.tokens.viewer }), 403, operation.join(' '));
    // A body that is wrong as well changes nothing about who may not act.
    await problem(await pair.admin('api/v1/blocks', { method: 'POST', body: '{', token: pair.tokens.viewer }), 403);
    assert.deepEqual([(await ask(pair, 'blocks')).items, (await ask(pair, 'audit')).items], [[], []]);
  });

  for (const path of ['', '/', 'api', 'api/v1', 'api/v1/', 'api/v2/sessions', 'api/v1/session', 'api/v1/sessions/', 'sessions',
    `api/v1/sessions/${NOBODY}/`, `api/v1/sessions/${NOBODY}/history`, 'healthz/', '/healthz', 'HEALTHZ', 'metrics.json']) {
    test(`has nothing at /_throughline/${path}`, async () => { await problem(await pair.admin(path), 404); });
  }

  for (const id of ['xyz', NOBODY.slice(1), `${NOBODY}0`, `g${NOBODY.slice(1)}`, '%20', 'null']) {
    test(`knows no session by ${id}`, async () => {
      for (const [method, rest] of [['GET', ''], ['GET', '/events'], ['POST', '/actions']]) {
        await problem(await pair.admin(`api/v1/sessions/${id}${rest}`, method === 'POST' ? order({ action: 'block' }) : {}), 404);
      }
    });
  }

  test('says of a session that never was that it is not there', async () => {
    for (const rest of ['', '/events']) await problem(await pair.admin(`api/v1/sessions/${NOBODY}${rest}`), 404);
    await problem(await pair.admin(`api/v1/sessions/${NOBODY}/actions`, order({ action: 'block' })), 404);
    assert.deepEqual((await ask(pair, 'blocks')).items, []);
  });

  test('finds a session by its id in capitals', async () => {
    assert.equal((await ask(pair, `sessions/${session.toUpperCase()}`)).id, session);
  });

  for (const [path, allowed] of [['healthz', 'GET'], ['openapi.json', 'GET'], ['metrics', 'GET'], ['api/v1/policy', 'GET'],
    ['api/v1/sessions', 'GET'], [`api/v1/sessions/${NOBODY}`, 'GET'], [`api/v1/sessions/${NOBODY}/events`, 'GET'],
    [`api/v1/sessions/${NOBODY}/actions`, 'POST'], ['api/v1/events', 'GET'], ['api/v1/stats', 'GET'], ['api/v1/lookup', 'POST'],
    ['api/v1/blocks', 'GET, POST, DELETE'], ['api/v1/audit', 'GET']]) {
    test(`answers other methods on ${path} with 405 and ${allowed}`, async () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].filter((each) => !allowed.includes(each))) {
        const answer = await pair.admin(path, { method });
        await problem(answer, 405, method);
        const named = answer.headers.get('allow').split(/,\s*/);
        for (const each of allowed.split(', ')) assert.ok(named.includes(each), `Allow: ${named}`);
        assert.ok(!named.includes(method), `Allow: ${named}`);
      }
    });
  }

  test('answers HEAD like GET, without the body', async () => {
    for (const [method, path] of LOOKING.filter(([each]) => each === 'GET')) {
      const [head, get] = [await pair.admin(path, { method: 'HEAD' }), await pair.admin(path, { method })];
      assert.deepEqual([head.status, head.headers.get('content-type'), await head.text()], [get.status, get.headers.get('content-type'), ''], path);
    }
  });

  test('lets nobody keep or reinterpret an answer, whatever it is', async () => {
    const answers = [
      ...await Promise.all(LOOKING.map((operation) => call(operation))), await pair.admin('healthz'),
      await pair.admin('api/v1/blocks', order({ kind: 'ip', value: '192.0.2.9' })),
      await pair.admin('api/v1/blocks?kind=ip&value=192.0.2.9', { method: 'DELETE' }), await pair.admin('nothing'),
      await pair.admin('metrics', { method: 'POST' }), await pair.admin('metrics', { token: 'x' }), await pair.admin('api/v1/events?x=1'),
      await call(ACTING[1], { token: pair.tokens.viewer }),
    ];
    assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 201, 204, 400, 401, 403, 404, 405]);
    for (const { headers, url, status } of answers) {
      assert.deepEqual([headers.get('cache-control'), headers.get('x-content-type-options')], ['no-store', 'nosniff'], `${url} ${status}`);
    }
  });
});
