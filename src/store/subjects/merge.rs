//! Few rows of subjects out of many: neighbours are merged while they are small, and go when they are old.

use super::States;
use super::row::Row;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};

/// So many neighbours are merged into one …
const RUN: usize = 8;
/// … as long as they do not hold more than this, bytes …
const MERGED_BYTES: u64 = 768 * 1024;
/// … nor more than this part of the time things are kept for: what is merged goes as one.
const MERGED_SPAN: u64 = 8;
/// Subjects may take this part of what chunks may.
const SIZE_SHARE: u64 = 8;

impl<S: Sql> Store<S> {
    /// Merges one run of neighbours, if there is one.
    pub(in crate::store) fn merge_subjects(&mut self) -> Result<(), StoreError> {
        let span_ms = self.settings.retention_ms / MERGED_SPAN;
        let fits = |run: &[Row]| {
            let bytes: u64 = run.iter().map(|row| row.bytes).sum();
            let from = run.iter().map(|row| row.from_ms).min().unwrap_or(0);
            let to = run.iter().map(|row| row.to_ms).max().unwrap_or(0);
            bytes <= MERGED_BYTES && to.saturating_sub(from) <= span_ms
        };
        let Some(at) = self.subjects.windows(RUN).position(fits) else { return Ok(()) };
        let Some(run) = self.subjects.get(at..at + RUN) else { return Ok(()) };
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let (mut merged, mut unreadable) = (States::new(), None);
        for row in run {
            match row.states(&self.sql) {
                Ok(states) => {
                    for (key, state) in states {
                        match merged.get_mut(&key) {
                            Some(known) => known.merge(&state, &self.settings.subjects),
                            None => drop(merged.insert(key, state)),
                        }
                    }
                }
                Err(error) if error.is_damage() => unreadable = Some(row.id),
                Err(error) => return Err(error),
            }
        }
        if let Some(id) = unreadable {
            // It can tell nothing any more and would stand in the way of every merge.
            self.sql.query("DELETE FROM subjects WHERE id = ?", &[id.into()])?;
            self.subjects.retain(|row| row.id != id);
            self.counts.corrupt_rows += 1;
            return Ok(());
        }
        // From this statement on the row stands for the others, whether they are gone or not.
        let (since, last) = (first.since, last.clone());
        let row = last.update(&self.sql, since, &merged)?;
        self.subjects.splice(at..at + RUN, [row]);
        self.sql.query("DELETE FROM subjects WHERE id >= ? AND id < ?", &[since.into(), last.id.into()])?;
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
