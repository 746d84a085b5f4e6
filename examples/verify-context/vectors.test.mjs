// Holds verify.mjs and verify.py to the vectors; verify.rs is held to them by the tests of the main package.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Refusal, keyId, verify } from './node/verify.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const published = JSON.parse(readFileSync(join(here, 'vectors.json'), 'utf8'));
const runners = { node: [process.execPath, 'node/vectors.mjs'], python: ['python3', 'python/verify.py'] };

function run(language, ...args) {
  const [command, ...script] = runners[language];
  return spawnSync(command, [...script, ...args], { cwd: here, encoding: 'utf8', timeout: 60_000 });
}

for (const language of Object.keys(runners)) {
  test(`the ${language} snippet agrees with every vector`, (t) => {
    const ran = run(language);
    if (ran.error?.code === 'ENOENT') return t.skip(`there is no ${runners[language][0]} here`);
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(ran.stdout, `${published.vectors.length} vectors, 0 wrong\n`);
  });

  test(`the ${language} runner fails when a vector comes out otherwise`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'verify-context-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'vectors.json');
    const [accepted] = published.vectors;
    const vectors = [accepted, { ...accepted, name: 'wrong', expect: { refused: 'expired' } }];
    writeFileSync(file, JSON.stringify({ ...published, vectors }));
    const ran = run(language, file);
    if (ran.error?.code === 'ENOENT') return t.skip(`there is no ${runners[language][0]} here`);
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /^wrong: expected/);
    writeFileSync(file, JSON.stringify({ ...published, vectors: [] }));
    assert.equal(run(language, file).status, 1, 'no vectors prove nothing');
  });
}

test('headers may come as Node gives them, and time from the clock', () => {
  const { request, expect, now } = published.vectors[0];
  const headers = Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const keys = Object.values(published.keys);
  assert.deepEqual(verify({ ...request, headers, keys, now }), expect);
  assert.throws(() => verify({ ...request, headers, keys }), { name: 'Refusal', reason: 'expired' });
  assert.throws(() => verify({ ...request, headers: {}, keys, now }), Refusal);
  assert.throws(() => verify({ ...request, headers, keys, now, authority: undefined }), { reason: 'mismatch' });
  assert.equal(keyId(published.keys.current), expect.keyid);
});
