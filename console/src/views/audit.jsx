// The audit log: who did what about whom, and why.

import { useState } from 'preact/hooks';
import { useAnswer } from '../hooks.js';
import { Badge, Empty, Link, Loading, Time, Trouble } from '../ui.jsx';

export function Audit() {
  const [limit, setLimit] = useState(100);
  const { data, problem, loading, again } = useAnswer(`audit?limit=${limit}`, { every: 10_000 });
  const items = data?.items ?? [];
  return (
    <>
      <Trouble problem={problem} again={again} />
      <Loading on={loading && !data} />
      {data && items.length === 0 && <Empty title="Nothing was done yet"><p>Every block, throttle, release and erasure is written down here, by people and by detectors.</p></Empty>}
      {items.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Audit"><table class="rows">
        <thead><tr><th scope="col">Time</th><th scope="col">Who</th><th scope="col">Act</th><th scope="col">Subject</th><th scope="col">Why</th></tr></thead>
        <tbody>{items.map((act, at) => (
          <tr key={`${act.time}${at}`} data-row tabIndex={-1}><td><Time at={act.time} /></td><td>{act.actor}</td><td><Badge kind={act.act} /></td><th scope="row"><Whom subject={act.subject} /></th><td>{act.detail || '–'}</td></tr>
        ))}</tbody></table></div>}
      {items.length === limit && limit < 500 && <p class="more"><button type="button" onClick={() => setLimit(500)}>More</button></p>}
    </>
  );
}

function Whom({ subject }) {
  const [, kind, value] = /^(session|ip|user):(.+)$/.exec(subject) ?? [];
  if (kind === undefined) return subject;
  return <>{kind} <Link data-open to={kind === 'session' ? ['sessions', value] : ['subjects', kind, value.replace(/\/64$/, '')]}><code>{value}</code></Link></>;
}
