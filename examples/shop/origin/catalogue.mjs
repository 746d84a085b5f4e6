// What is for sale: products, search, reviews, and the stock feed for partners.

import { Refusal } from './reply.mjs';

const PAGE = 20;
const REVIEWS_PER_PRODUCT = 200;

export const catalogueRoutes = [
  { method: 'GET', path: '/api/products', welcomes: true, handle: listProducts },
  { method: 'GET', path: '/api/products/{id}', welcomes: true, handle: showProduct },
  { method: 'GET', path: '/api/search', welcomes: true, handle: search },
  { method: 'GET', path: '/api/products/{id}/reviews', welcomes: true, handle: listReviews },
  { method: 'POST', path: '/api/products/{id}/reviews', needs: 'user', handle: addReview },
  { method: 'GET', path: '/api/partner/stock', needs: 'partner', handle: listStock },
];

/** One page of the products, filtered by category if one is given. */
export function pageOfProducts(store, { page, category }) {
  const products = [...store.products.values()].filter((product) => !category || product.category === category);
  return { items: products.slice((page - 1) * PAGE, page * PAGE), page, pages: Math.ceil(products.length / PAGE) };
}

/** The product with this id; a 404 otherwise. */
export function productById(store, id) {
  const product = store.products.get(id);
  if (!product) throw new Refusal(404, 'no such product');
  return product;
}

function listProducts({ store, query }) {
  return { status: 200, body: pageOfProducts(store, query) };
}

function showProduct({ store, params }) {
  return { status: 200, body: productById(store, params.id) };
}

function search({ store, query }) {
  const words = query.q.toLowerCase().split(/\s+/).filter(Boolean);
  const isHit = ({ name, category }) => words.some((word) => name.includes(word) || category.includes(word));
  return { status: 200, body: { query: query.q, items: [...store.products.values()].filter(isHit).slice(0, PAGE) } };
}

function listReviews({ store, params }) {
  productById(store, params.id);
  return { status: 200, body: { items: store.reviews.get(params.id) } };
}

function addReview({ store, params, body, caller, now }) {
  productById(store, params.id);
  const review = { author: caller.user.name, ...body, created_at: new Date(now()).toISOString() };
  const reviews = store.reviews.get(params.id);
  reviews.push(review);
  if (reviews.length > REVIEWS_PER_PRODUCT) reviews.shift();
  return { status: 201, body: review };
}

function listStock({ store, query }) {
  const { items, page, pages } = pageOfProducts(store, query);
  return { status: 200, body: { items: items.map(({ id, stock }) => ({ id, stock })), page, pages } };
}
