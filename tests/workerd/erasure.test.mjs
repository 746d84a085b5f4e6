// A user is erased everywhere: from shards of every layout, hot and folded or not, so that no value in any table of any
// object names it. Sessions and events stay. What a platform keeps of the past is not to be seen here: see docs/privacy.md.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { notOurs, startPair } from './harness.mjs';
import { startOrigin } from './origin.mjs';
import { all, ask, client, problem, recorded } from './scene.mjs';

const SECRETS = ['the secret of this test, in force', 'the secret before that one, retired'];
const ANN = 'ann+erased/1@example.test';
const BOB = 'bob@example.test';
const PATH = `subjects/user/${encodeURIComponent(ANN)}`;
const T0 = Date.UTC(2040, 0, 1, 12);
const ROUND_MS = 2 * 3_600_000;
const DELETE = { method: 'DELETE' };

describe('an erased user', { skip: notOurs }, () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-erasure-'));
  const names = new Set([ANN]); // every form that was ever shown
  let origin;
  let pair;
  let count = 0;

  /** Restarts with other settings: plain names or pseudonyms, under one secret or the other, over so many shards. */
  const restart = async ({ store, shards, secret, former }) => {
    await pair?.stop();
    const parameters = [{ name: 'user', from: 'request.header.x-user', role: 'user', store }];
    pair = await startPair({ origin, storage, vars: {
      DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, SHARDS: shards, SESSION_SECRET: secret, ...(former && { SESSION_SECRET_PREVIOUS: former }),
      PARAMETERS: parameters, LIMITS: { flush_ms: 20 },
    } });
  };
  const visits = async (round) => {
    for (const [n, user] of [ANN, BOB, ANN].entries()) {
      const visit = client(pair, { cookie: `sid=round-${round}-${n}` });
      const time = T0 + round * ROUND_MS + n * 1_000;
      await visit(`/round-${round}/${n}`, { time, headers: [['x-user', user]] });
      await visit(`/round-${round}/${n}/refused`, { time, status: 401, headers: [['x-user', user === BOB ? ANN : BOB]] });
      count += 2;
    }
    await recorded(pair, count);
    // An hour later: before a shard takes this, it folds what it has; this itself stays in the journal.
    for (const [n, user] of [ANN, BOB, BOB].entries()) {
      const visit = client(pair, { cookie: `sid=round-${round}-${n}` });
      await visit(`/round-${round}/${n}/late`, { time: T0 + round * ROUND_MS + ROUND_MS / 2, headers: [['x-user', user]] });
      count += 1;
    }
    await recorded(pair, count);
    for (const filter of ['user', 'attempted_user']) {
      const { items } = await ask(pair, `events?limit=500&${filter}=${encodeURIComponent(ANN)}`);
      assert.ok(items.length > 0, `${filter} in round ${round}`);
      for (const item of items) names.add(item[filter]);
    }
  };

  before(async () => {
    origin = await startOrigin();
    await restart({ store: 'hashed', shards: 1, secret: SECRETS[1] });
    await visits(0);
    await restart({ store: 'plain', shards: 2, secret: SECRETS[0], former: SECRETS[1] });
    await visits(1);
    await restart({ store: 'hashed', shards: 2, secret: SECRETS[0], former: SECRETS[1] });
    await visits(2);
    assert.equal(names.size, 3, [...names].join(' '));
  });
  after(async () => {
    await pair?.stop();
    await origin?.stop();
    rmSync(storage, { recursive: true, force: true });
  });

  /** Which of these texts stand in a value of a table of an object; the Worker must not run. */
  function stored(texts) {
    const found = new Set();
    const files = readdirSync(storage, { recursive: true }).map(String).filter((file) => file.endsWith('.sqlite'));
    assert.ok(files.length >= 4, `a fleet and three shards: ${files}`);
    for (const file of files) {
      const database = new DatabaseSync(join(storage, file));
      for (const { name } of database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()) {
        const rows = database.prepare(`SELECT * FROM "${name}"`);
        rows.setReadBigInts(true); // the platform's own tables hold nanoseconds
        for (const value of rows.all().flatMap(Object.values)) {
          const bytes = Buffer.from(value === null ? '' : value instanceof Uint8Array ? value : String(value));
          for (const text of texts) if (bytes.includes(text)) found.add(text);
        }
      }
      database.close();
    }
    return found;
  }

  test('is erased by an admin only, and by nothing but its name', async () => {
    const viewer = await pair.admin(`api/v1/${PATH}`, { ...DELETE, token: pair.tokens.viewer });
    await problem(viewer, 403);
    assert.equal((await problem(await pair.admin(`api/v1/${PATH}?all=1`, DELETE), 400)).parameter, 'all');
    assert.equal((await problem(await pair.admin(`api/v1/subjects/user/${'a'.repeat(257)}`, DELETE), 400)).parameter, 'value');
    assert.equal((await problem(await pair.admin('api/v1/subjects/user/%ff', DELETE), 400)).parameter, 'value');
    await problem(await pair.admin(`api/v1/${PATH}`, { method: 'POST' }), 405);
  });

  test('is in the objects before, and in no value of any table afterwards', async () => {
    await pair.stop();
    assert.deepEqual([...stored([...names, BOB])].sort(), [...names, BOB].sort());
    await restart({ store: 'hashed', shards: 2, secret: SECRETS[0], former: SECRETS[1] });
    const ids = (await all(pair, 'events')).map(({ id }) => id);
    const answer = await pair.admin(`api/v1/${PATH}`, DELETE);
    const { erased, complete } = JSON.parse(await answer.text());
    assert.deepEqual([answer.status, complete], [200, true]);
    assert.deepEqual([erased.sessions, erased.events], [9, 12]);
    assert.ok(erased.chunks > 0, 'some of it was folded');

    const events = await all(pair, 'events');
    assert.deepEqual(events.map(({ id }) => id), ids, 'no event is gone');
    assert.equal(events.filter(({ marks }) => marks.includes('user_erased')).length, 12);
    assert.ok(events.some(({ user }) => user === BOB));
    const again = await ask(pair, PATH, DELETE);
    assert.deepEqual(again.erased, { sessions: 0, events: 0, chunks: 0 });
  });

  test('is in no answer, and the log of acts knows it by its pseudonym alone', async () => {
    const text = (await Promise.all(['sessions?limit=500', 'events?limit=500', 'blocks'].map(async (path) => JSON.stringify(await ask(pair, path))))).join();
    for (const name of names) assert.ok(!text.includes(name), name);
    const { items } = await ask(pair, 'audit');
    const acts = items.filter(({ act }) => act === 'erase');
    assert.equal(acts.length, 2);
    for (const { actor, subject } of acts) {
      assert.equal(actor, 'admin');
      assert.match(subject, /^user:h:[0-9a-f]{4}:[0-9a-f]{32}$/);
      assert.ok(names.has(subject.slice('user:'.length)), 'whoever knows the name finds the act');
    }
  });

  test('is in no table once the Worker has ended, but for that log', async () => {
    const { items } = await ask(pair, 'audit');
    const logged = items.find(({ act }) => act === 'erase').subject.slice('user:'.length);
    await pair.stop();
    assert.deepEqual([...stored([...names, BOB])].sort(), [logged, BOB].sort());
    await restart({ store: 'hashed', shards: 2, secret: SECRETS[0], former: SECRETS[1] });
    assert.deepEqual((await ask(pair, `events?user=${encodeURIComponent(ANN)}`)).items, []);
    assert.equal((await all(pair, 'events')).length, count);
  });
});
