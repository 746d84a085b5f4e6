// The keyboard: / to search, j and k through rows, Enter to open, ? for help, g and a letter to go to a view, letters for
// what can be done to a row or a page.

import { navigate, route } from './router.js';

/** Letters after `g`, and what they lead to. */
export const PLACES = {
  o: [], s: ['sessions'], v: ['events'], f: ['findings'], e: ['endpoints'], d: ['documents'], u: ['subjects'], b: ['blocks'], r: ['replay'], a: ['audit'],
  t: ['settings'],
};

/** Keys that press the button which says so in `data-key`: of the current row, otherwise of the page. */
const PRESSES = ['b', 'f', 'p', 't'];

/** What a key does: a name, or null. Pure; `before` is the key before it. */
export function meaning(key, before) {
  if (before === 'g' && Object.hasOwn(PLACES, key)) return { go: PLACES[key] };
  if (PRESSES.includes(key)) return { press: key };
  return { '/': 'search', j: 'down', k: 'up', Enter: 'open', '?': 'help', r: 'refresh' }[key] ?? null;
}

/** Listens until the answer is called. `help` and `refresh` are what these keys do. */
export function listen({ help, refresh }) {
  let before = '';
  const heard = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, textarea, select, dialog')) return;
    const act = meaning(event.key, before);
    before = event.key;
    if (act === null) return;
    if (act.go) navigate(route(act.go));
    else if (act.press) {
      const button = pressed(act.press);
      if (!button) return;
      button.click();
    } else if (act === 'help') help();
    else if (act === 'refresh') refresh();
    else if (act === 'search') document.querySelector('[data-search]')?.focus();
    else if (act === 'open') {
      // A focused button or link does what it does by itself.
      if (event.target !== document.body && !event.target.matches('[data-row]')) return;
      document.querySelector('[data-row].current [data-open]')?.click();
    } else step(act === 'down' ? 1 : -1);
    event.preventDefault();
  };
  document.addEventListener('keydown', heard);
  return () => document.removeEventListener('keydown', heard);
}

// A row that has such buttons at all keeps the key from what stands around it.
function pressed(key) {
  const row = document.querySelector('[data-row].current');
  const button = `[data-key="${key}"]`;
  if (row?.querySelector('[data-key]')) return row.querySelector(button);
  return [...document.querySelectorAll(button)].find((each) => !each.closest('[data-row]'));
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
