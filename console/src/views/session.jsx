// One session: what it is, what it did in one sequence, what was found, who is near, what can be done.

import { EVENT_FILTERS, asked } from '../filters.js';
import { count, duration, words } from '../format.js';
import { useAnswer, useSigned } from '../hooks.js';
import { Export } from '../exporting.jsx';
import { FilterBar } from '../filterbar.jsx';
import { Act } from '../act.jsx';
import { Share } from '../share.jsx';
import { Triage } from '../triage.jsx';
import { Badge, CopyLink, Empty, Link, Loading, Panel, Partial, Risk, Time, Trouble } from '../ui.jsx';
import { Distributions } from './session/distributions.jsx';
import { FindingsOf } from './session/findings.jsx';
import { Neighbours } from './session/neighbours.jsx';
import { Timeline } from './session/timeline.jsx';

const FILTERS = EVENT_FILTERS.filter((name) => name !== 'session');

export function Session({ id, search }) {
  const { data: session, problem, loading, again } = useAnswer(`sessions/${encodeURIComponent(id)}`, { every: 10_000 });
  const { role, open } = useSigned();
  if (problem && !session) {
    return problem.status === 404
      ? <Empty title="No session has this id"><p>It may be older than what is kept. <Link to={['sessions']}>Look through the sessions</Link>.</p></Empty>
      : <Trouble problem={problem} again={again} />;
  }
  if (!session) return <Loading on={loading} />;
  const to = ['sessions', session.id];
  return (
    <>
      <Summary session={session} actions={<>{role === 'admin' && <Act kind="session" value={session.id} state={session.state} done={again} />}{!open && <CopyLink />}
        <Export path={`sessions/${session.id}/export`} query={asked(search, FILTERS, ['from', 'to'])} events /> <Share scope={{ session: session.id }} /></>} />
      <Partial on={session.partial} />
      <div class="columns">
        <Panel title="What it did"><Distributions session={session} search={search} to={to} /></Panel>
        <Panel title="Findings"><FindingsOf session={session} to={to} search={search} /></Panel>
      </div>
      <Panel title="Timeline" class="wide">
        {!open && <FilterBar search={search} to={to} allowed={FILTERS} hint="path, or status=4xx" />}
        <Timeline path={`sessions/${session.id}/events`} total={session.requests} query={asked(search, FILTERS, ['from', 'to', 'order'])} search={search} to={to} />
      </Panel>
      {!open && <Neighbours session={session} />}
    </>
  );
}

function Summary({ session, actions }) {
  const facts = [
    ['Risk', <Risk value={session.risk} />],
    ['Requests', count(session.requests)],
    ['Attacks', count(session.attacks)],
    ['Key', <><code>{session.key.source}</code> {session.proof}</>],
    ['Users', session.users.length > 0 ? session.users.map((user) => <span key={user} class="listed"><Link to={['subjects', 'user', user]}>{user}</Link></span>) : '–'],
    ['Roles', session.roles.join(', ') || '–'],
    ['First seen', <Time at={session.first_seen} />],
    ['Last seen', <Time at={session.last_seen} />],
    ['Duration', duration(session.duration_ms)],
    ...(session.ended ? [['Ended', <Time at={session.ended} />]] : []),
    ...(session.attempted_users.length > 0 ? [['Tried to be', session.attempted_users.join(', ')]] : []),
    ...(session.marks.length > 0 ? [['Marks', session.marks.map(words).join(', ')]] : []),
  ];
  return (
    <section class="summary">
      <header><h2><code>{session.id}</code></h2> <Badge kind={session.state} /> <span class="actions">{actions}</span></header>
      <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      <Triage path={`sessions/${session.id}`} label={session.label} />
    </section>
  );
}
