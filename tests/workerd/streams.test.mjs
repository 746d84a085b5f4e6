// Bodies that are too large, too slow or too long-lived to be held: they pass through as they come.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { release } from './answers.mjs';
import { open, receive } from './client.mjs';
import { differences } from './compare.mjs';
import { notOurs, residentMb, startPair, waitFor } from './harness.mjs';
import { pattern, readHead, values } from './http1.mjs';
import { acceptKey, readFrame, writeFrame } from './websocket.mjs';

const GIGABYTE = 1 << 30;
const MEMORY_MB = 100; // far below what is sent, far above what sockets and garbage collection move
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='; // RFC 6455, section 1.3

for (const originBinding of [false, true]) {
  describe(`through ${originBinding ? 'the ORIGIN binding' : 'ORIGIN_URL'}`, () => {
    let pair;
    before(async () => { pair = await startPair({ originBinding }); });
    after(() => pair?.stop());

    for (const framing of ['length', 'chunked']) {
      // The full gigabyte where it says most, a quarter of it elsewhere: still more than the bound on memory.
      const size = framing === 'length' && !originBinding ? GIGABYTE : GIGABYTE / 4;

      test(`${size >> 20} MB come down (${framing}) in bounded memory`, { timeout: 120_000 }, async () => {
        const { got, grown } = await watched(pair, () => pair.send({
          headers: [['x-answer', `stream ${size} ${framing}`]], onData: () => {},
        }));
        assert.deepEqual([got.framing, got.bytes, got.complete], [framing, size, true]);
        assert.equal(got.sha256, hash(size));
        assert.ok(grown < MEMORY_MB, `workerd grew by ${grown.toFixed(0)} MB`);
      });

      test(`${size >> 20} MB go up (${framing}) in bounded memory`, { timeout: 120_000 }, async () => {
        pair.origin.clear();
        const { got, grown } = await watched(pair, () => pair.send({
          method: 'PUT', body: pattern(size), headers: framing === 'length' ? [['Content-Length', size]] : [],
        }));
        const [sent] = pair.origin.requests;
        assert.deepEqual([got.status, sent.bytes, sent.complete], [200, size, true]);
        assert.equal(sent.sha256, hash(size));
        assert.deepEqual(values(sent.headers, 'content-length'), framing === 'length' ? [String(size)] : []);
        assert.ok(grown < MEMORY_MB, `workerd grew by ${grown.toFixed(0)} MB`);
      });
    }

    test('a server-sent event arrives before the next one is sent', async () => {
      const text = [];
      const done = pair.send({
        headers: [['x-answer', 'sse next'], ['Accept', 'text/event-stream']], onData: (data) => { text.push(data); },
      });
      await waitFor(() => text.length > 0, { what: 'the first event' });
      assert.equal(Buffer.concat(text).toString(), 'id: 1\ndata: first\n\n');
      release('next');
      const got = await done;
      assert.equal(Buffer.concat(text).toString(), 'id: 1\ndata: first\n\nid: 2\ndata: second\n\n');
      assert.deepEqual(values(got.headers, 'content-type'), ['text/event-stream']);
    });

    test('half a body arrives while the origin keeps the other half', async () => {
      const text = [];
      const done = pair.send({ headers: [['x-answer', 'stall rest']], onData: (data) => { text.push(data); } });
      await waitFor(() => text.length > 0, { what: 'the first half' });
      release('rest');
      assert.equal((await done).complete, true);
      assert.equal(Buffer.concat(text).toString(), 'firstlater');
    });

    test('a client that is told to continue sends its body', async () => {
      const wire = await open({ port: pair.worker.port, method: 'POST',
        headers: [['Expect', '100-continue'], ['Content-Length', '5'], ['x-answer', 'continue']] });
      assert.equal((await readHead(wire)).start, 'HTTP/1.1 100 Continue');
      await wire.write('hello');
      assert.equal((await receive(wire)).body.toString(), 'got 5');
      wire.socket.destroy();
    });

    test('an answer that comes before the upload was read reaches the client', async () => {
      const got = await pair.send({
        method: 'POST', body: pattern(2_000_000), headers: [['x-answer', 'refuse'], ['Content-Length', '2000000']],
      });
      assert.deepEqual([got.status, got.body.toString()], [413, 'too large']);
    });

    for (const feedback of notOurs ? [false] : [false, true]) {
      test(`a WebSocket is upgraded and echoes both ways${feedback ? ', with feedback' : ''}`, async () => {
        const upgrade = { target: '/live?room=1', headers: [['Host', `127.0.0.1:${pair.origin.port}`], ['x-answer', 'websocket'],
          ['Upgrade', 'websocket'], ['Connection', 'Upgrade'], ['Sec-WebSocket-Key', KEY], ['Sec-WebSocket-Version', '13'],
          ['Sec-WebSocket-Protocol', 'chat'], ['Cookie', 'sid=abc'], ...(feedback ? [['x-feedback', 'login-success']] : [])] };
        const direct = await echoed(pair, { ...upgrade, port: pair.origin.port });
        const proxied = await echoed(pair, { ...upgrade, port: pair.worker.port });
        assert.deepEqual(differences(direct, proxied), []);
        assert.deepEqual(values(proxied.got.headers, 'sec-websocket-accept'), [acceptKey(KEY)]);
      });
    }
  });
}

/** Upgrades, has frames of each kind echoed, closes; and what each side saw of the handshake. */
async function echoed(pair, upgrade) {
  const wire = await open(upgrade);
  const { start, headers } = await readHead(wire);
  const frames = [
    { opcode: 1, payload: Buffer.from('grüße') },
    { opcode: 2, payload: Buffer.alloc(60_000, 7) },
    { opcode: 8, payload: Buffer.from([0x03, 0xe8]) }, // normal closure
  ];
  for (const frame of frames) {
    await writeFrame(wire, frame, { mask: true });
    assert.deepEqual(await readFrame(wire), frame);
  }
  wire.socket.destroy();
  return { got: { status: start, headers }, sent: pair.origin.requests.findLast((entry) => entry.target === upgrade.target) };
}

/** What the pattern of a size must hash to. */
function hash(size) {
  const sum = createHash('sha256');
  for (const part of pattern(size)) sum.update(part);
  return sum.digest('hex');
}

/** Runs an exchange while sampling workerd's memory: its response, and by how many MB the peak exceeded the start. */
async function watched(pair, exchange) {
  const start = residentMb(pair.worker.pid);
  let peak = start;
  const sampler = setInterval(() => { peak = Math.max(peak, residentMb(pair.worker.pid)); }, 20);
  try {
    const got = await exchange();
    return { got, grown: peak - start };
  } finally {
    clearInterval(sampler);
  }
}
