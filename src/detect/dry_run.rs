//! What enforcing would have done: the requests, sessions and users it would have touched, by detector.
//!
//! **Counts** every request that a verdict would have stopped: the one that completed a finding, where requests are acted
//! on, and those of a subject while it would have been throttled or blocked. In `enforce` it counts what was stopped. The
//! last day is kept by the hour; sessions and users are told apart by parts of their hashes, [`MAX_TOLD_APART`] in all,
//! and where there are more the report says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::session::{Detector, Event};
use crate::subject::SubjectHash;
use crate::verdict::{Action, Caller, Subject};

const HOUR_MS: u64 = 3_600_000;
/// Hours kept: a day, and the one under way.
const HOURS: u64 = 25;
/// Subjects that would be held at one time, and sessions and users told apart.
const MAX_HELD: usize = 2_048;
pub const MAX_TOLD_APART: usize = 4_096;

/// What would have been done, for a shard.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DryRun {
    /// Subjects that would be acted on, by their hash: why, and until when.
    held: BTreeMap<u64, (Detector, u64)>,
    of: BTreeMap<u32, Touched>,
    told_apart: usize,
}

/// What one detector would have brought about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Touched {
    /// The severest action, as its place among [`Action`]s.
    pub action: u8,
    /// Requests and findings by the hour since the epoch, and confidence of the findings added up.
    hours: BTreeMap<u32, (u32, u32, f32)>,
    /// Sessions and users, and the hour they were touched last.
    sessions: BTreeMap<u32, u32>,
    users: BTreeMap<u32, u32>,
    /// Whether more sessions or users were touched than could be told apart.
    pub more: bool,
}

/// What is told of one detector.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WouldTouch {
    pub detector: u32,
    pub action: u8,
    pub requests: u64,
    pub findings: u64,
    /// Of the findings, added up.
    pub confidence: f64,
    /// Parts of hashes, so that what several shards know adds up.
    pub sessions: Vec<u32>,
    pub users: Vec<u32>,
    pub more: bool,
}

impl DryRun {
    /// Takes in what follows, or would follow, from a finding that `event` completed.
    pub fn found(
        &mut self,
        finding: (Detector, f32, Action),
        subject: Option<(&Subject, u64)>,
        event_ms: u64,
        hash: &SubjectHash,
    ) {
        let (detector, confidence, action) = finding;
        if action < Action::Throttle {
            return;
        }
        let touched = self.of.entry(detector.number()).or_default();
        touched.action = touched.action.max(action as u8);
        let hour = touched.hours.entry(hour(event_ms)).or_default();
        hour.1 = hour.1.saturating_add(1);
        hour.2 += confidence;
        let Some((subject, until_ms)) = subject else { return };
        if self.held.len() >= MAX_HELD {
            self.held.retain(|_, (_, until)| *until > event_ms);
        }
        let key = key(subject, hash);
        if self.held.len() < MAX_HELD || self.held.contains_key(&key) {
            self.held.insert(key, (detector, until_ms));
        }
    }

    /// Takes in a request that would have been stopped for what it carries or completes.
    pub fn stopped(&mut self, detector: Detector, event: &Event<'_>, user: &str, hash: &SubjectHash) {
        let touched = self.of.entry(detector.number()).or_default();
        let hour = hour(event.time_ms);
        let requests = &mut touched.hours.entry(hour).or_default().0;
        *requests = requests.saturating_add(1);
        let mut room = self.told_apart < MAX_TOLD_APART;
        let mut note = |of: &mut BTreeMap<u32, u32>, key: u32, more: &mut bool| match of.get_mut(&key) {
            Some(last) => *last = (*last).max(hour),
            None if room => {
                of.insert(key, hour);
                self.told_apart += 1;
                room = self.told_apart < MAX_TOLD_APART;
            }
            None => *more = true,
        };
        note(&mut touched.sessions, event.session.prefix() as u32, &mut touched.more);
        if !user.is_empty() {
            note(&mut touched.users, hash.of_texts(&[user]) as u32, &mut touched.more);
        }
        let oldest = u64::from(hour).saturating_sub(HOURS) as u32;
        if touched.hours.first_key_value().is_some_and(|(first, _)| *first < oldest) {
            self.forget(oldest);
        }
    }

    /// Whether nobody would be acted on.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes in an event: what is held that it is of. `user` is the one behind it.
    pub fn observe(&mut self, event: &Event<'_>, user: &str, hash: &SubjectHash) {
        let caller = caller(event, user);
        let by = caller.subjects().find_map(|subject| {
            let (detector, until_ms) = self.held.get(&key(&subject, hash))?;
            (event.time_ms < *until_ms).then_some(*detector)
        });
        if let Some(detector) = by {
            self.stopped(detector, event, user, hash);
        }
    }

    fn forget(&mut self, oldest: u32) {
        let touched = self.of.values_mut();
        for touched in touched {
            touched.hours.retain(|hour, _| *hour >= oldest);
            touched.sessions.retain(|_, last| *last >= oldest);
            touched.users.retain(|_, last| *last >= oldest);
            touched.more &= !touched.sessions.is_empty();
        }
        self.of.retain(|_, touched| !touched.hours.is_empty());
        self.told_apart = self.of.values().map(|touched| touched.sessions.len() + touched.users.len()).sum();
    }

    /// What would have been touched since a moment, to the hour.
    pub fn report(&self, from_ms: u64) -> Vec<WouldTouch> {
        let from = hour(from_ms);
        let report = |(detector, touched): (&u32, &Touched)| {
            let since = touched.hours.range(from..);
            let (requests, findings, confidence) =
                since.fold((0, 0, 0.0), |(r, f, c), (_, (requests, findings, sure))| {
                    (r + u64::from(*requests), f + u64::from(*findings), c + f64::from(*sure))
                });
            let lately =
                |of: &BTreeMap<u32, u32>| of.iter().filter(|(_, last)| **last >= from).map(|(key, _)| *key).collect();
            WouldTouch {
                detector: *detector,
                action: touched.action,
                requests,
                findings,
                confidence,
                sessions: lately(&touched.sessions),
                users: lately(&touched.users),
                more: touched.more,
            }
        };
        self.of.iter().map(report).filter(|told| told.requests > 0 || told.findings > 0).collect()
    }
}

/// Who an event is of, with the user behind it.
pub fn caller<'a>(event: &Event<'a>, user: &'a str) -> Caller<'a> {
    Caller { session: event.session, ip: event.ip, user, ja4: event.ja4, user_agent: event.user_agent }
}

impl WouldTouch {
    /// Adds what another shard tells of the same detector.
    pub fn add(&mut self, other: Self) {
        self.action = self.action.max(other.action);
        self.requests += other.requests;
        self.findings += other.findings;
        self.confidence += other.confidence;
        self.more |= other.more;
        for (all, more) in [(&mut self.sessions, other.sessions), (&mut self.users, other.users)] {
            all.extend(more);
            all.sort_unstable();
            all.dedup();
        }
    }
}

fn key(subject: &Subject, hash: &SubjectHash) -> u64 {
    hash.of_texts(&[subject.kind(), &subject.value()])
}

fn hour(time_ms: u64) -> u32 {
    u32::try_from(time_ms / HOUR_MS).unwrap_or(u32::MAX)
}
