// From an HTTP request to its answer: find the route, see who is calling, accept the input, call the handler.
// Nothing a client sends ends in an exception; what does is a bug of ours, logged and answered 500.

import { identify } from './caller.mjs';
import { acceptInput } from './contract.mjs';
import { Refusal, localeCookie, send, sidCookie } from './reply.mjs';
import { routes } from './routes.mjs';
import { startSession } from './store.mjs';

const table = routes.map((route) => ({ ...route, segments: route.path.split('/') }));

/** A listener for node:http over `shop` = {store, tokens, now}. */
export function createListener(shop) {
  return async (request, response) => {
    send(response, await answer(request, shop).catch(refused));
  };
}

function refused(error) {
  if (error instanceof Refusal) return error.reply;
  console.error(error);
  return { status: 500, body: { error: 'internal error' } };
}

async function answer(request, shop) {
  shop.store.requests += 1;
  const [path, queryText = ''] = request.url.split(/\?(.*)/s, 2);
  const { route, pathValues } = findRoute(request.method === 'HEAD' ? 'GET' : request.method, path);
  const caller = identify(request, shop);
  if (route.needs === 'user' && !caller.user) throw new Refusal(401, 'log in first', { headers: { 'WWW-Authenticate': 'Bearer' } });
  if (route.needs === 'partner' && !caller.isPartner) throw new Refusal(401, 'an API key is needed');
  const input = await acceptInput(route, pathValues, queryText, request);

  const cookies = [];
  if (route.welcomes && caller.isNew) {
    caller.sid = startSession(shop.store, null, shop.now());
    cookies.push(sidCookie(caller.sid), localeCookie);
  }
  const reply = route.handle({ ...input, caller, ...shop });
  return { ...reply, cookies: [...cookies, ...(reply.cookies ?? [])] };
}

function findRoute(method, path) {
  const segments = path.split('/');
  const allowed = [];
  for (const route of table) {
    const pathValues = matchPath(route.segments, segments);
    if (!pathValues) continue;
    if (route.method === method) return { route, pathValues };
    allowed.push(route.method);
  }
  if (allowed.length === 0) throw new Refusal(404, 'no such path');
  throw new Refusal(405, 'method not allowed', { headers: { Allow: allowed.join(', ') } });
}

/** The values of the template's {parameters}, or null when the path is not of this shape. */
function matchPath(template, segments) {
  if (template.length !== segments.length) return null;
  const values = {};
  for (const [index, part] of template.entries()) {
    if (part.startsWith('{') && segments[index] !== '') values[part.slice(1, -1)] = segments[index];
    else if (part !== segments[index]) return null;
  }
  return values;
}
