// A real Chromium for the tests of the console, and a page that notices whatever must never happen in it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

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
