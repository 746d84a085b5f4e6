//! Learned normality: what attack-like text is ordinary for a parameter of an endpoint, because many customers send it there: markup
//! in reviews, SQL in a reporting product.
//!
//! A kind of text is known by endpoint, place in the request, class of attack and what of its grammar was recognised; so where
//! `<b>` is ordinary, a script is not. It is learned from sessions that behave: a session counts an hour after it first
//! sent such text, if until then it was answered, did other things too, and nothing else was held against it. A kind is
//! normal once that was seen in [`SESSIONS`] sessions from [`NETWORKS`] networks over [`SPAN_MS`]: whoever attacks alone, or in
//! one day, trains nothing. Like all that a shard remembers across sessions it follows from the events in their order, and never
//! from the state of a session; where there are several shards, each learns from its own sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::is_address_bound;
use crate::inspect::Attack;
use crate::session::{Carried, Event, Finding};
use crate::subject::{SubjectHash, Value, network};
use crate::verdict::Action;

/// Sessions, of as many networks (IPv4 /24, IPv6 /48), first and last of them at least so far apart, ms.
pub const SESSIONS: u32 = 30;
pub const NETWORKS: usize = 20;
pub const SPAN_MS: u64 = 24 * 3_600_000;
/// How long a session is watched before it counts, ms.
const WATCHED_MS: u64 = 3_600_000;
/// Requests without such text that a session that counts has to have made, all of them answered.
const OTHERS: u8 = 3;
/// A session that is held something against does not count for this long, ms.
const HELD_MS: u64 = 24 * 3_600_000;
/// A kind that nobody sends any more is forgotten after this long, ms.
const FORGOTTEN_MS: u64 = 30 * 24 * 3_600_000;
/// Kinds of text that are learned, and sessions watched, at one time: with everything some 300 KB.
pub const MAX_KINDS: usize = 1_024;
pub const MAX_WATCHED: usize = 4_096;
/// Kinds one session may teach.
const MAX_TAUGHT: usize = 4;
/// Normal kinds that isolates are told of: those of most sessions.
pub const MAX_TOLD: usize = 64;
/// How often those who were watched long enough are looked for, by the clock of the events, ms.
const SWEEP_MS: u64 = 60_000;
/// What remains of the confidence in an attack where such text is normal.
const REMAINS: f32 = 0.3;

/// What is learned, and from whom.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Normal {
    kinds: BTreeMap<u64, Kind>,
    watched: BTreeMap<u64, Watched>,
    clock_ms: u64,
    swept_ms: u64,
}

/// A kind of text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Kind {
    sessions: u32,
    /// Hashes; no more than are needed.
    networks: Vec<u32>,
    first_ms: u64,
    newest_ms: u64,
}

/// A session that sent such text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Watched {
    since_ms: u64,
    network: u32,
    endpoint: u64,
    kinds: Vec<u64>,
    answered: u8,
    /// Something is held against it.
    held: bool,
}

/// What names a kind of text: nobody without the secret can find another text of the same name.
pub fn kind_of(event: &Event<'_>, carried: &Carried, hash: &SubjectHash) -> Option<u64> {
    key(
        endpoint_of(event.method, event.host, event.template, hash),
        carried.attack,
        &carried.place,
        &carried.what,
        hash,
    )
}

/// The same for what is not recorded yet. `what` may be followed by the piece that shows it, after a colon.
pub fn key(endpoint: u64, attack: Attack, place: &str, what: &str, hash: &SubjectHash) -> Option<u64> {
    // Nobody is a customer with these.
    let never =
        [Attack::JwtAbuse, Attack::Jndi, Attack::Xxe, Attack::Deserialization, Attack::Scanner].contains(&attack);
    let clause = what.split(": ").next().unwrap_or(what);
    let text = [&endpoint.to_string(), " ", attack.name(), " ", place, "\n", clause].concat();
    (!never).then(|| text.into_boxed_str().digest(hash))
}

/// What names an endpoint here.
pub fn endpoint_of(method: &str, host: &str, template: &str, hash: &SubjectHash) -> u64 {
    [method, " ", host, template].concat().into_boxed_str().digest(hash)
}

/// Takes from a finding what such text weighs less, and says so.
pub fn discount(finding: &mut Finding, sessions: u32) {
    finding.confidence *= REMAINS;
    finding.value *= f64::from(REMAINS);
    finding.message = format!("{}; normal for this parameter: seen in {sessions} sessions", finding.message);
}

impl Normal {
    /// Takes in an event with what it carries; `held` where something else was found wrong with it.
    pub fn observe<'c>(
        &mut self,
        event: &Event<'_>,
        carried: impl Iterator<Item = &'c Carried>,
        held: bool,
        hash: &SubjectHash,
    ) {
        self.clock_ms = self.clock_ms.max(event.time_ms);
        if self.clock_ms.saturating_sub(self.swept_ms) >= SWEEP_MS {
            self.sweep();
        }
        let session = event.session.prefix();
        let mut carried = carried.peekable();
        let is_stopped = event.action >= Action::Throttle;
        let refused = event.refused() || event.status >= 500;
        if carried.peek().is_none() {
            if let Some(watched) = self.watched.get_mut(&session) {
                watched.held |= held || is_stopped;
                watched.answered = watched.answered.saturating_add(u8::from(!refused));
            }
            return;
        }
        if self.watched.len() >= MAX_WATCHED && !self.watched.contains_key(&session) {
            let oldest = self.watched.iter().min_by_key(|(_, watched)| watched.since_ms).map(|(session, _)| *session);
            oldest.map(|oldest| self.watched.remove(&oldest));
        }
        let endpoint = endpoint_of(event.method, event.host, event.template, hash);
        let watched = self.watched.entry(session).or_insert_with(|| Watched {
            since_ms: event.time_ms,
            network: event.ip.map_or(0, |ip| network(ip).digest(hash) as u32),
            endpoint,
            ..Watched::default()
        });
        // Who has no key of a session is anybody.
        let is_nobody = event.ip.is_none() || is_address_bound(event.key_source);
        watched.held |= held || is_stopped || refused || watched.endpoint != endpoint || is_nobody;
        for carried in carried {
            match kind_of(event, carried, hash) {
                Some(kind) if watched.kinds.contains(&kind) => {}
                Some(kind) if watched.kinds.len() < MAX_TAUGHT => watched.kinds.push(kind),
                _ => watched.held = true,
            }
        }
    }

    /// In how many sessions such text was seen, where it is normal.
    pub fn sessions(&self, event: &Event<'_>, carried: &Carried, hash: &SubjectHash) -> Option<u32> {
        let kind = kind_of(event, carried, hash)?;
        self.kinds.get(&kind).filter(|kind| kind.is_normal()).map(|kind| kind.sessions)
    }

    /// What isolates are told is normal.
    pub fn told(&self) -> Vec<u64> {
        let normal = self.kinds.iter().filter(|(_, kind)| kind.is_normal());
        let mut normal: Vec<(u32, u64)> = normal.map(|(key, kind)| (kind.sessions, *key)).collect();
        normal.sort_unstable_by_key(|(sessions, key)| (core::cmp::Reverse(*sessions), *key));
        normal.into_iter().take(MAX_TOLD).map(|(_, key)| key).collect()
    }

    /// Learns from those who were watched long enough.
    fn sweep(&mut self) {
        self.swept_ms = self.clock_ms;
        let clock_ms = self.clock_ms;
        let is_done = |watched: &Watched| {
            let long = if watched.held { HELD_MS } else { WATCHED_MS };
            watched.since_ms.saturating_add(long) <= clock_ms
        };
        let done: Vec<u64> = self.watched.iter().filter(|(_, of)| is_done(of)).map(|(session, _)| *session).collect();
        for session in done {
            let Some(watched) = self.watched.remove(&session) else { continue };
            if !watched.held && watched.answered >= OTHERS {
                watched.kinds.iter().for_each(|kind| self.learn(*kind, &watched));
            }
        }
        self.kinds.retain(|_, kind| kind.newest_ms.saturating_add(FORGOTTEN_MS) > clock_ms);
    }

    fn learn(&mut self, kind: u64, from: &Watched) {
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&kind) {
            // The one that is furthest from being normal, and of those the oldest.
            let least = self.kinds.iter().min_by_key(|(_, kind)| (kind.sessions, kind.newest_ms)).map(|(key, _)| *key);
            least.map(|least| self.kinds.remove(&least));
        }
        let kind = self.kinds.entry(kind).or_default();
        if kind.sessions == 0 {
            kind.first_ms = from.since_ms;
        }
        kind.sessions = kind.sessions.saturating_add(1);
        kind.first_ms = kind.first_ms.min(from.since_ms);
        kind.newest_ms = kind.newest_ms.max(from.since_ms);
        if kind.networks.len() < NETWORKS && !kind.networks.contains(&from.network) {
            kind.networks.push(from.network);
        }
    }
}

impl Kind {
    fn is_normal(&self) -> bool {
        let span_ms = self.newest_ms.saturating_sub(self.first_ms);
        self.sessions >= SESSIONS && self.networks.len() >= NETWORKS && span_ms >= SPAN_MS
    }
}

#[cfg(test)]
mod tests;
