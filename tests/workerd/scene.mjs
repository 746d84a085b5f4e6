// Who plays in a test of the product itself: clients that send traffic, and an investigator who asks about it.
//
// A pair with DEV_CLIENT_HEADERS lets a client say where it comes from, one with DEV_CLOCK also when.

import assert from 'node:assert/strict';
import { waitFor } from './harness.mjs';
import { values } from './http1.mjs';

export const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0';
export const REFERENCE = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/**
 * A client: (target, { method, status, time, headers, …send's }) → client.mjs's answer. `status` is what the origin
 * is told to answer, `time` epoch ms of a development clock; `agent: null` sends no User-Agent.
 */
export function client(pair, { ip = '192.0.2.1', country, asn, ja4, agent = BROWSER, cookie, headers = [] } = {}) {
  const own = [['cf-connecting-ip', ip], ['cf-ipcountry', country], ['x-dev-asn', asn], ['x-dev-ja4', ja4],
    ['User-Agent', agent], ['Cookie', cookie]];
  return (target, { status, time, headers: more = [], ...request } = {}) => {
    const told = [['x-answer', status && `status ${status}`], ['x-dev-time', time]];
    const said = [...own, ...told].filter(([, value]) => value !== undefined && value !== null);
    return pair.send({ ...request, target, headers: [...said.map(([name, value]) => [name, String(value)]), ...headers, ...more] });
  };
}

/** Asks the API as admin and answers the parsed body; fails on anything but 2xx. */
export async function ask(pair, path, init) {
  const answer = await pair.admin(`api/v1/${path}`, init);
  const text = await answer.text();
  assert.ok(answer.ok, `${init?.method ?? 'GET'} ${path}: ${answer.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

/** An order with a JSON body, for `ask` and `pair.admin`. */
export const order = (body) => ({ method: 'POST', body: JSON.stringify(body) });

/** Every item of a list, page by page. */
export async function all(pair, path, { limit = 500, between = async () => {} } = {}) {
  const items = [];
  for (let next = ''; next !== null;) {
    const cursor = next === '' ? '' : `&cursor=${next}`;
    const page = await ask(pair, `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`);
    assert.equal(page.partial, false, `${path} is partial`);
    assert.ok(page.items.length <= limit, `${page.items.length} items where ${limit} were asked for`);
    items.push(...page.items);
    assert.notEqual(page.next, next === '' ? undefined : next, 'a page leads to itself');
    next = page.next;
    if (next !== null) await between(items);
  }
  return items;
}

/** Waits until exactly `count` events are known, and answers the count of sessions. */
export async function recorded(pair, count, options = {}) {
  let total;
  try {
    await waitFor(async () => {
      ({ total } = await ask(pair, 'stats'));
      return total.requests >= count;
    }, { what: `${count} events`, ...options });
  } catch (error) {
    throw new Error(`${error.message}, found ${total?.requests}`, { cause: error });
  }
  assert.equal(total.requests, count, 'events found');
  return total.sessions;
}

/** The session an event with this path belongs to. */
export async function sessionOf(pair, path) {
  const { items } = await ask(pair, `events?limit=1&q=${encodeURIComponent(path)}`);
  assert.equal(items.length, 1, `an event with ${path}`);
  return ask(pair, `sessions/${items[0].session}`);
}

/** Fails unless a fetch answer is a problem document of this status; answers it. */
export async function problem(answer, status, name = '') {
  const text = await answer.text();
  assert.equal(answer.status, status, `${name} ${text}`);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json', name);
  return checked(JSON.parse(text), status);
}

/** The same for an answer of client.mjs. */
export function sentProblem(got, status) {
  assert.equal(got.status, status, got.body.toString());
  assert.deepEqual(values(got.headers, 'content-type'), ['application/problem+json']);
  return checked(JSON.parse(got.body), status);
}

function checked(document, status) {
  assert.equal(document.status, status);
  for (const member of ['type', 'title', 'detail']) assert.ok(document[member].length > 0, member);
  assert.match(document.reference, REFERENCE);
  return document;
}
