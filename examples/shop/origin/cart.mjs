// The shopping cart. An anonymous visitor's cart hangs on the session, a customer's on the user; login moves it over.

import { productById } from './catalogue.mjs';
import { Refusal } from './reply.mjs';
import { totalOf } from './store.mjs';

const LINES_PER_CART = 50;

export const cartRoutes = [
  { method: 'GET', path: '/api/cart', welcomes: true, handle: showCart },
  { method: 'POST', path: '/api/cart', welcomes: true, handle: addToCart },
  { method: 'DELETE', path: '/api/cart', welcomes: true, handle: clearCart },
  { method: 'PUT', path: '/api/cart/items/{id}', welcomes: true, handle: changeQuantity },
  { method: 'DELETE', path: '/api/cart/items/{id}', welcomes: true, handle: removeItem },
];

/** The lines of a customer's cart as [{product, quantity}], which is empty afterwards. */
export function takeCart(store, user) {
  const key = userKey(user);
  const lines = linesOf(store, store.carts.get(key) ?? new Map());
  store.carts.delete(key);
  return lines;
}

/** Moves what the visitor `sid` has chosen into the cart of `user`. */
export function adoptCart(store, sid, user) {
  const chosen = store.carts.get(visitorKey(sid));
  if (!chosen) return;
  store.carts.delete(visitorKey(sid));
  store.carts.set(userKey(user), new Map([...(store.carts.get(userKey(user)) ?? []), ...chosen].slice(-LINES_PER_CART)));
}

const userKey = (user) => `user ${user.username}`;
const visitorKey = (sid) => `visitor ${sid}`;

function showCart({ store, caller }) {
  return summary(store, cartOf(store, caller));
}

function addToCart({ store, caller, body }) {
  const cart = cartOf(store, caller);
  const product = store.products.get(body.product_id);
  if (!product) throw new Refusal(422, 'no such product');
  if (cart.size >= LINES_PER_CART && !cart.has(product.id)) throw new Refusal(409, 'the cart is full');
  cart.set(product.id, Math.min(99, (cart.get(product.id) ?? 0) + body.quantity));
  return summary(store, cart, 201);
}

function clearCart({ store, caller }) {
  cartOf(store, caller).clear();
  return { status: 204 };
}

function changeQuantity({ store, caller, params, body }) {
  const cart = cartOf(store, caller);
  if (!cart.has(params.id)) throw new Refusal(404, 'not in the cart');
  cart.set(params.id, body.quantity);
  return summary(store, cart);
}

function removeItem({ store, caller, params }) {
  const cart = cartOf(store, caller);
  if (!cart.delete(params.id)) throw new Refusal(404, 'not in the cart');
  return { status: 204 };
}

/** The caller's cart: product id → quantity. */
function cartOf(store, { user, sid }) {
  if (!user && !sid) throw new Refusal(401, 'log in first', { headers: { 'WWW-Authenticate': 'Bearer' } });
  const key = user ? userKey(user) : visitorKey(sid);
  if (!store.carts.has(key)) store.carts.set(key, new Map());
  return store.carts.get(key);
}

function linesOf(store, cart) {
  return [...cart].map(([id, quantity]) => ({ product: productById(store, id), quantity }));
}

function summary(store, cart, status = 200) {
  const lines = linesOf(store, cart);
  const items = lines.map(({ product, quantity }) => ({ product_id: product.id, name: product.name, price: product.price, quantity }));
  return { status, body: { items, total: totalOf(lines) } };
}
