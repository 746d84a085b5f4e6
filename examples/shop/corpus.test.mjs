// What the shop's customers send, as a labelled corpus: tests/corpus/shop.jsonl, in which inspection has to find nothing worse than
// low (tests/inspect_corpus.rs). ACCEPT=1 writes the file anew.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { planTraffic } from './traffic.mjs';
import { Performer } from './traffic/performer.mjs';

const FILE = new URL('../../tests/corpus/shop.jsonl', import.meta.url);
// What the platform adds, and what only numbers the request.
const LEFT_OUT = /^(cf-|x-dev-|x-demo-)/;

function lines() {
  const seen = new Set();
  for (const actor of planTraffic({ seed: 1, requests: 2_000 }).actors.filter(({ isAttacker }) => !isAttacker)) {
    const performer = new Performer(actor);
    for (const step of actor.steps) {
      const { method, target, headers, body } = performer.compose(step, '');
      const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !LEFT_OUT.test(name)));
      if (!step.headers && step !== actor.steps[0]) delete kept['user-agent'];
      seen.add(JSON.stringify({ method, target, headers: kept, body: body ?? null, label: 'benign' }));
    }
  }
  return [...seen].sort();
}

test('the corpus holds what the customers of the plan send', () => {
  const text = lines().join('\n') + '\n';
  if (process.env.ACCEPT) writeFileSync(FILE, text);
  assert.equal(readFileSync(FILE, 'utf8'), text);
});
