// The demo's audience: labelled actors who shop, err and attack, from one seed, and the truth about what they did.
//   node examples/shop/traffic.mjs --url http://127.0.0.1:8787 --seed 1 --requests 2000 --out truth.json
// Prints the totals; exits with 1 if a request went unanswered.

import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { planTraffic } from './traffic/plan.mjs';
import { playTraffic } from './traffic/play.mjs';

export { planTraffic, playTraffic };

async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8787' },
      seed: { type: 'string', default: '1' },
      requests: { type: 'string', default: '2000' },
      concurrency: { type: 'string', default: '8' },
      'simulate-clock': { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const plan = planTraffic({ seed: wholeNumber('seed', values.seed), requests: wholeNumber('requests', values.requests) });
  const truth = await playTraffic(plan, {
    baseUrl: values.url,
    concurrency: wholeNumber('concurrency', values.concurrency),
    simulateClock: values['simulate-clock'],
  });
  if (values.out) writeFileSync(values.out, `${JSON.stringify(truth, null, 1)}\n`);
  console.log(JSON.stringify(truth.totals, null, 2));
  if (truth.totals.unanswered > 0) process.exitCode = 1;
}

function wholeNumber(name, text) {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError(`--${name} takes a whole number, not ${text}`);
  return Number(text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
