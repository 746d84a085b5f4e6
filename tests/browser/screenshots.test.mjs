// README.md shows the pictures that scripts/support/screenshots.mjs takes, all of them and no others, and they are small.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { FOLDER, PICTURES } from '../../scripts/support/screenshots.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const MOST_BYTES = 160_000; // of each: everybody who clones the repository has them

test('README.md shows the pictures that the script takes', () => {
  const taken = Object.keys(PICTURES).map((name) => `${FOLDER}/${name}.png`).sort();
  const shown = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/!\[[^\]]+\]\(([^)]+\.png)\)/g)].map(([, path]) => path);
  assert.deepEqual([...new Set(shown)].sort(), taken);
  assert.deepEqual(readdirSync(join(ROOT, FOLDER)).map((name) => `${FOLDER}/${name}`).sort(), taken);
  for (const path of taken) {
    const bytes = readFileSync(join(ROOT, path));
    assert.equal(bytes.subarray(1, 4).toString(), 'PNG', path);
    assert.ok(bytes.length <= MOST_BYTES, `${path} has ${bytes.length} bytes`);
  }
});
