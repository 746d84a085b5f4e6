// Subjects: users, addresses, tokens and devices; found by what is known of them, shown with what they did.

import { useState } from 'preact/hooks';
import { Act } from '../act.jsx';
import { bytes, count } from '../format.js';
import { useAnswer, useSigned } from '../hooks.js';
import { navigate, route } from '../router.js';
import { CopyLink, Empty, Link, Loading, Panel, Partial, Time, Trouble } from '../ui.jsx';

const KINDS = { user: 'User', ip: 'Address', token: 'Token', device: 'Device', session: 'Session id' };

export function Subjects() {
  const { api } = useSigned();
  const [kind, setKind] = useState('user');
  const [text, setText] = useState('');
  const [state, setState] = useState({ found: null, problem: null });
  const submit = async (event) => {
    event.preventDefault();
    const value = text.trim();
    if (value === '') return;
    if (kind === 'session') return navigate(route(['sessions', value.toLowerCase()]));
    if (kind !== 'key') return navigate(route(['subjects', kind, value]));
    // The value of a key is a secret: it goes into the body of a request, never into an address.
    try {
      setState({ found: (await api.post('api/v1/lookup', { value })).items, problem: null });
    } catch (problem) {
      setState({ found: null, problem });
    }
  };
  return (
    <Panel title="Find who it was">
      <form class="order" onSubmit={submit}>
        <label>What you have <select value={kind} onChange={(event) => { setKind(event.currentTarget.value); setState({ found: null, problem: null }); }}>
          {Object.entries(KINDS).map(([name, label]) => <option key={name} value={name}>{label}</option>)}<option value="key">Cookie, API key or other key value</option></select></label>
        <label>Value <input data-search value={text} maxLength={8192} autoComplete="off" spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} /></label>
        <p><button type="submit" class="primary">Look up</button></p>
      </form>
      <Trouble problem={state.problem} />
      {state.found && (state.found.length === 0
        ? <Empty title="No session has this key"><p>It is hashed and compared with the keys of known sessions; paste it exactly as the client sends it.</p></Empty>
        : <ul class="plain">{state.found.map((item) => <li key={item.session}><Link to={['sessions', item.session]}><code>{item.session}</code></Link> by {item.source}</li>)}</ul>)}
      <p class="note">A user by the raw name or the pseudonym, an address as IPv4 or any of an IPv6 /64, a token by its <code>jti</code> or as a whole, a device as shown elsewhere.</p>
    </Panel>
  );
}

export function Subject({ kind, value }) {
  const { role } = useSigned();
  const { data, problem, loading, again } = useAnswer(`subjects/${encodeURIComponent(kind)}/${encodeURIComponent(value)}`, { every: 10_000 });
  if (problem && !data) {
    return problem.status === 404
      ? <Empty title={`No such ${kind} is known`}><p>Nothing that is kept names <code>{value}</code>. <Link to={['subjects']}>Look for another</Link>.</p></Empty>
      : <Trouble problem={problem} again={again} />;
  }
  if (!data) return <Loading on={loading} />;
  const facts = [['Requests', count(data.requests)], ['Refused (4xx)', count(data.refused)], ['Sent', bytes(data.response_bytes)],
    ['Logins', `${count(data.logins.succeeded)} succeeded, ${count(data.logins.failed)} failed`], ['Tried by others', count(data.attempts)],
    ['Endpoints', `${data.endpoints.exact ? '' : 'about '}${count(data.endpoints.count)}`], ['First seen', <Time at={data.first_seen} />], ['Last seen', <Time at={data.last_seen} />]];
  return (
    <>
      <section class="summary"><header><h2>{kind} <code>{data.value}</code></h2>
        <span class="actions">{role === 'admin' && kind !== 'token' && <Act kind={kind} value={kind === 'ip' ? value : data.value} done={again} />}
          {(kind === 'user' || kind === 'ip') && <Link to={['sessions']} search={new URLSearchParams({ [kind]: value }).toString()}>Its sessions, filtered</Link>}<CopyLink /></span></header>
        <dl class="facts">{facts.map(([name, fact]) => <div key={name}><dt>{name}</dt><dd>{fact}</dd></div>)}</dl></section>
      <Partial on={data.partial} />
      <div class="columns">
        <Seen title="Sessions" seen={data.sessions} link={(item) => ['sessions', item]} short />
        <Seen title="Users" seen={data.users} link={(item) => ['subjects', 'user', item]} />
        <Seen title="Addresses" seen={data.ips} link={(item) => ['subjects', 'ip', item]} />
        <Seen title="Countries" seen={data.countries} />
        <Seen title="Agents" seen={data.agents} />
        <Seen title={kind === 'user' ? 'Clients that tried to be them' : 'Users tried here'} seen={data.tried} />
        <Panel title="Lately"><table><thead><tr><th scope="col">In the last</th><th scope="col">Requests</th><th scope="col">Refused</th><th scope="col">Failed logins</th></tr></thead>
          <tbody>{Object.entries(data.windows).map(([name, window]) => (
            <tr key={name}><th scope="row">{name}</th><td class="number">{count(window.requests)}</td><td class="number">{count(window.refused)}</td><td class="number">{count(window.logins.failed)}</td></tr>
          ))}</tbody></table></Panel>
        {data.places.length > 0 && <Panel title="Places"><ul class="plain">{data.places.map((place) => (
          <li key={place.request}>{place.country ?? 'unknown'} {place.asn ? `AS${place.asn}` : ''} {place.ip}, <Time at={place.time} /></li>
        ))}</ul></Panel>}
      </div>
    </>
  );
}

function Seen({ title, seen, link, short }) {
  if (seen.count === 0) return null;
  return (
    <Panel title={`${title} (${seen.exact ? '' : 'about '}${count(seen.count)})`}>
      <ul class="plain">{seen.items.map((item) => (
        <li key={item.value}>{link ? <Link to={link(item.value)}>{short ? <code>{item.value.slice(0, 8)}</code> : item.value}</Link> : item.value} <Time at={item.last_seen} /></li>
      ))}</ul>
      {!seen.exact && <p class="note">The newest are listed.</p>}
    </Panel>
  );
}
