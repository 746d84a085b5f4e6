// scripts/dev and scripts/deploy run as the programs they are, without the build before them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** Where programs under test keep their temporary files. */
export const folder = mkdtempSync(join(tmpdir(), 'throughline-test-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Runs scripts/support/NAME.mjs: { child, lines, done }; done answers { code, signal, stdout, stderr }. */
export function run(name, ...args) {
  const child = spawn(process.execPath, [join(ROOT, `scripts/support/${name}.mjs`), ...args], { env: { ...process.env, TMPDIR: folder } });
  const got = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => { got[stream] += text; });
  const done = once(child, 'close').then(([code, signal]) => ({ code, signal, ...got }));
  return { child, lines: createInterface({ input: child.stdout }), done };
}
