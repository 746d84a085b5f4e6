//! A subject as `GET subjects/{kind}/{value}` shows it.
//!
//! What several shards know of one subject is merged as states ([`Subject::merge`]) before it is shown: answers could
//! not say how many values two sets have in common.

use serde::{Deserialize, Serialize};

use super::distinct::{Distinct, Value};
use super::hash::SubjectHash;
use super::key::Kind;
use super::state::Subject;
use super::windows::{Counts, Window};
use crate::ordered::OrderedMap;
use crate::query::rfc3339;

/// Times RFC 3339 in UTC, sizes bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectAnswer {
    pub kind: Kind,
    pub value: String,
    pub first_seen: String,
    pub last_seen: String,
    pub requests: u64,
    pub refused: u64,
    pub response_bytes: u64,
    pub logins: LoginsAnswer,
    /// Of a user: requests of somebody who tried to be them in vain.
    pub attempts: u64,
    pub sessions: SetAnswer,
    pub users: SetAnswer,
    pub ips: SetAnswer,
    pub countries: SetAnswer,
    pub agents: SetAnswer,
    pub endpoints: CountAnswer,
    /// In the last one to two hours. Of a user: clients that tried to be them; of all others: users tried there.
    pub tried: SetAnswer,
    /// Where it was last seen from, newest first, at most two.
    pub places: Vec<PlaceAnswer>,
    /// By the window's length: `1m`, `10m`, `1h`, `1d`; up to a tenth more is counted.
    pub windows: OrderedMap<String, WindowAnswer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginsAnswer {
    pub failed: u64,
    pub succeeded: u64,
}

/// How many different values there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountAnswer {
    pub count: u64,
    /// Where not, the count is an estimate with a standard error of 6.5 %.
    pub exact: bool,
}

/// How many different values there were, and those seen last, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAnswer {
    #[serde(flatten)]
    pub count: CountAnswer,
    pub items: Vec<SeenAnswer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenAnswer {
    pub value: String,
    /// To the second.
    pub last_seen: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceAnswer {
    pub country: Option<String>,
    pub asn: Option<u32>,
    pub ip: String,
    pub time: String,
    pub request: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowAnswer {
    pub requests: u32,
    pub refused: u32,
    pub response_bytes: u64,
    pub logins: LoginsAnswer,
}

impl CountAnswer {
    fn of<T: Value, const N: usize>(set: &Distinct<T, N>) -> Self {
        Self { count: set.count(), exact: set.is_exact() }
    }
}

impl SetAnswer {
    fn of<T: Value, const N: usize>(set: &Distinct<T, N>, show: impl Fn(&T) -> String) -> Self {
        let seen = set
            .newest()
            .map(|entry| SeenAnswer { value: show(&entry.value), last_seen: rfc3339(u64::from(entry.last_s) * 1_000) });
        Self { count: CountAnswer::of(set), items: seen.collect() }
    }
}

impl WindowAnswer {
    fn of(counts: Counts) -> Self {
        let Counts { requests, refused, failed, succeeded, bytes } = counts;
        let logins = LoginsAnswer { failed: failed.into(), succeeded: succeeded.into() };
        Self { requests, refused, response_bytes: bytes, logins }
    }
}

impl SubjectAnswer {
    /// The subject at `now_ms`, epoch ms.
    pub fn new(subject: &Subject, now_ms: u64, hash: &SubjectHash) -> Self {
        let places = subject.places.iter().rev().map(|place| PlaceAnswer {
            country: place.country.is_known().then(|| place.country.as_str().to_owned()),
            asn: (place.asn != 0).then_some(place.asn),
            ip: place.ip.to_string(),
            time: rfc3339(place.event.time_ms()),
            request: place.event.to_string(),
        });
        let window = |window: Window| (window.name().to_owned(), WindowAnswer::of(subject.windows.sum(window, now_ms)));
        Self {
            kind: subject.kind,
            value: subject.value.to_string(),
            first_seen: rfc3339(subject.first_seen_ms),
            last_seen: rfc3339(subject.last_seen_ms),
            requests: subject.requests,
            refused: subject.refused,
            response_bytes: subject.bytes,
            logins: LoginsAnswer { failed: subject.failed, succeeded: subject.succeeded },
            attempts: subject.attempts,
            sessions: SetAnswer::of(&subject.sessions, ToString::to_string),
            users: SetAnswer::of(&subject.users, ToString::to_string),
            ips: SetAnswer::of(&subject.ips, ToString::to_string),
            countries: SetAnswer::of(&subject.countries, |country| country.as_str().to_owned()),
            agents: SetAnswer::of(&subject.agents, |agent| agent.family().to_string()),
            endpoints: CountAnswer::of(&subject.endpoints),
            tried: SetAnswer::of(&subject.tried_at(now_ms, hash), ToString::to_string),
            places: places.collect(),
            windows: Window::ALL.into_iter().map(window).collect(),
        }
    }
}
