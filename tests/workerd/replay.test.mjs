// A dry run of another policy: over stored sessions, and over a HAR file; what it says it would do is what the policy does.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { policy } from '../../examples/shop/policy.mjs';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, client, order, problem, recorded } from './scene.mjs';
import { faults } from './schema.mjs';

const JSON_TYPE = [['Content-Type', 'application/json']];
const VARS = {
  DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20 },
  SESSION_KEYS: [{ from: 'request.cookie.sid' }],
  PARAMETERS: [{ name: 'total', from: 'request.body#/total', on: 'POST /orders', type: 'number' }],
  WATCHES: [{ parameter: 'total', kind: 'threshold', above: 1_000 }],
};
const entry = (path, { cookie = 'sid=ann', device = 'd1', body, at = 0 } = {}) => ({
  startedDateTime: new Date(1_770_000_000_000 + at * 1000).toISOString(),
  request: {
    method: body ? 'POST' : 'GET', url: `https://shop.test${path}`,
    headers: [{ name: 'Cookie', value: cookie }, { name: 'X-Device', value: device }, { name: 'Content-Type', value: 'application/json' }],
    ...(body && { postData: { text: JSON.stringify(body) } }),
  },
  response: { status: 200, headers: [], content: {} },
});

describe('a dry run', { skip: notOurs }, () => {
  let pair;
  let document;
  before(async () => {
    pair = await startPair({ vars: VARS });
    document = await (await pair.admin('openapi.json')).json();
    let count = 0;
    for (const [name, totals] of [['ann', [10, 20]], ['bob', [600, 700, 5_000]], ['eve', [2_000]]]) {
      const visit = client(pair, { cookie: `sid=${name}` });
      for (const total of totals) await visit('/orders', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ total }) });
      count += totals.length;
    }
    await recorded(pair, count);
  });
  after(() => pair?.stop());

  async function replay(body) {
    const answer = await ask(pair, 'replay', order(body));
    assert.deepEqual(faults(document, document.components.schemas.Replay, answer), []);
    return answer;
  }
  const watch = (more) => [{ parameter: 'total', kind: 'threshold', ...more }];
  const counts = ({ findings: { added, gone, same } }) => ({ added, gone, same });

  test('of the policy in force changes nothing', async () => {
    const answer = await replay({ policy: { WATCHES: VARS.WATCHES } });
    assert.deepEqual([answer.sessions, answer.requests, answer.partial, answer.next], [3, 6, false, null]);
    assert.deepEqual(counts(answer), { added: 0, gone: 0, same: 2 });
    assert.deepEqual(answer.stopped, { now: { throttled: 0, blocked: 0 }, then: { throttled: 0, blocked: 0 } });
  });

  test('says which findings would be there, and of whom', async () => {
    const answer = await replay({ policy: { WATCHES: watch({ above: 500 }) }, from: '-1h' });
    // Once a window for each session: bob's first order instead of his last.
    assert.deepEqual(counts(answer), { added: 1, gone: 1, same: 1 });
    const [bob] = (await ask(pair, 'sessions?param.total=eq:600')).items;
    assert.deepEqual(answer.findings.by_detector.map(({ detector, sessions }) => [detector, sessions]), [['param_threshold', [bob.id]]]);
    assert.deepEqual(counts(await replay({ policy: { WATCHES: [] } })), { added: 0, gone: 2, same: 0 });
  });

  test('says which requests would have been stopped', async () => {
    const blocking = await replay({ policy: { WATCHES: watch({ above: 500, action: 'block' }) } });
    assert.deepEqual(blocking.stopped.then, { throttled: 0, blocked: 2 }, "bob's orders after his first");
    const inline = await replay({ policy: {
      WATCHES: watch({ above: 650, action: 'throttle' }), ROUTES: [{ match: 'POST /orders', decide: 'inline' }],
    } });
    assert.deepEqual(inline.stopped.then, { throttled: 3, blocked: 0 }, 'the very orders');
  });

  test('tries flows', async () => {
    const answer = await replay({ policy: {
      FLOWS: [{ name: 'one-order', steps: ['POST /orders'], limit: { per: 'session', window: '1h', completions: 1 } }],
      DETECTORS: { automation: 'off' },
    } });
    assert.ok(answer.findings.by_detector.some(({ detector, added }) => detector === 'flow_violation' && added > 0), JSON.stringify(answer.findings));
  });

  test('leaves no trace but its note', async () => {
    const before = await ask(pair, 'stats');
    await replay({ policy: { WATCHES: watch({ above: 1, action: 'block' }) } });
    assert.deepEqual((await ask(pair, 'stats')).total, before.total);
    assert.deepEqual((await ask(pair, 'blocks')).items, []);
    const [note] = (await ask(pair, 'audit?limit=1')).items;
    assert.deepEqual([note.act, note.actor, note.detail], ['replay', 'admin', 'stored sessions']);
  });

  test('is for viewers too', async () => {
    const answer = await pair.admin('api/v1/replay', { ...order({ policy: { WATCHES: [] } }), token: pair.tokens.viewer });
    assert.equal(answer.status, 200, await answer.text());
  });

  test('sees only what lies in the time asked for', async () => {
    const answer = await replay({ policy: { WATCHES: [] }, from: '2020-01-01T00:00:00Z', to: '2020-01-02T00:00:00Z' });
    assert.deepEqual([answer.sessions, answer.requests], [0, 0]);
  });

  test('of keys says which sessions of a HAR would be split or joined', async () => {
    const har = { log: { entries: [
      entry('/a'), entry('/b', { device: 'd2', at: 1 }), entry('/c', { cookie: 'sid=bob', device: 'd2', at: 2 }),
    ] } };
    const { grouping, sessions, requests } = await replay({ policy: { SESSION_KEYS: [{ from: 'request.header.x-device' }] }, har });
    assert.deepEqual([sessions, requests], [2, 3]);
    assert.deepEqual([grouping.sessions_now, grouping.sessions_then, grouping.split.length, grouping.joined.length], [2, 2, 1, 1]);
    assert.deepEqual([grouping.split[0].requests, grouping.split[0].others.length], [2, 2]);
  });

  test('of parameters says what a HAR holds of them', async () => {
    const har = { log: { entries: [
      entry('/orders', { body: { total: 10, sum: '12,50 €' } }), entry('/orders', { body: { total: 9_000, sum: 'lots' }, at: 1 }),
    ] } };
    const answer = await replay({ policy: {
      PARAMETERS: [{ name: 'sum', from: 'request.body#/sum', on: 'POST /orders', type: 'number' }],
      WATCHES: [{ parameter: 'sum', kind: 'threshold', above: 12 }],
    }, har });
    assert.deepEqual(answer.parameters, [{ name: 'sum', now: 0, then: 2, invalid: 2 }, { name: 'total', now: 2, then: 0, invalid: 0 }]);
    assert.deepEqual(counts(answer), { added: 0, gone: 1, same: 0 });
  });

  for (const [name, body, path] of [
    ['an unknown parameter', { policy: { WATCHES: [{ parameter: 'nothing', kind: 'threshold', above: 1 }] } }, 'policy.WATCHES[0].parameter'],
    ['an unknown field', { policy: { WATCHES: [{ parameter: 'total', kind: 'threshold', abowe: 1 }] } }, 'policy.WATCHES[0].abowe'],
    ['another shape', { policy: { FLOWS: {} } }, 'policy.FLOWS'],
    ['keys without a HAR', { policy: { SESSION_KEYS: [] } }, 'policy.SESSION_KEYS'],
    ['a section that cannot be tried', { policy: { SHARDS: 3 } }, 'policy.SHARDS'],
    ['nothing to try', { policy: {} }, 'policy'],
    ['no time', { policy: { WATCHES: [] }, from: 'yesterday' }, 'from'],
    ['a time beside a HAR', { policy: { WATCHES: [] }, from: '-1h', har: { log: { entries: [] } } }, 'from'],
  ]) {
    test(`is refused for ${name}, by its place`, async () => {
      const refusal = await problem(await pair.admin('api/v1/replay', order(body)), 400, name);
      assert.equal(refusal.parameter, path, refusal.detail);
      assert.ok(refusal.detail.includes(path), refusal.detail);
    });
  }

  test('is refused without a policy', async () => {
    await problem(await pair.admin('api/v1/replay', order({})), 400);
    await problem(await pair.admin('api/v1/replay', { ...order({}), token: 'nobody-at-all-here' }), 401);
  });
});

describe("the shop's policy", { skip: notOurs }, () => {
  test('is one that the reader takes, as the schema says', async () => {
    const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../schema/policy.json'), 'utf8'));
    const { patternProperties, title, $schema, $id, $defs, ...top } = schema;
    assert.deepEqual(faults(schema, top, policy()), []);
    const pair = await startPair({ vars: policy() });
    try {
      const health = await (await pair.admin('healthz')).json();
      assert.deepEqual([health.status, health.problems], ['ok', undefined]);
    } finally {
      await pair.stop();
    }
  });
});
