// `scripts/bench core`: runs the criterion benchmarks and turns their estimates into figures.
//
// A figure is criterion's estimate of the median of one iteration, in µs. Criterion's own report, with changes since
// the last run, goes to stderr.

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
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

function fail(reason) {
  process.stderr.write(`error: ${reason}\n`);
  process.exit(1);
}
