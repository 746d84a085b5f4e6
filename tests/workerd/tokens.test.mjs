// Tokens of configured issuers, end to end: who is believed (every algorithm, keys given or fetched by URL, from a
// binding, in a cookie, until exp), and what everything else is: a value like any other, which never breaks a request.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { receive } from './client.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { head, values, Wire } from './http1.mjs';
import {
  altered, assertOpaque, assertVerified, bearer, claims, ed25519, ISS, jwks, lookup, p256, p384, part, PLAIN, rsa, seen, show, SID, startKeyServer, token,
} from './jose.mjs';
import { client } from './scene.mjs';

const OTHER = 'https://elsewhere.test';
const MAC = 'https://mac.shop.test';
const SECRET = 'only-the-login-service-knows-this-secret-of-more-than-64-bytes-0123456789';

describe('a token', { skip: notOurs }, () => {
  const [R, E, F, D, stranger] = [rsa(), p256(), p384(), ed25519(), rsa()];
  const set = jwks(R.jwk({ kid: 'r' }), E.jwk({ kid: 'e', use: 'sig' }), F.jwk({ kid: 'f' }), D.jwk({ kid: 'd', alg: 'EdDSA' }));
  const mac = jwks({ kty: 'oct', kid: 'h', alg: 'HS512', k: part(SECRET) });
  let pair;
  before(async () => { pair = await startPair({ vars: { ...PLAIN, JWT: [{ iss: ISS, jwks: set }, { iss: MAC, jwks: mac }] } }); });
  after(() => pair?.stop());

  for (const [alg, key, kid, iss = ISS] of [
    ['RS256', R.privateKey, 'r'], ['PS384', R.privateKey, 'r'], ['ES256', E.privateKey, 'e'],
    ['ES384', F.privateKey, 'f'], ['EdDSA', D.privateKey, 'd'], ['HS512', SECRET, 'h', MAC],
  ]) {
    test(`signed ${alg} is believed, and with one byte of its signature changed it is a value like any other`, async () => {
      const signed = (jti) => token(alg, key, claims(`sid-${alg}`, { iss, jti }), { kid });
      const good = signed(1);
      const sent = [good, signed(2), altered(good), altered(good), altered(good, 21)];
      const [a, b, c, d, e] = await Promise.all(sent.map((value) => show(pair, value)));
      for (const shown of [a, b]) assertVerified(shown);
      for (const shown of [c, d, e]) assertOpaque(shown, ['token_refused']);
      assert.equal(a.session.id, b.session.id, 'the claim is the session, whatever the token');
      assert.equal(c.session.id, d.session.id, 'the whole token is the session');
      assert.equal(new Set([a, c, e].map(({ session }) => session.id)).size, 3);
    });
  }

  const own = claims('own');
  const pem = R.publicKey.export({ type: 'spki', format: 'pem' });
  const FORGED = {
    'alg none': `${part({ alg: 'none' })}.${part(own)}.`,
    'alg None with a signature': `${part({ alg: 'None', kid: 'r' })}.${part(own)}.c2ln`,
    'HS256 with the public key': token('HS256', pem, own, { kid: 'r' }),
    'HS256 with the public key, without kid': token('HS256', pem, own),
    'HS256 with the modulus': token('HS256', Buffer.from(set.keys[0].n, 'base64url'), own, { kid: 'r' }),
    'a key of its own in the header': token('RS256', stranger.privateKey, own, { kid: 'r', jwk: stranger.jwk() }),
    'the secret of the other issuer': token('HS512', SECRET, own, { kid: 'r' }),
    'no signature': token('RS256', R.privateKey, own, { kid: 'r' }).replace(/[^.]+$/, ''),
    'an extension': token('RS256', R.privateKey, own, { kid: 'r', crit: ['exp'] }),
    'another payload': token('RS256', R.privateKey, claims('bob'), { kid: 'r' }).replace(/\.[^.]+\./, `.${part(own)}.`),
    'exp in the past': token('RS256', R.privateKey, { ...own, exp: 1_000_000_000 }, { kid: 'r' }),
    'no exp': token('RS256', R.privateKey, { ...own, exp: undefined }, { kid: 'r' }),
  };
  test('that is forged or out of force is a value like any other, and marked where it names the issuer', async () => {
    const { session: { id } } = await show(pair, token('RS256', R.privateKey, own, { kid: 'r' }));
    const ids = await Promise.all(Object.entries(FORGED).map(async ([name, value]) => {
      const shown = await show(pair, value);
      assertOpaque(shown, ['token_refused'], name);
      return shown.session.id;
    }));
    assert.equal(new Set([id, ...ids]).size, ids.length + 1, 'nobody shares a session');
  });

  const theirs = claims('theirs', { iss: OTHER });
  test('of an issuer that is not configured is nothing wrong', async () => {
    for (const value of [token('RS256', stranger.privateKey, theirs), token('PS256', stranger.privateKey, theirs, { kid: 'r' }), token('HS256', SECRET, { sid: 'theirs' })]) {
      assertOpaque(await show(pair, value), []);
    }
  });
  test('of an issuer that is not configured is nothing wrong, whatever it is signed with', async () => {
    const signed = ['none', 'ES512', 'ES256K'].map((alg) => `${part({ alg })}.${part(theirs)}.c2ln`);
    const encrypted = `${part({ alg: 'dir', enc: 'A256GCM' })}..QUJD.QUJD.QUJD`;
    for (const value of [...signed, encrypted]) assertOpaque(await show(pair, value), [], value);
  });
});

describe('keys by URL', { skip: notOurs }, () => {
  const [one, two, three] = [p256(), p256(), p256()];
  const good = jwks(one.jwk({ kid: 'one' }));
  const sets = { '/good': good, '/kept': good, '/moved': good, '/twice-a': good, '/twice-b': jwks(two.jwk({ kid: 'two' })) };
  for (const name of ['b', 'c', 'd', 'e']) sets[`/shared-${name}`] = jwks(p256().jwk());
  sets['/shared-a'] = jwks(three.jwk());
  const gate = Promise.withResolvers();
  const broken = (_, response) => response.writeHead(500).end();
  const BAD = {
    '/broken': broken,
    '/html': (_, response) => response.end('<!doctype html>'),
    '/hangs': () => {},
    '/drips': (_, response) => { response.write('{"keys":['); },
    '/redirects': (_, response) => response.writeHead(302, { Location: '/moved' }).end(),
    '/large': (_, response) => response.end(JSON.stringify({ ...good, padding: 'x'.repeat(600_000) })),
  };
  const answers = { ...BAD, '/gate': (_, response) => gate.promise.then(() => response.end(JSON.stringify(good))) };
  let [keys, pair] = [];
  before(async () => {
    keys = await startKeyServer({ sets: { ...sets }, answers });
    // `/shared-e` to `/shared-a` are five issuers of one name, `/twice-b` and `/twice-a` two; in this order.
    const JWT = Object.keys({ ...sets, ...answers }).filter((path) => path !== '/moved').sort().reverse()
      .map((path) => ({ iss: `https://${/[a-z]+/.exec(path)}.test`, jwks_url: keys.url + path }));
    pair = await startPair({ vars: { ...PLAIN, JWT } });
  });
  after(async () => {
    await pair?.stop();
    await keys?.stop();
  });
  const of = (name, sid, kid = 'one', key = one) => token('ES256', key.privateKey, claims(sid, { iss: `https://${name}.test` }), { kid });

  test('are waited for by the first request, and fetched once for all that follow', async () => {
    assert.equal(keys.fetches('/good'), 0, 'nothing is fetched before it is needed');
    for (const sid of ['g1', 'g2', 'g3']) assertVerified(await show(pair, of('good', sid)));
    assertOpaque(await show(pair, altered(of('good', 'g4'))), ['token_refused']);
    assert.equal(keys.fetches('/good'), 1, 'a signature that is wrong is no reason to ask again');
  });

  test('are fetched once more for a key that is not among them, and not again for whatever is made up next', async () => {
    keys.sets['/good'] = jwks(one.jwk({ kid: 'one' }), two.jwk({ kid: 'two' }));
    assertVerified(await show(pair, of('good', 'g5', 'two', two)));
    assert.equal(keys.fetches('/good'), 2);
    for (const kid of ['three', 'four', '../../etc', 'x'.repeat(2_000)]) assertOpaque(await show(pair, of('good', 'g6', kid)), ['keys_missing'], kid);
    assert.equal(keys.fetches('/good'), 2);
    assertVerified(await show(pair, of('good', 'g5')));
  });

  test('that are withdrawn vouch for nobody any more, even for tokens seen before', async () => {
    const before = of('kept', 'k0');
    assertVerified(await show(pair, before));
    keys.sets['/kept'] = jwks(two.jwk({ kid: 'two' }));
    assertVerified(await show(pair, of('kept', 'k1', 'two', two)));
    assertOpaque(await show(pair, before), ['keys_missing']);
  });

  test('that are not to be had make the token a value like any other, and no request fails or waits for long', async () => {
    await Promise.all(Object.keys(BAD).map(async (path) => {
      const started = performance.now();
      assertOpaque(await show(pair, of(path.slice(1), path)), ['keys_missing'], path);
      assert.ok(performance.now() - started < 6_000, `${path}: ${performance.now() - started} ms`);
      assert.equal(keys.fetches(path), 1, path);
    }));
    assert.equal(keys.fetches('/moved'), 0, 'a redirect is not followed');
    assert.match(await (await pair.admin('metrics')).text(), /^throughline_key_fetch_failures_total 6$/m);
  });

  test('are asked for by few of many first requests, and none of these fails', async () => {
    const before = pair.origin.count;
    const all = Array.from({ length: 20 }, (_, n) => show(pair, of('gate', `gate-${n}`)));
    // Nothing is answered before the ones that do not wait are at the origin: so all twenty were first.
    await waitFor(() => pair.origin.count >= before + 16, { what: 'the requests that do not wait' });
    gate.resolve();
    const shown = await Promise.all(all);
    for (const each of shown) each.marks.length === 0 ? assertVerified(each) : assertOpaque(each, ['keys_missing']);
    assert.ok(keys.fetches('/gate') <= 4, `${keys.fetches('/gate')} fetches`);
    await waitFor(async () => (await show(pair, of('gate', 'gate-0'))).session.key.verified, { what: 'the keys' });
    assert.ok(keys.peak('/gate') <= 4, `${keys.peak('/gate')} at once`);
  });

  test('once good go on working while their server fails', async () => {
    const before = keys.fetches('/gate');
    keys.answers['/gate'] = broken;
    assertOpaque(await show(pair, of('gate', 'gate-0', 'nobody')), ['keys_missing']);
    assert.equal(keys.fetches('/gate'), before + 1);
    for (const sid of ['gate-0', 'gate-new']) assertVerified(await show(pair, of('gate', sid)));
  });

  test('of two issuers of one name are all had', async () => {
    for (const [kid, key] of [['one', one], ['two', two]]) assertVerified(await show(pair, of('twice', `t-${kid}`, kid, key)));
  });

  test('of five issuers of one name do not keep a request from being seen', async () => {
    const value = token('ES256', three.privateKey, claims('s1', { iss: 'https://shared.test' }));
    await client(pair)('/shared', { headers: [...bearer(value), ['Session-Context', 'id=spoofed']] });
    const [{ headers }] = pair.origin.requests.filter(({ target }) => target === '/shared');
    assert.deepEqual(values(headers, 'session-context'), []);
    const { session, marks } = await seen(pair, '/shared', { timeout: 2_000 });
    assert.deepEqual([session.key.verified, marks], [true, ['spoofed']]);
  });
});

describe('a key from the configuration', { skip: notOurs }, () => {
  const key = ed25519();
  const KEYS = ['request.cookie.mfa.jwt.client_id', 'request.header.x-session-token.jwt.sid', SID];
  const BOUND = { LOGIN_KEYS: jwks(key.jwk({ kid: 'd' })), TEXT_KEYS: ` ${JSON.stringify(jwks(key.jwk()))}`, LOGIN_SECRET: SECRET };
  let pair;
  before(async () => {
    const JWT = [{ iss: ISS, jwks_binding: 'LOGIN_KEYS' }, { iss: OTHER, jwks_binding: 'TEXT_KEYS' }, { iss: MAC, alg: 'HS512', secret_binding: 'LOGIN_SECRET' }];
    pair = await startPair({ vars: { ...PLAIN, ...BOUND, SESSION_KEYS: KEYS.map((from) => ({ from })), JWT } });
  });
  after(() => pair?.stop());

  test('may stand in a binding of its own', async () => {
    for (const [alg, secret, iss] of [['EdDSA', key.privateKey, ISS], ['EdDSA', key.privateKey, OTHER], ['HS512', SECRET, MAC]]) {
      assertVerified(await show(pair, token(alg, secret, claims('bound', { iss }))));
    }
  });

  test('vouches for a token in a cookie or in a header of its own', async () => {
    const mfa = token('EdDSA', key.privateKey, claims('c1', { client_id: 'app-1' }), { kid: 'd' });
    for (const [source, claim, headers] of [
      [KEYS[0], 'app-1', (value) => [['Cookie', `theme=dark; mfa=${value}`]]], [KEYS[1], 'c1', (value) => [['X-Session-Token', value]]],
    ]) {
      const shown = await show(pair, mfa, { headers: headers(mfa) });
      assertVerified(shown, source);
      for (const value of [claim, mfa]) assert.ok((await lookup(pair, value)).some(({ session }) => session === shown.session.id), `${source} by ${value}`);
      const forged = await show(pair, mfa, { headers: headers(altered(mfa)) });
      assert.deepEqual([forged.session.key, forged.marks], [{ source, verified: false }, ['token_refused']]);
    }
  });

  const URLS = ['http://example.com', 'http://127.0.0.1.evil.test/', 'https://ann:hunter2secret@a.test/', 'https://a.test/#k', 'ftp://a.test', ''];
  const REFUSED = [
    ...URLS.map((jwks_url) => ['jwks_url', { jwks_url }]), ['jwks_url', {}], ['jwks', { jwks_url: 'https://a.test/jwks', jwks: jwks() }],
    ['secret_binding', { secret: SECRET, secret_binding: 'LOGIN_SECRET', alg: 'HS256' }], ['jwks_binding', { jwks_binding: 'NOT_SET' }],
    ['secret_binding', { secret_binding: 'NOT_SET', alg: 'HS256' }], ['secret', { secret: 'hunter2secret-too-short-for-it', alg: 'HS256' }],
    ['secret', { secret: SECRET, alg: 'RS256' }], ['alg', { secret: SECRET }], ['jwks', { jwks: { key: [] } }], ['leeway_seconds', { jwks: jwks(), leeway_seconds: 601 }],
  ];
  test('that cannot be used is refused with its exact path, and nothing of a secret is told', async () => {
    const bad = await startPair({ vars: { ...PLAIN, LOGIN_SECRET: SECRET, JWT: REFUSED.map(([, entry]) => ({ iss: ISS, ...entry })) } });
    try {
      const text = await (await bad.admin('healthz')).text();
      const { status, problems } = JSON.parse(text);
      assert.equal(status, 'misconfigured');
      assert.deepEqual(problems.map((problem) => problem.split(': ')[0]), REFUSED.map(([field], n) => `JWT[${n}].${field}`));
      for (const secret of [SECRET, 'hunter2secret']) assert.ok(!(text + bad.worker.logs()).includes(secret), secret);
    } finally {
      await bad.stop();
    }
  });
});

describe('the time', { skip: notOurs }, () => {
  const start = Date.UTC(2040, 0, 1, 12);
  const value = token('HS256', SECRET, claims('clock', { nbf: start / 1_000 + 600, exp: start / 1_000 + 1_200 }));
  const ids = { true: new Set(), false: new Set() };
  let pair;
  before(async () => { pair = await startPair({ vars: { ...PLAIN, DEV_CLOCK: true, JWT: [{ iss: ISS, alg: 'HS256', secret: SECRET, leeway_seconds: 30 }] } }); });
  after(() => pair?.stop());

  test('decides about a token with each request, however often it was believed before', async () => {
    for (const [seconds, believed] of [[0, false], [569.999, false], [570, true], [900, true], [1_229.999, true], [569.999, false], [1_230, false], [1_229.999, true], [9_000, false]]) {
      const { session, marks } = await show(pair, value, { time: start + seconds * 1_000 });
      assert.deepEqual([session.key.verified, marks], [believed, believed ? [] : ['token_refused']], `${seconds} s`);
      ids[believed].add(session.id);
    }
    assert.deepEqual([ids.true.size, ids.false.size, new Set([...ids.true, ...ids.false]).size], [1, 1, 2]);
  });

  test('does not hide the session of a token that is over from who looks it up', async () => {
    const leads = (await lookup(pair, value)).map(({ session }) => session);
    for (const id of [...ids.true, ...ids.false]) assert.ok(leads.includes(id));
  });
});

describe('odd input', { skip: notOurs }, () => {
  const key = p256();
  const signed = (sid) => token('ES256', key.privateKey, claims(sid), { kid: 'k' });
  const good = signed('odd');
  const [, payload, signature] = good.split('.');
  const raw = (header, body) => `${part(header)}.${body === undefined ? payload : part(body)}.${signature}`;
  let pair;
  before(async () => { pair = await startPair({ vars: { ...PLAIN, JWT: [{ iss: ISS, jwks: jwks(key.jwk({ kid: 'k' })) }] } }); });
  after(() => pair?.stop());
  const assertSound = async () => assert.match(await (await pair.admin('metrics')).text(), /^throughline_incidents_total 0$/m);

  const ODD = [
    ...[1, 10, 60, -signature.length - 1, -signature.length, -1].map((length) => good.slice(0, length)), `${good}=`, `${good}.`, `.${good}`, good.toUpperCase(), good + good,
    '.', '..', '...', '....', 'a.b.c', 'a.b.c.d.e', 'Bearer', 'Bürger', '%00', '{"alg":"ES256"}', `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.QUJD.QUJD.QUJD.QUJD`,
    ...['no JSON', '[]', '{"alg":"ES256","alg":"none"}', { alg: 7 }, { alg: 'ES256', kid: 1 }, { alg: 'ES256', x: 'x'.repeat(5_000) }].map((header) => raw(header)),
    ...[`{"iss":"${ISS}","sid":"a","sid":"b","exp":4000000000}`, '{"sid":', `{"a":${'['.repeat(3_000)}${']'.repeat(3_000)}}`, { iss: [ISS], aud: {}, exp: '1', nbf: -1 }, { iss: ISS, exp: 1e300 }]
      .map((body) => raw({ alg: 'ES256', kid: 'k' }, body)),
    token('ES256', key.privateKey, `{"iss":"${ISS}","sid":"a","sid":"b","exp":4000000000}`, { kid: 'k' }), 'x'.repeat(100_000), `${good}${'x'.repeat(100_000)}`,
  ];
  test('in place of a token reaches the origin as it was sent, in a session of its own', async () => {
    const shown = await Promise.all(ODD.map(async (value, n) => {
      const headers = bearer(Buffer.from(value).toString('latin1'));
      const { session } = await show(pair, value, { headers });
      assert.notEqual(session.proof, 'verified', `odd value ${n}`);
      assert.ok(pair.origin.requests.some((request) => values(request.headers, 'authorization').join() === headers[0][1]), `odd value ${n}`);
      return session.id;
    }));
    assert.equal(new Set(shown).size, ODD.length);
    assertOpaque(await show(pair, good, { headers: [...bearer(good), ...bearer(signed('other'))] }), ['duplicate']);
    for (const headers of [[...bearer(good), ['Authorization', 'Basic YTpi']], [['Authorization', 'Bearer']], [['Authorization', '']]]) {
      assert.notEqual((await show(pair, good, { headers })).session.proof, 'verified');
    }
    assertVerified(await show(pair, good));
    await assertSound();
  });

  test('of 2,000 kinds is nobody\'s failure, and whoever had a token is still believed', async () => {
    const kinds = [(n) => altered(signed(`o${n}`), n % 64), (n) => `g${n}.g.g`, (n) => `g${n}`,
      (n) => `${part({ alg: 'ES256', kid: 'k', n })}.${part(claims(`o${n}`))}.${'A'.repeat(86)}`, (n) => `${part({ alg: 'none', n })}.${part(claims(`o${n}`))}.`];
    const kind = (n) => kinds[n % 5](n);
    await Promise.all(Array.from({ length: 10 }, async (_, lane) => {
      const wire = new Wire(connect({ port: pair.worker.port, host: '127.0.0.1' }));
      for (let n = lane; n < 2_000; n += 10) {
        await wire.write(head('GET /garbage HTTP/1.1', [['Host', 'shop.test'], ...bearer(kind(n))]));
        assert.equal((await receive(wire)).status, 200);
      }
      wire.socket.destroy();
    }));
    assertVerified(await show(pair, good));
    await assertSound();
  });

  test('leads to its session only whoever has it, as a token does, and neither is shown anywhere', async () => {
    const mine = signed('secret-of-a-session');
    const forged = altered(mine);
    const [{ session: a }, { session: b }] = await Promise.all([show(pair, mine), show(pair, forged)]);
    for (const [value, session] of [['secret-of-a-session', a.id], [mine, a.id], [forged, b.id]]) {
      assert.deepEqual((await lookup(pair, value))[0], { session, source: SID });
    }
    assert.ok(!(await lookup(pair, signed('somebody'))).some(({ session }) => [a.id, b.id].includes(session)));
    const asked = ['healthz', 'metrics', ...['policy', 'sessions?limit=500', 'events?limit=500', `sessions/${a.id}`, `sessions/${a.id}/story`,
      `sessions/${b.id}`, 'stats?group_by=endpoint', 'blocks', 'audit'].map((path) => `api/v1/${path}`)];
    const text = (await Promise.all(asked.map(async (path) => (await pair.admin(path)).text()))).join('\n') + pair.worker.logs();
    assert.ok(text.includes(a.id));
    for (const secret of ['secret-of-a-session', ...mine.split('.'), ...forged.split('.'), signature]) assert.ok(!text.includes(secret), secret);
  });
});
