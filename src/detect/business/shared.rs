//! What a shard remembers across sessions: watches per user, address and country, what is usual of watched parameters,
//! surges, and sessions whose steps wait to be judged.
//!
//! All of it follows from the events in their order alone, and never from the state of a session: so it is the same
//! when the journal is read again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::surge::Surges;
use super::{Detector, Finding, Keyed, Seen, Settings, Told, finding};
use crate::flow::Completions;
use crate::parameter::{Baseline, Currency, Kind, ParamStats, Past, Per, Quantiles, WatchState};
use crate::session::{EventId, Evidence, SessionId, Severity};
use crate::subject::{SubjectHash, Value as Hashable};

/// Users, addresses and countries, of all rules together; beyond that those heard of longest ago are forgotten.
const MAX_GROUPS: usize = 4_096;
/// What all of it may take where it is stored, bytes: it stands in one row with other things, of two megabytes.
const MAX_BYTES: usize = 1024 * 1024;
/// Endpoints whose usual values are known.
const MAX_BASELINES: usize = 64;
/// Sessions whose steps wait; those of further ones are judged at their next event.
const MAX_WAITING: usize = 1_024;
/// Earlier events shown with a finding.
const MAX_RECENT: usize = 5;
/// The same step again within this long, in the same session, is a double click, ms.
const DOUBLE_CLICK_MS: u64 = 1_000;

/// What is remembered across sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Shared {
    /// Time of the newest event, epoch ms.
    clock_ms: u64,
    /// By the key of the rule and a keyed hash of the subject's name.
    groups: BTreeMap<(u32, u64), Group>,
    /// By a keyed hash of watch and endpoint; with the time of the newest value, epoch ms.
    baselines: BTreeMap<u64, (u64, Baseline)>,
    surges: Surges,
    /// When a session's steps have waited long enough, epoch ms.
    waiting: Vec<(u64, SessionId)>,
    /// Groups forgotten for want of room.
    forgotten: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Group {
    newest_ms: u64,
    watch: Option<WatchState>,
    completions: Option<Completions>,
    /// The last events that counted, of different sessions.
    recent: Vec<EventId>,
}

impl Shared {
    /// Time of the newest event, epoch ms.
    pub fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    /// Users, addresses and countries forgotten for want of room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What everybody sends of a watched parameter on this endpoint.
    pub(super) fn population(&self, key: u32, seen: &Seen<'_>) -> Option<&Quantiles> {
        self.baselines.get(&endpoint_of(key, seen)).and_then(|(_, baseline)| baseline.population())
    }

    /// What a watch remembers of a user, an address or a country.
    pub(super) fn watch(&self, key: u32, subject: &str, hash: &SubjectHash) -> Option<&WatchState> {
        self.groups.get(&place_of(key, subject, hash))?.watch.as_ref()
    }

    /// When it completed a flow.
    pub(super) fn completions(&self, key: u32, subject: &str, hash: &SubjectHash) -> Option<&Completions> {
        self.groups.get(&place_of(key, subject, hash))?.completions.as_ref()
    }

    /// Notes that a session's steps wait until `due_ms`.
    pub fn wait(&mut self, session: SessionId, due_ms: u64) {
        let is_known = self.waiting.iter().any(|(_, of)| *of == session);
        if !is_known && self.waiting.len() < MAX_WAITING {
            self.waiting.push((due_ms, session));
        }
    }

    /// The sessions whose steps have waited long enough, for the last time.
    pub fn due(&mut self) -> Vec<SessionId> {
        let clock_ms = self.clock_ms;
        self.waiting.extract_if(.., |(due_ms, _)| *due_ms <= clock_ms).map(|(_, session)| session).collect()
    }

    /// Those that will be due at `clock_ms`.
    pub fn due_at(&self, clock_ms: u64) -> impl Iterator<Item = SessionId> {
        self.waiting.iter().filter(move |(due_ms, _)| *due_ms <= clock_ms).map(|(_, session)| *session)
    }

    /// Lets time pass to this event.
    pub fn tick(&mut self, time_ms: u64) {
        self.clock_ms = self.clock_ms.max(time_ms);
    }

    /// Shows an event to the rules about more than a session. Answers what they found; the last finding may be one of a
    /// surge, which a session is told once.
    pub fn observe(&mut self, settings: &Settings, seen: &Seen<'_>) -> Vec<Told> {
        let mut told = Vec::new();
        let nothing = ParamStats::default();
        let past = Past { own: &nothing, population: None };
        for Keyed { key, rule } in &settings.watches {
            let subject = seen.subject(rule.per);
            if subject.is_empty() || rule.kind == Kind::Spike || !seen.concerns(rule) {
                continue;
            }
            let group = self.group(*key, subject, seen);
            if let Some(alarm) = seen.watch(rule, group.watch.get_or_insert_default(), past) {
                let evidence = group.evidence(seen);
                told.push(seen.alarmed(rule, &alarm, evidence));
            }
            group.note(seen.event.id);
        }
        for Keyed { key, rule } in &settings.flows {
            let Some(limit) = rule.limit.filter(|limit| limit.per != Per::Session) else { continue };
            let subject = seen.subject(limit.per);
            if subject.is_empty() || seen.steps(rule).1 & rule.last_step() == 0 {
                continue;
            }
            let group = self.group(*key, subject, seen);
            if (rule.counts_clicks() || !group.is_double_click(seen.event.id))
                && let Some(violation) = group.completions.get_or_insert_default().complete(rule, seen.event.time_ms)
            {
                let finding = Finding {
                    value: violation.value,
                    baseline: violation.baseline,
                    message: violation.message,
                    evidence: group.evidence(seen),
                    ..finding(seen.event.id, seen.event.session, Detector::FlowViolation)
                };
                told.push((finding, rule.response));
            }
            group.note(seen.event.id);
        }
        if (200..400).contains(&seen.event.status) {
            self.learn(settings, seen);
            told.extend(self.surge(settings, seen));
        }
        told
    }

    /// What is usual is what was answered with success.
    fn learn(&mut self, settings: &Settings, seen: &Seen<'_>) {
        for Keyed { key, rule } in settings.watches.iter().filter(|watch| watch.rule.kind == Kind::Spike) {
            let values = seen.values.iter().filter(|(id, _)| Some(*id) == rule.parameter).map(|(_, value)| value);
            for amount in values.filter(|v| v.currency() == rule.currency).filter_map(|v| v.amount()) {
                let endpoint = endpoint_of(*key, seen);
                if !self.baselines.contains_key(&endpoint) && self.baselines.len() >= MAX_BASELINES {
                    let oldest = self.baselines.iter().min_by_key(|(_, (newest_ms, _))| *newest_ms);
                    oldest.map(|(key, _)| *key).and_then(|key| self.baselines.remove(&key));
                }
                let (newest_ms, baseline) = self.baselines.entry(endpoint).or_default();
                *newest_ms = (*newest_ms).max(seen.event.time_ms);
                baseline.see(amount, seen.event.time_ms);
            }
        }
    }

    fn surge(&mut self, settings: &Settings, seen: &Seen<'_>) -> Option<Told> {
        let response = settings.surge?;
        if matches!(seen.event.method, "GET" | "HEAD" | "OPTIONS") {
            return None;
        }
        let mut surge = None;
        for (id, value) in &seen.values {
            let Some(amount) = value.amount() else { continue };
            let name = settings.names.get(usize::from(id.0)).map_or("", AsRef::as_ref);
            let series = match value.currency() {
                Currency::NONE => name.to_owned(),
                currency => [name, " ", &currency.to_string()].concat(),
            };
            surge = self.surges.see(&series, amount, seen.event, seen.hash).or(surge);
        }
        let surge = surge?;
        // What others do is held against a session only as far as it was the one that completed the picture.
        let (severity, confidence) = if surge.is_new { (Severity::Medium, 0.7) } else { (Severity::Low, 0.5) };
        let finding = Finding {
            severity,
            confidence,
            value: surge.value,
            baseline: surge.baseline,
            message: surge.message,
            evidence: surge.evidence,
            ..finding(seen.event.id, seen.event.session, Detector::RegionSurge)
        };
        Some((finding, response))
    }

    fn group(&mut self, key: u32, subject: &str, seen: &Seen<'_>) -> &mut Group {
        let place = place_of(key, subject, seen.hash);
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&place) {
            self.make_room();
        }
        let group = self.groups.entry(place).or_default();
        group.newest_ms = group.newest_ms.max(seen.event.time_ms);
        group
    }

    /// Forgets what there is no room for where it is stored.
    pub fn trim(&mut self) {
        while !self.groups.is_empty() && postcard::to_allocvec(self).map_or(0, |bytes| bytes.len()) > MAX_BYTES {
            self.make_room();
        }
    }

    /// Forgets the eighth of the groups that was heard of longest ago.
    fn make_room(&mut self) {
        let mut times: Vec<u64> = self.groups.values().map(|group| group.newest_ms).collect();
        times.sort_unstable();
        let horizon = times.get(times.len() / 8).copied().unwrap_or(0);
        let before = self.groups.len();
        self.groups.retain(|_, group| group.newest_ms > horizon);
        self.forgotten += (before - self.groups.len()) as u64;
    }
}

impl Group {
    /// Earlier events, and this one.
    fn evidence(&self, seen: &Seen<'_>) -> Vec<Evidence> {
        let earlier = self.recent.iter().map(|id| Evidence {
            request: *id,
            time_ms: id.time_ms(),
            what: "counted before".to_owned(),
        });
        earlier.chain([Evidence::of(seen.event)]).collect()
    }

    fn note(&mut self, id: EventId) {
        self.recent.retain(|known| known.session_prefix() != id.session_prefix());
        if self.recent.len() >= MAX_RECENT {
            self.recent.remove(0);
        }
        self.recent.push(id);
    }

    fn is_double_click(&self, id: EventId) -> bool {
        let same = |known: &EventId| known.session_prefix() == id.session_prefix();
        self.recent.iter().any(|known| same(known) && known.time_ms().abs_diff(id.time_ms()) <= DOUBLE_CLICK_MS)
    }
}

fn place_of(key: u32, subject: &str, hash: &SubjectHash) -> (u32, u64) {
    (key, Box::<str>::from(subject).digest(hash))
}

fn endpoint_of(key: u32, seen: &Seen<'_>) -> u64 {
    let endpoint = [&key.to_string(), " ", seen.event.method, " ", seen.event.host, seen.event.template].concat();
    endpoint.into_boxed_str().digest(seen.hash)
}
