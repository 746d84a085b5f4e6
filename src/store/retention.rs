//! From chunks to nothing: what is too old goes, and what is too much.
//!
//! Chunks go oldest first and never from the middle: a newer one may hold the state that an older one lacks.

use super::sql::Sql;
use super::{Store, StoreError};

/// Memory an object may take for what it keeps hot, bytes: objects of a class may share one isolate of 128 MB.
const HOT_BYTES: usize = 40 * 1024 * 1024;
/// … of which this much is for the journal decoded, questions and answers.
const WORKING_BYTES: usize = 12 * 1024 * 1024;
/// Sessions are kept in this much memory whatever else there is.
const LEAST_BYTES: usize = 4 * 1024 * 1024;

impl<S: Sql> Store<S> {
    /// Drops the chunks whose last event is older than the retention, the oldest ones beyond the size that is kept, and
    /// the sessions last seen before the retention.
    pub(super) fn expire(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let horizon = now_ms.saturating_sub(self.settings.retention_ms);
        let old = self.chunks.iter().take_while(|chunk| chunk.to_ms < horizon).count();
        let mut excess = self.chunk_bytes().saturating_sub(self.settings.max_bytes);
        let large = self.chunks.iter().take_while(|chunk| {
            let goes = excess > 0;
            excess = excess.saturating_sub(chunk.bytes);
            goes
        });
        let large = large.count();
        if let Some(last) = old.max(large).checked_sub(1).and_then(|last| self.chunks.get(last)) {
            self.sql.query("DELETE FROM chunks WHERE id <= ?", &[last.id.into()])?;
            self.chunks.drain(..old.max(large));
            self.counts.chunks_dropped_for_size += large.saturating_sub(old) as u64;
        }
        self.expire_subjects(horizon)?;
        self.hot.expire(horizon);
        self.blocks.forget_ended(now_ms);
        Ok(())
    }

    /// Size of all folded chunks, bytes.
    pub(super) fn chunk_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.bytes).sum()
    }

    /// Memory that is left for sessions, bytes.
    pub(super) fn hot_budget(&self) -> usize {
        let directory: usize = self.chunks.iter().map(super::chunk::Chunk::memory_bytes).sum();
        (HOT_BYTES - WORKING_BYTES).saturating_sub(directory).max(LEAST_BYTES)
    }
}
