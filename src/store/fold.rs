//! From journal to chunks, and from chunks to nothing: folding, retention, and the alarm that brings both about.

use super::chunk::{self, ChunkInfo, Snapshot};
use super::sql::Sql;
use super::{Folded, Store, StoreError};
use crate::session::{BatchBuilder, EventId, SessionId};

/// The journal is folded by the alarm after this long, ms …
pub const FOLD_AFTER_MS: u64 = 300_000;
/// … or, when no alarm has come for this much longer, by the next flush …
const FOLD_GRACE_MS: u64 = 5_000;
/// … or by the flush that finds it this large, bytes.
const FOLD_AT_BYTES: usize = 2 * 1024 * 1024;
/// Sizes at which a chunk is full, bytes: of its events (an upper estimate) and of its sessions (encoded). With the one
/// session that goes over, at most a third of a megabyte, both stay within the two megabytes of a row.
const CHUNK_EVENT_BYTES: usize = 896 * 1024;
const CHUNK_SESSION_BYTES: usize = 640 * 1024;
/// Session state kept in memory, bytes (estimated).
const HOT_BYTES: usize = 24 * 1024 * 1024;

impl<S: Sql> Store<S> {
    /// Whether a flush has to fold before it is taken: the journal is full, or the alarm did not come.
    pub(super) fn is_fold_due(&self, now_ms: u64) -> bool {
        let overdue = |since: u64| now_ms >= since.saturating_add(FOLD_AFTER_MS + FOLD_GRACE_MS);
        self.hot.journal_bytes >= FOLD_AT_BYTES || self.journal_since_ms.is_some_and(overdue)
    }

    /// Turns the whole journal into chunks.
    pub fn fold(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let Some(upto) = self.hot.batches.back().map(|b| b.seq) else { return Ok(()) };
        let mut events: Vec<(SessionId, EventId, u64, u32)> = Vec::new();
        for hot in &self.hot.batches {
            events.extend((0u32..).zip(hot.batch.events()).map(|(i, e)| (e.session, e.id, hot.seq, i)));
        }
        events.sort_unstable();
        // A fold that failed half way left chunks that never counted.
        self.sql.query("DELETE FROM chunks WHERE id >= ?", &[self.next_chunk.into()])?;
        let written = self.write_chunks(&events, upto)?;

        self.remember("applied", &self.applied)?;
        // The commit point: from here on the chunks count and the journal rows do not.
        self.remember("folded", &Folded { upto, pending: self.pending.clone(), known: self.known.clone() })?;
        self.sql.query("DELETE FROM journal WHERE seq <= ?", &[upto.into()])?;

        self.next_chunk += written.len() as u64;
        self.chunks.extend(written);
        self.hot.drop_folded(upto);
        self.hot.shrink(HOT_BYTES);
        self.journal_since_ms = None;
        self.counts.folds += 1;
        self.expire(now_ms)
    }

    fn write_chunks(&self, events: &[(SessionId, EventId, u64, u32)], upto: u64) -> Result<Vec<ChunkInfo>, StoreError> {
        let mut written = Vec::new();
        let (mut builder, mut sessions, mut state_bytes) = (BatchBuilder::default(), Vec::<SessionId>::new(), 0);
        let mut finish = |builder: &mut BatchBuilder, sessions: &mut Vec<SessionId>| -> Result<(), StoreError> {
            let id = self.next_chunk + written.len() as u64;
            let tracked = sessions.drain(..).filter_map(|id| self.hot.sessions.get(&id));
            let mut snapshots: Vec<Snapshot> =
                tracked.map(|t| Snapshot { session: t.session.clone(), memory: t.memory.clone() }).collect();
            snapshots.sort_unstable_by_key(|snapshot| snapshot.session.id);
            written.push(chunk::write(&self.sql, id, upto, &builder.take(), &snapshots)?);
            Ok(())
        };
        for (session, _, seq, index) in events {
            let Some(event) = self.hot.batch(*seq).and_then(|batch| batch.event(*index as usize)) else { continue };
            let next_session = sessions.last() != Some(session);
            if builder.bytes() >= CHUNK_EVENT_BYTES || (next_session && state_bytes >= CHUNK_SESSION_BYTES) {
                finish(&mut builder, &mut sessions)?;
                state_bytes = 0;
            }
            if sessions.last() != Some(session) {
                sessions.push(*session);
                state_bytes += self.encoded_bytes(*session);
            }
            builder.push(&event);
        }
        // Sessions that only learned of a link or a proof.
        let mut touched: Vec<SessionId> =
            self.hot.sessions.values().filter(|t| t.dirty && t.events.is_empty()).map(|t| t.session.id).collect();
        touched.sort_unstable();
        for id in touched {
            if state_bytes >= CHUNK_SESSION_BYTES {
                finish(&mut builder, &mut sessions)?;
                state_bytes = 0;
            }
            state_bytes += self.encoded_bytes(id);
            sessions.push(id);
        }
        if !sessions.is_empty() {
            finish(&mut builder, &mut sessions)?;
        }
        Ok(written)
    }

    /// What a session takes in a chunk.
    fn encoded_bytes(&self, id: SessionId) -> usize {
        let tracked = self.hot.sessions.get(&id);
        let encoded = tracked.and_then(|t| postcard::to_allocvec(&(&t.session, &t.memory)).ok());
        encoded.map_or(0, |bytes| bytes.len())
    }

    /// Drops the chunks whose last event is older than the retention, and the sessions last seen before it.
    fn expire(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let horizon = now_ms.saturating_sub(self.settings.retention_ms);
        if self.chunks.iter().any(|chunk| chunk.to_ms < horizon) {
            self.sql.query("DELETE FROM chunks WHERE to_ms < ?", &[horizon.into()])?;
            self.chunks.retain(|chunk| chunk.to_ms >= horizon);
        }
        self.hot.sessions.retain(|_, t| t.dirty || t.session.last_seen_ms >= horizon);
        self.blocks.forget_ended(now_ms);
        Ok(())
    }

    /// In how long the alarm is due, ms: for the fold while there is a journal, for retention while there is anything.
    pub fn alarm_after(&self, now_ms: u64) -> Option<u64> {
        const DAY_MS: u64 = 86_400_000;
        let fold = self.journal_since_ms.map(|since| since + FOLD_AFTER_MS);
        let retention = self.chunks.first().map(|c| c.to_ms + self.settings.retention_ms + DAY_MS);
        [fold, retention].into_iter().flatten().min().map(|at| at.saturating_sub(now_ms))
    }

    /// What the alarm does; due or not, it is safe to call at any time.
    pub fn alarm(&mut self, now_ms: u64) -> Result<(), StoreError> {
        self.fold(now_ms)?;
        self.expire(now_ms)
    }
}
