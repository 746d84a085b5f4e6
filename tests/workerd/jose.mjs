// Issuers of tokens: keys, key sets and signed tokens as RFC 7515 to 7519 and RFC 8037 describe them, made with
// node:crypto alone, so that nothing here shares code with what is under test; a server that publishes keys; and what
// became of a request that shows a token.

import assert from 'node:assert/strict';
import { constants, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { waitFor } from './harness.mjs';
import { ask, client, order } from './scene.mjs';

export const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const hash = (alg) => `sha${alg.slice(2)}`;
const KINDS = {
  HS: (alg, secret, text) => createHmac(hash(alg), secret).update(text).digest(),
  RS: (alg, key, text) => sign(hash(alg), text, key),
  PS: (alg, key, text) => sign(hash(alg), text, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
  ES: (alg, key, text) => sign(hash(alg), text, { key, dsaEncoding: 'ieee-p1363' }),
  Ed: (alg, key, text) => sign(null, text, key),
};

/** A token of these claims; header members that are undefined are left out. `key` is a private key or a secret. */
export function token(alg, key, claims, header = {}) {
  const text = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`;
  return `${text}.${KINDS[alg.slice(0, 2)](alg, key, Buffer.from(text)).toString('base64url')}`;
}

/** The token with one byte of its signature changed. */
export function altered(value, at = 20) {
  const [header, payload, signature] = value.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[at] ^= 1;
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}

/** A key pair, { privateKey, publicKey, jwk(members) }. */
export function pairOf(type, options) {
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  return { privateKey, publicKey, jwk: (members) => ({ ...publicKey.export({ format: 'jwk' }), ...members }) };
}
export const rsa = () => pairOf('rsa', { modulusLength: 2048 });
export const p256 = () => pairOf('ec', { namedCurve: 'P-256' });
export const p384 = () => pairOf('ec', { namedCurve: 'P-384' });
export const ed25519 = () => pairOf('ed25519', {});

/** A set of keys as an issuer publishes it. */
export const jwks = (...keys) => ({ keys });

/**
 * A server of key sets: { url, sets, answers, fetches(path), peak(path), stop() }. A path answers with its member of
 * `sets`, or as its function in `answers` says (request, response).
 */
export async function startKeyServer({ sets = {}, answers = {} } = {}) {
  const counts = new Map();
  const count = (path) => counts.get(path) ?? counts.set(path, { all: 0, now: 0, peak: 0 }).get(path);
  const server = createServer((request, response) => {
    const seen = count(request.url);
    seen.all += 1;
    seen.peak = Math.max(seen.peak, (seen.now += 1));
    response.on('close', () => { seen.now -= 1; });
    const answer = answers[request.url] ?? ((_, plain) => plain.setHeader('Content-Type', 'application/json').end(JSON.stringify(sets[request.url])));
    answer(request, response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    sets,
    answers,
    fetches: (path) => count(path).all,
    peak: (path) => count(path).peak,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

export const ISS = 'https://login.shop.test';
export const SID = 'request.jwt.sid';
export const PLAIN = { DEV_CLIENT_HEADERS: true, SESSION_KEYS: [{ from: SID }], LIMITS: { flush_ms: 50 } };
export const claims = (sid, more = {}) => ({ iss: ISS, sub: 'ann', sid, exp: 4_000_000_000, ...more });
export const bearer = (value) => [['Authorization', `Bearer ${value}`]];
export const lookup = (pair, value) => ask(pair, 'lookup', order({ value })).then(({ items }) => items);

/** What became of the one request to this path: its marks, and its session. */
export async function seen(pair, path, options = {}) {
  const found = async () => (await ask(pair, `events?q=${path}`)).items.find((item) => item.path === path);
  const { marks, session } = await waitFor(found, { what: `an event of ${path}`, ...options });
  return { marks, session: await ask(pair, `sessions/${session}`) };
}

let paths = 0;
/** Sends a request with a bearer token to a path of its own, and answers what became of it. */
export async function show(pair, value, { headers = bearer(value), time } = {}) {
  const path = `/shown/n${paths += 1}/`;
  assert.equal((await client(pair)(path, { headers, time })).status, 200);
  return seen(pair, path);
}

/** Fails unless the request is in the session of a claim that was believed. */
export function assertVerified({ session: { key, proof }, marks }, source = SID) {
  assert.deepEqual([key, proof, marks], [{ source, verified: true }, 'verified', []]);
}
/** Fails unless the request is in the session of a token that was not believed, with exactly these marks. */
export function assertOpaque({ session: { key, proof }, marks }, expected, name) {
  assert.deepEqual([key, marks], [{ source: SID, verified: false }, expected], name);
  assert.notEqual(proof, 'verified', name);
}
