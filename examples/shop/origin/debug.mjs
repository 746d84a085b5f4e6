// What operators use: the documented health check, and two routes that were never meant to be reachable and are
// missing from openapi.json on purpose (planted: OWASP API9, improper inventory management).

export const debugRoutes = [
  { method: 'GET', path: '/healthz', handle: () => ({ status: 200, body: { status: 'ok' } }) },
  { method: 'GET', path: '/api/debug/config', documented: false, handle: showConfig },
  { method: 'GET', path: '/internal/metrics', documented: false, handle: showMetrics },
];

function showConfig({ tokens }) {
  return { status: 200, body: { environment: 'production', debug: true, storage: 'memory', signing_key: tokens.jwks.keys[0].kid } };
}

function showMetrics({ store }) {
  const gauges = { requests: store.requests, users: store.users.size, sessions: store.sessions.size, orders: store.orders.size };
  return { status: 200, body: Object.entries(gauges).map(([name, value]) => `shop_${name} ${value}\n`).join('') };
}
