// A client that sends exactly the bytes it is told and shows exactly the bytes that come back.
//
// One connection per request: what one exchange does to its connection never hides in the next.

import { connect } from 'node:net';
import { chunk, framing, head, lastChunk, readBody, readHead, Wire } from './http1.mjs';

const BODILESS = new Set([204, 304]);

/** Opens a connection and sends a request's head; the caller goes on with the wire. */
export async function open({ port, host = '127.0.0.1', method = 'GET', target = '/', headers = [], timeout = 20_000 }) {
  const socket = connect({ port, host, noDelay: true });
  socket.setTimeout(timeout, () => socket.destroy(new Error(`${method} ${target}: nothing happened for ${timeout} ms`)));
  const wire = new Wire(socket);
  const named = new Set(headers.map(([name]) => name.toLowerCase()));
  const all = named.has('host') ? headers : [['Host', `${host}:${port}`], ...headers];
  await wire.write(head(`${method} ${target} HTTP/1.1`, all));
  return wire;
}

/**
 * Sends one request and answers
 * { status, reason, headers: [[name, value]…], interim: [{ status, headers }…], body, bytes, sha256, trailers,
 *   framing: 'none' | 'length' | 'chunked' | 'close', complete }.
 *
 * `body` is a Buffer or string (sent with Content-Length unless a length or coding is among the headers) or an
 * iterable of Buffers (sent chunked unless a Content-Length is given), followed by `trailers`.
 * `onData` gets the response body as it comes; then `body` is not collected.
 */
export async function send(request) {
  const { method = 'GET', body = null, trailers = [], onData = null } = request;
  const headers = [...(request.headers ?? [])];
  const named = new Set(headers.map(([name]) => name.toLowerCase()));
  const streamed = body !== null && typeof body !== 'string' && !Buffer.isBuffer(body);
  const chunked = body !== null && !named.has('content-length') && (streamed || named.has('transfer-encoding'));
  if (chunked && !named.has('transfer-encoding')) headers.push(['Transfer-Encoding', 'chunked']);
  if (body !== null && !chunked && !named.has('content-length')) headers.push(['Content-Length', Buffer.byteLength(body)]);
  const wire = await open({ ...request, headers });
  const upload = sendBody(wire, streamed ? body : [body], { chunked, trailers });
  upload.catch(() => {}); // a refused upload shows in the response
  try {
    return await receive(wire, { method, onData });
  } finally {
    wire.socket.destroy();
  }
}

async function sendBody(wire, parts, { chunked, trailers }) {
  for await (const part of parts) {
    if (part !== null) await wire.write(chunked ? chunk(Buffer.from(part)) : part);
  }
  if (chunked) await wire.write(lastChunk(trailers));
}

/** Reads one response, any 1xx before it included. */
export async function receive(wire, { method = 'GET', onData = null } = {}) {
  const interim = [];
  for (;;) {
    const message = await readHead(wire);
    if (message === null) throw new Error('the connection closed without a response');
    const [, status, reason] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(message.start) ?? [];
    if (status === undefined) throw new Error(`not a status line: ${message.start}`);
    const answer = { status: Number(status), reason, headers: message.headers };
    if (answer.status < 200 && answer.status !== 101) {
      interim.push({ status: answer.status, headers: message.headers });
      continue;
    }
    const bodiless = method === 'HEAD' || answer.status === 101 || BODILESS.has(answer.status);
    const frame = framing(message.headers, { response: true, bodiless });
    const parts = [];
    const read = await readBody(wire, frame, onData ?? ((data) => { parts.push(data); }));
    return { ...answer, interim, framing: frame.kind, body: onData ? null : Buffer.concat(parts), ...read };
  }
}
