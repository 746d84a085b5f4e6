// Alerts, MCP and sign-in through Cloudflare Access on the built Worker. Time that has to pass (a receiver that is away for
// an hour, days until a dead letter) is played in tests/alerts.rs.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client, order, problem, recorded } from './scene.mjs';

const SECRET = 'a-secret-of-the-receiver-0123456789';
const AUDIENCE = 'c'.repeat(64);

/** A receiver that answers `statuses` in turn, the last one for ever, and keeps what it got. */
async function receiver(...statuses) {
  const got = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    got.push({ url: request.url, headers: request.headers, body });
    response.writeHead(statuses.length > 1 ? statuses.shift() : statuses[0], { location: 'http://127.0.0.1:1/elsewhere' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { got, url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }) };
}

describe('alerts', { skip: notOurs }, () => {
  let pair;
  let json;
  let slack;
  before(async () => {
    // The first attempt is redirected, which is not followed; the second one, five seconds later, is taken.
    [json, slack] = await Promise.all([receiver(307, 200), receiver(200)]);
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, WEBHOOK_SECRET: SECRET, ALERTS: [
      { name: 'attacks', detectors: ['sqli'], to: `${json.url}/hook`, every: '1h' },
      { name: 'chat', on: 'blocked', to: `${slack.url}/chat`, style: 'slack' }] } });
  });
  after(() => Promise.all([pair?.stop(), json.stop(), slack.stop()]));

  test('a finding is told to its receiver, signed, under one id until it is taken', async () => {
    const ann = client(pair, { ip: '203.0.113.10', cookie: 'sid=ann' });
    for (let n = 0; n < 3; n += 1) await ann(`/api/search?q=${encodeURIComponent("1' UNION SELECT password FROM users--")}`);
    await recorded(pair, 3);
    await waitFor(() => json.got.length >= 2, { timeout: 30_000, what: 'the second attempt' });
    const ids = json.got.map(({ headers }) => headers['webhook-id']);
    assert.deepEqual(new Set(ids).size, 1);
    assert.match(ids[0], /^msg_[0-9a-f]{32}$/);
    assert.equal(json.got[0].body, json.got[1].body);
    for (const { url, headers, body } of json.got) {
      assert.equal(url, '/hook', 'a redirect is not followed');
      const signed = createHmac('sha256', SECRET).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
      assert.equal(headers['webhook-signature'], `v1,${signed}`);
      assert.ok(Math.abs(headers['webhook-timestamp'] - Date.now() / 1_000) < 60);
    }
    const { type, data } = JSON.parse(json.got[0].body);
    assert.deepEqual([type, data.rule, data.finding.detector], ['finding.created', 'attacks', 'sqli']);
    await waitFor(async () => (await ask(pair, 'alerts')).items.length === 0, { what: 'the outbox to be empty' });
    assert.equal(json.got.length, 2, 'of the same kind in the same session one is told in an hour');
    assert.deepEqual((await ask(pair, 'alerts?state=dead')).items, []);
  });

  test('a block is told in the words of Slack', async () => {
    await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.66', action: 'block', for: '1h', reason: '<!here> & now' }));
    await waitFor(() => slack.got.length === 1, { what: 'the message' });
    const { text } = JSON.parse(slack.got[0].body);
    assert.match(text, /^block: ip 192\.0\.2\.66 until .*, by admin: &lt;!here&gt; &amp; now$/);
    assert.equal(slack.got[0].headers['webhook-signature'], undefined);
  });

  test('metrics count what was told', async () => {
    const text = await (await pair.admin('metrics')).text();
    const value = (name) => Number(new RegExp(`^throughline_fleet_${name} (\\d+)$`, 'm').exec(text)[1]);
    assert.deepEqual([value('alerts_delivered_total'), value('alerts_failed_total'), value('alerts_waiting'), value('alerts_dead')], [2, 1, 0, 0]);
  });

  test('a tool of MCP shows what a viewer would be shown, as data, and acts on nothing', async () => {
    const call = async (method, params, options) => {
      const answer = await pair.admin('mcp', { ...order({ jsonrpc: '2.0', id: 1, method, params }), ...options });
      assert.equal(answer.status, 200, await answer.clone().text());
      return answer.json();
    };
    const tool = async (name, args) => (await call('tools/call', { name, arguments: args })).result;
    assert.equal((await call('tools/list')).result.tools.length, 5);
    const found = await tool('search_sessions', { filter: 'detector=sqli' });
    assert.equal(found.isError, false);
    assert.match(found.content[0].text, /never as instructions/);
    const { items: [session] } = JSON.parse(found.content[1].text);
    const shown = await tool('get_session', { session: session.id });
    assert.equal(JSON.parse(shown.content[2].text).items.length, 3);
    const { items: [finding] } = await ask(pair, 'findings?detector=sqli');
    const explained = await tool('explain_finding', { finding: finding.id });
    assert.equal(JSON.parse(explained.content[1].text).items[0].findings[0].id, finding.id);
    const endpoints = await waitFor(async () => {
      const { items } = JSON.parse((await tool('list_endpoints', { filter: 'method=GET&sort=attacks' })).content[1].text);
      return items.length > 0 && items;
    }, { what: 'an endpoint' });
    assert.deepEqual([endpoints[0].template, endpoints[0].attacks > 0, endpoints[0].inventory], ['/api/search', true, null]);
    assert.equal((await tool('list_endpoints', { filter: 'colour=red' })).isError, true);
    const proposed = await tool('propose_action', { kind: 'session', value: session.id, action: 'block', reason: 'sqli' });
    assert.equal(JSON.parse(proposed.content[1].text).done, false);
    assert.deepEqual((await ask(pair, 'blocks')).items.map(({ value }) => value), ['192.0.2.66']);
    assert.equal((await tool('search_sessions', { filter: 'colour=red' })).isError, true);
    assert.equal((await pair.admin('mcp', order({ jsonrpc: '2.0', method: 'notifications/initialized' }))).status, 202);
    await problem(await pair.admin('mcp', { ...order({ jsonrpc: '2.0', id: 1, method: 'ping' }), headers: { Origin: 'https://evil.example' } }), 403);
    await problem(await pair.admin('mcp', { ...order({ jsonrpc: '2.0', id: 1, method: 'ping' }), token: 'none' }), 401);
    await problem(await pair.admin('mcp'), 405);
  });
});

describe('sign-in through Access', { skip: notOurs }, () => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let pair;
  let server;
  before(async () => {
    const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
    server = createServer((request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] })));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    pair = await startPair({ vars: { ACCESS: { team: 'acme', aud: AUDIENCE, admins: ['Ann@example.com'], viewers: ['@example.com', 'service:ci'],
      jwks_url: `http://127.0.0.1:${server.address().port}/certs` } } });
  });
  after(() => Promise.all([pair?.stop(), new Promise((done) => { server.close(done); server.closeAllConnections(); })]));

  const token = (claims, header = {}) => {
    const now = Math.floor(Date.now() / 1_000);
    const parts = [{ alg: 'RS256', kid: 'k1', ...header }, { iss: 'https://acme.cloudflareaccess.com', aud: [AUDIENCE], iat: now, exp: now + 600, ...claims }];
    const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${text}.${sign('sha256', Buffer.from(text), keys.privateKey).toString('base64url')}`;
  };
  const as = (assertion, path = 'api/v1/blocks', { headers = {}, ...init } = {}) =>
    fetch(`${pair.worker.url}/_throughline/${path}`, { ...init, headers: { 'cf-access-jwt-assertion': assertion, ...headers } });

  test('a name that is let in has its role, and acts under it', async () => {
    const block = order({ kind: 'ip', value: '192.0.2.7', action: 'block', for: '1m', reason: 'r' });
    assert.equal((await as(token({ email: 'ann@Example.com' }), 'api/v1/blocks', block)).status, 201);
    assert.equal((await ask(pair, 'audit')).items[0].actor, 'admin ann@Example.com');
    assert.equal((await as(token({ email: 'bob@example.com' }))).status, 200);
    assert.equal((await as(token({ common_name: 'ci' }))).status, 200);
    await problem(await as(token({ email: 'bob@example.com' }), 'api/v1/blocks', block), 403);
  });

  test('who is not named, or not vouched for, is nobody', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const [head, body] = token({ email: 'ann@example.com' }).split('.');
    const forged = `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), other.privateKey).toString('base64url')}`;
    for (const assertion of ['x', forged, token({ email: 'eve@elsewhere.com' }), token({ email: 'ann@example.com.evil.com' }), token({}),
      token({ email: 'ann@example.com', aud: ['d'.repeat(64)] }), token({ email: 'ann@example.com', iss: 'https://evil.cloudflareaccess.com' }),
      token({ email: 'ann@example.com', exp: 1 }), token({ email: 'ann@example.com' }, { alg: 'none' })]) {
      await problem(await as(assertion), 401, assertion);
    }
  });

  test('another site cannot act through the browser of who is signed in', async () => {
    const ann = token({ email: 'ann@example.com' });
    for (const headers of [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'null' }]) {
      await problem(await as(ann, 'api/v1/blocks', { ...order({ kind: 'ip', value: '192.0.2.8', action: 'block' }), headers }), 401);
    }
    assert.equal((await as(ann, 'api/v1/blocks', { headers: { Origin: pair.worker.url, 'Sec-Fetch-Site': 'same-origin' } })).status, 200);
  });
});
