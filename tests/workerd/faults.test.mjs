// What a shard promises when its storage refuses to write, its answer is lost after the journal was written, or its alarm
// never comes, or comes twice: nothing acknowledged is lost, nothing is doubled, and the next request makes good for it.
//
// A main module around the built Worker stands between the object and the platform: it refuses statements that write,
// loses answers, and swallows or doubles alarms.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { around, notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, recorded } from './scene.mjs';

const FAULTY = `
import worker, { Fleet, Shard as BuiltShard } from './entry.mjs';
export { Fleet };

let faults = {}; // { storage: true } refuses to write, { answers: n } loses the next n answers to flushes, { alarms: true } swallows alarms
const seen = { refused: 0, lost: 0, swallowed: 0 };

const through = (target, replaced) => new Proxy(target, { get: (of, name) => {
  if (Object.hasOwn(replaced, name)) return replaced[name];
  const value = Reflect.get(of, name);
  return typeof value === 'function' ? value.bind(of) : value;
} });

export class Shard {
  constructor(ctx, env) {
    const { storage } = ctx;
    const exec = (statement, ...values) => {
      if (faults.storage && /^\\s*(?:INSERT|REPLACE|UPDATE|DELETE|DROP|CREATE)/i.test(statement)) {
        seen.refused += 1;
        throw new Error('disk I/O error: SQLITE_IOERR');
      }
      return storage.sql.exec(statement, ...values);
    };
    this.built = new BuiltShard(through(ctx, { storage: through(storage, { sql: through(storage.sql, { exec }) }) }), env);
  }
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/-/alarms') {
      await Promise.all([this.built.alarm(), this.built.alarm()]);
      return new Response('ok');
    }
    const answer = await this.built.fetch(request);
    if (pathname !== '/flush' || !(faults.answers > 0)) return answer;
    faults.answers -= 1;
    seen.lost += 1;
    throw new Error('the connection was lost');
  }
  alarm() {
    if (!faults.alarms) return this.built.alarm();
    seen.swallowed += 1;
  }
}

export default { async fetch(request, env, context) {
  const { pathname } = new URL(request.url);
  if (pathname === '/-/alarms') return env.SHARD.getByName('shard-1-0').fetch('http://object/-/alarms');
  if (pathname !== '/-/faults') return worker.fetch(request, env, context);
  if (request.method === 'PUT') faults = await request.json();
  return Response.json(seen);
} };
`;

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 9, 1, 9);

describe('a shard in a faulty world', { skip: notOurs }, () => {
  let faulty, pair;
  let sent = 0;
  let now = START_MS;
  before(async () => {
    faulty = around(FAULTY);
    pair = await startPair({ main: faulty.main, vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, LIMITS: { flush_ms: 50 } } });
  });
  after(async () => {
    await pair?.stop();
    faulty?.remove();
  });
  beforeEach(() => fault({}));

  const fault = async (set) => (await fetch(`${pair.worker.url}/-/faults`, { method: 'PUT', body: JSON.stringify(set) })).json();
  const seen = async () => (await fetch(`${pair.worker.url}/-/faults`)).json();
  const metric = async (name) => Number(new RegExp(`^throughline_${name}(?:\\{[^}]*\\})? (\\d+)$`, 'm').exec(await (await pair.admin('metrics')).text())[1]);

  /** Ten requests of five visitors, each with a path of its own. */
  async function visit(label) {
    const visits = Array.from({ length: 10 }, (_, n) => client(pair, { cookie: `sid=visitor-${n % 5}` })(`/${label}/${n}`, { time: now }));
    for (const answer of await Promise.all(visits)) assert.equal(answer.status, 200);
    sent += visits.length;
  }

  /** Fails unless every request is there once. */
  async function allThere() {
    await recorded(pair, sent, { timeout: 30_000 });
    const events = await all(pair, 'events');
    assert.deepEqual([events.length, new Set(events.map(({ id }) => id)).size, new Set(events.map(({ path }) => path)).size], [sent, sent, sent]);
    const sessions = await all(pair, 'sessions');
    assert.equal(sessions.reduce((sum, { requests }) => sum + requests, 0), sent);
    await waitFor(async () => (await metric('isolate_backlog_events')) === 0, { what: 'nothing to be held any more' });
    assert.equal(await metric('events_dropped_total'), 0);
  }

  test('storage that refuses to write: nothing is acknowledged, everything is there when it writes again', async () => {
    await visit('before');
    await allThere();
    const failures = await metric('flush_failures_total');
    await fault({ storage: true });
    await visit('meanwhile');
    await waitFor(async () => (await seen()).refused >= 2, { what: 'two tries' });
    assert.equal((await ask(pair, 'stats')).total.requests, sent - 10, 'what is not durable is not shown');
    assert.equal(await metric('isolate_backlog_events'), 10);
    await visit('still');
    await fault({});
    await allThere();
    assert.ok(await metric('flush_failures_total') >= failures + 2);
  });

  test('an answer that is lost after the journal was written doubles nothing', async () => {
    const [lost, duplicates] = [(await seen()).lost, await metric('flushes_duplicate_total')];
    await fault({ answers: 2 });
    await visit('lost');
    await waitFor(async () => (await seen()).lost === lost + 2, { what: 'two answers to be lost' });
    await allThere();
    assert.ok(await metric('flushes_duplicate_total') >= duplicates + 1);
  });

  test('an alarm that never comes: a request notices that the journal is old, and folds it', async () => {
    await visit('journaled');
    await allThere();
    const folds = await metric('folds_total');
    await fault({ alarms: true });
    // The journal is small and may lie for half an hour; whoever comes long after that begins to fold it.
    await waitFor(async () => {
      now += 60 * MINUTE_MS;
      await visit(`later-${now}`);
      await recorded(pair, sent);
      return (await metric('folds_total')) > folds;
    }, { what: 'the fold', timeout: 60_000 });
    await allThere();
  });

  test('an alarm that comes twice, at once: the journal is folded once', async () => {
    await visit('twice');
    await allThere();
    now += 60 * MINUTE_MS;
    for (let turn = 0; turn < 20; turn += 1) assert.equal((await fetch(`${pair.worker.url}/-/alarms`)).status, 200);
    await allThere();
    await visit('afterwards');
    await allThere();
  });
});
