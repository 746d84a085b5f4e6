// Many requests while objects are evicted at random, and the process is killed now and then: as many events are
// found, none lost and none twice.
//
// The platform may end an object at any moment, also between what it wrote and the answer about it. Here that is done by
// a main module around the built Worker, whose objects abort themselves before, while or after they do what they are
// asked, by a seeded random. EVICTION_REQUESTS=200000 makes it as many. The same module is the origin, because this is not about the way there. The process is only killed while everything is confirmed: an isolate's buffer is memory.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { around, notOurs, startPair, waitFor } from './harness.mjs';
import { pelt } from './pelt.mjs';
import { all, ask, recorded } from './scene.mjs';

const REQUESTS = Number(process.env.EVICTION_REQUESTS ?? 60_000); // a multiple of ROUNDS and SESSIONS
const SESSIONS = 1_000;
const ROUNDS = 4; // with a crash after each
const SEED = 20_261_101;
const EVICT_ONE_IN = 8; // calls to an object
const LOOKED_INTO = 20; // sessions whose events are looked at one by one
const HOST = 'shop.test';
const SECRET = '/.evictions';

const EVICTING = `
import worker, { Fleet as BuiltFleet, Shard as BuiltShard } from './entry.mjs';

let state = 0; // of the random numbers; 0: nothing is evicted
let served = 0;

globalThis.fetch = async () => {
  served += 1;
  return new Response('ok', { headers: { 'Content-Length': '2' } });
};

const evictions = { before: 0, during: 0, after: 0 };

// Mulberry32.
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const evicting = (Built) => class {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.built = new Built(ctx, env);
  }
  async fetch(request) {
    const moment = state !== 0 && random() < 1 / ${EVICT_ONE_IN} ? Object.keys(evictions)[Math.floor(random() * 3)] : null;
    if (moment !== null) evictions[moment] += 1;
    if (moment === 'before') this.ctx.abort('evicted before');
    const answering = this.built.fetch(request);
    if (moment === 'during') {
      await new Promise((resolve) => setTimeout(resolve, random() * 4));
      this.ctx.abort('evicted during');
    }
    const answer = await answering;
    if (moment === 'after') this.ctx.abort('evicted after');
    return answer;
  }
  alarm() { return this.built.alarm(); }
};

export const Shard = evicting(BuiltShard);
export const Fleet = evicting(BuiltFleet);
export default {
  fetch(request, env, context) {
    const { pathname, search } = new URL(request.url);
    if (pathname !== '${SECRET}') return worker.fetch(request, env, context);
    state = Number(search.slice(1));
    return Response.json({ served, evictions });
  },
};
`;

test(`${REQUESTS} requests are ${REQUESTS} events, whatever is evicted meanwhile`, { skip: notOurs, timeout: 4 * REQUESTS }, async (context) => {
  const evicting = around(EVICTING);
  const storage = mkdtempSync(join(tmpdir(), 'throughline-eviction-'));
  const pair = await startPair({ origin: `http://${HOST}`, main: evicting.main, storage, vars: { DEV_CLIENT_HEADERS: true, SHARDS: 2, LIMITS: { buffer_events: 100_000 } } });
  const seed = async (number) => (await fetch(`${pair.worker.url}${SECRET}?${number}`)).json();
  const metrics = async () => (await pair.admin('metrics')).text();
  try {
    const began = Date.now();
    const head = (i) => `GET /flood/${i} HTTP/1.1\r\nHost: ${HOST}\r\nCookie: sid=visitor-${i % SESSIONS}\r\nUser-Agent: flood\r\n\r\n`;
    const total = { before: 0, during: 0, after: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const share = REQUESTS / ROUNDS;
      await seed(SEED + round);
      await pelt({ port: pair.worker.port, total: share, ask: (i) => ({ head: head(round * share + i) }) });
      const { served, evictions } = await seed(0);
      assert.equal(served, share, 'every request reached the origin once');
      for (const moment of Object.keys(total)) total[moment] += evictions[moment];
      await recorded(pair, (round + 1) * share, { timeout: REQUESTS, interval: 200 });
      await waitFor(async () => /^throughline_isolate_backlog_events 0$/m.test(await metrics()), { what: 'the isolate to hold nothing' });
      await pair.worker.kill();
      await pair.worker.start();
    }
    context.diagnostic(`${Math.round((Date.now() - began) / 1_000)} s, evictions ${JSON.stringify(total)}`);
    for (const [moment, count] of Object.entries(total)) assert.ok(count >= 5, `${count} evictions ${moment}`);
    assert.equal(await recorded(pair, REQUESTS), SESSIONS);
    const sessions = await all(pair, 'sessions');
    assert.deepEqual(new Set(sessions.map(({ requests }) => requests)), new Set([REQUESTS / SESSIONS]));
    assert.equal(sessions.length, SESSIONS);
    for (const { id } of sessions.slice(0, LOOKED_INTO)) {
      const events = await all(pair, `sessions/${id}/events`);
      for (const of of ['id', 'path']) assert.equal(new Set(events.map((event) => event[of])).size, REQUESTS / SESSIONS);
    }
    assert.equal((await ask(pair, 'stats?status=200')).total.requests, REQUESTS);
    assert.match(await metrics(), /^throughline_events_dropped_total 0$/m);
  } finally {
    await pair.stop();
    evicting.remove();
    rmSync(storage, { recursive: true, force: true });
  }
});
