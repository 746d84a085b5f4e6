// Settings: the configuration as loaded, and what a sample request would be told apart by.

import { useState } from 'preact/hooks';
import { useAnswer, useSigned } from '../hooks.js';
import { sampleFrom } from '../sample.js';
import { Link, Loading, Panel, Time, Trouble } from '../ui.jsx';

const EXAMPLE = 'GET /api/orders HTTP/1.1\nHost: api.example.com\nCookie: sid=4f2c9d1e7a\nUser-Agent: example';

export const Settings = () => (
  <>
    <div class="columns"><Panel title="Policy as loaded"><Policy /></Panel><Panel title="Preview a request"><Preview /></Panel></div>
    <Panel title="Share links"><Shares /></Panel>
    <Panel title="Alerts"><Alerts /></Panel>
  </>
);

/** Alerts that wait, and those that could not be delivered. */
function Alerts() {
  const { api, role } = useSigned();
  const [state, setState] = useState('dead');
  const { data, problem, loading, again } = useAnswer(`alerts?state=${state}`);
  const [failed, setFailed] = useState(null);
  const retry = (id) => api.post(`api/v1/alerts/${id}/retry`).then(() => { setFailed(null); again(); }, setFailed);
  const items = data?.items ?? [];
  return (
    <>
      <label class="inline">That <select value={state} onChange={(event) => setState(event.currentTarget.value)}>
        <option value="dead">could not be delivered</option><option value="waiting">wait</option></select></label>
      <Trouble problem={problem ?? failed} again={again} />
      <Loading on={loading && !data} />
      {data && items.length === 0 && <p>None. What is told to whom stands in <code>ALERTS</code>.</p>}
      {items.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Alerts"><table>
        <thead><tr><th scope="col">Alert</th><th scope="col">Rule</th><th scope="col">Raised</th><th scope="col">Attempts</th><th scope="col">Next</th><th scope="col">Why</th>{role === 'admin' && <th scope="col">Do</th>}</tr></thead>
        <tbody>{items.map((alert) => (
          <tr key={alert.id}><th scope="row"><code>{alert.id}</code></th><td>{alert.rule}</td><td><Time at={alert.created} /></td><td class="number">{alert.attempts}</td><td><Time at={alert.due} /></td><td>{alert.reason ?? '–'}</td>
            {role === 'admin' && <td><button type="button" onClick={() => retry(alert.id)} aria-label={`try ${alert.id} again`}>Try again</button></td>}</tr>
        ))}</tbody></table></div>}
    </>
  );
}

/** Links that hold, and their end. */
function Shares() {
  const { api, role } = useSigned();
  const { data, problem, loading, again } = useAnswer('share');
  const [failed, setFailed] = useState(null);
  const revoke = (id) => api.remove(`api/v1/share/${id}`).then(() => { setFailed(null); again(); }, setFailed);
  const items = data?.items ?? [];
  return (
    <>
      <Trouble problem={problem ?? failed} again={again} />
      <Loading on={loading && !data} />
      {data && items.length === 0 && <p>No link holds. An admin can share a session, or a list as it is filtered.</p>}
      {items.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Share links"><table>
        <thead><tr><th scope="col">Shows</th><th scope="col">Note</th><th scope="col">By</th><th scope="col">Since</th><th scope="col">Until</th>{role === 'admin' && <th scope="col">End</th>}</tr></thead>
        <tbody>{items.map((share) => (
          <tr key={share.id}>
            <th scope="row">{share.session ? <Link to={['sessions', share.session]}>session <code>{share.session.slice(0, 8)}</code></Link> : <>{share.list} <code>{share.filter}</code></>}</th>
            <td>{share.note || '–'}</td><td>{share.by}</td><td><Time at={share.created} /></td><td><Time at={share.until} /></td>
            {role === 'admin' && <td><button type="button" onClick={() => revoke(share.id)} aria-label={`revoke the link ${share.id}`}>Revoke</button></td>}
          </tr>
        ))}</tbody></table></div>}
    </>
  );
}

function Policy() {
  const { data, problem, loading, again } = useAnswer('policy');
  const { version } = useSigned();
  if (!data) return <><Trouble problem={problem} again={again} /><Loading on={loading} /></>;
  return <><Tree value={data} /><p class="note">Version {version}. Bindings are changed in <code>wrangler.toml</code> and take effect with the next deployment; secrets are never shown.</p></>;
}

/** A JSON value as nested lists; deep or long values are cut with a word about it. */
function Tree({ value, depth = 0 }) {
  if (value === null) return <span>–</span>;
  if (typeof value !== 'object') return <code>{String(value)}</code>;
  if (depth > 6) return <span>…</span>;
  const entries = Object.entries(value);
  if (entries.length === 0) return <span>none</span>;
  if (Array.isArray(value)) return <ol class="tree">{entries.slice(0, 200).map(([at, item]) => <li key={at}><Tree value={item} depth={depth + 1} /></li>)}{entries.length > 200 && <li>… {entries.length} in all</li>}</ol>;
  return <dl class="tree">{entries.map(([name, item]) => <div key={name}><dt>{name}</dt><dd><Tree value={item} depth={depth + 1} /></dd></div>)}</dl>;
}

function Preview() {
  const { api } = useSigned();
  const [text, setText] = useState('');
  const [state, setState] = useState({ items: null, problem: null });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { items } = await api.post('api/v1/identify', sampleFrom(text));
      setState({ items, problem: null });
    } catch (error) {
      setState({ items: null, problem: error.status ? error : { title: 'Not readable', detail: error.message } });
    }
  };
  return (
    <>
      <form class="order" onSubmit={submit}>
        <label>Request, or a HAR file's text <textarea data-search rows="10" value={text} placeholder={EXAMPLE} spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} /></label>
        <p><button type="submit" class="primary">Preview</button> <button type="button" onClick={() => setText(EXAMPLE)}>Use the example</button></p>
      </form>
      <p class="note">Nothing is stored, and nothing is sent to the origin.</p>
      <Trouble problem={state.problem} />
      {state.items?.map((item, at) => <Identified key={at} item={item} />)}
    </>
  );
}

function Identified({ item }) {
  return (
    <article class="finding">
      <p class="message"><strong>{item.method}</strong> {item.url}</p>
      <dl class="facts">
        <div><dt>Session</dt><dd><Link to={['sessions', item.session]}><code>{item.session}</code></Link></dd></div>
        <div><dt>Key</dt><dd><code>{item.key.source}</code>{item.key.verified ? ' verified' : ''}</dd></div>
        <div><dt>User</dt><dd>{item.user ?? '–'}{item.user_attempted ? ' (attempted)' : ''}</dd></div>
        <div><dt>Roles</dt><dd>{item.roles.join(', ') || '–'}</dd></div>
        <div><dt>Marks</dt><dd>{item.marks.join(', ') || '–'}</dd></div>
      </dl>
      <table><thead><tr><th scope="col">Tried</th><th scope="col">Outcome</th><th scope="col">Why</th></tr></thead>
        <tbody>{item.tried.map((tried, at) => <tr key={at}><th scope="row"><code>{tried.source}</code></th><td>{tried.outcome}</td><td>{tried.reason}</td></tr>)}</tbody></table>
      {item.links.length > 0 && <ul class="plain">{item.links.map((link, at) => <li key={at}>{link.reason} links <Link to={['sessions', link.session]}><code>{link.session.slice(0, 8)}</code></Link> by {link.source}</li>)}</ul>}
    </article>
  );
}
