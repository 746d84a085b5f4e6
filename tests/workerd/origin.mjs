// The origin the tests stand behind the Worker: records what arrived, byte for byte, and answers as told.
//
// How to answer is told by the request itself, in the header `x-answer: NAME ARGUMENTS…` (answers.mjs has the
// list), or by the path `/answer/NAME/ARGUMENTS…` where a client cannot choose headers; everything else is
// echoed. A test may also give a function of its own. Whatever the answer, `x-feedback: VALUE` adds it as the
// header Session-Event. HTTP is spoken by http1.mjs, so nothing is normalised.

import { createServer } from 'node:net';
import { ANSWERS } from './answers.mjs';
import { framing, head, readBody, readHead, values, Wire } from './http1.mjs';

/**
 * Starts an origin: { url, port, requests, count, busy, clear(), stop() }.
 *
 * `requests` holds what arrived, oldest first, `keep` at most, each { method, target, headers, bytes, sha256,
 * trailers, complete, body } (`body` only up to 64 KB); `count` counts all of them. A request is recorded when
 * its body has been read; `busy` is how many are being answered. `answer(request, reply)` decides what is not scripted; the default echoes.
 */
export async function startOrigin({ answer = ANSWERS.echo, keep = 10_000 } = {}) {
  const origin = { requests: [], count: 0, busy: 0 };
  const sockets = new Set();
  const record = (request) => {
    origin.count += 1;
    if (origin.requests.push(request) > keep) origin.requests.shift();
  };
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(new Wire(socket), { answer, record, origin }).catch(() => socket.destroy()); // the peer went away
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin.port = server.address().port;
  origin.url = `http://127.0.0.1:${origin.port}`;
  origin.clear = () => { origin.requests.length = 0; };
  origin.stop = () => new Promise((resolve) => {
    server.close(resolve);
    for (const socket of sockets) socket.destroy();
  });
  return origin;
}

async function serve(wire, { answer, record, origin }) {
  for (let message; (message = await readHead(wire)) !== null;) {
    const [, method, target] = /^(\S+) (.*) HTTP\/1\.[01]$/.exec(message.start) ?? [];
    if (method === undefined) throw new Error(`not a request line: ${message.start}`);
    const request = { method, target, headers: message.headers };
    const reply = new Reply(wire, request);
    const [name, ...args] = script(request);
    const chosen = name === undefined ? answer : ANSWERS[name];
    if (chosen === undefined) {
      await reply.send({ status: 500, body: `tests/workerd/answers.mjs has no answer named ${name}\n` });
      return wire.socket.end();
    }
    request.read = async () => {
      if (request.bytes === undefined) Object.assign(request, await body(wire, request.headers));
      if (!request.recorded) record(Object.assign(request, { recorded: true }));
      return request;
    };
    origin.busy += 1;
    try {
      if (!chosen.beforeBody) await request.read();
      const given = await chosen(request, reply, ...args);
      if (given) await reply.send(given);
      await request.read();
    } finally {
      origin.busy -= 1;
    }
    if (wire.socket.destroyed || reply.closes) return wire.socket.end();
  }
  wire.socket.end();
}

async function body(wire, headers) {
  const kept = [];
  let size = 0;
  const read = await readBody(wire, framing(headers), (data) => {
    size += data.length;
    if (size <= 65_536) kept.push(data);
  });
  return { ...read, body: size <= 65_536 ? Buffer.concat(kept) : null };
}

function script({ target, headers }) {
  const [told] = values(headers, 'x-answer');
  if (told !== undefined) return told.split(' ');
  const path = /^\/answer\/([^?]+)/.exec(target);
  return path ? path[1].split('/').map(decodeURIComponent) : [];
}

/** What an answer writes with: `send` for a whole response, `wire` for anything by hand. */
class Reply {
  closes = false;

  constructor(wire, request) {
    this.wire = wire;
    this.request = request;
  }

  /** A response with Content-Length from its body, unless `headers` frame it otherwise. */
  async send({ status = 200, reason = 'OK', headers = [], body = null }) {
    const framed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
    const bodiless = this.request.method === 'HEAD' || status === 204 || status === 304;
    const length = framed || status === 204 || status === 304 ? [] : [['Content-Length', Buffer.byteLength(body ?? '')]];
    await this.start([...headers, ...length], status, reason);
    if (body !== null && !bodiless) await this.wire.write(body);
  }

  /** Only the head; the answer writes the body itself. */
  async start(headers, status = 200, reason = 'OK') {
    const feedback = values(this.request.headers, 'x-feedback').map((value) => ['Session-Event', value]);
    await this.wire.write(head(`HTTP/1.1 ${status} ${reason}`, [...headers, ...feedback]));
  }
}
