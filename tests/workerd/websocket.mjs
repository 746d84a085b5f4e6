// As much of RFC 6455 as an echo needs: the accept key, and unfragmented frames both ways.

import { createHash, randomBytes } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, section 1.3

export const acceptKey = (key) => createHash('sha1').update(key + GUID).digest('base64');

/** Sends one frame: { opcode (1 text, 2 binary, 8 close), payload }. Clients must mask, servers must not. */
export async function writeFrame(wire, { opcode, payload }, { mask = false } = {}) {
  const size = payload.length < 126 ? [payload.length]
    : payload.length < 65_536 ? [126, payload.length >> 8, payload.length & 255] : null;
  if (size === null) throw new Error('a test frame is at most 65,535 bytes');
  if (mask) size[0] |= 0x80;
  const key = mask ? randomBytes(4) : Buffer.alloc(0);
  const data = mask ? payload.map((byte, i) => byte ^ key[i % 4]) : payload;
  await wire.write(Buffer.concat([Buffer.from([0x80 | opcode, ...size]), key, data]));
}

/** Reads one frame, unmasked: { opcode, payload }, or null at the end of the stream. */
export async function readFrame(wire) {
  let have = Buffer.alloc(0);
  const take = async (count) => {
    while (have.length < count) {
      const data = await wire.some();
      if (data === null) return null;
      have = Buffer.concat([have, data]);
    }
    const part = have.subarray(0, count);
    have = have.subarray(count);
    return part;
  };
  const start = await take(2);
  if (start === null) return null;
  const masked = (start[1] & 0x80) !== 0;
  let length = start[1] & 0x7f;
  if (length === 126) length = (await take(2)).readUInt16BE();
  const key = masked ? await take(4) : null;
  const data = await take(length);
  wire.unread(have);
  return { opcode: start[0] & 0x0f, payload: masked ? data.map((byte, i) => byte ^ key[i % 4]) : data };
}
