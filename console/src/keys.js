// The keyboard: / to search, j and k through rows, Enter to open, ? for help, g and a letter to go to a view.

import { navigate, route } from './router.js';

/** Letters after `g`, and what they lead to. */
export const PLACES = { o: [], s: ['sessions'], f: ['findings'], e: ['endpoints'], u: ['subjects'], b: ['blocks'], a: ['audit'], t: ['settings'] };

/** What a key does: a name, or null. Pure; `before` is the key before it. */
export function meaning(key, before) {
  if (before === 'g' && Object.hasOwn(PLACES, key)) return { go: PLACES[key] };
  return { '/': 'search', j: 'down', k: 'up', Enter: 'open', '?': 'help', r: 'refresh' }[key] ?? null;
}

/** Listens until the answer is called. `help` and `refresh` are what these keys do. */
export function listen({ help, refresh }) {
  let before = '';
  const pressed = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, textarea, select, dialog')) return;
    const act = meaning(event.key, before);
    before = event.key;
    if (act === null) return;
    if (act.go) navigate(route(act.go));
    else if (act === 'help') help();
    else if (act === 'refresh') refresh();
    else if (act === 'search') document.querySelector('[data-search]')?.focus();
    else if (act === 'open') {
      // A focused button or link does what it does by itself.
      if (event.target !== document.body && !event.target.matches('[data-row]')) return;
      document.querySelector('[data-row].current [data-open]')?.click();
    } else step(act === 'down' ? 1 : -1);
    event.preventDefault();
  };
  document.addEventListener('keydown', pressed);
  return () => document.removeEventListener('keydown', pressed);
}

function step(by) {
  const rows = [...document.querySelectorAll('[data-row]')];
  if (rows.length === 0) return;
  const now = rows.findIndex((row) => row.classList.contains('current'));
  const next = Math.max(0, Math.min(rows.length - 1, now + by));
  rows[now]?.classList.remove('current');
  rows[next].classList.add('current');
  rows[next].focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: 'nearest' });
}
