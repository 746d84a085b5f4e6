// Bundles console/ into build/console-files.mjs: the few files the console consists of, as text, beside the Worker.
//
// usage: node scripts/support/console-build.mjs [FOLDER]      (default: build)
//
// Part of the Worker rather than static assets of the platform: a deployment stays one upload with one version, the
// host and path rules of the admin prefix hold for it, and workerd alone serves it in tests as Cloudflare does.

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');
const MOST_GZIP = 120_000; // bytes; what a console may cost on a slow line
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };

const folder = resolve(process.argv[2] ?? join(ROOT, 'build'));
const { outputFiles } = await build({
  entryPoints: { app: join(ROOT, 'console/src/main.jsx') }, outdir: folder, bundle: true, write: false, minify: true, format: 'esm',
  target: 'es2022', jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none', logLevel: 'warning',
});
const texts = [['index.html', readFileSync(join(ROOT, 'console/index.html'), 'utf8')],
  ...outputFiles.map(({ path, text }) => [path.slice(folder.length + 1), text])];
const files = Object.fromEntries(texts.map(([name, body]) => [name, {
  type: TYPES[name.split('.').pop()], etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 20)}"`, body,
}]));
const zipped = texts.reduce((sum, [, body]) => sum + gzipSync(body).length, 0);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'console-files.mjs'), `export const FILES = ${JSON.stringify(files)};\n`);
copyFileSync(join(ROOT, 'src/edge/console.mjs'), join(folder, 'console.mjs'));
process.stderr.write(`· console: ${zipped} bytes as gzip\n`);
if (zipped > MOST_GZIP) throw new Error(`the console is ${zipped} bytes as gzip; ${MOST_GZIP} are its limit`);
