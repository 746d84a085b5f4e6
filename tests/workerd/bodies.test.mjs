// Bodies that are read because they say who is calling: session keys and users in requests, keys issued in responses.
//
// Whatever is read of a body, both sides get it byte for byte, framed as it was, and nobody waits longer than said.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { release } from './answers.mjs';
import { open, receive, send } from './client.mjs';
import { differences } from './compare.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { chunk, lastChunk, readHead, values } from './http1.mjs';
import { ask, BROWSER, client } from './scene.mjs';
import { acceptKey } from './websocket.mjs';

const BODY_BYTES = 4_096; // LIMITS.body_bytes here
const BODY_MS = 400; // LIMITS.body_ms
const MB5 = 5 << 20;
const JSON_TYPE = ['Content-Type', 'application/json'];
const KEYLESS = 'client.ip+ua';

/** A JSON body of exactly that many bytes with `start` at its start. */
function padded(start, bytes) {
  const [head, tail] = [`${JSON.stringify(start).slice(0, -1)},"pad":"`, '"}'];
  return Buffer.from(head + 'é' + 'p'.repeat(bytes - head.length - tail.length - 2) + tail);
}
const inPieces = (body, size) => Array.from({ length: Math.ceil(body.length / size) }, (_, i) => body.subarray(i * size, (i + 1) * size));
const session = (token) => ({ session: { token } });

/** What both kinds of pair answer with; `event` and `sessionAt` are about the only event at a path. */
function watch(pair) {
  const event = (path) => waitFor(async () => {
    const { items } = await ask(pair, `events?q=${encodeURIComponent(path)}`);
    assert.ok(items.length <= 1, `one event of ${path}`);
    return items[0];
  }, { what: `the event of ${path}` });
  return {
    event,
    sessionAt: async (path) => ask(pair, `sessions/${(await event(path)).session}`),
    /** Sends to the Worker, or to the origin itself, and answers { got, sent }. */
    exchange: async (request, port = pair.worker.port) => {
      const id = randomUUID();
      const headers = [['Host', `127.0.0.1:${pair.origin.port}`], ['User-Agent', BROWSER], ['X-Exchange', id], ...(request.headers ?? [])];
      const got = await send({ method: 'POST', ...request, port, headers });
      const sent = await waitFor(() => pair.origin.requests.find((entry) => values(entry.headers, 'x-exchange')[0] === id), { what: 'the request to arrive' });
      return { got, sent: { ...sent, headers: sent.headers.filter(([name]) => name.toLowerCase() !== 'x-exchange') } };
    },
    incidents: async () => /^throughline_incidents_total (\d+)$/m.exec(await (await pair.admin('metrics')).text())[1],
  };
}

describe('a session key in the request body', { skip: notOurs }, () => {
  let pair;
  let eyes;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50, body_bytes: BODY_BYTES, body_ms: BODY_MS },
      SESSION_KEYS: [{ from: 'request.body#/session/token', on: 'POST /rpc/{call}' }] } });
    eyes = watch(pair);
  });
  after(() => pair?.stop());

  const small = padded(session('in-pieces'), 1_000);
  const CASES = [
    { name: 'no body at all', call: 'none' },
    { name: '0 bytes', call: 'zero', body: '' },
    { name: '1 byte', call: 'one', body: '{' },
    { name: 'a small body', call: 'small', body: padded(session('small'), 200), key: 'small' },
    { name: 'exactly body_bytes', call: 'exact', body: padded(session('exact'), BODY_BYTES), key: 'exact' },
    { name: 'body_bytes + 1', call: 'over', body: padded(session('over'), BODY_BYTES + 1), key: 'over', cut: true },
    { name: '5 MB', call: 'large', body: padded(session('large'), MB5), key: 'large', cut: true },
    { name: '5 MB in chunks', call: 'large-chunks', body: inPieces(padded(session('large-chunks'), MB5), 100_000), key: 'large-chunks', cut: true },
    { name: 'many small chunks', call: 'pieces', body: inPieces(small, 7), key: 'in-pieces' },
    { name: 'chunks and trailers', call: 'trailers', body: inPieces(small, 300), trailers: [['X-Sum', '1']], more: [['Trailer', 'X-Sum']], key: 'in-pieces' },
    { name: 'an empty chunked body', call: 'no-chunks', body: [] },
    { name: 'a gzip-encoded body', call: 'gzip', body: gzipSync(small), more: [['Content-Encoding', 'gzip']] },
    { name: 'bytes that are no UTF-8', call: 'latin', body: Buffer.from([...Buffer.from('{"session":{"a":"'), 0xff, 0xfe, 0xc3, 0x22, 0x7d, 0x7d]) },
    { name: '10,000 brackets', call: 'deep', body: '['.repeat(10_000), cut: true },
    { name: '2,000 nested members', call: 'nested', body: `{"session":`.repeat(360), cut: true },
    { name: 'JSON that ends too early', call: 'short', body: '{"session":{"token":"never clos' },
    { name: 'a number no number type holds', call: 'number', body: '{"session":{"token":1e999999}}', key: '1e999999' },
    { name: 'the wrong type', call: 'object', body: '{"session":{"token":{"id":1}}}' },
    { name: 'another content type', call: 'text', body: JSON.stringify(session('text')), type: 'text/plain' },
  ];
  for (const { name, call, body, trailers, more = [], type = 'application/json', key, cut = false } of CASES) {
    test(`leaves ${name} as it is on its way to the origin`, async () => {
      const headers = [['Content-Type', type], ...more, ['cf-connecting-ip', '192.0.2.1']];
      const request = { body, trailers, headers };
      const direct = await eyes.exchange({ ...request, target: `/rpc/${call}` }, pair.origin.port);
      const without = await eyes.exchange({ ...request, target: `/plain/${call}` });
      const read = await eyes.exchange({ ...request, target: `/rpc/${call}` });
      assert.deepEqual(differences(direct, read), []);
      assert.equal(read.got.status, 200);
      const framing = ({ sent: { headers: all, bytes, sha256, trailers: ending, complete } }) =>
        [values(all, 'content-length'), values(all, 'transfer-encoding'), bytes, sha256, ending, complete];
      assert.deepEqual(framing(read), framing(without));
      const found = await eyes.event(`/rpc/${call}`);
      assert.equal(found.marks.includes('body_cut'), cut);
      const { key: { source } } = await ask(pair, `sessions/${found.session}`);
      assert.equal(source, key === undefined ? KEYLESS : 'request.body#/session/token');
    });
  }

  test('that is not what its type says is marked as malformed', async () => {
    for (const [call, body] of [['torn', '{"session":{"token":"torn"'], ['bytes', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])], ['words', 'session=1']]) {
      await client(pair)(`/rpc/malformed-${call}`, { method: 'POST', headers: [JSON_TYPE], body });
      assert.deepEqual((await eyes.event(`/rpc/malformed-${call}`)).marks, ['malformed'], call);
    }
  });

  test('groups requests of many clients, however their bodies are framed, and of no others', async () => {
    const body = JSON.stringify({ id: 1, ...session('grouped') });
    for (const [i, sent] of [body, inPieces(Buffer.from(body), 3), padded(session('grouped'), BODY_BYTES * 3), body].entries()) {
      await client(pair, { ip: `198.51.100.${i}` })(`/rpc/group-${i}`, { method: 'POST', headers: [JSON_TYPE], body: sent });
    }
    await client(pair, { ip: '198.51.100.9' })('/rpc/group-9', { method: 'POST', headers: [JSON_TYPE], body: JSON.stringify(session('Grouped')) });
    await client(pair, { ip: '198.51.100.9' })('/rpc/group-put', { method: 'PUT', headers: [JSON_TYPE], body });
    const sessions = new Set();
    for (let i = 0; i < 4; i += 1) sessions.add((await eyes.event(`/rpc/group-${i}`)).session);
    assert.equal(sessions.size, 1);
    const [id] = sessions;
    assert.notEqual((await eyes.event('/rpc/group-9')).session, id);
    assert.equal((await eyes.sessionAt('/rpc/group-put')).key.source, KEYLESS);
    const known = await ask(pair, `sessions/${id}`);
    assert.deepEqual([known.requests, known.ips.length], [4, 4]);
    const looked = await ask(pair, 'lookup', { method: 'POST', body: JSON.stringify({ value: 'grouped' }) });
    assert.deepEqual(looked.items.map(({ session: one }) => one), [id]);
  });

  test('is waited for when the client asks whether to continue', async () => {
    const body = JSON.stringify(session('continued'));
    const wire = await open({ port: pair.worker.port, method: 'POST', target: '/rpc/continue', headers: [['Expect', '100-continue'],
      ['Content-Length', body.length], JSON_TYPE, ['Host', 'shop.test'], ['x-answer', 'continue']] });
    assert.equal((await readHead(wire)).start, 'HTTP/1.1 100 Continue');
    await wire.write(body);
    assert.equal((await receive(wire)).body.toString(), `got ${body.length}`);
    wire.socket.destroy();
    assert.equal((await eyes.sessionAt('/rpc/continue')).key.source, 'request.body#/session/token');
  });

  for (const [what, first, source] of [['nothing of the key', '{"id":1,', KEYLESS], ['the key', '{"session":{"token":"slow"},', 'request.body#/session/token']]) {
    for (const framing of ['length', 'chunked']) {
      test(`is waited for no longer than body_ms where ${what} has come by then (${framing})`, async () => {
        const path = `/rpc/slow-${source === KEYLESS ? 'without' : 'with'}-${framing}`;
        const rest = '"session":{"token":"late"}}';
        const put = (data) => (framing === 'length' ? Buffer.from(data) : chunk(Buffer.from(data)));
        const began = Date.now();
        const wire = await open({ port: pair.worker.port, method: 'POST', target: path, headers: [JSON_TYPE, ['Host', 'shop.test'], ['User-Agent', BROWSER],
          ['cf-connecting-ip', '192.0.2.7'], framing === 'length' ? ['Content-Length', first.length + rest.length] : ['Transfer-Encoding', 'chunked']] });
        await wire.write(put(first));
        await waitFor(() => pair.origin.busy > 0, { interval: 5, what: 'the request to go on without its body' });
        assert.ok(Date.now() - began >= BODY_MS - 10, `went on after ${Date.now() - began} ms`);
        await wire.write(put(rest));
        if (framing === 'chunked') await wire.write(lastChunk());
        assert.equal((await receive(wire)).status, 200);
        wire.socket.destroy();
        const arrived = pair.origin.requests.find(({ target }) => target === path);
        assert.equal(arrived.body.toString(), first + rest);
        const found = await eyes.event(path);
        assert.deepEqual(found.marks, ['body_cut']);
        assert.equal((await eyes.sessionAt(path)).key.source, source);
      });
    }
  }

  test('of a client that hangs up does no harm to those after it', async () => {
    for (let i = 0; i < 20; i += 1) {
      const wire = await open({ port: pair.worker.port, method: 'POST', target: `/rpc/gone-${i}`, headers: [JSON_TYPE, ['Host', 'shop.test'], ['Content-Length', 100_000]] });
      await wire.write(`{"session":{"token":"gone"},"pad":"${'p'.repeat(i * 400)}`);
      wire.socket.resetAndDestroy();
      const body = JSON.stringify(session('patient'));
      const { got, sent } = await eyes.exchange({ target: `/rpc/next-${i}`, headers: [JSON_TYPE], body });
      assert.deepEqual([got.status, sent.body.toString()], [200, body]);
    }
    const known = await waitFor(async () => {
      const found = await eyes.sessionAt('/rpc/next-19');
      return found.requests === 20 && found;
    }, { what: 'a session of 20 requests' });
    assert.equal(known.key.source, 'request.body#/session/token');
    assert.equal(await eyes.incidents(), '0');
  });
});

const FORM = 'application/x-www-form-urlencoded';
const multipart = (...parts) => `${parts.map((part) => `--xYx\r\n${part}\r\n`).join('')}--xYx--\r\n`;
const field = (name, value) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`;
const GRAPHQL = { query: 'mutation Enter($name: String!) { login(name: $name) { ok } }', operationName: 'Enter', variables: { name: 'gil' } };

describe('users in request bodies', { skip: notOurs }, () => {
  let pair;
  let eyes;
  before(async () => {
    const on = (where, from) => ({ name: 'user', from, on: `POST /login/${where}/{case}`, role: 'user', store: 'plain' });
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50, body_ms: 10_000 }, PARAMETERS: [
      on('json', 'request.body#/username'), on('form', 'request.form.username'), on('xml', 'request.body#/login/name'),
      on('graphql', 'request.graphql.variables#/name')] } });
    eyes = watch(pair);
  });
  after(() => pair?.stop());

  /** [path, content type, body, user, body_cut] */
  const LOGINS = [
    ['json/plain', 'application/json; charset=utf-8', '{"password":"x","username":"ann"}', 'ann'],
    ['json/large', 'application/json', padded({ username: 'bea' }, MB5), 'bea', true],
    ['json/late', 'application/json', `{"pad":"${'p'.repeat(200_000)}","username":"late"}`, undefined, true],
    ['json/escaped', 'application/problem+json', '{"username":"J\\u00f6rg \\"J\\""}', 'Jörg "J"'],
    ['json/utf8', 'application/json', Buffer.from([...Buffer.from('{"username":"cid","x":"'), 0xff, 0xc3, 0x22, 0x7d]), 'cid'],
    ['json/deep', 'application/json', `{"username":"dan","x":${'['.repeat(10_000)}`, 'dan', true],
    ['json/short', 'application/json', '{"username":"eve","pass', 'eve'],
    ['json/nothing', 'application/json', '', undefined],
    ['json/noise', 'application/json', Buffer.alloc(300, 0), undefined],
    ['form/urlencoded', FORM, 'a=%zz&username=f%C3%A4y+f&password=x', 'fäy f'],
    ['form/large', FORM, `username=flo&pad=${'p'.repeat(MB5)}`, 'flo', true],
    ['form/multipart', 'multipart/form-data; boundary=xYx', multipart('Content-Disposition: form-data; name="avatar"; filename="a"\r\n\r\nusername=no', field('username', 'fox')), 'fox'],
    ['form/multipart-large', 'multipart/form-data; boundary="xYx"', multipart(field('username', 'fia'), field('avatar', 'p'.repeat(MB5))), 'fia', true],
    ['form/no-boundary', 'multipart/form-data', multipart(field('username', 'no')), undefined],
    ['xml/plain', 'text/xml', '<?xml version="1.0"?><s:login xmlns:s="urn:s"><name> hal &amp; co </name></s:login>', 'hal & co'],
    ['xml/large', 'application/soap+xml', `<login><name>han</name><pad>${'p'.repeat(MB5)}</pad></login>`, 'han', true],
    ['xml/doctype', 'text/xml', '<!DOCTYPE l [<!ENTITY x "boom">]><login><name>&x;</name></login>', undefined],
    ['graphql/json', 'application/json', JSON.stringify(GRAPHQL), 'gil'],
    ['graphql/large', 'application/json', padded({ variables: { name: 'gus' }, query: GRAPHQL.query }, MB5), 'gus', true],
  ];
  for (const [i, [path, type, body, user, cut = false]] of LOGINS.entries()) {
    test(`${user === undefined ? 'nobody is named' : `${user} is named`} by ${path}, and the body arrives unchanged`, async () => {
      const request = { target: `/login/${path}`, headers: [['Content-Type', type], ['cf-connecting-ip', `192.0.2.${i + 1}`]], body };
      const direct = await eyes.exchange(request, pair.origin.port);
      const through = await eyes.exchange(request);
      assert.deepEqual(differences(direct, through), []);
      const { user: named, marks, attempted_user: attempted } = await eyes.event(`/login/${path}`);
      assert.deepEqual([named ?? undefined, attempted, marks.includes('body_cut')], [user, null, cut]);
    });
  }

  test('are read while the body streams: nothing waits for the rest of it', async () => {
    const wire = await open({ port: pair.worker.port, method: 'POST', target: '/login/json/streamed',
      headers: [JSON_TYPE, ['Host', 'shop.test'], ['Transfer-Encoding', 'chunked']] });
    await wire.write(chunk(Buffer.from('{"username":"kim",')));
    await waitFor(() => pair.origin.busy > 0, { timeout: 5_000, what: 'the origin to see the request' });
    await wire.write(chunk(Buffer.from('"password":"x"}')));
    await wire.write(lastChunk());
    assert.equal((await receive(wire)).status, 200);
    wire.socket.destroy();
    const found = await eyes.event('/login/json/streamed');
    assert.deepEqual([found.user, found.marks], ['kim', []]);
  });

  test('do no harm where the client hangs up, or the origin answers before it has read them', async () => {
    for (let i = 0; i < 10; i += 1) {
      const wire = await open({ port: pair.worker.port, method: 'POST', target: '/login/json/gone', headers: [JSON_TYPE, ['Host', 'shop.test'], ['Content-Length', 100_000]] });
      await wire.write('{"username":"gone"');
      wire.socket.resetAndDestroy();
    }
    const refused = await pair.send({ method: 'POST', target: '/login/json/refused', headers: [JSON_TYPE, ['x-answer', 'refuse']], body: padded({ username: 'lou' }, MB5) });
    assert.equal(refused.status, 413);
    const next = await eyes.exchange({ target: '/login/json/next', headers: [JSON_TYPE], body: '{"username":"mia"}' });
    assert.equal(next.got.status, 200);
    assert.equal((await eyes.event('/login/json/next')).user, 'mia');
    assert.equal((await eyes.event('/login/json/refused')).attempted_user, 'lou');
    assert.equal(await eyes.incidents(), '0');
  });
});

const ENCODED = gzipSync(JSON.stringify({ token: 'zipped', pad: randomBytes(1_000).toString('hex') }), { level: 1 });
const issued = (token) => JSON.stringify({ ok: true, token });

/** [what the origin answers at /shop/NAME, the key it issues, body_cut] */
const ANSWERS = {
  plain: { token: 'plain', give: () => ({ headers: [JSON_TYPE, ['ETag', '"1"'], ['X-Two', 'a'], ['X-Two', 'b']], body: issued('plain') }) },
  created: { token: 'created', give: () => ({ status: 201, reason: 'Made', headers: [JSON_TYPE, ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']], body: issued('created') }) },
  zipped: { token: 'zipped', give: () => ({ headers: [JSON_TYPE, ['Content-Encoding', 'gzip'], ['Vary', 'Accept-Encoding']], body: ENCODED }) },
  'zipped-chunks': { token: 'zipped', give: (_, reply) => written(reply, [['Content-Encoding', 'gzip']], inPieces(ENCODED, 10)) },
  'zipped-large': { token: 'zipped-large', cut: true, give: () => ({ headers: [JSON_TYPE, ['Content-Encoding', 'gzip']], body: gzipSync(padded({ token: 'zipped-large' }, MB5)) }) },
  chunks: { token: 'chunks', give: (_, reply) => written(reply, [], inPieces(padded({ token: 'chunks' }, 1_000), 7)) },
  large: { token: 'large', cut: true, give: () => ({ headers: [JSON_TYPE], body: padded({ token: 'large' }, MB5) }) },
  'large-chunks': { token: 'large-chunks', cut: true, give: (_, reply) => written(reply, [], inPieces(padded({ token: 'large-chunks' }, MB5), 50_000)) },
  short: { token: 'short', give: () => ({ headers: [JSON_TYPE], body: '{"token":"short","rest' }) },
  noise: { give: () => ({ headers: [JSON_TYPE], body: Buffer.from([0xff, 0, 0xfe, 0x7b, 0x22]) }) },
  deep: { cut: true, give: () => ({ headers: [JSON_TYPE], body: '['.repeat(10_000) }) },
  empty: { give: () => ({ headers: [JSON_TYPE], body: '' }) },
  'no-content': { give: () => ({ status: 204, reason: 'No Content' }) },
  'not-modified': { give: () => ({ status: 304, reason: 'Not Modified', headers: [['ETag', '"1"']] }) },
  refused: { give: () => ({ status: 403, reason: 'Forbidden', headers: [JSON_TYPE], body: issued('refused') }) },
};
async function written(reply, headers, parts) {
  await reply.start([JSON_TYPE, ['Transfer-Encoding', 'chunked'], ...headers]);
  for (const part of parts) await reply.wire.write(chunk(part));
  await reply.wire.write(lastChunk());
}

describe('a key issued in a response body', { skip: notOurs }, () => {
  let pair;
  let eyes;
  before(async () => {
    const answer = (request, reply) => (ANSWERS[request.target.split('/').at(-1)] ?? ANSWERS.plain).give(request, reply);
    pair = await startPair({ answer, vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50, body_bytes: BODY_BYTES },
      SESSION_KEYS: [{ from: 'request.header.x-session', issued_by: 'response.body#/token', on: '* /shop/{name}' }] } });
    eyes = watch(pair);
  });
  after(() => pair?.stop());

  for (const [name, { token, cut = false }] of Object.entries(ANSWERS)) {
    test(`${token === undefined ? 'is not found' : 'links two sessions'} where the answer is ${name}, which reaches the client as it is`, async () => {
      const headers = [['X-Session', `before-${name}`], ['Accept-Encoding', 'gzip']];
      const request = { method: 'GET', target: `/shop/${name}`, headers };
      const direct = await eyes.exchange(request, pair.origin.port);
      const through = await eyes.exchange(request);
      assert.deepEqual(differences(direct, through), []);
      assert.equal((await eyes.event(`/shop/${name}`)).marks.includes('body_cut'), cut);
      const { id, successors } = await eyes.sessionAt(`/shop/${name}`);
      assert.deepEqual(successors.map(({ reason }) => reason), token === undefined ? [] : ['rotation']);
      if (token === undefined) return;
      await client(pair)(`/shop/after-${name}`, { headers: [['X-Session', token]] });
      const next = await eyes.sessionAt(`/shop/after-${name}`);
      assert.deepEqual([successors[0].session, next.proof], [next.id, 'issued']);
      assert.ok(next.predecessors.some(({ session: from }) => from === id));
    });
  }

  test('is not looked for on endpoints outside `on`', async () => {
    const request = { method: 'GET', target: '/else/where/plain', headers: [['X-Session', 'outside']] };
    assert.deepEqual(differences(await eyes.exchange(request, pair.origin.port), await eyes.exchange(request)), []);
    const { key, successors } = await eyes.sessionAt('/else/where/plain');
    assert.deepEqual([key.source, successors], [KEYLESS, []]);
  });

  test('does not hold back a stream of events: the first is there before the next is sent', async () => {
    const text = [];
    const headers = [['X-Session', 'streams'], ['x-answer', 'sse shop'], ['Accept', 'text/event-stream']];
    const done = pair.send({ target: '/shop/events', headers, onData: (data) => { text.push(data); } });
    await waitFor(() => text.length > 0, { what: 'the first event' });
    assert.equal(Buffer.concat(text).toString(), 'id: 1\ndata: first\n\n');
    release('shop');
    const got = await done;
    assert.equal(Buffer.concat(text).toString(), 'id: 1\ndata: first\n\nid: 2\ndata: second\n\n');
    assert.deepEqual([got.complete, values(got.headers, 'content-type')], [true, ['text/event-stream']]);
    assert.equal((await eyes.event('/shop/events')).status, 200);
  });

  // Responses to a handshake cannot be cloned; entry.mjs clones them all where `on` fits.
  test('does not get in the way of a WebSocket on its endpoints', async () => {
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    const wire = await open({ port: pair.worker.port, target: '/shop/live', headers: [['Host', 'shop.test'], ['x-answer', 'websocket'], ['X-Session', 'live'],
      ['Upgrade', 'websocket'], ['Connection', 'Upgrade'], ['Sec-WebSocket-Key', key], ['Sec-WebSocket-Version', '13']] });
    const { start, headers } = await readHead(wire);
    assert.match(start, /^HTTP\/1\.1 101 /);
    assert.deepEqual(values(headers, 'sec-websocket-accept'), [acceptKey(key)]);
    wire.socket.destroy();
    assert.equal(await eyes.incidents(), '0');
    assert.equal((await eyes.event('/shop/live')).status, 101);
  });
});
