// What the origin reports in Session-Event: kept with the event and its session, never shown to the client, never a
// reason for a request to fail; and the names in it, which are stored as pseudonyms, are found only by who knows them.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';
import { all, ask, client, order, recorded, sentProblem } from './scene.mjs';

const T0 = Date.UTC(2040, 0, 1, 12);
const HASHED = /^h:[0-9a-f]{4}:[0-9a-f]{32}$/;
const USER = { name: 'username', from: 'request.body#/username', on: 'POST /login', role: 'user' };
const PLAYED = { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, LIMITS: { flush_ms: 50 } };

/** The origin of these tests: echoes, and reports what `x-lines` says, a line each, its name in any case. */
function answer({ headers }) {
  const lines = values(headers, 'x-lines').flatMap((text) => JSON.parse(Buffer.from(text, 'base64').toString()));
  return { headers: [['Content-Type', 'text/plain'], ['X-Kept', 'yes'], ['Set-Cookie', 'theme=dark'], ['Set-Cookie', 'lang=de'], ...lines], body: 'answered' };
}
const lines = (...all) => [['x-lines', Buffer.from(JSON.stringify(all)).toString('base64')]];
const says = (value) => ({ method: 'POST', headers: [['x-feedback', value]] });
const login = (username, feedback) => ({
  method: 'POST', body: JSON.stringify({ username }), headers: [['Content-Type', 'application/json'], ...(feedback ? [['x-feedback', feedback]] : [])],
});

/** A player: sends each request of its session a second after the one before, and knows what became of it. */
function player(pair, cookie, ip) {
  const send = client(pair, { cookie: `sid=${cookie}`, ip });
  let seconds = 0;
  const play = (path, request) => send(`/${cookie}${path}`, { ...request, time: T0 + (seconds += 1) * 1_000 });
  const event = (path) => waitFor(async () => {
    const { items } = await ask(pair, `events?q=${encodeURIComponent(`/${cookie}${path}`)}`);
    return items.length === 1 && items[0];
  }, { what: `the event /${cookie}${path}` });
  const session = async (path) => ask(pair, `sessions/${(await event(path)).session}`);
  return { play, event, session };
}

describe('feedback', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({ answer, vars: { ...PLAYED, PARAMETERS: [{ ...USER, on: 'POST /{who}/login' }] } });
  });
  after(() => pair?.stop());
  const found = async (query) => (await ask(pair, query)).items.map(({ id }) => id);

  for (const [name, sent] of [
    ['as usual', [['Session-Event', 'login-success;user="ann"']]],
    ['in capitals', [['SESSION-EVENT', 'order']]],
    ['in small letters, twice', [['session-event', 'order'], ['session-event', 'refund']]],
    ['in all cases at once', [['Session-Event', 'order'], ['session-event', 'refund'], ['SESSION-EVENT', 'signup']]],
    ['without a value', [['Session-Event', '']]],
  ]) {
    test(`does not reach the client: ${name}`, async () => {
      for (const status of ['', 'status 201 Made', 'status 404 Gone', 'status 302', 'status 204']) {
        const headers = [...lines(...sent), ...(status === '' ? [] : [['x-answer', status], ...sent.map(([, value]) => ['x-feedback', value])])];
        const got = await client(pair, { ip: '192.0.2.30' })('/quiet', { headers });
        assert.equal(got.status, Number(status.split(' ')[1] ?? 200));
        assert.deepEqual(got.headers.filter(([header]) => /session/i.test(header)), []);
        if (status !== '') continue;
        assert.equal(got.body.toString(), 'answered');
        assert.deepEqual([values(got.headers, 'x-kept'), values(got.headers, 'set-cookie')], [['yes'], ['theme=dark', 'lang=de']]);
      }
    });
  }

  test('of two lines is one list', async () => {
    const { play, event } = player(pair, 'lines', '192.0.2.31');
    await play('/buy', { headers: lines(['Session-Event', 'order;amount=99.90'], ['session-event', 'payment-failure;reason="card, declined", x']) });
    assert.deepEqual((await event('/buy')).feedback, ['order', 'payment-failure', 'x']);
  });

  test('of a failed login names who was tried, and nobody as the user', async () => {
    const { play, event, session } = player(pair, 'failed', '192.0.2.32');
    await play('/login', says('login-failure;user="ann-failed"'));
    await play('/next');
    const { user, attempted_user: tried, feedback, marks } = await event('/login');
    assert.deepEqual([user, feedback, marks], [null, ['login-failure'], ['user_attempted']]);
    assert.match(tried, HASHED);
    const next = await event('/next');
    assert.deepEqual([next.user, next.attempted_user], [null, null]);
    const { id, users, attempted_users: attempts } = await session('/login');
    assert.deepEqual([users, attempts], [[], [tried]]);
    assert.deepEqual([await found('sessions?user=ann-failed'), await found('sessions?attempted_user=ann-failed')], [[], [id]]);
    assert.deepEqual([await found('events?user=ann-failed'), (await found('events?attempted_user=ann-failed')).length], [[], 1]);
  });

  test('of a login names the user and the role, for what comes after it too, until the logout', async () => {
    const { play, event, session } = player(pair, 'login', '192.0.2.33');
    await play('/before');
    await play('/enter', says('login-success;user="ann";role="admin"'));
    await play('/inside');
    await play('/leave', says('logout'));
    await play('/outside');
    const [before, enter, inside, leave, outside] = await Promise.all(['/before', '/enter', '/inside', '/leave', '/outside'].map(event));
    assert.match(enter.user, HASHED);
    assert.deepEqual([before, inside, leave, outside].map(({ user }) => user), [null, enter.user, enter.user, null]);
    assert.deepEqual([enter.roles, enter.feedback, enter.marks, leave.marks], [['admin'], ['login-success'], [], ['ended']]);
    const { id, users, roles, ended, attempted_users: attempts } = await session('/enter');
    assert.deepEqual([users, roles, ended, attempts], [[enter.user], ['admin'], leave.time, []]);
    assert.deepEqual([await found('sessions?user=ann'), await found('sessions?role=admin')], [[id], [id]]);
    assert.deepEqual(new Set(await found('events?user=ann')), new Set([enter.id, inside.id, leave.id]));
    assert.deepEqual(await found('sessions?user=Ann'), []);
  });

  test('of another login in the same session is another user from then on', async () => {
    const { play, event, session } = player(pair, 'shared', '192.0.2.34');
    for (const path of ['/one', '/two', '/three', '/four']) await play(path, { '/one': says('login-success;user="bea"'), '/three': says('login-success;user="cid"') }[path]);
    const [one, two, three, four] = await Promise.all(['/one', '/two', '/three', '/four'].map(async (path) => (await event(path)).user));
    assert.deepEqual([two, four], [one, three]);
    assert.notEqual(one, three);
    assert.deepEqual((await session('/one')).users, [one, three]);
  });

  test('of any other name is kept with the event', async () => {
    const { play, event } = player(pair, 'names', '192.0.2.35');
    await play('/own', says('coupon-redeemed;code="X1", Own.Name_2, "as-text", order'));
    const { feedback, marks, user } = await event('/own');
    assert.deepEqual([feedback, marks, user], [['coupon-redeemed', 'own.name_2', 'as-text', 'order'], [], null]);
  });

  for (const [name, value] of [['a parameter without a value', 'login-failure;user='], ['5 KB', `order;note="${'x'.repeat(5_000)}"`],
    ['bytes that are no text', 'login-success;user="\xff\xfe\x80"'], ['raw UTF-8', Buffer.from('login-success;user="Zoë"').toString('latin1')],
    ['a name without quotes', 'login-success;user=zoe@shop.test'], ['JSON', '{"event":"login-success"}'], ['a list within', '(order refund)'], ['a trailing comma', 'order,']]) {
    test(`that cannot be read is marked, and the request goes on: ${name}`, async () => {
      const who = `bad-${name.replaceAll(' ', '-')}`;
      const { play, event, session } = player(pair, who, '192.0.2.36');
      const got = await play('/login', { ...login('ann-bad', value) });
      assert.deepEqual([got.status, got.body.toString()], [200, 'answered']);
      assert.deepEqual(values(got.headers, 'session-event'), []);
      const { marks, feedback, status } = await event('/login');
      assert.deepEqual([marks, feedback, status], [['feedback_malformed'], [], 200]);
      assert.deepEqual((await session('/login')).marks, ['feedback_malformed']);
    });
  }

  test('of a failed login outweighs an answer that looks like success', async () => {
    const { play, event, session } = player(pair, 'soft', '192.0.2.37');
    await play('/login', login('dan', 'login-failure'));
    await play('/inside');
    const { user, attempted_user: tried, status } = await event('/login');
    assert.deepEqual([status, user, (await event('/inside')).user], [200, null, null]);
    assert.match(tried, HASHED);
    assert.deepEqual((await session('/login')).users, []);
    await play('/login', login('dan'));
    await waitFor(async () => (await session('/inside')).users.length === 1, { what: 'the user after a login without such feedback' });
    assert.equal((await found('sessions?user=dan')).length, 1);
  });

  for (const [at, said] of ['mfa-failure;user="eve"', 'login-failure;user="eve", account-lock;user="eve"', 'account-lock;user="eve", login-failure;user="eve"',
    'account-lock;user="eve"', 'password-reset;user="eve"'].entries()) {
    test(`does not make a user of somebody it is merely about: ${said}`, async () => {
      const { play, session } = player(pair, `about-${'abcde'[at]}`, '192.0.2.38');
      await play('/act', says(said));
      assert.deepEqual((await session('/act')).users, []);
    });
  }

  test('of a failed payment is no attempt to be somebody', async () => {
    const { play, event, session } = player(pair, 'payer', '192.0.2.39');
    await play('/enter', says('login-success;user="gil"'));
    await play('/pay', says('payment-failure;user="gil"'));
    const [enter, pay] = [await event('/enter'), await event('/pay')];
    assert.deepEqual([pay.user, pay.attempted_user, pay.marks], [enter.user, null, []]);
    assert.deepEqual((await session('/pay')).attempted_users, []);
  });
});

describe('a user that is reported', { skip: notOurs }, () => {
  const RAW = 'zoe-kirschbaum-4711';
  const reporting = async (store, use) => {
    const PARAMETERS = [{ ...USER, on: 'POST /{who}/login', store }, { name: 'role', from: 'request.header.x-role', role: 'role', store }];
    const pair = await startPair({ answer, vars: { ...PLAYED, PARAMETERS } });
    try {
      const { play, event, session } = player(pair, 'zoe', '192.0.2.40');
      await play('/login', login(RAW, `login-success;user="${RAW}";note="${RAW}"`));
      await play('/again', says(`login-failure;user="${RAW}"`));
      await play('/inside');
      await use(pair, { login: await event('/login'), inside: await event('/inside'), session: await session('/again'), play, event });
    } finally {
      await pair.stop();
    }
  };

  test('is shown where names are stored plain', () => reporting('plain', async (pair, { login: first, inside, session }) => {
    assert.deepEqual([first.user, inside.user, session.users, session.attempted_users], [RAW, RAW, [RAW], [RAW]]);
    assert.deepEqual((await ask(pair, `sessions?user=${RAW}`)).items.map(({ id }) => id), [session.id]);
  }));

  test('is nowhere where names are dropped', () => reporting('drop', async (pair, { login: first, inside, session }) => {
    assert.deepEqual([first.user, first.attempted_user, inside.user, session.users, session.attempted_users], [null, null, null, [], []]);
    assert.deepEqual((await ask(pair, `sessions?user=${RAW}`)).items, []);
    assert.ok(!(await everything(pair)).includes(RAW));
  }));

  test('is in no answer and no log where names are hashed', () => reporting('hashed', async (pair, { session }) => {
    assert.match(session.users.join(), HASHED);
    assert.deepEqual((await ask(pair, `sessions?user=${RAW}`)).items.map(({ id }) => id), [session.id]);
    await ask(pair, `sessions/${session.id}/actions`, order({ action: 'throttle', for: '1h', reason: 'seen' }));
    const text = await everything(pair, session.id);
    assert.ok(text.includes(session.users[0]) && text.includes('/zoe/login'), 'what may be shown is shown');
    assert.ok(!text.includes(RAW));
  }));

  for (const store of ['hashed', 'drop']) {
    test(`has no role in plain words where roles are stored ${store}`, () => reporting(store, async (pair, { play, event, session }) => {
      await play('/promoted', says('login-success;user="zoe";role="chief-4711"'));
      await event('/promoted');
      assert.ok(!(await everything(pair, session.id)).includes('chief-4711'));
    }));
  }

  const everything = async (pair, id) => {
    const paths = ['healthz', 'metrics', 'api/v1/policy', 'api/v1/sessions?limit=500', 'api/v1/events?limit=500', 'api/v1/stats?group_by=endpoint', 'api/v1/blocks',
      'api/v1/audit', `api/v1/sessions?user=${RAW}`, `api/v1/events?user=${RAW}&limit=1`, ...(id ? [`api/v1/sessions/${id}/story`, `api/v1/sessions/${id}/events`] : [])];
    return [...await Promise.all(paths.map(async (path) => (await pair.admin(path)).text())), pair.worker.logs()].join('\n');
  };
});

test('a session and its user are found, and stay blocked, when the secret is changed', { skip: notOurs }, async () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-feedback-'));
  const [A, B] = ['the-first-secret-of-this-test-0001', 'the-second-secret-of-this-test-0002'];
  const vars = { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50 }, SHARDS: 3, MODE: 'enforce', ROUTES: [{ match: '* /inline', decide: 'inline' }] };
  const ann = (pair) => client(pair, { cookie: 'sid=cookie-of-ann', ip: '192.0.2.50' });
  const with_ = async (more, use) => {
    const pair = await startPair({ storage, vars: { ...vars, ...more } });
    try {
      return await use(pair);
    } finally {
      await pair.stop();
    }
  };
  const lookup = async (pair) => (await ask(pair, 'lookup', order({ value: 'cookie-of-ann' }))).items.map(({ session }) => session);
  const ids = async (pair, query) => (await all(pair, query)).map(({ id }) => id);
  try {
    const old = await with_({ SESSION_SECRET: A }, async (pair) => {
      await ann(pair)('/old', says('login-success;user="ann"'));
      await recorded(pair, 1);
      return (await all(pair, 'sessions?user=ann'))[0].id;
    });
    await with_({ SESSION_SECRET: B }, async (pair) => assert.deepEqual([await lookup(pair), await ids(pair, 'sessions?user=ann')], [[], []]));
    await with_({ SESSION_SECRET: B, SESSION_SECRET_PREVIOUS: A }, async (pair) => {
      assert.deepEqual([await lookup(pair), await ids(pair, 'sessions?user=ann'), (await ids(pair, 'events?user=ann')).length], [[old], [old], 1]);
      assert.equal((await ann(pair)('/new', says('login-success;user="ann"'))).status, 200);
      await recorded(pair, 2);
      const both = await ids(pair, 'sessions?user=ann');
      assert.deepEqual([both.length, both.includes(old)], [2, true]);
      assert.deepEqual(new Set(await lookup(pair)), new Set(both));
      assert.equal((await all(pair, 'events?user=ann')).length, 2);
      await ask(pair, `sessions/${old}/actions`, order({ action: 'block', for: '1h', reason: 'while the secret changes' }));
      for (const target of ['/after', '/inline']) sentProblem(await ann(pair)(target), 403);
      assert.equal((await client(pair, { cookie: 'sid=cookie-of-bob', ip: '192.0.2.50' })('/after')).status, 200);
    });
    // The block holds for an isolate that has heard of nothing yet, too.
    await with_({ SESSION_SECRET: B, SESSION_SECRET_PREVIOUS: A }, async (pair) => {
      for (const target of ['/inline', '/later']) sentProblem(await ann(pair)(target), 403);
    });
  } finally {
    rmSync(storage, { recursive: true, force: true });
  }
});
