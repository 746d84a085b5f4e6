// The feed of findings, newest first.

import { Export } from '../exporting.jsx';
import { FilterBar, Range } from '../filterbar.jsx';
import { asked, FINDING_FILTERS, standing, unlabelled } from '../filters.js';
import { FindingCard } from '../finding.jsx';
import { count } from '../format.js';
import { useList } from '../hooks.js';
import { navigate, route } from '../router.js';
import { Saved } from '../saved.jsx';
import { Share } from '../share.jsx';
import { CopyLink, Empty, Loading, Partial, Trouble, Value } from '../ui.jsx';

const TO = ['findings'];

export function Findings({ search }) {
  const query = asked(search, FINDING_FILTERS, ['from', 'to']);
  const list = useList(`findings${query && `?${query}`}`, { every: 5_000 });
  const untriaged = standing(search, 'label', 'true_positive') === 'not' && standing(search, 'label', 'false_positive') === 'not';
  return (
    <>
      <FilterBar search={search} to={TO} allowed={FINDING_FILTERS} hint="sqli, or severity=high">
        <label class="inline"><input type="checkbox" checked={untriaged} onChange={() => navigate(route(TO, unlabelled(search, !untriaged)))} /> Not triaged</label>
        <Range search={search} to={TO} /><Saved to={TO} search={search} /><CopyLink />
        <Export path="findings/export" query={query} /><Share scope={{ list: 'findings', filter: query }} />
      </FilterBar>
      <Trouble problem={list.problem} again={list.again} />
      <Partial on={list.partial} />
      {list.items.map((finding) => (
        <div class="entry" key={finding.id}>
          <FindingCard finding={finding} linked />
          <p class="tallies"><Value name="detector" value={finding.detector} search={search} to={TO} /> <Value name="severity" value={finding.severity} search={search} to={TO} /></p>
        </div>
      ))}
      {list.items.length === 0 && !list.loading && !list.problem && (
        <Empty title={query ? 'No finding fits' : 'Nothing was found yet'}>
          <p>{query ? 'Take a filter away or widen the range.' : 'Detectors look at every request that passes. What they find shows up here within a few seconds.'}</p>
        </Empty>
      )}
      <Loading on={list.loading && list.items.length === 0} />
      {list.next && <p class="more"><button type="button" onClick={list.more} disabled={list.loading}>More findings</button> {count(list.items.length)} shown</p>}
    </>
  );
}
