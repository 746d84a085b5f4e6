//! What one shard is to be sent: the batch being collected, and those sealed that it has not confirmed.

use std::collections::VecDeque;

use crate::backlog::Backlog;
use crate::backoff::Backoff;
use crate::policy::Limits;
use crate::session::BatchBuilder;
use crate::sorting;
use crate::store::FLUSH_WINDOW;
use crate::wire::Flush;

/// A batch is sealed at this size, bytes, whatever its number of events: well within a row of two megabytes.
pub const SEAL_BYTES: usize = 512 * 1024;
/// How far the sequence may run ahead of the oldest batch that is not confirmed: below the window in which the shard
/// tells repetitions from news, or that batch would be taken for a repetition when it comes at last.
const MAX_AHEAD: u64 = FLUSH_WINDOW - 28;
/// How often a batch is sent that keeps others from being sealed.
const MAX_ATTEMPTS: u32 = 16;
/// A flush that has not come back after this long is taken for lost and repeated, ms: whoever sent it would have given it
/// up after ten seconds.
const IN_FLIGHT_MS: u64 = 12_000;

/// The events of one shard on their way.
#[derive(Default)]
pub struct Queue {
    pub builder: BatchBuilder,
    pub sealed: VecDeque<Sealed>,
    pub sequence: u64,
    pub backoff: Backoff,
    /// When the first event in `builder` came, platform time.
    pub since_ms: Option<u64>,
}

/// A batch with its number.
pub struct Sealed {
    pub flush: Flush,
    pub events: u32,
    /// When the first of them came, platform time.
    pub since_ms: u64,
    /// How often it was sent.
    pub attempts: u32,
    pub sent_ms: Option<u64>,
}

impl Sealed {
    pub fn is_under_way(&self, now_ms: u64) -> bool {
        self.sent_ms.is_some_and(|sent| now_ms.saturating_sub(sent) < IN_FLIGHT_MS)
    }
}

impl Queue {
    /// Whether a batch is to be sealed, full or not. While the shard recovers, only one that is as large as may be, or
    /// when nothing else is outstanding: what comes meanwhile goes in fewer flushes.
    pub fn is_to_be_sealed(&self) -> bool {
        let large = !self.backoff.is_recovering() || self.builder.bytes() >= SEAL_BYTES;
        !self.builder.is_empty() && (self.sealed.is_empty() || (large && self.has_room()))
    }

    /// Whether one more batch may be outstanding. The first of `sealed` is the oldest.
    pub fn has_room(&self) -> bool {
        self.sealed.front().is_none_or(|oldest| self.sequence.saturating_sub(oldest.flush.sequence) < MAX_AHEAD)
    }

    pub fn is_full(&self, limits: &Limits) -> bool {
        self.builder.len() >= limits.flush_events as usize || self.builder.bytes() >= SEAL_BYTES
    }

    /// What is held.
    pub fn backlog(&self, now_ms: u64) -> Backlog {
        let sealed = self.sealed.iter().map(|sealed| Backlog {
            events: sealed.events.into(),
            under_way: if sealed.is_under_way(now_ms) { sealed.events.into() } else { 0 },
            oldest_ms: now_ms.saturating_sub(sealed.since_ms),
        });
        let collected = Backlog {
            events: self.builder.events() as u64,
            under_way: 0,
            oldest_ms: self.since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms)),
        };
        sealed.fold(collected, Backlog::with)
    }

    /// The batches to send now, those sent least often first: as many as the shard may have under way.
    pub fn sendable(&mut self, now_ms: u64) -> Vec<Flush> {
        if self.backoff.left_ms(now_ms) > 0 {
            return Vec::new();
        }
        let (under_way, mut ready): (Vec<_>, Vec<_>) = self.sealed.iter_mut().partition(|s| s.is_under_way(now_ms));
        sorting::sort_by_key(&mut ready, |sealed| sealed.attempts);
        ready.truncate(self.backoff.at_once().saturating_sub(under_way.len()));
        let send = |sealed: &mut Sealed| {
            sealed.sent_ms = Some(now_ms);
            sealed.attempts = sealed.attempts.saturating_add(1);
            sealed.flush.clone()
        };
        ready.into_iter().map(send).collect()
    }

    /// Gives up the oldest batch if it was sent so often that the shard will never take it, and stands in the way of all
    /// that came after it. Answers the number of its events.
    pub fn give_up(&mut self, now_ms: u64) -> u32 {
        let is_hopeless = |oldest: &Sealed| oldest.attempts >= MAX_ATTEMPTS && !oldest.is_under_way(now_ms);
        if self.has_room() || !self.sealed.front().is_some_and(is_hopeless) {
            return 0;
        }
        self.sealed.pop_front().map_or(0, |hopeless| hopeless.events)
    }
}
