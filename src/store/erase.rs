//! Erasing a user: every text that names it leaves the shard, sessions and events stay.
//!
//! Chunks are gone through in the order of their ids, then subjects, then the journal row by row, then memory, in slices between which
//! traffic is served. What is folded between two slices becomes chunks with higher ids, which are still to come; memory
//! is last, when there is nothing left that could bring the user back into it. Every step is one statement, so what a
//! crash leaves is sound, and erasing again does what is left.

use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::sql::Sql;
use super::subjects::Sightings;
use super::{Store, StoreError, chunk};
use crate::session::{Batch, SessionId};
use crate::verdict::{Block, Subject};

/// Erasures whose progress is remembered; of more, one begins anew when it is repeated.
const MAX_UNDER_WAY: usize = 64;

/// How much one slice does at the most; the chunk or row that goes over is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EraseSizes {
    /// Bytes looked at: some ten milliseconds of work.
    pub look_bytes: u64,
    /// Bytes written anew, which takes longer: some fifty milliseconds of work.
    pub write_bytes: u64,
}

impl Default for EraseSizes {
    fn default() -> Self {
        Self { look_bytes: 8 * 1024 * 1024, write_bytes: 512 * 1024 }
    }
}

/// What a slice of an erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Erased {
    /// Sessions that named the user.
    pub sessions: u64,
    /// Events that did.
    pub events: u64,
    /// Chunks written anew.
    pub chunks: u64,
    /// Chunks and journal rows that could not be read, so that nobody knows whom they name.
    pub unreadable: u64,
    /// Whether nothing is left to do.
    pub done: bool,
}

impl Erased {
    /// Adds what another slice, or another shard, did.
    pub fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.events += other.events;
        self.chunks += other.chunks;
        self.unreadable += other.unreadable;
        self.done &= other.done;
    }
}

/// An erasure under way: what lies before these holds the user no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnderWay {
    /// The first of the texts that name the user.
    name: String,
    next_chunk: u64,
    next_subjects: u64,
    next_row: u64,
    /// What could not be read so far.
    unreadable: u64,
}

/// What is left of a slice.
struct Budget(EraseSizes);

impl Budget {
    fn take(&mut self, looked: u64, written: u64) {
        self.0.look_bytes = self.0.look_bytes.saturating_sub(looked);
        self.0.write_bytes = self.0.write_bytes.saturating_sub(written);
    }

    fn is_spent(&self) -> bool {
        self.0.look_bytes == 0 || self.0.write_bytes == 0
    }
}

impl<S: Sql> Store<S> {
    /// Takes a user out of the shard, or does the next slice of that; `forms` are all texts that name it. To be called
    /// until it is done.
    pub fn erase_user(&mut self, forms: &[String], sizes: EraseSizes) -> Result<Erased, StoreError> {
        let forms: Vec<String> = forms.iter().filter(|form| !form.is_empty()).cloned().collect();
        let Some(name) = forms.first() else { return Ok(Erased { done: true, ..Erased::default() }) };
        let at = self.erasures.iter().position(|under_way| under_way.name == *name);
        let begun = UnderWay { name: name.clone(), next_chunk: 0, next_subjects: 0, next_row: 0, unreadable: 0 };
        let mut under_way = at.map_or(begun, |at| self.erasures.remove(at));
        let (mut erased, mut budget) = (Erased::default(), Budget(sizes));
        self.forget_user(&forms)?;
        if let Some(cycle) = &mut self.cycle {
            // They name it; the next slice finds them anew.
            cycle.sightings = Sightings::default();
        }
        let outcome = self.erase_slice(&forms, &mut under_way, &mut erased, &mut budget);
        if outcome.is_err() || !erased.done {
            if self.erasures.len() >= MAX_UNDER_WAY {
                self.erasures.remove(0);
            }
            self.erasures.push(under_way);
        }
        outcome.map(|()| erased)
    }

    /// Takes a user out of what is common to all sessions, and out of blocks the fleet has not confirmed.
    fn forget_user(&mut self, forms: &[String]) -> Result<(), StoreError> {
        let hashes = core::iter::once(self.settings.subjects).chain(self.settings.former_subjects);
        for hash in hashes.collect::<Vec<_>>() {
            for form in forms {
                self.common.crowd.forget_user(form, &hash);
                self.common.ownership.forget_user(hash.of_texts(&[form]));
            }
        }
        let is_of = |block: &Block| matches!(&block.subject, Subject::User(user) if forms.contains(user));
        let gone: Vec<u64> = self.outbox.iter().filter(|(_, block)| is_of(block)).map(|(id, _)| *id).collect();
        for id in gone {
            self.sql.query("DELETE FROM outbox WHERE id = ?", &[id.into()])?;
            self.outbox.remove(&id);
        }
        Ok(())
    }

    fn erase_slice(
        &mut self,
        forms: &[String],
        under_way: &mut UnderWay,
        erased: &mut Erased,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        self.remove_merged()?;
        // A fold that failed half way left chunks that never counted.
        self.sql.query("DELETE FROM chunks WHERE id >= ?", &[self.next_chunk.into()])?;
        while let Some(at) = self.chunks.iter().position(|chunk| chunk.id >= under_way.next_chunk) {
            if budget.is_spent() {
                return Ok(());
            }
            self.erase_chunk(at, forms, under_way, erased, budget)?;
        }
        while let Some(at) = self.subjects.iter().position(|row| row.id >= under_way.next_subjects) {
            if budget.is_spent() {
                return Ok(());
            }
            let (id, bytes) = self.subjects.get(at).map_or((0, 0), |row| (row.id, row.bytes));
            match self.erase_from_subjects(at, forms) {
                Ok(written) => budget.take(bytes, if written { bytes } else { 0 }),
                Err(error) if error.is_damage() => under_way.unreadable += 1,
                Err(error) => return Err(error),
            }
            under_way.next_subjects = id + 1;
        }
        for (table, row) in self.journal.rows(&self.sql)? {
            if row < under_way.next_row {
                continue;
            }
            if budget.is_spent() {
                return Ok(());
            }
            self.erase_row((table, row), forms, under_way, budget)?;
        }
        self.erase_untold(forms)?;
        let (sessions, events) = self.hot.erase_user(forms);
        erased.sessions += sessions;
        let is_unfolded = |(seq, index): &(u64, u32)| {
            let event = self.hot.batch(*seq).and_then(|batch| batch.event(*index as usize));
            event.is_some_and(|event| !self.marks.is_folded(event.session, *seq))
        };
        erased.events += events.iter().filter(|place| is_unfolded(place)).count() as u64;
        erased.unreadable = under_way.unreadable;
        erased.done = true;
        Ok(())
    }

    /// Takes the user out of the chunk at this place of the directory.
    fn erase_chunk(
        &mut self,
        at: usize,
        forms: &[String],
        under_way: &mut UnderWay,
        erased: &mut Erased,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        let Some(chunk) = self.chunks.get_mut(at) else { return Ok(()) };
        let looked = chunk.bytes;
        match chunk::erase_user(&self.sql, chunk, forms) {
            Ok(None) => budget.take(looked, 0),
            Ok(Some(done)) => {
                chunk.bytes = done.bytes;
                budget.take(looked, done.bytes);
                erased.chunks += 1;
                erased.events += done.events;
                // Each session once: where its newest state lies.
                let is_newest =
                    |(index, id): &&(usize, SessionId)| !chunk.is_superseded(*index) && !self.hot.is_dirty(*id);
                erased.sessions += done.sessions.iter().filter(is_newest).count() as u64;
            }
            Err(StoreError::Sql(error)) => return Err(error.into()),
            Err(_) => {
                budget.take(looked, 0);
                under_way.unreadable += 1;
            }
        }
        under_way.next_chunk = chunk.id + 1;
        Ok(())
    }

    /// Takes the user out of a row of the journal.
    fn erase_row(
        &self,
        (table, row): (u64, u64),
        forms: &[String],
        under_way: &mut UnderWay,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        let is_user = |text: &str| forms.iter().any(|form| form == text);
        let entries = Journal::read(&self.sql, table, row)?;
        under_way.unreadable += u64::from(entries.is_none());
        let (mut entries, mut written) = (entries.unwrap_or_default(), false);
        for entry in &mut entries {
            match Batch::decode(&entry.batch) {
                Ok(mut batch) => {
                    if batch.erase_user(is_user).is_some() {
                        entry.batch = batch.encode();
                        written = true;
                    }
                }
                Err(_) => under_way.unreadable += 1,
            }
        }
        let bytes = entries.iter().map(|entry| entry.batch.len() as u64).sum();
        if written {
            Journal::rewrite(&self.sql, table, row, &entries)?;
        }
        budget.take(bytes, if written { bytes } else { 0 });
        under_way.next_row = row + 1;
        Ok(())
    }
}
