// Who is calling: a browser by its `sid` cookie, an app by its bearer token, a partner by its API key, or nobody yet.

import { PARTNER_KEY } from '../demo-data.mjs';
import { findSession } from './store.mjs';

/**
 * {user, sid, isPartner, isNew}: `user` is null for the anonymous, `sid` is the id of a session the shop itself
 * issued and still knows, `isNew` means the request carries no credential at all that is worth anything.
 * A bearer token, even a bad one, takes precedence over the cookie.
 */
export function identify({ headers }, { store, tokens, now }) {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const cookie = readCookie(headers.cookie ?? '', 'sid');
  const session = findSession(store, cookie, now());
  const username = bearer ? tokens.verifyAccess(bearer)?.sub : session?.username;
  return {
    user: store.users.get(username) ?? null,
    sid: session ? cookie : null,
    isPartner: headers['x-api-key'] === PARTNER_KEY,
    isNew: !bearer && !session && !headers['x-api-key'],
  };
}

function readCookie(header, name) {
  for (const pair of header.split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
