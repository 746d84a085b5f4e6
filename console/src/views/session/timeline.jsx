// Every event of a session in one sequence, malicious and normal. Pages are fetched as far as the list is scrolled.

import { useEffect, useState } from 'preact/hooks';
import { count } from '../../format.js';
import { useList } from '../../hooks.js';
import { Empty, Loading, Partial, Trouble } from '../../ui.jsx';
import { Rows } from './rows.jsx';

const PAGE = 500; // the most the API gives at once

/** `path` lists events; `total` is about how many there are, 0 where nobody knows. */
export function Timeline({ path, total, query, search, to }) {
  const list = useList(`${path}${query && `?${query}`}`, { limit: PAGE });
  const [all, setAll] = useState(false);
  const more = () => { if (list.next && !list.problem) list.more(); };
  useEffect(() => { if (all) more(); }, [all, list.next, list.loading]);
  useEffect(() => setAll(false), [query]);
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
      <Rows items={list.items} total={list.next ? -1 : list.items.length} near={more} place={query} search={search} to={to} />
    </>
  );
}
