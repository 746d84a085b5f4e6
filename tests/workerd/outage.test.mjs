// An origin that is down, breaks off or takes too long: the client gets a problem document (RFC 9457) that names
// the incident, never a bare 500 or a dropped connection, and the origin never gets a request twice.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { release } from './answers.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';

const LIMIT_MS = 300;

describe('an origin in trouble', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: { LIMITS: { origin_timeout_ms: LIMIT_MS } } }); });
  after(() => pair?.stop());

  test('down: 502', async () => {
    const down = await startPair({ origin: `http://127.0.0.1:${await closedPort()}` });
    try {
      for (const method of ['GET', 'POST', 'PROPFIND']) isProblem(await down.send({ method }), 502);
      const head = await down.send({ method: 'HEAD' });
      assert.deepEqual([head.status, head.bytes], [502, 0]);
    } finally {
      await down.stop();
    }
  });

  for (const method of ['GET', 'POST', 'PUT']) {
    test(`${method} answered by a reset: 502, and asked once`, async () => {
      pair.origin.clear();
      isProblem(await pair.send({ method, headers: [['x-answer', 'reset']], body: method === 'GET' ? null : 'order=1' }), 502);
      assert.equal(pair.origin.requests.length, 1);
    });
  }

  test('while the configuration is refused: 502, and asked once', async () => {
    const refused = await startPair({ vars: { SHARDS: 'x' } });
    try {
      const answer = await refused.send({ method: 'POST', headers: [['x-answer', 'reset']], body: 'order=1' });
      assert.equal(answer.status, 502);
      assert.equal(refused.origin.requests.length, 1);
    } finally {
      await refused.stop();
    }
  });

  test('longer headers than the platform takes: 502', async () => {
    isProblem(await pair.send({ headers: [['x-answer', 'large-headers 600']] }), 502);
  });

  test('no answer within the limit: 504, and the origin is let go', async () => {
    const sent = Date.now();
    isProblem(await pair.send({ headers: [['x-answer', 'silent']] }), 504);
    assert.ok(Date.now() - sent < 10 * LIMIT_MS, 'soon after the limit');
    await waitFor(() => pair.origin.busy === 0, { what: 'the connection to the origin to be closed' });
  });

  test('each incident has a reference of its own', async () => {
    const [one, two] = [await pair.send({ headers: [['x-answer', 'reset']] }), await pair.send({ headers: [['x-answer', 'reset']] })];
    assert.notEqual(JSON.parse(one.body).reference, JSON.parse(two.body).reference);
  });

  test('the limit is for the answer to begin: a body may take its time', async () => {
    let late = false;
    const done = pair.send({ headers: [['x-answer', 'sse late']], onData: () => {
      if (!late) setTimeout(() => release('late'), 3 * LIMIT_MS);
      late = true;
    } });
    assert.equal((await done).complete, true);
  });

  test('what the origin itself answers stays as it is', async () => {
    for (const status of [502, 504]) {
      const got = await pair.send({ headers: [['x-answer', `status ${status} Theirs`]] });
      assert.deepEqual([got.status, got.reason, got.body.toString()], [status, 'Theirs', `status ${status}\n`]);
    }
  });

  test('a client that hangs up takes nobody else down', async () => {
    const gone = pair.send({ headers: [['x-answer', 'stall never']], onData: () => { throw new Error('hang up'); } });
    await gone.catch(() => {});
    assert.equal((await pair.send({ target: '/next' })).status, 200);
    release('never');
    await waitFor(() => pair.origin.busy === 0, { what: 'the connection to the origin to be closed' });
  });
});

function isProblem(got, status) {
  assert.equal(got.status, status);
  assert.deepEqual(values(got.headers, 'content-type'), ['application/problem+json']);
  const problem = JSON.parse(got.body);
  assert.equal(problem.status, status);
  for (const member of ['type', 'title', 'detail', 'reference']) assert.equal(typeof problem[member], 'string', member);
  assert.notEqual(problem.reference, '');
}

/** A port nobody listens on: one that was free a moment ago. */
async function closedPort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
