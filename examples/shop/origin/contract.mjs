// Turns what arrived into what the OpenAPI document promises a handler: path and query parameters of the right type,
// and a JSON body that fits its schema. Everything else is refused here: 400, 413, 415 or 422.

import { readFileSync } from 'node:fs';
import { Refusal } from './reply.mjs';
import { resolve, violations } from './schema.mjs';

export const openapi = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'));

const BODY_LIMIT = 1024 * 1024;

/** {params, query, body} for `route`; undocumented routes take no input. */
export async function acceptInput(route, pathValues, queryText, request) {
  const operation = openapi.paths[route.path]?.[route.method.toLowerCase()];
  if (!operation) return { params: {}, query: {}, body: undefined };
  const given = new URLSearchParams(queryText);
  const params = {};
  const query = {};
  for (const entry of operation.parameters ?? []) {
    const parameter = entry.$ref ? resolve(entry.$ref, openapi) : entry;
    if (parameter.in === 'path') params[parameter.name] = parameterValue(parameter, pathValues[parameter.name]);
    if (parameter.in === 'query') query[parameter.name] = parameterValue(parameter, given.get(parameter.name));
  }
  const bodySchema = operation.requestBody?.content['application/json'].schema;
  return { params, query, body: bodySchema && await acceptBody(request, bodySchema) };
}

function parameterValue({ name, schema, required }, text) {
  if (text === null) {
    if (required) throw new Refusal(400, `parameter ${name} is missing`);
    return schema.default;
  }
  const value = schema.type === 'integer' && /^\d{1,15}$/.test(text) ? Number(text) : text;
  const details = violations(value, schema, openapi);
  if (details.length > 0) throw new Refusal(400, `parameter ${name} is invalid`, { details });
  return value;
}

async function acceptBody(request, schema) {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new Refusal(415, 'the body must be application/json');
  }
  const body = parseJson(await readBody(request));
  const details = violations(body, schema, openapi);
  if (details.length > 0) throw new Refusal(422, 'the body is not valid', { details });
  return body;
}

function parseJson(bytes) {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Refusal(400, 'the body is not JSON');
  }
}

// Not `for await`: leaving that loop early destroys the socket, and the 413 with it. What exceeds the limit is read
// and dropped, so that a client which sends everything before it listens still gets its answer.
function readBody(request) {
  return new Promise((fulfil, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= BODY_LIMIT) return chunks.push(chunk);
      chunks.length = 0;
      return reject(new Refusal(413, 'the body exceeds 1 MB'));
    });
    request.on('end', () => fulfil(Buffer.concat(chunks)));
    request.on('error', () => reject(new Refusal(400, 'the body broke off')));
  });
}
