// Load on loopback with wrk, from scripts that let it run dry before its end (see bench-traffic.lua).

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DRY_SECONDS = 1; // wrk ends this long after the script has stopped asking, whole seconds being all it takes

/**
 * Asks `url` for `seconds` over `connections` and answers { requests, rps, p50, p99 } (times in µs). Every request
 * counted was sent and answered. Rejects when an answer was not 2xx or 3xx, or a connection failed: such a run
 * measures something else. `prefix` is a command to run wrk under (taskset).
 */
export async function load({ url, script, connections, seconds, prefix = [] }) {
  const [command, ...args] = [...prefix, 'wrk', '-t1', `-c${connections}`, `-d${seconds + DRY_SECONDS}s`,
    '--timeout', '10s', '-s', script, url, '--', String(seconds)];
  const { stdout } = await run(command, args).catch((error) => {
    throw new Error(error.code === 'ENOENT' ? `${command} is not installed: apt-get install ${command === 'wrk' ? 'wrk' : 'util-linux'}`
      : `wrk on ${url}: ${error.message}`, { cause: error });
  });
  const line = /^result (.*)$/m.exec(stdout);
  if (line === null) throw new Error(`wrk on ${url} ended without a result:\n${stdout}`);
  const { requests, p50, p99, statusErrors, socketErrors } = JSON.parse(line[1]);
  if (statusErrors + socketErrors > 0) {
    throw new Error(`wrk on ${url}: of ${requests} answers ${statusErrors} were errors; ${socketErrors} connections failed`);
  }
  return { requests, rps: requests / seconds, p50, p99 };
}
