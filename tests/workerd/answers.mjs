// The behaviours the test origin knows, by name. Each is (request, reply, ...arguments) → a response or nothing
// when it has written one itself. A behaviour marked `beforeBody` answers before the request's body is read.

import { once, EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { chunk, lastChunk, pattern, values } from './http1.mjs';
import { acceptKey, readFrame, writeFrame } from './websocket.mjs';

/** `release(name)` lets an answer that waits at the gate of that name go on. */
const gates = new EventEmitter();
export const release = (name) => gates.emit(name);

const TEXT = ['Content-Type', 'text/plain'];
const SSE = ['Content-Type', 'text/event-stream'];
const CHUNKED = ['Transfer-Encoding', 'chunked'];
const PROSE = 'It was the best of times, it was the worst of times. '.repeat(200);
const ENCODED = { gzip: gzipSync(PROSE), br: brotliCompressSync(PROSE) };
const ALPHABET = Buffer.from('abcdefghijklmnopqrstuvwxyz');

const beforeBody = (answer) => Object.assign(answer, { beforeBody: true });

export const ANSWERS = {
  echo: ({ method, target, bytes, sha256 }) => ({ headers: [TEXT], body: `${method} ${target}\n${bytes} ${sha256}\n` }),

  /** status CODE [REASON…] */
  status: (_, reply, code, ...reason) =>
    ({ status: Number(code), reason: reason.join(' '), headers: [TEXT], body: code === '205' ? null : `status ${code}\n` }),

  cookies: () => ({
    headers: [
      ['Set-Cookie', 'sid=one; Path=/; HttpOnly'], ['X-Between', '1'],
      ['Set-Cookie', 'theme=dark; Expires=Wed, 21 Oct 2099 07:28:00 GMT'], ['set-cookie', 'empty='],
      ['Set-Cookie', 'sid=two; Path=/admin'],
    ],
    body: 'cookies',
  }),

  repeated: () => ({
    headers: [['X-Many', 'one'], ['x-many', 'two'], ['X-MANY', 'one'], ['Vary', 'Accept'], ['Vary', 'Origin'],
      ['X-Empty', ''], ['X-Latin', 'caf\xe9'], ['Link', '</a>; rel=preload'], ['Link', '</b>; rel=preload, </c>; rel=next'],
      ['WWW-Authenticate', 'Basic realm="a"'], ['WWW-Authenticate', 'Bearer']],
    body: 'repeated',
  }),

  /** redirect CODE LOCATION */
  redirect: (_, reply, code, location) =>
    ({ status: Number(code), reason: 'Elsewhere', headers: [['Location', location], TEXT], body: 'moved' }),

  /** not-modified: 304 with the headers a 304 may carry, Content-Length of what it stands for among them. */
  'not-modified': () => ({ status: 304, reason: 'Not Modified', headers: [['ETag', '"v1"'], ['Cache-Control', 'max-age=60'], ['Content-Length', '1234']] }),

  /** hop-by-hop: response headers that concern one connection, and one that is only named with them. */
  'hop-by-hop': () =>
    ({ headers: [['Keep-Alive', 'timeout=5'], ['Connection', 'keep-alive, X-Hop'], ['X-Hop', '1'], TEXT], body: 'hop' }),

  /** encoded gzip|br: bytes that must arrive as they are. */
  encoded: (_, reply, coding) => ({ headers: [['Content-Encoding', coding], TEXT], body: ENCODED[coding] }),

  /** length BYTES: the size a HEAD announces. */
  length: (_, reply, bytes) => ({ headers: [['Content-Length', bytes], TEXT], body: Buffer.alloc(Number(bytes), 'x') }),

  range: (request) => {
    const [from, to] = /^bytes=(\d+)-(\d*)$/.exec(values(request.headers, 'range')[0] ?? '')?.slice(1) ?? [];
    if (from === undefined) return { headers: [['Accept-Ranges', 'bytes'], TEXT], body: ALPHABET };
    if (Number(from) >= ALPHABET.length) {
      return { status: 416, reason: 'Range Not Satisfiable', headers: [['Content-Range', `bytes */${ALPHABET.length}`]] };
    }
    const part = ALPHABET.subarray(Number(from), to === '' ? undefined : Number(to) + 1);
    const range = `bytes ${from}-${Number(from) + part.length - 1}/${ALPHABET.length}`;
    return { status: 206, reason: 'Partial Content', headers: [['Content-Range', range], TEXT], body: part };
  },

  /** sse GATE: one event, then, when the gate is released, another and the end. */
  sse: async (_, reply, gate) => {
    const open = once(gates, gate);
    await reply.start([SSE, CHUNKED, ['Cache-Control', 'no-cache']]);
    await reply.wire.write(chunk(Buffer.from('id: 1\ndata: first\n\n')));
    await open;
    await reply.wire.write(chunk(Buffer.from('id: 2\ndata: second\n\n')));
    await reply.wire.write(lastChunk());
  },

  trailers: async (_, reply) => {
    await reply.start([TEXT, CHUNKED, ['Trailer', 'X-Checksum']]);
    await reply.wire.write(chunk(Buffer.from('with trailers')));
    await reply.wire.write(lastChunk([['X-Checksum', '42']]));
  },

  /** stream BYTES chunked|length: a large generated body. */
  stream: async (_, reply, bytes, framing) => {
    await reply.start([TEXT, framing === 'chunked' ? CHUNKED : ['Content-Length', bytes]]);
    for (const part of pattern(Number(bytes))) await reply.wire.write(framing === 'chunked' ? chunk(part) : part);
    if (framing === 'chunked') await reply.wire.write(lastChunk());
  },

  /** until-close: a body without a length, ended by the connection's end. */
  'until-close': async (_, reply) => {
    reply.closes = true;
    await reply.start([TEXT, ['Connection', 'close']]);
    await reply.wire.write(Buffer.from('until the end'));
  },

  /** large-headers KILOBYTES */
  'large-headers': (_, reply, kilobytes) =>
    ({ headers: Array.from({ length: Number(kilobytes) }, (unused, i) => [`X-Large-${i}`, 'v'.repeat(1010)]), body: 'large' }),

  hints: async (_, reply) => {
    await reply.start([['Link', '</style.css>; rel=preload']], 103, 'Early Hints');
    return { headers: [TEXT], body: 'after hints' };
  },

  /** continue: asks for the body the client is holding back. */
  continue: beforeBody(async (request, reply) => {
    await reply.start([], 100, 'Continue');
    await request.read();
    return { headers: [TEXT], body: `got ${request.bytes}` };
  }),

  /** refuse: answers 413 without reading the body, as a server that has seen the Content-Length may. */
  refuse: beforeBody(async () => ({ status: 413, reason: 'Content Too Large', headers: [TEXT], body: 'too large' })),

  /** slow MS: the head comes that late. */
  slow: async (_, reply, ms) => {
    await delay(Number(ms));
    return { headers: [TEXT], body: 'late' };
  },

  /** silent: no answer at all; the connection stays open until the peer gives up. */
  silent: (_, reply) => once(reply.wire.socket, 'close').then(() => null),

  /** stall GATE: half the announced body, the rest when the gate is released. */
  stall: async (_, reply, gate) => {
    const open = once(gates, gate);
    await reply.start([TEXT, ['Content-Length', '10']]);
    await reply.wire.write(Buffer.from('first'));
    await open;
    await reply.wire.write(Buffer.from('later'));
  },

  /** cut: the connection is reset in the middle of the body. */
  cut: async (_, reply) => {
    await reply.start([TEXT, ['Content-Length', '10']]);
    await reply.wire.write(Buffer.from('first'));
    reply.wire.socket.resetAndDestroy();
  },

  /** reset: the connection is reset without an answer. */
  reset: (_, reply) => { reply.wire.socket.resetAndDestroy(); },

  /** websocket: accepts the upgrade and sends every message back; closes when told to. */
  websocket: async (request, reply) => {
    reply.closes = true;
    await reply.start([['Upgrade', 'websocket'], ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Accept', acceptKey(values(request.headers, 'sec-websocket-key')[0])]], 101, 'Switching Protocols');
    for (let frame; (frame = await readFrame(reply.wire)) !== null;) {
      await writeFrame(reply.wire, frame);
      if (frame.opcode === 8) return;
    }
  },
};
