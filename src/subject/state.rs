//! The state of one subject: what its sightings add up to.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::agent::Agent;
use super::distinct::Distinct;
use super::hash::SubjectHash;
use super::key::{Identity, Kind};
use super::recent::Recent;
use super::sighting::{Country, Login, Sighting};
use super::windows::Windows;
use crate::session::{EventId, SessionId, cut};
use crate::verdict;

/// First byte of every encoded state; a reader accepts this version and no other.
pub const VERSION: u8 = 2;

/// Sessions kept as links; sets of other values keep [`VALUES`]. Up to that many, counts are exact.
const LINKS: usize = 16;
const VALUES: usize = 8;
/// Places kept.
const PLACES: usize = 2;
/// Longest text kept of an identity, bytes: the longest user (256) and the longest device are shorter.
const MAX_VALUE: usize = 256;

/// Everything known of a user, an address, a token or a device.
///
/// Sightings may come in any order: the same ones leave the same numbers, and the same state but for the order of values
/// that were last seen in one second. In the same order they leave the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub kind: Kind,
    /// Whose state it is, as [`Identity`] writes it.
    pub value: Box<str>,
    /// Epoch ms. Attempts to be this user count as seeing them.
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    pub requests: u64,
    /// Requests answered 4xx.
    pub refused: u64,
    /// Bytes of responses, as far as their length was announced.
    pub bytes: u64,
    /// Logins refused and accepted.
    pub failed: u64,
    pub succeeded: u64,
    /// Of a user: requests of somebody who tried to be them in vain. They count here, as failed logins and in `tried`,
    /// and nowhere else: whoever guesses passwords lends no country to the person.
    pub attempts: u64,
    pub windows: Windows,
    pub sessions: Distinct<SessionId, LINKS>,
    /// Confirmed users; of a user nothing.
    pub users: Distinct<Box<str>, VALUES>,
    /// Exact addresses.
    pub ips: Distinct<IpAddr, VALUES>,
    pub countries: Distinct<Country, VALUES>,
    pub agents: Distinct<Agent, VALUES>,
    /// By their hash.
    pub endpoints: Distinct<u32, VALUES>,
    /// In the last one to two hours. Of a user: the clients that tried to be them. Of all others: users tried there.
    pub tried: Option<Box<Recent<Box<str>>>>,
    /// The last two different ones, earlier first.
    pub places: Vec<Place>,
}

/// Where a subject was last seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub country: Country,
    /// 0 where unknown.
    pub asn: u32,
    pub ip: IpAddr,
    /// The last event from there; its id tells the time.
    pub event: EventId,
}

/// Why bytes are not a subject's state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("state is empty")]
    Empty,
    #[error("state has version {0}, this build reads version {VERSION}")]
    Version(u8),
    #[error("state is cut or malformed")]
    Malformed,
}

/// Epoch seconds in 32 bits: until 2106.
fn seconds(time_ms: u64) -> u32 {
    u32::try_from(time_ms / 1_000).unwrap_or(u32::MAX)
}

impl Subject {
    /// A subject of which `first` is the first sighting; that one is still to be observed.
    pub fn new(first: &Sighting<'_>) -> Self {
        let mut value = first.of.to_string();
        cut(&mut value, MAX_VALUE);
        Self {
            kind: first.of.kind(),
            value: value.into(),
            first_seen_ms: first.time_ms(),
            last_seen_ms: first.time_ms(),
            requests: 0,
            refused: 0,
            bytes: 0,
            failed: 0,
            succeeded: 0,
            attempts: 0,
            windows: Windows::default(),
            sessions: Distinct::default(),
            users: Distinct::default(),
            ips: Distinct::default(),
            countries: Distinct::default(),
            agents: Distinct::default(),
            endpoints: Distinct::default(),
            tried: None,
            places: Vec::new(),
        }
    }

    /// Takes in one sighting of this subject.
    pub fn observe(&mut self, seen: &Sighting<'_>, hash: &SubjectHash) {
        let (time_ms, time_s) = (seen.time_ms(), seconds(seen.time_ms()));
        self.first_seen_ms = self.first_seen_ms.min(time_ms);
        self.last_seen_ms = self.last_seen_ms.max(time_ms);
        self.windows.count(time_ms, &seen.counts());
        self.failed += u64::from(seen.login == Login::Failed);
        self.succeeded += u64::from(seen.login == Login::Succeeded);
        if seen.is_attempt_at_subject() {
            self.attempts += 1;
            if let Some(ip) = seen.ip {
                self.try_one(&verdict::Subject::ip(ip).value(), time_s, hash);
            }
            return;
        }
        self.requests += 1;
        self.refused += u64::from(seen.refused);
        self.bytes = self.bytes.saturating_add(seen.bytes);
        self.sessions.see(seen.session, time_s, hash);
        self.endpoints.see(seen.endpoint, time_s, hash);
        if seen.attempted {
            self.try_one(seen.user, time_s, hash);
        } else if !seen.user.is_empty() && self.kind != Kind::User {
            self.users.see(seen.user, time_s, hash);
        }
        if !seen.agent.product.is_empty() {
            self.agents.see(seen.agent, time_s, hash);
        }
        if seen.country.is_known() {
            self.countries.see(seen.country, time_s, hash);
        }
        if let Some(ip) = seen.ip {
            self.ips.see(ip, time_s, hash);
            self.place(Place { country: seen.country, asn: seen.asn, ip, event: seen.event });
        }
    }

    /// Adds what another shard, or the same under another key, knows of this subject: sightings of their own each.
    pub fn merge(&mut self, other: &Self, hash: &SubjectHash) {
        self.first_seen_ms = self.first_seen_ms.min(other.first_seen_ms);
        self.last_seen_ms = self.last_seen_ms.max(other.last_seen_ms);
        for (mine, theirs) in [
            (&mut self.requests, other.requests),
            (&mut self.refused, other.refused),
            (&mut self.bytes, other.bytes),
            (&mut self.failed, other.failed),
            (&mut self.succeeded, other.succeeded),
            (&mut self.attempts, other.attempts),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self.windows.merge(&other.windows);
        self.sessions.merge(&other.sessions, hash);
        self.users.merge(&other.users, hash);
        self.ips.merge(&other.ips, hash);
        self.countries.merge(&other.countries, hash);
        self.agents.merge(&other.agents, hash);
        self.endpoints.merge(&other.endpoints, hash);
        if let Some(tried) = &other.tried {
            self.tried.get_or_insert_default().merge(tried, hash);
        }
        other.places.iter().for_each(|place| self.place(*place));
    }

    /// Who was tried here in the last one to two hours, or from where somebody tried to be this user.
    pub fn tried_at(&self, now_ms: u64, hash: &SubjectHash) -> Distinct<Box<str>, VALUES> {
        let now_s = seconds(now_ms.max(self.last_seen_ms));
        self.tried.as_ref().map_or_else(Distinct::default, |tried| tried.at(now_s, hash))
    }

    /// The subject, as far as its text was kept whole.
    pub fn identity(&self) -> Option<Identity<'_>> {
        Identity::parse(self.kind, &self.value)
    }

    fn try_one(&mut self, name: &str, time_s: u32, hash: &SubjectHash) {
        self.tried.get_or_insert_default().see(name, time_s, hash);
    }

    fn place(&mut self, seen: Place) {
        if !seen.country.is_known() && seen.asn == 0 {
            return;
        }
        let is_there = |place: &Place| (place.country, place.asn) == (seen.country, seen.asn);
        match self.places.iter_mut().find(|place| is_there(place)) {
            Some(known) if known.event >= seen.event => return,
            Some(known) => *known = seen,
            None => {
                self.places.reserve_exact(1);
                self.places.push(seen);
            }
        }
        self.places.sort_by_key(|place| place.event);
        if self.places.len() > PLACES {
            self.places.remove(0);
        }
    }

    /// Takes a user out of the sets of a subject that is not this user itself; answers whether it was in one.
    pub fn erase_user(&mut self, is_user: impl Fn(&str) -> bool) -> bool {
        let tried = self.tried.as_mut().is_some_and(|tried| tried.forget(|name| is_user(name)));
        self.users.forget(|name| is_user(name)) | tried
    }

    /// Lets time pass up to `now_ms` without a sighting. No count changes by it; called before a state is put away, it
    /// makes what is stored smaller by what only the last minutes needed.
    pub fn settle(&mut self, now_ms: u64) {
        self.windows.settle(now_ms);
    }

    /// Version byte and body.
    pub fn encode(&self) -> Vec<u8> {
        let mut related = self.clone();
        related.relate_times();
        // Serialising plain data into a growing buffer cannot fail; an empty answer would be refused by `decode`.
        postcard::to_extend(&related, vec![VERSION]).unwrap_or_default()
    }

    /// Puts distances from the last sighting in the place of times, and times in the place of distances: nearly all are
    /// small, and take a byte where a time takes five.
    fn relate_times(&mut self) {
        let last_s = seconds(self.last_seen_ms);
        self.first_seen_ms = self.last_seen_ms.wrapping_sub(self.first_seen_ms);
        self.windows.relate_times(self.last_seen_ms);
        self.sessions.relate_times(last_s);
        self.users.relate_times(last_s);
        self.ips.relate_times(last_s);
        self.countries.relate_times(last_s);
        self.agents.relate_times(last_s);
        self.endpoints.relate_times(last_s);
    }

    /// Reads what [`Subject::encode`] wrote, all of it and nothing more.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let Ok((mut subject, [])) = postcard::take_from_bytes::<Self>(body) else { return Err(DecodeError::Malformed) };
        subject.relate_times();
        subject.is_sound().then_some(subject).ok_or(DecodeError::Malformed)
    }

    /// No bound is exceeded and every order kept, so that what follows can rely on them.
    fn is_sound(&self) -> bool {
        self.windows.is_sound()
            && self.sessions.is_sound()
            && self.users.is_sound()
            && self.ips.is_sound()
            && self.countries.is_sound()
            && self.agents.is_sound()
            && self.endpoints.is_sound()
            && self.tried.as_ref().is_none_or(|tried| tried.is_sound())
            && self.places.len() <= PLACES
    }

    /// Memory it takes, bytes, without what the allocator adds.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.value.len()
            + self.windows.heap_bytes()
            + self.sessions.heap_bytes()
            + self.users.heap_bytes()
            + self.ips.heap_bytes()
            + self.countries.heap_bytes()
            + self.agents.heap_bytes()
            + self.endpoints.heap_bytes()
            + self.tried.as_ref().map_or(0, |tried| tried.heap_bytes())
            + self.places.capacity() * size_of::<Place>()
    }
}
