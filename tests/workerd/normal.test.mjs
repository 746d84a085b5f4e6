// What many customers send is normal for its parameter: findings there weigh little.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client, recorded } from './scene.mjs';

const T0 = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
const SESSIONS = 30;
const query = (q) => ({ method: 'POST', body: JSON.stringify({ q }), headers: [['Content-Type', 'application/json']] });
const SQL = "1' UNION SELECT name, total FROM sales-- ";

describe('text that is normal for a parameter', { skip: notOurs }, () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-normal-'));
  let pair;
  after(async () => {
    await pair?.stop();
    rmSync(storage, { recursive: true, force: true });
  });
  const start = async (vars) => {
    await pair?.stop();
    pair = await startPair({ storage, vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, SESSION_SECRET: 'the same over the restart',
      LIMITS: { flush_ms: 20 }, ...vars } });
  };
  const told = async (ip) => {
    await waitFor(async () => (await ask(pair, `sessions?ip=${ip}&attack=sqli`)).items.length === 1, { what: 'the finding' });
    const [session] = (await ask(pair, `sessions?ip=${ip}`)).items;
    const [finding] = (await ask(pair, `events?ip=${ip}&attack=sqli`)).items[0].findings;
    return { session, finding };
  };

  test('in monitor it is learned from many sessions over more than a day', { timeout: 120_000 }, async () => {
    await start({});
    for (let n = 0; n < SESSIONS; n += 1) {
      const user = client(pair, { ip: `203.0.${n}.1`, cookie: `sid=user-${n}` });
      const time = T0 + n * HOUR;
      assert.equal((await user('/api/reports', { ...query(SQL), time })).status, 200);
      for (let k = 1; k <= 3; k += 1) assert.equal((await user(`/api/items/${k}`, { time: time + k })).status, 200);
    }
    const first = await told('203.0.0.1');
    assert.ok(first.finding.confidence >= 0.8 && !/normal/.test(first.finding.message), 'not for the first who sends it');
    const time = T0 + (SESSIONS + 2) * HOUR;
    const later = client(pair, { ip: '198.51.100.1', cookie: 'sid=later' });
    await later('/api/items/1', { time });
    await recorded(pair, 4 * SESSIONS + 1);
    await later('/api/reports', { ...query(SQL), time: time + 1 });
    const { session, finding } = await told('198.51.100.1');
    assert.match(finding.message, /normal for this parameter: seen in 30 sessions$/);
    assert.ok(finding.confidence < 0.5 && finding.risk_added < first.finding.risk_added && session.state === 'clear', JSON.stringify(finding));
  });
});

test('a body that goes on past the limit is passed on and marked, or stopped where that is configured', { skip: notOurs }, async () => {
  for (const [over, status] of [['pass', 200], ['block', 403]]) {
    const pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, MODE: 'enforce', LIMITS: { flush_ms: 20, body_bytes: 4096, body_over: over } } });
    try {
      const user = client(pair, { ip: '198.51.100.3', cookie: 'sid=long' });
      // One at the limit, and one past it: {"q":""} are eight bytes.
      assert.equal((await user('/api/notes', query('x'.repeat(4096 - 8)))).status, 200);
      assert.equal((await user('/api/notes', query('x'.repeat(4096 - 7)))).status, status);
      await waitFor(async () => (await ask(pair, 'events?ip=198.51.100.3')).items.length === 2, { what: 'both events' });
      const { items } = await ask(pair, 'events?ip=198.51.100.3');
      assert.deepEqual(items.map(({ marks }) => marks.includes('body_cut')).sort(), [false, true]);
    } finally {
      await pair.stop();
    }
  }
});
