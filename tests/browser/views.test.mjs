// What an analyst does in single views, in a real Chromium against the built Worker: triage, replay, the live stream, an
// endpoint and its documents, exports, saved views, shared lists.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { startPair, waitFor } from '../workerd/harness.mjs';
import { ask, client, recorded } from '../workerd/scene.mjs';
import { openPage, serious, signIn, startBrowser } from './chromium.mjs';

const DOCUMENT = (version, more = {}) => JSON.stringify({ openapi: '3.1.0', info: { title: 'Shop', version },
  paths: { '/api/orders/{id}': { get: { responses: { 200: { description: 'an order' } } } }, ...more } });

describe('the views of the console', () => {
  let pair;
  let browser;
  let ann;
  let sent = 0;
  before(async () => {
    browser = await startBrowser();
    pair = await startPair({ vars: {
      DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20 }, SESSION_KEYS: [{ from: 'request.cookie.sid' }],
      PARAMETERS: [{ name: 'total', from: 'request.query.total', type: 'number' }], WATCHES: [{ parameter: 'total', kind: 'threshold', above: 900 }],
    } });
    const scanner = client(pair, { ip: '203.0.113.66', country: 'NL', asn: 64500, cookie: 'sid=scanner' });
    ann = client(pair, { ip: '198.51.100.7', country: 'DE', asn: 3320, cookie: 'sid=ann' });
    for (let n = 0; n < 14; n += 1) await scanner(`/backup/${n}/dump.sql`, { status: 404 });
    for (let n = 0; n < 12; n += 1) await ann(`/api/orders/${n}?total=${n * 90}`);
    sent = 26;
    await recorded(pair, sent);
    await waitFor(async () => (await ask(pair, 'findings')).items.length > 1, { what: 'findings in the feed', timeout: 20_000 });
  });
  after(async () => {
    await browser?.close();
    await pair?.stop();
  });

  /** Opens a view as `role` and fails, when closed, if anything went wrong in it. */
  async function open(view, { role = 'admin', ...options } = {}) {
    const { page, troubles, close } = await openPage(browser, pair.worker.url, options);
    await signIn(page, pair.worker.url, pair.tokens[role], view);
    return { page, done: async () => { assert.deepEqual(troubles.filter((trouble) => !/Trusted/.test(trouble)), []); await close(); } };
  }

  test('a finding is triaged by the keyboard, with a note, and leaves the queue of those that are not', async () => {
    const { page, done } = await open('findings?detector=forced_browsing');
    const entry = page.locator('.entry').first();
    await entry.waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('f');
    const dialog = page.getByRole('dialog', { name: 'False positive' });
    await dialog.waitFor();
    assert.deepEqual(await serious(page), []);
    await page.keyboard.type('our own crawler');
    await page.keyboard.press('Enter');
    await entry.locator('.badge').getByText('false positive').waitFor();
    await entry.getByText('our own crawler').waitFor();
    await entry.getByText('EXCEPTIONS').waitFor();
    assert.equal(await entry.getByRole('button', { name: 'False positive' }).count(), 0);
    const { items: [label] } = await ask(pair, 'labels');
    assert.deepEqual([label.kind, label.label, label.note, label.by], ['finding', 'false_positive', 'our own crawler', 'admin']);

    await page.getByLabel('Not triaged').check();
    await page.waitForURL(/label%21=true_positive&label%21=false_positive/);
    await waitFor(async () => {
      const { items } = await ask(pair, 'findings?detector=forced_browsing&label!=true_positive&label!=false_positive');
      return (await page.locator('.entry').count()) === items.length && !items.some(({ id }) => id === label.id);
    }, { what: 'the queue without it' });
    await done();
  });

  test('a session is triaged, and sessions are found by it', async () => {
    const { items: [{ id }] } = await ask(pair, 'sessions?ip=203.0.113.66');
    const { page, done } = await open(`sessions/${id}`);
    await page.locator('.summary').getByRole('button', { name: 'True positive' }).click();
    await page.getByLabel('Note').fill('a scan');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.summary .badge').getByText('true positive').waitFor();
    await done();
    const list = await open('sessions?label=true_positive', { role: 'viewer' });
    await waitFor(async () => (await list.page.locator('tbody tr').count()) === 1, { what: 'the one session' });
    assert.equal(await list.page.locator(`tbody a[href*="${id}"]`).count(), 1);
    await list.done();
  });

  test('a viewer sees labels and cannot put any', async () => {
    const { page, done } = await open('findings', { role: 'viewer' });
    await page.locator('.entry').first().waitFor();
    for (const name of ['True positive', 'False positive']) assert.equal(await page.getByRole('button', { name }).count(), 0, name);
    await done();
  });

  test('a changed policy is tried over stored sessions, and says what would be more and less', async () => {
    const { page, done } = await open('replay', { role: 'viewer' });
    await page.getByLabel('Changed sections').fill(JSON.stringify({ WATCHES: [{ parameter: 'total', kind: 'threshold', above: 100, action: 'block' }] }));
    await page.getByRole('button', { name: 'Try it' }).click();
    const changes = page.getByRole('region', { name: 'What would change' });
    await changes.getByRole('heading', { name: 'What would change', exact: true }).waitFor();
    const [{ id }] = (await ask(pair, 'sessions?ip=198.51.100.7')).items;
    const row = changes.getByRole('row').filter({ hasText: 'param threshold' });
    await row.locator(`a[href*="${id}"]`).waitFor();
    const blocked = await changes.getByRole('row').filter({ hasText: 'Blocked' }).getByRole('cell').allTextContents();
    assert.ok(Number(blocked[1]) > Number(blocked[0]), blocked.join());
    assert.deepEqual(await serious(page), []);
    await page.getByLabel('Changed sections').fill('{"WATCHES":[{"parameter":"nothing","kind":"threshold","above":1}]}');
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByRole('alert').getByText('policy.WATCHES[0].parameter').waitFor();
    await done();
  });

  test('a replay can be stopped, and says how far it came', async () => {
    const { page, done } = await open('replay');
    // The second answer never comes.
    let asked = 0;
    await page.route('**/api/v1/replay', async (route) => {
      asked += 1;
      if (asked > 1) return;
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), next: 'more' } });
    });
    await page.getByLabel('Changed sections').fill('{"WATCHES":[]}');
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByRole('heading', { name: 'What would change, so far' }).waitFor();
    await page.getByRole('progressbar', { name: 'sessions tried' }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText(/Stopped after 2 of about 2 sessions/).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Try it' }).isEnabled(), true);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await done();
  });

  test('changed keys are tried over a HAR file', async () => {
    const { page, done } = await open('replay');
    const entry = (path, device) => ({ startedDateTime: '2026-11-23T12:00:00.000Z', request: { method: 'GET', url: `https://shop.test${path}`,
      headers: [{ name: 'Cookie', value: 'sid=ann' }, { name: 'X-Device', value: device }] }, response: { status: 200, headers: [], content: {} } });
    await page.getByLabel('Changed sections').fill('{"SESSION_KEYS":[{"from":"request.header.x-device"}]}');
    const har = { log: { version: '1.2', creator: {}, entries: [entry('/a', 'd1'), entry('/b', 'd2')] } };
    await page.getByLabel('Or over a HAR file').setInputFiles({ name: 'x.har', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(har)) });
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByText('The exchanges fall into 1 sessions now, and into 2 then.').waitFor();
    await done();
  });

  test('requests stream in, wait while paused, and are shown afterwards', async () => {
    const { page, done } = await open('events');
    const region = page.getByRole('region', { name: 'Events' });
    await region.getByText('/api/orders/11', { exact: true }).waitFor();
    await page.getByText(/^Live/).waitFor();
    await ann('/live/1');
    await region.getByText('/live/1', { exact: true }).waitFor();
    await page.keyboard.press('p');
    await page.getByText(/^Paused/).waitFor();
    await ann('/live/2');
    await ann('/live/3');
    await page.getByText('Paused, 2 waiting').waitFor();
    assert.equal(await region.getByText('/live/2', { exact: true }).count(), 0);
    await page.keyboard.press('p');
    await region.getByText('/live/3', { exact: true }).waitFor();
    const paths = await region.locator('.path').allTextContents();
    assert.deepEqual(paths.slice(0, 4), ['/live/3', '/live/2', '/live/1', '/api/orders/11'], 'newest first, each once');
    sent += 3;
    await done();
  });

  test('a filter holds for what streams in too', async () => {
    const { page, done } = await open('events?status=404');
    const region = page.getByRole('region', { name: 'Events' });
    await region.getByText('/backup/13/dump.sql', { exact: true }).waitFor();
    await page.getByText(/^Live/).waitFor();
    await ann('/fine/1');
    await ann('/gone/1', { status: 404 });
    await region.getByText('/gone/1', { exact: true }).waitFor();
    assert.equal(await region.getByText('/fine/1', { exact: true }).count(), 0);
    sent += 2;
    await done();
  });

  test('documents are uploaded and compared, and an endpoint says what it is to them and who uses it', async () => {
    const { page, done } = await open('documents');
    await page.getByLabel('File').setInputFiles({ name: 'shop.json', mimeType: 'application/json', buffer: Buffer.from(DOCUMENT('1')) });
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('rowheader', { name: 'Shop' }).waitFor();
    await page.getByLabel('Or its text').fill(DOCUMENT('2', { '/api/carts': { post: { responses: { 201: { description: 'a cart' } } } } }));
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByText('Against 1:').waitFor();
    await page.getByText('POST /api/carts').first().waitFor();
    await page.getByLabel('Or its text').fill('{"openapi":"2.0"}');
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('alert').waitFor();

    await page.keyboard.press('Tab');
    await page.getByRole('link', { name: 'Endpoints' }).click();
    await page.getByLabel('Inventory').selectOption('documented');
    await page.waitForURL(/inventory=documented/);
    await page.getByRole('link', { name: /GET .*\/api\/orders\/\{id\}$/ }).click();
    await page.getByRole('heading', { name: 'Who uses it' }).waitFor();
    const [{ id }] = (await ask(pair, 'sessions?ip=198.51.100.7')).items;
    await page.locator(`td a, th a[href*="${id}"]`).first().waitFor();
    await page.getByText('Shop 2').first().waitFor();
    assert.deepEqual(await serious(page), []);

    await page.getByRole('link', { name: 'Documents' }).first().click();
    for (const left of [1, 0]) {
      await page.getByRole('button', { name: /remove document/ }).first().click();
      await waitFor(async () => (await page.getByRole('button', { name: /remove document/ }).count()) === left, { what: `${left} documents` });
    }
    await done();
  });

  test('a list and a session are exported as they are filtered', async () => {
    const { page, done } = await open('events?status=404&method=GET');
    const saved = async (format) => {
      await page.getByRole('button', { name: 'Export' }).first().click();
      const dialog = page.getByRole('dialog', { name: 'Export' });
      await dialog.getByLabel('Format').selectOption(format);
      const [download] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Export' }).click()]);
      await dialog.getByText(/saved/).waitFor();
      await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
      return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
    };
    const csv = await saved('csv');
    assert.equal(csv.name, 'throughline-events.csv');
    const { items } = await ask(pair, 'events?status=404&method=GET&limit=500');
    assert.equal(csv.text.trimEnd().split('\r\n').length, items.length + 1);
    assert.equal(JSON.parse((await saved('har')).text).log.entries.length, items.length);
    await done();
  });

  test('a view is saved, chosen again and forgotten', async () => {
    const { page, done } = await open('sessions?country=DE');
    await page.getByRole('button', { name: 'Save view' }).click();
    await page.getByLabel('Name').fill('Germany');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Forget view' }).waitFor();
    await page.getByRole('button', { name: 'Clear all' }).click();
    await page.waitForURL(/\/sessions$/);
    await page.getByLabel(/^View –/).selectOption('Germany');
    await page.waitForURL(/sessions\?country=DE$/);
    await page.getByRole('button', { name: 'Forget view' }).click();
    await page.getByRole('button', { name: 'Save view' }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem('throughline.views')), '[]');
    await done();
  });

  test('a shared list shows itself to somebody without a token until it is revoked', async () => {
    const { page, done } = await open('sessions?country=DE');
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    await page.getByRole('button', { name: 'Make the link' }).click();
    const link = await page.getByLabel('Link').inputValue();
    await page.keyboard.press('Escape');
    const guest = await openPage(browser, pair.worker.url);
    await guest.page.goto(link);
    await waitFor(async () => (await guest.page.locator('tbody tr').count()) === 1, { what: 'the one session' });
    await guest.page.locator('tbody th button').click();
    await guest.page.getByRole('heading', { name: 'Timeline' }).waitFor();
    assert.deepEqual(guest.troubles, []);
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('button', { name: /revoke the link/ }).click();
    await page.getByText('No link holds.').waitFor();
    await waitFor(async () => {
      await guest.page.reload();
      return (await guest.page.getByText('This link shows nothing any more').count()) > 0 || null;
    }, { what: 'the end of the link', interval: 500 });
    await guest.close();
    await done();
  });
});
