// Those who are to be caught. Each has the label of its attack, and every hostile request says which one it belongs
// to; the requests in between (looking around, logging in) are as innocent as everybody's.

import { ACCOUNTS, FIRST_ORDER, account } from '../demo-data.mjs';
import { SCRIPT, STRANGE_BROWSER } from './clients.mjs';
import { get, login, post, query, toolPace } from './steps.mjs';
import { FIRST_RESERVED } from './stage.mjs';
import { ATTACKS, UNKNOWN_PATHS } from './texts.mjs';

/** Walks paths that do not exist in the hope that some do. */
export function forcedBrowsing(random, stage) {
  return {
    client: stage.clients.hosted(random, SCRIPT),
    keepsCookies: false,
    pace: toolPace(random, 50, 400),
    steps: UNKNOWN_PATHS.map((path) => get(path, { attack: 'forced_browsing' })),
  };
}

/** Logs in as a customer like any other, then reads everybody's orders one id after the other. */
export function bolaEnumeration(random, stage) {
  const own = account(ACCOUNTS - 1 - random.int(0, 19));
  return {
    client: stage.clients.browser(random),
    pace: toolPace(random, 300, 900),
    steps: [
      get('/api/products'),
      login(own),
      get('/api/orders'),
      ...Array.from({ length: 60 }, (_, index) => get(`/api/orders/${FIRST_ORDER + index}`, { attack: 'bola_enumeration' })),
    ],
  };
}

/** Tries a leaked list of user names and passwords; near the end one pair fits. */
export function credentialStuffing(random, stage) {
  const attempt = (index, password) => post('/api/login', { username: account(FIRST_RESERVED + index).username, password }, { attack: 'credential_stuffing' });
  const guess = () => random.pick(['123456', 'password1', 'qwerty12', 'letmein!', 'summer2025']);
  return {
    client: stage.clients.hosted(random, STRANGE_BROWSER),
    keepsCookies: false,
    pace: toolPace(random, 200, 1_500),
    steps: Array.from({ length: 60 }, (_, index) => attempt(index, index === 55 ? account(FIRST_RESERVED + index).password : guess())),
  };
}

/** Tries injections in query, body and header, between ordinary requests. */
export function requestAttacks(random, stage) {
  const payloads = Object.entries(ATTACKS).flatMap(([attack, texts]) => texts.map((text) => ({ attack, text })));
  const probes = payloads.map(({ attack, text }, index) => {
    if (attack === 'jndi') return get('/api/products', { headers: { referer: `https://shop.example/${text}` }, attack });
    if (index % 3 === 2) return post('/api/login', { username: text, password: 'x' }, { attack });
    return get(query('/api/search', { q: text }), { attack });
  });
  return {
    client: stage.clients.browser(random),
    pace: toolPace(random, 800, 6_000),
    steps: [get('/api/products'), get('/api/products/7'), ...probes, get('/api/products/8')],
  };
}

/** Uses what should be gone or hidden: the deprecated v1 and the debug routes. */
export function inventoryAbuse(random, stage) {
  const zombie = { attack: 'zombie_access' };
  const shadow = { attack: 'shadow_access' };
  return {
    client: stage.clients.hosted(random, SCRIPT),
    keepsCookies: false,
    pace: toolPace(random, 1_000, 5_000),
    steps: [
      get('/api/v1/products', zombie),
      get('/api/debug/config', shadow),
      get('/internal/metrics', shadow),
      ...Array.from({ length: 12 }, () => get(`/api/v1/orders/${FIRST_ORDER + random.int(0, 200)}`, zombie)),
      get('/api/debug/config', shadow),
    ],
  };
}
