// One side of a benchmark: a Worker on workerd with an origin of its own, and load on it.
//
// workerd serves on one thread and gets a core for itself; the load tool and the origin share another. Left to the
// scheduler they push one another around, and ratios move by more than what is looked for.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { load } from './load.mjs';
import { startWorker } from './runtime.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const TRAFFIC = join(HERE, 'bench-traffic.lua');
const CORES = pinning();

/** Whether workerd has a core for itself. */
export const pinned = CORES.worker.length > 0;

/**
 * Starts one: { name, worker, asked, arrived(), measure(connections, seconds), stop() }. `scratch` is a directory
 * for its storage and the compiled origin; the rest goes to startWorker. `asked` counts the answers the load tool
 * got over all measurements, arrived() the requests that reached the origin.
 */
export async function contender(name, { scratch, ...settings }) {
  const origin = await startOrigin(scratch);
  const worker = await startWorker({
    ...settings, origin: `http://127.0.0.1:${origin.port}`, storage: join(scratch, name), prefix: CORES.worker,
  });
  const self = {
    name,
    worker,
    asked: 0,
    arrived: async () => Number(await (await fetch(`http://127.0.0.1:${origin.port}/count`)).text()),
    measure: async (connections, seconds) => {
      const before = schedule(worker.pid);
      const result = await load({ url: worker.url, script: TRAFFIC, connections, seconds, prefix: CORES.load });
      const after = schedule(worker.pid);
      self.asked += result.requests;
      return { ...result, cpu: (after.ran - before.ran) / result.requests, waited: (after.waited - before.waited) / (seconds * 1e6) };
    },
    stop: async () => {
      await worker.stop();
      origin.stop();
    },
  };
  return self;
}

async function startOrigin(scratch) {
  const program = join(scratch, 'origin');
  if (!existsSync(program)) {
    execFileSync('rustc', ['-O', '--edition', '2024', '-o', program, join(HERE, 'bench-origin.rs')], { stdio: ['ignore', 2, 2] });
  }
  const [command, ...args] = [...CORES.load, program];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] }); // it ends with our end of its stdin
  for await (const line of createInterface({ input: child.stdout })) {
    return { port: Number(line), stop: () => child.stdin.end() };
  }
  throw new Error(`${program} ended before it listened`);
}

/** How long the process' main thread has run, and waited for a core others had, in µs (Linux; zeros elsewhere). */
function schedule(pid) {
  const file = `/proc/${pid}/schedstat`;
  if (!existsSync(file)) return { ran: 0, waited: 0 };
  const [ran, waited] = readFileSync(file, 'utf8').split(' ').map((nanoseconds) => Number(nanoseconds) / 1000);
  return { ran, waited };
}

/** taskset prefixes for workerd and for the rest, from the cores this process may use; none on a single core. */
function pinning() {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const [, list = ''] = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status) ?? [];
  const allowed = list.split(',').filter(Boolean).flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
  });
  if (allowed.length < 2) return { worker: [], load: [] };
  return { worker: ['taskset', '-c', allowed[0]], load: ['taskset', '-c', allowed[1]] };
}
