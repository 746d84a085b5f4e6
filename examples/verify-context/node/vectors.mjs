// Runs the vectors through verify.mjs: node vectors.mjs [../vectors.json]. Exits with 1 if any comes out otherwise.

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import { Refusal, verify } from './verify.mjs';

const file = process.argv[2] ?? new URL('../vectors.json', import.meta.url);
const { keys, vectors } = JSON.parse(readFileSync(file, 'utf8'));

function outcome(vector) {
  const headers = {};
  for (const [name, value] of vector.request.headers) (headers[name] ??= []).push(value);
  try {
    return verify({ ...vector.request, headers, keys: vector.keys.map((name) => keys[name]), now: vector.now });
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.reason };
    throw error;
  }
}

let wrong = 0;
for (const vector of vectors) {
  const got = outcome(vector);
  if (isDeepStrictEqual(got, vector.expect)) continue;
  wrong += 1;
  console.error(`${vector.name}: expected ${JSON.stringify(vector.expect)}, got ${JSON.stringify(got)}`);
}
console.log(`${vectors.length} vectors, ${wrong} wrong`);
process.exitCode = wrong || !vectors.length ? 1 : 0;
