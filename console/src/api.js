// The public API, asked with a token that lives in this tab's memory and nowhere else.

const PREFIX = '/_throughline';

/** Why something was refused, in the API's own words (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  constructor({ status = 0, title = 'Not reachable', detail = 'The Worker did not answer.', reference = null }) {
    super(detail);
    Object.assign(this, { status, title, detail, reference });
  }
}

/** An API client: { get, post, remove }, each answering parsed JSON or failing with a Problem. */
export function client(token, onUnauthorized = () => {}) {
  const send = async (method, path, { body, signal } = {}) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    let answer;
    try {
      answer = await fetch(`${PREFIX}/${path}`, {
        method, headers, signal, body: body && JSON.stringify(body), redirect: 'error', credentials: 'omit', cache: 'no-store',
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Problem({});
    }
    const value = await parsed(answer);
    if (answer.ok) return value;
    if (answer.status === 401) onUnauthorized();
    throw new Problem({ title: `HTTP ${answer.status}`, detail: '', ...value, status: answer.status });
  };
  return {
    get: (path, signal) => send('GET', path, { signal }),
    post: (path, body) => send('POST', path, { body }),
    remove: (path) => send('DELETE', path),
    download: (path, signal, onRead) => download(token, path, signal, onRead),
  };
}

/** A file: { blob, name }. `onRead` is told how many bytes there are so far. One that breaks off fails with a Problem. */
async function download(token, path, signal, onRead) {
  let answer;
  const parts = [];
  try {
    answer = await fetch(`${PREFIX}/${path}`, {
      headers: { authorization: `Bearer ${token}` }, signal, redirect: 'error', credentials: 'omit', cache: 'no-store',
    });
    if (!answer.ok) throw new Problem({ title: `HTTP ${answer.status}`, detail: '', ...(await parsed(answer)), status: answer.status });
    let read = 0;
    for (const reader = answer.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      read += value.length;
      onRead(read);
    }
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Problem) throw error;
    throw new Problem(answer ? { title: 'Incomplete', detail: 'The transfer broke off: something could not be read. Try again.' } : {});
  }
  const [, name = 'export'] = /filename="([^"/\\]+)"/.exec(answer.headers.get('content-disposition') ?? '') ?? [];
  return { blob: new Blob(parts, { type: answer.headers.get('content-type') ?? '' }), name };
}

async function parsed(answer) {
  try {
    const text = await answer.text();
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Finds out what a token may do: { role: 'admin' | 'viewer', mode, version, problems }, or fails with a Problem.
 *
 * The API names no role. An order that is refused as malformed would have been taken from an admin; a viewer is
 * refused before it is read. Nothing is ordered either way.
 */
export async function recognise(token) {
  const api = client(token);
  const health = await api.get('healthz').catch((problem) => {
    if (problem.status === 503) return { status: 'misconfigured', ...problem };
    throw problem;
  });
  if (health.status !== 'ok') {
    const problems = await refusals(token);
    if (problems === null) throw new Problem({ status: 401, title: 'Not accepted', detail: 'This token is not known here.' });
    return { role: 'viewer', mode: null, version: null, problems };
  }
  if (health.mode === undefined) {
    throw new Problem({ status: 401, title: 'Not accepted', detail: 'This token is not known here.' });
  }
  const refused = await api.post('api/v1/blocks', {}).catch((problem) => problem);
  return { role: refused.status === 400 ? 'admin' : 'viewer', mode: health.mode, version: health.version, problems: [] };
}

// What is wrong with the configuration, for somebody whose token is known.
async function refusals(token) {
  const answer = await fetch(`${PREFIX}/healthz`, { headers: { authorization: `Bearer ${token}` }, cache: 'no-store' });
  return (await parsed(answer))?.problems ?? null;
}
