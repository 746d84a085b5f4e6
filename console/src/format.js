// Values as people read them. Pure: text out, no document.

/** `null` and `undefined` as a dash. */
export const dash = (value) => (value === null || value === undefined || value === '' ? '–' : String(value));

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
/** 12345 → 12,345. */
export const count = (value) => (Number.isFinite(value) ? whole.format(value) : dash(value));

/** Milliseconds: 340 ms, 4.2 s, 12 min, 3.5 h, 2 d. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return '–';
  const steps = [[1_000, 1, 'ms'], [60_000, 1_000, 's'], [3_600_000, 60_000, 'min'], [86_400_000, 3_600_000, 'h']];
  const [, unit, name] = steps.find(([below]) => ms < below) ?? [0, 86_400_000, 'd'];
  const amount = ms / unit;
  return `${amount < 10 && unit > 1 ? Math.round(amount * 10) / 10 : Math.round(amount)} ${name}`;
}

/** Bytes: 900 B, 1.2 KB, 3.4 MB. */
export function bytes(size) {
  if (!Number.isFinite(size)) return '–';
  if (size < 1_000) return `${size} B`;
  const power = Math.min(4, Math.floor(Math.log10(size) / 3));
  return `${Math.round((size / 1_000 ** power) * 10) / 10} ${['B', 'KB', 'MB', 'GB', 'TB'][power]}`;
}

const pad = (number, width = 2) => String(number).padStart(width, '0');
/** An RFC 3339 time in the viewer's zone: 2026-11-23 14:04:18, with milliseconds where `precise`. */
export function localTime(text, precise = false) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return dash(text);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${day} ${time}${precise ? `.${pad(date.getMilliseconds(), 3)}` : ''}`;
}

/** The same in UTC, for hovering. */
export const utcTime = (text) => {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? dash(text) : `${date.toISOString().replace('T', ' ').replace('Z', '')} UTC`;
};

/** How long ago: "12 s ago", for the eye; the exact time stands beside it. */
export const ago = (text, now) => {
  const past = now - new Date(text).getTime();
  return Number.isNaN(past) ? '–' : past < 1_000 ? 'now' : `${duration(past)} ago`;
};

/** The first digits of an id: enough to tell two apart on a screen. */
export const shortId = (id) => String(id).slice(0, 8);

/** What a detector is called: `sqli` stays, `forced_browsing` → `forced browsing`. */
export const words = (name) => String(name).replaceAll('_', ' ');
