// Checks a JSON value against a schema of the API's own OpenAPI document: the keywords that document uses, and that
// an answer has no member the schema does not name, so that whatever is answered is described.

const KEYWORDS = new Set(['type', 'enum', 'const', 'anyOf', 'properties', 'required', 'additionalProperties', 'items', 'maxItems',
  'minimum', 'maximum', 'minLength', 'maxLength', 'pattern', 'format', 'description', 'default', 'examples', '$ref']);

const TYPES = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isSafeInteger(value),
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

const FORMATS = {
  'date-time': (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text)),
  'uri-reference': (text) => URL.canParse(text, 'http://a/'),
};

/** The target of a local reference such as "#/components/schemas/Session". */
export function resolve(document, reference) {
  const target = reference.replace(/^#\//, '').split('/').reduce((node, name) =>
    node?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
  if (target === undefined) throw new Error(`${reference} leads nowhere`);
  return target;
}

/** The node, or what it refers to. */
export const followed = (document, node) => (node.$ref === undefined ? node : followed(document, resolve(document, node.$ref)));

/** What is wrong with `value`, one sentence for each fault with its place; empty when it conforms. */
export function faults(document, schema, value, at = '') {
  for (const keyword of Object.keys(schema)) {
    if (!KEYWORDS.has(keyword)) throw new Error(`the validator does not know ${keyword}, which the document uses`);
  }
  if (schema.$ref !== undefined) return faults(document, resolve(document, schema.$ref), value, at);
  const found = [];
  const check = (holds, what) => { if (!holds) found.push(`${at || '/'} ${what}: ${JSON.stringify(value)?.slice(0, 200)}`); };
  const types = [schema.type ?? []].flat();
  check(types.length === 0 || types.some((type) => TYPES[type](value)), `is no ${types.join(' or ')}`);
  check(!('const' in schema) || value === schema.const, `is not ${schema.const}`);
  check(!schema.enum || schema.enum.includes(value), `is none of ${schema.enum}`);
  check(!schema.anyOf || schema.anyOf.some((each) => faults(document, each, value, at).length === 0), 'fits no alternative');
  if (TYPES.string(value)) {
    check([...value].length >= (schema.minLength ?? 0) && [...value].length <= (schema.maxLength ?? Infinity), 'has a wrong length');
    check(!schema.pattern || new RegExp(schema.pattern, 'u').test(value), `does not match ${schema.pattern}`);
    check(!schema.format || FORMATS[schema.format](value), `is no ${schema.format}`);
  }
  if (TYPES.number(value)) check(value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity), 'is out of range');
  if (TYPES.array(value)) {
    check(value.length <= (schema.maxItems ?? Infinity), `has more than ${schema.maxItems} items`);
    if (schema.items) found.push(...value.flatMap((item, i) => faults(document, schema.items, item, `${at}/${i}`)));
  }
  if (TYPES.object(value)) found.push(...members(document, schema, value, at));
  return found;
}

function members(document, { properties = {}, required = [], additionalProperties = false, anyOf }, value, at) {
  const missing = required.filter((name) => !(name in value)).map((name) => `${at || '/'} lacks ${name}`);
  return [...missing, ...Object.entries(value).flatMap(([name, member]) => {
    const schema = properties[name] ?? additionalProperties;
    if (schema === true || anyOf) return [];
    return schema === false ? [`${at}/${name} is not described`] : faults(document, schema, member, `${at}/${name}`);
  })];
}
