// What views are made of besides markup: the address, answers of the API, lists page by page.

import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import { onNavigate, parseRoute } from './router.js';

/** Who is signed in: { api, role, mode, version, problems }, and for who came by a share link open(session). */
export const Signed = createContext(null);
export const useSigned = () => useContext(Signed);

/** The route and query string, kept current. */
export function useAddress() {
  const read = () => ({ ...parseRoute(location.pathname), search: location.search.slice(1) });
  const [address, set] = useState(read);
  useEffect(() => onNavigate(() => set(read())), []);
  return address;
}

/** { data, problem, loading, again() } of one question; null as path asks nothing. An older answer never overtakes a newer. */
export function useAnswer(path, { every = 0 } = {}) {
  const { api } = useSigned();
  const [state, set] = useState({ data: null, problem: null, loading: path !== null, path });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    set((old) => ({ ...old, data: old.path === path ? old.data : null, path, loading: true }));
    api.get(`api/v1/${path}`, abort.signal).then(
      (data) => set({ data, problem: null, loading: false, path }),
      (problem) => { if (!abort.signal.aborted) set((old) => ({ ...old, problem, loading: false })); },
    );
    return () => abort.abort();
  }, [path, turn, api]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  useEvery(every, again);
  return { ...state, again };
}

/** A list page by page: { items, next, partial, problem, loading, more(), again() }. */
export function useList(path, { limit = 50, every = 0 } = {}) {
  const { api } = useSigned();
  const empty = { items: [], next: null, partial: false, problem: null, loading: true, pages: 0 };
  const [state, set] = useState(empty);
  const abort = useRef(null);
  const load = useCallback(async (cursor) => {
    abort.current?.abort();
    const own = new AbortController();
    abort.current = own;
    set((old) => ({ ...old, loading: true }));
    const query = `limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    try {
      const page = await api.get(`api/v1/${path}${path.includes('?') ? '&' : '?'}${query}`, own.signal);
      if (own.signal.aborted) return;
      set((old) => ({
        items: cursor ? [...old.items, ...page.items] : page.items, next: page.next, problem: null, loading: false,
        partial: page.partial || (cursor !== null && old.partial), pages: cursor ? old.pages + 1 : 1,
      }));
    } catch (problem) {
      if (!own.signal.aborted) set((old) => ({ ...old, problem, loading: false }));
    }
  }, [path, api, limit]);
  useEffect(() => {
    set(empty);
    load(null);
    return () => abort.current?.abort();
  }, [load]);
  const again = useCallback(() => load(null), [load]);
  // Once further pages are shown, the first is not exchanged under the reader's eyes.
  useEvery(state.pages <= 1 ? every : 0, again);
  return { ...state, more: () => state.next !== null && !state.loading && load(state.next), again };
}

/** Calls `act` every so many ms while the tab is looked at; 0 never. */
export function useEvery(ms, act) {
  useEffect(() => {
    if (!ms) return undefined;
    const timer = setInterval(() => { if (!document.hidden) act(); }, ms);
    return () => clearInterval(timer);
  }, [ms, act]);
}
