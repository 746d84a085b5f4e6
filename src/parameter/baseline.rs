//! What is usual of a parameter on an endpoint: how large its values are, and how many come in an hour.
//!
//! The present hour is collected apart, and joins what is usual when it is over, so that a surge is compared with what
//! was before it. What is usual fades with a half-life of seven days. After three weeks the hours of the week are told
//! apart: a Monday morning is compared with Monday mornings.

use serde::{Deserialize, Serialize};

use super::{Decimal, Quantiles};

const HOUR_MS: u64 = 3_600_000;
const WEEK: u32 = 168;
/// History after which hours of the week are told apart.
const KNOWS_WEEKS: u32 = 3 * WEEK;
/// History before which nothing is expected.
const KNOWS_RATE: u32 = 24;
/// 2^(-1/7) of 65536: what is left after a day.
const A_DAY: u16 = 59_356;
/// A value counts as this many, so that fading has something to round.
const WEIGHT: u32 = 16;
/// 1 − 2^(-1/168), of 65536: the share of an hour in the average.
const AN_HOUR: u64 = 270;
/// Values that are enough to speak of a population.
const ENOUGH: u64 = 20;
/// By how much an hour of the week may differ from the average.
const MAX_FACTOR: f64 = 8.0;

/// The usual values and their number, of one parameter on one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// The hour that is being collected, and the first one; hours since 1970.
    hour: u32,
    begun: u32,
    recent: Quantiles,
    /// Each value counted [`WEIGHT`] times, and faded.
    usual: Quantiles,
    /// Values of the present hour.
    count: u32,
    /// Values an hour, averaged with fading weights, in 65536ths; and the sum of the weights.
    level: u64,
    weight: u64,
    /// Values in each hour of the week, averaged, in sixteenths; empty before there are any.
    week: Vec<u32>,
}

impl Baseline {
    /// Takes in a value of `time_ms`, epoch ms. One that comes late counts for the present hour.
    pub fn see(&mut self, value: Decimal, time_ms: u64) {
        self.advance(time_ms);
        self.recent.see(value);
        self.count = self.count.saturating_add(1);
    }

    /// Lets time pass up to `now_ms`.
    pub fn advance(&mut self, now_ms: u64) {
        let now = u32::try_from(now_ms / HOUR_MS).unwrap_or(u32::MAX);
        if self.begun == 0 {
            (self.begun, self.hour) = (now, now);
        }
        if now <= self.hour {
            return;
        }
        self.usual.merge_weighted(&self.recent, WEIGHT);
        self.recent = Quantiles::default();
        // After eight weeks without any value next to nothing is left: longer gaps are that long.
        let hours = (now - self.hour).min(8 * WEEK);
        let first = now - hours;
        for hour in first..now {
            let count = core::mem::take(&mut self.count);
            self.close(hour, count);
        }
        self.hour = now;
    }

    fn close(&mut self, hour: u32, count: u32) {
        self.level = self.level.saturating_mul(65_536 - AN_HOUR) / 65_536 + u64::from(count) * AN_HOUR;
        self.weight = self.weight * (65_536 - AN_HOUR) / 65_536 + AN_HOUR;
        if self.week.is_empty() {
            self.week = vec![0; WEEK as usize];
        }
        let is_first = hour.saturating_sub(self.begun) < WEEK;
        if let Some(slot) = self.week.get_mut((hour % WEEK) as usize) {
            let now = count.saturating_mul(16);
            *slot = if is_first { now } else { *slot - *slot / 4 + now / 4 };
        }
        if (hour + 1).is_multiple_of(24) {
            self.usual.fade(A_DAY);
        }
    }

    /// How large values usually are; `None` where too few are known to say. Before the first hour is over it is what
    /// that hour brought.
    pub fn population(&self) -> Option<&Quantiles> {
        let usual = (self.usual.count() >= ENOUGH * u64::from(WEIGHT)).then_some(&self.usual);
        usual.or_else(|| (self.recent.count() >= ENOUGH).then_some(&self.recent))
    }

    /// How many values are usual in the hour of `time_ms`; `None` in the first day.
    pub fn expected(&self, time_ms: u64) -> Option<f64> {
        let age = self.hour.saturating_sub(self.begun);
        if age < KNOWS_RATE || self.weight == 0 {
            return None;
        }
        let average = self.level as f64 / self.weight as f64;
        if age < KNOWS_WEEKS {
            return Some(average);
        }
        let slot = self.week.get((time_ms / HOUR_MS % u64::from(WEEK)) as usize).copied().unwrap_or(0);
        let all: u64 = self.week.iter().map(|count| u64::from(*count)).sum();
        let factor = if all == 0 { 1.0 } else { f64::from(slot) * f64::from(WEEK) / all as f64 };
        Some(average * factor.clamp(1.0 / MAX_FACTOR, MAX_FACTOR))
    }

    /// How many values the present hour has brought so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Adds what was seen of the same parameter and endpoint elsewhere.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        if other.begun == 0 {
            return;
        }
        self.advance(u64::from(other.hour) * HOUR_MS);
        other.advance(u64::from(self.hour) * HOUR_MS);
        self.begun = self.begun.min(other.begun);
        self.recent.merge(&other.recent);
        self.usual.merge(&other.usual);
        self.count = self.count.saturating_add(other.count);
        self.level = self.level.saturating_add(other.level);
        self.weight = self.weight.max(other.weight);
        if self.week.is_empty() {
            self.week = other.week;
        } else {
            self.week.iter_mut().zip(other.week).for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
        }
    }
}
