// Getting in and out: registration, login by cookie, login by token, refresh, logout, and the keys that verify tokens.
// Planted here: login has no rate limit, so passwords can be guessed and stuffed at will.

import { adoptCart } from './cart.mjs';
import { Refusal, clearedSidCookie, sessionEvent, sidCookie } from './reply.mjs';
import { addUser, authenticate, startSession } from './store.mjs';

export const accountRoutes = [
  { method: 'POST', path: '/api/register', handle: register },
  { method: 'POST', path: '/api/login', handle: login },
  { method: 'POST', path: '/api/logout', handle: logout },
  { method: 'POST', path: '/api/token', handle: issueTokens },
  { method: 'POST', path: '/api/token/refresh', handle: refreshTokens },
  { method: 'GET', path: '/.well-known/jwks.json', handle: ({ tokens }) => ({ status: 200, body: tokens.jwks }) },
];

function register({ body, store }) {
  if (store.users.has(body.username)) throw new Refusal(409, 'this user name is taken');
  const { username, name } = addUser(store, body);
  return { status: 201, body: { username, name }, events: [sessionEvent('signup', username)] };
}

/** A login always gets a session id of its own: the anonymous one, which others may know, is dropped. */
function login({ body, store, caller, now }) {
  const user = checkPassword(store, body);
  const sid = startSession(store, user.username, now());
  adoptCart(store, caller.sid, user);
  store.sessions.delete(caller.sid);
  const { username, name, role } = user;
  return { status: 200, body: { username, name, role }, cookies: [sidCookie(sid)], events: [sessionEvent('login-success', username)] };
}

function logout({ store, caller }) {
  store.sessions.delete(caller.sid);
  return { status: 204, cookies: [clearedSidCookie] };
}

function issueTokens({ body, store, tokens }) {
  const user = checkPassword(store, body);
  return { status: 200, body: tokens.issue(user), events: [sessionEvent('login-success', user.username)] };
}

function refreshTokens({ body, store, tokens }) {
  const claims = tokens.takeRefresh(body.refresh_token);
  const user = store.users.get(claims?.sub);
  if (!user) throw new Refusal(401, 'the refresh token is not valid');
  return { status: 200, body: tokens.issue(user, claims.sid) };
}

function checkPassword(store, credentials) {
  const user = authenticate(store, credentials);
  if (user) return user;
  throw new Refusal(401, 'wrong user name or password', { events: [sessionEvent('login-failure', credentials.username)] });
}
