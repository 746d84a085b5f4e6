// How things are: what came, what was found, from where.

import { useMemo } from 'preact/hooks';
import { Chart } from '../chart.jsx';
import { Range } from '../filterbar.jsx';
import { FindingCard } from '../finding.jsx';
import { count, duration } from '../format.js';
import { useAnswer } from '../hooks.js';
import { bucketFor, evenly } from '../series.js';
import { Badge, Empty, Link, Loading, Panel, Partial, Risk, Time, Trouble } from '../ui.jsx';

const EVERY_MS = 15_000;
const MOST_COUNTRIES = 12;
const MOST_WEIGHED = 500; // findings, the most the API tells at once

export function Overview({ search }) {
  const from = new URLSearchParams(search).get('from') ?? '-24h';
  const { bucket } = bucketFor(from);
  const range = `from=${encodeURIComponent(from)}`;
  const rollups = useAnswer(`rollups?${range}&bucket=${bucket}`, { every: EVERY_MS });
  const stats = useAnswer(`stats?${range}&bucket=${bucket}`, { every: 2 * EVERY_MS });
  const risky = useAnswer(`sessions?${range}&sort=risk&limit=6&min_risk=1`, { every: EVERY_MS });
  const findings = useAnswer(`findings?${range}&limit=5`, { every: EVERY_MS });
  const weighed = useAnswer(`findings?${range}&limit=${MOST_WEIGHED}`, { every: 2 * EVERY_MS });
  const surges = useAnswer(`findings?${range}&detector=region_surge&limit=3`, { every: EVERY_MS });
  const nothing = rollups.data && rollups.data.items.length === 0 && stats.data && stats.data.total.requests === 0;
  return (
    <>
      <div class="filters"><Range search={search} to={[]} fallback="-24h" /></div>
      <Trouble problem={rollups.problem ?? stats.problem} again={() => { rollups.again(); stats.again(); }} />
      <Totals rollups={rollups.data} stats={stats.data} />
      {nothing && <Empty title="No traffic in this range">
        <p>Point the API's route at the Worker, or choose a longer range. The first request shows up here within a few seconds.</p></Empty>}
      <Traffic rollups={rollups.data} stats={stats.data} findings={weighed.data} from={from} />
      <Partial on={stats.data?.partial} />
      <div class="columns">
        <Panel title="Newest findings" aside={<Link to={['findings']}>All findings</Link>}>
          <Trouble problem={findings.problem} again={findings.again} />
          <Loading on={findings.loading && !findings.data} />
          {findings.data?.items.map((finding) => <FindingCard key={finding.id} finding={finding} linked />)}
          {findings.data?.items.length === 0 && <p>Nothing was found in this range.</p>}
        </Panel>
        <div>
          <Panel title="Riskiest sessions" aside={<Link to={['sessions']} search="sort=risk">All sessions</Link>}>
            <Trouble problem={risky.problem} again={risky.again} />
            <Risky data={risky.data} />
          </Panel>
          <Panel title="Surges" aside={<Link to={['findings']} search="detector=region_surge">All surges</Link>}>
            <Trouble problem={surges.problem} again={surges.again} />
            {surges.data?.items.map((finding) => <FindingCard key={finding.id} finding={finding} linked />)}
            {surges.data?.items.length === 0 && <p>No country or network brought more than it is used to.</p>}
          </Panel>
          <Panel title="Countries"><Countries range={range} /></Panel>
        </div>
      </div>
    </>
  );
}

function Totals({ rollups, stats }) {
  const sum = (name) => rollups?.items.reduce((total, item) => total + item[name], 0);
  const facts = [['Requests', sum('requests')], ['Sessions', stats?.total.sessions], ['Requests with findings', sum('attacks')]];
  return <dl class="totals">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value === undefined ? '…' : count(value)}</dd></div>)}</dl>;
}

function Traffic({ rollups, stats, findings, from }) {
  const drawn = useMemo(() => {
    const { ms, span } = bucketFor(from);
    const to = Date.now();
    const range = { from: to - span, to, ms };
    const counted = evenly(rollups?.items ?? [], ['requests', 'attacks'], range);
    const sessions = evenly(stats?.buckets ?? [], ['sessions'], range);
    const started = (finding) => Math.floor(new Date(finding.time).getTime() / ms) * ms;
    const risk = evenly(findings?.items.map((finding) => ({ time: started(finding), risk: finding.risk_added })) ?? [], ['risk'], range);
    return {
      times: counted.times,
      risk: [{ label: 'risk added', color: 'sessions', values: risk.values.risk }],
      traffic: [{ label: 'requests', color: 'requests', values: counted.values.requests }, { label: 'sessions', color: 'sessions', values: sessions.values.sessions }],
      attacks: [{ label: 'requests with findings', color: 'attacks', values: counted.values.attacks }],
    };
  }, [rollups, stats, findings, from]);
  return (
    <div class="columns">
      <Panel title="Traffic"><Chart title="Requests and sessions" times={drawn.times} series={drawn.traffic} /></Panel>
      <Panel title="Attacks"><Chart title="Requests with findings" times={drawn.times} series={drawn.attacks} /></Panel>
      <Panel title="Risk" aside={findings?.next && <span>of the newest {count(MOST_WEIGHED)} findings</span>}>
        <Chart title="Risk that findings added" times={drawn.times} series={drawn.risk} /></Panel>
    </div>
  );
}

function Risky({ data }) {
  if (!data) return <Loading on />;
  if (data.items.length === 0) return <p>No session has any risk now.</p>;
  return (
    <table><thead><tr><th scope="col">Session</th><th scope="col">State</th><th scope="col">Risk</th><th scope="col">Last seen</th></tr></thead>
      <tbody>{data.items.map((session) => (
        <tr key={session.id}><th scope="row"><Link to={['sessions', session.id]}><code>{session.id.slice(0, 8)}</code></Link></th>
          <td><Badge kind={session.state} /></td><td><Risk value={session.risk} /></td><td><Time at={session.last_seen} relative /></td></tr>
      ))}</tbody></table>
  );
}

function Countries({ range }) {
  const { data, problem, again } = useAnswer(`rollups?${range}&group_by=country`, { every: 2 * EVERY_MS });
  const rows = [...(data?.items ?? [])].sort((a, b) => b.requests - a.requests).slice(0, MOST_COUNTRIES);
  const most = Math.max(1, ...rows.map((row) => row.requests));
  return (
    <>
      <Trouble problem={problem} again={again} />
      <div class="scroll" tabIndex={0} role="region" aria-label="Countries"><table class="bars"><thead><tr><th scope="col">Country</th><th scope="col">Requests</th><th scope="col">Share</th><th scope="col">Findings</th><th scope="col">Mean</th></tr></thead>
        <tbody>{rows.map((row) => (
          <tr key={row.group ?? ''}><th scope="row">{row.group ? <Link to={['sessions']} search={`country=${encodeURIComponent(row.group)}`}>{row.group}</Link> : 'unknown'}</th>
            <td class="number">{count(row.requests)}</td><td><progress max={most} value={row.requests} aria-label={`${row.requests} requests`} /></td>
            <td class="number">{count(row.attacks)}</td><td class="number">{duration(row.duration_ms_mean)}</td></tr>
        ))}</tbody></table></div>
    </>
  );
}
