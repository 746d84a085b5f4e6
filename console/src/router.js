// Where the analyst is: the path names the view, the query string its state. Links lead to own routes only.

export const BASE = '/_throughline/console';

/** The view a path names and what follows, decoded: `/sessions/ab` → { view: 'sessions', rest: ['ab'] }. */
export function parseRoute(pathname) {
  const below = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : '';
  const [view = '', ...rest] = below.split('/').filter(Boolean).map(decoded);
  return { view, rest };
}

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The address of a view. Every segment is encoded, so no value can leave the console or change the view. */
export function route(segments, search = '') {
  const path = segments.map((segment) => `/${encodedSegment(segment)}`).join('');
  return `${BASE}${path || '/'}${search && `?${search}`}`;
}

// "." and ".." survive encoding and would be resolved away.
function encodedSegment(segment) {
  return encodeURIComponent(segment).replace(/^\.{1,2}$/, (dots) => dots.replaceAll('.', '%252E'));
}

const listeners = new Set();

/** Goes to an address of this console, without loading anything. */
export function navigate(address, { replace = false } = {}) {
  if (!address.startsWith(BASE)) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', address);
  told();
}

/** Calls back whenever the address changes; answers how to stop that. */
export function onNavigate(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function told() {
  for (const listener of listeners) listener();
}

if (typeof window !== 'undefined') window.addEventListener('popstate', told);
