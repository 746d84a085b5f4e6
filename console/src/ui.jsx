// The small parts views share. What clients chose comes in as text and goes out as text nodes, here as everywhere.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ago, dash, localTime, utcTime } from './format.js';
import { standing, withFilter, withoutFilter } from './filters.js';
import { useSigned } from './hooks.js';
import { navigate, route } from './router.js';

/** A link to a view of this console. What a share link does not show is no link there. */
export function Link({ to, search, children, ...rest }) {
  const { open } = useSigned() ?? {};
  const address = route(to, search);
  if (open) {
    return to[0] === 'sessions' && to.length === 2 ? <button type="button" class="link" onClick={() => open(to[1])} {...rest}>{children}</button> : <span>{children}</span>;
  }
  const go = (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(address);
  };
  return <a href={address} onClick={go} {...rest}>{children}</a>;
}

/** A time in the viewer's zone, in UTC on hover. */
export function Time({ at, precise, relative }) {
  if (!at) return <span>–</span>;
  return <time dateTime={at} title={utcTime(at)}>{relative ? ago(at, Date.now()) : localTime(at, precise)}</time>;
}

/** A value that filters when it is clicked: once for only, again for any; the button beside it excludes. */
export function Value({ name, value, label = value, search, to }) {
  const { open } = useSigned() ?? {};
  if (value === null || value === undefined || value === '') return <span>–</span>;
  if (open) return <span>{dash(label)}</span>;
  const now = standing(search, name, String(value));
  const set = (excluded) => {
    const same = now === (excluded ? 'not' : 'only');
    const filter = { name, value: String(value), excluded };
    navigate(route(to, same ? withoutFilter(search, filter) : withFilter(search, filter)));
  };
  return (
    <span class={`value ${now ?? ''}`}>
      <button type="button" title={`only ${name} = ${value}`} aria-pressed={now === 'only'} onClick={() => set(false)}>{dash(label)}</button>
      <button type="button" class="not" title={`not ${name} = ${value}`} aria-label={`exclude ${name} ${value}`} aria-pressed={now === 'not'}
        onClick={() => set(true)}>≠</button>
    </span>
  );
}

/** A state, severity or action, told by its word; the colour only repeats it. */
export const Badge = ({ kind }) => <span class={`badge is-${kind}`}>{dash(kind)}</span>;

export const Risk = ({ value }) => (
  <span class="risk"><meter min="0" max="100" low="25" high="50" optimum="0" value={value} aria-label={`risk ${value} of 100`} /> {value}</span>
);

/** What went wrong, in the API's words, and a way on. */
export function Trouble({ problem, again }) {
  if (!problem) return null;
  return (
    <div class="trouble" role="alert">
      <strong>{problem.title ?? 'Failed'}.</strong> {problem.detail || problem.message}
      {problem.reference && <small> Reference {problem.reference}.</small>}
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

export const Empty = ({ title, children }) => <div class="empty"><h2>{title}</h2><div>{children}</div></div>;
export const Loading = ({ on }) => <p class="loading" role="status">{on ? 'Loading …' : ''}</p>;
export const Partial = ({ on }) => (on
  ? <p class="note" role="status">Incomplete: a shard did not answer, or the search stopped early. Something may be missing here.</p> : null);

/** A named part of a page. */
export const Panel = ({ title, aside, children, class: more = '' }) => (
  <section class={`panel ${more}`}><header><h2>{title}</h2>{aside}</header>{children}</section>
);

/** A modal dialog; Escape closes it. */
export function Dialog({ title, onClose, children }) {
  const ref = useRef(null);
  useEffect(() => { ref.current.showModal(); }, []);
  return (
    <dialog ref={ref} onClose={onClose} aria-label={title}>
      <header><h2>{title}</h2><button type="button" onClick={onClose} aria-label="close">×</button></header>
      {children}
    </dialog>
  );
}

/** Copies a text. */
export function Copy({ text, label, otherwise = 'Copy it by hand' }) {
  const [done, set] = useState('');
  const copy = () => navigator.clipboard.writeText(text()).then(() => set('Copied'), () => set(otherwise));
  return <span><button type="button" onClick={copy}>{label}</button> <span role="status">{done}</span></span>;
}

/** Copies the address of what is shown: path and query string are the whole state. */
export const CopyLink = () => <Copy text={() => location.href} label="Copy link" otherwise="Copy it from the address bar" />;
