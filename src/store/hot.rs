//! What is in memory: sessions with their state, and the events the journal holds.

use std::collections::{HashMap, VecDeque};

use crate::detect::Memory;
use crate::session::{Batch, Event, Session, SessionId};

/// A session as the shard tracks it.
#[derive(Debug)]
pub struct Tracked {
    pub session: Session,
    pub memory: Memory,
    /// Its events in the journal, as (journal sequence, index in the batch).
    pub events: Vec<(u64, u32)>,
    /// Whether something changed since it was last folded.
    pub dirty: bool,
}

/// A journaled batch, decoded.
#[derive(Debug)]
pub struct HotBatch {
    pub seq: u64,
    pub batch: Batch,
    /// Encoded size.
    pub bytes: usize,
}

/// Sessions and batches in memory; everything here can be rebuilt from the database.
#[derive(Debug, Default)]
pub struct Hot {
    /// Keys are outputs of a keyed hash, so no client can choose them to collide.
    pub sessions: HashMap<SessionId, Tracked>,
    pub batches: VecDeque<HotBatch>,
    pub journal_bytes: usize,
}

impl Hot {
    /// The batch journaled as `seq`. Sequence numbers rise by one, so it is found by its distance from the first.
    pub fn batch(&self, seq: u64) -> Option<&Batch> {
        let first = self.batches.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.batches.get(index).filter(|b| b.seq == seq).map(|b| &b.batch)
    }

    /// A session's events that are in the journal, in the order journaled.
    pub fn events_of<'a>(&'a self, tracked: &'a Tracked) -> impl Iterator<Item = Event<'a>> {
        tracked.events.iter().filter_map(|(seq, index)| self.batch(*seq)?.event(*index as usize))
    }

    /// Takes a journaled batch in.
    pub fn push(&mut self, batch: HotBatch) {
        self.journal_bytes += batch.bytes;
        self.batches.push_back(batch);
    }

    /// Forgets the batches up to `seq`: they are folded.
    pub fn drop_folded(&mut self, seq: u64) {
        while self.batches.front().is_some_and(|b| b.seq <= seq) {
            if let Some(batch) = self.batches.pop_front() {
                self.journal_bytes = self.journal_bytes.saturating_sub(batch.bytes);
            }
        }
        for tracked in self.sessions.values_mut() {
            tracked.events.retain(|(s, _)| *s > seq);
            tracked.dirty = !tracked.events.is_empty();
        }
    }

    /// Drops clean sessions, those seen longest ago first, until about `max_bytes` remain.
    pub fn shrink(&mut self, max_bytes: usize) {
        let total: usize = self.sessions.values().map(|t| t.session.bytes()).sum();
        let mut excess = total.saturating_sub(max_bytes);
        if excess == 0 {
            return;
        }
        let clean = self.sessions.values().filter(|t| !t.dirty);
        let mut by_age: Vec<_> = clean.map(|t| (t.session.last_seen_ms, t.session.id, t.session.bytes())).collect();
        by_age.sort_unstable();
        for (_, id, bytes) in by_age {
            if excess == 0 {
                break;
            }
            self.sessions.remove(&id);
            excess = excess.saturating_sub(bytes);
        }
    }
}
