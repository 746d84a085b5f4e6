// What happens to traffic when the Wasm side fails: it passes, it is never sent twice, and the failure is counted.
//
// The built Worker runs with one change: a module between entry.mjs and the Wasm that fails where a request's path
// says so, with the error a trap gives.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';

const FAILING = `
import { Fleet, Gateway as Real, Shard } from "./index.js";
export { Fleet, Shard };
const fail = (text, where) => {
  if (text.split("\\n")[1].includes("/fail/" + where)) throw new WebAssembly.RuntimeError("unreachable");
};
export class Gateway extends Real {
  static begin(text, ...rest) {
    fail(text, "begin");
    const code = Real.begin(text, ...rest);
    Gateway.text = text;
    return code;
  }
  static finish(...outcome) {
    fail(Gateway.text, "finish");
    return Real.finish(...outcome);
  }
}`;

/** A folder with the built Worker and the failing module in it; its main module is entry.mjs. */
function failingBuild() {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-incident-'));
  for (const file of ['flush.mjs', 'log.mjs', 'polish.mjs', 'glue.js', 'console.mjs', 'console-files.mjs', 'index.js', 'index_bg.wasm']) copyFileSync(join('build', file), join(folder, file));
  const entry = readFileSync('build/entry.mjs', 'utf8').replace('"./index.js"', '"./failing.mjs"');
  writeFileSync(join(folder, 'entry.mjs'), entry);
  writeFileSync(join(folder, 'failing.mjs'), FAILING);
  return folder;
}

describe('when the Wasm side fails', { skip: notOurs }, () => {
  let folder, main;
  before(() => {
    folder = failingBuild();
    main = join(folder, 'entry.mjs');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('requests pass, once, and what comes after is recorded as ever', async () => {
    const pair = await startPair({ main });
    try {
      const get = (target) => pair.send({ method: 'GET', target, headers: [['Cookie', 'sid=incident'], ['Session-Context', 'forged'], ['x-feedback', 'order']] });
      for (const target of ['/fail/begin', '/fail/finish', '/fine', '/fail/begin', '/fine']) {
        const answer = await get(target);
        assert.equal(answer.status, 200, target);
        assert.ok(!answer.headers.some(([name]) => name.toLowerCase() === 'session-event'), target);
      }
      assert.deepEqual(pair.origin.requests.map((request) => request.target),
        ['/fail/begin', '/fail/finish', '/fine', '/fail/begin', '/fine']);
      const forged = pair.origin.requests.filter((request) =>
        request.headers.some(([name]) => name.toLowerCase() === 'session-context'));
      assert.deepEqual(forged, [], 'a header that only this product may set never passes');
      const recorded = await waitFor(async () => {
        const { items } = await (await pair.admin('api/v1/events?order=asc')).json();
        return items.at(-1)?.path === '/fine' && items;
      }, { what: 'the last event' });
      assert.ok(recorded.every((event) => event.path === '/fine'), 'what failed could not be recorded');
      const admin = await pair.admin('fail/begin');
      assert.equal(admin.status, 503, 'what carries the token of the API is nothing for the origin');
      assert.ok(!pair.origin.requests.some(({ target }) => target.startsWith('/_throughline')));
      const metrics = await (await pair.admin('metrics')).text();
      assert.match(metrics, /^throughline_incidents_total [1-9]/m);
    } finally {
      await pair.stop();
    }
  });

  it('with ON_ERROR = "closed" a request that was not judged is refused', async () => {
    const pair = await startPair({ main, vars: { ON_ERROR: 'closed' } });
    try {
      const answer = await pair.send({ method: 'GET', target: '/fail/begin' });
      assert.equal(answer.status, 503);
      assert.equal((await pair.send({ method: 'GET', target: '/fine' })).status, 200);
      assert.deepEqual(pair.origin.requests.map((request) => request.target), ['/fine']);
    } finally {
      await pair.stop();
    }
  });
});
