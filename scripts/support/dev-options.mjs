// The command line of scripts/dev: text in, settings out. What the options mean to a user is in scripts/dev.

import { parseArgs } from 'node:util';

/** The command line cannot be followed; the message is for whoever typed it. */
export class UsageError extends Error {}

const DEFAULT_PORT = 8787;

/**
 * { demo, port, storage, vars }: `vars` are the bindings asked for, by name, as text; `storage` is null for a
 * temporary folder. An origin given either way is in vars as ORIGIN_URL. Throws UsageError.
 */
export function readOptions(args) {
  const given = parse(args);
  const { demo = false, storage = null } = given;
  const vars = bindings(given);
  if (demo && (storage !== null || 'ORIGIN_URL' in vars || (vars.MODE ?? 'monitor') !== 'monitor')) {
    throw new UsageError('--demo plays before the shop, in monitor mode and on fresh storage; leave --origin, --mode and --storage out');
  }
  return { demo, storage, vars, port: given.port === undefined ? (demo ? 0 : DEFAULT_PORT) : port(given.port) };
}

function parse(args) {
  try {
    return parseArgs({ args, options: {
      demo: { type: 'boolean' },
      origin: { type: 'string' },
      port: { type: 'string' },
      mode: { type: 'string' },
      storage: { type: 'string' },
      var: { type: 'string', multiple: true },
    } }).values;
  } catch (error) {
    throw new UsageError(error.message, { cause: error });
  }
}

function port(text) {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Infinity;
  if (number > 65_535) throw new UsageError(`--port: ${text} is no port; use 0 to 65535`);
  return number;
}

function bindings({ origin, mode, var: pairs = [] }) {
  const named = pairs.map((pair) => {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined) throw new UsageError(`--var: ${pair} is not NAME=VALUE`);
    return [name, value];
  });
  if (origin !== undefined) named.push(['ORIGIN_URL', checkedOrigin(origin)]);
  if (mode !== undefined) named.push(['MODE', checkedMode(mode)]);
  const vars = Object.fromEntries(named);
  const twice = Object.keys(vars).find((name) => named.filter(([other]) => other === name).length > 1);
  if (twice !== undefined) throw new UsageError(`${twice} is given twice`);
  return vars;
}

function checkedOrigin(text) {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new UsageError(`--origin: ${text} is no http:// or https:// URL`);
  }
  return text;
}

function checkedMode(text) {
  if (!['monitor', 'enforce'].includes(text)) throw new UsageError(`--mode: ${text} is neither monitor nor enforce`);
  return text;
}
