// The API of a running Worker, asked with the admin token: by scripts/dev, its demo and scripts/deploy.
//
// Over node:http, because fetch sends no Host header but the URL's own, and ADMIN_HOST is told apart by it.

import { Agent, request } from 'node:http';

const PREFIX = '/_throughline';
const PAGE = 500; // the longest there is

export class Api {
  #base; #token; #host;
  #agent = new Agent({ keepAlive: true });

  /** `url` is the Worker's, `host` its ADMIN_HOST where one is configured. */
  constructor({ url, token, host = null }) {
    this.#base = new URL(url);
    this.#token = token;
    this.#host = host;
  }

  /** Every reason why the Worker refuses its configuration, each beginning with its path; empty when it serves. */
  async problems() {
    const { status, text } = await this.#send('GET', '/healthz');
    const answer = parsed(text);
    if (answer?.status === 'ok') return [];
    if (answer?.status !== 'misconfigured') throw new Error(`GET ${PREFIX}/healthz answered ${status}: ${text.slice(0, 500)}`);
    return answer.problems ?? ['ADMIN_TOKEN: is not accepted, and without it the Worker does not say what else is wrong'];
  }

  get(path, parameters = {}) {
    const query = new URLSearchParams(parameters).toString();
    return this.#json('GET', `/api/v1/${path}${query && `?${query}`}`);
  }

  post(path, body) { return this.#json('POST', `/api/v1/${path}`, JSON.stringify(body)); }

  /** Every item of a list, page by page. An answer that lacks a shard is an error: it would pass for the whole. */
  async items(path, parameters = {}) {
    const items = [];
    for (let cursor = {}; cursor !== null;) {
      const page = await this.get(path, { limit: PAGE, ...parameters, ...cursor });
      if (page.partial && page.next === null) throw new Error(`GET ${path}: the answer is partial`);
      items.push(...page.items);
      cursor = page.next === null ? null : { cursor: page.next };
    }
    return items;
  }

  close() { this.#agent.destroy(); }

  async #json(method, path, body) {
    const { status, text } = await this.#send(method, path, body);
    if (status < 200 || status > 299) throw new Error(`${method} ${PREFIX}${path} answered ${status}: ${text.slice(0, 500)}`);
    return JSON.parse(text);
  }

  #send(method, path, body) {
    return new Promise((fulfil, reject) => {
      const headers = { authorization: `Bearer ${this.#token}`, ...(this.#host && { host: this.#host }) };
      const { hostname, port } = this.#base;
      const sent = request({ agent: this.#agent, method, hostname, port, path: PREFIX + path, headers }, async (response) => {
        try {
          fulfil({ status: response.statusCode, text: Buffer.concat(await response.toArray()).toString() });
        } catch (error) {
          reject(error);
        }
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
