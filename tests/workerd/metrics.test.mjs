// The Grafana dashboard asks for metrics that exist, by labels they have.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { ask, client, recorded } from './scene.mjs';

const dashboard = JSON.parse(readFileSync(new URL('../../examples/grafana/throughline.json', import.meta.url), 'utf8'));

describe('the Grafana dashboard', { skip: notOurs }, () => {
  let pair;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
    await client(pair)(`/api/search?q=${encodeURIComponent("1' UNION SELECT password FROM users--")}`);
    await recorded(pair, 1);
    await waitFor(async () => (await ask(pair, 'findings')).items.length > 0, { what: 'the finding to reach the fleet' });
  });
  after(() => pair?.stop());

  test('asks for metrics that exist, as counters where it takes a rate, by labels they have', async () => {
    const text = await (await pair.admin('metrics')).text();
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const labels = new Map([...text.matchAll(/^(\w+)\{([^}]*)\}/gm)].map(([, name, of]) => [name, [...of.matchAll(/(\w+)="/g)].map(([, label]) => label)]));
    const asked = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    assert.ok(asked.length > 30, 'the dashboard has queries');
    for (const expr of asked) {
      const names = [...expr.matchAll(/throughline_\w+/g)].map(([name]) => name);
      assert.ok(names.length > 0, expr);
      for (const name of names) {
        assert.ok(types.has(name), `${name} is no metric`);
        assert.equal(types.get(name) === 'counter', expr.includes(`rate(${name}[`), `${name} in ${expr}`);
        const [, by = ''] = /by \(([^)]*)\)/.exec(expr) ?? [];
        for (const label of by.split(/, */).filter(Boolean)) assert.ok(labels.get(name)?.includes(label), `${name} has no label ${label}`);
      }
    }
  });

  test('lays its panels out without one on another', () => {
    const taken = new Set();
    for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
      for (let at = 0; at < w * h; at += 1) {
        const cell = `${x + (at % w)},${y + Math.floor(at / w)}`;
        assert.ok(!taken.has(cell) && x + w <= 24, title);
        taken.add(cell);
      }
    }
  });
});

describe('the log', { skip: notOurs }, () => {
  let pair;
  before(async () => { pair = await startPair({}); });
  after(() => pair?.stop());

  test('is JSON, a line each, and names the trace of the request a line is about', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const carried of [traceparent, 'x"y']) await client(pair)('/api/orders/1', { headers: [['x-answer', 'reset'], ['traceparent', carried]] });
    const lines = () => pair.worker.logs().trim().split('\n').map((line) => JSON.parse(line)).filter(({ message }) => message.startsWith('origin failed'));
    await waitFor(() => lines().length === 2, { what: 'both lines' });
    assert.deepEqual(lines().map((line) => [line.level, line.traceparent]), [['error', traceparent], ['error', undefined]]);
  });
});
