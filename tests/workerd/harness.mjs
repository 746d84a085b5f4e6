// What a test file on the real runtime starts from: an origin, the built Worker in front of it, and ways to ask.
//
// Each file starts its own pair, on ports and secrets of its own, so files run side by side. Wait for what must
// become true with waitFor; a sleep is not a synchronisation.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { collectModules } from '../../scripts/support/capnp.mjs';
import { startWorker } from '../../scripts/support/runtime.mjs';
import { send } from './client.mjs';
import { startOrigin } from './origin.mjs';

/** The module under test: the built Worker, or another one (the bare pass-through) to see what the platform does. */
const MAIN = process.env.THROUGHLINE_TEST_MAIN ?? null;
const BUILT = join(import.meta.dirname, '../../build/entry.mjs');

/** Why tests of Throughline's own behaviour do not run, or false when they do: for node:test's `skip`. */
export const notOurs = MAIN === null ? false : `THROUGHLINE_TEST_MAIN is ${MAIN}`;

/**
 * Starts an origin and the Worker before it:
 * { origin, worker, tokens: { admin, viewer }, send(request), admin(path, init), stop() }.
 *
 * `answer` is the origin's default behaviour; `origin` takes one that runs already (stop() leaves it alone), or a
 * URL; `vars` and the rest go to startWorker. `send` is client.mjs's, to the Worker, with the origin's Host.
 */
export async function startPair({ answer, origin = null, vars = {}, ...options } = {}) {
  const own = origin === null ? await startOrigin({ answer }) : null;
  const target = own ?? (typeof origin === 'string' ? { url: origin } : origin);
  const tokens = { admin: secret(), viewer: secret() };
  const secrets = { SESSION_SECRET: secret(), ADMIN_TOKEN: tokens.admin, VIEWER_TOKEN: tokens.viewer };
  const worker = await startWorker({
    ...options, origin: target.url, vars: { ...secrets, ...vars }, ...(MAIN === null ? {} : { main: MAIN }),
  }).catch(async (error) => {
    await own?.stop();
    throw error;
  });
  return {
    origin: target,
    worker,
    tokens,
    send: (request) => send({ ...request, port: worker.port, headers: [['Host', new URL(target.url).host], ...(request.headers ?? [])] }),
    admin: (path, { token = tokens.admin, headers = {}, ...init } = {}) =>
      fetch(`${worker.url}/_throughline/${path}`, { ...init, headers: { Authorization: `Bearer ${token}`, ...headers } }),
    stop: async () => {
      await worker.stop();
      await own?.stop();
    },
  };
}

/**
 * Puts a main module of a test's own around the built Worker, which it imports as './entry.mjs': { main, remove() }. So a
 * test does to objects what the platform does, without a hook for it in the product.
 */
export function around(source) {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-around-'));
  for (const { name, content } of collectModules(BUILT)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  const main = join(folder, 'around.mjs');
  writeFileSync(main, source);
  return { main, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

const secret = () => randomBytes(24).toString('base64url');

/** Asks until the answer is truthy and answers it; gives up with the last failure, named by `what`. */
export async function waitFor(ask, { timeout = 10_000, interval = 20, what = 'a condition' } = {}) {
  const until = Date.now() + timeout;
  let failure = null;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      failure = null;
    } catch (error) {
      failure = error;
    }
    if (Date.now() >= until) throw new Error(`waited ${timeout} ms for ${what}`, { cause: failure });
    await delay(interval);
  }
}

/** Memory a process holds now, in MB. */
export const residentMb = (pid) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
