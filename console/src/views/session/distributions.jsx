// What a session did, by value: each a filter of the timeline.

import { count } from '../../format.js';
import { Value } from '../../ui.jsx';

const MOST = 12; // shown of each until asked for more

export function Distributions({ session, search, to }) {
  const groups = [
    ['Endpoints', 'endpoint', session.endpoints.map(({ endpoint, requests }) => [endpoint, requests])],
    ['Statuses', 'status', Object.entries(session.statuses)],
    ['Methods', 'method', Object.entries(session.methods)],
    ['Addresses', 'ip', session.ips.map(({ ip, requests }) => [ip, requests])],
    ['Countries', 'country', sums(session.ips, 'country')],
    ['Networks', 'asn', sums(session.ips, 'asn')],
    ['Flows', 'flow', session.flows.map(({ flow, requests }) => [flow, requests])],
  ].filter(([, , rows]) => rows.length > 0);
  return (
    <div class="distributions">
      {groups.map(([title, name, rows]) => <Distribution key={name} title={title} name={name} rows={rows} total={session.requests} search={search} to={to} />)}
      {session.endpoints_rest > 0 && <p class="note">{count(session.endpoints_rest)} requests went to endpoints beyond these.</p>}
      <Parameters params={session.params} />
      {session.user_agents.length > 0 && <><h3>Agents</h3><ul class="plain">{session.user_agents.map((agent) => <li key={agent}><code>{agent}</code></li>)}</ul></>}
    </div>
  );
}

function sums(ips, member) {
  const counted = new Map();
  for (const entry of ips) if (entry[member] !== null) counted.set(entry[member], (counted.get(entry[member]) ?? 0) + entry.requests);
  return [...counted].sort((a, b) => b[1] - a[1]);
}

function Distribution({ title, name, rows, total, search, to }) {
  const sorted = [...rows].sort((a, b) => b[1] - a[1]);
  const table = (some) => (
    <table class="bars"><tbody>{some.map(([value, requests]) => (
      <tr key={value}><th scope="row"><Value name={name} value={value} search={search} to={to} /></th>
        <td class="number">{count(requests)}</td>
        <td><progress max={Math.max(1, total)} value={requests} aria-label={`${requests} of ${total}`} /></td></tr>
    ))}</tbody></table>
  );
  return (
    <div><h3>{title}</h3>{table(sorted.slice(0, MOST))}
      {sorted.length > MOST && <details><summary>{count(sorted.length - MOST)} more</summary>{table(sorted.slice(MOST))}</details>}</div>
  );
}

/** Business parameters: { name: { count, sum, min, max, last, distinct } }. */
function Parameters({ params }) {
  const rows = Object.entries(params ?? {});
  if (rows.length === 0) return null;
  const columns = ['count', 'sum', 'min', 'max', 'last', 'distinct'];
  const shown = (value) => (typeof value === 'number' ? count(value) : value === null || value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value));
  return (
    <div class="wide"><h3>Parameters</h3><div class="scroll" tabIndex={0} role="region" aria-label="Parameters"><table>
      <thead><tr><th scope="col">Name</th>{columns.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
      <tbody>{rows.map(([name, values]) => (
        <tr key={name}><th scope="row">{name}</th>{columns.map((column) => <td key={column} class="number">{shown(values?.[column])}</td>)}</tr>
      ))}</tbody></table></div></div>
  );
}
