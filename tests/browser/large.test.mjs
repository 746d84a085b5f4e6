// The console over much: a million sessions are paged, a session of 100,000 events scrolls. The API behind it is
// generated; scripts/bench console says how long the first view takes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { waitFor } from '../workerd/harness.mjs';
import { faults } from '../workerd/schema.mjs';
import { openPage, signIn, startBrowser } from './chromium.mjs';
import { SCHEMAS, answer, session, startGenerated } from './generated.mjs';

const SESSIONS = 1_000_000;
const EVENTS = 100_000;
const MOST_ROWS = 120; // in the document at once, however long the list

describe('the console over much', () => {
  let api;
  let browser;
  before(async () => { [api, browser] = await Promise.all([startGenerated({ sessions: SESSIONS, events: EVENTS }), startBrowser()]); });
  after(() => Promise.all([browser?.close(), api?.stop()]));

  test('is tested with answers of the shape that the API gives', () => {
    const document = JSON.parse(readFileSync(new URL('../../src/api/openapi.json', import.meta.url), 'utf8'));
    const size = { sessions: SESSIONS, events: EVENTS };
    for (const [list, schema] of Object.entries(SCHEMAS)) {
      assert.deepEqual(faults(document, document.components.schemas[schema], answer(`api/v1/${list}`, new URLSearchParams('limit=500'), size)), [], list);
    }
    assert.deepEqual(faults(document, document.components.schemas.Session, session(97, EVENTS)), []);
  });

  test('a million sessions are shown page by page, and no page asks for all of them', async () => {
    const { page, troubles, close } = await openPage(browser, api.url);
    await signIn(page, api.url, 'token', 'sessions');
    const rows = page.locator('tbody tr');
    await waitFor(async () => (await rows.count()) === 50, { what: 'the first page' });
    await page.getByRole('button', { name: 'More sessions' }).click();
    await waitFor(async () => (await rows.count()) === 100, { what: 'the second page' });
    const limits = api.asked.filter((path) => path.startsWith('api/v1/sessions')).map((path) => Number(new URLSearchParams(path.split('?')[1]).get('limit')));
    assert.ok(limits.length >= 2 && limits.every((limit) => limit === 50), limits.join());
    assert.deepEqual(troubles, []);
    await close();
  });

  test('5,000 endpoints are shown page by page, and each opens with what is known of it', async () => {
    const { page, troubles, close } = await openPage(browser, api.url);
    await signIn(page, api.url, 'token', 'endpoints');
    const rows = page.locator('tbody tr');
    await waitFor(async () => (await rows.count()) === 100, { what: 'the first page' });
    await page.getByRole('button', { name: 'More endpoints' }).click();
    await waitFor(async () => (await rows.count()) === 200, { what: 'the second page' });
    await page.getByRole('link', { name: /part-150\// }).click();
    for (const text of ['in no document', 'no authentication', 'iban', 'query <b>total</b>: number']) await page.getByText(text, { exact: true }).waitFor();
    assert.deepEqual(troubles, []);
    await close();
  });

  test('a session of 100,000 events scrolls from its first to its last, with few rows in the document', async () => {
    const { page, troubles, close } = await openPage(browser, api.url);
    await signIn(page, api.url, 'token', `sessions/${session(97).id}`);
    const timeline = page.getByRole('region', { name: 'Events of the session' });
    await timeline.getByText('/api/orders/0', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Load all' }).click();
    await page.getByRole('button', { name: 'Stop loading' }).waitFor({ state: 'detached', timeout: 120_000 });
    assert.equal(await timeline.getByRole('table').getAttribute('aria-rowcount'), String(EVENTS + 1));
    const shown = async (event) => {
      await timeline.getByText(`/api/orders/${event}`, { exact: true }).waitFor();
      const drawn = await timeline.getByRole('row').count();
      assert.ok(drawn <= MOST_ROWS, `${drawn} rows`);
    };
    for (const part of [0.25, 0.5, 0.75, 1, 0]) {
      await timeline.evaluate((element, to) => { element.scrollTop = to * element.scrollHeight; }, part);
      await shown(Math.min(EVENTS - 1, Math.round(part * EVENTS)));
    }
    await timeline.evaluate((element) => { element.scrollTop = element.scrollHeight; });
    await shown(EVENTS - 1);
    await timeline.getByText(`/api/orders/${EVENTS - 1}`, { exact: true }).click();
    await page.getByRole('dialog', { name: 'Event' }).getByText('forced browsing').first().waitFor();
    assert.deepEqual(troubles, []);
    await close();
  });

  test('the keyboard walks through such a session row by row', async () => {
    const { page, close } = await openPage(browser, api.url);
    await signIn(page, api.url, 'token', `sessions/${session(97).id}`);
    const timeline = page.getByRole('region', { name: 'Events of the session' });
    await timeline.getByText('/api/orders/0', { exact: true }).waitFor();
    await timeline.getByRole('row').nth(1).evaluate((row) => { row.classList.add('current'); row.focus(); });
    // A key that comes before the next rows are drawn waits at the last one; none is passed over.
    let now = 0;
    await waitFor(async () => {
      await page.keyboard.press('j');
      const [, next] = /\/api\/orders\/(\d+)/.exec(await timeline.locator('.current .path').textContent());
      assert.ok(next - now <= 1, `from row ${now} to ${next}`);
      now = Number(next);
      return now === 60;
    }, { what: 'row 60', interval: 1 });
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Event' }).waitFor();
    await close();
  });
});
