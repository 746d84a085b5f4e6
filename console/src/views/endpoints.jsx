// Endpoints: what is called, by how many, how it ends, and what it is to the documents.

import { Range, FilterBar } from '../filterbar.jsx';
import { asked, ENDPOINT_FILTERS, withParameter } from '../filters.js';
import { count } from '../format.js';
import { useList } from '../hooks.js';
import { navigate, route } from '../router.js';
import { Saved } from '../saved.jsx';
import { CopyLink, Empty, Link, Loading, Partial, Time, Trouble, Value } from '../ui.jsx';

const TO = ['endpoints'];
const SORTS = { calls: 'calls', sessions: 'sessions', users: 'users', risk: 'risk', attacks: 'attacks', first_seen: 'newest', last_seen: 'called last' };
const STATES = ['documented', 'shadow', 'zombie', 'orphan'];

export function Endpoints({ search }) {
  const query = asked(search, ENDPOINT_FILTERS, ['from', 'sort']);
  const list = useList(`endpoints${query && `?${query}`}`, { limit: 100, every: 10_000 });
  const set = (name) => (event) => navigate(route(TO, withParameter(search, name, event.currentTarget.value)));
  const given = new URLSearchParams(search);
  return (
    <>
      <FilterBar search={search} to={TO} allowed={ENDPOINT_FILTERS} least={[['min_risk', 'Risk ≥']]} hint="part of a path, or auth=none">
        <label class="inline">Inventory <select value={given.get('inventory') ?? ''} onChange={set('inventory')}>
          <option value="">any</option>{STATES.map((state) => <option key={state} value={state}>{state}</option>)}</select></label>
        <label class="inline">Sort by <select value={given.get('sort') ?? 'calls'} onChange={set('sort')}>
          {Object.entries(SORTS).map(([sort, name]) => <option key={sort} value={sort}>{name}</option>)}</select></label>
        <Range search={search} to={TO} /><Saved to={TO} search={search} /><CopyLink />
      </FilterBar>
      <Trouble problem={list.problem} again={list.again} />
      <Partial on={list.partial} />
      <Loading on={list.loading && list.items.length === 0} />
      {!list.loading && !list.problem && list.items.length === 0 && (
        <Empty title={query ? 'No endpoint fits' : 'No endpoint yet'}><p>{query ? 'Take a filter away or widen the range.'
          : <>Endpoints are learned from traffic, and from documents: <Link to={['documents']}>upload one</Link>.</>}</p></Empty>
      )}
      {list.items.length > 0 && <Table items={list.items} search={search} />}
      {list.next && <p class="more"><button type="button" onClick={list.more} disabled={list.loading}>More endpoints</button> {count(list.items.length)} shown</p>}
    </>
  );
}

function Table({ items, search }) {
  const value = (name, text) => <Value name={name} value={text} search={search} to={TO} />;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Endpoints"><table class="rows">
      <thead><tr><th scope="col">Endpoint</th><th scope="col">Inventory</th><th scope="col">Risk</th><th scope="col">Authentication</th><th scope="col">Calls</th><th scope="col">Sessions</th><th scope="col">Users</th><th scope="col">Attacks</th><th scope="col">Statuses</th><th scope="col">Last seen</th></tr></thead>
      <tbody>{items.map((item) => (
        <tr key={item.id} data-row tabIndex={-1}>
          <th scope="row"><Link data-open to={['endpoints', item.id]}>{item.method} {item.host}{item.template}</Link></th>
          <td class="word" title={item.reasons.join('; ')}>{value('inventory', item.inventory)}</td><td class="number" title={item.risk_reasons.join('; ')}>{count(item.risk)}</td>
          <td class="word">{value('auth', item.auth)} {item.auth_means.join(', ')}</td><td class="number">{count(item.calls)}</td><td class="number">{count(item.sessions)}</td>
          <td class="number">{count(item.users)}</td><td class="number">{count(item.attacks)}</td>
          <td>{Object.entries(item.statuses).map(([status, times]) => `${status}: ${count(times)}`).join(' · ') || '–'}</td><td><Time at={item.last_seen} /></td>
        </tr>
      ))}</tbody></table></div>
  );
}
