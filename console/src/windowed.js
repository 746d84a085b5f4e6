// Which rows of a long list are worth being in the document. Pure arithmetic.

/**
 * The rows [start, end) to draw for a list of `total` rows of `row` px each, of which `height` px are seen from
 * `top` on; `beyond` more on either side, so that scrolling does not show gaps.
 */
export function windowOf({ top, height, row, total, beyond = 12 }) {
  const first = Math.floor(Math.max(0, top) / row);
  const seen = Math.ceil(Math.max(0, height) / row) + 1;
  const end = Math.max(0, Math.min(total, first + seen + beyond));
  return { start: Math.max(0, Math.min(first - beyond, end)), end };
}
