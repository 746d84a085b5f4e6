// Sessions: who came, filtered by clicking what is seen.

import { useEffect, useState } from 'preact/hooks';
import { Export } from '../exporting.jsx';
import { FilterBar, Range } from '../filterbar.jsx';
import { asked, SESSION_FILTERS, withParameter } from '../filters.js';
import { count, duration, shortId, words } from '../format.js';
import { useList } from '../hooks.js';
import { navigate, route } from '../router.js';
import { Saved } from '../saved.jsx';
import { Share } from '../share.jsx';
import { CopyLink, Empty, Link, Loading, Partial, Risk, Time, Trouble, Value } from '../ui.jsx';

const TO = ['sessions'];
const LIVE_MS = 5_000;
/** Columns the API sorts by. */
const SORTS = { risk: 'Risk', requests: 'Requests', duration: 'Duration', last_seen: 'Last seen' };

export function Sessions({ search }) {
  const [live, setLive] = useState(true);
  const query = asked(search, SESSION_FILTERS);
  const list = useList(`sessions${query && `?${query}`}`, { every: live ? LIVE_MS : 0 });
  const given = new URLSearchParams(search);
  return (
    <>
      <FilterBar search={search} to={TO} allowed={SESSION_FILTERS} least={[['min_risk', 'Risk ≥'], ['min_requests', 'Requests ≥']]}>
        <Range search={search} to={TO} />
        <label class="inline"><input type="checkbox" checked={live} onChange={() => setLive(!live)} /> Live</label>
        <Saved to={TO} search={search} />
        <CopyLink /> <Export path="sessions/export" query={query} /> <Share scope={{ list: 'sessions', filter: asked(search, SESSION_FILTERS, ['from', 'to']) }} />
      </FilterBar>
      <Trouble problem={list.problem} again={list.again} />
      <Partial on={list.partial} />
      {list.items.length > 0 && <Table list={list} search={search} given={given} />}
      {list.items.length === 0 && !list.loading && !list.problem && <Nothing filtered={query !== ''} />}
      <Loading on={list.loading && list.items.length === 0} />
      {list.next && <p class="more"><button type="button" onClick={list.more} disabled={list.loading}>More sessions</button> {count(list.items.length)} shown</p>}
    </>
  );
}

function Nothing({ filtered }) {
  return filtered
    ? <Empty title="No session fits"><p>Take a filter away or widen the range. Filters hold where any request of a session fits.</p></Empty>
    : <Empty title="No sessions yet">
      <p>Requests show up here a second or two after they pass. Send one through the Worker, and this list fills by itself.</p>
      <p>If traffic flows and nothing shows, <Link to={['settings']}>preview a sample request</Link> to see which key it is told apart by.</p>
    </Empty>;
}

export function Table({ list, search, given }) {
  const sort = given.get('sort') ?? 'last_seen';
  const ascending = given.get('order') === 'asc';
  const header = (name) => (
    <th scope="col" aria-sort={sort === name ? (ascending ? 'ascending' : 'descending') : 'none'}>
      <button type="button" onClick={() => {
        const order = sort === name && !ascending ? 'asc' : '';
        navigate(route(TO, withParameter(withParameter(search, 'sort', name === 'last_seen' ? '' : name), 'order', order)));
      }}>{SORTS[name]}{sort === name ? (ascending ? ' ↑' : ' ↓') : ''}</button>
    </th>
  );
  // Ages are drawn anew now and then, whether or not the list is.
  const [, tick] = useState(0);
  useEffect(() => { const timer = setInterval(() => tick((n) => n + 1), 10_000); return () => clearInterval(timer); }, []);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Sessions"><table class="rows">
      <thead><tr><th scope="col">Session</th><th scope="col">State</th>{header('risk')}<th scope="col">User</th><th scope="col">Key</th>
        <th scope="col">Address</th>{header('requests')}<th scope="col">Attacks</th>{header('duration')}{header('last_seen')}</tr></thead>
      <tbody>{list.items.map((session) => <Row key={session.id} session={session} search={search} />)}</tbody>
    </table></div>
  );
}

function Row({ session, search }) {
  const value = (name, text, label) => <Value name={name} value={text} label={label} search={search} to={TO} />;
  const [ip] = session.ips;
  return (
    <tr data-row tabIndex={-1}>
      <th scope="row"><Link to={['sessions', session.id]} data-open title={session.id}><code>{shortId(session.id)}</code></Link></th>
      <td><Value name="state" value={session.state} label={session.state} search={search} to={TO} />
        {session.label && <> <Value name="label" value={session.label.label} label={words(session.label.label)} search={search} to={TO} /></>}</td>
      <td><Risk value={session.risk} /></td>
      <td>{session.users.length > 0 ? value('user', session.users.at(-1)) : '–'}{session.users.length > 1 && <small> +{session.users.length - 1}</small>}</td>
      <td><span class="clip" title={`${session.key.source}, ${session.proof}`}>{session.key.source}</span></td>
      <td>{ip ? <>{value('ip', ip.ip)} {ip.country && value('country', ip.country)}</> : '–'}{session.ips.length > 1 && <small> +{session.ips.length - 1}</small>}</td>
      <td class="number">{count(session.requests)}</td>
      <td class="number">{session.attacks > 0 ? <strong>{count(session.attacks)}</strong> : 0}
        {Object.keys(session.findings).slice(0, 2).map((name) => <span key={name}> {value('detector', name, name)}</span>)}</td>
      <td class="number">{duration(session.duration_ms)}</td>
      <td><Time at={session.last_seen} relative /></td>
    </tr>
  );
}
