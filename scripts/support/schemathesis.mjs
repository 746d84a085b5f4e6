// Asks the built Worker by its own OpenAPI document: scripts/support/schemathesis.mjs PROGRAM [ARGUMENT...]
//
// A Worker with some traffic in it is started, and schemathesis makes up requests that fit the document and requests that
// do not. No answer may be a 5xx, of a status or type that the document does not describe, or of another shape. Nothing is left to
// chance and the number of requests is bounded, so two runs ask the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startPair, waitFor } from '../../tests/workerd/harness.mjs';
import { ask, client, order, recorded } from '../../tests/workerd/scene.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const [program, ...more] = process.argv.slice(2);
const EXAMPLES = '12'; // requests made up for each operation and phase
const LIMIT_MS = 900_000;
/** A stream does not end; tests/workerd/share.test.mjs asks for it. */
const ENDLESS = ['streamEvents'];

const document = JSON.parse(readFileSync(join(ROOT, 'src/api/openapi.json'), 'utf8'));
const named = (id) => Object.values(document.paths).flatMap(Object.values).find(({ operationId }) => operationId === id);
const folder = mkdtempSync(join(tmpdir(), 'throughline-schemathesis-'));
const pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, MODE: 'enforce' } });
let status = 1;
try {
  const ann = client(pair, { ip: '203.0.113.10', country: 'DE', cookie: 'sid=ann' });
  for (let n = 0; n < 30; n += 1) await ann(`/api/orders/${n}`);
  await client(pair, { ip: '203.0.113.66' })(`/api/search?q=${encodeURIComponent("1' UNION SELECT password FROM users--")}`);
  await recorded(pair, 31);
  const { items: [{ id }] } = await ask(pair, 'sessions?ip=203.0.113.10');
  const { items: [finding] } = await waitFor(async () => {
    const found = await ask(pair, 'findings');
    return found.items.length > 0 && found;
  }, { what: 'a finding' });
  const { items: [endpoint] } = await ask(pair, 'endpoints');
  await ask(pair, 'documents', order(named('addDocument').requestBody.content['application/json'].example));
  // What exists is among what is asked for.
  const there = { SessionId: id, FindingId: finding.id, EndpointId: endpoint.id, DocumentId: 1 };
  for (const [name, example] of Object.entries(there)) document.components.parameters[name].example = example;
  document.servers = [{ url: `${pair.worker.url}/_throughline` }];
  writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
  const child = spawn(program, ['run', join(folder, 'openapi.json'), '--url', `${pair.worker.url}/_throughline`,
    '--header', `Authorization: Bearer ${pair.tokens.admin}`, '--checks',
    'not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance',
    '--phases', 'examples,coverage,fuzzing', '--max-examples', EXAMPLES, '--request-timeout', '20',
    // One at a time: two threads of it trip over a fault of Python 3.11's parser, and what they ask would depend on each other.
    '--generation-deterministic', '--workers', '1', '--no-color', ...ENDLESS.flatMap((name) => ['--exclude-operation-id', name]), ...more],
  { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  [status] = await once(child, 'close');
  clearTimeout(late);
} finally {
  await pair.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = status ?? 1;
