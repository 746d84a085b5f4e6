// Share links and the live tail of the built Worker: each shows what it is for and nothing else, and ends.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client, order, problem, recorded } from './scene.mjs';

describe('investigating with others', { skip: notOurs }, () => {
  let pair;
  let ann;
  let bob;
  const visitor = {};
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
    visitor.ann = client(pair, { ip: '203.0.113.10', country: 'DE', cookie: 'sid=ann' });
    visitor.bob = client(pair, { ip: '203.0.113.11', country: 'US', cookie: 'sid=bob' });
    await visitor.ann('/api/orders/1');
    await visitor.bob('/api/orders/2');
    await recorded(pair, 2);
    [ann, bob] = await Promise.all(['10', '11'].map(async (end) => (await ask(pair, `sessions?ip=203.0.113.${end}`)).items[0].id));
  });
  after(() => pair?.stop());

  const share = (body) => ask(pair, 'share', order(body));
  const by = (token, path, init) => pair.admin(`api/v1/${path}`, { token, ...init });

  test('a shared session shows itself, its events and its findings, and not one other thing', async () => {
    const { token, id, link, session } = await share({ session: ann, for: '1h', note: 'look' });
    assert.equal(session, ann);
    assert.equal(link, `/_throughline/console/shared#${token}`);
    for (const path of [`sessions/${ann}`, `sessions/${ann}/events`, `sessions/${ann}/export`, 'share', 'findings']) {
      assert.equal((await by(token, path)).status, 200, path);
    }
    const { items } = await (await by(token, 'events')).json();
    assert.deepEqual([...new Set(items.map((event) => event.session))], [ann]);
    const { items: shares } = await (await by(token, 'share')).json();
    assert.deepEqual(shares.map((each) => [each.id, each.token]), [[id, undefined]]);
    for (const [path, method = 'GET', body] of [[`sessions/${bob}`], [`sessions/${bob}/events`], [`sessions/${bob}/export`], ['sessions'], ['sessions/export'],
      [`sessions/${ann}/story`], ['events/export'], ['findings/export'], ['stats'], ['rollups'], ['policy'], ['audit'], ['blocks'], ['alerts'],
      ['subjects/ip/203.0.113.10'], ['lookup', 'POST', { value: 'bob' }], ['identify', 'POST', {}], [`sessions/${ann}/actions`, 'POST', { action: 'block' }],
      ['blocks', 'POST', { kind: 'ip', value: '192.0.2.1' }], ['share', 'POST', { session: ann }], [`share/${id}`, 'DELETE']]) {
      await problem(await by(token, path, { method, body: body && JSON.stringify(body) }), 403, `${method} ${path}`);
    }
    await problem(await pair.admin('metrics', { token }), 403);
    await problem(await pair.admin('mcp', { token, ...order({ jsonrpc: '2.0', id: 1, method: 'ping' }) }), 403);
    assert.equal((await problem(await by(token, `events?session=${bob}`), 400)).parameter, 'session');
    await problem(await by(token, 'events?session!=' + ann), 400);
  });

  test('a shared list keeps its filter, whatever is asked, and opens the sessions in it alone', async () => {
    const { token } = await share({ list: 'sessions', filter: 'country=DE&from=-1h' });
    const { items } = await (await by(token, 'sessions?sort=risk&limit=5')).json();
    assert.deepEqual(items.map(({ id }) => id), [ann]);
    assert.equal((await by(token, `sessions/${ann}`)).status, 200);
    assert.equal((await (await by(token, 'sessions/export')).text()).trimEnd().split('\n').length, 1);
    for (const path of [`sessions/${bob}`, `sessions/${bob}/events`, 'events', 'findings']) await problem(await by(token, path), 403, path);
    for (const filter of ['country=US', 'country!=DE', 'q=orders']) await problem(await by(token, `sessions?${filter}`), 400, filter);
  });

  test('a share that is taken back shows nothing any more, and all of it is on record', async () => {
    const { token, id } = await share({ session: ann });
    assert.equal((await by(token, `sessions/${ann}`)).status, 200);
    assert.equal((await pair.admin(`api/v1/share/${id}`, { method: 'DELETE' })).status, 204);
    await waitFor(async () => (await by(token, `sessions/${ann}`)).status === 401, { timeout: 5_000, what: 'the share to end' });
    await problem(await pair.admin(`api/v1/share/${id}`, { method: 'DELETE' }), 404);
    const { items } = await ask(pair, 'audit?limit=3');
    assert.deepEqual(items.map(({ act, actor }) => [act, actor]), [['unshare', 'admin'], ['open', `share ${id}`], ['share', 'admin']]);
    for (const forged of [`${token.slice(0, -4)}AAAA`, token.replace('tls_', 'tls_A'), `${token}A`]) {
      await problem(await by(forged, `sessions/${ann}`), 401);
    }
  });

  test('a share is refused that could not be opened', async () => {
    for (const body of [{}, { session: 'x' }, { list: 'users' }, { list: 'events', filter: 'colour=red' }, { session: ann, list: 'events' }, { session: ann, for: '91d' }]) {
      await problem(await pair.admin('api/v1/share', order(body)), 400, JSON.stringify(body));
    }
    await problem(await pair.admin('api/v1/share', order({ session: '00112233445566778899aabbccddeeff' })), 404);
  });

  /** Messages of a stream, one after the other: { event, data, id }. */
  async function* messages(answer) {
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of answer.body) {
      text += decoder.decode(part, { stream: true });
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const fields = Object.fromEntries(text.slice(0, end).split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
        if (fields.event) yield { ...fields, data: JSON.parse(fields.data) };
      }
    }
  }

  const open = async (query = '', headers = {}) => {
    const abort = new AbortController();
    const answer = await pair.admin(`api/v1/stream${query}`, { headers, signal: abort.signal });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    const read = messages(answer);
    return { next: async () => (await read.next()).value, close: () => abort.abort() };
  };

  test('a stream tells events as they come, filtered, and a client that comes again misses none and gets none twice', async () => {
    const stream = await open('?country=DE');
    assert.equal((await stream.next()).event, 'open');
    await visitor.bob('/api/other/1');
    await visitor.ann('/api/live/1');
    const first = await stream.next();
    assert.deepEqual([first.event, first.data.path, first.data.session], ['event', '/api/live/1', ann]);
    const { event, id } = await stream.next();
    assert.equal(event, 'position');
    stream.close();
    for (let n = 2; n < 6; n += 1) await visitor.ann(`/api/live/${n}`);
    const again = await open('?country=DE', { 'Last-Event-ID': id });
    const paths = [];
    while (paths.length < 4) {
      const message = await again.next();
      if (message.event === 'event') paths.push(message.data.path);
    }
    assert.deepEqual(paths, [2, 3, 4, 5].map((n) => `/api/live/${n}`));
    again.close();
  });

  test('a stream tells the findings its events bring', async () => {
    const stream = await open('?ip=198.51.100.9');
    await stream.next();
    await client(pair, { ip: '198.51.100.9' })(`/api/search?q=${encodeURIComponent("1' UNION SELECT password FROM users--")}`);
    let message;
    do message = await stream.next(); while (message.event !== 'finding');
    assert.deepEqual([message.data.detector, message.data.scope], ['sqli', 'request']);
    stream.close();
  });

  test('a stream refuses what it does not know', async () => {
    for (const query of ['?from=-1h', '?limit=5', '?colour=red', '?state=flagged']) await problem(await pair.admin(`api/v1/stream${query}`), 400, query);
    await problem(await pair.admin('api/v1/stream', { headers: { 'Last-Event-ID': 'nonsense!' } }), 400);
  });
});
