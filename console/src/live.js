// A list that grows while it is looked at: what streams in, what waits while it is paused. Pure.

/** Streamed items that are kept, shown or waiting; beyond that the oldest go. */
export const MOST = 2_000;

export const EMPTY = { shown: [], waiting: [], cut: false, lost: false };

/** Takes in one event that streamed in; while `paused` it waits. */
export function heard(state, item, paused) {
  const { cut, shown, waiting } = state;
  if (paused) return { ...state, waiting: [item, ...waiting].slice(0, MOST), cut: cut || waiting.length >= MOST };
  return { ...state, shown: [item, ...shown].slice(0, MOST), cut: cut || shown.length >= MOST };
}

/** Shows what waited. */
export function resumed({ shown, waiting, cut, lost }) {
  const all = [...waiting, ...shown];
  return { shown: all.slice(0, MOST), waiting: [], cut: cut || all.length > MOST, lost };
}

/** Streamed items before those of a list, newest first, each once. What a cut left out parts them, so the list ends there. */
export function together({ shown, cut }, listed) {
  const known = new Set(shown.map(({ id }) => id));
  return cut ? shown : [...shown, ...listed.filter(({ id }) => !known.has(id))];
}
