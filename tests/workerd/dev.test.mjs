// scripts/dev and scripts/deploy as programs: their lines and exit codes, what they refuse, what they leave behind.
// The demo runs whole, with two shards, and what it checks itself by is checked here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { differences } from '../../scripts/support/demo-check.mjs';
import { effective, refusals } from '../../scripts/support/deploy-checks.mjs';
import { notOurs } from './harness.mjs';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
const WRANGLER_TOML = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');

let folder; // where programs under test keep their temporary files
before(() => { folder = mkdtempSync(join(tmpdir(), 'throughline-test-')); });
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs scripts/support/NAME.mjs: { child, lines, done }; done answers { code, signal, stdout, stderr }. */
function run(name, ...args) {
  const child = spawn(process.execPath, [join(ROOT, `scripts/support/${name}.mjs`), ...args], { env: { ...process.env, TMPDIR: folder } });
  const got = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => { got[stream] += text; });
  const done = once(child, 'close').then(([code, signal]) => ({ code, signal, ...got }));
  return { child, lines: createInterface({ input: child.stdout }), done };
}

/** A running scripts/dev: its token and URL besides what run answers. */
async function ready(...args) {
  const program = run('dev', '--port', '0', ...args);
  let token;
  for await (const line of program.lines) {
    token ??= /^token admin (\S+)$/.exec(line)?.[1];
    const [, url] = /^ready (\S+)$/.exec(line) ?? [];
    if (url !== undefined) return { ...program, token, url };
  }
  throw new Error(`scripts/dev ended without serving: ${(await program.done).stderr}`);
}

const ask = async (url, token, path) =>
  (await fetch(`${url}/_throughline/api/v1/${path}`, { headers: { Authorization: `Bearer ${token}` } })).json();
const childrenOf = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);

describe('scripts/dev', { skip: notOurs }, () => {
  test('serves the shop, says how to ask, and leaves nothing behind on Ctrl-C', async () => {
    const dev = await ready('--var', 'SHARDS=2', '--var', 'ROUTES=[{"match":"GET /api/*"}]', '--mode', 'enforce');
    assert.match(dev.token, /^[0-9a-f]{64}$/);
    assert.equal((await fetch(`${dev.url}/api/products`)).status, 200);
    const policy = await ask(dev.url, dev.token, 'policy');
    assert.deepEqual([policy.mode, policy.shards, policy.routes], ['enforce', 2, 1]);
    assert.equal(policy.development.client_headers, true);

    const children = childrenOf(dev.child.pid);
    assert.equal(children.length, 1, 'workerd');
    dev.child.kill('SIGINT');
    const { code, signal, stdout } = await dev.done;
    assert.deepEqual([code, signal], [0, null]);
    assert.deepEqual(stdout.trim().split('\n').map((line) => line.split(' ')[0]), ['token', 'ready']);
    assert.deepEqual(children.filter((pid) => existsSync(`/proc/${pid}`)), []);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('before an API of the user\'s own it takes no word from clients about themselves', async () => {
    const origin = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 203 Mine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'));
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const dev = await ready('--origin', `http://127.0.0.1:${origin.address().port}`, '--var', 'ADMIN_TOKEN=a-token-of-their-own');
    assert.equal(dev.token, 'a-token-of-their-own');
    assert.equal((await fetch(`${dev.url}/anything`)).status, 203);
    assert.equal((await ask(dev.url, dev.token, 'policy')).development.client_headers, false);
    dev.child.kill('SIGTERM');
    assert.equal((await dev.done).code, 0);
    origin.close();
  });

  test('refuses a bad configuration with every path and reason', async () => {
    const { code, stdout, stderr } = await run('dev', '--port', '0', '--var', 'SHARDS=none',
      '--var', 'SESSION_KEYS=[{"from":"request.cookie.sid"},{"from":"request.cokie.sid"}]').done;
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^ {2}SHARDS: .*none/m);
    assert.match(stderr, /^ {2}SESSION_KEYS\[1\]\.from: \S/m);
    assert.deepEqual(readdirSync(folder), []);
  });

  for (const [args, reason] of [
    [['--prot', '1'], /--prot/],
    [['here'], /here/],
    [['--port', '65536'], /--port: 65536/],
    [['--origin', 'api.example.com'], /--origin: api\.example\.com/],
    [['--mode', 'observe'], /--mode: observe/],
    [['--var', 'MODE'], /--var: MODE/],
    [['--mode', 'monitor', '--var', 'MODE=enforce'], /MODE is given twice/],
    [['--demo', '--origin', 'http://127.0.0.1'], /--demo/],
  ]) {
    test(`exits with 2 on ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await run('dev', ...args).done;
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, reason);
    });
  }

  test('exits with 2 on a port in use', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address();
    const { code, stderr } = await run('dev', '--port', String(port)).done;
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`port ${port} is in use`));
    holder.close();
  });

  test('--storage keeps sessions, and the secret their ids come from', async () => {
    const storage = mkdtempSync(join(tmpdir(), 'throughline-kept-'));
    try {
      const visit = async (count) => {
        const dev = await ready('--storage', storage, '--var', 'LIMITS={"flush_ms":10}');
        await (await fetch(`${dev.url}/api/products`, { headers: { cookie: 'sid=kept' } })).arrayBuffer();
        let sessions;
        do sessions = (await ask(dev.url, dev.token, 'sessions')).items; while (sessions[0]?.requests !== count);
        dev.child.kill('SIGINT');
        await dev.done;
        return sessions;
      };
      const [first] = await visit(1);
      assert.deepEqual((await visit(2)).map(({ id }) => id), [first.id]);
    } finally {
      rmSync(storage, { recursive: true, force: true });
    }
  });

  test('--demo shows the truth', async () => {
    const { code, stdout, stderr } = await run('dev', '--demo', '--var', 'SHARDS=2').done;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^session +state +risk +key /m);
    assert.match(stdout, /! forced_browsing \(/);
    assert.match(stdout, /^demo ok: \d+ sessions, 2000 requests/m);
  });
});

describe('what the demo checks itself by', () => {
  const request = (n) => ({ method: 'GET', target: `/${n}?q`, status: 200 });
  const event = (n) => ({ id: `e${n}`, method: 'GET', path: `/${n}`, status: 200 });
  const truth = {
    sessions: [
      { key_source: 'cookie', key_hint: '', actor: 'one', shared: false, requests: [1, 2, 3].map(request) },
      { key_source: 'ip', key_hint: '', actor: 'many', shared: true, requests: [4, 5].map(request) },
    ],
    totals: { requests: 5, sessions: 2, unanswered: 0, enforced: 0 },
  };
  const found = (one = [1, 2, 3], many = [5, 4]) => {
    const sessions = [
      { id: 'a', key: { source: 'request.cookie.sid' }, requests: one.length, events: one.map(event) },
      { id: 'b', key: { source: 'client.ip' }, requests: many.length, events: many.map(event) },
    ];
    const all = sessions.flatMap(({ events }) => events);
    return { sessions, all, ids: [['a'], ['b']], stats: { requests: all.length, sessions: 2 } };
  };

  test('the truth passes, in any order where several share a session', () => assert.deepEqual(differences(truth, found()), []));

  for (const [what, wrong] of [
    ['a missing request', found([1, 3])],
    ['a doubled request', found([1, 2, 2, 3])],
    ['another order', found([2, 1, 3])],
    ['a request in the wrong session', found([1, 2, 3, 4], [5])],
    ['a session too many', { ...found(), sessions: [...found().sessions, { id: 'c', key: {}, requests: 0, events: [] }] }],
    ['a session not found', { ...found(), ids: [['a'], []] }],
    ['two sessions taken for one', { ...found(), ids: [['a'], ['a']] }],
    ['a list that lacks a request', { ...found(), all: found().all.slice(1) }],
    ['wrong statistics', { ...found(), stats: { requests: 5, sessions: 3 } }],
  ]) {
    test(`${what} does not`, () => assert.notDeepEqual(differences(truth, wrong), []));
  }
});

describe('scripts/deploy', () => {
  const deploy = (toml, ...args) => {
    const file = join(folder, 'wrangler.toml');
    writeFileSync(file, toml);
    return run('deploy', '--config', file, ...args).done;
  };
  const withVars = (text) => WRANGLER_TOML.replace('[vars]', `[vars]\nADMIN_HOST = "sessions.example.com"\n${text}`);

  for (const name of ['DEV_CLIENT_HEADERS', 'DEV_CLOCK']) {
    test(`refuses ${name}, whatever its value`, async () => {
      const { code, stderr } = await deploy(withVars(`${name} = false`), '--dry-run');
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`^  vars\\.${name}: \\S`, 'm'));
    });
  }

  test('has the Worker itself refuse a bad policy', { skip: notOurs }, async () => {
    const main = JSON.stringify(join(ROOT, 'build/index.js'));
    const { code, stderr } = await deploy(withVars('ON_ERROR = "ajar"').replace('"build/index.js"', main), '--dry-run');
    assert.equal(code, 1);
    assert.match(stderr, /^ {2}vars\.ON_ERROR: .*ajar/m);
  });

  test('exits with 2 on an unknown option', async () => assert.equal((await deploy('', '--force')).code, 2));

  const objects = { bindings: [{ name: 'SHARD' }] };
  const config = {
    main: 'x',
    vars: { ADMIN_HOST: 'sessions.example.com' },
    durable_objects: objects,
    env: {
      staging: { durable_objects: objects, vars: {} },
      production: { durable_objects: objects, vars: {} },
      bare: { vars: { DEV_CLOCK: true, VIEWER_TOKEN: 'x', ADMIN_HOST: 'https://x/' } },
    },
  };
  const paths = (...args) => refusals(...args).map((refusal) => refusal.split(':')[0]);

  test('production needs a host for console and API, unless it is said to share', () => {
    assert.deepEqual(paths(config), []);
    assert.deepEqual(paths({ ...config, vars: {} }), ['vars.ADMIN_HOST']);
    assert.deepEqual(paths({ ...config, vars: {} }, { sharedHost: true }), []);
    assert.deepEqual(paths(config, { env: 'production' }), ['env.production.vars.ADMIN_HOST']);
    assert.deepEqual(paths(config, { env: 'staging' }), []);
  });

  test('an environment is judged by its own vars and bindings, none of which it takes over', () => {
    assert.deepEqual(paths(config, { env: 'bare' }), [
      'env.bare.vars.DEV_CLOCK', 'env.bare.vars.VIEWER_TOKEN', 'env.bare.vars.ADMIN_HOST', 'env.bare.durable_objects.bindings',
    ]);
    assert.deepEqual(paths({ ...config, vars: { DEV_CLOCK: true } }, { env: 'staging' }), ['vars.DEV_CLOCK']);
    assert.deepEqual(effective(config, 'bare'), { main: 'x', ...config.env.bare });
    assert.throws(() => effective(config, 'nowhere'), /env\.nowhere/);
  });
});
