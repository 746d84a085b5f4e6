// The selector language as a deployment uses it: each selector finds its value in a real exchange and nothing else
// does, wrong ones are refused with the place of the error, and `on` keeps a selector to its endpoints.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client, sessionOf } from './scene.mjs';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = (claims) => `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}.${Buffer.from('nobody checks it').toString('base64url')}`;
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64');
const JSON_TYPE = ['Content-Type', 'application/json'];
const json = (value, more = []) => ({ headers: [JSON_TYPE, ...more], body: JSON.stringify(value) });
const cookie = (value) => ({ headers: [['Cookie', value]] });
const header = (name, value) => ({ headers: [[name, value]] });

/**
 * { from, target, request, answer, users } with, if need be, the pattern it is read on (default: the method and path
 * asked for); an empty `users` is what must not be taken for a user. `role: 'role'` compares roles instead.
 */
const USERS = [
  { from: 'request.query.u', target: '/query?x=1&u=a%20b%2Bc&u2=no', users: ['a b+c'] },
  { from: 'request.query."u.jwt"', target: '/quoted?u.jwt=dot', users: ['dot'] },
  { from: 'request.query.u', target: '/query-none?v=1&U=ann', users: [] },
  { from: 'request.path.user', on: 'GET /users/{user}/x', target: '/users/p%C3%A4r%20l/x', users: ['pär l'] },
  { from: 'request.path', target: '/whole/path', users: ['/whole/path'] },
  { from: 'request.header.x-user', target: '/header', request: header('X-USER', 'hans'), users: ['hans'] },
  { from: 'request.header.X-User', target: '/header-case', request: header('x-user', 'hugo'), users: ['hugo'] },
  { from: 'request.header.x-user', target: '/header-empty', request: header('X-User', ''), users: [] },
  { from: 'request.header.x-user.url', target: '/decoded', request: header('X-User', 'j%C3%B6rg'), users: ['jörg'] },
  { from: 'request.header.x-user.json#/0/name', target: '/in-json', request: header('X-User', '[{"name":"ida"}]'), users: ['ida'] },
  { from: 'request.cookie.who', target: '/cookie', request: cookie('a=1; who=kim; whom=no'), users: ['kim'] },
  { from: 'request.cookie.ctx.base64.json#/user', target: '/context', request: cookie(`ctx=${base64({ user: 'lea', n: 1 })}`), users: ['lea'] },
  { from: 'request.cookie.ctx.base64.json#/a~1b/0', target: '/escaped', request: cookie(`ctx=${base64({ 'a/b': [7] })}`), users: ['7'] },
  { from: 'request.cookie.ctx.base64.json#/user', target: '/not-base64', request: cookie('ctx=%%%'), users: [] },
  { from: 'request.cookie.ctx.base64.json#/user', target: '/object', request: cookie(`ctx=${base64({ user: { id: 1 } })}`), users: [] },
  { from: 'request.cookie.mfa.jwt.client_id', target: '/claim', request: cookie(`mfa=${token({ client_id: 'max', sub: 'no' })}`), users: ['max'] },
  { from: 'request.jwt.sub', target: '/bearer', request: header('Authorization', `bearer ${token({ sub: 'nia' })}`), users: ['nia'] },
  { from: 'request.jwt#/ctx/names/*', target: '/claims', request: header('Authorization', `Bearer ${token({ ctx: { names: ['ole', 'other'] } })}`), users: ['ole'] },
  { from: 'request.jwt.sub', target: '/no-token', request: header('Authorization', 'Basic eDp5'), users: [] },
  { from: 'request.body#/user/name', target: '/body', request: { method: 'POST', ...json({ user: { name: 'pia' } }) }, users: ['pia'] },
  { from: 'request.form.name', target: '/form', request: { method: 'POST', body: 'a=1&name=qu%69n+x', headers: [['Content-Type', 'application/x-www-form-urlencoded']] }, users: ['quin x'] },
  { from: 'request.meta.country', target: '/country', country: 'DE', role: 'role', users: ['DE'] },
  { from: 'request.meta.asn', target: '/asn', asn: 64500, role: 'role', users: ['64500'] },
  { from: 'request.meta.ja4', target: '/ja4', ja4: 't13d1516h2_8daaf6152771_02713d6af862', role: 'role', users: ['t13d1516h2_8daaf6152771_02713d6af862'] },
  { from: 'request.meta.method', target: '/method', request: { method: 'PURGE' }, role: 'role', users: ['PURGE'] },
  { from: 'response.header.x-user', target: '/response-header', answer: { headers: [['X-User', 'rob']] }, users: ['rob'] },
  { from: 'response.set-cookie.user', target: '/set-cookie', answer: { headers: [['Set-Cookie', 'user=sue; Path=/'], ['Set-Cookie', 'other=no']] }, users: ['sue'] },
  { from: 'response.set-cookie.user', target: '/set-cookie-gone', answer: { headers: [['Set-Cookie', 'user=tom; Max-Age=0']] }, users: [] },
  { from: 'response.body#/user/name', target: '/response-body', answer: json({ user: { name: 'uwe' } }), users: ['uwe'] },
  { from: 'response.body#/items/*/owner', target: '/items', answer: json({ items: [{ id: 1 }, { owner: 'vic' }, { owner: 'wim' }] }), users: ['vic'] },
  { from: 'response.body#/items/*/owner', target: '/items-role', role: 'role', answer: json({ items: [{ owner: 'vic' }, { owner: 'wim' }] }), users: ['vic', 'wim'] },
  { from: 'response.body#/user/name', target: '/response-html', answer: { headers: [['Content-Type', 'text/html']], body: '{"user":{"name":"xe"}}' }, users: [] },
  { from: 'response.header.x-user', target: '/refused', answer: { status: 401, headers: [['X-User', 'yve']] }, users: [], attempted: ['yve'] },
].map((row) => ({ on: `${row.request?.method ?? 'GET'} ${row.target.split('?')[0]}`, role: 'user', ...row }));

const ANSWERS = new Map(USERS.filter(({ answer }) => answer).map(({ target, answer }) => [target, answer]));

describe('a selector', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    const named = USERS.map(({ from, on, role }, i) => ({ name: `p${i}`, from, on, role, store: 'plain' }));
    // A binding holds 5 KB, so the list goes on in a second and a third.
    const third = Math.ceil(named.length / 3);
    const [PARAMETERS, PARAMETERS_2, PARAMETERS_3] = [0, 1, 2].map((i) => named.slice(i * third, (i + 1) * third));
    pair = await startPair({
      vars: { DEV_CLIENT_HEADERS: true, PARAMETERS, PARAMETERS_2, PARAMETERS_3, LIMITS: { flush_ms: 50 } },
      answer: ({ target }) => ANSWERS.get(target) ?? { body: 'ok' },
    });
    assert.deepEqual(await (await pair.admin('healthz')).json().then(({ status }) => status), 'ok');
  });
  after(() => pair?.stop());

  for (const [i, { from, target, request, country, asn, ja4, role, users, attempted = [] }] of USERS.entries()) {
    test(`${from} finds ${users.join(', ') || 'nobody'} in ${request?.method ?? 'GET'} ${target}`, async () => {
      await client(pair, { ip: `192.0.2.${i + 1}`, country, asn, ja4 })(target, request);
      const path = target.split('?')[0];
      const session = await waitFor(() => sessionOf(pair, path), { what: `the event of ${path}` });
      assert.deepEqual(session.ips.map(({ ip }) => ip), [`192.0.2.${i + 1}`]);
      assert.deepEqual([role === 'user' ? session.users : session.roles, session.attempted_users], [users, attempted]);
    });
  }
});

const HERE = 'expected `cookie.NAME`, `header.NAME`, `query.NAME`, `path`, `path.NAME`, `jwt`, `jwt.CLAIM`, `body`, `form.NAME`, `graphql.FIELD` or `meta.FIELD` here';
const SIDE = 'a selector starts with `request.` or `response.`';
/** [selector, what is said, at which character] */
const WRONG = [
  ['', SIDE, 0],
  ['cookie.sid', SIDE, 0],
  ['request', 'expected `.` and a part of the message here', 7],
  ['request.cookies.sid', HERE, 8],
  ['request.cookie', 'a name is missing here', 14],
  ['request.cookie.a=b', 'a cookie\'s name holds no `=` or `;`', 16],
  ['request.header.x user', 'a name holds no control characters, and no spaces outside quotes', 16],
  ['request.header.grüße', 'a header\'s name holds only letters, digits and !#$%&\'*+-.^_`|~', 17],
  ['request.query."u', 'the quote is not closed', 16],
  ['request.query."ü"x', 'expected `.`, `#` or the end here', 17],
  ['request.cookie.sid#/a', 'a pointer follows `body`, `variables`, `json` or `jwt`; a name with `#` needs quotes', 18],
  ['request.cookie.sid.base64.zip', 'expected a decoder here: `jwt`, `base64`, `json` or `url`', 26],
  ['request.query.a.url.url.url.url.url', 'a selector has at most 4 decoders', 32],
  ['request.meta.city', 'expected `ip`, `country`, `asn`, `colo`, `ja4`, `user_agent`, `host` or `method` here', 13],
  ['request.graphql.variables', 'the variables are no value; point at one: `variables#/NAME`', 25],
  ['response.cookie.sid', 'expected `status`, `header.NAME`, `set-cookie.NAME` or `body` here', 9],
];

describe('a configuration', { skip: notOurs }, () => {
  const problems = async (vars) => {
    const pair = await startPair({ vars });
    try {
      const answer = await pair.admin('healthz');
      const told = await answer.json();
      assert.deepEqual([answer.status, told.status], [503, 'misconfigured']);
      return told.problems;
    } finally {
      await pair.stop();
    }
  };
  const good = { name: 'fine', from: 'request.query.u', role: 'user' };

  test('with wrong selectors is refused with the place of each, at its character', async () => {
    const told = await problems({ PARAMETERS: [good, ...WRONG.map(([from], i) => ({ name: `w${i}`, from }))] });
    assert.deepEqual(told, WRONG.map(([, reason, at], i) => `PARAMETERS[${i + 1}].from: ${reason} (at character ${at})`));
  });

  test('goes on in PARAMETERS_2 and further until one is missing, and problems are named by the part they stand in', async () => {
    const bad = { name: 'bad', from: 'request.cookies.sid' };
    const told = await problems({ PARAMETERS: [good], PARAMETERS_2: [bad, good], PARAMETERS_3: [good, bad], PARAMETERS_5: [bad] });
    assert.deepEqual(told, ['PARAMETERS_2[0]', 'PARAMETERS_3[1]'].map((path) => `${path}.from: ${HERE} (at character 8)`));
  });

  test('with other faults in parameters and session keys is refused with the path of each', async () => {
    const told = await problems({
      PARAMETERS: [
        { ...good, name: 'a b' }, { ...good, name: '' }, { ...good, on: 'users' },
        { name: 'path', from: 'request.path.user' }, { name: 'path', from: 'request.path.user', on: 'GET /users/{id}' },
        { name: 'all', from: 'response.body#/user' }, { ...good, type: 'number' },
      ],
      PARAMETERS_2: [{ ...good, store: 'encrypted' }],
      PARAMETERS_3: [{ ...good, typ: 'string' }],
      PARAMETERS_4: 'not a list',
      SESSION_KEYS: [
        { from: 'response.set-cookie.sid' }, { from: 'request.cookie.', on: 'GET /x' }, { from: 'request.path.id', on: 'GET /carts/{cart}' },
        { from: 'request.cookie.a', issued_by: 'request.cookie.a' }, { from: 'request.cookie.a', issued_by: ['response.body#/a', 'response.body#a'] },
        { from: 'request.cookie.a', join: '' }, { from: 'request.cookie.a', on: 'GET carts' },
      ],
      SESSION_KEYS_2: [{ from: 'request.body#/a/~2' }],
    });
    assert.deepEqual(told.map((text) => text.split(': ')[0]).sort(), [
      'PARAMETERS[0].name', 'PARAMETERS[1].name', 'PARAMETERS[2].on', 'PARAMETERS[3].on', 'PARAMETERS[4].on', 'PARAMETERS[5].on',
      'PARAMETERS[6].type', 'PARAMETERS_2[0].store', 'PARAMETERS_3[0].typ', 'PARAMETERS_4', 'SESSION_KEYS[0].from',
      'SESSION_KEYS[1].from', 'SESSION_KEYS[2].on', 'SESSION_KEYS[3].issued_by', 'SESSION_KEYS[4].issued_by', 'SESSION_KEYS[5].join',
      'SESSION_KEYS[6].on', 'SESSION_KEYS_2[0].from',
    ].sort());
    for (const [path, at] of [['SESSION_KEYS[0].from', 0], ['SESSION_KEYS[1].from', 15], ['SESSION_KEYS[3].issued_by', 0], ['SESSION_KEYS[4].issued_by', 14]]) {
      const [text] = told.filter((line) => line.startsWith(`${path}: `));
      assert.match(text, new RegExp(`\\(at character ${at}\\)$`), text);
    }
  });
});

test('a session key with `on` groups the requests of its endpoints and no others', { skip: notOurs }, async () => {
  const pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50 }, SESSION_KEYS: [
    { from: 'request.path.cart', on: '* /carts/{cart}/*', join: 'cart' },
    { from: 'request.query.cart', on: 'GET /checkout', join: 'cart' },
    { from: 'request.header.x-device', on: 'POST /devices' },
  ] } });
  try {
    const keys = new Map();
    let ip = 0;
    const visit = async (target, request) => {
      ip += 1;
      await client(pair, { ip: `192.0.2.${ip}` })(target, request);
      const { items: [event] } = await waitFor(async () => {
        const found = await ask(pair, `events?ip=192.0.2.${ip}`);
        return found.items.length === 1 && found;
      }, { what: `the event of ${target}` });
      const session = await ask(pair, `sessions/${event.session}`);
      keys.set(target, session.key.source);
      return session.id;
    };
    const device = { headers: [['X-Device', 'd1']] };
    const one = await visit('/carts/c%31/items');
    assert.equal(await visit('/carts/c1/pay', { method: 'POST' }), one, 'the same value, decoded, on another method and path');
    assert.equal(await visit('/checkout?cart=c1'), one, 'joined with the key of another endpoint');
    assert.notEqual(await visit('/carts/c2/items'), one);
    const elsewhere = ['/checkout/done?cart=c1', '/cart/c1/items', '/carts'];
    for (const target of elsewhere) assert.notEqual(await visit(target), one, target);
    assert.deepEqual(elsewhere.map((target) => keys.get(target)), elsewhere.map(() => 'client.ip+ua'));
    await visit('/devices', { method: 'POST', ...device });
    assert.equal(keys.get('/devices'), 'request.header.x-device');
    await visit('/devices?x', device);
    assert.equal(keys.get('/devices?x'), 'client.ip+ua', 'another method is another endpoint');
  } finally {
    await pair.stop();
  }
});
