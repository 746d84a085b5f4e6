// The findings of one session, and how often each detector spoke.

import { FindingCard } from '../../finding.jsx';
import { count } from '../../format.js';
import { useList } from '../../hooks.js';
import { Loading, Trouble, Value } from '../../ui.jsx';

export function FindingsOf({ session, search, to }) {
  const tallies = Object.entries(session.findings);
  const list = useList(`findings?session=${session.id}`, { limit: 20, every: 10_000 });
  if (tallies.length === 0 && list.items.length === 0) return <p>Nothing was found in this session.</p>;
  return (
    <>
      <p class="tallies">{tallies.map(([detector, times]) => (
        <span key={detector}><Value name="detector" value={detector} search={search} to={to} /> {count(times)}</span>
      ))}</p>
      <Trouble problem={list.problem} again={list.again} />
      {list.items.map((finding) => <FindingCard key={finding.id} finding={finding} />)}
      <Loading on={list.loading && list.items.length === 0} />
      {!list.loading && list.items.length === 0 && !list.problem && <p class="note">They are older than the feed of findings; the timeline has them with their requests.</p>}
      {list.next && <button type="button" onClick={list.more}>More findings</button>}
    </>
  );
}
