// A Worker around the built one that lets a test make Durable Objects fail, as seen by their callers, and run a second
// release beside the first: the built code is the real one, only what it reaches its objects by is wrapped.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPair } from './harness.mjs';

const BUILD = resolve(dirname(fileURLToPath(import.meta.url)), '../../build');

const WRAPPER = `
import worker, { Fleet, Shard } from './entry.mjs';
import second from './second/entry.mjs';
export { Fleet, Shard };

let faults = {}; // "object path" → what becomes of a call
const calls = []; // { object, path, at, fault }

const outcomes = {
  hang: () => new Promise(() => {}),
  fail: async () => { throw new Error('the connection was lost'); },
  overloaded: async () => { throw Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true }); },
};

const around = (namespace) => new Proxy(namespace, { get: (target, name) => {
  if (name !== 'getByName') return typeof target[name] === 'function' && name !== 'constructor' ? target[name].bind(target) : target[name];
  return (object) => ({ fetch: (url, init) => {
    const path = new URL(url).pathname;
    const fault = faults[object + ' ' + path];
    calls.push({ object, path, at: Date.now(), fault });
    return fault ? outcomes[fault]() : target.getByName(object).fetch(url, init);
  } });
} });

export default { async fetch(request, env, context) {
  if (new URL(request.url).pathname === '/-/faults') {
    if (request.method === 'PUT') faults = await request.json();
    return Response.json(calls);
  }
  // Its code is loaded once more, so it shares nothing with the first but the objects.
  const isSecond = request.headers.get('x-release') === 'second';
  const bound = { ...(isSecond ? env.SECOND : {}), SHARD: around(env.SHARD), FLEET: around(env.FLEET) };
  return (isSecond ? second : worker).fetch(request, new Proxy(env, { get: (target, name) => bound[name] ?? target[name] }), context);
} };
`;

/**
 * harness.mjs's pair with two more: fault({ 'shard-1-0 /flush': 'hang' | 'fail' | 'overloaded' }) replaces what fails,
 * calls() answers every call to an object so far, oldest first. Requests with `x-release: second` go to a second release,
 * whose bindings differ from the first's by `second`.
 */
export async function startFaultyPair({ second = {}, vars, ...options }) {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-faults-'));
  for (const file of ['entry.mjs', 'flush.mjs', 'log.mjs', 'polish.mjs', 'glue.js', 'console.mjs', 'console-files.mjs', 'index.js', 'index_bg.wasm']) {
    for (const copy of ['', 'second']) cpSync(join(BUILD, file), join(folder, copy, file));
  }
  writeFileSync(join(folder, 'main.mjs'), WRAPPER);
  try {
    const pair = await startPair({ ...options, vars: { ...vars, SECOND: second }, main: join(folder, 'main.mjs') });
    const faults = (init) => fetch(`${pair.worker.url}/-/faults`, init).then((answer) => answer.json());
    return { ...pair, fault: (set) => faults({ method: 'PUT', body: JSON.stringify(set) }), calls: () => faults() };
  } finally {
    rmSync(folder, { recursive: true, force: true }); // the runtime has copies of its own
  }
}
