// What the origin is told of a session: signed for the very request it gets, so that the verifier that comes with the
// product accepts it; what was known before that request; and never anything a client has written in its place.

import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { keyId, verify } from '../../examples/verify-context/node/verify.mjs';
import { send } from './client.mjs';
import { differences } from './compare.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';
import { startOrigin } from './origin.mjs';
import { all, ask, client } from './scene.mjs';

const KEY = 'a-key-that-only-throughline-and-its-origin-know';
const FLUSH = { flush_ms: 50 };
const OURS = ['session-context', 'signature-input', 'signature'];
const JSON_TYPE = ['Content-Type', 'application/json'];
const PREFLIGHT = [['Origin', 'https://shop.example'], ['Access-Control-Request-Method', 'PUT']];

const TARGETS = ['/', '/orders', '/orders?page=2', '/orders?', '/?', '/a?b?c=1', '/api/v1.2/file.tar.gz?x=a.b', '/..a/.b/c..', '/a//b', '//a',
  '/a%2Fb/c%2f?next=%2Fhome', '/a%2e%2eb/%2e%2e%2f', '/search?q=a|b^c{d}[e]`%22%2f%zz\'', "/o'brien(1)!*;v=1,2/@me:x&y=$", '/a|b"c^d{e}[f]%2f', '/%', '/caf%C3%A9?q=%20+',
  '/a/./b/../c?x=/../y', '/a\\b?c\\d', '/a%5Cb', '/[1]/~ann', '/a?x=%3Cscript%3E&y=a\\b', '/a%23b?c%23d', '/a/%zz/%E0%A4'];
const REQUESTS = [
  ...TARGETS.map((target) => ({ target })),
  { method: 'HEAD', target: '/orders?page=1' }, { method: 'DELETE', target: '/orders/7' }, { method: 'QUERY', target: '/orders', body: 'a=1' },
  { method: 'POST', target: '/orders?x=1', headers: [JSON_TYPE], body: '{"a":1}' }, { method: 'POST', target: '/empty', body: '' },
  { method: 'PUT', target: '/chunked', body: [Buffer.from('one'), Buffer.from('two')] }, { target: '/get-with-body', body: 'odd' },
  { method: 'OPTIONS', target: '/orders', headers: PREFLIGHT }, { target: '/moved', headers: [['x-answer', 'redirect 302 /elsewhere?x=1']] },
  { target: '/cookies', headers: [['x-answer', 'cookies']] }, { target: '/missing', headers: [['x-answer', 'status 404 Gone fishing']] },
  { target: '/br', headers: [['x-answer', 'encoded br']] }, { target: '/trailers', headers: [['x-answer', 'trailers']] },
  { target: '/many', headers: [['Cookie', 'sid=abc; theme=dark'], ['X-Many', 'one'], ['x-many', 'two'], ['X-Empty', ''], ['X-Latin', 'caf\xe9'],
    ['Via', '1.1 upstream'], ['If-None-Match', '"v1"'], ['Session-Id', '1'], ['session-a', '2']] },
];

/** One exchange, with what the origin got of it. */
async function exchange(pair, by, target, { headers = [], ...request } = {}) {
  const id = randomUUID();
  const got = await by(target, { ...request, headers: [...headers, ['X-Exchange', id]] });
  const mine = ({ headers: sent }) => values(sent, 'x-exchange')[0] === id;
  const sent = await waitFor(() => pair.origin.requests.find(mine), { what: `the origin to have recorded ${target}` });
  return { got, sent: { ...sent, headers: sent.headers.filter(([name]) => name.toLowerCase() !== 'x-exchange') } };
}

/** What the product's own verifier makes of a request as the origin got it. */
function verified({ method, target, headers }, keys = [KEY]) {
  const [, path, query] = /^([^?]*)(?:\?(.*))?$/s.exec(target);
  const named = {};
  for (const [name, value] of headers) (named[name.toLowerCase()] ??= []).push(value);
  return verify({ method, authority: named.host[0], path, query, headers: named, keys });
}

const plainly = (pair) => (target, request) => pair.send({ ...request, target });

describe('the context of a request', { skip: notOurs }, () => {
  let origin;
  let plain;
  const signing = {};
  before(async () => {
    // An echo of the path would tell a base path from none.
    origin = await startOrigin({ answer: ({ method, bytes, sha256 }) => ({ headers: [['Content-Type', 'text/plain']], body: `${method} ${bytes} ${sha256}` }) });
    const vars = { CONTEXT_SIGNING_KEY: KEY, LIMITS: FLUSH };
    const start = async (way, more, options = {}) => { signing[way] = await startPair({ origin, vars: { ...vars, ...more }, ...options }); };
    await Promise.all([
      startPair({ origin, vars: { LIMITS: FLUSH } }).then((pair) => { plain = pair; }),
      start('ORIGIN_URL'), start('a base path', { ORIGIN_URL: `${origin.url}/base/v1/` }), start('the ORIGIN binding', {}, { originBinding: true }),
      start('its own host', { ORIGIN_URL: null }), start('enforce mode', { MODE: 'enforce' }),
    ]);
  });
  after(async () => {
    await Promise.all([plain, ...Object.values(signing)].map((pair) => pair?.stop()));
    await origin?.stop();
  });

  const few = REQUESTS.filter(({ method }) => method !== undefined);
  for (const [way, requests] of [['ORIGIN_URL', REQUESTS], ['a base path', REQUESTS], ['the ORIGIN binding', REQUESTS], ['its own host', few], ['enforce mode', few]]) {
    for (const { target, ...request } of requests) {
      const name = `${request.method ?? 'GET'} ${target}`;
      test(`verifies at the origin, and changes nothing else: ${name} by ${way}`, async () => {
        const direct = await exchange(plain, plainly(plain), target, request);
        const { got, sent } = await exchange(signing[way], plainly(signing[way]), target, request);
        assert.equal(verified(sent).keyid, keyId(KEY));
        const times = (headers) => OURS.map((header) => values(headers, header).length);
        assert.deepEqual([sent, direct.sent, got].map(({ headers }) => times(headers)), [[1, 1, 1], [0, 0, 0], [0, 0, 0]], 'with a key, without, to the client');
        const base = way === 'a base path' ? '/base/v1' : '';
        assert.ok(sent.target.startsWith(base), sent.target);
        const proxied = { got, sent: { ...sent, target: sent.target.slice(base.length), headers: sent.headers.filter(([name]) => !OURS.includes(name.toLowerCase())) } };
        assert.deepEqual(differences(direct, proxied), []);
      });
    }
  }

  test('is of the host the origin is asked for, whatever its case', async () => {
    const { worker } = signing['the ORIGIN binding'];
    for (const [host, seen] of [['Shop.Example:8080', 'shop.example:8080'], ['shop.example', 'shop.example'], ['shop.example:80', 'shop.example'], ['[::1]:81', '[::1]:81']]) {
      const byHost = (target, { headers }) => send({ port: worker.port, target, headers: [['Host', host], ...headers] });
      const { sent } = await exchange({ origin }, byHost, '/by-host');
      assert.deepEqual(values(sent.headers, 'host'), [seen]);
      verified(sent);
    }
  });

  test('names the session and the event as the API does', async () => {
    const pair = signing.ORIGIN_URL;
    for (const [target, headers] of [['/by/cookie', [['Cookie', 'sid=named-by-cookie']]], ['/by/token', [['Authorization', 'Bearer named-by-token']]], ['/by/nothing', []]]) {
      const { context, nonce } = verified((await exchange(pair, plainly(pair), target, { headers })).sent);
      const event = await waitFor(async () => (await ask(pair, `events?q=${target}`)).items[0], { what: `the event of ${target}` });
      assert.deepEqual([context.id, nonce], [event.session, event.id], target);
      assert.deepEqual((await ask(pair, `events?request=${nonce}`)).items.map(({ path }) => path), [target]);
    }
  });

  test('leads by its nonce to the session that the request started', async () => {
    const pair = signing.ORIGIN_URL;
    const { sent } = await exchange(pair, plainly(pair), '/starts', { headers: [['User-Agent', 'a newcomer'], ['x-answer', 'cookies']] });
    const event = await waitFor(async () => (await ask(pair, 'events?q=/starts')).items[0], { what: 'the event' });
    assert.equal(verified(sent).nonce, event.id);
    assert.deepEqual((await ask(pair, `sessions?request=${event.id}`)).items.map(({ id }) => id), [event.session]);
  });

  for (const [sent, expected] of [
    [[['Signature-Input', 'sig1=("@method"  "date");created=1'], ['Signature', 'sig1=:aGk=:']], ['sig1=("@method"  "date");created=1', 'sig1=:aGk=:']],
    [[['Signature-Input', 'sig1=()'], ['Signature', 'sig1=:aGk=:'], ['signature-input', 'b=()'], ['signature', 'b=:AA==:']], ['sig1=(), b=()', 'sig1=:aGk=:, b=:AA==:']],
    [[['Signature-Input', 'throughline=("@method");created=1'], ['Signature', 'throughline=:aGk=:']], ['', '']],
    [[['Signature-Input', 'throughline=(), sig1=()'], ['Signature', 'sig1=:aGk=:, throughline=:aGk=:']], ['sig1=()', 'sig1=:aGk=:']],
    [[['Signature-Input', 'sig1=('], ['Signature', 'sig1=:aGk=:']], ['', '']],
  ]) {
    test(`goes beside what the client has signed: ${sent.map(([, value]) => value).join(' | ')}`, async () => {
      const pair = signing.ORIGIN_URL;
      const at = await exchange(pair, plainly(pair), '/signed', { headers: sent });
      verified(at.sent);
      const untouched = await exchange(plain, plainly(plain), '/signed', { headers: sent });
      for (const [i, name] of ['signature-input', 'signature'].entries()) {
        const [value] = values(at.sent.headers, name);
        assert.equal(value, expected[i] + /(?:^|, )throughline=.*$/.exec(value)[0]);
        assert.equal(value.split('throughline=').length, 2, value);
        assert.equal(values(untouched.sent.headers, name).join(', '), values(sent, name).join(', '), 'without a key it is the client\'s own affair');
      }
    });
  }
});

describe('the context of a session', { skip: notOurs }, () => {
  const SECRET = 'a-secret-that-only-the-login-service-has-0123456789';
  const CLAIMS = { iss: 'https://login.shop.test', aud: 'shop', exp: 4e9, sid: 'token-1' };
  const JWT = [{ iss: CLAIMS.iss, aud: CLAIMS.aud, alg: 'HS256', secret: SECRET }];
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const pairs = {};
  before(async () => {
    const vars = { CONTEXT_SIGNING_KEY: KEY, DEV_CLIENT_HEADERS: true, LIMITS: FLUSH };
    const PARAMETERS = [{ name: 'user', from: 'request.header.x-user', role: 'user', store: 'plain' }];
    [pairs.hashed, pairs.plain] = await Promise.all([startPair({ vars: { ...vars, JWT, SESSION_KEYS: [{ from: 'request.jwt.sid' }] } }), startPair({ vars: { ...vars, PARAMETERS, SHARDS: 3 } })]);
  });
  after(() => Promise.all(Object.values(pairs).map((pair) => pair?.stop())));

  const contextOf = async (pair, send, target, request) => verified((await exchange(pair, send, target, request)).sent).context;
  const becomes = (pair, send, fits) => waitFor(async () => {
    const context = await contextOf(pair, send, '/probe');
    return fits(context) && context;
  }, { what: 'the context to tell' });

  test('says of a new session that nothing is known of it', async () => {
    const context = await contextOf(pairs.hashed, client(pairs.hashed, { cookie: 'sid=new', ip: '192.0.2.20' }), '/first');
    assert.deepEqual({ ...context, id: null }, { id: null, risk: 0, known: false, verdict: 'allow', verified: false, user: null, findings: [] });
  });

  test('says whether the session is known by a verified claim', async () => {
    const signed = `${part({ alg: 'HS256' })}.${part(CLAIMS)}`;
    for (const [secret, expected] of [[SECRET, true], ['another-secret-of-somebody-else-altogether', false]]) {
      const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      const send = client(pairs.hashed, { ip: '192.0.2.19', headers: [['Authorization', `Bearer ${token}`]] });
      assert.equal((await contextOf(pairs.hashed, send, '/with-token')).verified, expected);
    }
  });

  test('tells of a scan once it was seen, and only of the session that scanned', async () => {
    const pair = pairs.hashed;
    const scanner = client(pair, { cookie: 'sid=scanner', ip: '192.0.2.21' });
    const other = client(pair, { cookie: 'sid=other', ip: '192.0.2.21' });
    for (let i = 0; i < 30; i += 1) await scanner(`/guess/${'abcdef'[i % 6]}${'ghijk'[i % 5]}-page`, { status: 404 });
    // The walk is found twice, at ten paths and at twenty; both have to be known before the two can agree.
    const context = await becomes(pair, scanner, ({ findings, risk }) => findings.length > 0 && risk > 90);
    const session = await ask(pair, `sessions/${context.id}`);
    assert.equal(session.state, 'flagged');
    assert.ok(context.known && context.risk >= 50, `risk ${context.risk}`);
    assert.ok(Math.abs(context.risk - session.risk) <= 1, `${context.risk} and ${session.risk}`);
    assert.deepEqual([context.verdict, context.findings, context.user], ['tag', ['forced_browsing'], null]);
    const clear = await becomes(pair, other, ({ known }) => known);
    assert.deepEqual([clear.risk, clear.verdict, clear.findings], [0, 'allow', []]);
  });

  test('names the user from the login to the logout, as stored', async () => {
    for (const [kind, pair, is, ip] of [['hashed', pairs.hashed, /^h:[0-9a-f]{4}:[0-9a-f]{32}$/, '192.0.2.22'], ['plain', pairs.plain, /^Zoë "O'Hara"$/, '192.0.2.23']]) {
      const send = client(pair, { cookie: `sid=user-${kind}`, ip });
      const said = (value) => ({ method: 'POST', headers: [['x-feedback', value]] });
      const login = await contextOf(pair, send, '/login', said(`login-success;user=%"Zo%c3%ab %22O'Hara%22"`));
      assert.equal(login.user, null, 'the login itself is not known to be one yet');
      const { user, id } = await becomes(pair, send, (context) => context.user !== null);
      assert.match(user, is, kind);
      assert.deepEqual((await ask(pair, `sessions/${id}`)).users, [user]);
      await send('/logout', said('logout'));
      await becomes(pair, send, (context) => context.user === null);
    }
  });
});

describe('what a client may not say', { skip: notOurs }, () => {
  const FORGED = 'id="forged", risk=0, verdict=allow, verified, findings=()';
  const SPOOFS = [[['Session-Context', FORGED]], [['session-context', FORGED]], [['SESSION-CONTEXT', FORGED]], [['Session-Context', FORGED], ['session-context', FORGED]],
    [['Session-Context', '']], [['Session-Context-User', 'x']], [['Session-Context-Anything', 'x']], [['session-contextual', 'x']],
    [['Session-Event', 'login-success;user="ann"']], [['SESSION-EVENT', 'logout'], ['session-event', 'logout']]];
  const FREE = [['Session-Id', '1'], ['session-a', '2'], ['Session', '3'], ['X-Session-Context', '4'], ['Sessioncontext', '5']];
  const ROUTES = [{ match: '* /unrecorded/*', record: 'off' }];
  const WAYS = {
    'monitor mode': {}, 'enforce mode': { MODE: 'enforce' }, 'a refused configuration': { SHARDS: '0', ON_ERROR: 'open' },
    'monitor mode with a key': { CONTEXT_SIGNING_KEY: KEY }, 'enforce mode with a key': { CONTEXT_SIGNING_KEY: KEY, MODE: 'enforce' },
    'a key that is too short': { CONTEXT_SIGNING_KEY: 'k'.repeat(31) },
  };
  const pairs = {};
  before(async () => {
    await Promise.all(Object.entries(WAYS).map(async ([way, vars]) => { pairs[way] = await startPair({ vars: { ROUTES, LIMITS: FLUSH, ...vars } }); }));
  });
  after(() => Promise.all(Object.values(pairs).map((pair) => pair?.stop())));

  const ours = ({ headers }) => headers.filter(([name]) => /^session-(context|event)/i.test(name));
  const refused = (way) => /configuration|too short/.test(way);

  for (const [way, vars] of Object.entries(WAYS)) {
    const signs = vars.CONTEXT_SIGNING_KEY !== undefined && !refused(way);
    for (const spoof of SPOOFS) {
      test(`does not reach the origin: ${spoof.map(([name]) => name).join(' and ')} in ${way}`, async () => {
        const pair = pairs[way];
        await Promise.all([['/orders', {}], ['/orders', { method: 'POST', body: 'a=1' }], ['/unrecorded/orders', {}],
          ['/orders', { method: 'OPTIONS', headers: PREFLIGHT }]].map(async ([target, request]) => {
          const { got, sent } = await exchange(pair, plainly(pair), target, { ...request, headers: [...(request.headers ?? []), ...spoof, ...FREE] });
          assert.deepEqual([got.status, sent.method, sent.body.toString()], [200, request.method ?? 'GET', request.body ?? '']);
          assert.deepEqual(ours(sent).map(([name]) => name.toLowerCase()), signs ? ['session-context'] : [], target);
          if (signs) assert.notEqual(verified(sent).context.id, 'forged');
          else assert.deepEqual(sent.headers.filter(([name]) => /^signature/i.test(name)), []);
          for (const [name, value] of FREE) assert.deepEqual(values(sent.headers, name.toLowerCase()), [value], name);
        }));
      });
    }

    test(`does not take our context away either, by a Connection that names it, in ${way}`, async () => {
      const { sent } = await exchange(pairs[way], plainly(pairs[way]), '/hop', { headers: [['Connection', 'Session-Context, close'], ['Session-Context', FORGED]] });
      assert.deepEqual(values(sent.headers, 'connection').filter((value) => /session/i.test(value)), []);
      assert.equal(ours(sent).length, signs ? 1 : 0);
      if (signs) verified(sent);
    });

    if (refused(way)) continue;
    test(`is marked where it is recorded, and nothing else is, in ${way}`, async () => {
      const pair = pairs[way];
      await pair.send({ target: '/honest', headers: FREE });
      for (const [i, spoof] of SPOOFS.entries()) await pair.send({ target: `/spoof-${'abcdefghij'[i]}`, headers: spoof });
      const events = await waitFor(async () => {
        const found = await all(pair, 'events?q=spoof-');
        return found.length === SPOOFS.length && found;
      }, { what: 'the events' });
      for (const { path, marks, user } of events) assert.deepEqual([marks, user], [['spoofed'], null], path);
      assert.deepEqual((await ask(pair, 'events?q=/honest')).items.map(({ marks }) => marks), [[]]);
    });
  }

  test('is the key that signs, where it is shorter than 32 bytes: health names it', async () => {
    const pair = pairs['a key that is too short'];
    const health = await pair.admin('healthz');
    const { status, problems } = await health.json();
    assert.deepEqual([health.status, status, problems.length], [503, 'misconfigured', 1]);
    assert.match(problems[0], /^CONTEXT_SIGNING_KEY: .*32 bytes/);
    assert.ok(!problems[0].includes('kkk') && !pair.worker.logs().includes('kkk'));
  });

  test('is not what plays the network in development, where nothing is played: a key changes nothing there', async () => {
    const played = ['x-dev-asn', 'x-dev-ja4', 'x-dev-latlon', 'x-dev-time'];
    const pair = pairs['monitor mode with a key'];
    const { sent } = await exchange(pair, plainly(pair), '/plain', { headers: played.map((name) => [name, '1']) });
    assert.deepEqual(played.filter((name) => values(sent.headers, name).length === 0), []);
  });
});
