// Verifies that a `Session-Context` was signed by Throughline for exactly this request, within the last minute.
// Copy this file; it needs nothing but Node. ../README.md says what is covered and what is not.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const LABEL = 'throughline';
const COMPONENTS = ['@method', '@authority', '@path', '@query', 'session-context'];
const PARAMETERS = { created: 'integer', expires: 'integer', nonce: 'string', keyid: 'string' };
const ALGORITHM = 'hmac-sha256';
const MIN_KEY_BYTES = 32;
// Clocks differ: a signature may seem to come from the future by this much, seconds.
const SKEW_S = 5;
const MAX_LIFETIME_S = 60;

/** Why a context must not be believed: `reason` is one word for logs, and for code to tell them apart. */
export class Refusal extends Error {
  constructor(reason, message) {
    super(message);
    this.name = 'Refusal';
    this.reason = reason;
  }
}

/**
 * Verifies the context of one request and returns it; throws a Refusal otherwise.
 *
 * - `method`, `path` and `query` as they arrived, nothing decoded; `query` without its `?`, absent or "" if empty.
 * - `authority`: the Host header.
 * - `headers`: an object from names to values, or to arrays of values, such as `request.headers`.
 * - `keys`: texts of CONTEXT_SIGNING_KEY, the new and the old one while they are changed.
 * - `now`: epoch seconds.
 *
 * The answer is `{ context, keyid, nonce, created, expires }`. The nonce is the id of the request: remember it until
 * `expires` and refuse it a second time, if a request that is played again within the minute must not count.
 */
export function verify({ method, authority, path, query, headers, keys, now = Math.floor(Date.now() / 1000) }) {
  const context = field(headers, 'session-context');
  const input = member(field(headers, 'signature-input'), 'Signature-Input');
  const signature = member(field(headers, 'signature'), 'Signature');
  if (context === undefined) throw new Refusal('unsigned', 'there is no Session-Context');

  const signed = signedParameters(input);
  const [created, expires, nonce, keyid] = Object.keys(PARAMETERS).map((name) => input.parameters.get(name).value);
  const key = keys.find((key) => Buffer.byteLength(key ?? '') >= MIN_KEY_BYTES && keyId(key) === keyid);
  if (key === undefined) throw new Refusal('key', `no key has the id ${keyid}`);
  if (created > now + SKEW_S) throw new Refusal('future', 'the signature is not valid yet');
  if (expires <= created || expires - created > MAX_LIFETIME_S) {
    throw new Refusal('lifetime', 'the signature is meant to hold for too long, or not at all');
  }
  if (now >= expires) throw new Refusal('expired', 'the signature is too old');

  const base = [
    `"@method": ${method}`,
    `"@authority": ${(authority ?? '').toLowerCase()}`,
    `"@path": ${path || '/'}`,
    `"@query": ?${query ?? ''}`,
    `"session-context": ${context}`,
    `"@signature-params": ${signed}`,
  ].join('\n');
  const expected = createHmac('sha256', key).update(base).digest();
  if (!timingSafeEqual(expected, digest(signature))) {
    throw new Refusal('mismatch', 'the signature is not of this request, or not of this key');
  }
  return { context: described(context), keyid, nonce, created, expires };
}

/** The id under which Throughline names this key. */
export function keyId(key) {
  return createHash('sha256').update('throughline/context-key-id\0').update(key).digest('hex').slice(0, 16);
}

// A field's value: its lines without the white space around them, joined (RFC 9421 §2.1).
function field(headers, wanted) {
  const named = Object.entries(headers).filter(([name]) => name.toLowerCase() === wanted);
  const lines = named.flatMap(([, value]) => value ?? []);
  return lines.length ? lines.map((line) => line.replace(/^[ \t]+|[ \t]+$/g, '')).join(', ') : undefined;
}

function member(value, name) {
  const found = value === undefined ? undefined : parseDictionary(value).get(LABEL);
  if (!found) throw new Refusal('unsigned', `${name} has no member ${LABEL}`);
  return found;
}

// What follows the label in Signature-Input, as it was signed (RFC 9421 §2.3, §2.5), once all of it is checked.
function signedParameters({ items, parameters }) {
  if (!items?.every((item) => item.type === 'string')) throw malformed('the components are no list of strings');
  const bare = items.every((item) => item.parameters.size === 0);
  if (!bare || items.length !== COMPONENTS.length || items.some((item, i) => item.value !== COMPONENTS[i])) {
    throw new Refusal('components', `exactly ${COMPONENTS.join(' ')} have to be signed, in this order`);
  }
  const text = [...parameters].map(([name, value]) => `;${name}=${serialized(value)}`).join('');
  if (parameters.get('alg')?.value !== ALGORITHM) throw new Refusal('algorithm', `the algorithm is not ${ALGORITHM}`);
  for (const [name, type] of Object.entries(PARAMETERS)) {
    if (parameters.get(name)?.type !== type) throw malformed(`${name} is no ${type}`);
  }
  return `(${items.map(serialized).join(' ')})${text}`;
}

function serialized({ type, value }) {
  if (type === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  if (type === 'integer') return String(value);
  throw malformed('a parameter of the signature is neither a string nor an integer');
}

function digest({ type, value }) {
  if (type !== 'bytes') throw malformed('the signature is no byte sequence');
  const bytes = Buffer.from(value, 'base64');
  const whole = bytes.length === 32 && bytes.toString('base64') === value;
  if (!whole) throw malformed('the signature is no SHA-256 in base64');
  return bytes;
}

function described(text) {
  const members = parseDictionary(text);
  const read = (name, ...types) => {
    const found = members.get(name);
    if (!types.includes(found?.type)) throw malformed(`${name} is missing in the context, or of another type`);
    return found.value;
  };
  const findings = members.get('findings')?.items;
  if (!findings?.every((finding) => finding.type === 'token')) throw malformed('findings is no list of tokens');
  return {
    id: read('id', 'string'),
    risk: read('risk', 'integer'),
    // False: nothing was known of the session yet, and a risk of 0 says nothing.
    known: members.get('risk').parameters.get('unknown')?.value !== true,
    verdict: read('verdict', 'token'),
    verified: read('verified', 'boolean'),
    user: members.has('user') ? read('user', 'string', 'display') : null,
    findings: findings.map((finding) => finding.value),
  };
}

// A Dictionary of RFC 9651 §4.2.2: a Map from keys to { type, value, parameters } or { items, parameters }.
function parseDictionary(text) {
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  const need = (pattern) => take(pattern) ?? fail();
  const fail = () => {
    throw malformed(`a field cannot be read from character ${at} on`);
  };

  const bareItem = () => {
    for (const [type, pattern, read] of BARE_ITEMS) {
      const match = take(pattern);
      if (match) return { type, value: read(match[1]) };
    }
    return fail();
  };
  const parameters = () => {
    const found = new Map();
    while (take(/; */y)) {
      const [key] = need(KEY);
      found.set(key, take(/=/y) ? bareItem() : TRUE);
    }
    return found;
  };
  const item = () => ({ ...bareItem(), parameters: parameters() });
  const innerList = () => {
    const items = [];
    for (take(/ */y); !take(/\)/y); take(/ */y)) {
      items.push(item());
      if (!/[ )]/.test(text[at] ?? '')) fail();
    }
    return { items, parameters: parameters() };
  };

  const members = new Map();
  take(/ */y);
  while (at < text.length) {
    const [key] = need(KEY);
    if (!take(/=/y)) members.set(key, { ...TRUE, parameters: parameters() });
    else members.set(key, take(/\(/y) ? innerList() : item());
    take(/[ \t]*/y);
    if (at === text.length) break;
    need(/,[ \t]*/y);
    if (at === text.length) fail();
  }
  return members;
}

const KEY = /[a-z*][a-z0-9_.*-]*/y;
const TRUE = { type: 'boolean', value: true };
const BARE_ITEMS = [
  ['string', /"((?:[ !#-[\]-~]|\\["\\])*)"/y, (text) => text.replace(/\\(.)/g, '$1')],
  ['display', /%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"/y, displayString],
  ['bytes', /:([A-Za-z0-9+/=]*):/y, String],
  ['boolean', /\?([01])/y, (digit) => digit === '1'],
  ['date', /@(-?[0-9]{1,15})/y, Number],
  ['decimal', /(-?[0-9]{1,12}\.[0-9]{1,3})/y, Number],
  ['integer', /(-?[0-9]{1,15})/y, Number],
  ['token', /([A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*)/y, String],
];

function displayString(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed('a display string is no UTF-8');
  }
}

function malformed(message) {
  return new Refusal('malformed', message);
}
