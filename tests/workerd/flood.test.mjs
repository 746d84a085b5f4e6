// 50,000 requests at full speed: as many events are found, none lost and none twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { pelt, quickOrigin } from './pelt.mjs';
import { all, ask, recorded } from './scene.mjs';

const REQUESTS = 50_000;
const SESSIONS = 500;

test(`${REQUESTS} requests at full speed are ${REQUESTS} events`, { skip: notOurs, timeout: 180_000 }, async (context) => {
  const origin = await quickOrigin();
  const pair = await startPair({ origin: origin.url, vars: { DEV_CLIENT_HEADERS: true, SHARDS: 2 } });
  try {
    const began = Date.now();
    const { host } = new URL(origin.url);
    const head = (i) => `GET /flood/${i} HTTP/1.1\r\nHost: ${host}\r\nCookie: sid=visitor-${i % SESSIONS}\r\nUser-Agent: flood\r\n\r\n`;
    await pelt({ port: pair.worker.port, total: REQUESTS, ask: (i) => ({ head: head(i) }) });
    context.diagnostic(`${Math.round(REQUESTS / (Date.now() - began) * 1000)} requests a second`);
    assert.equal(origin.count(), REQUESTS, 'every request reached the origin once');
    assert.equal(await recorded(pair, REQUESTS, { timeout: 30_000, interval: 200 }), SESSIONS);
    const seen = new Uint8Array(REQUESTS);
    const ids = new Set();
    for (const { id, path } of await all(pair, 'events')) {
      ids.add(id);
      seen[Number(path.slice('/flood/'.length))] += 1;
    }
    assert.equal(ids.size, REQUESTS);
    assert.ok(seen.every((times) => times === 1), 'every path is found exactly once');
    const sessions = await all(pair, 'sessions');
    assert.equal(sessions.reduce((sum, { requests }) => sum + requests, 0), REQUESTS);
    assert.ok(sessions.every(({ requests }) => requests === REQUESTS / SESSIONS));
    assert.equal((await ask(pair, 'stats?status=200')).total.requests, REQUESTS);
    assert.match(await (await pair.admin('metrics')).text(), /^throughline_events_dropped_total 0$/m);
  } finally {
    await pair.stop();
    await origin.stop();
  }
});
