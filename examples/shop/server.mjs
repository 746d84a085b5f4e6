// The demo origin: an e-commerce API with planted vulnerabilities, for Throughline to stand in front of.
// Start it with `node examples/shop/server.mjs --port 8080`, or from a test with `startShop()`.
// What it offers is in openapi.json; where the code for it lives is in origin/routes.mjs.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createListener } from './origin/listener.mjs';
import { createStore } from './origin/store.mjs';
import { Tokens } from './origin/tokens.mjs';

/** Starts a shop with fresh data; `now` is its clock in epoch ms, `state` its memory (origin/store.mjs). */
export async function startShop({ port = 0, host = '127.0.0.1', now = () => Date.now() } = {}) {
  const state = createStore();
  const server = createServer(createListener({ store: state, tokens: new Tokens(now), now }));
  server.keepAliveTimeout = 75_000; // longer than a proxy keeps idle connections, or it would reuse one just being closed
  server.listen(port, host);
  await once(server, 'listening');
  const bound = server.address().port;
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, port: bound, close, state };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' }, host: { type: 'string', default: '127.0.0.1' } } });
  const { url, close } = await startShop({ port: Number(values.port), host: values.host });
  console.log(`shop at ${url}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, close);
}
