// A dry run of changed sections, answer by answer, and its sum. Pure but for the API it is given.

/** What was found so far: nothing. */
export const NOTHING = { sessions: 0, requests: 0, added: 0, gone: 0, same: 0, detectors: [], now: { throttled: 0, blocked: 0 }, then: { throttled: 0, blocked: 0 },
  grouping: null, parameters: null, partial: false };

const plus = (a, b) => ({ throttled: a.throttled + b.throttled, blocked: a.blocked + b.blocked });
const NAMED = 5; // sessions of a detector

/** The sum of what was found so far and another answer of the API. */
export function plusAnswer(sum, answer) {
  const by = new Map(sum.detectors.map((row) => [row.detector, row]));
  for (const { detector, added, gone, same, sessions } of answer.findings.by_detector) {
    const old = by.get(detector) ?? { detector, added: 0, gone: 0, same: 0, sessions: [] };
    by.set(detector, { detector, added: old.added + added, gone: old.gone + gone, same: old.same + same, sessions: [...new Set([...old.sessions, ...sessions])].slice(0, NAMED) });
  }
  const { added, gone, same } = answer.findings;
  return {
    sessions: sum.sessions + answer.sessions, requests: sum.requests + answer.requests,
    added: sum.added + added, gone: sum.gone + gone, same: sum.same + same,
    detectors: [...by.values()].sort((a, b) => b.added + b.gone - a.added - a.gone || a.detector.localeCompare(b.detector)),
    now: plus(sum.now, answer.stopped.now), then: plus(sum.then, answer.stopped.then),
    grouping: answer.grouping, parameters: answer.parameters, partial: sum.partial || answer.partial,
  };
}

/** Plays page after page until there are no more or `signal` says so; `told` gets the sum after each. */
export async function replayed(api, order, signal, told) {
  let sum = NOTHING;
  for (let cursor = null; ;) {
    const answer = await api.post('api/v1/replay', { ...order, ...(cursor && { cursor }) }, signal);
    sum = plusAnswer(sum, answer);
    told(sum);
    cursor = answer.next;
    if (!cursor) return;
  }
}

/** The order for pasted sections, or fails with a sentence that says what is wrong. `har` is the text of a file, or null. */
export function orderFrom(sections, har, from) {
  const policy = parsed(sections, 'The sections are');
  if (policy === null || typeof policy !== 'object' || Array.isArray(policy)) throw new Error('Sections stand in an object: {"DETECTORS": {…}}.');
  if (har === null) return { policy, ...(from && { from }) };
  const { log } = parsed(har, 'The file is') ?? {};
  if (!Array.isArray(log?.entries)) throw new Error('The file is no HAR: it has no log.entries.');
  return { policy, har: { log: { entries: log.entries } } };
}

function parsed(text, what) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} no JSON: ${error.message}.`);
  }
}
