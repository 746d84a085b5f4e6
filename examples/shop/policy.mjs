// The shop's policy as bindings: prints it as options of scripts/dev, one a line.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'smol-toml';

/** The sections of policy.toml by their names. */
export const policy = () => parse(readFileSync(join(import.meta.dirname, 'policy.toml'), 'utf8'));

if (pathToFileURL(process.argv[1]).href === import.meta.url) {
  for (const [name, section] of Object.entries(policy())) console.log(`--var ${name}=${JSON.stringify(section).replaceAll(' ', '\\u0020')}`);
}
