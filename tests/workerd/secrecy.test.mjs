// The values of session keys, and what looks like a secret in a path, are found nowhere but in the request: in no
// answer, no log, and no byte on disk. Only who knows a value already can look up the session it stands for.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, client, order, recorded, sessionOf } from './scene.mjs';

const SECRETS = {
  configured: 'kF3wQ9zP1xL7vB5nM2cR8tY4', cookie: 'aB4cD8eF2gH6jK0lM9nP3qR7', jsession: 'ZZ91aPPx44QmWn28LkTT',
  bearer: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln',
  key: 'sk_live_4eC39HqLyjWDarjtT1zdp7dc', basic: 'YW5uOmh1bnRlcjJodW50ZXIy', query: 'q7Lw2Xc9Vb4Nm6Zx1Ks8', parameter: 'pw-reset-9s8d7f6g5h4j3k2l',
  reset: 'kJ8sd7Fh2sdf87Hsdkf83Kd', hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', matrix: '1A530637289A03B07199A44E8D531427',
  card: 'tok-5f3e2d1c0b9a8776', card2: 'tok-6a7b8c9d0e1f2233', holder: 'erika-mustermann-2213', dropped: 'remark-of-nobodys-business-17', forged: 'kunde-unbekannt-99817',
  body: 'correct-horse-battery-staple-42', response: 'issued-8f7e6d5c4b3a2918', short: 'x9',
};
const OPERATOR = { SESSION_SECRET: 'the-session-secret-of-this-test-0001' };
const LONG = Object.values(SECRETS).filter((secret) => secret.length > 10);

describe('a secret', { skip: notOurs }, () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-secrecy-'));
  let pair;
  const sent = [];
  before(async () => {
    pair = await startPair({ storage, vars: { ...OPERATOR, DEV_CLIENT_HEADERS: true, SESSION_KEYS: [{ from: 'request.cookie.app' }, { from: 'request.query.s' }],
      ROUTES: [{ match: 'POST /inline', decide: 'inline' }], MODE: 'enforce',
      PARAMETERS: [
        { name: 'card', from: 'request.body#/card', on: 'POST /pay', store: 'hashed' }, { name: 'holder', from: 'request.body#/holder', on: 'POST /pay', store: 'hashed', role: 'user' },
        { name: 'remark', from: 'request.body#/remark', on: 'POST /pay', store: 'drop' },
      ],
      WATCHES: [{ parameter: 'card', kind: 'distinct', window: '1h', above: 1 }, { parameter: 'holder', kind: 'discrepancy', of: 'users', window: '1h', above: 1 }],
      LIMITS: { flush_ms: 50 } } });
    const visit = async (target, { headers = [], cookie, ip, agent, ...more } = {}) => {
      sent.push(target);
      return client(pair, { cookie, ip, agent })(target, { headers, ...more });
    };
    await visit('/public/marker', { cookie: `app=${SECRETS.configured}` });
    await visit('/two', { cookie: `sid=${SECRETS.cookie}; other=${SECRETS.short}` });
    await visit('/three', { cookie: `JSESSIONID=${SECRETS.jsession}` });
    await visit('/four', { headers: [['Authorization', `Bearer ${SECRETS.bearer}`]] });
    await visit('/five', { headers: [['X-Api-Key', SECRETS.key]] });
    await visit('/six', { headers: [['Authorization', `Basic ${SECRETS.basic}`]] });
    await visit(`/seven?s=${SECRETS.query}&password=${SECRETS.parameter}`);
    await visit(`/reset/${SECRETS.reset}/confirm`);
    await visit(`/confirm/${SECRETS.hash}`);
    await visit(`/shop;jsessionid=${SECRETS.matrix}/cart`);
    await visit('/inline', { method: 'POST', body: SECRETS.body, cookie: `sid=${SECRETS.cookie}`, headers: [['Content-Type', 'text/plain']] });
    // Values of the business that are to be hashed, or dropped, and what watches find in them.
    for (const [card, holder] of [['card', 'holder'], ['card2', 'holder'], ['card2', 'forged']]) {
      const body = JSON.stringify({ card: SECRETS[card], holder: SECRETS[holder], remark: SECRETS.dropped });
      await visit('/pay', { method: 'POST', body, cookie: `app=${SECRETS.configured}`, headers: [['Content-Type', 'application/json']] });
    }
    // What goes wrong is logged: nothing of it may name a secret.
    await visit(`/broken/${SECRETS.reset}?s=${SECRETS.query}`, { headers: [['x-answer', 'reset'], ['Authorization', `Bearer ${SECRETS.bearer}`]] });
    for (let i = 0; i < 12; i += 1) await visit(`/guess/${'abcdefghijkl'[i]}/${SECRETS.reset}`, { status: 404, cookie: `app=${SECRETS.configured}` });
    await visit('/nobody', { ip: '2001:db8:77::1234', agent: null });
    await recorded(pair, sent.length);
  });
  after(async () => {
    await pair?.stop();
    rmSync(storage, { recursive: true, force: true });
  });

  const lookUp = async (value) => (await ask(pair, 'lookup', order({ value }))).items;

  for (const [name, path, source] of [
    ['configured', '/public/marker', 'request.cookie.app'], ['cookie', '/two', 'request.cookie.sid'], ['jsession', '/three', 'request.cookie.JSESSIONID'],
    ['bearer', '/four', 'request.jwt'], ['key', '/five', 'request.header.x-api-key'], ['query', '/seven', 'request.query.s'],
  ]) {
    test(`leads whoever knows it to its session: ${source}`, async () => {
      assert.deepEqual(await lookUp(SECRETS[name]), [{ session: (await sessionOf(pair, path)).id, source }]);
    });
  }

  test('leads nowhere when it is nobody\'s, or another\'s in other letters', async () => {
    for (const value of ['nobody', SECRETS.parameter, SECRETS.body, SECRETS.short, SECRETS.cookie.toLowerCase(), `${SECRETS.cookie} `]) {
      assert.deepEqual(await lookUp(value), [], value);
    }
  });

  test('is found by the whole header where that is the key', async () => {
    assert.deepEqual((await lookUp(`Basic ${SECRETS.basic}`)).map(({ source }) => source), ['request.header.authorization']);
  });

  test('is no address: the session of a client known by its address alone is found by any of its /64', async () => {
    const { id } = await sessionOf(pair, '/nobody');
    for (const address of ['2001:db8:77::1234', '2001:db8:77::9']) {
      assert.deepEqual((await lookUp(address)).map(({ session }) => session), [id], address);
    }
  });

  test('in a path is masked, and what stands around it is kept', async () => {
    const { paths, endpoints } = await known();
    for (const path of ['/reset/{token}/confirm', '/confirm/{token}', '/shop;jsessionid={token}/cart', '/guess/a/{token}', '/broken/{token}']) {
      assert.ok(paths.includes(path), `${path} in ${paths}`);
    }
    assert.ok(endpoints.some((endpoint) => endpoint.endsWith('/shop/cart')));
  });

  test('is not in the evidence of a finding', async () => {
    const { items: [event] } = await ask(pair, 'events?detector=forced_browsing');
    const { evidence } = event.findings[0];
    assert.ok(evidence.length >= 10);
    for (const { what } of evidence) assert.match(what, /^GET \/guess\/[a-l]\/\{token\} → 404$/);
  });

  test('is in no answer of the API', async () => {
    const answers = await Promise.all(['healthz', 'metrics', 'api/v1/policy', 'api/v1/sessions?limit=500', 'api/v1/events?limit=500',
      'api/v1/stats?group_by=endpoint', 'api/v1/blocks', 'api/v1/audit',
      'api/v1/findings?limit=500', 'api/v1/endpoints?limit=500', 'api/v1/labels', 'api/v1/dryrun', 'api/v1/findings/export', 'api/v1/sessions/export?format=ndjson', 'api/v1/sessions/export?format=csv',
      ...['ndjson', 'csv', 'har', 'ocsf', 'ecs', 'cef'].map((format) => `api/v1/events/export?format=${format}`)].map(async (path) => (await pair.admin(path)).text()));
    const text = answers.join('\n');
    assert.ok(text.includes('/public/marker'), 'what may be shown is shown');
    assert.ok(text.includes('"card"') && text.includes('param_distinct'), 'hashed values are there, and what was found in them');
    for (const secret of hidden()) assert.ok(!text.includes(secret), secret);
  });

  test('is neither in the log nor anywhere on disk, after a crash and after an orderly end', async () => {
    await pair.worker.kill();
    assertAbsent(storage);
    await pair.worker.start();
    assert.equal((await ask(pair, 'stats')).total.requests, sent.length);
    await client(pair, { cookie: `sid=${SECRETS.cookie}` })('/public/later');
    await recorded(pair, sent.length + 1);
    await pair.worker.restart();
    assertAbsent(storage);
  });

  const hidden = () => [...LONG, ...Object.values(OPERATOR), pair.tokens.admin, pair.tokens.viewer];

  function assertAbsent(folder) {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const bytes = Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))));
    assert.ok(bytes.includes('/public/marker'), 'what is stored is found in the files');
    assert.match(pair.worker.logs(), /origin failed/, 'what is logged is found in the log');
    for (const secret of hidden()) {
      assert.ok(!bytes.includes(secret) && !bytes.includes(Buffer.from(secret).toString('base64')), `${secret} on disk`);
      assert.ok(!pair.worker.logs().includes(secret), `${secret} in the log`);
    }
  }

  async function known() {
    const events = await all(pair, 'events');
    return { paths: events.map(({ path }) => path), endpoints: events.map(({ endpoint }) => endpoint) };
  }
});
