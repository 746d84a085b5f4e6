// scripts/dev as a program: its lines and exit codes, what it refuses, what it leaves behind. The demo runs whole, with
// two shards, and what it checks itself by is checked here.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { differences } from '../../scripts/support/demo-check.mjs';
import { notOurs } from './harness.mjs';
import { folder, run } from './programs.mjs';

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

  test('says so, and ends, when workerd dies', async () => {
    const dev = await ready();
    process.kill(Number(childrenOf(dev.child.pid)[0]), 'SIGKILL');
    const { code, stderr } = await dev.done;
    assert.equal(code, 1);
    assert.match(stderr, /workerd ended/);
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
    assert.match(stdout, /! [a-z_]+ \((?:low|medium|high|critical), /);
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
