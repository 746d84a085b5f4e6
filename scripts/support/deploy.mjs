// What scripts/deploy runs once the Worker is built: refuse what is not for the network, have the Worker itself
// check its configuration on workerd, see that the secrets are set, and only then let wrangler deploy.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stringify } from 'smol-toml';
import { Api } from './api.mjs';
import { readConfig } from './capnp.mjs';
import { effective, namedSecrets, refusals, REQUIRED_SECRETS } from './deploy-checks.mjs';
import { startWorker } from './runtime.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
const PLACEHOLDER = '0123456789abcdef'.repeat(4); // as long as a real secret, and known to nobody's deployment
const say = (text) => { process.stderr.write(`· ${text}\n`); };

const scratch = mkdtempSync(join(tmpdir(), 'throughline-deploy-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

async function main({ env = null, config: file, 'dry-run': dryRun, 'shared-host': sharedHost }) {
  const config = readConfig(file);
  const problems = refusals(config, { env, sharedHost });
  if (problems.length > 0) return refuse(file, problems);

  say('checking the configuration with the built Worker, on workerd');
  const found = await problemsOfWorker(effective(config, env), env === null ? 'vars' : `env.${env}.vars`, resolve(dirname(file)));
  if (found.length > 0) return refuse(file, found);

  const target = ['--config', file, ...(env === null ? [] : ['--env', env])];
  const put = (name) => `wrangler secret put ${name}${env === null ? '' : ` --env ${env}`}`;
  const needed = [...REQUIRED_SECRETS, ...Object.keys(namedSecrets(effective(config, env).vars))];
  if (dryRun) {
    say(`secrets a deployment needs: ${needed.map(put).join('; ')}`);
    return wrangler('deploy', ...target, '--dry-run', '--outdir', join(scratch, 'out'));
  }
  const missing = missingSecrets(target, needed);
  if (missing.length > 0) return refuse(file, missing.map((name) => `${name}: is not set; run: ${put(name)}`));
  return wrangler('deploy', ...target);
}

function refuse(file, problems) {
  process.stderr.write(`error: ${file} is not deployed\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
  return 1;
}

/** What the Worker says about its vars, which stand in `section`; `folder` is where `main` counts from. */
async function problemsOfWorker(config, section, folder) {
  const file = join(scratch, 'wrangler.toml');
  writeFileSync(file, stringify(config));
  const required = Object.fromEntries(REQUIRED_SECRETS.map((name) => [name, PLACEHOLDER]));
  const secrets = { ...namedSecrets(config.vars), ...required };
  const worker = await startWorker({ config: file, main: resolve(folder, config.main), vars: secrets });
  const api = new Api({ url: worker.url, token: PLACEHOLDER, host: config.vars?.ADMIN_HOST });
  try {
    return (await api.problems()).map((problem) => `${section}.${problem}`);
  } finally {
    api.close();
    await worker.stop();
  }
}

/** Those of the needed secrets that the deployed Worker does not have. */
function missingSecrets(target, needed) {
  const { status, stdout } = spawnSync(process.execPath, [WRANGLER, 'secret', 'list', ...target, '--format', 'json'],
    { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error('wrangler could not list the secrets that are set; its reason is above');
  const names = JSON.parse(stdout).map(({ name }) => name);
  return needed.filter((name) => !names.includes(name));
}

/** wrangler's own exit code. */
async function wrangler(...args) {
  const child = spawn(process.execPath, [WRANGLER, ...args], { cwd: ROOT, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

function options() {
  try {
    return parseArgs({ options: {
      env: { type: 'string' },
      config: { type: 'string', default: join(ROOT, 'wrangler.toml') },
      'dry-run': { type: 'boolean', default: false },
      'shared-host': { type: 'boolean', default: false },
    } }).values;
  } catch (error) {
    process.stderr.write(`error: ${error.message}; see scripts/deploy --help\n`);
    process.exit(2);
  }
}

try {
  process.exitCode = await main(options());
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
}
