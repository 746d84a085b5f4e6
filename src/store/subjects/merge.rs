//! Few rows of subjects out of many: those about the same parts are merged while they are small, and go when they are old.

use core::ops::Range;

use super::States;
use super::row::{Draft, Row, remove};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};

/// So many rows are merged into one: the smallest there are …
const RUN: usize = 4;
/// … as long as they do not hold more than this, bytes …
const MERGED_BYTES: u64 = 1536 * 1024;
/// … nor more than this part of the time things are kept for: what is merged goes as one.
const MERGED_SPAN: u64 = 8;
/// A slice of a fold goes on merging until it has merged so much, bytes. A busy shard's slice brings a megabyte.
const SLICE_BYTES: u64 = 2 * MERGED_BYTES;
/// Subjects may take this part of what chunks may.
const SIZE_SHARE: u64 = 8;

impl<S: Sql> Store<S> {
    /// Merges rows about these parts, some about each alone, some about all of them.
    pub(in crate::store) fn merge_subjects(&mut self, parts: &Range<usize>) -> Result<(), StoreError> {
        self.remove_sources()?;
        let alone = parts.clone().map(|part| part..part + 1).filter(|alone| alone != parts);
        let mut left = SLICE_BYTES;
        for about in alone.chain([parts.clone()]).collect::<Vec<_>>() {
            let Some(run) = self.run_about(&about).filter(|_| left > 0) else { continue };
            left = left.saturating_sub(run.iter().map(|row| row.bytes).sum());
            self.merge_subject_run(run)?;
        }
        Ok(())
    }

    /// The smallest rows about exactly these parts, if they may become one; in the order of their ids.
    fn run_about(&self, parts: &Range<usize>) -> Option<Vec<Row>> {
        let mut run: Vec<&Row> = self.subjects.iter().filter(|row| row.parts == *parts).collect();
        run.sort_by_key(|row| row.bytes);
        run.truncate(RUN);
        run.sort_by_key(|row| row.id);
        let bytes: u64 = run.iter().map(|row| row.bytes).sum();
        let from_ms = run.iter().map(|row| row.from_ms).min()?;
        let to_ms = run.iter().map(|row| row.to_ms).max()?;
        let span_ms = self.settings.retention_ms / MERGED_SPAN;
        let fits = run.len() == RUN && bytes <= MERGED_BYTES && to_ms - from_ms <= span_ms;
        fits.then(|| run.into_iter().cloned().collect())
    }

    fn merge_subject_run(&mut self, mut run: Vec<Row>) -> Result<(), StoreError> {
        let mut merged = States::new();
        for row in &run {
            match row.states(&self.sql) {
                Ok(states) => {
                    for (key, state) in states {
                        match merged.get_mut(&key) {
                            Some(known) => known.merge(&state, &self.settings.subjects),
                            None => drop(merged.insert(key, state)),
                        }
                    }
                }
                Err(error) if error.is_damage() => {
                    // It can tell nothing any more and would stand in the way of every merge.
                    remove(&self.sql, &[row.id])?;
                    self.subjects.retain(|other| other.id != row.id);
                    self.counts.corrupt_rows += 1;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        let Some(last) = run.pop() else { return Ok(()) };
        let sources: Vec<u64> = run.iter().map(|row| row.id).collect();
        // From this statement on the row stands for the others, whether they are gone or not.
        let row = last.update(&self.sql, sources, Draft::of(merged))?;
        self.subjects.retain(|other| !row.sources.contains(&other.id));
        if let Some(slot) = self.subjects.iter_mut().find(|other| other.id == row.id) {
            *slot = row;
        }
        self.remove_sources()
    }

    /// Removes the rows others stand for. Before anything else is merged: a row must not forget whom it stands for while
    /// they are still there.
    fn remove_sources(&mut self) -> Result<(), StoreError> {
        for row in &mut self.subjects {
            remove(&self.sql, &row.sources)?;
            row.sources.clear();
        }
        Ok(())
    }

    /// Drops what is older than `horizon_ms`, and the oldest of what is too much.
    pub(in crate::store) fn expire_subjects(&mut self, horizon_ms: u64) -> Result<(), StoreError> {
        let mut excess = self.subject_bytes().saturating_sub(self.settings.max_bytes / SIZE_SHARE);
        for row in core::mem::take(&mut self.subjects) {
            if row.to_ms < horizon_ms || excess > 0 {
                excess = excess.saturating_sub(row.bytes);
                self.sql.query("DELETE FROM subjects WHERE id = ?", &[row.id.into()])?;
            } else {
                self.subjects.push(row);
            }
        }
        Ok(())
    }

    /// Size of all rows of subjects, bytes.
    pub(in crate::store) fn subject_bytes(&self) -> u64 {
        self.subjects.iter().map(|row| row.bytes).sum()
    }
}
