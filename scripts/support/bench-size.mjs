// `scripts/bench size`: how large the Wasm module is, and what it adds to the start of a Worker.
//
// - wasm.raw_kb, wasm.gzip_kb: the module as it is uploaded, in units of 1024 bytes; gzip at the level at which
//   wrangler tells the size of an upload.
// - wasm.start_ms: from the start of a fresh workerd process to its first answer (of healthz, for which the policy
//   is loaded), less the same for a Worker of one line. From the start of the process, because workerd compiles the
//   module before it listens and instantiates it with the first request: half of the time would go unseen.
// - wasm.start_cpu_ms: the CPU time of the same, all threads together (Linux only). It is what Cloudflare limits,
//   and what other programs do to the machine shows less in it.
//
// The two Workers take turns. A figure is the median difference in the third of the starts in which workerd had to
// wait least for a core.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { startWorker } from './runtime.mjs';

const STARTS = 30;
const KB = 1024;
const NS_PER_MS = 1e6;
const PLACEHOLDER = '0123456789abcdef'.repeat(4);
const TRIVIAL = `export default { fetch() { return new Response("ok"); } };
export class Shard {}
export class Fleet {}
`;

const build = resolve(dirname(fileURLToPath(import.meta.url)), '../../build');
const wasm = readFileSync(join(build, 'index_bg.wasm'));
figure('wasm.raw_kb', wasm.length / KB, 'kb');
figure('wasm.gzip_kb', gzipSync(wasm).length / KB, 'kb');

const scratch = mkdtempSync(join(tmpdir(), 'throughline-size-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const trivial = join(scratch, 'trivial.mjs');
writeFileSync(trivial, TRIVIAL);
const vars = { SESSION_SECRET: PLACEHOLDER, ADMIN_TOKEN: PLACEHOLDER };
const workers = [await startWorker({ vars }), await startWorker({ vars, main: trivial })];
const rounds = [];
for (let count = 0; count < STARTS; count += 1) {
  const [ours, theirs] = [await started(workers[0]), await started(workers[1])];
  process.stderr.write(`start ${count + 1}: ${ours.took.toFixed(1)} ms, without the module ${theirs.took.toFixed(1)} ms\n`);
  rounds.push({ took: ours.took - theirs.took, ran: ours.ran - theirs.ran, waited: ours.waited + theirs.waited });
}
for (const worker of workers) await worker.stop();
const calmest = rounds.toSorted((a, b) => a.waited - b.waited).slice(0, STARTS / 3);
figure('wasm.start_ms', median(calmest.map(({ took }) => took)), 'ms');
if (existsSync('/proc/self/schedstat')) figure('wasm.start_cpu_ms', median(calmest.map(({ ran }) => ran)), 'ms');

/** Starts the process anew: ms until its first answer, and what its threads ran and waited for a core until then. */
async function started(worker) {
  await worker.kill();
  const began = performance.now();
  await worker.start();
  const answer = await fetch(`${worker.url}/_throughline/healthz`);
  await answer.arrayBuffer();
  const took = performance.now() - began;
  if (!answer.ok) throw new Error(`healthz answered ${answer.status}:\n${worker.logs()}`);
  return { took, ...schedule(worker.pid) };
}

function schedule(pid) {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync('/proc/self/schedstat')) return { ran: 0, waited: 0 };
  const threads = readdirSync(tasks).map((id) => readFileSync(join(tasks, id, 'schedstat'), 'utf8').split(' ').map(Number));
  const sum = (field) => threads.reduce((total, thread) => total + thread[field], 0) / NS_PER_MS;
  return { ran: sum(0), waited: sum(1) };
}

function median(numbers) { return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]; }
function figure(name, value, unit) { process.stdout.write(`figure ${name} ${value.toFixed(1)} ${unit}\n`); }
