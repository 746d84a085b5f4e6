// What an investigator sees, as text: sessions in a table, one session as a timeline, totals. Pure: answers of the
// API in, lines out.

const ROWS = 20;
const EVENTS = 30;
const TRIFLES = 3; // statuses and findings named in a row; the rest is counted

/** Sessions with the most telling first. */
export function ranked(sessions) {
  return sessions.toSorted((a, b) => b.risk - a.risk || b.requests - a.requests || a.first_seen.localeCompare(b.first_seen));
}

/** The head of the list as a table. */
export function sessionTable(sessions) {
  const rows = ranked(sessions).slice(0, ROWS).map((session) => [
    session.id.slice(0, 8),
    session.state,
    String(session.risk),
    session.key.source.replace(/^request\./, ''),
    addresses(session.ips),
    String(session.requests),
    counts(session.statuses),
    counts(session.findings),
  ]);
  const table = aligned([['session', 'state', 'risk', 'key', 'ip, country', 'requests', 'statuses', 'findings'], ...rows]);
  return sessions.length > ROWS ? [...table, `… and ${sessions.length - ROWS} more`] : table;
}

/** One session, request by request, with what was found and why. */
export function timeline({ id, state, risk, key, events }) {
  const shown = events.slice(0, EVENTS);
  return [
    `session ${id}: ${state}, risk ${risk}, known by ${key.source}`,
    ...shown.flatMap(({ time, method, path, status, findings }) => [`  ${clock(time)}  ${method} ${path}  ${status}`, ...findings.flatMap(told)]),
    ...(events.length > EVENTS ? [`  … and ${events.length - EVENTS} more`] : []),
  ];
}

function told({ detector, severity, confidence, message, evidence }) {
  return [
    `      ! ${detector} (${severity}, confidence ${confidence}): ${message}`,
    ...evidence.map(({ time, what }) => `          ${clock(time)}  ${what}`),
  ];
}

/** Sums over all sessions. */
export function totals(sessions) {
  const sum = (of) => sessions.reduce((total, session) => total + of(session), 0);
  const together = (of) => {
    const all = {};
    for (const session of sessions) for (const [name, count] of of(session)) all[name] = (all[name] ?? 0) + count;
    return Object.entries(all).toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
  };
  return [
    `${sessions.length} sessions, ${sum(({ requests }) => requests)} requests`,
    `states    ${together(({ state }) => [[state, 1]])}`,
    `keys      ${together(({ key }) => [[key.source, 1]])}`,
    `statuses  ${together(({ statuses }) => Object.entries(statuses))}`,
    `findings  ${together(({ findings }) => Object.entries(findings))}`,
  ];
}

function addresses(ips) {
  if (ips.length === 0) return '-';
  const [{ ip, country }] = ips;
  return `${ip} ${country ?? '-'}${ips.length > 1 ? ` +${ips.length - 1}` : ''}`;
}

function counts(tally) {
  const entries = Object.entries(tally).toSorted(([, a], [, b]) => b - a);
  const named = entries.slice(0, TRIFLES).map(([name, count]) => `${name}×${count}`);
  return [...named, ...(entries.length > TRIFLES ? [`+${entries.length - TRIFLES}`] : [])].join(' ') || '-';
}

const clock = (time) => time.slice(11, 23);

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
}
