// The OpenAPI documents that requests are compared with: which there are, what each changed, uploading and removing.

import { useRef, useState } from 'preact/hooks';
import { count } from '../format.js';
import { useAnswer, useSigned } from '../hooks.js';
import { Empty, Loading, Panel, Partial, Time, Trouble } from '../ui.jsx';

const MOST_BYTES = 4 << 20; // the API takes no more

export function Documents() {
  const { api, role } = useSigned();
  const { data, problem, loading, again } = useAnswer('documents');
  const [failed, setFailed] = useState(null);
  const [shown, setShown] = useState(null);
  const remove = (id) => api.remove(`api/v1/documents/${id}`).then(() => { setFailed(null); setShown(null); again(); }, setFailed);
  const show = (id) => api.get(`api/v1/documents/${id}`).then(setShown, setFailed);
  const items = data?.items ?? [];
  return (
    <>
      {role === 'admin' && <Panel title="Upload a document"><Upload done={(details) => { setShown(details); again(); }} /></Panel>}
      <Trouble problem={problem ?? failed} again={again} />
      <Partial on={data?.partial} />
      <Loading on={loading && !data} />
      {data && items.length === 0 && <Empty title="No document"><p>With an OpenAPI document, endpoints are documented, shadow or zombie. Upload one, or name it in <code>INVENTORY</code>.</p></Empty>}
      {items.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Documents"><table class="rows">
        <thead><tr><th scope="col">Document</th><th scope="col">Version</th><th scope="col">From</th><th scope="col">Operations</th><th scope="col">Deprecated</th><th scope="col">Servers</th><th scope="col">Added</th><th scope="col">Problems</th><th scope="col">Do</th></tr></thead>
        <tbody>{items.map((item) => (
          <tr key={item.source} data-row tabIndex={-1}>
            <th scope="row">{item.title ?? '–'}</th><td>{item.version ?? '–'}</td><td>{item.source}</td><td class="number">{count(item.operations)}</td>
            <td class="number">{count(item.deprecated)}</td><td>{item.servers.join(', ') || '–'}</td><td><Time at={item.added} /></td><td>{item.problems.join('; ') || 'none'}</td>
            <td>{item.id !== null && <><button type="button" data-open onClick={() => show(item.id)} aria-label={`show document ${item.id}`}>Show</button>{' '}
              {role === 'admin' && <button type="button" onClick={() => remove(item.id)} aria-label={`remove document ${item.id}`}>Remove</button>}</>}</td>
          </tr>
        ))}</tbody></table></div>}
      {shown && <Details details={shown} />}
    </>
  );
}

function Upload({ done }) {
  const { api } = useSigned();
  const [text, setText] = useState('');
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const file = useRef(null);
  const submit = async (event) => {
    event.preventDefault();
    const [chosen] = file.current.files;
    if (!chosen && text.trim() === '') return setProblem({ title: 'Nothing to upload', detail: 'Choose a file, or paste its text.' });
    if (chosen?.size > MOST_BYTES) return setProblem({ title: 'Too large', detail: 'A document has 4 MB at the most.' });
    setBusy(true);
    try {
      done(await api.upload('api/v1/documents', chosen ? await chosen.text() : text));
      setText('');
      file.current.value = '';
      setProblem(null);
    } catch (refused) {
      setProblem(refused);
    }
    setBusy(false);
  };
  return (
    <form class="order" onSubmit={submit}>
      <label>File <input ref={file} type="file" accept=".json,.yaml,.yml" /></label>
      <label>Or its text <textarea data-search rows="4" value={text} spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} /></label>
      <p class="note">OpenAPI 3.0 or 3.1, JSON or YAML. One of the same title is a newer version of the same API.</p>
      <Trouble problem={problem} />
      <p><button type="submit" class="primary" disabled={busy}>{busy ? 'Uploading …' : 'Upload'}</button></p>
    </form>
  );
}

function Details({ details }) {
  const { changes } = details;
  const parts = changes ? [['Added', changes.added], ['Removed', changes.removed], ['Deprecated', changes.deprecated],
    ['In need of authentication now', changes.secured], ['Without authentication now', changes.opened],
    ['Different in what both have', changes.contracts]].filter(([, names]) => names.length > 0) : [];
  return (
    <Panel title={`${details.title} ${details.version}`}>
      {details.warnings.length > 0 && <><h3>Odd about it</h3><Names names={details.warnings} /></>}
      {changes && <p>Against {changes.since}{parts.length === 0 ? ': the same operations.' : ':'}</p>}
      {parts.map(([title, names]) => <div key={title}><h3>{title}</h3><Names names={names} /></div>)}
      <details><summary>All operations ({count(details.operation_names.length)})</summary><Names names={details.operation_names} /></details>
    </Panel>
  );
}

const MOST = 500; // names shown
const Names = ({ names }) => (
  <ul class="plain">{names.slice(0, MOST).map((name) => <li key={name}><code>{name}</code></li>)}{names.length > MOST && <li>… {count(names.length)} in all</li>}</ul>
);
