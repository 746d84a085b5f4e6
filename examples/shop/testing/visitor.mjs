// A client for the tests: speaks JSON, keeps cookies, asks for exactly the target it is given.

import { Agent } from 'node:http';
import { CookieJar, exchange } from '../traffic/exchange.mjs';

export class Visitor {
  jar = new CookieJar();
  #base;

  constructor(url) {
    this.#base = new URL(url);
  }

  /** {status, headers, text, json}; `body` is sent as JSON, or as it is when a string; `json` is undefined for other answers. */
  async send(method, target, body, headers = {}) {
    const response = await exchange({
      agent: new Agent(),
      base: this.#base,
      method,
      target,
      headers: { ...(this.jar.header && { cookie: this.jar.header }), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    this.jar.store(response.headers['set-cookie']);
    const isJson = response.headers['content-type'] === 'application/json' && response.body !== '';
    return { status: response.status, headers: response.headers, text: response.body, json: isJson ? JSON.parse(response.body) : undefined };
  }

  get(target, headers) {
    return this.send('GET', target, undefined, headers);
  }

  post(target, body, headers) {
    return this.send('POST', target, body, headers);
  }

  get sid() {
    return /sid=(\w+)/.exec(this.jar.header)?.[1];
  }
}
