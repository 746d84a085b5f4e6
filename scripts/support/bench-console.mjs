// `scripts/bench console`: how soon the console's first views are there over an API of a million sessions.
//
// - console.overview_ms, console.sessions_ms: from the click on "Sign in" until everything the view asked for is drawn, less
//   the time the API itself took for its slowest answer. Its answers are generated, in the sizes the API gives them.
// - console.scroll_ms: between two frames, at the slowest, while a session of 100,000 events is scrolled through.
//
// Medians of fresh pages in one Chromium, but for the slowest frame.

import { openPage, startBrowser } from '../../tests/browser/chromium.mjs';
import { session, startGenerated } from '../../tests/browser/generated.mjs';

const SIZE = { sessions: 1_000_000, events: 100_000 };
const TIMES = 7;
const VIEWS = {
  overview: { path: '', drawn: { '.totals dd': 3, canvas: 2, '.finding': 5, '.bars tbody tr': 12, '.panel meter': 6 } },
  sessions: { path: 'sessions', drawn: { 'tbody tr': 50 } },
};

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const figure = (name, value) => process.stdout.write(`figure console.${name} ${value.toFixed(0)} ms\n`);

const [api, browser] = await Promise.all([startGenerated(SIZE), startBrowser()]);
try {
  for (const [name, view] of Object.entries(VIEWS)) {
    const took = [];
    for (let n = 0; n < TIMES; n += 1) took.push(await first(view));
    figure(`${name}_ms`, median(took));
  }
  figure('scroll_ms', await slowestFrame());
} finally {
  await Promise.all([browser.close(), api.stop()]);
}

async function first({ path, drawn }) {
  const { page, close } = await openPage(browser, api.url);
  await page.goto(`${api.url}/_throughline/console/${path}`);
  await page.getByLabel('Token').fill('token');
  api.took();
  const ms = await page.evaluate((wanted) => new Promise((ready) => {
    const began = performance.now();
    const look = () => {
      const all = Object.entries(wanted).every(([selector, count]) => document.querySelectorAll(selector).length >= count);
      // The frame after the one in which it is there has it painted.
      if (all) requestAnimationFrame(() => ready(performance.now() - began));
      else requestAnimationFrame(look);
    };
    document.querySelector('form button').click();
    look();
  }), drawn);
  await close();
  return ms - api.took();
}

async function slowestFrame() {
  const { page, close } = await openPage(browser, api.url);
  await page.goto(`${api.url}/_throughline/console/sessions/${session(97).id}`);
  await page.getByLabel('Token').fill('token');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Load all' }).click();
  await page.getByRole('button', { name: 'Stop loading' }).waitFor({ state: 'detached', timeout: 120_000 });
  const slowest = await page.locator('.timeline').evaluate((timeline) => new Promise((done) => {
    let [before, worst] = [performance.now(), 0];
    const frame = (now) => {
      worst = Math.max(worst, now - before);
      before = now;
      timeline.scrollTop += 20_000;
      if (timeline.scrollTop + timeline.clientHeight >= timeline.scrollHeight) done(worst);
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame((now) => { before = now; requestAnimationFrame(frame); });
  }));
  await close();
  return slowest;
}
