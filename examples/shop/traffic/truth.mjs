// What really happened, computed from what was sent and seen: which sessions there must be and which requests each
// made. The session rule is written down here a second time on purpose, so that the Worker can be held against it.

import { createHash } from 'node:crypto';

/**
 * The session a request belongs to, as {source, value}: the first that the request itself carries of the cookie `sid`,
 * a bearer token, an API key, address + user agent (+ JA4), address.
 */
export function sessionKey(headers) {
  const sid = /(?:^|;)\s*sid=([^;]+)/.exec(headers.cookie ?? '')?.[1];
  if (sid) return { source: 'cookie', value: sid };
  const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (token) return { source: 'bearer', value: token };
  if (headers['x-api-key']) return { source: 'api_key', value: headers['x-api-key'] };
  const { 'cf-connecting-ip': ip, 'user-agent': userAgent, 'x-dev-ja4': ja4 } = headers;
  if (!userAgent) return { source: 'ip', value: ip };
  return ja4 ? { source: 'ip_ua_ja4', value: `${ip} ${ja4} ${userAgent}` } : { source: 'ip_ua', value: `${ip} ${userAgent}` };
}

/** Collects requests in the order they are sent and sums them up at the end. */
export class Truth {
  #plan;
  #sessions = new Map();

  constructor(plan) {
    this.#plan = plan;
  }

  /** Notes a request about to be sent; the answer's status goes into what this returns, with `answer`. */
  sent({ actor, attack, at, requestId, method, target, headers }) {
    const { source, value } = sessionKey(headers);
    const key = `${source} ${value}`;
    if (!this.#sessions.has(key)) this.#sessions.set(key, { source, value, actors: new Set(), requests: [] });
    const session = this.#sessions.get(key);
    const entry = { request_id: requestId, actor: actor.id, at, method, target, status: 0, ...(attack && { attack }) };
    session.actors.add(actor);
    session.requests.push(entry);
    return entry;
  }

  /** An answer of Throughline's own rather than the shop's is marked `enforced`. */
  answered(entry, { status, headers }) {
    entry.status = status;
    if (status >= 400 && /^application\/problem\+json/i.test(headers['content-type'] ?? '')) entry.enforced = true;
  }

  /** {seed, sessions, totals}, as the README describes it. */
  finish() {
    const sessions = [...this.#sessions.values()].map(summary);
    const requests = sessions.flatMap((session) => session.requests);
    return {
      seed: this.#plan.seed,
      sessions,
      totals: {
        requests: requests.length,
        sessions: sessions.length,
        unanswered: requests.filter(({ status }) => status === 0).length,
        enforced: requests.filter(({ enforced }) => enforced).length,
        byLabel: countByLabel(this.#plan.actors, sessions),
      },
    };
  }
}

function summary({ source, value, actors, requests }) {
  const [first] = actors;
  const isSecret = ['cookie', 'bearer', 'api_key'].includes(source);
  return {
    key_source: source,
    key_hint: isSecret ? `sha256:${createHash('sha256').update(value).digest('hex').slice(0, 16)}` : value,
    actor: first.id,
    label: first.label,
    attacker: first.isAttacker,
    shared: actors.size > 1,
    attacks: [...new Set(requests.flatMap(({ attack }) => attack ?? []))].sort(),
    requests,
  };
}

function countByLabel(actors, sessions) {
  const counts = {};
  const of = (label) => (counts[label] ??= { actors: 0, sessions: 0, requests: 0 });
  for (const { label } of actors) of(label).actors += 1;
  for (const { label, requests } of sessions) {
    of(label).sessions += 1;
    of(label).requests += requests.length;
  }
  return counts;
}
