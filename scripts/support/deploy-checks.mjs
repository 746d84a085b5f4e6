// What may not be deployed, read off wrangler.toml alone. Pure: configuration in, refusals out.

/** Bindings that let a client say who it is or what time it is. */
const DEVELOPMENT = ['DEV_CLIENT_HEADERS', 'DEV_CLOCK'];
/** Secrets a deployment needs. */
export const REQUIRED_SECRETS = ['SESSION_SECRET', 'ADMIN_TOKEN'];
/** Every binding whose value nobody should read in a repository. */
const SECRETS = [...REQUIRED_SECRETS, 'SESSION_SECRET_PREVIOUS', 'VIEWER_TOKEN', 'CONTEXT_SIGNING_KEY', 'WEBHOOK_SECRET'];
const PRODUCTION = 'production';

/** What an environment does not take over from the top level (Cloudflare's documentation of wrangler, "Environments"). */
const NOT_INHERITED = ['vars', 'durable_objects', 'services'];

/**
 * The configuration that `env` is deployed with: the top level, overlaid with its own section. null: the top level
 * itself. Throws when there is no such section.
 */
export function effective(config, env) {
  if (env === null) return config;
  const own = config.env?.[env];
  if (own === undefined) throw new Error(`env.${env}: wrangler.toml has no such environment`);
  const inherited = Object.entries(config).filter(([name]) => name !== 'env' && !NOT_INHERITED.includes(name));
  return { ...Object.fromEntries(inherited), ...own };
}

/** The entries of the vars NAME, NAME_2, … with their paths; a list in TOML, or JSON. */
function entries(name, vars) {
  const parts = new RegExp(`^${name}(_\\d+)?$`);
  const lists = Object.entries(vars).filter(([each]) => parts.test(each));
  return lists.flatMap(([name, value]) => {
    let list = value;
    if (typeof value === 'string') {
      try { list = JSON.parse(value); } catch { list = []; } // the Worker itself says what is wrong with it
    }
    return (Array.isArray(list) ? list : []).map((entry, at) => [`${name}[${at}]`, entry ?? {}]);
  });
}

const issuers = (vars) => entries('JWT', vars);
const alerts = (vars) => entries('ALERTS', vars).map(([, rule]) => rule);

/** Secrets that the configuration names or calls for, each with a value that stands in for it while the rest is checked. */
export function namedSecrets(vars = {}) {
  const key = Buffer.alloc(64, 'x').toString('base64url');
  const jwks = JSON.stringify({ keys: [{ kty: 'oct', alg: 'HS256', k: key }] });
  const receivers = alerts(vars).map(({ to_binding: name }) => name).filter((name) => typeof name === 'string' && !(name in vars));
  const signed = alerts(vars).some(({ style }) => style !== 'slack') ? [['WEBHOOK_SECRET', key]] : [];
  const told = [...signed, ...receivers.map((name) => [name, 'https://hooks.example.com/'])];
  return Object.fromEntries([...told, ...issuers(vars).flatMap(([, { secret_binding: secret, jwks_binding: keys }]) => [
    ...(typeof secret === 'string' && !(secret in vars) ? [[secret, key]] : []),
    ...(typeof keys === 'string' && !(keys in vars) ? [[keys, jwks]] : []),
  ])]);
}

/** Why `config` may not be deployed to `env`, each with the path of the value at fault; empty when it may. */
export function refusals(config, { env = null, sharedHost = false } = {}) {
  const deployed = effective(config, env);
  const section = env === null ? '' : `env.${env}.`;
  // A development binding is out of place at the top level even where another environment is deployed.
  const places = new Map([['vars', config.vars ?? {}], [`${section}vars`, deployed.vars ?? {}]]);
  return [
    ...[...places].flatMap(([path, vars]) => inVars(path, vars)),
    ...inAdminHost(`${section}vars.ADMIN_HOST`, deployed.vars?.ADMIN_HOST, !sharedHost && (env === null || env === PRODUCTION)),
    ...inObjects(`${section}durable_objects.bindings`, config, deployed),
  ];
}

function inVars(path, vars) {
  const found = (names, reason) => names.filter((name) => name in vars).map((name) => `${path}.${name}: ${reason}`);
  return [
    ...found(DEVELOPMENT, 'is for development only: with it a client chooses who it is or when; remove it'),
    ...found(SECRETS, 'is a secret and does not belong in a file; remove it and use `wrangler secret put`'),
    ...issuers(vars).filter(([, issuer]) => 'secret' in issuer).map(([at]) =>
      `${path}.${at}.secret: is a secret and does not belong in a file; name it with \`secret_binding\` and use \`wrangler secret put\``),
  ];
}

function inAdminHost(path, host, required) {
  if (host === undefined) {
    return required
      ? [`${path}: is not set; production needs a host of its own for console and API, so that script on the API's origin cannot reach them (or say --shared-host)`]
      : [];
  }
  const isHost = typeof host === 'string' && /^[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?$/i.test(host);
  return isHost ? [] : [`${path}: ${JSON.stringify(host)} is no host name; write for example "sessions.example.com"`];
}

function inObjects(path, config, deployed) {
  const names = ({ durable_objects: objects }) => (objects?.bindings ?? []).map(({ name }) => name);
  const there = names(deployed);
  return names(config).filter((name) => !there.includes(name))
    .map((name) => `${path}: lacks ${name}; an environment does not take over the bindings of the top level`);
}
