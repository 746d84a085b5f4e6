// Verdicts while a shard is in trouble: routes that only observe pass, routes that decide follow `on_error`, and guesses
// that were let go on are counted although their outcome cannot be recorded.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startFaultyPair } from './faults.mjs';
import { notOurs, waitFor } from './harness.mjs';
import { ask, client, sentProblem } from './scene.mjs';

const LOGIN = { match: 'POST /api/login', decide: 'inline', deadline_ms: 5_000 };
const VARS = {
  DEV_CLIENT_HEADERS: true, MODE: 'enforce', LIMITS: { flush_ms: 50, unproven_sessions: 10_000, unproven_device_sessions: 10_000 },
  DETECTORS: { brute_force: { limit: 10, action: 'block', for: '10m' } },
};
const guess = (visit, target = '/api/login') => visit(target, { method: 'POST', status: 401 });

describe('while the shard fails', { skip: notOurs }, () => {
  let pair;
  const reached = (target) => pair.origin.requests.filter((request) => request.target === target).length;
  before(async () => {
    pair = await startFaultyPair({ vars: { ...VARS, ROUTES: [{ ...LOGIN, on_error: 'closed' }, { match: 'POST /open/*', decide: 'inline', on_error: 'open', deadline_ms: 200 }] } });
    await client(pair, { cookie: 'sid=first' })('/first');
    await ask(pair, 'stats');
  });
  after(() => pair?.stop());

  for (const fault of ['fail', 'overloaded', 'hang']) test(`(${fault}) observing routes pass, deciding routes do what they say`, async () => {
    await pair.fault({ 'shard-1-0 /ask': fault, 'shard-1-0 /flush': fault });
    const visit = client(pair, { cookie: `sid=${fault}`, ip: '192.0.2.1' });
    const before = reached('/api/login');
    assert.equal((await visit(`/api/products/${fault}`)).status, 200, 'observed');
    assert.equal((await guess(visit, `/open/${fault}`)).status, 401, 'it fails open');
    sentProblem(await guess(visit), 503);
    assert.equal(reached('/api/login'), before, 'it fails closed, before the origin');
    await pair.fault({});
    assert.equal((await guess(visit)).status, 401, 'and goes on when the shard is back');
  });

  test('what passed meanwhile is recorded once it is back, and marked', async () => {
    await waitFor(async () => (await ask(pair, 'events?method=POST&q=/open/&limit=100')).items.length === 3, { what: 'what passed', timeout: 20_000 });
    assert.match(await (await pair.admin('metrics')).text(), /^throughline_undecided_total [1-9]/m);
  });
});

test('guesses at once are that many although no outcome can be recorded', { skip: notOurs }, async () => {
  const pair = await startFaultyPair({ vars: { ...VARS, ROUTES: [{ ...LOGIN, on_error: 'closed' }] } });
  try {
    await client(pair, { cookie: 'sid=first' })('/first');
    await ask(pair, 'stats');
    await pair.fault({ 'shard-1-0 /flush': 'fail' });
    const visit = client(pair, { cookie: 'sid=parallel', ip: '192.0.2.10' });
    const statuses = await Promise.all(Array.from({ length: 25 }, async () => (await guess(visit)).status));
    const asked = pair.origin.requests.filter(({ target }) => target === '/api/login').length;
    assert.ok(asked <= 10, `${asked} guesses reached the origin: ${statuses}`);
    assert.ok(asked > 0);
    await pair.fault({});
    await waitFor(async () => (await ask(pair, 'events?endpoint=POST+/api/login&limit=100')).items.length === 25, { what: 'the outcomes', timeout: 20_000 });
  } finally {
    await pair.stop();
  }
});
