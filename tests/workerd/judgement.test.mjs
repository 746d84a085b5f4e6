// Verdicts on every kind of subject, on the very request that completes a pattern, and what analysts are told of findings:
// what they weigh, what stood around them, what enforcing would have done, and what labels say.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { values } from './http1.mjs';
import { ask, client, order, problem, recorded, sentProblem, sessionOf } from './scene.mjs';

const T0 = Date.UTC(2040, 0, 1, 12);
const MINUTE = 60_000;
const JA4 = 't13d1516h2_8daaf6152771_02713d6af862';
const USERS = [{ name: 'username', from: 'request.body#/username', on: 'POST /api/login', type: 'string', role: 'user', store: 'plain' }];
const JSON_TYPE = ['Content-Type', 'application/json'];
const dev = { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, LIMITS: { flush_ms: 50 } };
const guess = (visit, options = {}) => visit('/api/login', { method: 'POST', status: 401, body: '{"username":"ann"}', headers: [JSON_TYPE], ...options });

describe('an inline login', { skip: notOurs }, () => {
  const enforcing = (brute_force, more = {}) => startPair({
    vars: { ...dev, MODE: 'enforce', PARAMETERS: USERS, DETECTORS: { brute_force }, ROUTES: [{ match: 'POST /api/login', decide: 'inline' }], ...more },
  });

  for (const SHARDS of [1, 3]) test(`with ${SHARDS} shards: the guess that completes the pattern is not answered, nor any after it`, async () => {
    const pair = await enforcing({ limit: 5, action: 'block', for: '10m' }, { SHARDS });
    try {
      const visit = client(pair, { cookie: 'sid=guesser', ip: '192.0.2.9' });
      const statuses = [];
      for (let i = 0; i < 8; i += 1) statuses.push((await guess(visit, { time: T0 + i * 1_000 })).status);
      assert.deepEqual(statuses, [401, 401, 401, 401, 403, 403, 403, 403]);
      assert.equal(pair.origin.requests.filter(({ target }) => target === '/api/login').length, 5);
      const session = await sessionOf(pair, '/api/login');
      assert.deepEqual([session.state, session.findings.brute_force], ['blocked', 1]);
      // It ends on time; who goes on at once would still be one guess too many within the window.
      assert.equal((await visit('/api/products/1', { time: T0 + 4_000 + 10 * MINUTE - 1 })).status, 403);
      assert.equal((await visit('/api/products/1', { time: T0 + 4_000 + 10 * MINUTE })).status, 200);
      assert.equal((await guess(visit, { time: T0 + 30 * MINUTE, status: 200 })).status, 200);
    } finally {
      await pair.stop();
    }
  });

  test('ten guesses at once are ten: no more reach the origin', async () => {
    const pair = await enforcing({ limit: 10, action: 'block', for: '10m' });
    try {
      const visit = client(pair, { cookie: 'sid=parallel', ip: '192.0.2.10' });
      const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await guess(visit)).status));
      const asked = pair.origin.requests.filter(({ target }) => target === '/api/login').length;
      assert.ok(asked <= 10, `${asked} guesses reached the origin`);
      assert.ok(statuses.filter((status) => status === 401).length < 10, String(statuses));
      assert.equal((await guess(visit)).status, 403);
    } finally {
      await pair.stop();
    }
  });

  test('is slowed down in the words of the rate limit headers where it is to be throttled', async () => {
    const pair = await enforcing({ limit: 3, action: 'throttle', for: '90s' });
    try {
      const visit = client(pair, { cookie: 'sid=slow', ip: '192.0.2.11' });
      let got;
      for (let i = 0; i < 4; i += 1) got = await guess(visit, { time: T0 + i });
      sentProblem(got, 429);
      assert.deepEqual(values(got.headers, 'retry-after'), ['90']);
      assert.deepEqual(values(got.headers, 'ratelimit'), ['"throughline";r=0;t=90']);
      assert.deepEqual(values(got.headers, 'ratelimit-policy'), ['"throughline";q=0;w=90']);
    } finally {
      await pair.stop();
    }
  });
});

describe('a verdict on another subject than the session', { skip: notOurs }, () => {
  test('holds for the address, unless many healthy sessions share it', async () => {
    const vars = { ...dev, MODE: 'enforce', DETECTORS: { brute_force: { limit: 5, action: 'block', at: 'ip' } }, ROUTES: [{ match: 'POST /api/login', decide: 'inline' }] };
    const pair = await startPair({ vars });
    try {
      const lone = client(pair, { ip: '192.0.2.20', cookie: 'sid=lone' });
      for (let i = 0; i < 5; i += 1) await guess(lone);
      sentProblem(await client(pair, { ip: '192.0.2.20', cookie: 'sid=another' })('/hello'), 403);
      for (let i = 0; i < 8; i += 1) for (const page of [1, 2, 3, 4]) await client(pair, { ip: '192.0.2.21', cookie: `sid=office-${i}` })(`/api/products/${page}`);
      await waitFor(async () => (await ask(pair, 'sessions?ip=192.0.2.21')).items.length === 8, { what: 'the office to be known' });
      const inside = client(pair, { ip: '192.0.2.21', cookie: 'sid=inside' });
      for (let i = 0; i < 6; i += 1) await guess(inside);
      assert.equal((await client(pair, { ip: '192.0.2.21', cookie: 'sid=office-0' })('/hello')).status, 200);
    } finally {
      await pair.stop();
    }
  });

  test('is imposed by hand on a user and a device, and lifted', async () => {
    const pair = await startPair({ vars: { ...dev, MODE: 'enforce', PARAMETERS: USERS } });
    try {
      const ann = client(pair, { ip: '192.0.2.30', cookie: 'sid=ann', ja4: JA4 });
      const bob = client(pair, { ip: '198.51.100.30', cookie: 'sid=bob' });
      await guess(ann, { status: 200 });
      await guess(bob, { status: 200, body: '{"username":"bob"}' });
      await recorded(pair, 2);
      const imposed = await ask(pair, 'blocks', order({ kind: 'user', value: 'ann', for: '10m', reason: 'test' }));
      assert.deepEqual([imposed.kind, imposed.value, imposed.enforced], ['user', 'ann', true]);
      await waitFor(async () => (await ann('/hello')).status === 403, { timeout: 5_000, what: 'the block on the user' });
      assert.equal((await bob('/hello')).status, 200);
      assert.equal((await sessionOf(pair, '/api/login')).state === 'blocked' || (await ask(pair, 'sessions?user=ann')).items[0].state === 'blocked', true);
      const lift = await pair.admin('api/v1/blocks?kind=user&value=ann', { method: 'DELETE' });
      assert.equal(lift.status, 204);
      await waitFor(async () => (await ann('/hello')).status === 200, { what: 'the block to be lifted' });
      const [{ ja4, user_agent }] = (await ask(pair, 'events?q=/hello&limit=1&ip=192.0.2.30')).items;
      assert.deepEqual([ja4, user_agent.includes('Firefox/142')], [JA4, true]);
      const device = `${JA4};Firefox 142;192.0.2.0/24`;
      await ask(pair, 'blocks', order({ kind: 'device', value: device }));
      sentProblem(await client(pair, { ip: '192.0.2.99', cookie: 'sid=new', ja4: JA4 })('/hello'), 403);
      assert.equal((await client(pair, { ip: '203.0.113.99', cookie: 'sid=far', ja4: JA4 })('/hello')).status, 200);
      await problem(await pair.admin('api/v1/blocks', order({ kind: 'device', value: 'a toaster' })), 400);
    } finally {
      await pair.stop();
    }
  });

  test('is never carried out on who is on the list, and not on a route that is only watched', async () => {
    const vars = {
      ...dev, MODE: 'enforce', ALLOW: [{ kind: 'ip', value: '192.0.2.0/28' }], ROUTES: [{ match: 'GET /notes/*', mode: 'monitor' }],
    };
    const pair = await startPair({ vars });
    try {
      const attack = "?q=1'%20UNION%20SELECT%20password%20FROM%20users--";
      assert.equal((await client(pair, { ip: '192.0.2.3' })(`/search${attack}`)).status, 200);
      assert.equal((await client(pair, { ip: '192.0.2.77' })(`/notes/1${attack}`)).status, 200);
      assert.equal((await client(pair, { ip: '192.0.2.77' })(`/search${attack}`)).status, 403);
    } finally {
      await pair.stop();
    }
  });
});

describe('a finding in monitor mode', { skip: notOurs }, () => {
  let pair;
  let finding;
  const ATTACK = "/api/search?q=1'%20UNION%20SELECT%20password%20FROM%20users--";
  before(async () => {
    pair = await startPair({ vars: { ...dev, PARAMETERS: USERS, DETECTORS: { brute_force: { limit: 5, action: 'block', for: '10m' } } } });
    const visit = client(pair, { ip: '192.0.2.40', cookie: 'sid=mallory', ja4: JA4 });
    for (const page of ['/one', '/two', '/three']) await visit(page);
    await visit(ATTACK, { status: 403 });
    await visit('/four');
    await client(pair, { ip: '192.0.2.40', cookie: 'sid=neighbour' })('/next-door');
    for (let i = 0; i < 8; i += 1) await guess(client(pair, { ip: '192.0.2.41', cookie: 'sid=guesser' }));
    await recorded(pair, 14);
    [finding] = (await waitFor(async () => {
      const { items } = await ask(pair, 'findings?detector=sqli');
      return items.length > 0 && items;
    }, { what: 'the finding in the feed' }));
  });
  after(() => pair?.stop());

  test('says what it weighed and what would have been done', () => {
    assert.deepEqual(finding.reasons.map(({ reason, factor }) => [reason, factor]), [['refused', 0.8]]);
    assert.deepEqual([finding.action, finding.would, finding.label], ['tag', 'block', null]);
  });

  test('is shown with what stood around it and who shares what with its session', async () => {
    const context = await ask(pair, `findings/${finding.id}`);
    assert.equal(context.finding.id, finding.id);
    assert.deepEqual(context.before.map(({ path }) => path), ['/one', '/two', '/three']);
    assert.deepEqual(context.after.map(({ path }) => path), ['/four']);
    const address = context.neighbours.find(({ kind }) => kind === 'ip');
    assert.deepEqual([address.value, address.sessions.items.length], ['192.0.2.40', 1]);
    const { items } = await ask(pair, `sessions/${finding.session}/neighbours`);
    assert.deepEqual(items.map(({ kind }) => kind).sort(), ['device', 'ip']);
    await problem(await pair.admin(`api/v1/findings/01ARZ3NDEKTSV4RRFFQ69G5FAV-sqli`), 404);
  });

  test('names no user to viewers', async () => {
    const [guessed] = (await ask(pair, 'findings?detector=brute_force')).items;
    const shown = async (token) => (await pair.admin(`api/v1/findings/${guessed.id}`, { token })).text();
    assert.match(await shown(pair.tokens.admin), /"ann"/);
    const masked = await shown(pair.tokens.viewer);
    assert.ok(!/\bann\b/.test(masked) && masked.includes('"h:'), masked);
  });

  test('is counted in what enforcing would have touched, the least certain first', async () => {
    const { total, detectors, mode } = await ask(pair, 'dryrun');
    const touched = Object.fromEntries(detectors.map((one) => [one.detector, one]));
    assert.equal(mode, 'monitor');
    assert.deepEqual([touched.sqli.requests, touched.sqli.sessions], [1, 1]);
    // The fifth guess, and the three while it would have been blocked.
    assert.deepEqual([touched.brute_force.requests, touched.brute_force.sessions, touched.brute_force.action], [4, 1, 'block']);
    assert.deepEqual([total.requests, total.sessions], [5, 2]);
    const confidences = detectors.map(({ confidence }) => confidence);
    assert.deepEqual(confidences, confidences.toSorted((a, b) => a - b));
  });

  test('takes a label, which is on record, shown, filtered by, counted, and proposes an exception', async () => {
    const put = (path, token) => pair.admin(`api/v1/${path}/labels`, { ...order({ label: 'false_positive', note: 'a test' }), ...(token && { token }) });
    await problem(await put(`findings/${finding.id}`, pair.tokens.viewer), 403);
    const labelled = await (await put(`findings/${finding.id}`)).json();
    assert.deepEqual([labelled.kind, labelled.label, labelled.exception], ['finding', 'false_positive', { match: 'GET /api/search', parameter: 'q', detector: 'sqli' }]);
    assert.equal((await put(`sessions/${finding.session}`)).status, 200);
    const shown = (await ask(pair, 'findings?label=false_positive')).items;
    assert.deepEqual(shown.map(({ id, label }) => [id, label.label, label.by]), [[finding.id, 'false_positive', 'admin']]);
    assert.ok((await ask(pair, 'findings?label!=false_positive')).items.every(({ label }) => label === null));
    const sessions = (await ask(pair, 'sessions?label=false_positive')).items;
    assert.deepEqual(sessions.map(({ id, label }) => [id, label.note]), [[finding.session, 'a test']]);
    assert.equal((await ask(pair, 'sessions?label=true_positive')).items.length, 0);
    const { precision, proposals } = await ask(pair, 'labels');
    assert.deepEqual(precision.sqli, { true_positives: 0, false_positives: 1, precision: 0 });
    assert.deepEqual(proposals.map(({ false_positives }) => false_positives), [1]);
    assert.equal((await ask(pair, 'dryrun')).detectors[0].detector, 'sqli', 'what was wrong before is least certain');
    assert.deepEqual((await ask(pair, 'audit')).items.map(({ act }) => act).slice(0, 2), ['label', 'label']);
    // Nothing is excepted for it.
    await client(pair, { ip: '192.0.2.42', cookie: 'sid=again' })(ATTACK);
    await recorded(pair, 15);
    assert.equal((await ask(pair, 'sessions?ip=192.0.2.42')).items[0].findings.sqli, 1);
  });
});
