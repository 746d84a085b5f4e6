//! Watches: when a value, or what values add up to, is more than it should be.
//!
//! A watch is evaluated for a subject at a time: a session, a user, an address, a country. Its state counts within a
//! sliding window, in tenths of it: a sum is that of the window and at most a tenth more, so that a limit is never
//! missed. Events may come in any order; what is older than the window of the newest one no longer counts. An alarm is
//! raised once a window at most, however often the limit is passed in it.
//!
//! **Innocent behaviour that looks like it**: a single large order of a customer who always ordered little. A spike
//! therefore has to stand out twice, against the subject's own past and against everybody's (the 99th percentile), and
//! where nobody's past is known yet there is no spike.

use serde::{Deserialize, Serialize};

use super::{Currency, Decimal, ParamId, ParamStats, Quantiles, Value};
use crate::detect::Response;
use crate::subject::{SubjectHash, Value as Hashable};

/// Parts of a window that are counted apart.
const PARTS: u64 = 10;
/// Different values told apart: the largest limit of a watch on them.
pub const MAX_DISTINCT: usize = 100;

/// What a watch looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One value above a limit, or below one.
    Threshold,
    /// One value far above what the subject, and nearly everybody, sends.
    Spike,
    /// Sum or count within the window.
    Velocity,
    /// Different values within the window.
    Distinct,
    /// Names that do not fit together.
    Discrepancy,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    Sum,
    Count,
    /// Users confirmed in a session.
    Users,
    /// Sessions, addresses or countries of a user.
    Sessions,
    Addresses,
    Countries,
    /// Whether a user is somebody else than the subject of the token they came with.
    Subject,
}

/// Whose values are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    Session,
    User,
    Ip,
    Country,
}

/// One watch of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// The parameter's name, for messages; empty for a discrepancy, which is about users.
    pub name: String,
    pub parameter: Option<ParamId>,
    pub kind: Kind,
    pub of: Of,
    pub per: Per,
    pub window_ms: u64,
    /// Alarm above this; infinite where there is no such limit.
    pub above: f64,
    /// Alarm below this (thresholds).
    pub below: Option<f64>,
    /// How many times its own past a value must be to be a spike.
    pub factor: f64,
    /// Values of the subject's past that are enough to compare with.
    pub min_samples: u32,
    /// Amounts in any other currency are not looked at; [`Currency::NONE`] for plain numbers.
    pub currency: Currency,
    pub response: Response,
    /// Whether the policy says for how long. Where it does not, a request that is stopped before it is sent on is all that
    /// is stopped.
    pub holds: bool,
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// What the subject sent before this value.
    pub own: &'a ParamStats,
    /// What everybody sends there, where enough is known ([`super::Baseline::population`]).
    pub population: Option<&'a Quantiles>,
}

/// Who one exchange was with, in the form it is stored in; empty where unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// The confirmed user.
    pub user: &'a str,
    /// The `sub` of the verified token, made a pseudonym the way the user is.
    pub subject: &'a str,
    pub session: &'a str,
    /// The v4 address or v6 /64.
    pub address: &'a str,
    pub country: &'a str,
}

/// What a watch remembers of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WatchState {
    /// Number of the newest part of a window, counted from 1970.
    newest: u64,
    parts: Vec<Part>,
    /// Digests of different values, with the part each was last seen in.
    seen: Vec<(u32, u64)>,
    /// When an alarm was raised last, epoch ms; 0 for never.
    raised_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    number: u64,
    count: u32,
    sum: Decimal,
}

/// A limit was passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    pub value: f64,
    /// What it was compared with.
    pub baseline: f64,
    pub message: String,
}

impl WatchState {
    /// Takes in one value of the watched parameter. Invalid ones, and amounts in another currency, are passed over.
    pub fn observe(
        &mut self,
        watch: &Watch,
        value: &Value,
        time_ms: u64,
        past: Past<'_>,
        hash: &SubjectHash,
    ) -> Option<Alarm> {
        if value.is_invalid() {
            return None;
        }
        let amount = value.amount().filter(|_| value.currency() == watch.currency);
        let (measured, baseline) = match watch.kind {
            Kind::Threshold => {
                let value = amount?.to_f64();
                let limit =
                    if value > watch.above { watch.above } else { watch.below.filter(|least| value < *least)? };
                (value, limit)
            }
            Kind::Spike => (amount?.to_f64(), watch.spike_above(past)?),
            Kind::Velocity => {
                let amount = if watch.of == Of::Sum { amount? } else { Decimal::default() };
                let (count, sum) = self.add(watch, amount, time_ms)?;
                (if watch.of == Of::Sum { sum.to_f64() } else { count as f64 }, watch.above)
            }
            Kind::Distinct => (self.distinct(watch, value.digest(hash), time_ms)?, watch.above),
            Kind::Discrepancy => return None,
        };
        let passed = if watch.kind == Kind::Threshold { measured != baseline } else { measured > baseline };
        (passed && self.raise(watch, time_ms)).then(|| watch.alarm(measured, baseline))
    }

    /// Takes in who one exchange was with; for discrepancies alone.
    pub fn observe_names(
        &mut self,
        watch: &Watch,
        names: &Names<'_>,
        time_ms: u64,
        hash: &SubjectHash,
    ) -> Option<Alarm> {
        if watch.kind != Kind::Discrepancy {
            return None;
        }
        let name = match watch.of {
            Of::Users => names.user,
            Of::Sessions => names.session,
            Of::Addresses => names.address,
            Of::Countries => names.country,
            Of::Subject => {
                let differ = !names.user.is_empty() && !names.subject.is_empty() && names.user != names.subject;
                return (differ && self.raise(watch, time_ms)).then(|| watch.alarm(2.0, 1.0));
            }
            Of::Sum | Of::Count => return None,
        };
        if name.is_empty() {
            return None;
        }
        let digest = Box::<str>::from(name).digest(hash) as u32;
        let different = self.distinct(watch, digest, time_ms)?;
        (different > watch.above && self.raise(watch, time_ms)).then(|| watch.alarm(different, watch.above))
    }

    /// Forgets that an alarm was raised, so that the next value above the limit raises one.
    pub fn rearm(&mut self) {
        self.raised_ms = 0;
    }

    /// Adds what another state of the same watch and subject counted.
    pub fn merge(&mut self, other: &Self) {
        self.newest = self.newest.max(other.newest);
        for part in &other.parts {
            self.part(part.number, part.count, part.sum);
        }
        for (digest, number) in &other.seen {
            self.see(*digest, *number);
        }
        self.forget();
        self.raised_ms = self.raised_ms.max(other.raised_ms);
    }

    /// Whether nothing in it counts any more at `now_ms`.
    pub fn is_over(&self, watch: &Watch, now_ms: u64) -> bool {
        part_of(watch, now_ms) > self.newest + PARTS && now_ms >= self.raised_ms.saturating_add(watch.window_ms)
    }

    /// Count and sum over the window, with this one; `None` where it came too late to count.
    fn add(&mut self, watch: &Watch, amount: Decimal, time_ms: u64) -> Option<(u64, Decimal)> {
        let number = self.enter(watch, time_ms)?;
        self.part(number, 1, amount);
        let count = self.parts.iter().map(|part| u64::from(part.count)).sum();
        Some((count, self.parts.iter().fold(Decimal::default(), |sum, part| sum.plus(part.sum))))
    }

    fn distinct(&mut self, watch: &Watch, digest: u32, time_ms: u64) -> Option<f64> {
        let number = self.enter(watch, time_ms)?;
        self.see(digest, number);
        Some(self.seen.len() as f64)
    }

    /// The part of a moment, unless it is too old to count.
    fn enter(&mut self, watch: &Watch, time_ms: u64) -> Option<u64> {
        let number = part_of(watch, time_ms);
        if number > self.newest {
            self.newest = number;
            self.forget();
        }
        (number + PARTS >= self.newest).then_some(number)
    }

    fn forget(&mut self) {
        let newest = self.newest;
        self.parts.retain(|part| part.number + PARTS >= newest);
        self.seen.retain(|(_, number)| number + PARTS >= newest);
    }

    fn part(&mut self, number: u64, count: u32, sum: Decimal) {
        match self.parts.binary_search_by_key(&number, |part| part.number) {
            Ok(at) => {
                if let Some(part) = self.parts.get_mut(at) {
                    part.count = part.count.saturating_add(count);
                    part.sum = part.sum.plus(sum);
                }
            }
            Err(at) => self.parts.insert(at, Part { number, count, sum }),
        }
    }

    fn see(&mut self, digest: u32, number: u64) {
        match self.seen.binary_search_by_key(&digest, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, last)) = self.seen.get_mut(at) {
                    *last = number.max(*last);
                }
            }
            // One more than the largest limit is all that has to be known.
            Err(at) if self.seen.len() <= MAX_DISTINCT => self.seen.insert(at, (digest, number)),
            Err(_) => {
                // The one seen longest ago makes room, so that the newest always count.
                let oldest = self.seen.iter().enumerate().min_by_key(|(_, (_, last))| *last).map(|(at, _)| at);
                if let Some(oldest) = oldest {
                    self.seen.remove(oldest);
                    self.see(digest, number);
                }
            }
        }
    }

    fn raise(&mut self, watch: &Watch, time_ms: u64) -> bool {
        if self.raised_ms != 0 && time_ms.abs_diff(self.raised_ms) < watch.window_ms {
            return false;
        }
        self.raised_ms = time_ms;
        true
    }
}

fn part_of(watch: &Watch, time_ms: u64) -> u64 {
    time_ms / (watch.window_ms / PARTS).max(1)
}

impl Watch {
    /// What a value must pass to be a spike; `None` where too little is known.
    fn spike_above(&self, past: Past<'_>) -> Option<f64> {
        let own = past.own.amounts(self.currency).filter(|own| own.count >= self.min_samples.max(1))?;
        // The mean without the largest value: one large order of the past does not hide the next.
        let usual = match own.count {
            1 => own.sum.to_f64(),
            count => own.sum.minus(own.max).to_f64() / f64::from(count - 1),
        };
        let everybody = past.population?.quantile(0.99)?;
        let floor = if self.above.is_finite() { self.above } else { 0.0 };
        Some((usual * self.factor).max(everybody).max(floor))
    }

    fn alarm(&self, value: f64, baseline: f64) -> Alarm {
        let (shown, limit) = (value.to_string(), baseline.to_string());
        let name = self.name.as_str();
        let parts: [&str; 5] = match (self.kind, self.of) {
            (Kind::Threshold, _) if value < baseline => [name, " is ", &shown, ", below ", &limit],
            (Kind::Threshold, _) => [name, " is ", &shown, ", above ", &limit],
            (Kind::Spike, _) => [name, " is ", &shown, "; usual, here and elsewhere, is less than ", &limit],
            (Kind::Velocity, Of::Sum) => [name, " adds up to ", &shown, " within the window, above ", &limit],
            (Kind::Velocity, _) => [name, " came ", &shown, " times within the window, above ", &limit],
            (Kind::Distinct, _) => [name, " had ", &shown, " different values within the window, above ", &limit],
            (_, Of::Users) => ["one session named ", &shown, " users within the window", ", above ", &limit],
            (_, Of::Sessions) => ["one user had ", &shown, " sessions within the window", ", above ", &limit],
            (_, Of::Addresses) => ["one user had ", &shown, " addresses within the window", ", above ", &limit],
            (_, Of::Countries) => ["one user was in ", &shown, " countries within the window", ", above ", &limit],
            _ => ["the user is not the subject of the token", "", "", "", ""],
        };
        Alarm { value, baseline, message: parts.concat() }
    }
}
