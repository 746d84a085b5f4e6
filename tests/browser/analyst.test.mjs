// The analyst's whole way: an alert arrives, its session is read, its neighbours are looked at, it is blocked and shared, the
// link is opened by somebody without a token, and the block is lifted.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { startPair, waitFor } from '../workerd/harness.mjs';
import { ask, client, recorded } from '../workerd/scene.mjs';
import { openPage, serious, signIn, startBrowser } from './chromium.mjs';

let pair;
let browser;
let receiver;
const alerts = [];

before(async () => {
  receiver = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    alerts.push(JSON.parse(body));
    response.end();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  browser = await startBrowser();
  pair = await startPair({ vars: {
    MODE: 'enforce', DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20 }, DETECTORS: { forced_browsing: { action: 'tag' } }, WEBHOOK_SECRET: 'a-secret-of-the-receiver-0123456789',
    ALERTS: [{ name: 'scans', detectors: ['forced_browsing'], min_severity: 'info', to: `http://127.0.0.1:${receiver.address().port}/` }],
  } });
});
after(async () => {
  await browser?.close();
  await pair?.stop();
  receiver.close();
  receiver.closeAllConnections();
});

test('from an alert to the session, its neighbours, a block, a shared link and the end of the block', async () => {
  const scanner = client(pair, { ip: '203.0.113.66', country: 'NL', asn: 64500, cookie: 'sid=scanner' });
  const colleague = client(pair, { ip: '203.0.113.66', country: 'NL', asn: 64500, cookie: 'sid=colleague' });
  await colleague('/api/products');
  for (let n = 0; n < 14; n += 1) await scanner(`/backup/${n}/dump.sql`, { status: 404 });
  await recorded(pair, 15);
  const [alert] = await waitFor(() => alerts.length > 0 && alerts, { what: 'the alert', timeout: 20_000 });
  assert.deepEqual([alert.type, alert.data.rule, alert.data.finding.detector], ['finding.created', 'scans', 'forced_browsing']);

  const { page, troubles, close } = await openPage(browser, pair.worker.url);
  const began = Date.now();
  await signIn(page, pair.worker.url, pair.tokens.admin, `sessions/${alert.data.session}`);
  await page.getByRole('heading', { name: 'Timeline' }).waitFor();
  await page.getByText('/backup/13/dump.sql').locator('visible=true').first().waitFor();
  await page.getByText(alert.data.finding.message).first().waitFor();

  const { items: [{ id: near }] } = await ask(pair, 'sessions?ip=203.0.113.66&detector!=forced_browsing');
  await page.getByRole('heading', { name: 'Neighbours' }).waitFor();
  await page.locator(`a[href*="${near}"]`).first().click();
  await page.getByText('/api/products').locator('visible=true').first().waitFor();
  await page.goBack();
  await page.getByText('/backup/13/dump.sql').locator('visible=true').first().waitFor();

  // By the keyboard alone.
  await page.keyboard.press('b');
  await page.getByRole('dialog', { name: 'Block or throttle' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.placeholder), 'for the audit log');
  await page.keyboard.type('a scanner');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Unblock' }).waitFor();
  const { items: [block] } = await ask(pair, 'blocks');
  assert.deepEqual([block.value, block.action, block.reason, block.by], [alert.data.session, 'block', 'a scanner', 'admin']);
  await waitFor(async () => (await scanner('/backup/again')).status === 403, { what: 'the scanner to be stopped' });
  assert.equal((await colleague('/api/products')).status, 200);

  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await page.getByLabel('Note').fill('for the shift lead');
  await page.getByRole('button', { name: 'Make the link' }).click();
  const link = await page.getByLabel('Link').inputValue();
  await page.keyboard.press('Escape');
  const guest = await openPage(browser, pair.worker.url);
  await guest.page.goto(link);
  await guest.page.getByText('for the shift lead').waitFor();
  await guest.page.getByText('/backup/13/dump.sql').locator('visible=true').first().waitFor();
  for (const name of ['Block', 'Unblock', 'Share', 'True positive', 'Sign in']) assert.equal(await guest.page.getByRole('button', { name, exact: true }).count(), 0, name);
  assert.equal(await guest.page.getByRole('navigation').count(), 0);
  assert.deepEqual(await serious(guest.page), []);
  assert.deepEqual(guest.troubles.filter((trouble) => !/Trusted/.test(trouble)), []);
  await guest.close();

  await page.getByRole('button', { name: 'Unblock' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click();
  await waitFor(async () => (await page.getByRole('button', { name: 'Unblock' }).count()) === 0, { what: 'the end of the block to be shown' });
  assert.deepEqual((await ask(pair, 'blocks')).items, []);
  await waitFor(async () => (await scanner('/backup/again')).status !== 403, { what: 'the scanner to be let through' });
  const acts = (await ask(pair, 'audit')).items.map(({ act, actor }) => [act, actor]).reverse();
  assert.deepEqual(acts.map(([act]) => act), ['block', 'share', 'open', 'allow'], JSON.stringify(acts));
  assert.deepEqual(troubles, []);
  assert.ok(Date.now() - began < 60_000, `${Date.now() - began} ms`);
  await close();
});
