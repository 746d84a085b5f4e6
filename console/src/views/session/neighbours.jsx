// Who is near a session: what it goes on from and into, and what else its users, addresses and devices did.

import { useState } from 'preact/hooks';
import { count } from '../../format.js';
import { useAnswer } from '../../hooks.js';
import { Badge, Link, Loading, Panel, Partial, Time, Trouble } from '../../ui.jsx';

export function Neighbours({ session }) {
  const links = [...session.predecessors.map((link) => ['from', link]), ...session.successors.map((link) => ['into', link])];
  return (
    <div class="columns">
      <Panel title="Before and after">
        {links.length === 0 ? <p>No other session leads here, and none goes on from it.</p> : <Story id={session.id} links={links} />}
      </Panel>
      <Panel title="Neighbours"><Near id={session.id} /></Panel>
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

function Near({ id }) {
  const { data, problem, loading, again } = useAnswer(`sessions/${id}/neighbours`);
  const near = (data?.items ?? []).filter(({ sessions }) => sessions.count > 0);
  return (
    <>
      <Trouble problem={problem} again={again} />
      <Loading on={loading && !data} />
      <Partial on={data?.partial} />
      {data && near.length === 0 && <p>No other session has the same user, address or device.</p>}
      {near.map(({ kind, value, sessions }) => (
        <div key={`${kind} ${value}`}>
          <h3>{kind} <Link to={['subjects', kind, value]}>{value}</Link>: {sessions.exact ? '' : 'about '}{count(sessions.count)} more</h3>
          <ul class="plain">{sessions.items.map((item) => (
            <li key={item.value} data-row tabIndex={-1}><Link to={['sessions', item.value]} data-open><code>{item.value.slice(0, 8)}</code></Link> <Time at={item.last_seen} /></li>
          ))}</ul>
        </div>
      ))}
    </>
  );
}
