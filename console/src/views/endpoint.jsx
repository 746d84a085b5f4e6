// One endpoint: what it is to the documents and why, how it answers, and who still uses it.

import { useState } from 'preact/hooks';
import { RANGES } from '../filterbar.jsx';
import { bytes, count, duration } from '../format.js';
import { useAnswer, useList, useSigned } from '../hooks.js';
import { navigate, route } from '../router.js';
import { Badge, CopyLink, Empty, Link, Loading, Panel, Partial, Risk, Time, Trouble } from '../ui.jsx';

export function Endpoint({ id }) {
  const { data: endpoint, problem, loading, again } = useAnswer(`endpoints/${encodeURIComponent(id)}`, { every: 10_000 });
  if (problem && !endpoint) {
    return problem.status === 404
      ? <Empty title="No endpoint has this id"><p>It was not called lately, and no document has it. <Link to={['endpoints']}>Look through the endpoints</Link>.</p></Empty>
      : <Trouble problem={problem} again={again} />;
  }
  if (!endpoint) return <Loading on={loading} />;
  const { method, host, template } = endpoint;
  const recorded = new URLSearchParams({ endpoint: `${method} ${host}${template}` }).toString();
  const facts = [
    ['Calls', count(endpoint.calls)], ['Sessions', count(endpoint.sessions)], ['Users', count(endpoint.users)], ['Attacks', count(endpoint.attacks)],
    ['Risk', <Risk value={endpoint.risk} />], ['Authentication', [endpoint.auth, endpoint.auth_means.join(', ')].filter(Boolean).join(': ')],
    ['First seen', <Time at={endpoint.first_seen} />], ['Last seen', <Time at={endpoint.last_seen} />],
  ];
  return (
    <>
      <section class="summary">
        <header><h2><code>{method} {host}<wbr />{template}</code></h2> {endpoint.inventory && <Badge kind={endpoint.inventory} />}
          <span class="actions"><Link to={['events']} search={recorded}>Its requests</Link> <CopyLink /></span></header>
        <dl class="facts">{facts.map(([name, fact]) => <div key={name}><dt>{name}</dt><dd>{fact}</dd></div>)}</dl>
        {endpoint.learned && <Learned id={endpoint.id} template={template} />}
      </section>
      <div class="columns">
        <Panel title="What it is">
          <List title="To the documents" items={endpoint.reasons} otherwise="No document speaks about it." />
          <List title="Risk" items={endpoint.risk_reasons} otherwise="Nothing speaks against it." />
          <List title="Called with" items={endpoint.parameters.map(({ name, in: place, types }) => `${place} ${name}: ${types.join(', ')}`)} otherwise="No parameter was seen." />
          <List title="Sensitive data in its answers" items={endpoint.sensitive} otherwise="None was seen." />
          <List title="Documents" items={endpoint.documents} otherwise="None has it." />
        </Panel>
        <Panel title="How it answers"><Answers endpoint={endpoint} /></Panel>
      </div>
      <Panel title="Who uses it"><Users id={id} /></Panel>
    </>
  );
}

const List = ({ title, items, otherwise }) => (
  <><h3>{title}</h3>{items.length === 0 ? <p>{otherwise}</p> : <ul class="plain">{items.map((item) => <li key={item}>{item}</li>)}</ul>}</>
);

function Answers({ endpoint }) {
  const spread = [['Took', endpoint.duration_ms, duration], ['Size of answers', endpoint.response_bytes, bytes]].filter(([, values]) => values);
  return (
    <>
      <table class="bars"><thead><tr><th scope="col">Status</th><th scope="col">Calls</th><th scope="col">Share</th></tr></thead>
        <tbody>{Object.entries(endpoint.statuses).map(([status, calls]) => (
          <tr key={status}><th scope="row">{status === '0' ? 'others' : status}</th><td class="number">{count(calls)}</td>
            <td><progress max={Math.max(1, endpoint.calls)} value={calls} aria-label={`${calls} of ${endpoint.calls}`} /></td></tr>
        ))}</tbody></table>
      {spread.length > 0 && <table><thead><tr><th scope="col">Of its calls</th><th scope="col">half, at most</th><th scope="col">95 %</th><th scope="col">99 %</th></tr></thead>
        <tbody>{spread.map(([name, { p50, p95, p99 }, shown]) => (
          <tr key={name}><th scope="row">{name}</th>{[p50, p95, p99].map((value, at) => <td key={at} class="number">{shown(Math.round(value))}</td>)}</tr>
        ))}</tbody></table>}
    </>
  );
}

function Users({ id }) {
  const [from, setFrom] = useState('-7d');
  const list = useList(`endpoints/${id}/sessions${from && `?from=${from}`}`);
  return (
    <>
      <label class="inline">Seen in the last <select value={from} onChange={(event) => setFrom(event.currentTarget.value)}>
        {RANGES.map(([value, name]) => <option key={value} value={value}>{name}</option>)}</select></label>
      <Trouble problem={list.problem} again={list.again} />
      <Partial on={list.partial} />
      <Loading on={list.loading && list.items.length === 0} />
      {list.items.length === 0 && !list.loading && !list.problem && <p>Nobody, as far as sessions are kept.</p>}
      {list.items.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Who uses it"><table class="rows">
        <thead><tr><th scope="col">Session</th><th scope="col">State</th><th scope="col">Risk</th><th scope="col">User</th><th scope="col">Address</th><th scope="col">Requests in all</th><th scope="col">Last seen</th></tr></thead>
        <tbody>{list.items.map((session) => (
          <tr key={session.id} data-row tabIndex={-1}>
            <th scope="row"><Link to={['sessions', session.id]} data-open><code>{session.id.slice(0, 8)}</code></Link></th>
            <td><Badge kind={session.state} /></td><td><Risk value={session.risk} /></td>
            <td>{session.users.length > 0 ? <Link to={['subjects', 'user', session.users.at(-1)]}>{session.users.at(-1)}</Link> : '–'}</td>
            <td>{session.ips.length > 0 ? session.ips[0].ip : '–'}</td><td class="number">{count(session.requests)}</td><td><Time at={session.last_seen} /></td>
          </tr>
        ))}</tbody></table></div>}
      {list.next && <p class="more"><button type="button" onClick={list.more} disabled={list.loading}>More sessions</button> {count(list.items.length)} shown</p>}
    </>
  );
}

/** A template that was learned can be taken back. */
function Learned({ id, template }) {
  const { api, role } = useSigned();
  const [problem, setProblem] = useState(null);
  const takeBack = () => api.remove(`api/v1/endpoints/${id}`).then(() => navigate(route(['endpoints'])), setProblem);
  return (
    <>
      <p>The template <code>{template}</code> was learned from use.
        {role === 'admin' && <> <button type="button" onClick={takeBack}>Take it back</button></>}</p>
      <Trouble problem={problem} />
    </>
  );
}
