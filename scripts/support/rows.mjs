// What a SQL statement costs in rows, asked of the platform's own runtime: `node scripts/support/rows.mjs`.
//
// Rows read and written are what Durable Objects bill for SQL. A cursor of the real workerd says how many a statement
// was; this prints that for the kinds of statements a store is made of. docs/costs.md has the answers.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorker } from './runtime.mjs';

const CONFIG = `name = "rows"
main = "rows.mjs"
compatibility_date = "2026-11-01"
[[durable_objects.bindings]]
name = "ROWS"
class_name = "Rows"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Rows"]
`;

// Each step: its name and the statement; steps without a name only prepare.
const WORKER = `import { DurableObject } from 'cloudflare:workers';

const FILL = (table, columns = 'id, at, body', values = "n, n % 10, zeroblob(200)", count = 1000) =>
  \`WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < \${count}) INSERT INTO \${table} (\${columns}) SELECT \${values} FROM c\`;
const KEYED = '(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL)';

const STEPS = [
  ['create table', \`CREATE TABLE a \${KEYED}\`],
  ['create table if not exists, there already', 'CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY)'],
  ['insert one row', 'INSERT INTO a VALUES (0, 0, zeroblob(200))'],
  ['insert one row of 500 KB', 'INSERT INTO a VALUES (-1, 0, zeroblob(500000))'],
  ['insert or replace, new', 'INSERT OR REPLACE INTO a VALUES (-2, 0, zeroblob(200))'],
  ['insert or replace, replacing', 'INSERT OR REPLACE INTO a VALUES (-2, 0, zeroblob(300))'],
  ['insert, on conflict do update', 'INSERT INTO a VALUES (-2, 0, zeroblob(9)) ON CONFLICT (id) DO UPDATE SET body = excluded.body'],
  ['insert, on conflict do nothing', 'INSERT INTO a VALUES (-2, 0, zeroblob(9)) ON CONFLICT DO NOTHING'],
  ['update one by key', 'UPDATE a SET at = 7 WHERE id = 0'],
  ['update by key that is not there', 'UPDATE a SET at = 7 WHERE id = 4711'],
  ['delete one by key', 'DELETE FROM a WHERE id = -1'],
  ['insert 1,000 rows in one statement', FILL('a')],
  ['select one by key', 'SELECT body FROM a WHERE id = 500'],
  ['select by key that is not there', 'SELECT body FROM a WHERE id = 4711'],
  ['select 1,000 rows', 'SELECT id, body FROM a WHERE id > 0'],
  ['select 10 of 1,000 by range of the key', 'SELECT id FROM a WHERE id BETWEEN 100 AND 109'],
  ['select 10 in reverse with limit', 'SELECT id FROM a ORDER BY id DESC LIMIT 10'],
  ['select 100 of 1,000 by a column without index', 'SELECT id FROM a WHERE at = 3'],
  ['count(*) of 1,000 rows', 'SELECT COUNT(*) FROM a WHERE id > 0'],
  ['max(key)', 'SELECT MAX(id) FROM a'],
  ['three keys by IN', 'SELECT body FROM a WHERE id IN (5, 50, 500)'],
  ['delete 1,000 rows, where id <= x', 'DELETE FROM a WHERE id <= 1000 AND id > 0'],
  ['', 'DELETE FROM a'], ['', FILL('a')],
  ['delete 1,000 rows, without where', 'DELETE FROM a'],
  ['', FILL('a')],
  ['drop table of 1,000 rows', 'DROP TABLE a'],
  ['', \`CREATE TABLE b \${KEYED}\`],
  ['create index on an empty table', 'CREATE INDEX b_at ON b (at)'],
  ['insert one row, one index', 'INSERT INTO b VALUES (0, 0, zeroblob(200))'],
  ['update of the indexed column', 'UPDATE b SET at = 7 WHERE id = 0'],
  ['update of another column', 'UPDATE b SET body = x\\'00\\' WHERE id = 0'],
  ['delete one by key, one index', 'DELETE FROM b WHERE id = 0'],
  ['', FILL('b')],
  ['select 100 of 1,000 by the index, key only', 'SELECT id FROM b WHERE at = 3'],
  ['select 100 of 1,000 by the index, and the row', 'SELECT body FROM b WHERE at = 3'],
  ['delete 100 of 1,000 by the index', 'DELETE FROM b WHERE at = 3'],
  ['drop table of 900 rows with an index', 'DROP TABLE b'],
  ['', \`CREATE TABLE c \${KEYED}\`], ['', FILL('c')],
  ['create index on 1,000 rows', 'CREATE INDEX c_at ON c (at)'],
  ['create table, without rowid', 'CREATE TABLE d (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID'],
  ['insert one row, without rowid', "INSERT INTO d VALUES ('k', zeroblob(200))"],
  ['upsert one row, without rowid', "INSERT INTO d VALUES ('k', zeroblob(9)) ON CONFLICT (name) DO UPDATE SET body = excluded.body"],
  ['insert or replace, without rowid', "INSERT OR REPLACE INTO d VALUES ('k', zeroblob(9))"],
  ['select one by key, without rowid', "SELECT body FROM d WHERE name = 'k'"],
  ['', 'CREATE TABLE t (name TEXT PRIMARY KEY, body BLOB NOT NULL)'],
  ['insert one row, text key with rowid', "INSERT INTO t VALUES ('k', zeroblob(200))"],
  ['', 'CREATE TABLE front (id INTEGER PRIMARY KEY, small INTEGER, body BLOB)'],
  ['', FILL('front', 'id, small, body', 'n, n, zeroblob(500000)', 40)],
  ['', 'CREATE TABLE behind (id INTEGER PRIMARY KEY, body BLOB, small INTEGER)'],
  ['', FILL('behind', 'id, body, small', 'n, zeroblob(500000), n', 40)],
  ['a small column before 500 KB, 40 rows', 'SELECT SUM(small) FROM front'],
  ['a small column behind 500 KB, 40 rows', 'SELECT SUM(small) FROM behind'],
  ['length() of 500 KB, 40 rows', 'SELECT SUM(LENGTH(body)) FROM front'],
  ['substr() at the end of 500 KB, 40 rows', 'SELECT SUM(LENGTH(SUBSTR(body, 499000, 500))) FROM front'],
];

export class Rows extends DurableObject {
  async fetch() {
    const lines = [];
    for (const [name, statement] of STEPS) {
      const cursor = this.ctx.storage.sql.exec(statement);
      const rows = [...cursor.raw()].length;
      if (name !== '') lines.push({ name, rows, read: cursor.rowsRead, written: cursor.rowsWritten });
    }
    return Response.json(lines);
  }
}

export default { fetch: (request, { ROWS }) => ROWS.get(ROWS.idFromName('rows')).fetch(request) };
`;

const folder = mkdtempSync(join(tmpdir(), 'throughline-rows-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'wrangler.toml'), CONFIG);
writeFileSync(join(folder, 'rows.mjs'), WORKER);
const worker = await startWorker({ config: join(folder, 'wrangler.toml') });
const answer = await fetch(worker.url);
if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}\n${worker.logs()}`);
const lines = await answer.json();
line('statement', 'answered', 'read', 'written');
for (const { name, rows, read, written } of lines) line(name, rows, read, written);
await worker.stop();

function line(name, ...numbers) {
  process.stdout.write(`${name.padEnd(52)}${numbers.map((number) => String(number).padStart(9)).join('')}\n`);
}
