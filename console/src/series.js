// From buckets of the API to evenly spaced series. Pure.

/** How wide buckets are for a range like `-24h`, so that a chart has 60 to 180 of them: { bucket, ms, span } . */
export function bucketFor(from) {
  const [, amount, unit] = /^-(\d+)([smhd])$/.exec(from) ?? [null, 24, 'h'];
  const span = Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
  const minutes = [1, 5, 15, 30, 60, 180, 360, 720, 1_440].find((width) => span / (width * 60_000) <= 180) ?? 10_080;
  return { bucket: `${minutes}m`, ms: minutes * 60_000, span };
}

/** Rows { time, …counts } as { times, values: { name: [] } } from `from` to `to`, with 0 where a bucket is left out. */
export function evenly(rows, names, { from, to, ms }) {
  const first = Math.floor(from / ms) * ms;
  const length = Math.max(1, Math.min(1_500, Math.floor((to - first) / ms) + 1));
  const times = Array.from({ length }, (_, at) => first + at * ms);
  const values = Object.fromEntries(names.map((name) => [name, new Array(length).fill(0)]));
  for (const row of rows) {
    const at = Math.round((new Date(row.time).getTime() - first) / ms);
    if (at >= 0 && at < length) for (const name of names) values[name][at] += row[name] ?? 0;
  }
  return { times, values };
}
