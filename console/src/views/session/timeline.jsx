// Every event of a session in one sequence, malicious and normal, a row each.
//
// Pages are fetched as far as the list is scrolled, and only the rows in sight are in the document, so that a session
// of 100,000 events scrolls like one of a hundred.

import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes, count, duration, localTime, utcTime, words } from '../../format.js';
import { useList } from '../../hooks.js';
import { windowOf } from '../../windowed.js';
import { Badge, Dialog, Empty, Link, Loading, Partial, Time, Trouble, Value } from '../../ui.jsx';
import { FindingCard } from '../../finding.jsx';

const ROW = 28; // px, as in style.css
const PAGE = 500; // the most the API gives at once

/** `path` lists events; `total` is about how many there are, 0 where nobody knows. */
export function Timeline({ path, total, query, search, to }) {
  const list = useList(`${path}${query && `?${query}`}`, { limit: PAGE });
  const [view, setView] = useState({ top: 0, height: 480 });
  const [all, setAll] = useState(false);
  const [open, setOpen] = useState(null);
  const ref = useRef(null);
  const { start, end } = windowOf({ ...view, row: ROW, total: list.items.length });
  const near = view.top + 3 * view.height > list.items.length * ROW;
  useEffect(() => { if ((near || all) && list.next && !list.problem) list.more(); }, [near, all, list.next, list.loading]);
  useEffect(() => { setAll(false); if (ref.current) ref.current.scrollTop = 0; }, [query]);
  const seen = ({ currentTarget }) => setView({ top: currentTarget.scrollTop, height: currentTarget.clientHeight });
  if (list.items.length === 0) {
    return <><Trouble problem={list.problem} again={list.again} /><Loading on={list.loading} />
      {!list.loading && !list.problem && <Empty title="No event fits"><p>Take a filter away: all of them hold on the same event.</p></Empty>}</>;
  }
  return (
    <>
      <Partial on={list.partial} />
      <p class="bar" role="status">{count(list.items.length)} {list.next && total > 0 ? `of about ${count(total)}` : ''} events
        {list.next && <button type="button" onClick={() => setAll(!all)}>{all ? 'Stop loading' : 'Load all'}</button>}</p>
      <Trouble problem={list.problem} again={list.more} />
      <div class="timeline" ref={ref} onScroll={seen} tabIndex={0} role="region" aria-label="Events of the session">
        <div role="table" aria-label="Timeline" aria-rowcount={list.next ? -1 : list.items.length} style={{ height: `${list.items.length * ROW}px` }}>
          {list.items.slice(start, end).map((event, at) => (
            <Row key={event.id} event={event} top={(start + at) * ROW} index={start + at + 1} open={() => setOpen(event)} />
          ))}
        </div>
      </div>
      {open && <Details event={open} close={() => setOpen(null)} search={search} to={to} />}
    </>
  );
}

function Row({ event, top, index, open }) {
  const found = event.findings.map(({ detector }) => words(detector));
  return (
    <div role="row" aria-rowindex={index} data-row tabIndex={-1} class={`event ${found.length > 0 ? 'found' : ''} status-${String(event.status)[0]}`} style={{ top: `${top}px` }}>
      <span role="cell" title={utcTime(event.time)}>{localTime(event.time, true).slice(11)}</span>
      <span role="cell">{event.status}</span>
      <span role="cell">{event.method}</span>
      <span role="cell" class="path"><button type="button" data-open onClick={open} title={event.path}>{event.path}</button></span>
      <span role="cell" class="what">{found.join(', ')}</span>
      <span role="cell" class="number">{duration(event.duration_ms)}</span>
    </div>
  );
}

function Details({ event, close, search, to }) {
  const value = (name, text) => <Value name={name} value={text} search={search} to={to} />;
  const facts = [
    ['Time', <Time at={event.time} precise />], ['Endpoint', value('endpoint', event.endpoint)], ['Status', value('status', event.status)],
    ['Took', duration(event.duration_ms)], ['Request', bytes(event.request_bytes ?? NaN)], ['Response', bytes(event.response_bytes ?? NaN)],
    ['Address', value('ip', event.ip)], ['Country', value('country', event.country)], ['Network', value('asn', event.asn)], ['Data centre', event.colo ?? '–'],
    ['User', event.user ? <Link to={['subjects', 'user', event.user]}>{event.user}</Link> : '–'], ['Tried to be', event.attempted_user ?? '–'],
    ['Roles', event.roles.join(', ') || '–'], ['Agent', event.user_agent ?? '–'], ['JA4', event.ja4 ?? '–'], ['Action', <Badge kind={event.action} />],
    ['Flow', event.flow ?? '–'], ['Inventory', event.inventory ?? '–'], ['Marks', event.marks.map(words).join(', ') || '–'], ['Origin reported', event.feedback.join(', ') || '–'],
    ...Object.entries(event.params ?? {}).map(([name, param]) => [name, typeof param === 'object' ? JSON.stringify(param) : String(param)]),
    ['Id', <code>{event.id}</code>],
  ];
  return (
    <Dialog title="Event" onClose={close}>
      <p class="message"><strong>{event.method}</strong> {event.host}<wbr />{event.path}</p>
      <dl class="facts">{facts.map(([name, fact]) => <div key={name}><dt>{name}</dt><dd>{fact}</dd></div>)}</dl>
      {event.findings.map((finding) => <FindingCard key={finding.id} finding={finding} />)}
    </Dialog>
  );
}
