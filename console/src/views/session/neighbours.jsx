// Who is near a session: what it goes on from and into, and what else its users, addresses and devices did.

import { useState } from 'preact/hooks';
import { count } from '../../format.js';
import { useAnswer } from '../../hooks.js';
import { Badge, Link, Loading, Panel, Time, Trouble } from '../../ui.jsx';

const MOST = 6; // of each kind; the others are in the distributions

export function Neighbours({ session }) {
  const near = [
    ...session.users.slice(0, MOST).map((value) => ['user', value]),
    ...session.ips.slice(0, MOST).map(({ ip }) => ['ip', ip]),
  ];
  const links = [...session.predecessors.map((link) => ['from', link]), ...session.successors.map((link) => ['into', link])];
  return (
    <div class="columns">
      <Panel title="Before and after">
        {links.length === 0 ? <p>No other session leads here, and none goes on from it.</p> : <Story id={session.id} links={links} />}
      </Panel>
      <Panel title="Neighbours">
        <p class="note">Other sessions with the same user or address.</p>
        {near.map(([kind, value]) => <Near key={`${kind} ${value}`} kind={kind} value={value} own={session.id} />)}
      </Panel>
    </div>
  );
}

function Story({ id, links }) {
  const [whole, setWhole] = useState(false);
  const story = useAnswer(whole ? `sessions/${id}/story` : null);
  return (
    <>
      <ul class="plain">{links.map(([way, link]) => (
        <li key={`${way}${link.session}${link.request}`}>{way === 'from' ? 'goes on from' : 'went on into'} <Link to={['sessions', link.session]}><code>{link.session.slice(0, 8)}</code></Link> by {link.reason}, <Time at={link.time} /></li>
      ))}</ul>
      {!whole && <button type="button" onClick={() => setWhole(true)}>Whole story</button>}
      <Loading on={whole && story.loading && !story.data} />
      <Trouble problem={story.problem} again={story.again} />
      {story.data && <ol class="plain">{story.data.items.map((part) => (
        <li key={part.id}><Time at={part.first_seen} /> <Link to={['sessions', part.id]} aria-current={part.id === id ? 'true' : undefined}><code>{part.id.slice(0, 8)}</code></Link> <Badge kind={part.state} /> {part.users.join(', ')} {count(part.requests)} requests</li>
      ))}</ol>}
    </>
  );
}

function Near({ kind, value, own }) {
  const { data, problem, loading } = useAnswer(`subjects/${kind}/${encodeURIComponent(value)}`);
  const others = (data?.sessions?.items ?? []).filter((item) => item.value !== own);
  return (
    <div class="near">
      <h3>{kind} <Link to={['subjects', kind, value]}>{value}</Link></h3>
      <Loading on={loading && !data} />
      {problem && <p class="note">{problem.status === 404 ? 'Not known by itself.' : problem.detail}</p>}
      {data && others.length === 0 && <p>No other session.</p>}
      {others.length > 0 && <ul class="plain">{others.map((item) => (
        <li key={item.value}><Link to={['sessions', item.value]}><code>{item.value.slice(0, 8)}</code></Link> <Time at={item.last_seen} /></li>
      ))}</ul>}
    </div>
  );
}
