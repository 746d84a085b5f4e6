//! A set that forgets: what was seen in this clock hour and in the one before.
//!
//! How many names were tried from an address means little over a month and much within an hour.

use serde::{Deserialize, Serialize};

use super::distinct::{Distinct, Value};
use super::hash::SubjectHash;

const HOUR_S: u32 = 3_600;
/// Values kept of each hour; more are counted by a sketch.
const VALUES: usize = 8;

/// Two sets that take turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent<T> {
    /// Hours since 1970 of `current`.
    hour: u32,
    current: Distinct<T, VALUES>,
    before: Distinct<T, VALUES>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { hour: 0, current: Distinct::default(), before: Distinct::default() }
    }
}

impl<T: Value> Recent<T> {
    /// Takes in a value seen at `last_s`, epoch seconds; one from before the two hours is left out.
    pub fn see(&mut self, seen: T::View<'_>, last_s: u32, hash: &SubjectHash) {
        let hour = last_s / HOUR_S;
        self.advance(hour);
        if hour == self.hour {
            self.current.see(seen, last_s, hash);
        } else if hour + 1 == self.hour {
            self.before.see(seen, last_s, hash);
        }
    }

    /// What was seen in the clock hour of `now_s` and the one before: the last one to two hours.
    pub fn at(&self, now_s: u32, hash: &SubjectHash) -> Distinct<T, VALUES> {
        let mut then = self.clone();
        then.advance(now_s / HOUR_S);
        then.before.merge(&then.current, hash);
        then.before
    }

    /// Adds what another state saw of the same subject.
    pub fn merge(&mut self, other: &Self, hash: &SubjectHash) {
        let mut other = other.clone();
        self.advance(other.hour);
        other.advance(self.hour);
        self.current.merge(&other.current, hash);
        self.before.merge(&other.before, hash);
    }

    /// Forgets values; answers whether one was there.
    pub fn forget(&mut self, is_one: impl Fn(&T) -> bool) -> bool {
        self.current.forget(&is_one) | self.before.forget(&is_one)
    }

    fn advance(&mut self, hour: u32) {
        if hour <= self.hour {
            return;
        }
        let current = core::mem::take(&mut self.current);
        self.before = if hour == self.hour + 1 { current } else { Distinct::default() };
        self.hour = hour;
    }

    pub(super) fn is_sound(&self) -> bool {
        // An hour is one that seconds of 32 bits reach, so that one more is a number too.
        self.hour <= u32::MAX / HOUR_S && self.current.is_sound() && self.before.is_sound()
    }

    /// Memory it takes on the heap, itself included, bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.current.heap_bytes() + self.before.heap_bytes()
    }
}
