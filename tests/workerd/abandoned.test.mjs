// A client that hangs up before the origin has answered leaves a trace all the same: what it asked for was done.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { open } from './client.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';

test('a request whose client went away is recorded as 499', { skip: notOurs }, async () => {
  const pair = await startPair({ vars: { LIMITS: { abandon_ms: 1000, flush_ms: 50 } } });
  try {
    const wire = await open({
      port: pair.worker.port,
      method: 'POST',
      target: '/gone',
      headers: [['Host', 'shop.test'], ['Cookie', 'sid=gone'], ['x-answer', 'silent'], ['Content-Length', '0']],
    });
    await waitFor(() => pair.origin.requests.some((request) => request.target === '/gone'), { what: 'the request to arrive' });
    wire.socket.destroy();
    const event = await waitFor(async () => {
      // Any later request finds what was abandoned.
      await pair.send({ target: '/next' });
      const { items } = await (await pair.admin('api/v1/events?status=499')).json();
      return items[0];
    }, { what: 'the abandoned request' });
    assert.equal(event.path, '/gone');
    assert.equal(event.method, 'POST');
    assert.deepEqual(event.marks, ['abandoned']);
  } finally {
    await pair.stop();
  }
});
