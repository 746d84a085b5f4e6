// Version 1 of the API: replaced, announced as deprecated (RFC 9745) with an end (RFC 8594), and still running.
// Planted here: /api/v1/orders/{id} asks neither who calls nor whose order it is.

import { pageOfProducts } from './catalogue.mjs';
import { orderById } from './orders.mjs';

export const legacyRoutes = [
  { method: 'GET', path: '/api/v1/products', handle: ({ store, query }) => deprecated(pageOfProducts(store, query), '/api/products') },
  { method: 'GET', path: '/api/v1/orders/{id}', handle: ({ store, params }) => deprecated(orderById(store, params.id), '/api/orders/{id}') },
];

function deprecated(body, successor) {
  return {
    status: 200,
    body,
    headers: {
      Deprecation: '@1751328000', // 1 July 2025
      Sunset: 'Tue, 30 Jun 2026 23:59:59 GMT',
      Link: `<${successor.replace('/{id}', '')}>; rel="successor-version"`,
    },
  };
}
