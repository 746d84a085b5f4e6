// `scripts/bench proxy`: what Throughline costs, against a Worker that only forwards.
//
// Both run on the same workerd at the same time and are asked in turn (ABBA, so that a machine that speeds up or
// slows down treats both alike). A figure is the median over rounds of the ratio within a round, and so does not
// depend on the machine's speed. Rounds are short and many rather than few and long: two neighbouring slices see
// the same machine. A round in which workerd had to wait for its core is run again while patience lasts.
//
// - Latency is taken on one connection: with more of them a request mostly waits for its turn, and p50 says the
//   same as throughput does. Throughput is taken on 32, enough to keep workerd always busy.
// - proxy.cpu_ratio is workerd's own CPU time per request at full load: the same thing as throughput, but what
//   other programs do to the machine shows less in it.
// - Storage is on tmpfs: here Durable Objects sync on the same thread, on Cloudflare they do not.
//
// Figures go to stdout, one a line: `figure NAME VALUE UNIT`. Everything else goes to stderr.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contender, pinned } from './contender.mjs';

const LATENCY_CONNECTIONS = 1;
const THROUGHPUT_CONNECTIONS = 32;
const WARM_UP_SECONDS = 5; // V8 has compiled what is hot, and the pools to the origin are open
const DISTURBED = 0.05; // part of a slice workerd spent waiting for its core
const PATIENCE = 1.5; // at most this many times the rounds asked for
const SETTLE_MS = 15_000; // for the last events to reach the API

const { values: options } = parseArgs({ options: {
  rounds: { type: 'string', default: '11' },
  seconds: { type: 'string', default: '2' },
  main: { type: 'string' }, // another Worker in place of the built one
} });
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
if (!pinned) note('workerd, load and origin share one core: ratios will flatter');

const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'throughline-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const token = randomBytes(24).toString('base64url');
const baseline = await contender('passthrough', { scratch, main: join(dirname(fileURLToPath(import.meta.url)), 'passthrough.mjs') });
const ours = await contender('ours', {
  scratch,
  ...(options.main === undefined ? {} : { main: options.main }),
  vars: { ADMIN_TOKEN: token, SESSION_SECRET: randomBytes(32).toString('base64url'), DEV_CLIENT_HEADERS: true },
});

for (const each of [baseline, ours]) {
  await each.measure(THROUGHPUT_CONNECTIONS, WARM_UP_SECONDS);
  await each.measure(LATENCY_CONNECTIONS, 1);
}
const table = [];
const quiet = () => table.filter(({ waited }) => waited < DISTURBED);
while (quiet().length < rounds && table.length < rounds * PATIENCE) table.push(await round(table.length));
if (quiet().length < rounds) {
  note(`the machine was busy: ${quiet().length} of ${table.length} rounds were undisturbed; the ${rounds} calmest count`);
}
const calmest = table.toSorted((a, b) => a.waited - b.waited).slice(0, rounds);

const ratio = (of) => median(calmest.map((row) => of(row.ours) / of(row.passthrough))).toFixed(3);
figure('proxy.p50_ratio', ratio(({ p50 }) => p50), 'ratio');
figure('proxy.p99_ratio', ratio(({ p99 }) => p99), 'ratio');
figure('proxy.throughput_ratio', ratio(({ rps }) => rps), 'ratio');
figure('proxy.cpu_ratio', ratio(({ cpu }) => cpu), 'ratio');
for (const { name } of [ours, baseline]) {
  figure(`proxy.rps_${name}`, median(calmest.map((row) => row[name].rps)).toFixed(0), 'rps');
  figure(`proxy.cpu_${name}`, median(calmest.map((row) => row[name].cpu)).toFixed(0), 'us');
}
figure('proxy.lost_events', await lostEvents(), 'events');
for (const each of [baseline, ours]) await each.stop();

async function round(index) {
  const row = { waited: 0 };
  for (const each of index % 2 === 0 ? [baseline, ours] : [ours, baseline]) {
    const alone = await each.measure(LATENCY_CONNECTIONS, seconds);
    const full = await each.measure(THROUGHPUT_CONNECTIONS, seconds);
    row[each.name] = { p50: alone.p50, p99: alone.p99, rps: full.rps, cpu: full.cpu };
    row.waited = Math.max(row.waited, alone.waited, full.waited);
  }
  const told = [baseline, ours].map(({ name }) =>
    `${name} p50 ${row[name].p50} µs, p99 ${row[name].p99} µs, ${row[name].rps.toFixed(0)} rps at ${row[name].cpu.toFixed(0)} µs of CPU`);
  note(`round ${index + 1}: ${told.join('; ')}; disturbed ${(row.waited * 100).toFixed(0)} %`);
  return row;
}

/** Requests that reached the origin through our Worker, less the events its API knows; negative when some are doubled. */
async function lostEvents() {
  const arrived = await ours.arrived();
  if (arrived !== ours.asked) throw new Error(`the load tool counts ${ours.asked} answers, the origin ${arrived} requests`);
  const until = Date.now() + SETTLE_MS;
  for (;;) {
    const known = await knownEvents();
    if (known === arrived || Date.now() > until) return arrived - known;
    await delay(200);
  }
}

async function knownEvents() {
  const answer = await fetch(`${ours.worker.url}/_throughline/api/v1/stats`, { headers: { Authorization: `Bearer ${token}` } });
  const text = await answer.text();
  const known = answer.ok ? JSON.parse(text).total?.requests : undefined;
  if (known === undefined) {
    throw new Error(`GET /_throughline/api/v1/stats: ${answer.status} ${text.slice(0, 500)}\n${ours.worker.logs().slice(-2000)}`);
  }
  return known;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function figure(name, value, unit) { process.stdout.write(`figure ${name} ${value} ${unit}\n`); }
function note(text) { process.stderr.write(`${text}\n`); }
