// The filter bar: what holds now, a field to search or to type `name=value`, and the range of time.

import { useState } from 'preact/hooks';
import { readFilters, typed, withFilter, withoutFilter, withParameter } from './filters.js';
import { navigate, route } from './router.js';

export const RANGES = [['-15m', '15 minutes'], ['-1h', '1 hour'], ['-6h', '6 hours'], ['-24h', '24 hours'], ['-7d', '7 days'], ['-30d', '30 days'], ['', 'all that is kept']];

export function Range({ search, to, fallback = '' }) {
  const now = new URLSearchParams(search).get('from') ?? fallback;
  const known = RANGES.some(([value]) => value === now);
  return (
    <label class="inline">Range <select value={now} onChange={(event) => navigate(route(to, withParameter(search, 'from', event.currentTarget.value)))}>
      {!known && <option value={now}>since {now}</option>}
      {RANGES.filter(([value]) => value !== '' || fallback === '').map(([value, name]) => <option key={value} value={value}>{name}</option>)}
    </select></label>
  );
}

/** `least` are the names that take a least value, each with its label. */
export function FilterBar({ search, to, allowed, least = [], children, hint = 'path, or name=value' }) {
  const [text, set] = useState('');
  const filters = readFilters(search, allowed);
  const go = (next) => navigate(route(to, next));
  const submit = (event) => {
    event.preventDefault();
    const filter = typed(text, allowed);
    if (filter) go(withFilter(search, filter));
    set('');
  };
  return (
    <div class="filters">
      <form role="search" onSubmit={submit}>
        <input data-search type="search" value={text} maxLength={1024} placeholder={`Search (/): ${hint}`} aria-label="Search or add a filter"
          onInput={(event) => set(event.currentTarget.value)} />
        <button type="submit">Add</button>
        {least.map(([name, label]) => (
          <label class="inline" key={name}>{label} <input type="number" min="0" max="1000000" value={new URLSearchParams(search).get(name) ?? ''}
            onChange={(event) => go(withParameter(search, name, event.currentTarget.value))} /></label>
        ))}
        {children}
      </form>
      {filters.length > 0 && (
        <ul class="chips" aria-label="Filters">
          {filters.map((filter) => (
            <li key={`${filter.name}${filter.excluded}${filter.value}`} class={filter.excluded ? 'not' : ''}>
              <button type="button" title="turn around" disabled={filter.name.startsWith('min_')}
                onClick={() => go(withFilter(search, { ...filter, excluded: !filter.excluded }))}>
                {filter.name} {filter.name.startsWith('min_') ? '≥' : filter.excluded ? '≠' : '='} {filter.value}
              </button>
              <button type="button" aria-label={`remove ${filter.name} ${filter.value}`} onClick={() => go(withoutFilter(search, filter))}>×</button>
            </li>
          ))}
          <li><button type="button" onClick={() => go('')}>Clear all</button></li>
        </ul>
      )}
    </div>
  );
}
