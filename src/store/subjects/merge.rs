//! Few rows of subjects out of many: those about the same parts are merged while they are small, four of a size at a time, and
//! go when they are old.

use core::ops::Range;

use super::row::{Body, Draft, Entry, Row, remove};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::subject::{Subject, SubjectKey};

/// So many rows of about one size are merged into one …
const RUN: usize = 4;
/// … as long as they do not hold more than this, bytes …
const MERGED_BYTES: u64 = 1536 * 1024;
/// … nor more than this part of the time things are kept for: what is merged goes as one.
const MERGED_SPAN: u64 = 8;
/// A slice of a fold goes on merging until it has merged so much, bytes. A busy shard's slice brings a megabyte.
const SLICE_BYTES: u64 = 2 * MERGED_BYTES;
/// Subjects may take this part of what chunks may.
const SIZE_SHARE: u64 = 8;

/// The row that cannot be read.
struct Unreadable(u64);

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

    /// Rows about exactly these parts that may become one, in the order of their ids. None of them is larger than the others
    /// together: what is large is not written again for each small row that comes.
    fn run_about(&self, parts: &Range<usize>) -> Option<Vec<Row>> {
        let span_ms = self.settings.retention_ms / MERGED_SPAN;
        let mut rows: Vec<&Row> = self.subjects.iter().filter(|row| row.parts == *parts).collect();
        rows.sort_by_key(|row| row.bytes);
        let fits = |run: &&[&Row]| {
            let bytes: u64 = run.iter().map(|row| row.bytes).sum();
            let largest = run.last().map_or(0, |row| row.bytes);
            let from_ms = run.iter().map(|row| row.from_ms).min().unwrap_or(0);
            let to_ms = run.iter().map(|row| row.to_ms).max().unwrap_or(0);
            bytes <= MERGED_BYTES && largest * 2 <= bytes && to_ms - from_ms <= span_ms
        };
        let mut run: Vec<Row> = rows.windows(RUN).find(fits)?.iter().map(|row| (*row).clone()).collect();
        run.sort_by_key(|row| row.id);
        Some(run)
    }

    fn merge_subject_run(&mut self, mut run: Vec<Row>) -> Result<(), StoreError> {
        let mut bodies = Vec::new();
        for row in &run {
            match row.body(&self.sql) {
                Ok(body) => bodies.push((row.id, body)),
                Err(error) if error.is_damage() => return self.give_up(row.id),
                Err(error) => return Err(error),
            }
        }
        let draft = match self.merged(&run, &bodies) {
            Ok(draft) => draft,
            Err(Unreadable(id)) => return self.give_up(id),
        };
        let Some(last) = run.pop() else { return Ok(()) };
        let sources: Vec<u64> = run.iter().map(|row| row.id).collect();
        // From this statement on the row stands for the others, whether they are gone or not.
        let row = last.update(&self.sql, sources, draft)?;
        self.subjects.retain(|other| !row.sources.contains(&other.id));
        if let Some(slot) = self.subjects.iter_mut().find(|other| other.id == row.id) {
            *slot = row;
        }
        self.remove_sources()
    }

    /// Removes a row that can tell nothing any more and would stand in the way of every merge.
    fn give_up(&mut self, id: u64) -> Result<(), StoreError> {
        remove(&self.sql, &[id])?;
        self.subjects.retain(|row| row.id != id);
        self.counts.corrupt_rows += 1;
        Ok(())
    }

    /// What the rows hold, each subject once. Who is in one of them only, which is nearly everybody, is not even decoded.
    fn merged(&self, run: &[Row], bodies: &[(u64, Body)]) -> Result<Draft, Unreadable> {
        let mut entries: Vec<(u64, Entry<'_>)> = Vec::new();
        for (id, body) in bodies {
            entries.extend(body.entries().map_err(|_| Unreadable(*id))?.into_iter().map(|entry| (*id, entry)));
        }
        entries.sort_by_key(|(_, entry)| entry.key);
        let mut draft = Draft::about(run.iter());
        for of_one in entries.chunk_by(|(_, a), (_, b)| a.key == b.key) {
            let [(_, alone)] = of_one else {
                let mut sum: Option<(SubjectKey, Subject)> = None;
                for (id, entry) in of_one {
                    let state = entry.state().map_err(|_| Unreadable(*id))?;
                    match &mut sum {
                        Some((_, sum)) => sum.merge(&state, &self.settings.subjects),
                        None => sum = Some((entry.key, state)),
                    }
                }
                if let Some((key, mut state)) = sum {
                    state.settle(draft.to_ms());
                    draft.add(key, &state);
                }
                continue;
            };
            draft.copy(alone);
        }
        Ok(draft)
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
