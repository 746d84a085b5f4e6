// One HTTP exchange over node:http, which sends targets and headers exactly as given, and the cookie jar of a browser.

import { request as httpRequest } from 'node:http';

const TIMEOUT_MS = 30_000;

/** {status, headers, body}, the body as text; status 0 when no answer came. Never sends twice. */
export function exchange({ agent, base, method, target, headers, body }) {
  return new Promise((fulfil) => {
    const unanswered = () => fulfil({ status: 0, headers: {}, body: '' });
    const payload = body === undefined ? undefined : Buffer.from(body);
    const request = httpRequest({
      agent, method,
      host: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port || 80,
      path: target,
      headers: payload ? { ...headers, 'content-length': payload.length } : headers,
      timeout: TIMEOUT_MS,
    });
    request.on('timeout', () => request.destroy());
    request.on('error', unanswered);
    request.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', unanswered);
      response.on('end', () => fulfil({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.end(payload);
  });
}

/** Cookies of one origin, by name: keeps what Set-Cookie says, forgets what it expires with Max-Age=0. */
export class CookieJar {
  #cookies = new Map();

  get header() {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  store(setCookies = []) {
    for (const line of setCookies) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name === undefined) continue;
      if (/;\s*max-age=0\s*(;|$)/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}
