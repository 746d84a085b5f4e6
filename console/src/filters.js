// The filters of a question. They are the query string itself, under the API's own names: a link is the state.

/** @typedef {{ name: string, value: string, excluded: boolean }} Filter */

/** What can be filtered by in each view; all but the last two lists can be excluded too. */
export const EVENT_FILTERS = ['q', 'user', 'ip', 'country', 'asn', 'endpoint', 'method', 'status', 'detector', 'attack',
  'role', 'host', 'attempted_user', 'session', 'request', 'flow', 'inventory'];
export const SESSION_FILTERS = [...EVENT_FILTERS, 'state', 'label'];
export const FINDING_FILTERS = ['detector', 'severity', 'action', 'session', 'label'];
export const ENDPOINT_FILTERS = ['q', 'inventory', 'method', 'host', 'auth'];
/** These say "at least": one of each, never excluded. */
export const LEAST = ['min_risk', 'min_requests', 'min_confidence'];

/** The API takes 64 parameters in one question; room is left for sort, cursor and range. */
export const MAX_FILTERS = 48;

/** The filters in a query string, in its order. `allowed` are the names the view knows. */
export function readFilters(search, allowed) {
  const found = [];
  for (const [key, value] of new URLSearchParams(search)) {
    const excluded = key.endsWith('!');
    const name = excluded ? key.slice(0, -1) : key;
    const param = name.startsWith('param.') && allowed.includes('session');
    if (value !== '' && found.length < MAX_FILTERS && (param || allowed.includes(name) || LEAST.includes(name))) {
      found.push({ name, value, excluded });
    }
  }
  return found;
}

/** The query string with this filter set: what was there for the same value goes, so include and exclude replace each other. */
export function withFilter(search, { name, value, excluded = false }) {
  const next = without(search, { name, value });
  if (LEAST.includes(name)) next.delete(name);
  if (value !== '') next.append(excluded ? `${name}!` : name, value);
  return text(next);
}

/** The query string without this filter, whichever way it stood. */
export const withoutFilter = (search, filter) => text(without(search, filter));

function without(search, { name, value }) {
  const kept = new URLSearchParams();
  for (const [key, other] of new URLSearchParams(search)) {
    if ((key !== name && key !== `${name}!`) || other !== value) kept.append(key, other);
  }
  return kept;
}

/** Sets one parameter that is no filter (sort, order, from, to); empty removes it. */
export function withParameter(search, name, value) {
  const next = new URLSearchParams(search);
  if (value) next.set(name, value);
  else next.delete(name);
  return text(next);
}

/** The query string that asks for what nobody has labelled yet, or for all again. */
export function unlabelled(search, only) {
  return ['true_positive', 'false_positive'].reduce((text, value) => {
    const filter = { name: 'label', value, excluded: true };
    return only ? withFilter(text, filter) : withoutFilter(text, filter);
  }, search);
}

/** Which way a value is filtered now: 'only', 'not' or null. */
export function standing(search, name, value) {
  const query = new URLSearchParams(search);
  if (query.getAll(name).includes(String(value))) return 'only';
  return query.getAll(`${name}!`).includes(String(value)) ? 'not' : null;
}

/** What is asked of the API for a view's query string: its filters, range and sort, and nothing else a link may carry. */
export function asked(search, allowed, others = ['from', 'to', 'sort', 'order']) {
  const query = new URLSearchParams();
  for (const { name, value, excluded } of readFilters(search, allowed)) query.append(excluded ? `${name}!` : name, value);
  const given = new URLSearchParams(search);
  for (const name of others) if (given.get(name)) query.set(name, given.get(name));
  return text(query);
}

/** "country=DE" or "status!=404" typed into the search field becomes a filter; any other text is searched for. */
export function typed(text, allowed) {
  const [, name, not, value] = /^\s*([a-z_]+(?:\.[^=!]+)?)(!?)=(.+?)\s*$/.exec(text) ?? [];
  const known = name !== undefined && (allowed.includes(name) || LEAST.includes(name) || name.startsWith('param.'));
  if (known) return { name, value, excluded: not === '!' && !LEAST.includes(name) };
  const words = text.trim();
  if (words === '') return null;
  if (/^[0-9a-f]{32}$/i.test(words) && allowed.includes('session')) return { name: 'session', value: words.toLowerCase(), excluded: false };
  return { name: allowed.includes('q') ? 'q' : allowed[0], value: words, excluded: false };
}

const text = (query) => query.toString();
