// From wrangler.toml to workerd's own configuration language.
//
// wrangler.toml is the one place where a deployment is described; what runs here on bare workerd is generated
// from it, so that tests and benchmarks exercise the deployment's own compatibility date, flags, bindings and
// Durable Object classes. Text in, text out: no process is started in this file (runtime.mjs does that).

import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { parse } from 'smol-toml';

const ORIGIN_BINDING = 'ORIGIN';
const STATIC_IMPORT = /(?:\bfrom|\bimport)\s*(["'])(\.\/[^"'\n]+)\1/g;

/** Reads wrangler.toml and answers it as an object, with the reason and the file's name on a syntax error. */
export function readConfig(file) {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: ${error.message}`, { cause: error });
  }
}

/**
 * The rule by which a value given as text (`scripts/dev --var NAME=VALUE`, a test's `vars`) becomes a binding:
 * what parses as a JSON object or array is a JSON binding, every other string is a text binding, and what is
 * not a string is a JSON binding. So `SHARDS=8` stays the text "8", as a secret set by hand would be.
 */
export function binding(value) {
  if (typeof value !== 'string') return { json: JSON.stringify(value) };
  if (/^\s*[[{]/.test(value)) {
    try {
      JSON.parse(value);
      return { json: value };
    } catch {
      return { text: value };
    }
  }
  return { text: value };
}

/** The modules a built Worker consists of: its main file and whatever that imports by a relative path. */
export function collectModules(main) {
  if (!existsSync(main)) throw new Error(`${main} is not there; scripts/build makes it`);
  const root = dirname(resolve(main));
  const modules = new Map();
  const pending = [resolve(main)];
  while (pending.length > 0) {
    const file = pending.pop();
    const name = relative(root, file);
    if (modules.has(name)) continue;
    const content = readFileSync(file);
    const type = extname(file) === '.wasm' ? 'wasm' : 'esModule';
    modules.set(name, { name, type, content });
    if (type === 'wasm') continue;
    for (const [, , path] of content.toString('utf8').matchAll(STATIC_IMPORT)) pending.push(join(dirname(file), path));
  }
  return [...modules.values()];
}

/** A Cap'n Proto text literal: printable ASCII as it is, every other byte of the UTF-8 form as \xHH. */
function text(value) {
  const bytes = [...Buffer.from(String(value), 'utf8')];
  const escaped = bytes.map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
      ? `\\x${byte.toString(16).padStart(2, '0')}`
      : String.fromCharCode(byte));
  return `"${escaped.join('')}"`;
}

const list = (items) => `[${items.join(', ')}]`;

function variables(config, vars) {
  const own = Object.entries(config.vars ?? {}).map(([name, value]) =>
    [name, typeof value === 'string' ? { text: value } : { json: JSON.stringify(value) }]);
  const given = Object.entries(vars).map(([name, value]) => [name, value == null ? null : binding(value)]);
  const merged = new Map([...own, ...given]);
  return [...merged].filter(([, value]) => value !== null)
    .map(([name, value]) => value.json === undefined
      ? `(name = ${text(name)}, text = ${text(value.text)})`
      : `(name = ${text(name)}, json = ${text(value.json)})`);
}

function durableObjects(config) {
  const bindings = config.durable_objects?.bindings ?? [];
  const sqlite = new Set((config.migrations ?? []).flatMap((migration) => migration.new_sqlite_classes ?? []));
  const classes = [...new Set(bindings.map((entry) => entry.class_name))];
  return {
    bindings: bindings.map((entry) =>
      `(name = ${text(entry.name)}, durableObjectNamespace = ${text(entry.class_name)})`),
    // The unique key names the class's folder on disk, so it must not change between two starts.
    namespaces: classes.map((name) =>
      `(className = ${text(name)}, uniqueKey = ${text(`${config.name}-${name}`)}, enableSql = ${sqlite.has(name)})`),
  };
}

function externalServer(origin) {
  const url = new URL(origin);
  const secure = url.protocol === 'https:';
  const address = `${url.hostname}:${url.port || (secure ? 443 : 80)}`;
  const transport = secure
    ? `https = (options = (), tlsOptions = (trustBrowserCas = true), certificateHost = ${text(url.hostname)})`
    : 'http = ()';
  return `(name = "origin", external = (address = ${text(address)}, ${transport}))`;
}

/**
 * workerd's configuration for one Worker.
 *
 * `config` is wrangler.toml as an object; `modules` come from collectModules and are embedded from `modules/`
 * beside the configuration file; `vars` are added to and win over the file's own (null removes one);
 * `originService` is the URL behind the ORIGIN service binding, or null; `storage` is the directory of the
 * Durable Objects; `address` is what the socket named "http" listens on.
 */
export function workerdConfig({ config, modules, vars, originService, storage, address }) {
  for (const service of config.services ?? []) {
    if (service.binding !== ORIGIN_BINDING) {
      throw new Error(`wrangler.toml: services.${service.binding} cannot be bound on bare workerd; only ${ORIGIN_BINDING} can`);
    }
  }
  const objects = durableObjects(config);
  const taken = (config.durable_objects?.bindings ?? []).find((entry) => vars[entry.name] != null);
  if (taken) throw new Error(`${taken.name} is the name of a Durable Object binding; a variable cannot have it too`);
  const bindings = [...variables(config, vars), ...objects.bindings];
  if (originService !== null) bindings.push(`(name = "${ORIGIN_BINDING}", service = "origin")`);
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "network", network = (
      allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    (name = "storage", disk = (path = ${text(storage)}, writable = true)),
    ${originService === null ? '' : externalServer(originService)}
  ],
  sockets = [(name = "http", address = ${text(address)}, http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = ${list(modules.map(({ name, type }) =>
    `(name = ${text(name)}, ${type} = embed ${text(`modules/${name}`)})`))},
  compatibilityDate = ${text(config.compatibility_date)},
  compatibilityFlags = ${list((config.compatibility_flags ?? []).map(text))},
  bindings = ${list(bindings)},
  globalOutbound = "network",
  durableObjectNamespaces = ${list(objects.namespaces)},
  durableObjectStorage = (localDisk = "storage"),
);
`;
}

