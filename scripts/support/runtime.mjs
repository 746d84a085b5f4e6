// Runs a built Worker on workerd itself.
//
// Not through wrangler or miniflare: their outbound connection follows the origin's redirects whatever the
// Worker says, and adds a hop of its own, so neither fidelity nor speed can be judged there. Everything a run
// needs (generated configuration, copies of the modules, Durable Object storage unless a directory is given)
// lives in a temporary folder that goes away with stop(). No workerd outlives this process's exit.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import workerd from 'workerd';
import { collectModules, readConfig, workerdConfig } from './capnp.mjs';

export { binding } from './capnp.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const START_LIMIT_MS = 30_000; // compiling the Wasm module on a busy machine, with room
const STOP_LIMIT_MS = 5_000; // on SIGTERM workerd waits for open requests, and an SSE stream stays open for ever
const LOG_LIMIT = 4 << 20; // bytes of console output kept for logs()

const live = new Set();
let watching = false;

/**
 * Starts a Worker and answers once its socket listens.
 *
 * - `config`: path of wrangler.toml; `main`: path of the built module, default what the configuration says.
 * - `host`, `port`: where to listen; port 0 takes a free one.
 * - `vars`: bindings by name, added to and winning over the file's; null removes one; text follows `binding`.
 * - `origin`: URL of the origin, given to the Worker as the var ORIGIN_URL or, with `originBinding`, as the
 *   service binding ORIGIN. null: neither.
 * - `storage`: directory of the Durable Objects, kept; null: a temporary one, removed by stop().
 * - `env`: environment of the workerd process; `prefix`: a command to run it under (taskset); `echo`: a stream
 *   that gets the console output as it comes, besides logs().
 *
 * Rejects with workerd's own words when the configuration or the Worker is not accepted.
 */
export async function startWorker({
  config = join(ROOT, 'wrangler.toml'), main = null, host = '127.0.0.1', port = 0, vars = {},
  origin = null, originBinding = false, storage = null, env = process.env, prefix = [], echo = null,
} = {}) {
  const settings = readConfig(config);
  const modules = collectModules(main ?? join(dirname(resolve(config)), settings.main));
  const folder = mkdtempSync(join(tmpdir(), 'throughline-'));
  const worker = new Worker({ folder, host, env, prefix, echo });
  try {
    for (const { name, content } of modules) {
      mkdirSync(dirname(join(folder, 'modules', name)), { recursive: true });
      writeFileSync(join(folder, 'modules', name), content);
    }
    const kept = storage === null ? join(folder, 'storage') : resolve(storage);
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(folder, 'worker.capnp'), workerdConfig({
      config: settings, modules, storage: kept, address: `${host}:${port}`,
      vars: origin === null || originBinding ? vars : { ORIGIN_URL: String(origin), ...vars },
      originService: originBinding ? String(origin) : null,
    }));
    await worker.start();
  } catch (error) {
    worker.abandon();
    throw error;
  }
  return worker;
}

class Worker {
  #folder; #host; #env; #prefix; #echo;
  #child = null;
  #exited = null;
  #port = null;
  #log = [];
  #logged = 0;

  constructor({ folder, host, env, prefix, echo }) {
    this.#folder = folder;
    this.#host = host;
    this.#env = env;
    this.#prefix = prefix;
    this.#echo = echo;
  }

  get port() { return this.#port; }
  get url() { return `http://${this.#host}:${this.#port}`; }
  get pid() { return this.#child.pid; }

  /** The console output so far, standard output and error in the order they came. */
  logs() { return Buffer.concat(this.#log).toString('utf8'); }

  /** Starts the process; a fresh port is taken when it was left open, so read `url` again afterwards. */
  async start() {
    live.add(this);
    watchExit();
    const [command, ...args] = [...this.#prefix, workerd.default,
      'serve', '--control-fd=3', join(this.#folder, 'worker.capnp')];
    const child = spawn(command, args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#exited = once(child, 'close').catch((error) => { throw new Error(`${command}: ${error.message}`); });
    this.#exited.catch(() => {});
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => this.#keep(data));
    const abort = new AbortController();
    const late = setTimeout(() => abort.abort(), START_LIMIT_MS);
    try {
      this.#port = await Promise.race([
        listening(child.stdio[3], abort.signal),
        this.#exited.then(([code, signal]) => {
          throw new Error(`workerd ended with ${signal ?? `code ${code}`} before it listened:\n${this.logs()}`);
        }),
      ]);
    } finally {
      clearTimeout(late);
    }
  }

  /** Asks the process to end, insists after a bound, and removes the temporary folder. */
  async stop(signal = 'SIGTERM') {
    await this.#end(signal);
    this.abandon();
  }

  /** Ends the process at once, as a crash would; storage stays, so restart() shows what was durable. */
  async kill() { await this.#end('SIGKILL'); }

  /** Ends the process (unless kill() has) and starts it again on the same storage. Read `url` again. */
  async restart(signal = 'SIGTERM') {
    await this.#end(signal);
    await this.start();
  }

  /** Kills without waiting and removes the temporary folder: what a process can still do while it exits. */
  abandon() {
    this.#child?.kill('SIGKILL');
    live.delete(this);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal) {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const insist = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.#exited;
    clearTimeout(insist);
  }

  #keep(data) {
    this.#echo?.write(data);
    this.#log.push(data);
    this.#logged += data.length;
    while (this.#logged > LOG_LIMIT) this.#logged -= this.#log.shift().length;
  }
}

/** The port from workerd's control messages, one JSON object a line. */
async function listening(control, signal) {
  for await (const line of createInterface({ input: control, signal })) {
    const message = JSON.parse(line);
    if (message.event === 'listen' && message.socket === 'http') return message.port;
  }
  if (signal.aborted) throw new Error(`workerd did not listen within ${START_LIMIT_MS} ms`);
  return new Promise(() => {}); // the pipe closed because the process is ending: its exit says why
}

function watchExit() {
  if (watching) return;
  watching = true;
  process.on('exit', () => { for (const worker of live) worker.abandon(); });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // With a listener of its own the program decides how to end; the exit handler above still holds.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}
