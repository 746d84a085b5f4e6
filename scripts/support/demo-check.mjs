// Whether what the API tells about played traffic is the truth: exactly the sessions there were, in each of them
// exactly the requests there were, in their order. The truth is that of examples/shop (its README has the format).
//
// Sessions are found the way an investigator finds them: by the raw key through `POST lookup` where the key is a
// secret, by address and user agent where it is not. readBack asks, differences only compares.

/** The key source a session shows, by the truth's name for it. */
const SOURCES = {
  cookie: 'request.cookie.sid',
  bearer: 'request.jwt',
  api_key: 'request.header.x-api-key',
  ip_ua_ja4: 'client.ip+ua+ja4',
  ip_ua: 'client.ip+ua',
  ip: 'client.ip',
};

/** The raw key among the headers of a request, or null where the session is known by its address. */
function rawKey(source, headers) {
  switch (source) {
    case 'cookie': return /(?:^|;)\s*sid=([^;]+)/.exec(headers.cookie)[1];
    case 'bearer': return headers.authorization.slice('Bearer '.length);
    case 'api_key': return headers['x-api-key'];
    default: return null;
  }
}

/**
 * Everything the API knows: { stats, sessions: [{ ...session, events }], all, ids }. `all` are the events of the list
 * across sessions; `ids` has for each session of the truth, in its order, the ids it was found under. `headers` are
 * those sent, by request id.
 */
export async function readBack(api, truth, headers) {
  const sessions = await api.items('sessions', { sort: 'first_seen', order: 'asc', limit: 100 }); // in pages, to go through them
  for (const session of sessions) session.events = await api.items(`sessions/${session.id}/events`, { limit: 50 });
  const ids = [];
  for (const { key_source: source, requests } of truth.sessions) {
    const sent = headers.get(requests[0].request_id);
    const key = rawKey(source, sent);
    ids.push(key === null
      ? sessions.filter((session) => isOfClient(session, SOURCES[source], sent)).map(({ id }) => id)
      : (await api.post('lookup', { value: key })).items.map(({ session }) => session));
  }
  return { stats: (await api.get('stats')).total, sessions, all: await api.items('events'), ids };
}

function isOfClient({ key, ips, user_agents: agents }, source, headers) {
  const agent = headers['user-agent'];
  return key.source === source && ips[0]?.ip === headers['cf-connecting-ip'] && (agent === undefined || agents.includes(agent));
}

/** What differs between truth and `found` (of readBack), one sentence each; empty when all is true. */
export function differences(truth, found) {
  const { totals } = truth;
  const byId = new Map(found.sessions.map((session) => [session.id, session]));
  const claimed = new Set(found.ids.flat());
  const events = found.sessions.flatMap((session) => session.events);
  return [
    ...unequal('requests without an answer', 0, totals.unanswered),
    ...unequal('requests stopped in monitor mode', 0, totals.enforced),
    ...unequal('sessions listed', totals.sessions, found.sessions.length),
    ...unequal('different ids among them', found.sessions.length, byId.size),
    ...unequal('requests in the sessions', totals.requests, events.length),
    ...unequal('different ids among them', events.length, new Set(events.map(({ id }) => id)).size),
    ...unequal('requests listed across sessions', totals.requests, found.all.length),
    ...unequal('requests in the statistics', totals.requests, found.stats.requests),
    ...unequal('sessions in the statistics', totals.sessions, found.stats.sessions),
    ...found.sessions.filter(({ id }) => !claimed.has(id)).map(({ id }) => `session ${id} was never made`),
    ...strangers(found.all, events),
    ...truth.sessions.flatMap((session, index) => inSession(session, found.ids[index], byId)),
  ];
}

function unequal(what, wanted, got) {
  return wanted === got ? [] : [`${what}: ${got}, not ${wanted}`];
}

function strangers(all, events) {
  const known = new Set(events.map(({ id }) => id));
  return all.filter(({ id }) => !known.has(id)).map(({ id }) => `request ${id} is listed, but in no session`);
}

function inSession(session, ids, byId) {
  const name = `the ${session.key_source} session of ${session.actor} (${session.key_hint})`;
  if (ids.length !== 1) return [`${name} is found ${ids.length} times`];
  const got = byId.get(ids[0]);
  if (got === undefined) return [`${name} is found as ${ids[0]}, which is not listed`];
  return [
    ...unequal(`key source of ${name}`, SOURCES[session.key_source], got.key.source),
    ...unequal(`requests that ${name} is said to have`, session.requests.length, got.requests),
    ...inRequests(name, session, got.events),
  ];
}

function inRequests(name, { requests, shared }, events) {
  const wanted = requests.map(({ method, target, status }) => `${method} ${target.split('?')[0]} ${status}`);
  const got = events.map(({ method, path, status }) => `${method} ${path} ${status}`);
  if (shared) { // several people at once: their requests may stand in any order
    wanted.sort();
    got.sort();
  }
  const length = Math.max(wanted.length, got.length);
  const place = Array.from({ length }).findIndex((_, index) => wanted[index] !== got[index]);
  return place < 0 ? [] : [`${name}, request ${place + 1}: ${got[place] ?? 'nothing'}, not ${wanted[place] ?? 'nothing'}`];
}
