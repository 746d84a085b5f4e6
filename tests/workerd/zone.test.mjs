// On a zone route there is neither ORIGIN_URL nor a binding: a request goes to where it was going anyway.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';

test('without an origin configured a request goes on to its own host, and is recorded', { skip: notOurs }, async () => {
  const pair = await startPair({ vars: { ORIGIN_URL: null, LIMITS: { flush_ms: 50 } } });
  try {
    const answer = await pair.send({ method: 'POST', target: '/a/..%2fb?x=1', body: 'order', headers: [['Cookie', 'sid=zone']] });
    assert.equal(answer.status, 200);
    const [{ method, target, body }] = pair.origin.requests;
    assert.deepEqual([method, target, body.toString()], ['POST', '/a/..%2fb?x=1', 'order']);
    const event = await waitFor(async () => (await (await pair.admin('api/v1/events')).json()).items[0], { what: 'the event' });
    assert.deepEqual([event.path, event.status], ['/a/..%2fb', 200]);
  } finally {
    await pair.stop();
  }
});
