// What holds for every view of the console, in a real Chromium against the built Worker: filters, roles, keys,
// accessibility, narrow screens, and that what clients send stays text.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPair, waitFor } from '../workerd/harness.mjs';
import { ask, client, recorded } from '../workerd/scene.mjs';
import { openPage, serious, show, signIn, startBrowser } from './chromium.mjs';

const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>'\`javascript:alert(3)`;
const VIEWS = ['', 'sessions', 'findings', 'endpoints', 'documents', 'subjects', 'blocks', 'replay', 'audit', 'settings'];
/** This one keeps a stream open: the network is never idle. */
const STREAMING = 'events';

describe('the console', () => {
  let pair;
  let browser;
  before(async () => {
    browser = await startBrowser();
    pair = await startPair({ vars: { MODE: 'enforce', DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20 },
      PARAMETERS: [{ name: 'order_total', from: 'request.query.total', type: 'number' }] } });
    const scanner = client(pair, { ip: '203.0.113.66', country: 'NL', asn: 64500, cookie: 'sid=scanner' });
    const colleague = client(pair, { ip: '203.0.113.66', country: 'NL', asn: 64500, cookie: 'sid=colleague' });
    const buyer = client(pair, { ip: '198.51.100.7', country: 'DE', asn: 3320, cookie: 'sid=buyer' });
    const odd = client(pair, { ip: '198.51.100.8', agent: `Mozilla/5.0 ${HOSTILE}`, cookie: 'sid=odd' });
    let sent = 0;
    const send = async (who, target, options) => { await who(target, options); sent += 1; };
    for (let i = 0; i < 14; i += 1) await send(scanner, `/backup/${i}/dump.sql`, { status: 404 });
    await send(colleague, '/api/products');
    for (let i = 0; i < 60; i += 1) await send(buyer, `/api/orders?total=${i * 10}`);
    await send(odd, `/api/${encodeURIComponent(HOSTILE)}`);
    await send(odd, '/api/search', { headers: [['Referer', `https://x.test/${encodeURIComponent(HOSTILE)}`], ['X-Odd', HOSTILE]] });
    await recorded(pair, sent);
    await waitFor(async () => (await ask(pair, 'findings')).items.length > 0, { what: 'a finding in the feed', timeout: 20_000 });
  });
  after(async () => {
    await browser?.close();
    await pair?.stop();
  });

  const open = (options) => openPage(browser, pair.worker.url, options);

  test('filters are made by clicking values, stand in the address, and come back with it', async () => {
    const { page, troubles, close } = await open();
    await signIn(page, pair.worker.url, pair.tokens.viewer, 'sessions');
    await page.locator('tbody tr').first().waitFor();
    const all = await page.locator('tbody tr').count();
    assert.ok(all >= 4, `${all} sessions`);
    await page.locator('tbody').getByText('DE', { exact: true }).first().click();
    await page.waitForURL(/country=DE/);
    await page.getByRole('list', { name: 'Filters' }).getByText('country = DE').waitFor();
    await waitFor(async () => (await page.locator('tbody tr').count()) === 1, { what: 'one session' });
    await page.getByRole('list', { name: 'Filters' }).getByText('country = DE').click();
    await waitFor(async () => (await page.locator('tbody tr').count()) === all - 1, { what: 'the other sessions' });
    const address = page.url().slice(page.url().indexOf('/console/') + 9);
    assert.deepEqual(troubles, []);
    await close();
    const again = await open();
    await signIn(again.page, pair.worker.url, pair.tokens.viewer, address);
    await waitFor(async () => (await again.page.locator('tbody tr').count()) === all - 1, { what: 'the shared filter' });
    await again.close();
  });

  test('a viewer is offered nothing a viewer may not do, and an unknown token nothing at all', async () => {
    const { page, close } = await open();
    await signIn(page, pair.worker.url, pair.tokens.viewer, 'sessions');
    await page.locator('tbody tr a').first().click();
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Block', exact: true }).count(), 0);
    await page.goto(`${pair.worker.url}/_throughline/console/sessions`);
    await page.getByLabel('Token').fill('not-a-token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.getByRole('navigation', { name: 'Views' }).count(), 0);
    await close();
  });

  test('the keyboard leads through a list', async () => {
    const { page, close } = await open();
    await signIn(page, pair.worker.url, pair.tokens.admin, 'sessions');
    await page.locator('tbody tr').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('b');
    await page.waitForURL(/\/console\/blocks$/);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await close();
  });

  test('the overview tells surges, and the risk that findings added', async () => {
    const { page, close } = await open();
    await signIn(page, pair.worker.url, pair.tokens.admin);
    await show(page, '');
    await page.getByText('No country or network brought more than it is used to.').waitFor();
    const { items } = await ask(pair, 'findings?from=-24h&limit=500');
    const added = items.reduce((sum, { risk_added: risk }) => sum + risk, 0);
    assert.ok(added > 0);
    const chart = page.locator('figure', { has: page.getByText('Risk that findings added') });
    const told = await chart.locator('tbody td').allTextContents();
    assert.equal(told.reduce((sum, value) => sum + Number(value.replaceAll(/\D/g, '')), 0), added);
    await close();
  });

  test('what clients send is text in every view', async () => {
    const { page, troubles, close } = await open();
    await signIn(page, pair.worker.url, pair.tokens.admin);
    const { items: [odd] } = await ask(pair, 'sessions?ip=198.51.100.8');
    for (const view of [...VIEWS, `sessions/${odd.id}`, 'subjects/ip/198.51.100.8', `sessions?q=${encodeURIComponent(HOSTILE)}`]) {
      await show(page, view);
    }
    await show(page, `sessions/${odd.id}`);
    await page.getByText('onerror=alert(1)').first().waitFor();
    assert.equal(await page.locator('img').count(), 0);
    assert.deepEqual(troubles, []);
    await close();
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing serious, ${colorScheme}`, async () => {
      const { page, troubles, close } = await open({ colorScheme });
      await signIn(page, pair.worker.url, pair.tokens.admin);
      const [{ items: [session] }, { items: [endpoint] }] = await Promise.all([ask(pair, 'sessions?ip=203.0.113.66'), ask(pair, 'endpoints')]);
      for (const view of [...VIEWS, `sessions/${session.id}`, `endpoints/${endpoint.id}`, 'subjects/ip/203.0.113.66', 'nothing', STREAMING]) {
        await show(page, view);
        assert.deepEqual(await serious(page), [], view);
      }
      await page.locator('.path button').first().click();
      assert.deepEqual(await serious(page), [], 'an event');
      assert.deepEqual(troubles.filter((trouble) => !/Trusted/.test(trouble)), []);
      await close();
    });
  }

  test('everything fits a narrow screen', async () => {
    const { page, close } = await open({ viewport: { width: 360, height: 740 } });
    await signIn(page, pair.worker.url, pair.tokens.admin);
    const { items: [endpoint] } = await ask(pair, 'endpoints');
    for (const view of [...VIEWS, `endpoints/${endpoint.id}`, STREAMING]) {
      await show(page, view);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${view || 'overview'} is ${wide} px wider than the screen`);
    }
    await close();
  });

  test('its files are served with a strict policy, and to the admin host alone', async () => {
    const answer = await fetch(`${pair.worker.url}/_throughline/console/`);
    assert.equal(answer.status, 200);
    const policy = answer.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
    assert.doesNotMatch(await answer.text(), /<script(?![^>]*\bsrc=)|style=/);
    const known = await fetch(`${pair.worker.url}/_throughline/console/app.js`, { headers: { 'If-None-Match': (await fetch(`${pair.worker.url}/_throughline/console/app.js`)).headers.get('etag') } });
    assert.equal(known.status, 304);
    assert.equal((await fetch(`${pair.worker.url}/_throughline/console/`, { method: 'POST' })).status, 405);
    const html = await fetch(`${pair.worker.url}/_throughline/`, { headers: { Accept: 'text/html' }, redirect: 'manual' });
    assert.deepEqual([html.status, html.headers.get('location')], [302, '/_throughline/console/']);
  });
});
