//! Which flushes were applied: each once, however often and in whatever order it arrives.

use crate::ordered::OrderedMap;
use serde::{Deserialize, Serialize};

/// Flushes of one isolate that may be under way at once; an isolate holds fewer unconfirmed ones.
pub const WINDOW: u64 = 128;
/// Isolates remembered; the one heard of longest ago goes first.
const MAX_ISOLATES: usize = 4_096;

/// What came from each isolate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Applied {
    isolates: OrderedMap<u64, Window>,
    clock: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Window {
    /// Highest sequence number applied.
    high: u64,
    /// Bit `i`: `high - i` was applied.
    bits: u128,
    heard: u64,
}

impl Applied {
    /// Whether this flush was applied before, or is so old that it must have been.
    pub fn has(&self, isolate: u64, flush: u64) -> bool {
        self.isolates.get(&isolate).is_some_and(|window| {
            let age = window.high.checked_sub(flush);
            age.is_some_and(|age| age >= WINDOW || window.bits >> age & 1 == 1)
        })
    }

    /// Remembers a flush as applied.
    pub fn add(&mut self, isolate: u64, flush: u64) {
        self.clock += 1;
        let window = self.isolates.entry(isolate).or_insert(Window { high: flush, bits: 0, heard: 0 });
        window.heard = self.clock;
        if flush > window.high {
            let step = flush - window.high;
            window.bits = if step >= WINDOW { 0 } else { window.bits << step };
            window.high = flush;
        }
        let age = window.high - flush;
        if age < WINDOW {
            window.bits |= 1 << age;
        }
        if self.isolates.len() > MAX_ISOLATES {
            let oldest = self.isolates.iter().min_by_key(|(_, w)| w.heard).map(|(id, _)| *id);
            oldest.map(|id| self.isolates.remove(&id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flush_counts_once_in_any_order() {
        let mut applied = Applied::default();
        for flush in [3, 1, 2, 7, 5] {
            assert!(!applied.has(9, flush), "{flush}");
            applied.add(9, flush);
            assert!(applied.has(9, flush), "{flush}");
        }
        assert!(!applied.has(9, 4) && !applied.has(9, 6) && !applied.has(9, 8) && !applied.has(8, 3));
    }

    #[test]
    fn a_flush_at_the_edge_of_the_window_is_taken_and_one_past_it_counts_as_applied() {
        let mut applied = Applied::default();
        applied.add(1, WINDOW);
        assert!(!applied.has(1, 1));
        assert!(applied.has(1, 0));
        applied.add(1, 1);
        assert!(applied.has(1, 1) && applied.has(1, WINDOW) && !applied.has(1, 2));
    }

    #[test]
    fn the_isolate_heard_of_longest_ago_is_forgotten_first() {
        let mut applied = Applied::default();
        for isolate in 0..=MAX_ISOLATES as u64 {
            applied.add(isolate, 1);
        }
        assert_eq!(applied.isolates.len(), MAX_ISOLATES);
        assert!(!applied.has(0, 1) && applied.has(1, 1));
    }
}
