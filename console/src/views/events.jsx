// Requests of all sessions, newest first, growing as they come in until that is paused.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Export } from '../exporting.jsx';
import { FilterBar, Range } from '../filterbar.jsx';
import { asked, EVENT_FILTERS } from '../filters.js';
import { count } from '../format.js';
import { useList, useSigned } from '../hooks.js';
import { EMPTY, MOST, heard, resumed, together } from '../live.js';
import { Saved } from '../saved.jsx';
import { Share } from '../share.jsx';
import { CopyLink, Empty, Loading, Partial, Trouble } from '../ui.jsx';
import { Rows } from './session/rows.jsx';

const TO = ['events'];

export function Events({ search }) {
  const query = asked(search, EVENT_FILTERS, ['from', 'to']);
  const list = useList(`events${query && `?${query}`}`, { limit: 100 });
  const [paused, setPaused] = useState(false);
  const { state, problem, resume } = useStream(asked(search, EVENT_FILTERS, []), paused, list.again);
  const items = together(state, list.items);
  const turn = () => { if (paused) resume(); setPaused(!paused); };
  const more = () => { if (list.next && !list.problem && !state.cut) list.more(); };
  return (
    <>
      <FilterBar search={search} to={TO} allowed={EVENT_FILTERS} hint="path, or status=4xx">
        <Range search={search} to={TO} /><Saved to={TO} search={search} /><CopyLink />
        <Export path="events/export" query={query} events /><Share scope={{ list: 'events', filter: query }} />
      </FilterBar>
      <Trouble problem={problem ?? list.problem} again={list.again} />
      <Partial on={list.partial} />
      <p class="bar"><button type="button" data-key="p" aria-pressed={paused} onClick={turn}>{paused ? 'Go on' : 'Pause'}</button>
        <span role="status">{standing(state, paused)}</span>
        {state.cut && <span>The newest {count(MOST)} of the stream are kept; narrow the filters, or ask again for what is stored.</span>}</p>
      {items.length > 0 && <Rows items={items} total={list.next || state.cut ? -1 : items.length} near={more} place={query} across search={search} to={TO} />}
      {items.length === 0 && !list.loading && !list.problem && (
        <Empty title={query ? 'No event fits' : 'No request yet'}><p>What passes and fits shows up here by itself, a second or two later.</p></Empty>
      )}
      <Loading on={list.loading && items.length === 0} />
    </>
  );
}

function standing({ shown, waiting, lost }, paused) {
  if (lost) return 'The stream was lost and is asked for again.';
  if (paused) return `Paused, ${count(waiting.length)} waiting`;
  return `Live, ${count(shown.length)} came since`;
}

/** What streams in under this filter: { state, problem, resume() }. `opened` is called when nothing is missed any more. */
function useStream(query, paused, opened) {
  const { api } = useSigned();
  const [state, setState] = useState(EMPTY);
  const [problem, setProblem] = useState(null);
  const now = useRef({});
  now.current = { paused, opened };
  useEffect(() => {
    const abort = new AbortController();
    setState(EMPTY);
    setProblem(null);
    const told = ({ event, data }) => {
      // What is stored is asked for again then: the list was read before the stream began.
      if (event === 'open') now.current.opened();
      setState((old) => (event === 'event' ? heard(old, JSON.parse(data), now.current.paused) : { ...old, lost: event === 'lost' }));
    };
    api.follow(`api/v1/stream${query && `?${query}`}`, abort.signal, told).catch(setProblem);
    return () => abort.abort();
  }, [query, api]);
  return { state, problem, resume: () => setState(resumed) };
}
