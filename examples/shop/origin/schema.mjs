// Checks a JSON value against a schema of the OpenAPI document. The shop validates every documented request with it,
// and the tests every response, so that document and shop cannot drift apart. Only the keywords the document uses.

/** What is wrong with `value`, as ["/quantity: must be …", …]; empty when it conforms. */
export function violations(value, schema, document, at = '') {
  if (schema.$ref) return violations(value, resolve(schema.$ref, document), document, at);
  const found = [];
  const complain = (message) => found.push(`${at || '/'}: ${message}`);
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) return [`${at || '/'}: must be ${types.join(' or ')}`];
  if (schema.enum && !schema.enum.includes(value)) complain(`must be one of ${schema.enum.join(', ')}`);

  if (typeof value === 'string') {
    const length = [...value].length;
    if (length < (schema.minLength ?? 0)) complain(`must have at least ${schema.minLength} characters`);
    if (length > (schema.maxLength ?? Infinity)) complain(`must have at most ${schema.maxLength} characters`);
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) complain(`must match ${schema.pattern}`);
  } else if (typeof value === 'number') {
    if (value < (schema.minimum ?? -Infinity)) complain(`must be at least ${schema.minimum}`);
    if (value > (schema.maximum ?? Infinity)) complain(`must be at most ${schema.maximum}`);
  } else if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) complain(`must have at least ${schema.minItems} items`);
    if (value.length > (schema.maxItems ?? Infinity)) complain(`must have at most ${schema.maxItems} items`);
    else if (schema.items) value.forEach((item, index) => found.push(...violations(item, schema.items, document, `${at}/${index}`)));
  } else if (isOfType(value, 'object')) {
    const properties = schema.properties ?? {};
    for (const name of schema.required ?? []) if (!Object.hasOwn(value, name)) complain(`needs ${name}`);
    for (const [name, inner] of Object.entries(properties)) {
      if (Object.hasOwn(value, name)) found.push(...violations(value[name], inner, document, `${at}/${name}`));
    }
    if (schema.additionalProperties === false && Object.keys(value).some((name) => !Object.hasOwn(properties, name))) {
      complain('has properties that are not known here');
    }
  }
  return found;
}

/** The target of a local reference such as "#/components/schemas/Order". */
export function resolve(reference, document) {
  return reference.slice(2).split('/').reduce((node, name) => node[name], document);
}

function isOfType(value, type) {
  switch (type) {
    case 'null': return value === null;
    case 'array': return Array.isArray(value);
    case 'object': return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer': return Number.isSafeInteger(value);
    default: return typeof value === type;
  }
}
