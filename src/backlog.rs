//! What isolates hold for a shard that it has not confirmed yet: figures for whoever watches over a deployment.
//!
//! An isolate tells it with each flush. It may be gone by then, or have nothing more to send, so what it said counts for a
//! minute only. Nothing is decided by these figures.

use crate::ordered::OrderedMap;
use serde::{Deserialize, Serialize};

/// For how long counts what an isolate said, ms.
const HEARD_MS: u64 = 60_000;
/// Isolates remembered; further ones are not counted.
const MAX_ISOLATES: usize = 1_024;

/// Events that wait to be sent, or for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backlog {
    pub events: u64,
    /// Of those, events in batches that are sent and not answered.
    pub under_way: u64,
    /// How long the oldest of them has been waiting, ms.
    pub oldest_ms: u64,
}

impl Backlog {
    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            under_way: self.under_way.saturating_add(other.under_way),
            oldest_ms: self.oldest_ms.max(other.oldest_ms),
        }
    }
}

/// What each isolate said last.
#[derive(Debug, Default)]
pub struct Backlogs {
    isolates: OrderedMap<u64, (u64, Backlog)>,
}

impl Backlogs {
    /// Takes in what an isolate says.
    pub fn hear(&mut self, isolate: u64, backlog: Backlog, now_ms: u64) {
        if self.isolates.len() >= MAX_ISOLATES && !self.isolates.contains_key(&isolate) {
            self.isolates.retain(|_, (heard_ms, _)| *heard_ms + HEARD_MS > now_ms);
        }
        if self.isolates.len() < MAX_ISOLATES || self.isolates.contains_key(&isolate) {
            self.isolates.insert(isolate, (now_ms, backlog));
        }
    }

    /// All that was said within the last minute.
    pub fn total(&self, now_ms: u64) -> Backlog {
        let lately = self.isolates.values().filter(|(heard_ms, _)| *heard_ms + HEARD_MS > now_ms);
        lately.fold(Backlog::default(), |total, (_, backlog)| total.with(*backlog))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(events: u64, oldest_ms: u64) -> Backlog {
        Backlog { events, under_way: 0, oldest_ms }
    }

    #[test]
    fn each_isolate_counts_with_what_it_said_last_within_a_minute() {
        let mut backlogs = Backlogs::default();
        backlogs.hear(1, holding(10, 500), 1_000);
        backlogs.hear(2, holding(5, 900), 2_000);
        assert_eq!(backlogs.total(2_000), holding(15, 900));
        backlogs.hear(1, holding(1, 20), 3_000);
        assert_eq!(backlogs.total(3_000), holding(6, 900));
        assert_eq!(backlogs.total(62_000), holding(1, 20));
        assert_eq!(backlogs.total(63_000), Backlog::default());
    }

    #[test]
    fn no_more_isolates_are_remembered_than_there_is_room_for() {
        let mut backlogs = Backlogs::default();
        (0..=MAX_ISOLATES as u64).for_each(|isolate| backlogs.hear(isolate, holding(1, 0), 1_000));
        assert_eq!(backlogs.total(1_000).events, MAX_ISOLATES as u64);
        backlogs.hear(1, holding(3, 0), 1_000);
        assert_eq!(backlogs.total(1_000).events, MAX_ISOLATES as u64 + 2);
        // Those that fell silent make room.
        backlogs.hear(u64::MAX, holding(7, 0), 1_000 + HEARD_MS);
        assert_eq!(backlogs.total(1_000 + HEARD_MS).events, 7);
    }
}
