// Events a row each, of which only those in sight are in the document, so that 100,000 scroll like a hundred; one opens
// with everything known of it.

import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes, duration, localTime, utcTime, words } from '../../format.js';
import { windowOf } from '../../windowed.js';
import { Badge, Dialog, Link, Time, Value } from '../../ui.jsx';
import { FindingCard } from '../../finding.jsx';

const ROW = 28; // px, as in style.css
const COLUMNS = ['Time', 'Status', 'Method', 'Path', 'Found', 'Took'];

/**
 * `items` are events, `total` how many rows there are in all or -1 where nobody knows. `near` is told when the end comes
 * into sight. `place` is whatever makes it another list: then it is scrolled to its beginning. With `across` each row
 * links to its session.
 */
export function Rows({ items, total, near, place = '', across = false, search, to }) {
  const [view, setView] = useState({ top: 0, height: 480 });
  const [open, setOpen] = useState(null);
  const ref = useRef(null);
  const { start, end } = windowOf({ ...view, row: ROW, total: items.length });
  useEffect(() => { if (view.top + 3 * view.height > items.length * ROW) near?.(); });
  useEffect(() => { if (ref.current) ref.current.scrollTop = 0; }, [place]);
  const seen = ({ currentTarget }) => setView({ top: currentTarget.scrollTop, height: currentTarget.clientHeight });
  const columns = across ? [...COLUMNS.slice(0, 3), 'Session', ...COLUMNS.slice(3)] : COLUMNS;
  return (
    <>
      <div class={`timeline ${across ? 'across' : ''}`} ref={ref} onScroll={seen} tabIndex={0} role="region" aria-label={across ? 'Events' : 'Events of the session'}>
        <div role="table" aria-label="Timeline" aria-rowcount={total < 0 ? -1 : total + 1} aria-colcount={columns.length} style={{ height: `${(items.length + 1) * ROW}px` }}>
          <div role="row" aria-rowindex={1} class="event head">{columns.map((name) => <span key={name} role="columnheader">{name}</span>)}</div>
          {items.slice(start, end).map((event, at) => (
            <Row key={event.id} event={event} top={(start + at + 1) * ROW} index={start + at + 2} across={across} open={() => setOpen(event)} />
          ))}
        </div>
      </div>
      {open && <Details event={open} close={() => setOpen(null)} search={search} to={to} />}
    </>
  );
}

function Row({ event, top, index, across, open }) {
  const found = event.findings.map(({ detector }) => words(detector));
  return (
    <div role="row" aria-rowindex={index} data-row tabIndex={-1} class={`event ${found.length > 0 ? 'found' : ''} status-${String(event.status)[0]}`} style={{ top: `${top}px` }}>
      <span role="cell" title={utcTime(event.time)}>{localTime(event.time, true).slice(11)}</span>
      <span role="cell">{event.status}</span>
      <span role="cell">{event.method}</span>
      {across && <span role="cell"><Link to={['sessions', event.session]}><code>{event.session.slice(0, 8)}</code></Link></span>}
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
