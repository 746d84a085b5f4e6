// Exports of the built Worker: whole lists across pages, in every format, for whoever may look, on record; and what an
// answer weighs on its way: tags and compression.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { notOurs, startPair } from './harness.mjs';
import { send } from './client.mjs';
import { values } from './http1.mjs';
import { all, ask, client, problem, recorded } from './scene.mjs';

const EVENTS = 1_203; // three pages
const HOSTILE = '=cmd|x,"y" \u2028';
const NOBODY = '00112233445566778899aabbccddeeff';

describe('exports', { skip: notOurs }, () => {
  let pair;
  let session;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, PARAMETERS: [
      { name: 'username', from: 'request.header.x-user', role: 'user', store: 'plain' }] } });
    const ann = client(pair, { ip: '203.0.113.10', country: 'DE', cookie: 'sid=ann', headers: [['x-user', 'ann']] });
    for (let at = 0; at < EVENTS; at += 50) {
      await Promise.all(Array.from({ length: Math.min(50, EVENTS - at) }, (_, i) => ann(`/api/orders/${at + i}`)));
    }
    const odd = client(pair, { ip: '198.51.100.8', country: 'US', agent: '=cmd|x,"y"' });
    await odd(`/a/${encodeURIComponent(HOSTILE)}`);
    await recorded(pair, EVENTS + 1, { timeout: 30_000 });
    session = (await ask(pair, 'sessions?ip=203.0.113.10')).items[0].id;
  });
  after(() => pair?.stop());

  const get = (path, options) => pair.admin(`api/v1/${path}`, options);

  test('a session is exported whole, each event once, as its pages have it', async () => {
    const answer = await get(`sessions/${session}/export?format=ndjson`);
    assert.equal(answer.headers.get('content-type'), 'application/x-ndjson');
    assert.equal(answer.headers.get('content-disposition'), `attachment; filename="session-${session}-throughline-events.ndjson"`);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const lines = (await answer.text()).trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, EVENTS);
    assert.deepEqual(lines, await all(pair, `sessions/${session}/events`));
  });

  test('a filter of events and of sessions is exported in every format it has', async () => {
    for (const [format, type, count] of [['ndjson', 'application/x-ndjson', EVENTS], ['csv', 'text/csv; charset=utf-8; header=present', EVENTS + 1],
      ['ocsf', 'application/x-ndjson', EVENTS], ['ocsf-api', 'application/x-ndjson', EVENTS], ['ecs', 'application/x-ndjson', EVENTS],
      ['cef', 'text/plain; charset=utf-8', EVENTS]]) {
      const answer = await get(`events/export?format=${format}&country=DE`);
      assert.equal(answer.headers.get('content-type'), type);
      const lines = (await answer.text()).trimEnd().split(/\r?\n/);
      // So many requests at once are a finding or two, which have lines of their own.
      const isFinding = (line) => /^\{.*"class_uid":2004|"kind":"alert"|^CEF:0(?:\|[^|]*){3}\|(?!request\|)/.test(line);
      assert.equal(lines.filter((line) => !isFinding(line)).length, count, format);
    }
    const har = await (await get('events/export?format=har&country=DE')).json();
    assert.equal(har.log.entries.length, EVENTS);
    assert.equal((await (await get('sessions/export')).text()).trimEnd().split('\n').length, 2);
    assert.match(await (await get('sessions/export?format=csv&country=DE')).text(), new RegExp(`^id,state,.*\r\n${session},`));
    const found = await all(pair, 'findings');
    assert.deepEqual((await (await get('findings/export')).text()).split('\n').filter(Boolean).map((line) => JSON.parse(line)), found);
  });

  test('what clients wrote is text in it', async () => {
    const csv = await (await get('events/export?format=csv&country=US')).text();
    assert.ok(csv.includes(`"'=cmd|x,""y"""`), csv);
    const cef = await (await get('events/export?format=cef&country=US')).text();
    assert.equal(cef.trimEnd().split('\n').length, 1);
    assert.ok(cef.includes(String.raw`requestClientApplication=\=cmd|x,"y"`), cef);
  });

  test('an export is refused for what it does not take, before anything is sent', async () => {
    for (const [path, name] of [['events/export?format=pdf', 'format'], ['sessions/export?format=har', 'format'], ['events/export?limit=5', 'limit'],
      ['events/export?colour=red', 'colour'], [`sessions/${session}/export?cursor=x`, 'cursor']]) {
      assert.equal((await problem(await get(path), 400, path)).parameter, name);
    }
    await problem(await get(`sessions/${NOBODY}/export`), 404);
    await problem(await get('events/export', { method: 'POST' }), 405);
    await problem(await get('events/export', { token: 'none' }), 401);
  });

  test('HEAD answers with the head alone', async () => {
    const got = await send({ port: pair.worker.port, method: 'HEAD', target: '/_throughline/api/v1/events/export?format=csv',
      headers: [['Host', new URL(pair.origin.url).host], ['Authorization', `Bearer ${pair.tokens.admin}`]] });
    assert.equal(got.status, 200);
    assert.deepEqual(values(got.headers, 'content-disposition'), ['attachment; filename="throughline-events.csv"']);
    assert.equal(got.bytes, 0);
  });

  test('a viewer is shown pseudonyms where users are stored plain, and the same one everywhere', async () => {
    const [own] = (await ask(pair, `sessions?ip=203.0.113.10`)).items;
    assert.deepEqual(own.users, ['ann']);
    const seen = async (path) => (await get(path, { token: pair.tokens.viewer })).text();
    const [masked] = JSON.parse(await seen('sessions?ip=203.0.113.10')).items[0].users;
    assert.match(masked, /^h:[0-9a-f]{4}:[0-9a-f]{32}$/);
    for (const path of [`sessions/${session}`, `sessions/${session}/events?limit=5`, 'events?country=DE&limit=5', `sessions/${session}/story`,
      `sessions/${session}/export`, 'events/export?format=ecs&country=DE', 'sessions/export?format=csv', 'subjects/ip/203.0.113.10']) {
      const text = await seen(path);
      assert.ok(text.includes(masked) && !/\bann\b/.test(text), `${path}: ${text.slice(0, 3000)}`);
    }
  });

  test('who exported what is on record, without what names people', async () => {
    await (await get('events/export?format=csv&user=ann&q=secret&country=DE', { token: pair.tokens.viewer })).text();
    const { items: [entry] } = await ask(pair, 'audit?limit=1');
    assert.deepEqual([entry.actor, entry.act, entry.subject], ['viewer', 'export', 'events']);
    assert.match(entry.detail, /^csv user=h:[0-9a-f:]+ q=… country=DE$/);
  });

  test('an answer is tagged, and not sent again while it is the same', async () => {
    const first = await get('sessions?ip=203.0.113.10');
    const tag = first.headers.get('etag');
    assert.match(tag, /^W\/"[\w-]+"$/);
    const again = await get('sessions?ip=203.0.113.10', { headers: { 'If-None-Match': `"x", ${tag}` } });
    assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, tag, '']);
    assert.equal((await get('sessions', { headers: { 'If-None-Match': tag } })).status, 200);
    await problem(await get('sessions?colour=red', { headers: { 'If-None-Match': '*' } }), 400);
  });

  test('a large answer is compressed for whoever takes gzip, and for nobody else', async () => {
    const asked = (target, accept) => send({ port: pair.worker.port, target: `/_throughline/api/v1/${target}`,
      headers: [['Host', new URL(pair.origin.url).host], ['Authorization', `Bearer ${pair.tokens.admin}`], ...(accept === null ? [] : [['Accept-Encoding', accept]])] });
    const plain = await asked('events?limit=100', null);
    for (const target of ['events?limit=100', 'events/export?format=ndjson']) {
      const zipped = await asked(target, 'br;q=0.5, gzip');
      assert.deepEqual(values(zipped.headers, 'content-encoding'), ['gzip'], target);
      assert.deepEqual(values(zipped.headers, 'vary'), ['accept-encoding']);
      if (target.startsWith('events?')) assert.deepEqual(JSON.parse(gunzipSync(zipped.body)).items, JSON.parse(plain.body).items);
      else assert.equal(gunzipSync(zipped.body).toString().trimEnd().split('\n').length, EVENTS + 1);
    }
    for (const accept of ['identity', 'gzip;q=0', 'br']) {
      assert.deepEqual(values((await asked('events?limit=100', accept)).headers, 'content-encoding'), [], accept);
    }
    assert.deepEqual(values((await asked('blocks', 'gzip')).headers, 'content-encoding'), [], 'too small to gain anything');
  });
});
