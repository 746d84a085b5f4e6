// Taking data along: a session or a list as a file, in the formats security teams load. Large ones can be cancelled.

import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes } from './format.js';
import { useSigned } from './hooks.js';
import { Dialog, Trouble } from './ui.jsx';

const FORMATS = [['csv', 'CSV: a table'], ['ndjson', 'NDJSON: a line of JSON each, as the API shows it'], ['har', 'HAR: for HTTP tools'],
  ['ocsf', 'OCSF: HTTP Activity and Detection Finding'], ['ocsf-api', 'OCSF: API Activity and Detection Finding'], ['ecs', 'ECS: Elastic'], ['cef', 'CEF: ArcSight and others']];
/** Formats that only requests fit into. */
const OF_EVENTS = ['har', 'ocsf-api'];

/** A button that exports `path` (`sessions/export`, …) with the filters of `query`. `events`: whether it lists requests. */
export function Export({ path, query = '', events = false }) {
  const [open, setOpen] = useState(false);
  return <><button type="button" onClick={() => setOpen(true)}>Export</button>
    {open && <Order path={path} query={query} events={events} close={() => setOpen(false)} />}</>;
}

function Order({ path, query, events, close }) {
  const { api } = useSigned();
  const [format, setFormat] = useState('csv');
  const [state, setState] = useState({ read: null, problem: null, done: false });
  const abort = useRef(null);
  useEffect(() => () => abort.current?.abort(), []);
  const submit = async (event) => {
    event.preventDefault();
    abort.current = new AbortController();
    setState({ read: 0, problem: null, done: false });
    try {
      const asked = new URLSearchParams(query);
      asked.set('format', format);
      const { blob, name } = await api.download(`api/v1/${path}?${asked}`, abort.current.signal, (read) => setState((old) => ({ ...old, read })));
      save(blob, name);
      setState((old) => ({ ...old, done: true }));
    } catch (problem) {
      setState({ read: null, problem: problem.name === 'AbortError' ? null : problem, done: false });
    }
  };
  const busy = state.read !== null && !state.done;
  return (
    <Dialog title="Export" onClose={close}>
      <form class="order" onSubmit={submit}>
        <label>Format <select value={format} disabled={busy} onChange={(event) => setFormat(event.currentTarget.value)}>
          {FORMATS.filter(([code]) => events || !OF_EVENTS.includes(code)).map(([code, name]) => <option key={code} value={code}>{name}</option>)}</select></label>
        <p class="note">Everything that fits the filters, as far as it is kept. The export is on record in the audit log.</p>
        <Trouble problem={state.problem} />
        <p><button type="submit" class="primary" disabled={busy}>Export</button>{' '}
          {busy ? <button type="button" onClick={() => abort.current.abort()}>Stop</button> : <button type="button" onClick={close}>Close</button>}{' '}
          <span role="status">{state.read !== null && `${bytes(state.read)} ${state.done ? 'saved' : 'read …'}`}</span></p>
      </form>
    </Dialog>
  );
}

function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
