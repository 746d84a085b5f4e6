// Buying: checkout of a cart, direct orders, payment, and looking orders up.
// Planted here: GET /api/orders/{id} never asks whose order it is (OWASP API1, broken object level authorization).

import { DECLINED_CARD } from '../demo-data.mjs';
import { takeCart } from './cart.mjs';
import { Refusal, sessionEvent } from './reply.mjs';
import { addOrder, totalOf } from './store.mjs';

export const orderRoutes = [
  { method: 'POST', path: '/api/checkout', needs: 'user', handle: checkout },
  { method: 'GET', path: '/api/orders', needs: 'user', handle: listOrders },
  { method: 'POST', path: '/api/orders', needs: 'user', handle: placeOrder },
  { method: 'GET', path: '/api/orders/{id}', needs: 'user', handle: showOrder },
  { method: 'POST', path: '/api/payments', needs: 'user', handle: pay },
];

/** The order with this id, whoever asks; a 404 if there is none. */
export function orderById(store, id) {
  const order = store.orders.get(id);
  if (!order) throw new Refusal(404, 'no such order');
  return order;
}

function checkout({ store, caller, now }) {
  const lines = takeCart(store, caller.user);
  if (lines.length === 0) throw new Refusal(409, 'the cart is empty');
  return ordered(addOrder(store, caller.user, lines, now()));
}

function placeOrder({ store, caller, body: { order }, now }) {
  const lines = order.items.map(({ product_id: id, quantity }) => ({ product: store.products.get(id), quantity }));
  if (lines.some(({ product }) => !product)) throw new Refusal(422, 'no such product');
  if (totalOf(lines) !== order.total) throw new Refusal(422, 'the total does not match the items');
  return ordered(addOrder(store, caller.user, lines, now()));
}

const ordered = (order) => ({ status: 201, body: order, events: [sessionEvent('order', order.username)] });

function listOrders({ store, caller }) {
  const items = caller.user.orders.map((id) => store.orders.get(id)).filter(Boolean);
  return { status: 200, body: { items } };
}

function showOrder({ store, params }) {
  return { status: 200, body: orderById(store, params.id) };
}

function pay({ store, caller: { user }, body }) {
  const order = store.orders.get(body.order_id);
  if (order?.username !== user.username) throw new Refusal(422, 'no such order of yours');
  if (order.status === 'paid') throw new Refusal(409, 'this order is paid');
  if (order.total !== body.amount) throw new Refusal(422, 'the amount does not match the order');
  if (body.card_token === DECLINED_CARD) {
    throw new Refusal(402, 'the card was declined', { events: [sessionEvent('payment-failure', user.username)] });
  }
  order.status = 'paid';
  return { status: 201, body: { order_id: order.id, amount: order.total, status: 'paid' } };
}
