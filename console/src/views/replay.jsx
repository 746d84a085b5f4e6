// What another policy would change, before it is deployed: over stored sessions, or over a HAR file. And what enforcing
// the present one would have done.

import { useEffect, useRef, useState } from 'preact/hooks';
import { RANGES } from '../filterbar.jsx';
import { count, words } from '../format.js';
import { useAnswer, useSigned } from '../hooks.js';
import { orderFrom, replayed } from '../replaying.js';
import { Badge, Link, Loading, Panel, Partial, Trouble } from '../ui.jsx';

const EXAMPLE = '{\n  "DETECTORS": { "forced_browsing": { "limit": 5, "action": "block", "for": "10m", "at": "session" } }\n}';
const MOST_BYTES = 4_000_000; // a HAR file with its sections; the API takes 4 MB in all

export const Replay = () => (
  <>
    <Panel title="Try another policy"><Trial /></Panel>
    <Panel title="Enforcing the present policy in the last day"><DryRun /></Panel>
  </>
);

function Trial() {
  const { api } = useSigned();
  const [text, setText] = useState('');
  const [from, setFrom] = useState('-24h');
  const [state, setState] = useState({ sum: null, total: null, busy: false, stopped: false, problem: null });
  const abort = useRef(null);
  const sections = useRef(null);
  const har = useRef(null);
  useEffect(() => () => abort.current?.abort(), []);
  const submit = async (event) => {
    event.preventDefault();
    const { signal } = (abort.current = new AbortController());
    const merge = (part) => setState((old) => ({ ...old, ...part }));
    setState({ sum: null, total: null, busy: true, stopped: false, problem: null });
    try {
      const [file] = har.current.files;
      if (file?.size > MOST_BYTES) throw new Error('A HAR file has 4 MB at the most: record fewer requests, or without their bodies.');
      const order = orderFrom(text, file ? await file.text() : null, from);
      // How much there is, for the progress; the run does without.
      if (!file) api.get(`api/v1/stats${from && `?from=${from}`}`, signal).then(({ total }) => merge({ total: total.sessions }), () => {});
      await replayed(api, order, signal, (sum) => merge({ sum }));
      merge({ busy: false });
    } catch (problem) {
      if (signal.aborted) merge({ busy: false, stopped: true });
      else merge({ busy: false, problem: problem.status === undefined ? { title: 'Not readable', detail: problem.message } : problem });
    }
  };
  const load = async ({ currentTarget }) => { if (currentTarget.files[0]) setText(await currentTarget.files[0].text()); };
  const { sum, total, busy, stopped, problem } = state;
  return (
    <>
      <form class="order" onSubmit={submit}>
        <label>Changed sections, as JSON; each replaces the one in force whole
          <textarea data-search rows="8" value={text} placeholder={EXAMPLE} spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} /></label>
        <label>Or from a file <input ref={sections} type="file" accept=".json,application/json" onChange={load} /></label>
        <label>Over the sessions of the last <select value={from} onChange={(event) => setFrom(event.currentTarget.value)}>
          {RANGES.filter(([value]) => value).map(([value, name]) => <option key={value} value={value}>{name}</option>)}</select></label>
        <label>Or over a HAR file, as browsers save it <input ref={har} type="file" accept=".har,.json,application/json" /></label>
        <p class="note">Over sessions: WATCHES, FLOWS, DETECTORS, EXCEPTIONS, ROUTES. SESSION_KEYS and PARAMETERS read what is not stored, and need a HAR file. Nothing is changed, and no request goes to the origin.</p>
        <p><button type="submit" class="primary" disabled={busy}>Try it</button>{' '}
          {busy ? <button type="button" onClick={() => abort.current.abort()}>Stop</button> : <button type="button" onClick={() => setText(EXAMPLE)}>Use the example</button>}{' '}
          {busy && total > 0 && <progress max={total} value={Math.min(total, sum?.sessions ?? 0)} aria-label="sessions tried" />}{' '}
          <span role="status">{progress(state)}</span></p>
      </form>
      <Trouble problem={problem} />
      {sum && <Changes sum={sum} whole={!busy && !stopped && !problem} />}
    </>
  );
}

function progress({ sum, total, busy, stopped }) {
  if (!busy && !stopped) return '';
  const done = count(sum?.sessions ?? 0);
  return `${stopped ? 'Stopped after' : 'Tried'} ${done}${total ? ` of about ${count(total)}` : ''} sessions`;
}

function Changes({ sum, whole }) {
  const facts = [['Sessions', sum.sessions], ['Requests', sum.requests], ['Findings more', sum.added], ['Findings less', sum.gone], ['The same', sum.same]];
  const stops = [['Blocked', 'blocked'], ['Throttled', 'throttled']];
  return (
    <section aria-label="What would change">
      <h3>What would change{whole ? '' : ', so far'}</h3>
      <dl class="totals">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{count(value)}</dd></div>)}</dl>
      <Partial on={sum.partial} />
      <table><thead><tr><th scope="col">Requests, if both were enforced</th><th scope="col">Now</th><th scope="col">Then</th></tr></thead>
        <tbody>{stops.map(([name, member]) => <tr key={member}><th scope="row">{name}</th><td class="number">{count(sum.now[member])}</td><td class="number">{count(sum.then[member])}</td></tr>)}</tbody></table>
      {sum.detectors.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="By detector"><table class="rows">
        <thead><tr><th scope="col">Detector</th><th scope="col">More</th><th scope="col">Less</th><th scope="col">The same</th><th scope="col">Sessions, some of them</th></tr></thead>
        <tbody>{sum.detectors.map((row) => (
          <tr key={row.detector} data-row tabIndex={-1}><th scope="row">{words(row.detector)}</th><td class="number">{count(row.added)}</td><td class="number">{count(row.gone)}</td><td class="number">{count(row.same)}</td>
            <td>{row.sessions.length === 0 ? '–' : row.sessions.map((id) => <span key={id} class="listed"><Link to={['sessions', id]} data-open><code>{id.slice(0, 8)}</code></Link></span>)}</td></tr>
        ))}</tbody></table></div>}
      {sum.grouping && <Grouping grouping={sum.grouping} />}
      {sum.parameters?.length > 0 && <table><thead><tr><th scope="col">Parameter</th><th scope="col">Found now</th><th scope="col">Then</th><th scope="col">Not of its type</th></tr></thead>
        <tbody>{sum.parameters.map(({ name, now, then, invalid }) => <tr key={name}><th scope="row">{name}</th><td class="number">{count(now)}</td><td class="number">{count(then)}</td><td class="number">{count(invalid)}</td></tr>)}</tbody></table>}
    </section>
  );
}

function Grouping({ grouping }) {
  const parts = [['Would be several', grouping.split], ['Several would become it', grouping.joined]].filter(([, rows]) => rows.length > 0);
  return (
    <>
      <p>The exchanges fall into {count(grouping.sessions_now)} sessions now, and into {count(grouping.sessions_then)} then.</p>
      {parts.map(([title, rows]) => (
        <div key={title}><h3>{title}</h3><ul class="plain">{rows.map(({ session, requests, others }) => (
          <li key={session}><code>{session.slice(0, 8)}</code>, {count(requests)} requests: {others.map((id) => <span key={id} class="listed"><code>{id.slice(0, 8)}</code></span>)}</li>
        ))}</ul></div>
      ))}
    </>
  );
}

function DryRun() {
  const { data, problem, loading, again } = useAnswer('dryrun');
  if (!data) return <><Trouble problem={problem} again={again} /><Loading on={loading} /></>;
  const { total, detectors, mode } = data;
  return (
    <>
      <p>{mode === 'monitor' ? 'The mode is monitor, and nothing was stopped. Enforced, it' : 'It'} would have touched {count(total.requests)} requests of {count(total.sessions)} sessions and {count(total.users)} users.</p>
      <Partial on={data.partial} />
      {detectors.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="By detector, the least certain first"><table class="rows">
        <thead><tr><th scope="col">Detector</th><th scope="col">Action</th><th scope="col">Findings</th><th scope="col">Requests</th><th scope="col">Sessions</th><th scope="col">Users</th><th scope="col">Confidence</th><th scope="col">Right, as labelled</th></tr></thead>
        <tbody>{detectors.map((row) => (
          <tr key={row.detector} data-row tabIndex={-1}>
            <th scope="row"><Link to={['findings']} search={`detector=${row.detector}`} data-open>{words(row.detector)}</Link></th><td><Badge kind={row.action} /></td>
            <td class="number">{count(row.findings)}</td><td class="number">{count(row.requests)}</td><td class="number">{count(row.sessions)}</td><td class="number">{count(row.users)}</td>
            <td class="number">{Math.round(row.confidence * 100)} %</td>
            <td>{row.labels ? `${count(row.labels.true_positives)} of ${count(row.labels.true_positives + row.labels.false_positives)}` : 'nobody said'}</td></tr>
        ))}</tbody></table></div>}
    </>
  );
}
