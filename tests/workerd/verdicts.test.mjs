// A scan from its first miss to what is done about it: seen in monitor mode, stopped in enforce mode, and nobody who
// is innocent held for a scanner.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, recorded, sentProblem, sessionOf } from './scene.mjs';

const FOLDERS = ['attic', 'cellar', 'garage', 'lobby', 'pantry', 'porch']; // no names of which a request alone tells anything
const PATHS = [...'abcdefghijklmnopqrstuvwxyzäöüß'].map((letter, i) => encodeURI(`/${FOLDERS[i % 6]}/${letter}`));
const PACE_MS = 50; // a scanner that takes its time; the verdict comes while it is still at it
const WAYS = { 'with a session cookie': { cookie: 'sid=scanner' }, 'known by address and agent': { agent: 'cellar-reader/3.6' } };
const vars = { DEV_CLIENT_HEADERS: true };

/** Walks the unknown paths; answers the statuses. */
async function walk(visit, { pace = 0 } = {}) {
  const statuses = [];
  for (const path of PATHS) {
    statuses.push((await visit(path, { status: 404 })).status);
    if (pace > 0) await delay(pace);
  }
  return statuses;
}

/** Ordinary use: pages that exist, and here and there one that does not. */
async function browse(visit, { pages = 25, dead = [] } = {}) {
  for (let i = 0; i < pages; i += 1) await visit(`/api/products/${i}`);
  for (const path of dead) for (let again = 0; again < 3; again += 1) await visit(path, { status: 404 });
}

async function assertClear(pair, path, requests) {
  const session = await sessionOf(pair, path);
  const { state, risk, attacks, findings } = session;
  assert.deepEqual({ state, risk, attacks, findings }, { state: 'clear', risk: 0, attacks: 0, findings: {} });
  assert.equal(session.requests, requests);
}

describe('monitor mode', { skip: notOurs }, () => {
  let pair;
  let count = 0;
  before(async () => { pair = await startPair({ vars }); });
  after(() => pair?.stop());

  for (const [name, [way, who]] of Object.entries(WAYS).map((each, i) => [each[0], [i, each[1]]])) {
    test(`flags a scanner ${name}, says why, and stops nothing`, async () => {
      const visit = client(pair, { ip: `198.51.100.${way}`, ...who });
      const statuses = await walk(visit);
      assert.ok(statuses.every((status) => status === 404));
      assert.equal((await visit('/api/products/1')).status, 200);
      count += 31;
      await recorded(pair, count);
      const { items: [session] } = await ask(pair, `sessions?ip=198.51.100.${way}`);
      assert.deepEqual([session.state, session.requests], ['flagged', 31]);
      assert.ok(session.risk >= 50 && session.attacks >= 1 && session.findings.forced_browsing >= 1, JSON.stringify(session));
      const [event] = await all(pair, `sessions/${session.id}/events?detector=forced_browsing`);
      const [finding] = event.findings;
      assert.deepEqual([finding.session, finding.request, finding.id, finding.time], [session.id, event.id, `${event.id}-forced_browsing`, event.time]);
      assert.deepEqual([finding.detector, finding.scope, finding.action, finding.baseline], ['forced_browsing', 'session', 'tag', 10]);
      assert.ok(Math.round(finding.value) >= finding.baseline && finding.confidence > 0 && finding.risk_added >= 50, JSON.stringify(finding));
      assert.ok(finding.owasp.length > 0 && finding.message.length > 10);
      // The evidence is what the session really did, up to the request that completed the pattern.
      assert.equal(finding.evidence.length, 10);
      for (const { request, time, what } of finding.evidence) {
        const { items: [seen] } = await ask(pair, `events?request=${request}`);
        assert.deepEqual([seen.session, seen.time, `${seen.method} ${seen.path} → ${seen.status}`], [session.id, time, what]);
      }
      assert.equal(finding.evidence.at(-1).request, event.id);
      assert.deepEqual((await ask(pair, 'blocks')).items, []);
    });
  }

  test('says nothing of a customer with two dead links', async () => {
    await browse(client(pair, { ip: '198.51.100.20', cookie: 'sid=customer' }), { dead: ['/old/shoes', '/old/hats'] });
    await browse(client(pair, { ip: '198.51.100.21' }), { dead: ['/old/coats', '/old/bags'] });
    count += 62;
    await recorded(pair, count);
    await assertClear(pair, '/old/shoes', 31);
    await assertClear(pair, '/old/coats', 31);
  });

  test('says nothing of a customer whose login ran out, or whose favourites were sold', async () => {
    const visit = client(pair, { ip: '198.51.100.22', cookie: 'sid=favourites' });
    await browse(visit);
    for (let i = 100; i < 130; i += 1) await visit(`/api/products/${i}`, { status: 404 });
    for (let i = 0; i < 20; i += 1) await visit(`/api/products/${i}`, { status: 401 });
    for (let i = 0; i < 30; i += 1) await visit('/api/gone', { status: 404 });
    count += 105;
    await recorded(pair, count);
    await assertClear(pair, '/api/gone', 105);
  });

  test('says nothing of a browser that misses icons and images', async () => {
    const visit = client(pair, { ip: '198.51.100.23', cookie: 'sid=browser' });
    const missing = ['/favicon.ico', '/robots.txt', '/apple-touch-icon.png', '/.well-known/security.txt',
      ...[...'abcdefghijklmnopqrst'].map((letter) => `/img/${letter}.png`)];
    for (const path of missing) await visit(path, { status: 404 });
    count += missing.length;
    await recorded(pair, count);
    await assertClear(pair, '/robots.txt', missing.length);
  });
});

describe('enforce mode', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({ vars: { ...vars, MODE: 'enforce' } }); });
  after(() => pair?.stop());
  const blocked = (visit, path = '/after') => waitFor(async () => {
    const got = await visit(path);
    return got.status === 403 && got;
  }, { what: 'the block', timeout: 5_000 });

  for (const [name, [way, who]] of Object.entries(WAYS).map((each, i) => [each[0], [i + 100, each[1]]])) {
    test(`stops a scanner ${name} on its way`, async () => {
      const visit = client(pair, { ip: `198.51.100.${way}`, ...who });
      const asked = pair.origin.count;
      const statuses = await walk(visit, { pace: PACE_MS });
      const first = statuses.indexOf(403);
      assert.ok(first >= 10, `stopped at request ${first + 1}`);
      assert.ok(statuses.slice(first).every((status) => status === 403), 'and not let go again');
      assert.equal(pair.origin.count - asked, first, 'the origin saw nothing from then on');

      const got = await visit('/attic/one-more', { method: 'POST', body: 'x' });
      const refusal = sentProblem(got, 403);
      assert.deepEqual(Object.keys(refusal).sort(), ['detail', 'reference', 'status', 'title', 'type']);
      assert.doesNotMatch(got.body.toString(), /scan|brows|detect|session|risk|rule|path|block|throughline/i);
      const event = await waitFor(async () => (await ask(pair, `events?request=${refusal.reference}`)).items[0], { what: 'the reference to be found' });
      assert.deepEqual([event.path, event.method, event.status, event.action], ['/attic/one-more', 'POST', 403, 'block']);

      const session = await ask(pair, `sessions/${event.session}`);
      assert.deepEqual([session.state, session.ips[0].ip], ['blocked', `198.51.100.${way}`]);
      assert.ok(session.risk >= 50 && session.findings.forced_browsing >= 1);
      const [finding] = (await all(pair, `sessions/${session.id}/events?detector=forced_browsing`))[0].findings;
      assert.equal(finding.action, 'block');
      const block = await waitFor(async () => (await ask(pair, 'blocks')).items.find(({ value }) => value === session.id), { what: 'the block to be listed' });
      assert.deepEqual([block.kind, block.action, block.by, block.enforced], ['session', 'block', 'detector', true]);
      assert.match(block.reason, /^forced_browsing/);
      const { items: acts } = await ask(pair, 'audit');
      assert.ok(acts.some(({ actor, act, subject }) => actor === 'detector' && act === 'block' && subject === `session:${session.id}`));
    });
  }

  test('stops a scanner at full speed soon after', async () => {
    const visit = client(pair, { cookie: 'sid=fast', ip: '198.51.100.110' });
    await walk(visit);
    sentProblem(await blocked(visit), 403);
  });

  test('leaves a customer with two dead links alone', async () => {
    for (const [ip, cookie] of [['198.51.100.120', 'sid=customer'], ['198.51.100.121', undefined]]) {
      const visit = client(pair, { ip, cookie });
      await browse(visit, { dead: ['/old/shoes', '/old/hats'] });
      await waitFor(async () => (await ask(pair, `events?ip=${ip}&limit=500`)).items.length === 31, { what: 'the customer\'s events' });
      const { items: [session] } = await ask(pair, `sessions?ip=${ip}`);
      assert.deepEqual([session.state, session.risk, session.findings], ['clear', 0, {}]);
      assert.equal((await visit('/api/products/1')).status, 200);
    }
  });

  test('leaves an office alone in which one of many scans', async () => {
    const office = (name) => client(pair, { ip: '203.0.113.200', cookie: `sid=${name}` });
    const colleagues = ['ann', 'bob', 'cid', 'dan', 'eve'];
    for (const name of colleagues) await browse(office(name), { pages: 6, dead: [`/old/${name}`] });
    await walk(office('mallory'));
    await blocked(office('mallory'));
    for (const name of colleagues) assert.equal((await office(name)(`/later/${name}`)).status, 200, name);
    await waitFor(async () => (await ask(pair, 'events?q=/later/&limit=500')).items.length === colleagues.length, { what: 'the colleagues\' events' });
    for (const name of colleagues) {
      const { state, risk, findings } = await sessionOf(pair, `/later/${name}`);
      assert.deepEqual({ state, risk, findings }, { state: 'clear', risk: 0, findings: {} }, name);
    }
    assert.equal((await client(pair, { ip: '203.0.113.200' })('/guest')).status, 200, 'a newcomer without a cookie');
  });

  test('only flags an office without cookies, where one scanner among many cannot be told apart', async () => {
    const visit = client(pair, { ip: '203.0.113.201' });
    for (const [i, path] of PATHS.slice(0, 15).entries()) {
      await browse(visit, { pages: 3 });
      assert.equal((await visit(path, { status: 404 })).status, 404, `request ${i}`);
    }
    const session = await waitFor(async () => (await ask(pair, 'sessions?ip=203.0.113.201')).items.find(({ requests }) => requests === 60), { what: 'the office' });
    assert.equal(session.state, 'flagged');
    assert.equal((await visit('/api/products/1')).status, 200);
  });

  test('never blocks by itself what is known by an address alone', async () => {
    const visit = client(pair, { ip: '203.0.113.202', agent: null });
    assert.ok((await walk(visit, { pace: PACE_MS })).every((status) => status === 404));
    const session = await waitFor(async () => (await ask(pair, 'sessions?ip=203.0.113.202')).items.find(({ requests }) => requests === 30), { what: 'its events' });
    assert.deepEqual([session.state, session.key.source], ['flagged', 'client.ip']);
    assert.equal((await visit('/api/products/1')).status, 200);
  });
});

describe('a detector', { skip: notOurs }, () => {
  const run = async (DETECTORS, use) => {
    const pair = await startPair({ vars: { ...vars, MODE: 'enforce', DETECTORS } });
    try {
      await use(pair, client(pair, { cookie: 'sid=scanner' }));
    } finally {
      await pair.stop();
    }
  };

  test('that is switched off says and does nothing', () => run({ forced_browsing: 'off' }, async (pair, visit) => {
    assert.ok((await walk(visit, { pace: 20 })).every((status) => status === 404));
    await recorded(pair, 30);
    await assertClear(pair, PATHS[0], 30);
  }));

  const THROTTLE = { forced_browsing: { limit: 5, action: 'throttle', for: '90s' } };
  test('that is tuned to throttle at five answers 429 from then on', () => run(THROTTLE, async (pair, visit) => {
    const statuses = await walk(visit, { pace: PACE_MS });
    const first = statuses.indexOf(429);
    assert.ok(first >= 5 && first < 30, `throttled at request ${first + 1}`);
    const { headers } = await visit('/again');
    const [, after] = headers.find(([name]) => name.toLowerCase() === 'retry-after');
    assert.ok(Number(after) >= 80 && Number(after) <= 90, `Retry-After: ${after}`);
  }));
});
