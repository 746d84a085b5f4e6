// The public API, asked with a token that lives in this tab's memory and nowhere else.

import { messages } from './sse.js';

const PREFIX = '/_throughline';
const AGAIN_MS = 2_000; // before a stream that was lost is asked for again

/** Why something was refused, in the API's own words (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  constructor({ status = 0, title = 'Not reachable', detail = 'The Worker did not answer.', reference = null }) {
    super(detail);
    Object.assign(this, { status, title, detail, reference });
  }
}

/** An API client: { get, post, remove, … }, each answering parsed JSON or failing with a Problem. */
export function client(token, onUnauthorized = () => {}) {
  const send = async (method, path, { body, signal } = {}) => {
    const answer = await asked(token, path, { method, signal, body, headers: { accept: 'application/json' } });
    const value = await parsed(answer);
    if (answer.ok) return value;
    if (answer.status === 401) onUnauthorized();
    throw new Problem({ title: `HTTP ${answer.status}`, detail: '', ...value, status: answer.status });
  };
  return {
    get: (path, signal) => send('GET', path, { signal }),
    post: (path, body, signal) => send('POST', path, { body: JSON.stringify(body), signal }),
    /** The text of a file as it is, for orders that take one. */
    upload: (path, body) => send('POST', path, { body }),
    remove: (path) => send('DELETE', path),
    download: (path, signal, onRead) => download(token, path, signal, onRead),
    follow: (path, signal, told) => follow(token, path, signal, told),
  };
}

/** What the Worker answers; a Problem where it does not. */
async function asked(token, path, { headers, ...init }) {
  try {
    return await fetch(`${PREFIX}/${path}`, {
      ...init, headers: { authorization: `Bearer ${token}`, ...headers }, redirect: 'error', credentials: 'omit', cache: 'no-store',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({});
  }
}

/**
 * Follows a stream of server-sent events until `signal` says otherwise: an EventSource can show no token. `told` gets
 * messages { event, data } as they come, `{ event: 'lost' }` when the connection went; it goes on where it was. Fails
 * with a Problem where the Worker refuses.
 */
async function follow(token, path, signal, told) {
  for (let last = null; !signal.aborted;) {
    try {
      const answer = await asked(token, path, { signal, headers: last === null ? {} : { 'last-event-id': last } });
      if (!answer.ok && answer.status < 500 && answer.status !== 429) throw await refusal(answer);
      if (answer.ok) {
        const read = messages();
        for await (const text of parts(answer.body.pipeThrough(new TextDecoderStream()))) {
          for (const { id, ...message } of read(text)) {
            if (id !== null) last = id;
            told(message);
          }
        }
      }
    } catch (error) {
      if (error.name === 'AbortError') return;
      if (error instanceof Problem && error.status > 0) throw error;
    }
    told({ event: 'lost', data: null });
    await pause(AGAIN_MS, signal);
  }
}

// Not every browser lets a stream be gone through by itself.
async function* parts(stream) {
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

const pause = (ms, signal) => new Promise((done) => {
  const timer = setTimeout(done, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
});

const refusal = async (answer) => new Problem({ title: `HTTP ${answer.status}`, detail: '', ...(await parsed(answer)), status: answer.status });

/** A file: { blob, name }. `onRead` is told how many bytes there are so far. One that breaks off fails with a Problem. */
async function download(token, path, signal, onRead) {
  const answer = await asked(token, path, { signal });
  if (!answer.ok) throw await refusal(answer);
  const pieces = [];
  try {
    let read = 0;
    for await (const piece of parts(answer.body)) {
      pieces.push(piece);
      read += piece.length;
      onRead(read);
    }
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({ title: 'Incomplete', detail: 'The transfer broke off: something could not be read. Try again.' });
  }
  const [, name = 'export'] = /filename="([^"/\\]+)"/.exec(answer.headers.get('content-disposition') ?? '') ?? [];
  return { blob: new Blob(pieces, { type: answer.headers.get('content-type') ?? '' }), name };
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
