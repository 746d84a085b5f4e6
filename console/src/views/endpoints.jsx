// Endpoints: what is called, by how many, how it ends. From the inventory where the API has one, else from counts.

import { useState } from 'preact/hooks';
import { Range } from '../filterbar.jsx';
import { count } from '../format.js';
import { useAnswer } from '../hooks.js';
import { Badge, Empty, Link, Loading, Partial, Time, Trouble } from '../ui.jsx';

const SHOWN = 200; // rows at first; the search field narrows them

export function Endpoints({ search }) {
  const from = new URLSearchParams(search).get('from') ?? '-24h';
  const inventory = useAnswer('endpoints?limit=500');
  const counted = useAnswer(inventory.problem?.status === 404 ? `stats?group_by=endpoint&from=${encodeURIComponent(from)}` : null);
  const [text, setText] = useState('');
  const [state, setState] = useState('');
  const [most, setMost] = useState(SHOWN);
  const fallback = inventory.problem?.status === 404;
  const all = inventory.data ? inventory.data.items.map(fromInventory) : counted.data ? counted.data.buckets.map(fromStats).sort((a, b) => b.calls - a.calls) : [];
  const rows = all.filter(({ endpoint, inventory: is }) => endpoint.toLowerCase().includes(text.toLowerCase()) && (!state || is === state));
  const loading = (inventory.loading && !inventory.data) || (counted.loading && !counted.data && fallback);
  return (
    <>
      <div class="filters"><form role="search" onSubmit={(event) => event.preventDefault()}>
        <input data-search type="search" value={text} placeholder="Search (/): part of an endpoint" aria-label="Search endpoints" onInput={(event) => setText(event.currentTarget.value)} />
        {!fallback && <select value={state} aria-label="Inventory" onChange={(event) => setState(event.currentTarget.value)}>
          <option value="">Any inventory</option>{['documented', 'shadow', 'zombie', 'orphan'].map((each) => <option key={each} value={each}>{each}</option>)}
        </select>}
        {fallback && <Range search={search} to={['endpoints']} fallback="-24h" />}
      </form></div>
      <Trouble problem={fallback ? counted.problem : inventory.problem} again={fallback ? counted.again : inventory.again} />
      <Partial on={(inventory.data ?? counted.data)?.partial || Boolean(inventory.data?.next)} />
      <Loading on={loading} />
      {!loading && rows.length === 0 && <Empty title="No endpoint"><p>{text ? 'No endpoint has this in it.' : 'Endpoints are learned from traffic. Send some, or choose a longer range.'}</p></Empty>}
      {rows.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Endpoints"><table class="rows">
        <thead><tr><th scope="col">Endpoint</th><th scope="col">Inventory</th><th scope="col">Risk</th><th scope="col">Authentication</th><th scope="col">Calls</th><th scope="col">Sessions</th><th scope="col">Users</th><th scope="col">Attacks</th><th scope="col">Statuses</th><th scope="col">Last seen</th></tr></thead>
        <tbody>{rows.slice(0, most).map((row) => (
          <tr key={row.id ?? row.endpoint} data-row tabIndex={-1}>
            <th scope="row"><Link data-open to={['sessions']} search={new URLSearchParams({ endpoint: row.endpoint }).toString()}>{row.endpoint}</Link></th>
            <td title={row.reasons?.join('; ')}>{row.inventory ? <Badge kind={row.inventory} /> : '–'}</td><td class="number" title={row.risk_reasons?.join('; ')}>{count(row.risk)}</td>
            <td>{row.auth ? [row.auth, row.auth_means.join(', ')].filter(Boolean).join(': ') : '–'}</td><td class="number">{count(row.calls)}</td><td class="number">{count(row.sessions)}</td>
            <td class="number">{count(row.users)}</td><td class="number">{count(row.attacks)}</td>
            <td>{Object.entries(row.statuses ?? {}).map(([status, times]) => `${status}: ${count(times)}`).join(' · ') || '–'}</td><td><Time at={row.last_seen} /></td>
          </tr>
        ))}</tbody></table></div>}
      {rows.length > most && <p class="more"><button type="button" onClick={() => setMost(most + SHOWN)}>More endpoints</button> {count(most)} of {count(rows.length)}</p>}
    </>
  );
}

const number = (value) => (typeof value === 'object' && value !== null ? value.count : value);
const fromInventory = (item) => ({
  ...item, endpoint: `${item.method} ${item.host ?? ''}${item.template}`, sessions: number(item.sessions), users: number(item.users), calls: number(item.calls),
});
const fromStats = (bucket) => ({ endpoint: bucket.group ?? 'others', calls: bucket.requests, sessions: bucket.sessions, attacks: bucket.attacks });
