// HTTP/1.1 on a socket, by hand: what both the test client and the test origin read and write with.
//
// Libraries normalise: they fold, reorder and re-case headers, rewrite targets, refuse odd methods, hide framing
// and trailers. Here a message is what the bytes say. Bodies stream with backpressure, so that a gigabyte passes
// in bounded memory. Nothing here knows about Throughline.

import { createHash } from 'node:crypto';

/** A socket read on demand: nothing is taken from the kernel before someone asks. */
export class Wire {
  #buffer = Buffer.alloc(0);
  #wake = null;
  #ended = false;
  #error = null;

  constructor(socket) {
    this.socket = socket;
    socket.on('readable', () => this.#notify());
    socket.on('end', () => { this.#ended = true; this.#notify(); });
    socket.on('close', () => { this.#ended = true; this.#notify(); });
    socket.on('error', (error) => { this.#error = error; this.#ended = true; this.#notify(); });
  }

  #notify() {
    this.#wake?.();
    this.#wake = null;
  }

  /** What has arrived and is not yet read; waits for at least one byte; null at the end of the stream. */
  async some() {
    while (this.#buffer.length === 0) {
      const data = this.socket.read();
      if (data !== null) this.#buffer = data;
      else if (this.#error) throw this.#error;
      else if (this.#ended) return null;
      else await new Promise((wake) => { this.#wake = wake; });
    }
    const data = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    return data;
  }

  /** Puts back what was read too much. */
  unread(data) { this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([data, this.#buffer]); }

  /** One line without its CRLF, as latin1, which keeps every byte; null when the stream ends before it. */
  async line() {
    const parts = [];
    for (;;) {
      const data = await this.some();
      if (data === null) return null;
      const end = data.indexOf(0x0a);
      parts.push(end < 0 ? data : data.subarray(0, end));
      if (end < 0) continue;
      this.unread(data.subarray(end + 1));
      return Buffer.concat(parts).toString('latin1').replace(/\r$/, '');
    }
  }

  /** Writes and waits while the peer is slower than we are. */
  async write(data) {
    if (this.socket.destroyed || this.#error) throw this.#error ?? new Error('the peer closed the connection');
    if (this.socket.write(data)) return;
    await new Promise((resolve, reject) => {
      const done = () => {
        this.socket.off('drain', done).off('close', done);
        if (this.socket.destroyed) reject(this.#error ?? new Error('the peer closed the connection'));
        else resolve();
      };
      this.socket.on('drain', done).on('close', done);
    });
  }
}

/** Start line and headers ([name, value] pairs in order, as sent), or null at the end of the stream. */
export async function readHead(wire) {
  const start = await wire.line();
  if (start === null) return null;
  return { start, headers: await readFields(wire) };
}

async function readFields(wire) {
  const fields = [];
  for (;;) {
    const line = await wire.line();
    if (line === null) throw new Error('the connection closed inside the headers');
    if (line === '') return fields;
    const colon = line.indexOf(':');
    fields.push([line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
}

/** All values of a header, whatever its case. */
export const values = (headers, name) =>
  headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);

/** How a message's body is delimited: { kind: 'none' | 'length' | 'chunked' | 'close', length }. */
export function framing(headers, { response = false, bodiless = false } = {}) {
  if (bodiless) return { kind: 'none', length: 0 };
  if (values(headers, 'transfer-encoding').some((value) => /\bchunked\b/i.test(value))) return { kind: 'chunked' };
  const [length] = values(headers, 'content-length');
  if (length !== undefined) return { kind: 'length', length: Number(length) };
  return { kind: response ? 'close' : 'none', length: 0 };
}

/**
 * Reads a body to its end, handing each piece to `onData` (awaited: that is the backpressure).
 * Answers { bytes, sha256, trailers, complete }; `complete` is false when the stream ended early.
 */
export async function readBody(wire, frame, onData = () => {}) {
  const hash = createHash('sha256');
  let bytes = 0;
  const result = (complete, trailers = []) => ({ bytes, sha256: hash.digest('hex'), trailers, complete });
  const take = async (data) => {
    hash.update(data);
    bytes += data.length;
    await onData(data);
  };
  const exactly = async (count) => {
    while (count > 0) {
      const data = await wire.some();
      if (data === null) return false;
      const part = data.subarray(0, count);
      if (part.length < data.length) wire.unread(data.subarray(part.length));
      count -= part.length;
      await take(part);
    }
    return true;
  };
  try {
    if (frame.kind === 'none') return result(true);
    if (frame.kind === 'length') return result(await exactly(frame.length));
    if (frame.kind === 'close') {
      for (let data; (data = await wire.some()) !== null;) await take(data);
      return result(true);
    }
    for (;;) {
      const size = await wire.line();
      if (size === null) return result(false);
      if (parseInt(size, 16) === 0) return result(true, await readFields(wire));
      if (!(await exactly(parseInt(size, 16))) || (await wire.line()) === null) return result(false);
    }
  } catch {
    return result(false); // a reset while the body was on its way
  }
}

/** A message head as bytes: `headers` are [name, value] pairs, sent as they are. */
export const head = (start, headers) =>
  Buffer.from([start, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n'), 'latin1');

/** One chunk of the chunked coding. */
export const chunk = (data) => Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);

/** The end of the chunked coding, with trailers. */
export const lastChunk = (trailers = []) => head('0', trailers);

/** `bytes` of a pattern whose period divides no block size, so that lost, doubled or moved blocks show. */
export function* pattern(bytes) {
  const block = Buffer.alloc(65_521, 'The quick brown fox jumps over the lazy dog 0123456789.');
  for (let left = bytes; left > 0; left -= block.length) yield left < block.length ? block.subarray(0, left) : block;
}
