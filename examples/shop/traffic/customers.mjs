// The people the shop exists for: at a browser with a cookie, on a phone with tokens, and many behind one office address.

import { CARD, CATEGORIES, DECLINED_CARD, PRODUCTS } from '../demo-data.mjs';
import { get, humanPace, login, logout, post, put, query, register, remove } from './steps.mjs';
import { SEARCHES } from './texts.mjs';

export function customer(random, stage) {
  return { client: stage.clients.browser(random), pace: humanPace(random), steps: shopping(random, stage.account(random)) };
}

export function mobileCustomer(random, stage) {
  const addresses = random.int(1, 3);
  const steps = appUse(random, stage.account(random));
  const stay = Math.ceil(steps.length / addresses);
  return {
    client: stage.clients.phone(random, addresses),
    keepsCookies: false,
    pace: humanPace(random),
    steps: steps.map((step, index) => ({ ...step, address: Math.floor(index / stay) })),
  };
}

/** Lets `people` colleagues enter who share one address and the same browser, each with cookies of their own. */
export function office(stage, people) {
  let client;
  const colleague = (random) => {
    client ??= stage.clients.office(random);
    return { client, pace: humanPace(random), steps: shopping(random, stage.account(random)) };
  };
  for (let count = 0; count < people; count += 1) stage.enter('office', colleague);
}

const productId = (random) => random.int(1, PRODUCTS);

/** Looking around, as every visit begins. */
export function browsing(random) {
  const steps = [
    get(random.chance(0.5) ? '/api/products' : query('/api/products', { category: random.pick(CATEGORIES), page: 1 })),
    get(query('/api/search', { q: random.pick(SEARCHES) })),
    get(`/api/products/${productId(random)}`),
  ];
  if (random.chance(0.4)) steps.push(get(`/api/products/${productId(random)}/reviews`));
  if (random.chance(0.3)) steps.push(get(query('/api/products', { page: random.int(2, 6) })));
  return steps;
}

function shopping(random, account) {
  const enter = account.isNew ? [register(account), login(account)] : [login(account)];
  const mood = random.next();
  if (mood < 0.25) return browsing(random);
  if (mood < 0.45) return [...browsing(random), ...enter, get('/api/orders'), get('/api/profile'), logout];
  const steps = [...browsing(random), ...filling(random), ...enter, ...paying(random), get('/api/orders'), get('/api/orders/{saved.order}')];
  if (random.chance(0.2)) steps.push(logout, get('/api/products'));
  return steps;
}

function filling(random) {
  const id = productId(random);
  const other = (id % PRODUCTS) + 1;
  const steps = [post('/api/cart', { product_id: id, quantity: random.int(1, 3) })];
  if (random.chance(0.3)) steps.push(put(`/api/cart/items/${id}`, { quantity: random.int(1, 5) }));
  if (random.chance(0.2)) steps.push(post('/api/cart', { product_id: other, quantity: 1 }), remove(`/api/cart/items/${other}`));
  return [...steps, get('/api/cart')];
}

function paying(random) {
  const payment = (card) => post('/api/payments', { order_id: '{saved.order}', amount: '{saved.total}', card_token: card });
  return [
    post('/api/checkout', { shipping: random.chance(0.3) ? 'express' : 'standard' }, { save: { order: 'id', total: 'total' } }),
    ...(random.chance(0.1) ? [payment(DECLINED_CARD)] : []),
    payment(CARD),
  ];
}

function appUse(random, account) {
  const { username, password } = account;
  const pair = { access: 'access_token', refresh: 'refresh_token' };
  const id = productId(random);
  const looking = [
    get(query('/api/products', { page: random.int(1, 6) })),
    get(query('/api/search', { q: random.pick(SEARCHES) })),
    get(`/api/products/${id}`, { save: { price: 'price' } }),
  ];
  const buying = [
    post('/api/orders', { order: { items: [{ product_id: id, quantity: 1 }], total: '{saved.price}' } }, { save: { order: 'id', total: 'total' } }),
    ...paying(random).slice(1),
    get('/api/orders/{saved.order}'),
  ];
  const authorised = (steps) => steps.map((step) => ({ ...step, withToken: true }));
  return [
    ...(account.isNew ? [register(account)] : []),
    post('/api/token', { username, password }, { save: pair }),
    ...authorised([get('/api/profile'), ...looking]),
    ...(random.chance(0.6) ? authorised(buying) : []),
    post('/api/token/refresh', { refresh_token: '{saved.refresh}' }, { save: pair }),
    ...authorised([get('/api/orders'), get(`/api/products/${productId(random)}`), get('/api/profile')]),
  ];
}
