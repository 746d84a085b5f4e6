// An API of any size behind the console's own files, without a Worker: its answers are generated as they are asked for,
// in the shape that openapi.json gives them (tests/browser/large.test.mjs holds them to it).

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const PREFIX = '/_throughline/';
const START_MS = Date.UTC(2026, 10, 23, 12);
const COUNTRIES = ['DE', 'US', 'FR', 'JP', 'BR', 'IN', 'NL', 'PL', 'GB', 'SE', 'CZ', 'KR'];
const PATHS = ['/api/products', '/api/orders/{integer}', '/api/cart', '/api/checkout', '/api/login', '/api/search'];

const at = (ms) => new Date(ms).toISOString();
const hex = (n) => n.toString(16).padStart(32, '0');
const idOf = (n) => `01${n.toString(10).padStart(24, '0')}`;
const pick = (list, n) => list[n % list.length];
const address = (n) => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;

/** The nth session. */
export const session = (n, requests = 20 + (n % 400)) => ({
  id: hex(n), state: n % 97 === 0 ? 'flagged' : 'clear', risk: n % 97 === 0 ? 60 + (n % 40) : n % 20,
  first_seen: at(START_MS - 3_600_000), last_seen: at(START_MS - (n % 3_600) * 1_000), duration_ms: 3_600_000 - (n % 3_600) * 1_000,
  requests, attacks: n % 97 === 0 ? 3 : 0, key: { source: 'request.cookie.sid', verified: false }, proof: 'issued',
  users: [`user-${n}`], roles: ['customer'],
  ips: [{ ip: address(n), country: pick(COUNTRIES, n), asn: 3_320 + (n % 50), requests }],
  user_agents: ['Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0'],
  endpoints: PATHS.map((path, place) => ({ endpoint: `GET shop.example.com${path}`, requests: 6 - place })), endpoints_rest: 0,
  flows: [{ flow: 'checkout', requests: 3, percent: 15 }], statuses: { 200: requests - 2, 404: 2 }, methods: { GET: requests },
  params: { order_total: { count: 3, invalid: 0, sum: 120, min: 20, max: 60, last: '60', distinct: 3, sums: {} } }, params_rest: 0,
  findings: n % 97 === 0 ? { forced_browsing: 3 } : {}, predecessors: [], successors: [], attempted_users: [], ended: null, marks: [], label: null, partial: false,
});

/** The nth event of a session. */
export const event = (n, of = 0) => ({
  id: idOf(n), session: hex(of), time: at(START_MS + n * 10), method: 'GET', host: 'shop.example.com', path: `/api/orders/${n}`,
  endpoint: 'GET shop.example.com/api/orders/{integer}', status: n % 50 === 0 ? 404 : 200, duration_ms: 5 + (n % 90), request_bytes: null, response_bytes: 512,
  ip: address(of), country: pick(COUNTRIES, of), asn: 3_320, colo: null, user_agent: 'Mozilla/5.0', ja4: null, user: `user-${of}`, attempted_user: null,
  roles: [], feedback: [], params: {}, flow: null, action: 'allow', inventory: null, marks: [], findings: n % 1_000 === 999 ? [finding(n, of)] : [],
});

/** A finding that the nth event completed. */
export const finding = (n, of = n) => ({
  id: `${idOf(n)}-forced_browsing`, session: hex(of), request: idOf(n), time: at(START_MS - n * 1_000), detector: 'forced_browsing', scope: 'session', severity: 'medium',
  confidence: 0.8, risk_added: 20, value: 12, baseline: 10, message: '12 different paths were refused within a minute',
  evidence: [{ request: idOf(n), time: at(START_MS), what: 'GET /backup → 404' }], where: null, owasp: ['API9:2023'], reasons: [], action: 'tag', would: 'tag', label: null,
});

/** The nth endpoint. */
export const endpoint = (n) => ({
  id: hex(n), method: 'GET', host: 'shop.example.com', template: `/api/part-${n}/{integer}`, inventory: 'shadow', reasons: ['in no document'], calls: 9_000 - n, sessions: 400,
  users: 40, statuses: { 200: 8_000, 404: 12 }, auth: 'none', auth_means: [], sensitive: ['email', 'iban'],
  parameters: [{ name: '<b>total</b>', in: 'query', types: ['number'] }], attacks: 0, risk: 40, risk_reasons: ['no authentication'],
  duration_ms: { p50: 5, p95: 40, p99: 90 }, response_bytes: null, documents: [], learned: false, first_seen: at(START_MS - 3_600_000), last_seen: at(START_MS),
});

/** Names of the schemas of answers, by path. */
export const SCHEMAS = { endpoints: 'EndpointPage', rollups: 'Rollups', stats: 'Stats', sessions: 'SessionPage', findings: 'FindingPage', events: 'EventPage' };

/** What `path` with `query` answers where there are so many sessions, and so many events in each. */
export function answer(path, query, { sessions, events }) {
  const limit = Number(query.get('limit') ?? 50);
  const from = Number(query.get('cursor') ?? 0);
  const page = (total, item) => ({
    items: Array.from({ length: Math.max(0, Math.min(limit, total - from)) }, (_, n) => item(from + n)),
    next: from + limit < total ? String(from + limit) : null, partial: false,
  });
  const buckets = (item) => Array.from({ length: 145 }, (_, n) => item(at(START_MS - n * 600_000), n));
  const [list, id, part] = path.replace('api/v1/', '').split('/');
  if (list === 'endpoints' && id && !part) return endpoint(Number(`0x${id}`));
  switch (part ?? (id ? 'one' : list)) {
    case 'endpoints': return page(5_000, endpoint);
    case 'rollups': return query.get('group_by') === 'country'
      ? { items: Array.from({ length: 250 }, (_, n) => counted(null, `${String.fromCharCode(65 + (n % 26))}${String.fromCharCode(65 + Math.floor(n / 26))}`, n)), partial: false }
      : { items: buckets((time, n) => counted(time, null, n)), partial: false };
    case 'stats': return {
      total: { requests: sessions * 20, sessions, attacks: 31_000 }, partial: false,
      buckets: buckets((time, n) => ({ time, group: null, requests: 138_000 + n, sessions: 12_000 + n, attacks: n % 40 })),
    };
    case 'sessions': return page(sessions, (n) => session(n));
    case 'findings': return page(20_000, (n) => finding(n));
    case 'events': return page(events, (n) => event(n, id ? Number(`0x${id}`) : n));
    case 'one': return session(Number(`0x${id}`), events);
    case 'neighbours': return { items: [], next: null, partial: false };
    default: return null;
  }
}

const counted = (time, group, n) => ({ time, group, requests: 138_000 - n, attacks: n % 40, duration_ms_mean: 12.5, response_bytes: 9_000_000 });

/**
 * Serves the console and such answers: { url, asked, took(), stop() }. `asked` lists what was asked for, `took()` answers
 * the ms the API itself needed for the slowest answer since it was last asked.
 */
export async function startGenerated(size) {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-generated-'));
  execFileSync(process.execPath, [join(import.meta.dirname, '../../scripts/support/console-build.mjs'), folder], { stdio: 'ignore' });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const { consoleAnswer } = await import(pathToFileURL(join(folder, 'console.mjs')));
  rmSync(folder, { recursive: true });
  const asked = [];
  let slowest = 0;
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, `http://${request.headers.host}`);
    const file = consoleAnswer(new Request(url, { method: request.method, headers: request.headers }), {});
    if (file) {
      response.writeHead(file.status, Object.fromEntries(file.headers));
      return response.end(Buffer.from(await file.arrayBuffer()));
    }
    const path = url.pathname.slice(PREFIX.length);
    asked.push(path + url.search);
    const began = performance.now();
    const [status, body] = request.method === 'POST' ? [400, { title: 'Bad request', detail: '' }]
      : path === 'healthz' ? [200, { status: 'ok', version: '0.0.0', mode: 'monitor', time: at(START_MS) }] : [200, answer(path, url.searchParams, size)];
    const text = JSON.stringify(body);
    slowest = Math.max(slowest, performance.now() - began);
    response.writeHead(body === null ? 404 : status, { 'content-type': 'application/json' }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`, asked,
    took: () => { const ms = slowest; slowest = 0; return ms; },
    stop: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
  };
}
