// 50,000 requests at full speed: as many events are found, none lost and none twice.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, recorded } from './scene.mjs';

const REQUESTS = 50_000;
const CONNECTIONS = 32;
const SESSIONS = 500;
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');

test(`${REQUESTS} requests at full speed are ${REQUESTS} events`, { skip: notOurs, timeout: 180_000 }, async (context) => {
  const origin = await quickOrigin();
  const pair = await startPair({ origin: origin.url, vars: { DEV_CLIENT_HEADERS: true, SHARDS: 2 } });
  try {
    const began = Date.now();
    await flood(pair.worker.port, new URL(origin.url).host);
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

/** Asks on as many connections at once as workerd is kept busy by, each the next request when the last is answered. */
async function flood(port, host) {
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, () => new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let got = '';
    const ask = () => {
      if (next === REQUESTS) return socket.end(resolve);
      const i = next;
      next += 1;
      return socket.write(`GET /flood/${i} HTTP/1.1\r\nHost: ${host}\r\nCookie: sid=visitor-${i % SESSIONS}\r\nUser-Agent: flood\r\n\r\n`);
    };
    socket.setEncoding('latin1').on('connect', ask).on('error', reject).on('close', () => reject(new Error('workerd closed the connection')));
    socket.on('data', (data) => {
      got += data;
      if (!got.endsWith('\r\n\r\nok')) return;
      if (got.startsWith('HTTP/1.1 200 ')) {
        got = '';
        ask();
      } else reject(new Error(got));
    });
  })));
}

/** An origin that does as little as it can: everything is answered 200. */
async function quickOrigin() {
  let count = 0;
  const sockets = new Set();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    let rest = '';
    socket.setEncoding('latin1').on('error', () => {}).on('data', (data) => {
      const parts = (rest + data).split('\r\n\r\n');
      rest = parts.pop();
      count += parts.length;
      for (const _ of parts) socket.write(ANSWER);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    count: () => count,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      for (const socket of sockets) socket.destroy();
    }),
  };
}
