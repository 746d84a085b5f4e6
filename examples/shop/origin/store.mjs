// The shop's memory: catalogue, users, sessions, carts and orders. Seeded with the same data at every start, bounded,
// gone at exit. No HTTP in here.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ACCOUNTS, CATEGORIES, FIRST_ORDER, PRODUCTS, SEEDED_ORDERS, account } from '../demo-data.mjs';
import { Random } from '../random.mjs';
import { BoundedMap } from './bounded-map.mjs';

const SESSION_MS = 24 * 60 * 60 * 1000;
const ORDERS_PER_USER = 200;
const SEED_TIME = Date.UTC(2026, 0, 1);

export function createStore() {
  const store = {
    products: new Map(),
    reviews: new Map(),
    users: new BoundedMap(50_000),
    sessions: new BoundedMap(50_000),
    carts: new BoundedMap(50_000),
    orders: new BoundedMap(50_000),
    nextOrder: FIRST_ORDER,
    requests: 0,
  };
  seed(store, new Random('shop'));
  return store;
}

export function addUser(store, { username, password, name, email }) {
  const user = { username, name, email, role: 'customer', secret: digest(username, password), addresses: [], orders: [], redeemed: false };
  store.users.set(username, user);
  return user;
}

/** The user these credentials belong to, or null. */
export function authenticate(store, { username, password }) {
  const user = store.users.get(username);
  return user && timingSafeEqual(user.secret, digest(username, password)) ? user : null;
}

/** Starts a session under a fresh id, for `username` or, with null, for an anonymous visitor. */
export function startSession(store, username, now) {
  const sid = randomBytes(16).toString('hex');
  store.sessions.set(sid, { username, expires: now + SESSION_MS });
  return sid;
}

export function findSession(store, sid, now) {
  const session = store.sessions.get(sid);
  return session && session.expires > now ? session : null;
}

/** Creates an unpaid order; `lines` are [{product, quantity}]. */
export function addOrder(store, user, lines, now) {
  const id = store.nextOrder;
  store.nextOrder += 1;
  const order = {
    id,
    username: user.username,
    items: lines.map(({ product, quantity }) => ({ product_id: product.id, name: product.name, price: product.price, quantity })),
    total: totalOf(lines),
    status: 'pending',
    created_at: new Date(now).toISOString(),
  };
  store.orders.set(id, order);
  user.orders.push(id);
  if (user.orders.length > ORDERS_PER_USER) user.orders.shift();
  return order;
}

/** Euros, summed in cents so that 0.1 + 0.2 stays 0.3. */
export function totalOf(lines) {
  return lines.reduce((cents, { product, quantity }) => cents + Math.round(product.price * 100) * quantity, 0) / 100;
}

// A keyed digest keeps seeding 2,000 accounts instant. A shop with real customers uses argon2 or scrypt.
const PEPPER = randomBytes(32);
const digest = (username, password) => createHmac('sha256', PEPPER).update(`${username}\0${password}`).digest();

const ADJECTIVES = ['blue', 'light', 'classic', 'warm', 'small', 'robust', 'woven', 'quiet'];
const NOUNS = {
  shoes: ['sneaker', 'boot', 'sandal'],
  shirts: ['shirt', 'blouse', 'polo'],
  home: ['lamp', 'table', 'blanket'],
  books: ['atlas', 'cookbook', 'novel'],
  garden: ['spade', 'hose', 'planter'],
  toys: ['puzzle', 'robot', 'kite'],
};

function seed(store, random) {
  for (let id = 1; id <= PRODUCTS; id += 1) {
    const category = CATEGORIES[id % CATEGORIES.length];
    const name = `${random.pick(ADJECTIVES)} ${random.pick(NOUNS[category])}`;
    store.products.set(id, {
      id, name, category,
      description: `A ${name} from the new catalogue.`,
      price: random.int(500, 25_000) / 100,
      currency: 'EUR',
      stock: random.int(5, 500),
    });
    store.reviews.set(id, [{ author: 'Ada A.', rating: random.int(3, 5), text: 'Just as described.', created_at: new Date(SEED_TIME).toISOString() }]);
  }
  for (let index = 0; index < ACCOUNTS; index += 1) addUser(store, account(index));
  for (let count = 0; count < SEEDED_ORDERS; count += 1) {
    const owner = store.users.get(account(random.int(0, ACCOUNTS - 1)).username);
    const product = store.products.get(random.int(1, PRODUCTS));
    const order = addOrder(store, owner, [{ product, quantity: random.int(1, 3) }], SEED_TIME + count * 60_000);
    order.status = 'paid';
  }
}
