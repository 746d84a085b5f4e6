// `scripts/bench store`: runs the store's benchmark, keeps its large database between runs, and puts prices to what it
// counted.
//
// The database that questions are asked of takes minutes to build, so it is kept in the cache, under the hash of what
// decides its content; one of another hash is removed. Everything else is on tmpfs where there is one.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PRICES, usdPerMillion } from './prices.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const CACHE = process.env.THROUGHLINE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'throughline');
const SOURCES = ['src/store', 'src/session', 'src/detect', 'tests/benches/store/{traffic,queries,subject}.rs', 'tests/support/{events,shard,sqlite}.rs'];
const PARTS = process.argv.slice(2); // as tests/benches/store.rs takes them

const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'throughline-store-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const args = ['bench', '--locked', '--bench', 'store', '--', 'store', '--scratch', scratch, '--corpus', corpus(), ...PARTS];
const bench = spawn('cargo', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 2], detached: true });
// With its children: cargo does not pass on what ends it.
process.on('exit', () => { try { process.kill(-bench.pid, 'SIGKILL'); } catch { /* it has ended */ } });
bench.on('error', ({ message }) => fail(`cargo: ${message}`));
bench.on('close', (status) => { if (status !== 0) fail('the store cannot be measured'); });
for await (const line of createInterface({ input: bench.stdout })) {
  const [kind, name] = line.split(' ', 2);
  if (kind === 'figure') process.stdout.write(`${line}\n`);
  else if (kind === 'counts') price(name, JSON.parse(line.slice(`${kind} ${name} `.length)));
  else process.stderr.write(`${line}\n`);
}

function price(name, counted) {
  const parts = usdPerMillion(counted);
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
  process.stdout.write(`figure store.${name} ${total.toFixed(3)} usd\n`);
  const each = Object.entries(parts).map(([part, usd]) => `${part} ${usd.toFixed(4)}`).join(', ');
  process.stderr.write(`${name}: ${each}; the platform's own ${(PRICES.workerRequest * 1e6).toFixed(2)} not included; prices of ${PRICES.date}\n`);
}

/** The file of the kept database; others are removed. `BENCH_CORPUS` names one that is taken as it is, whatever it was made by. */
function corpus() {
  if (process.env.BENCH_CORPUS) return resolve(process.env.BENCH_CORPUS);
  const hash = createHash('sha256');
  for (const pattern of SOURCES) {
    for (const file of files(pattern)) hash.update(file).update('\0').update(readFileSync(join(ROOT, file)));
  }
  const folder = join(CACHE, 'bench');
  const size = PARTS.includes('--quick') ? 'store-quick-' : 'store-full-'; // one of each: a full one is gigabytes
  const name = size + hash.digest('hex').slice(0, 16);
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) {
    if (file.startsWith(size) && !file.startsWith(name)) rmSync(join(folder, file), { force: true });
  }
  return join(folder, name);
}

function files(pattern) {
  const found = globSync(pattern, { cwd: ROOT }).toSorted();
  return found.flatMap((file) => statSync(join(ROOT, file)).isDirectory() ? globSync(`${file}/**/*.rs`, { cwd: ROOT }).toSorted() : [file]);
}

function fail(reason) {
  process.stderr.write(`error: ${reason}\n`);
  process.exit(1);
}
