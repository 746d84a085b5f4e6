// What "no difference" means between an exchange with the origin itself and the same one through a Worker.
//
// Header names are compared without case, their order across names is free, and repeated lines equal their
// comma-joined value (RFC 9110, sections 5.1 to 5.3): workerd regroups headers, and joins what its own header
// table knows as lists (Cookie among them, which arrives as "a=1, b=2"). Set-Cookie is compared line by line.
// Everything else must be equal, but for the changes listed in PLATFORM, which workerd makes by itself (the bare
// pass-through Worker shows each of them), and in DOCUMENTED. Any other change is Throughline's fault.

const HOP_BY_HOP = 'each connection has its own (RFC 9110, section 7.6.1)';

/**
 * Changes the platform makes: where, which field, when, and why. `when` gets both values (null: absent) and
 * whether the direct request was a GET or HEAD with a chunked body.
 */
export const PLATFORM = [
  ...['connection', 'keep-alive', 'trailer', 'transfer-encoding'].flatMap((name) =>
    ['request', 'response'].map((side) => ({ side, field: `header ${name}`, why: HOP_BY_HOP }))),
  { side: 'request', field: 'header te', why: HOP_BY_HOP },
  { side: 'request', field: 'header content-length', when: (direct, proxied) => direct === null && proxied === '0',
    why: 'workerd sends Content-Length: 0 with every bodiless method but GET and HEAD' },
  { side: 'request', field: 'header user-agent', when: (direct, proxied) => direct === '' && proxied === null,
    why: 'workerd leaves out an empty User-Agent' },
  ...['bytes', 'sha256'].map((field) => ({ side: 'request', field, when: (direct, proxied, dropped) => dropped,
    why: 'workerd drops a chunked body of GET and HEAD; one with Content-Length stays' })),
  { side: 'request', field: 'trailers', why: 'workerd drops request trailers' },
  { side: 'request', field: 'header sec-websocket-key', why: 'workerd shakes hands with the origin on its own' },
  { side: 'response', field: 'trailers', why: 'workerd drops response trailers' },
  { side: 'response', field: 'framing', when: (direct, proxied) => direct === 'close' && proxied === 'chunked',
    why: 'a body without a length is chunked, so that its end shows' },
  { side: 'response', field: 'interim', why: 'workerd drops 1xx responses, and answers Expect by itself' },
  { side: 'response', field: 'header content-length', when: (direct, proxied, dropped, status) => status === 304 && proxied === null,
    why: 'workerd drops the Content-Length of a 304' },
];

/** Changes Throughline makes and documents; the bare pass-through shows none of them. */
export const DOCUMENTED = [
  { side: 'request', field: 'header session-context', when: (direct, proxied) => proxied === null,
    why: 'only Throughline may set it: what a client sends is removed' },
  { side: 'request', field: 'header session-event', when: (direct, proxied) => proxied === null,
    why: 'origins speak it to Throughline: what a client sends is removed' },
  { side: 'response', field: 'header session-event', when: (direct, proxied) => proxied === null,
    why: 'feedback from the origin to Throughline, not for clients' },
];

const exceptions = [...PLATFORM, ...DOCUMENTED].map((entry) => ({ ...entry, seen: 0 }));

/** The exceptions no comparison has needed so far: one without a case is not kept. */
export const unseen = () => exceptions.filter(({ seen }) => seen === 0).map(({ side, field, why }) => `${side} ${field}: ${why}`);

/**
 * The differences between two exchanges, { sent, got } each: what the origin saw (origin.mjs) and what the client
 * got (client.mjs). Answers lines to read; an empty list is what a test wants. `sent` may be null on both sides.
 */
export function differences(direct, proxied) {
  const dropped = /^(GET|HEAD)$/.test(direct.sent?.method ?? '') && fields(direct.sent).has('header transfer-encoding');
  return ['request', 'response'].flatMap((side) => {
    const [from, to] = [direct, proxied].map((exchange) => fields(side === 'request' ? exchange.sent : exchange.got));
    return [...new Set([...from.keys(), ...to.keys()])].flatMap((field) => {
      const [before, after] = [from.get(field) ?? null, to.get(field) ?? null];
      if (before === after) return [];
      const excuse = exceptions.find((entry) => entry.side === side && entry.field === field
        && (entry.when?.(before, after, dropped, direct.got.status) ?? true));
      if (excuse === undefined) return [`${side} ${field}: direct ${JSON.stringify(before)}, proxied ${JSON.stringify(after)}`];
      excuse.seen += 1;
      return [];
    });
  });
}

/** A message as a flat map of comparable text. */
function fields(message) {
  const map = new Map();
  if (message === null) return map;
  for (const field of ['method', 'target', 'status', 'reason', 'bytes', 'sha256', 'complete', 'framing']) {
    if (message[field] !== undefined) map.set(field, message[field]);
  }
  for (const field of ['trailers', 'interim']) {
    if (message[field]?.length > 0) map.set(field, JSON.stringify(message[field]));
  }
  for (const [given, value] of message.headers) {
    const field = `header ${given.toLowerCase()}`;
    const separator = field === 'header set-cookie' ? '\n' : ', ';
    map.set(field, map.has(field) ? map.get(field) + separator + value : value);
  }
  return map;
}
