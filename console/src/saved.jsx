// Views an analyst comes back to: names for query strings, kept in this browser. No token and no answer is kept.

import { useState } from 'preact/hooks';
import { navigate, route } from './router.js';
import { Dialog } from './ui.jsx';

const KEY = 'throughline.views';
const MOST = 50;

/** The saved views of all lists: [{ view, name, search }]; what is no such list counts as none. */
export function read(storage = localStorage) {
  try {
    const kept = JSON.parse(storage.getItem(KEY) ?? '[]');
    const fits = ({ view, name, search } = {}) => [view, name, search].every((text) => typeof text === 'string' && text.length <= 4_096);
    return Array.isArray(kept) ? kept.filter((item) => item && fits(item)).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

function write(views) {
  try {
    localStorage.setItem(KEY, JSON.stringify(views.slice(-MOST)));
  } catch {
    // A browser that keeps nothing keeps no views either.
  }
}

export function Saved({ to, search }) {
  const [view] = to;
  const [views, setViews] = useState(read);
  const [naming, setNaming] = useState(false);
  const keep = (next) => { write(next); setViews(next); };
  const mine = views.filter((item) => item.view === view);
  const now = mine.find((item) => item.search === search);
  const others = (name) => views.filter((item) => item.view !== view || item.name !== name);
  return (
    <>
      {mine.length > 0 && (
        <label class="inline">View <select value={now?.name ?? ''} onChange={(event) => {
          const chosen = mine.find(({ name }) => name === event.currentTarget.value);
          if (chosen) navigate(route(to, chosen.search));
        }}><option value="">–</option>{mine.map(({ name }) => <option key={name} value={name}>{name}</option>)}</select></label>
      )}
      {now
        ? <button type="button" onClick={() => keep(others(now.name))}>Forget view</button>
        : search !== '' && <button type="button" onClick={() => setNaming(true)}>Save view</button>}
      {naming && <Naming close={() => setNaming(false)} save={(name) => keep([...others(name), { view, name, search }])} />}
    </>
  );
}

function Naming({ close, save }) {
  const [name, setName] = useState('');
  const submit = (event) => {
    event.preventDefault();
    if (name.trim() === '') return;
    save(name.trim());
    close();
  };
  return (
    <Dialog title="Save view" onClose={close}>
      <form class="order" onSubmit={submit}>
        <label>Name <input autoFocus value={name} maxLength={60} onInput={(event) => setName(event.currentTarget.value)} /></label>
        <p class="note">Kept in this browser only. To show it to others, copy the link.</p>
        <p><button type="submit" class="primary">Save</button></p>
      </form>
    </Dialog>
  );
}
