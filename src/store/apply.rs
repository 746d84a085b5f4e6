//! Taking flushes in: read, made durable in as few rows as hold them, then taken into memory.

use std::collections::HashSet;

use super::hot::HotBatch;
use super::sql::Sql;
use super::take::Outcome;
use super::{Store, StoreError, journal, sessions_of};
use crate::session::Batch;
use crate::verdict::Block;
use crate::wire::Flush;

impl<S: Sql> Store<S> {
    /// Makes a flush durable, once, and takes its events in. Answers what follows for whoever sent it.
    pub fn apply(&mut self, flush: &Flush, now_ms: u64) -> Result<Outcome, StoreError> {
        let outcome = self.apply_all(core::slice::from_ref(flush), now_ms).pop();
        outcome.unwrap_or(Err(StoreError::Corrupt("no answer")))
    }

    /// Makes flushes durable together, in as few rows as hold them; answers them in their order.
    pub fn apply_all(&mut self, flushes: &[Flush], now_ms: u64) -> Vec<Result<Outcome, StoreError>> {
        if self.is_slice_due(now_ms) && self.fold_slice(now_ms).is_err() {
            // A flush is worth more than the fold, which is tried again.
            self.counts.fold_failures += 1;
        }
        let mut outcomes = Vec::new();
        let mut rest = flushes;
        while let Some(first) = rest.first() {
            let mut bytes = first.batch.len();
            let fitting = rest.iter().skip(1).take_while(|flush| {
                bytes += flush.batch.len();
                bytes <= journal::MAX_ROW_BYTES
            });
            let (row, others) = rest.split_at((1 + fitting.count()).min(rest.len()));
            outcomes.extend(self.apply_row(row, now_ms));
            rest = others;
        }
        outcomes
    }

    /// Makes flushes durable in one row.
    fn apply_row(&mut self, flushes: &[Flush], now_ms: u64) -> Vec<Result<Outcome, StoreError>> {
        let mut fresh = HashSet::new();
        let mut read: Vec<Result<(bool, Batch), StoreError>> = Vec::new();
        for flush in flushes {
            let is_new = !self.applied.has(flush.isolate, flush.sequence);
            read.push(Batch::decode(&flush.batch).map_err(StoreError::from).map(|batch| {
                let is_first = is_new && fresh.insert((flush.isolate, flush.sequence));
                (is_first, batch)
            }));
        }
        if let Err(error) = self.write_row(flushes, &read) {
            return flushes.iter().map(|_| Err(error.clone())).collect();
        }
        let mut outcomes = Vec::new();
        for (flush, read) in flushes.iter().zip(read) {
            outcomes.push(match read {
                Ok((true, batch)) => self.apply_one(flush, batch, now_ms),
                Ok((false, batch)) => {
                    self.counts.duplicate_flushes += 1;
                    // The answer was lost, perhaps; what it said is said again.
                    Ok(self.outcome(flush, &batch, Vec::new()))
                }
                Err(error) => {
                    self.counts.refused_flushes += 1;
                    Err(error)
                }
            });
        }
        outcomes
    }

    /// Reads what the flushes are about into memory, and writes those that are new as one row.
    fn write_row(&mut self, flushes: &[Flush], read: &[Result<(bool, Batch), StoreError>]) -> Result<(), StoreError> {
        let batches = || read.iter().filter_map(|read| read.as_ref().ok()).map(|(_, batch)| batch);
        let questions = flushes.iter().flat_map(|flush| flush.questions.iter().copied());
        self.load(batches().flat_map(sessions_of).chain(questions))?;
        let is_new = |read: &Result<(bool, Batch), StoreError>| matches!(read, Ok((true, _)));
        let fresh = flushes.iter().zip(read).filter(|(_, read)| is_new(read)).map(|(flush, _)| journal::Entry {
            isolate: flush.isolate,
            sequence: flush.sequence,
            batch: flush.batch.clone(),
        });
        let fresh: Vec<_> = fresh.collect();
        if fresh.is_empty() { Ok(()) } else { self.journal.write(&self.sql, self.next_seq, &fresh) }
    }

    /// Takes in a flush that is journaled.
    fn apply_one(&mut self, flush: &Flush, batch: Batch, now_ms: u64) -> Result<Outcome, StoreError> {
        self.applied.add(flush.isolate, flush.sequence);
        self.counts.flushes += 1;
        self.counts.isolates.add(&flush.counts);
        self.journal_since_ms.get_or_insert(now_ms);
        let imposed = self.take_in(flush.batch.len(), batch);
        let batch = self.hot.batches.back().map(|hot| &hot.batch);
        let outcome = batch.map(|batch| self.outcome(flush, batch, imposed)).unwrap_or_default();
        for block in &outcome.imposed {
            self.impose(block.clone())?;
        }
        Ok(outcome)
    }

    /// Takes a journaled batch, the next one, into memory.
    pub(super) fn take_in(&mut self, bytes: usize, batch: Batch) -> Vec<Block> {
        let seq = self.next_seq;
        self.next_seq += 1;
        if self.load_strangers(&batch).is_err() {
            // Durable it is already; only the far end of a link that is taken back cannot be told.
            self.counts.corrupt_rows += 1;
        }
        self.load_waiting(&batch);
        let imposed = self.take(seq, &batch);
        self.since_slice += bytes;
        self.deltas.seal(seq);
        self.hot.push(HotBatch { seq, batch, bytes });
        imposed
    }
}
