//! Small chunks become larger ones: a shard with little traffic folds some dozens a day, and every question has to
//! consider each of them.
//!
//! One run of neighbours at a time, by the alarm, when no fold is due: some ten milliseconds of work. It costs a row for
//! each chunk that was merged. From the one statement that writes the merged chunk on it stands for the others, whether
//! they are gone or not, so that a crash at any moment leaves a sound state.

use core::ops::Range;

use super::chunk::{self, Place};
use super::sql::Sql;
use super::{Store, StoreError};

/// What is merged is at most this large, bytes …
const MERGED_BYTES: u64 = 1024 * 1024;
/// … of at most so many chunks …
const MOST_CHUNKS: usize = 64;
/// … and of no more than this part of the time things are kept for: it goes as one when its newest event is too old.
const MERGED_SPAN: u64 = 30;
/// Chunks that a slice of a fold makes smaller at the most: more than it brings.
const SLIMMED: usize = 8;

impl<S: Sql> Store<S> {
    /// The oldest run of neighbours that are worth merging, as places in the directory.
    pub(super) fn next_run(&self) -> Option<Range<usize>> {
        let span_ms = self.settings.retention_ms / MERGED_SPAN;
        let least = self.settings.fold.merged_chunks.max(2);
        (0..self.chunks.len()).find_map(|start| {
            let (mut bytes, mut from_ms, mut to_ms) = (0, u64::MAX, 0);
            let run = self.chunks.iter().skip(start).take(MOST_CHUNKS).take_while(|chunk| {
                bytes += chunk.bytes;
                (from_ms, to_ms) = (chunk.from_ms.min(from_ms), chunk.to_ms.max(to_ms));
                chunk.is_readable && bytes <= MERGED_BYTES && to_ms.saturating_sub(from_ms) <= span_ms
            });
            let count = run.count();
            (count >= least).then_some(start..start + count)
        })
    }

    /// Merges the next run, if there is one.
    pub(super) fn merge_chunks(&mut self) -> Result<(), StoreError> {
        self.remove_merged()?;
        let run = self.next_run();
        if let Some(run) = run {
            self.merge_run(run)?;
        }
        self.merge_due = self.next_run().is_some();
        Ok(())
    }

    /// Leaves out of some chunks what their superseded sessions do not need any more. The next ones follow with the next
    /// slice of a fold.
    pub(super) fn slim_chunks(&mut self) -> Result<(), StoreError> {
        let least = self.settings.fold.slimmed_bytes;
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.is_stout(least)).take(SLIMMED) {
            match chunk::slim(&self.sql, chunk) {
                Err(error) if error.is_damage() => {
                    chunk.is_readable = false;
                    self.counts.corrupt_rows += 1;
                }
                done => done?,
            }
        }
        Ok(())
    }

    fn merge_run(&mut self, run: Range<usize>) -> Result<(), StoreError> {
        let Some(chunks) = self.chunks.get(run.clone()) else { return Ok(()) };
        let (merged, newest) = match chunk::merge(&self.sql, &self.chunks, chunks, self.merges + 1) {
            Ok(merged) => merged,
            Err(error) if error.is_damage() => {
                // Whichever it is, it stays as it is, and so do its neighbours.
                self.counts.corrupt_rows += 1;
                self.chunks.iter_mut().take(run.end).skip(run.start).for_each(|chunk| chunk.is_readable = false);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.merges += 1;
        for (index, session) in newest {
            self.hot.move_to(session, Place { chunk: merged.id, index });
        }
        self.unremoved = Some((merged.since, merged.id));
        self.chunks.splice(run, [merged]);
        self.remove_merged()
    }

    /// Removes rows that a merged chunk stands for.
    pub(super) fn remove_merged(&mut self) -> Result<(), StoreError> {
        if let Some((since, id)) = self.unremoved {
            chunk::remove_merged(&self.sql, since, id)?;
            self.unremoved = None;
        }
        Ok(())
    }
}
