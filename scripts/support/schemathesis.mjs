// Asks the built Worker by its own OpenAPI document: scripts/support/schemathesis.mjs PROGRAM [ARGUMENT...]
//
// A Worker with some traffic in it is started, and schemathesis makes up requests that fit the document and requests that
// do not. No answer may be a 5xx, of a status or type that the document does not describe, or of another shape. The seed is
// fixed and the number of requests bounded, so two runs ask the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startPair } from '../../tests/workerd/harness.mjs';
import { ask, client, recorded } from '../../tests/workerd/scene.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const [program, ...more] = process.argv.slice(2);
const EXAMPLES = '12'; // requests made up for each operation and phase
const LIMIT_MS = 240_000;
/** A stream does not end; tests/workerd/share.test.mjs asks for it. */
const ENDLESS = ['streamEvents'];

const document = JSON.parse(readFileSync(join(ROOT, 'src/api/openapi.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'throughline-schemathesis-'));
const pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, MODE: 'enforce' } });
let status = 1;
try {
  const ann = client(pair, { ip: '203.0.113.10', country: 'DE', cookie: 'sid=ann' });
  for (let n = 0; n < 30; n += 1) await ann(`/api/orders/${n}`);
  await client(pair, { ip: '203.0.113.66' })(`/api/search?q=${encodeURIComponent("1' UNION SELECT password FROM users--")}`);
  await recorded(pair, 31);
  const { items: [{ id }] } = await ask(pair, 'sessions?ip=203.0.113.10');
  // Sessions that exist are among those asked for.
  document.components.parameters.SessionId.example = id;
  document.servers = [{ url: `${pair.worker.url}/_throughline` }];
  writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
  const child = spawn(program, ['run', join(folder, 'openapi.json'), '--url', `${pair.worker.url}/_throughline`,
    '--header', `Authorization: Bearer ${pair.tokens.admin}`, '--checks',
    'not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance',
    '--phases', 'examples,coverage,fuzzing', '--max-examples', EXAMPLES, '--seed', '1', '--request-timeout', '20',
    '--generation-deterministic', '--workers', '2', '--no-color', ...ENDLESS.flatMap((name) => ['--exclude-operation-id', name]), ...more],
  { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  [status] = await once(child, 'close');
  clearTimeout(late);
} finally {
  await pair.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = status ?? 1;
