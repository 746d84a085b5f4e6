// Business parameters: read from requests and responses, kept as they are configured, found, added up and watched; and the
// order surge of one region, told apart from a flash sale.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, problem, recorded } from './scene.mjs';

const JSON_TYPE = [['Content-Type', 'application/json']];
const MINUTE = 60_000;
const CARD = '4111-1111-1111-1111-of-this-test';
const NOTE = 'not-to-be-kept-by-anybody-17';
const PARAMETERS = [
  { name: 'order_total', from: 'request.body#/order/total', on: 'POST /api/orders', type: 'money', currency: 'request.body#/order/currency' },
  { name: 'item', from: 'request.body#/order/items/*', on: 'POST /api/orders' },
  { name: 'card', from: 'request.body#/card', on: 'POST /api/orders', store: 'hashed' },
  { name: 'note', from: 'request.body#/note', on: 'POST /api/orders', store: 'drop' },
  { name: 'receipt', from: 'response.body#/receipt', on: 'POST /api/orders', type: 'number' },
  { name: 'login', from: 'request.body#/user', on: 'POST /api/login', role: 'user' },
];

/** The shop behind: an order gets a receipt. */
const shop = ({ target }) => ({
  status: target.startsWith('/api/orders') ? 201 : 200, headers: JSON_TYPE, body: JSON.stringify({ receipt: 17 }),
});

const post = (visitor, target, body, more = {}) =>
  visitor(target, { method: 'POST', body: JSON.stringify(body), headers: JSON_TYPE, ...more });

describe('business parameters', { skip: notOurs }, () => {
  const storage = mkdtempSync(join(tmpdir(), 'throughline-parameters-'));
  let pair;
  before(async () => {
    pair = await startPair({ answer: shop, storage, vars: { DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20 }, PARAMETERS,
      WATCHES: [{ parameter: 'order_total', kind: 'threshold', above: 1000, currency: 'EUR' }] } });
    const ann = client(pair, { ip: '203.0.113.7', country: 'DE', asn: 3320, cookie: 'sid=ann' });
    const bob = client(pair, { ip: '198.51.100.7', country: 'AT', asn: 8447, cookie: 'sid=bob' });
    await post(ann, '/api/login', { user: 'ann' });
    await post(ann, '/api/orders', { order: { total: 12.5, currency: 'EUR', items: ['tea', 'cup'] }, card: CARD, note: NOTE });
    await post(ann, '/api/orders', { order: { total: '1.299,95', currency: 'EUR', items: ['pot'] } });
    await post(ann, '/api/orders', { order: { total: 'plenty' } }, { status: 422 });
    await post(bob, '/api/orders', { order: { total: 5, currency: 'USD' }, card: CARD });
    await bob('/api/products');
    await recorded(pair, 6);
  });
  after(async () => {
    await pair?.stop();
    rmSync(storage, { recursive: true, force: true });
  });

  const events = (query) => all(pair, `events?order=asc&${query}`);

  test('stand with the event that brought them', async () => {
    const [first, second, third, fourth] = await events('endpoint=POST+/api/orders');
    assert.deepEqual([first.params.order_total, first.params.item, first.params.receipt], ['12.5 EUR', ['tea', 'cup'], 17]);
    assert.deepEqual([second.params.order_total, second.params.item], ['1299.95 EUR', 'pot']);
    assert.equal(third.params.order_total, 'invalid:not_a_number');
    assert.equal(fourth.params.order_total, '5 USD');
    assert.equal(first.flow, 'checkout');
    assert.match(first.params.card, /^h:[0-9a-f]{4}:[0-9a-f]{32}$/);
    assert.equal(first.params.card, fourth.params.card, 'equal values have equal pseudonyms');
    assert.ok(!('note' in first.params), 'what is dropped is not kept');
    assert.deepEqual((await events('endpoint=/api/products'))[0].params, {});
  });

  test('are added up for the session', async () => {
    const [{ params, flows, users }] = (await ask(pair, 'sessions?country=DE')).items;
    const { count, invalid, sum, min, max, last, distinct, sums } = params.order_total;
    assert.deepEqual([count, invalid, sum, min, max, last, distinct], [3, 1, 1312.45, 12.5, 1299.95, '1299.95 EUR', 2]);
    assert.deepEqual(sums, { EUR: 1312.45 });
    assert.deepEqual(users, [params.login.last], 'a parameter with the role of the user names the user');
    assert.deepEqual(flows.map(({ flow, requests, percent }) => [flow, requests, percent]), [['checkout', 3, 75], ['auth', 1, 25]]);
  });

  for (const [query, sessions, found] of [
    ['param.order_total=gt:1000', 1, 1], ['param.order_total=lt:6', 1, 1], ['param.order_total=eq:12.50', 1, 1],
    ['param.order_total=gt:1+EUR&param.item=pot', 1, 1], ['param.order_total=gt:1000&param.item=tea', 1, 0],
    [`param.card=${CARD}`, 2, 2], ['param.card=4111', 0, 0], ['param.login=ann', 1, 1], ['flow=checkout', 2, 4],
    ['param.item!=tea', 1, 5], ['param.unknown=1', 0, 0],
  ]) {
    test(`are found by ${query}`, async () => {
      assert.equal((await all(pair, `sessions?${query}`)).length, sessions, 'sessions');
      assert.equal((await events(query)).length, found, 'events');
      assert.equal((await ask(pair, `stats?${query}`)).total.requests, found, 'stats');
    });
  }

  test('that cannot be compared are refused by name', async () => {
    assert.equal((await problem(await pair.admin('api/v1/events?param.item=gt:tea'), 400)).parameter, 'param.item');
    assert.equal((await problem(await pair.admin('api/v1/events?param.=1'), 400)).parameter, 'param.');
  });

  test('are added up by country and by flow', async () => {
    const { total, buckets } = await ask(pair, 'stats?param=order_total&group_by=country');
    assert.deepEqual([total.count, total.sum, total.sums], [3, null, { EUR: 1312.45, USD: 5 }]);
    assert.deepEqual(buckets.map(({ group, count, sum }) => [group, count, sum]), [['AT', 1, 5], ['DE', 2, 1312.45]]);
    const flows = (await ask(pair, 'stats?group_by=flow')).buckets.map(({ group, requests }) => [group, requests]);
    assert.deepEqual(flows, [[null, 1], ['auth', 1], ['checkout', 4]]);
    assert.ok(!('sum' in (await ask(pair, 'stats')).total));
  });

  test('above a threshold are told', async () => {
    const [{ findings }] = await events('detector=param_threshold');
    const { detector, value, baseline, severity } = findings[0];
    assert.deepEqual([detector, value, baseline, severity], ['param_threshold', 1299.95, 1000, 'medium']);
  });

  test('stored hashed or dropped are found nowhere in the clear', async () => {
    const answers = ['sessions', 'events', 'stats?param=card', 'findings', 'policy', 'audit'];
    const shown = [await (await pair.admin('metrics')).text(), await (await pair.admin('console/')).text()];
    // A dry run reads it, and a refusal was made of it.
    const body = { mimeType: 'application/json', text: JSON.stringify({ card: CARD, note: NOTE }) };
    const har = { log: { entries: [{ request: { method: 'POST', url: 'https://shop.test/api/orders', headers: [], postData: body } }] } };
    const dry = (order) => pair.admin('api/v1/replay', { method: 'POST', body: JSON.stringify(order) });
    shown.push(await (await dry({ policy: { WATCHES: [{ parameter: 'card', kind: 'distinct', above: 1 }] }, har })).text());
    shown.push(await (await dry({ policy: { WATCHES: [{ parameter: 'none', kind: 'distinct', above: 1 }] }, har })).text());
    shown.push(pair.worker.logs());
    for (const path of answers) shown.push(await (await pair.admin(`api/v1/${path}`)).text());
    const files = readdirSync(storage, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    shown.push(...files.map((entry) => readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'latin1')));
    for (const secret of [CARD, NOTE]) assert.ok(shown.every((text) => !text.includes(secret)), secret);
  });
});

describe('orders by region', { skip: notOurs }, () => {
  const PLACES = [['DE', 3320], ['AT', 8447], ['FR', 3215], ['US', 7018], ['BR', 28573]];
  const T0 = Date.UTC(2026, 0, 5, 10);
  const USUAL_MINUTES = 70;
  const START = T0 + USUAL_MINUTES * MINUTE;

  /** An hour and more of ordinary trade from five countries, then `orders` within 45 seconds, from `places` in turn. */
  async function sale(places, orders) {
    const pair = await startPair({ answer: shop, vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true,
      PARAMETERS: [{ name: 'order_total', from: 'request.body#/total', on: 'POST /api/orders', type: 'number' }], LIMITS: { flush_ms: 20 } } });
    let sent = 0;
    const buy = async ([country, asn], n, time) => {
      const at = PLACES.findIndex(([known]) => known === country) + 1;
      const visitor = client(pair, { ip: `203.0.${at}.7`, country, asn, cookie: `sid=${country}${n}` });
      await visitor('/api/products', { time });
      await post(visitor, '/api/orders', { total: 40 }, { time: time + 200 });
      sent += 2;
    };
    for (let minute = 0; minute < USUAL_MINUTES; minute += 1) {
      for (const [i, place] of PLACES.entries()) await buy(place, minute, T0 + minute * MINUTE + i * 1_000);
    }
    for (let n = 0; n < orders; n += 1) await buy(places[n % places.length], 1_000 + n, START + Math.round(n * 45_000 / orders));
    await recorded(pair, sent);
    return pair;
  }

  test('a surge from one of them is told within a minute and leads to who is behind it', async () => {
    const pair = await sale([['BR', 28573]], 60);
    try {
      const told = await all(pair, 'events?detector=region_surge&order=asc');
      assert.ok(told.length > 20, `${told.length} orders of the surge`);
      const [finding] = told[0].findings.filter(({ detector }) => detector === 'region_surge');
      assert.ok(Date.parse(finding.time) - START <= MINUTE, finding.time);
      assert.match(finding.message, /^order_total from BR /);
      assert.ok(finding.value > 4 * finding.baseline);
      assert.equal(finding.evidence.length, 10);
      for (const { request } of finding.evidence) {
        const [event] = (await ask(pair, `events?request=${request}`)).items;
        const calls = await all(pair, `sessions/${event.session}/events`);
        assert.deepEqual(calls.map(({ endpoint }) => endpoint.replace(/ [^/]+/, ' ')), ['GET /api/products', 'POST /api/orders']);
        assert.deepEqual([calls[1].country, calls[1].ip, calls[1].params.order_total], ['BR', '203.0.5.7', 40]);
      }
      const behind = await all(pair, 'sessions?detector=region_surge');
      assert.ok(behind.every(({ ips, params }) => ips[0].country === 'BR' && params.order_total.sum === 40));
      const { buckets } = await ask(pair, `stats?param=order_total&group_by=country&from=${new Date(START).toISOString()}`);
      assert.deepEqual(buckets.map(({ group, count, sum }) => [group, count, sum]), [['BR', 60, 2400]]);
      await waitFor(async () => (await ask(pair, 'findings?detector=region_surge')).items.length > 0, { what: 'the finding in the feed' });
    } finally {
      await pair.stop();
    }
  });

  test('a flash sale with customers from everywhere is none', async () => {
    const pair = await sale(PLACES, 150);
    try {
      assert.deepEqual(await all(pair, 'sessions?detector=region_surge'), []);
      assert.deepEqual(await all(pair, 'sessions?state=flagged'), []);
    } finally {
      await pair.stop();
    }
  });
});
