// A real Chromium for the tests of the console, and a page that notices whatever must never happen in it.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts the browser. */
export function startBrowser() {
  const executablePath = PLACES.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Debian's package chromium is missing; scripts/test installs it");
  // As root there is no sandbox; what is opened is ours and on loopback.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

/**
 * A page of its own context: { page, troubles, close }. `troubles` lists what went wrong: errors of the program,
 * violations of the content security policy, dialogs, requests to other hosts.
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  const troubles = [];
  const { host } = new URL(url);
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => { troubles.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (message) => { if (/Content.Security.Policy|Trusted Type/i.test(message.text())) troubles.push(`policy: ${message.text()}`); });
  page.on('request', (request) => {
    if (!request.url().startsWith('data:') && new URL(request.url()).host !== host) troubles.push(`request to ${request.url()}`);
  });
  return { page, troubles, close: () => context.close() };
}

/** Opens the console and signs in. */
export async function signIn(page, url, token, path = '') {
  await page.goto(`${url}/_throughline/console/${path}`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
}

/** Goes to a view from inside the page: the token lives in its memory only, and loading it anew would lose it. */
export async function show(page, view) {
  await page.evaluate((to) => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }, `/_throughline/console/${view}`);
  await page.waitForLoadState('networkidle');
}

/** What axe finds that is serious or critical, as [id, elements]. */
export async function serious(page) {
  // Evaluated from outside the page's own policy, like a debugger.
  const session = await page.context().newCDPSession(page);
  await session.send('Page.setBypassCSP', { enabled: true });
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html.slice(0, 200))]);
}
