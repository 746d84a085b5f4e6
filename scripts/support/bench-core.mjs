// `scripts/bench core`: runs the criterion benchmarks and turns their estimates into figures.
//
// A figure is criterion's estimate of the median of one iteration, in µs. Criterion's own report, with changes since
// the last run, goes to stderr.
//
// What inspection costs is also counted in instructions, where valgrind is installed: unlike times these are the same on a busy
// machine. They are compared with tests/benches/instructions.json, and it is an error to need a tenth more than stands
// there. BENCH_ACCEPT=1 writes down what was counted instead; compilers differ by some percent.

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
const NS_PER_US = 1_000;

const began = Date.now();
const { status, error } = spawnSync('cargo', ['bench', '--locked', '--bench', '*'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
if (status !== 0) fail(`cargo bench failed${error ? `: ${error.message}` : ''}`);

const figures = globSync('criterion/**/new/estimates.json', { cwd: TARGET })
  .map((file) => join(TARGET, file))
  .filter((file) => statSync(file).mtimeMs >= began) // a benchmark that is gone leaves its estimates behind
  .map((file) => {
    const { full_id: id } = JSON.parse(readFileSync(join(dirname(file), 'benchmark.json'), 'utf8'));
    const { median } = JSON.parse(readFileSync(file, 'utf8'));
    return { name: `core.${id.replaceAll('/', '.').replace(/[^\w.-]+/g, '_')}`, us: median.point_estimate / NS_PER_US };
  });
if (figures.length === 0) fail(`cargo bench left no estimates in ${join(TARGET, 'criterion')}`);
for (const { name, us } of figures.toSorted((a, b) => a.name.localeCompare(b.name))) {
  process.stdout.write(`figure ${name} ${Number(us.toPrecision(4))} us\n`);
}

const BASELINE = join(ROOT, 'tests/benches/instructions.json');
const MOST = 1.1; // of the baseline

if (spawnSync('valgrind', ['--version']).status === 0) compareInstructions();
else process.stderr.write('valgrind is not installed: instructions are not counted\n');

function compareInstructions() {
  const built = spawnSync('cargo', ['bench', '--locked', '--no-run', '--bench', 'instructions', '--message-format=json'], {
    cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 2], maxBuffer: 64 * 1024 * 1024,
  });
  const messages = (built.stdout ?? '').split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const program = messages.findLast(({ executable, target }) => executable && target.name === 'instructions')?.executable;
  if (built.status !== 0 || !program) fail('cargo built no program to count the instructions of');
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8'));
  const counted = Object.fromEntries(Object.keys(baseline).map((name) => [name, perRequest(program, name)]));
  const grown = [];
  for (const [name, count] of Object.entries(counted)) {
    process.stdout.write(`figure core.instructions.${name} ${count} instructions\n`);
    const change = count / baseline[name] - 1;
    process.stderr.write(`${name}: ${count} instructions, ${(100 * change).toFixed(1)} % more than ${baseline[name]}\n`);
    if (count > MOST * baseline[name]) grown.push(name);
  }
  if (process.env.BENCH_ACCEPT) writeFileSync(BASELINE, JSON.stringify(counted, null, 2) + '\n');
  else if (grown.length > 0) fail(`${grown.join(', ')} needs a tenth more instructions than ${BASELINE} says`);
}

// The difference between twice as many requests and as many: starting and reading in is in neither.
function perRequest(program, name) {
  const times = name === 'get' || name === 'json' ? 20 : 1;
  const [some, more] = [times, 2 * times].map((count) => {
    const options = ['--tool=callgrind', '--callgrind-out-file=/dev/null', program, name, String(count)];
    const { stderr } = spawnSync('valgrind', options, { encoding: 'utf8' });
    const found = /Collected : (\d+)/.exec(stderr ?? '');
    if (!found) fail(`valgrind counted nothing of ${name}`);
    return Number(found[1]);
  });
  return Math.round((more - some) / times);
}

function fail(reason) {
  process.stderr.write(`error: ${reason}\n`);
  process.exit(1);
}
