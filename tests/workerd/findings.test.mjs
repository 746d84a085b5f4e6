// What shards tell the fleet: findings are in one feed a few seconds after they were stated, as they are with their
// events, and requests are counted by the minute; each exactly once, whatever ends in between.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, problem, recorded } from './scene.mjs';

const WALK = [...'abcdefghijklmnopqrstuvwxyz'];
const SOON = { timeout: 8_000 }; // the fleet is told after three seconds
const newestFirst = (a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : a.id < b.id ? 1 : -1);

/** Findings as they stand with the events, newest first. */
async function stated(pair) {
  const events = await all(pair, 'events?detector=forced_browsing');
  return events.flatMap(({ findings }) => findings).sort(newestFirst);
}

async function scan(pair, name, { letters = WALK, ...who } = {}) {
  const visit = client(pair, { cookie: `sid=${name}`, ...who });
  for (const letter of letters) await visit(`/guess/${name}/${letter}`, { status: 404 });
}

/** Waits until the feed holds what the events hold, and answers it. */
async function feed(pair, query = '') {
  const expected = await stated(pair);
  return waitFor(async () => {
    const items = await all(pair, `findings${query}`);
    return items.length >= expected.length && items;
  }, { what: `${expected.length} findings in the feed`, ...SOON });
}

async function sums(pair, query = '') {
  const { items, partial } = await ask(pair, `rollups${query}`);
  assert.equal(partial, false);
  return items;
}
const requests = (items) => items.reduce((sum, item) => sum + item.requests, 0);
const counted = (pair, count) => waitFor(async () => requests(await sums(pair)) >= count, { what: `${count} requests counted`, ...SOON });

describe('the feed of findings', { skip: notOurs }, () => {
  let pair;
  let findings;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, SHARDS: 3 } });
    for (const [i, name] of ['ann', 'bob', 'cid'].entries()) await scan(pair, name, { ip: `198.51.100.${i}` });
    await recorded(pair, 3 * WALK.length);
    findings = await feed(pair);
  });
  after(() => pair?.stop());

  test('shows what the events show, newest first', async () => {
    assert.ok(findings.length >= 6, `${findings.length} findings`);
    assert.deepEqual(findings, await stated(pair));
  });

  test('comes in pages that together are the whole, also while more is found', async () => {
    const pages = await all(pair, 'findings', { limit: 1 });
    assert.deepEqual(pages, findings);
    const first = await ask(pair, 'findings?limit=4');
    await scan(pair, 'dan', { ip: '198.51.100.9' });
    await waitFor(async () => (await ask(pair, 'findings')).items.length > findings.length, { what: 'more findings', ...SOON });
    const rest = await ask(pair, `findings?limit=500&cursor=${first.next}`);
    assert.deepEqual([...first.items, ...rest.items], findings);
    assert.equal(rest.next, null);
  });

  test('is filtered by what a finding says', async () => {
    const everything = await all(pair, 'findings');
    const [one] = everything.slice(-1);
    const expected = (fits) => everything.filter(fits).map(({ id }) => id);
    for (const [query, fits] of [
      [`session=${one.session}`, (f) => f.session === one.session],
      [`session!=${one.session}`, (f) => f.session !== one.session],
      ['detector=forced_browsing', () => true],
      ['detector=session_rotation', () => false],
      [`severity=${one.severity}`, (f) => f.severity === one.severity],
      ['severity=info', (f) => f.severity === 'info'],
      [`action=${one.action}&action=block`, (f) => [one.action, 'block'].includes(f.action)],
      ['action!=tag', (f) => f.action !== 'tag'],
      ['min_confidence=1', (f) => f.confidence >= 1],
      [`min_confidence=${one.confidence - 0.01}`, (f) => f.confidence >= one.confidence - 0.01],
      [`to=${one.time}`, (f) => f.time <= one.time],
      [`from=${everything[0].time}`, (f) => f.time >= everything[0].time],
    ]) assert.deepEqual((await all(pair, `findings?${query}`)).map(({ id }) => id), expected(fits), query);
  });

  test('is for viewers too, and refuses what it does not know by name', async () => {
    assert.equal((await pair.admin('api/v1/findings', { token: pair.tokens.viewer })).status, 200);
    assert.equal((await pair.admin('api/v1/rollups', { token: pair.tokens.viewer })).status, 200);
    await problem(await pair.admin('api/v1/findings', { token: 'none' }), 401);
    for (const [path, name] of [['findings?country=DE', 'country'], ['findings?order=asc', 'order'], ['rollups?limit=1', 'limit']]) {
      assert.equal((await problem(await pair.admin(`api/v1/${path}`), 400, path)).parameter, name);
    }
  });
});

test('rollups add up to the requests sent, by country, endpoint, status and minute', { skip: notOurs }, async () => {
  const pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, SHARDS: 2 } });
  try {
    const countries = ['DE', 'FR', undefined];
    for (let i = 0; i < 90; i += 1) {
      const visit = client(pair, { cookie: `sid=${i % 10}`, country: countries[i % 3], ip: `203.0.113.${i % 10}` });
      await visit(`/api/orders/${i}`, { status: i % 9 === 0 ? 404 : undefined });
    }
    await scan(pair, 'scanner', { country: 'US' });
    const count = 90 + WALK.length;
    await recorded(pair, count);
    await counted(pair, count);
    const [total] = await sums(pair);
    const { total: known } = await ask(pair, 'stats');
    assert.deepEqual([total.requests, total.attacks, total.time, total.group], [known.requests, known.attacks, null, null]);
    for (const by of ['country', 'endpoint']) {
      const { buckets } = await ask(pair, `stats?group_by=${by}`);
      const pairs = (items) => items.map((item) => [item.group, item.requests, item.attacks]).sort();
      assert.deepEqual(pairs(await sums(pair, `?group_by=${by}`)), pairs(buckets), by);
    }
    const statuses = Object.fromEntries((await sums(pair, '?group_by=status')).map((item) => [item.group, item.requests]));
    assert.deepEqual(statuses, { '2xx': 80, '4xx': 10 + WALK.length });
    const { buckets } = await ask(pair, 'stats?bucket=1m&from=-1h');
    const minutes = await sums(pair, '?bucket=1m&from=-1h');
    assert.deepEqual(minutes.map((item) => [item.time, item.requests]), buckets.map((item) => [item.time, item.requests]));
    const events = await all(pair, 'events');
    assert.equal(total.response_bytes, events.reduce((sum, event) => sum + (event.response_bytes ?? 0), 0));
    const mean = events.reduce((sum, event) => sum + event.duration_ms, 0) / count;
    assert.ok(Math.abs(total.duration_ms_mean - mean) < 0.01, `${total.duration_ms_mean} and ${mean}`);
  } finally {
    await pair.stop();
  }
});

test('each counts once, whatever ends before, while and after it is told', { skip: notOurs }, async () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-findings-'));
  const pair = await startPair({ storage, vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 50 } } });
  try {
    let count = 0;
    for (const round of [0, 1, 2, 3, 4]) {
      await scan(pair, `round-${round}`, { ip: `198.51.100.${round}` });
      count += WALK.length;
      await recorded(pair, count);
      // Before anything is told, or after all of it is.
      if (round % 2 === 1) await counted(pair, count);
      await (round % 3 === 0 ? pair.worker.kill().then(() => pair.worker.start()) : pair.worker.restart());
    }
    // What ended untold is told with the next traffic.
    await client(pair, { cookie: 'sid=last' })('/last');
    count += 1;
    await recorded(pair, count);
    await counted(pair, count);
    assert.equal(requests(await sums(pair)), count);
    assert.deepEqual(await feed(pair), await stated(pair));
    const metrics = await (await pair.admin('metrics')).text();
    const metric = (name) => Number(new RegExp(`^throughline_fleet_${name} (\\d+)$`, 'm').exec(metrics)?.[1]);
    assert.deepEqual(['missing', 'deltas_gaps_total', 'deltas_failed_total', 'findings_dropped_total'].map(metric), [0, 0, 0, 0]);
    assert.ok(metric('findings') === (await stated(pair)).length && metric('minutes') >= 1 && metric('deltas_applied_total') >= 1);
  } finally {
    await pair.stop();
    rmSync(storage, { recursive: true, force: true });
  }
});
