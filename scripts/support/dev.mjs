// What scripts/dev runs once the Worker is built: the shop (or the user's own API), workerd before it, and either
// the wait for Ctrl-C or the demo. Standard output is a contract, see scripts/dev.
//
// The one other way to end is a refusal: 2 for a command line that cannot be followed (a port in use is part of it),
// 1 for a configuration that the Worker refuses. Nothing this process started is left behind by either.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startShop } from '../../examples/shop/server.mjs';
import { Api } from './api.mjs';
import { DEMO_VARS, playDemo } from './demo.mjs';
import { readOptions, UsageError } from './dev-options.mjs';
import { startWorker } from './runtime.mjs';

const DEATH_CHECK_MS = 500;
const say = (text) => { process.stderr.write(`· ${text}\n`); };
const complain = (text) => { process.stderr.write(`error: ${text}\n`); };
const tell = (line) => { process.stdout.write(`${line}\n`); };
const secret = () => randomBytes(32).toString('hex');

async function main(args) {
  const { demo, port, storage, vars: given } = readOptions(args);
  const shop = 'ORIGIN_URL' in given ? null : await startShop();
  const vars = {
    SESSION_SECRET: given.SESSION_SECRET ?? (storage === null ? secret() : keptSecret(storage)),
    ADMIN_TOKEN: secret(),
    ...(shop === null ? {} : { ORIGIN_URL: shop.url, DEV_CLIENT_HEADERS: 'true' }),
    ...(demo ? DEMO_VARS : {}),
    ...given,
  };
  let serving = false; // before that, what the Worker has to say is told in better order below
  const echo = { write: (data) => serving && process.stderr.write(data) };
  const worker = await startWorker({ port, storage, vars, echo }).catch((error) => { throw portInUse(error, port); });
  const api = new Api({ url: worker.url, token: vars.ADMIN_TOKEN, host: vars.ADMIN_HOST });
  const stop = async () => {
    api.close();
    await worker.stop();
    await shop?.close();
  };

  const problems = await api.problems();
  if (problems.length > 0) {
    complain(`the configuration is refused\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    await stop();
    return 1;
  }
  serving = true;
  introduce({ worker, vars, shop, storage });
  tell(`token admin ${vars.ADMIN_TOKEN}`);
  tell(`ready ${worker.url}`);
  if (demo) {
    const isTrue = await playDemo({ url: worker.url, api, tell, say });
    await stop();
    return isTrue ? 0 : 1;
  }
  const end = await Promise.race([signal(), death(worker.pid)]);
  say(`${end ?? 'workerd ended by itself'}: stopping`);
  await stop();
  return end === null ? 1 : 0;
}

/** The secret that belongs to the data in `storage`: with another, the same key would be another session. */
function keptSecret(storage) {
  const file = join(storage, 'session-secret');
  if (!existsSync(file)) {
    mkdirSync(storage, { recursive: true });
    writeFileSync(file, secret(), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

function portInUse(error, port) {
  if (!/address already in use/i.test(error.message)) return error;
  return new UsageError(`port ${port} is in use; choose another with --port, or any free one with --port 0`);
}

function introduce({ worker, vars, shop, storage }) {
  const api = `${worker.url}/_throughline`;
  const host = vars.ADMIN_HOST ? ` -H 'Host: ${vars.ADMIN_HOST}'` : '';
  say(shop === null ? `in front of ${vars.ORIGIN_URL}` : `in front of the demo shop at ${shop.url}; clients may say who they are (DEV_CLIENT_HEADERS)`);
  say(storage === null ? 'sessions are kept until it stops; --storage DIR keeps them longer' : `sessions are kept in ${storage}`);
  say(`the API is at ${api}; for example:`);
  const curl = `curl -H 'Authorization: Bearer ${vars.ADMIN_TOKEN}'${host}`;
  say(`  ${curl} '${api}/api/v1/sessions?limit=10'`);
  say('which key a request would be found by, and why (a HAR file of your browser does as well):');
  say(`  ${curl} '${api}/api/v1/identify' -d '{"request":{"url":"https://api.example.com/","headers":{"Cookie":"sid=1"}}}'`);
}

/** The first signal to stop. A second one, while stopping, ends the process at once (runtime.mjs). */
function signal() {
  return new Promise((fulfil) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, fulfil);
  });
}

/** null, once the process is gone: it was killed, or it crashed. */
async function death(pid) {
  for (;;) {
    await delay(DEATH_CHECK_MS, null, { ref: false });
    try {
      process.kill(pid, 0);
    } catch {
      return null;
    }
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  complain(error instanceof UsageError ? `${error.message}; see scripts/dev --help` : error.message);
  process.exit(error instanceof UsageError ? 2 : 1); // the exit handler of runtime.mjs ends what still runs
}
