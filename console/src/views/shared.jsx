// What a share link shows: one session, or one list. Nothing else is asked for, and nothing can be done.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { client } from '../api.js';
import { FindingCard } from '../finding.jsx';
import { Signed, useList } from '../hooks.js';
import { Badge, Empty, Loading, Panel, Partial, Time, Trouble } from '../ui.jsx';
import { Session } from './session.jsx';
import { Table } from './sessions.jsx';
import { Timeline } from './session/timeline.jsx';

export function Shared({ token }) {
  const [state, setState] = useState({ share: null, problem: null });
  const [session, open] = useState(null);
  const api = useMemo(() => client(token), [token]);
  useEffect(() => {
    api.get('api/v1/share').then(({ items: [share] }) => setState({ share, problem: null }), (problem) => setState({ share: null, problem }));
  }, [api]);
  const { share, problem } = state;
  const signed = useMemo(() => ({ api, role: 'share', mode: null, version: null, problems: [], open }), [api]);
  if (problem) {
    return problem.status === 401
      ? <main><Empty title="This link shows nothing any more"><p>It has ended, was revoked, or was not copied whole. Ask whoever gave it to you for another.</p></Empty></main>
      : <main><Trouble problem={problem} /></main>;
  }
  if (!share) return <main><Loading on /></main>;
  const shown = session ?? share.session;
  return (
    <Signed.Provider value={signed}>
      <header class="top"><strong class="brand">Throughline</strong><Badge kind="shared" />
        <span>{share.note}</span><span class="note">until <Time at={share.until} /></span></header>
      <main id="main" tabIndex={-1}>
        <h1 class="hidden">Shared</h1>
        {session && <p><button type="button" onClick={() => open(null)}>Back to the list</button></p>}
        {shown ? <Session key={shown} id={shown} search="" /> : <List share={share} />}
      </main>
    </Signed.Provider>
  );
}

function List({ share }) {
  const { list, filter } = share;
  if (list === 'events') return <Panel title="Events" aside={<code>{filter}</code>}><Timeline path="events" total={0} query="" search="" to={[]} /></Panel>;
  return <Page list={list} filter={filter} />;
}

function Page({ list, filter }) {
  const found = useList(list);
  return (
    <Panel title={list === 'sessions' ? 'Sessions' : 'Findings'} aside={<code>{filter}</code>}>
      <Trouble problem={found.problem} again={found.again} />
      <Partial on={found.partial} />
      <Loading on={found.loading && found.items.length === 0} />
      {!found.loading && !found.problem && found.items.length === 0 && <Empty title="Nothing fits"><p>What the link showed is not kept any more.</p></Empty>}
      {found.items.length > 0 && (list === 'sessions'
        ? <Table list={found} search="" given={new URLSearchParams()} />
        : found.items.map((finding) => <FindingCard key={finding.id} finding={finding} />))}
      {found.next && <p class="more"><button type="button" onClick={found.more} disabled={found.loading}>More</button></p>}
    </Panel>
  );
}
