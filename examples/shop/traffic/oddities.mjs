// Innocent people and machines that a nervous detector would suspect: odd words, wrong passwords, dead links, polling.

import { PARTNER_KEY, PRODUCTS } from '../demo-data.mjs';
import { browsing } from './customers.mjs';
import { get, humanPace, login, post, put, query, register, steadyPace } from './steps.mjs';
import { INNOCENT } from './texts.mjs';

const DEAD_LINKS = ['/api/products/9999', '/favicon.ico', '/blog/summer-sale', '/assets/app.3f9c.js', '/%C3%A9t%C3%A9', '/api/orders/999999'];

/** Types text that only looks like an attack: into search, reviews, the profile, an address. */
export function oddText(random, stage) {
  const given = stage.account(random);
  const account = random.chance(0.2) ? { ...given, username: `jürgen.groß.${random.int(1000, 9999)}`, isNew: true } : given;
  const text = () => random.pick(INNOCENT);
  const id = random.int(1, PRODUCTS);
  return {
    client: stage.clients.browser(random),
    pace: humanPace(random),
    steps: [
      get('/api/products'),
      ...Array.from({ length: 4 }, () => get(query('/api/search', { q: text() }))),
      ...(account.isNew ? [register(account)] : []),
      login(account),
      put('/api/profile', { name: text(), email: account.email }),
      post('/api/addresses', { street: `12 ${text()}`, city: text(), country: 'IE' }),
      post(`/api/products/${id}/reviews`, { rating: random.int(1, 5), text: `${text()}, ${text()}` }),
      post('/api/cart', { product_id: id, quantity: 1 }),
      post('/api/checkout', { shipping: 'standard', note: text() }),
    ],
  };
}

/** Gets the password wrong once or twice. */
export function mistyper(random, stage) {
  const account = stage.account(random);
  const typo = login({ username: account.username, password: account.password.slice(0, -1) });
  return {
    client: stage.clients.browser(random),
    pace: humanPace(random),
    steps: [
      ...browsing(random),
      ...(account.isNew ? [register(account)] : []),
      ...(random.chance(0.4) ? [typo, typo] : [typo]),
      login(account),
      get('/api/orders'),
      get('/api/profile'),
    ],
  };
}

/** Follows one or two links that lead nowhere. */
export function deadLinks(random, stage) {
  const dead = () => get(random.pick(DEAD_LINKS));
  const steps = [...browsing(random), dead(), ...browsing(random)];
  if (random.chance(0.5)) steps.push(dead());
  return { client: stage.clients.browser(random), pace: humanPace(random), steps };
}

/** A partner's program that reads the stock with an API key, once a minute. */
export function partner(random, stage) {
  return {
    client: stage.clients.hosted(random, { userAgent: 'AcmeStockSync/2.1', ja4: 't13d1812h1_85036bcba153_d41ae481755e' }),
    headers: { 'x-api-key': PARTNER_KEY },
    keepsCookies: false,
    pace: steadyPace(60_000),
    steps: Array.from({ length: 60 }, (_, index) => get(query('/api/partner/stock', { page: (index % 6) + 1 }))),
  };
}

/** A health check over plain HTTP inside the network: no TLS fingerprint. */
export function healthCheck(random, stage) {
  return watcher(stage.clients.hosted(random, { userAgent: 'kube-probe/1.34' }));
}

/** An uptime monitor too old to say who it is: neither user agent nor fingerprint. */
export function uptimeMonitor(random, stage) {
  return watcher(stage.clients.hosted(random, {}));
}

function watcher(client) {
  return { client, keepsCookies: false, pace: steadyPace(30_000), steps: Array.from({ length: 40 }, () => get('/healthz')) };
}
