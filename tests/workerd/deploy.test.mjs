// scripts/deploy as a program: what it refuses to deploy, with which path and reason. Nothing here deploys.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { effective, namedSecrets, refusals } from '../../scripts/support/deploy-checks.mjs';
import { notOurs } from './harness.mjs';
import { folder, ROOT, run } from './programs.mjs';

const WRANGLER_TOML = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');

describe('scripts/deploy', () => {
  const deploy = (toml, ...args) => {
    const file = join(folder, 'wrangler.toml');
    writeFileSync(file, toml);
    return run('deploy', '--config', file, ...args).done;
  };
  const withVars = (text) => WRANGLER_TOML.replace('[vars]', `[vars]\nADMIN_HOST = "sessions.example.com"\n${text}`);

  for (const name of ['DEV_CLIENT_HEADERS', 'DEV_CLOCK']) {
    test(`refuses ${name}, whatever its value`, async () => {
      const { code, stderr } = await deploy(withVars(`${name} = false`), '--dry-run');
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`^  vars\\.${name}: \\S`, 'm'));
    });
  }

  test('has the Worker itself refuse a bad policy', { skip: notOurs }, async () => {
    const absolute = (line, main) => `main = ${JSON.stringify(join(ROOT, main))}`;
    const { code, stderr } = await deploy(withVars('ON_ERROR = "ajar"').replace(/^main = "(.*)"$/m, absolute), '--dry-run');
    assert.equal(code, 1);
    assert.match(stderr, /^ {2}vars\.ON_ERROR: .*ajar/m);
  });

  test('exits with 2 on an unknown option', async () => assert.equal((await deploy('', '--force')).code, 2));

  const objects = { bindings: [{ name: 'SHARD' }] };
  const config = {
    main: 'x',
    vars: { ADMIN_HOST: 'sessions.example.com' },
    durable_objects: objects,
    env: {
      staging: { durable_objects: objects, vars: {} },
      production: { durable_objects: objects, vars: {} },
      bare: { vars: { DEV_CLOCK: true, VIEWER_TOKEN: 'x', ADMIN_HOST: 'https://x/' } },
    },
  };
  const paths = (...args) => refusals(...args).map((refusal) => refusal.split(':')[0]);

  test('production needs a host for console and API, unless it is said to share', () => {
    assert.deepEqual(paths(config), []);
    assert.deepEqual(paths({ ...config, vars: {} }), ['vars.ADMIN_HOST']);
    assert.deepEqual(paths({ ...config, vars: {} }, { sharedHost: true }), []);
    assert.deepEqual(paths(config, { env: 'production' }), ['env.production.vars.ADMIN_HOST']);
    assert.deepEqual(paths(config, { env: 'staging' }), []);
  });

  test('secrets of token issuers are named, not written down', () => {
    const JWT = [{ alg: 'HS256', secret: 'written down' }, { alg: 'HS256', secret_binding: 'LOGIN_SECRET' }];
    assert.deepEqual(paths({ ...config, vars: { ...config.vars, JWT, JWT_2: JSON.stringify([{ secret: 'x' }]) } }), ['vars.JWT[0].secret', 'vars.JWT_2[0].secret']);
    assert.deepEqual(Object.keys(namedSecrets({ JWT, JWT_2: '[{"jwks_binding":"KEYS"}]', KEYS: '{}' })), ['LOGIN_SECRET']);
  });

  test('an environment is judged by its own vars and bindings, none of which it takes over', () => {
    assert.deepEqual(paths(config, { env: 'bare' }), [
      'env.bare.vars.DEV_CLOCK', 'env.bare.vars.VIEWER_TOKEN', 'env.bare.vars.ADMIN_HOST', 'env.bare.durable_objects.bindings',
    ]);
    assert.deepEqual(paths({ ...config, vars: { DEV_CLOCK: true } }, { env: 'staging' }), ['vars.DEV_CLOCK']);
    assert.deepEqual(effective(config, 'bare'), { main: 'x', ...config.env.bare });
    assert.throws(() => effective(config, 'nowhere'), /env\.nowhere/);
  });
});
