// Takes the pictures of the console that README.md shows: node scripts/support/screenshots.mjs [NAME...]
//
// The shop's audience plays from one seed at fixed times before the built Worker, under the shop's own policy and document;
// the browser's clock stands still, and the secret is always the same. So pictures change when the console, the detectors or the
// audience do, and hardly otherwise: how long requests took is measured. tests/browser/screenshots.test.mjs holds README.md to them.

import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { policy } from '../../examples/shop/policy.mjs';
import { startShop } from '../../examples/shop/server.mjs';
import { planTraffic, playTraffic } from '../../examples/shop/traffic.mjs';
import { openPage, show, signIn, startBrowser } from '../../tests/browser/chromium.mjs';
import { Api } from './api.mjs';
import { startWorker } from './runtime.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
/** Where they are, below the root. */
export const FOLDER = 'docs/console';
const SEED = 1;
const REQUESTS = 2_000;
const START_MS = Date.UTC(2026, 10, 23, 8);
const VISIBLE_LIMIT_MS = 30_000;
const SECRET = 'the-secret-of-the-screenshots-and-of-nothing-else';
const HOST = 'shop.example.com';
const REPLAY = '{\n  "DETECTORS": {\n    "forced_browsing": { "limit": 5, "action": "block", "for": "10m", "at": "session" }\n  }\n}';

/** Each picture: its view, the theme, and what is done before it is taken. */
export const PICTURES = {
  overview: { view: () => '?from=-6h', theme: 'light', prepare: (page) => page.locator('.finding').first().waitFor() },
  session: { view: ({ worst }) => `sessions/${worst.id}`, theme: 'dark', prepare: (page) => page.locator('.event.found').first().waitFor() },
  endpoints: { view: () => 'endpoints?sort=risk', theme: 'light', prepare: (page) => page.locator('tbody tr').first().waitFor() },
  replay: {
    view: () => 'replay', theme: 'dark',
    prepare: async (page) => {
      await page.getByLabel('Changed sections').fill(REPLAY);
      await page.getByRole('button', { name: 'Try it' }).click();
      await page.getByRole('heading', { name: 'What would change', exact: true }).waitFor({ timeout: 60_000 });
    },
  },
};

async function main(names) {
  const unknown = names.find((name) => !Object.hasOwn(PICTURES, name));
  if (unknown !== undefined) throw new Error(`no picture is called ${unknown}; there are: ${Object.keys(PICTURES).join(', ')}`);
  // So that what was played can be counted, all of it is recorded.
  const { ROUTES, ...sections } = policy();
  sections.ROUTES = ROUTES.filter(({ record }) => record !== 'off');
  const shop = await startShop();
  const worker = await startWorker({ vars: {
    ...sections, ORIGIN_URL: shop.url, SESSION_SECRET: SECRET, ADMIN_TOKEN: SECRET, DEV_CLIENT_HEADERS: 'true', DEV_CLOCK: 'true', ALERTS: [],
  } });
  const api = new Api({ url: worker.url, token: SECRET });
  const [browser, door] = await Promise.all([startBrowser(), named(worker.port)]);
  try {
    await api.post('documents', JSON.parse(readFileSync(join(ROOT, 'examples/shop/openapi.json'), 'utf8')));
    const plan = planTraffic({ seed: SEED, requests: REQUESTS });
    const truth = await playTraffic(plan, { baseUrl: `http://127.0.0.1:${door.address().port}`, simulateClock: true, clockStart: START_MS });
    const worst = await visible(api, truth.totals.requests);
    mkdirSync(join(ROOT, FOLDER), { recursive: true });
    for (const name of names.length > 0 ? names : Object.keys(PICTURES)) await take(browser, worker.url, name, { worst, end: START_MS + plan.durationMs });
  } finally {
    await browser.close();
    door.close();
    door.closeAllConnections();
    api.close();
    await worker.stop();
    await shop.close();
  }
}

/** A way to the Worker on which the shop has its name, whatever the port. */
async function named(port) {
  const door = createServer((asked, response) => {
    const headers = { ...asked.headers, host: HOST };
    asked.pipe(request({ port, method: asked.method, path: asked.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    }));
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  return door;
}

/** Waits until all of it is known; answers the session of the greatest risk. */
async function visible(api, requests) {
  const asked = { from: new Date(START_MS - 1).toISOString() };
  for (const until = Date.now() + VISIBLE_LIMIT_MS; ;) {
    const { total } = await api.get('stats', asked);
    // The fleet hears of it a little later.
    const counted = (await api.get('rollups', asked)).items.reduce((sum, item) => sum + item.requests, 0);
    const { items: [worst] } = await api.get('sessions', { sort: 'risk', limit: 1 });
    if (Math.min(total.requests, counted) >= requests) return worst;
    if (Date.now() > until) throw new Error(`${total.requests} of ${requests} requests are known, and ${counted} to the fleet`);
  }
}

async function take(browser, url, name, known) {
  const { view, theme, prepare } = PICTURES[name];
  const { page, troubles, close } = await openPage(browser, url, { colorScheme: theme, viewport: { width: 1180, height: 700 }, timezoneId: 'UTC' });
  await page.clock.install({ time: known.end });
  await signIn(page, url, SECRET);
  await show(page, view(known));
  await prepare(page);
  const file = join(ROOT, FOLDER, `${name}.png`);
  await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
  if (troubles.length > 0) throw new Error(`${name}: ${troubles.join('; ')}`);
  process.stderr.write(`· ${FOLDER}/${name}.png: ${readFileSync(file).length} bytes\n`);
  await close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
