// One actor on stage: remembers cookies and saved values, turns its next step into a request, and learns from the answer.

import { CookieJar } from './exchange.mjs';

export class Performer {
  #actor;
  #jar = new CookieJar();
  #saved = {};
  #last = Promise.resolve();

  constructor(actor) {
    this.#actor = actor;
  }

  /** Runs `turn` once all earlier turns of this actor are over. */
  inTurn(turn) {
    this.#last = this.#last.then(turn);
    return this.#last;
  }

  /** {method, target, headers, body} of a step; header names in lower case. */
  compose(step, requestId) {
    const { client, headers, keepsCookies } = this.#actor;
    const body = step.body === undefined ? undefined : this.#fillBody(step.body);
    const given = {
      'user-agent': client.userAgent,
      accept: 'application/json',
      cookie: (keepsCookies && this.#jar.header) || undefined,
      authorization: step.withToken && this.#saved.access ? `Bearer ${this.#saved.access}` : undefined,
      'content-type': body === undefined ? undefined : 'application/json',
      'cf-connecting-ip': client.addresses[step.address ?? 0],
      'cf-ipcountry': client.country,
      'x-dev-asn': String(client.asn),
      'x-dev-ja4': client.ja4,
      'x-demo-request': requestId,
      ...headers,
      ...step.headers,
    };
    return {
      method: step.method,
      target: step.target.replace(/\{saved\.(\w+)\}/g, (_, name) => encodeURIComponent(this.#saved[name] ?? 0)),
      headers: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
    };
  }

  learn(step, { headers, body }) {
    this.#jar.store(headers['set-cookie']);
    if (!step.save) return;
    const answer = jsonOrNull(body);
    for (const [name, field] of Object.entries(step.save)) {
      if (answer?.[field] !== undefined) this.#saved[name] = answer[field];
    }
  }

  /** `template` with every string that is exactly one placeholder replaced by the saved value, of whatever type. */
  #fillBody(template) {
    if (typeof template === 'string') {
      const name = /^\{saved\.(\w+)\}$/.exec(template)?.[1];
      return name ? this.#saved[name] ?? 0 : template;
    }
    if (Array.isArray(template)) return template.map((item) => this.#fillBody(item));
    if (typeof template !== 'object' || template === null) return template;
    return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, this.#fillBody(value)]));
  }
}

function jsonOrNull(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
