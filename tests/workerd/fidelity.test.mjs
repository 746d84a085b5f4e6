// A transparent proxy: each exchange of the table is made with the origin itself and through the Worker, and both
// what the origin saw and what the client got must be the same (compare.mjs says what may differ, and why).
//
// Streams are in streams.test.mjs, hostile targets in targets.test.mjs, a failing origin in outage.test.mjs.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { send } from './client.mjs';
import { differences, unseen } from './compare.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';

const BODY = JSON.stringify({ name: "O'Brien", note: 'caf\u00e9, 100% <3', items: [1, 2, 3] });
const JSON_TYPE = ['Content-Type', 'application/json'];

// Every method workerd lets in. Others get its 501 before a Worker sees them, and CONNECT needs a handler of its own.
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'SEARCH', 'PURGE', 'BAN',
  'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'ACL', 'REPORT', 'MKACTIVITY', 'CHECKOUT',
  'MERGE', 'MSEARCH', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE'];

const BROWSER = [
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'], ['Accept', 'text/html'],
  ['Accept', 'application/json;q=0.9'], ['Accept-Language', 'de, en;q=0.5'], ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ['Cookie', 'sid=abc; theme=dark'], ['Referer', 'https://shop.example/?a=1'], ['Authorization', 'Bearer a.b.c'],
  ['If-None-Match', '"v1"'], ['If-Modified-Since', 'Wed, 21 Oct 2015 07:28:00 GMT'], ['Cache-Control', 'no-cache'],
  ['Origin', 'https://shop.example'], ['Sec-Fetch-Mode', 'cors'], ['DNT', '1'], ['Priority', 'u=1, i'],
];
const AWKWARD = [
  ['X-Many', 'one'], ['x-many', 'two'], ['X-MANY', 'one'], ['Cookie', 'a=1'], ['Cookie', 'b=2'], ['X-Empty', ''], ['User-Agent', ''],
  ['X-Latin', 'caf\xe9'], ['X-Utf8', Buffer.from('caf\u00e9').toString('latin1')], ['X-Tab', 'a\tb'], ['X_Under', '1'],
  ['Via', '1.1 upstream'], ['Forwarded', 'for=192.0.2.1'], ['X-Forwarded-For', '192.0.2.1, 192.0.2.2'], ['X-Real-IP', '192.0.2.3'],
  ['Proxy-Authorization', 'Basic eA=='], ['Connection', 'keep-alive, X-Hop'], ['X-Hop', '1'], ['Keep-Alive', 'timeout=5'],
  ['TE', 'trailers'], ['Upgrade-Insecure-Requests', '1'], ['X-Long', 'v'.repeat(8000)],
];

const plain = (method) => ({ name: `${method} without a body`, method });
const told = (answer, { name = answer, headers = [], ...rest } = {}) =>
  ({ name, ...rest, headers: [['x-answer', answer], ...headers] });
const both = (answer, options = {}) => [told(answer, options), told(answer, { ...options, name: `HEAD: ${answer}`, method: 'HEAD' })];

const CASES = [
  ...METHODS.map(plain),
  ...METHODS.map((method) => ({ name: `${method} with a JSON body`, method, headers: [JSON_TYPE], body: BODY })),
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'QUERY'].map((method) =>
    told('status 200', { name: `${method} with a chunked body and trailers`, method, headers: [JSON_TYPE, ['Trailer', 'X-Sum']],
      body: [Buffer.from('{"a":'), Buffer.from('1}')], trailers: [['X-Sum', '1']] })),
  { name: 'POST with Content-Length: 0', method: 'POST', headers: [['Content-Length', '0']] },
  { name: 'a form', method: 'POST', headers: [['Content-Type', 'application/x-www-form-urlencoded']], body: 'a=1&b=%zz&&c=+' },
  { name: 'a compressed upload', method: 'POST', headers: [JSON_TYPE, ['Content-Encoding', 'gzip']], body: gzipSync(BODY) },
  { name: 'a body that is not what it says', method: 'POST', headers: [JSON_TYPE], body: Buffer.from([0xff, 0xfe, 0, 0x7b]) },
  { name: 'a browser\'s headers', headers: BROWSER },
  { name: 'awkward headers', headers: AWKWARD },
  { name: 'fifty headers of a kilobyte', headers: Array.from({ length: 50 }, (_, i) => [`X-Large-${i}`, 'v'.repeat(1010)]) },
  { name: 'a CORS preflight', method: 'OPTIONS', headers: [['Origin', 'https://shop.example'],
    ['Access-Control-Request-Method', 'PUT'], ['Access-Control-Request-Headers', 'x-a, x-b']] },
  ...both('cookies'), ...both('repeated'), ...both('length 1000'), ...both('large-headers 60'),
  ...[301, 302, 303, 307, 308].flatMap((code) => both(`redirect ${code} /elsewhere?x=1`)),
  told('redirect 302 http://127.0.0.1:1/'), told('redirect 302 //other.example/'), told('redirect 301 %zz'),
  told('redirect 307 /elsewhere', { name: 'a redirected POST', method: 'POST', body: BODY }),
  ...['200', '200 Fine by me', '201 Created', '202', '203 N', '204 No Content', '205 Reset Content', '299 Odd', '300 Many',
    '304 Not Modified', '400 B', '401 U', '402 P', '404 Gone fishing', '405 M', '409 C', '410 G', '418 Teapot', '422 U',
    '429 Slow down', '451 L', '499 C', '500 E', '502 Bad', '503 S', '504 T', '511 N', '599 Wide', '600 Beyond', '999 Last',
  ].map((status) => told(`status ${status}`)),
  ...both('not-modified'), told('hop-by-hop'), ...both('encoded gzip'), ...both('encoded br'),
  told('encoded gzip', { name: 'gzip to a client that asked for it', headers: [['Accept-Encoding', 'gzip']] }),
  told('encoded br', { name: 'br to a client that refuses it', headers: [['Accept-Encoding', 'identity']] }),
  told('range'), told('range', { name: 'a range', headers: [['Range', 'bytes=3-7']] }),
  told('range', { name: 'an open range', headers: [['Range', 'bytes=20-']] }),
  told('range', { name: 'a range beyond the end', headers: [['Range', 'bytes=90-']] }),
  ...both('trailers'), told('until-close'), told('hints'), told('cut'), told('slow 300'),
  told('stream 300000 chunked'), told('stream 300000 length'),
];

// Headers that Throughline takes away, on either side, and nothing else with them: a message it touches it rebuilds.
const FEEDBACK = [['x-feedback', 'login-success;user="u1"']];
const SPOOFED = [['Session-Context', 'id="forged";risk=0'], ['session-event', 'login-success']];
const TOUCHED = [
  ...['cookies', 'repeated', 'length 1000', 'redirect 302 /x?y', 'status 204 No Content', 'status 404 Gone fishing', 'not-modified',
    'encoded gzip', 'encoded br', 'trailers', 'until-close', 'cut', 'stream 300000 chunked', 'range'].flatMap((answer) => [
    told(answer, { name: `${answer}, with feedback`, headers: FEEDBACK }),
    told(answer, { name: `HEAD: ${answer}, with feedback`, method: 'HEAD', headers: FEEDBACK }),
    told(answer, { name: `${answer}, with spoofed headers`, headers: SPOOFED }),
  ]),
  ...METHODS.map((method) =>
    ({ name: `${method} with a JSON body and spoofed headers`, method, headers: [JSON_TYPE, ...SPOOFED], body: BODY })),
  { name: 'awkward headers and spoofed ones', headers: [...AWKWARD, ...SPOOFED] },
  { name: 'a path that survives with spoofed headers', target: '//a/..%2fb;c?x=%zz&&y', headers: SPOOFED },
];

// The binding takes another way to the origin, so it is asked the same but for the endless list of status codes.
const ways = [
  { way: 'ORIGIN_URL', options: {}, cases: CASES },
  { way: 'the ORIGIN binding', options: { originBinding: true }, cases: CASES.filter(({ name }) => !/^status [^23]/.test(name)) },
];

for (const { way, options, cases } of ways) {
  describe(`through ${way}`, () => {
    let pair;
    before(async () => { pair = await startPair(options); });
    after(() => pair?.stop());

    for (const { name, ...request } of [...cases, ...(notOurs ? [] : TOUCHED)]) {
      test(name, async () => {
        const direct = await exchange(pair.origin, pair.origin.port, request);
        const proxied = await exchange(pair.origin, pair.worker.port, request);
        assert.deepEqual(differences(direct, proxied), []);
        assert.equal(proxied.times, 1, 'the origin got the request once');
      });
    }
  });
}

test('every exception made for the platform was needed', () => {
  const elsewhere = notOurs ? /websocket|session-/ : /websocket/; // that one is compared in streams.test.mjs
  assert.deepEqual(unseen().filter((line) => !elsewhere.test(line)), []);
});

/** One exchange, and what the origin saw of it; the origin is asked for by name, whoever is connected to. */
async function exchange(origin, port, request) {
  const id = randomUUID();
  const headers = [['Host', `127.0.0.1:${origin.port}`], ['X-Exchange', id], ...(request.headers ?? [])];
  const got = await send({ ...request, port, headers });
  const seen = await waitFor(() => {
    const all = origin.requests.filter((entry) => values(entry.headers, 'x-exchange')[0] === id);
    return all.length > 0 && all;
  }, { what: `the origin to have recorded ${request.method ?? 'GET'}` });
  const sent = { ...seen[0], headers: seen[0].headers.filter(([name]) => name.toLowerCase() !== 'x-exchange') };
  return { got, sent, times: seen.length };
}
