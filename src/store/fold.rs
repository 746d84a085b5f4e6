//! From journal to chunks: folding, and the alarm that brings it about.
//!
//! A fold goes through the sessions in sixteen parts. Each slice folds some of them, as many as are little work, up to the
//! end of the journal and then says so in one statement; when all parts are through, the journal up to where the fold began is superfluous. So a
//! slice is some hundredths of a second of work however busy the shard is, and traffic is served between two.

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chunk::{Chunk, Draft, Place, Superseded, supersede};
use super::hot::Tracked;
use super::partition::{PARTITIONS, partition};
use super::sql::Sql;
use super::subjects::Sightings;
use super::{Cycle, Folded, Store, StoreError};
use crate::session::{Event, Kind, SessionId, Symbol};

/// The journal is folded by the alarm when its oldest row is this old, ms …
pub const FOLD_AFTER_MS: u64 = 300_000;
/// … or this old while it is small: many small chunks make questions slow …
const FOLD_SMALL_AFTER_MS: u64 = 1_800_000;
const SMALL_BYTES: usize = 256 * 1024;
/// … or, when no alarm has come for this much longer, by the next flush …
const FOLD_GRACE_MS: u64 = 5_000;
/// How large the journal grows before it is folded, and in how large slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldSizes {
    /// Flushes fold from this size on, bytes, a slice for every sixteenth of it that comes. The journal so never exceeds
    /// twice the size. Larger folds write fewer states of a session that goes on (each takes some seventy bytes), and
    /// take more memory: a journaled event takes about twice its bytes there.
    pub at_bytes: usize,
    /// One slice folds about this much of the journal, bytes, at the least one part of the sessions.
    pub one_slice_bytes: usize,
    /// So many small chunks in a row become one.
    pub merged_chunks: usize,
    /// Chunks that keep so much for sessions to go on, bytes, leave out what is superseded; less is not worth a row written.
    pub slimmed_bytes: u64,
}

impl Default for FoldSizes {
    /// Some 50,000 events, and some 12,000.
    fn default() -> Self {
        Self { at_bytes: 3 * 1024 * 1024, one_slice_bytes: 768 * 1024, merged_chunks: 8, slimmed_bytes: 16 * 1024 }
    }
}

/// Time between two slices that an alarm does, ms.
const BETWEEN_SLICES_MS: u64 = 20;
/// Sizes at which a chunk is full, bytes: of its events and of its sessions (upper estimates). With the one session
/// that goes over, at most a third of a megabyte, both stay within the two megabytes of a row.
const CHUNK_EVENT_BYTES: usize = 896 * 1024;
const CHUNK_SESSION_BYTES: usize = 640 * 1024;
/// What an event without its path takes in a chunk at the most, bytes.
const EVENT_BYTES: usize = 56;
/// Texts up to this long are in it, bytes.
const SHORT_TEXT: usize = 8;

/// Kinds of value that are texts of any length.
const TEXTS: [Kind; 6] = [Kind::Endpoint, Kind::Agent, Kind::User, Kind::Role, Kind::Attempted, Kind::Param];

/// The chunks a slice wrote, what they supersede, and where its sessions lie now.
type Written = (Vec<Chunk>, Superseded, HashMap<SessionId, Place>);

/// What one chunk of a fold will hold.
#[derive(Default)]
struct Share<'a> {
    sessions: Vec<(&'a Tracked, Option<Place>)>,
    events: Vec<(u64, Event<'a>)>,
    /// Texts that count already, by where they lie in memory: each batch has a text once.
    texts: BTreeSet<usize>,
    /// Texts of the dictionary that count already, by number.
    met: Vec<bool>,
    event_bytes: usize,
    session_bytes: usize,
}

impl<S: Sql> Store<S> {
    /// Whether a flush has to do a slice before it is taken: the journal is large, or the alarm did not come.
    pub(super) fn is_slice_due(&self, now_ms: u64) -> bool {
        let at_bytes = self.settings.fold.at_bytes;
        let large = self.hot.journal_bytes >= at_bytes && self.since_slice >= at_bytes / PARTITIONS;
        large || self.fold_at_ms().is_some_and(|at| now_ms >= at.saturating_add(FOLD_GRACE_MS))
    }

    /// When the journal is old enough to be folded, epoch ms.
    fn fold_at_ms(&self) -> Option<u64> {
        let age = if self.hot.journal_bytes < SMALL_BYTES { FOLD_SMALL_AFTER_MS } else { FOLD_AFTER_MS };
        self.journal_since_ms.map(|since| since.saturating_add(age))
    }

    /// Turns the whole journal into chunks.
    pub fn fold(&mut self, now_ms: u64) -> Result<(), StoreError> {
        while !self.hot.batches.is_empty() {
            self.fold_slice(now_ms)?;
        }
        Ok(())
    }

    /// Does the next slice of a fold, and begins one if none is under way.
    pub(super) fn fold_slice(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let Some(end) = self.hot.batches.back().map(|b| b.seq) else { return Ok(()) };
        self.since_slice = 0;
        if self.cycle.is_none() {
            self.settle_before_fold(end, now_ms)?;
            // What comes from here on outlives this fold.
            self.journal.begin(&self.sql, end + 1)?;
        }
        let (business, common) = (&mut self.business, &self.common);
        let cycle = self.cycle.get_or_insert_with(|| {
            business.trim();
            let (pending, known, business) = (self.pending.clone(), self.known.clone(), business.clone());
            let folded = Folded { upto: end, pending, known, business };
            Cycle { folded, common: common.clone(), next: 0, sightings: Sightings::default() }
        });
        let fitting = PARTITIONS.saturating_mul(self.settings.fold.one_slice_bytes).checked_div(self.hot.journal_bytes);
        let last = (cycle.next + fitting.unwrap_or(PARTITIONS).max(1)).min(PARTITIONS);
        let parts = cycle.next..last;
        // A slice that failed half way left chunks that never counted.
        self.sql.query("DELETE FROM chunks WHERE id >= ?", &[self.next_chunk.into()])?;
        let (written, superseded, places) = self.write_chunks(end, &parts)?;
        self.sql.query("DELETE FROM subjects WHERE id > ?", &[self.marks.last_subjects.into()])?;
        // If this slice fails they are found anew by the next one.
        let mut sightings = self.cycle.as_mut().map(|cycle| core::mem::take(&mut cycle.sightings)).unwrap_or_default();
        self.sight(&mut sightings, end);
        let subjects = self.write_subjects(&sightings, &parts, self.marks.last_subjects + 1)?;
        let mut marks = self.marks.clone();
        marks.fold(&parts, end, self.next_chunk + written.len() as u64 - 1);
        marks.last_subjects += subjects.len() as u64;
        // The commit point: from here on the chunks count and what the journal says of these parts does not.
        self.commit_slice(&marks)?;

        self.marks = marks;
        self.next_chunk += written.len() as u64;
        self.chunks.extend(written);
        self.subjects.extend(subjects);
        supersede(&mut self.chunks, &superseded);
        self.hot.pack(|id| parts.contains(&partition(id)), |id| places.get(&id).copied());
        self.merge_subjects(&parts)?;
        self.slim_chunks()?;
        match self.cycle.take() {
            Some(cycle) if last == PARTITIONS => self.end_cycle(&cycle, now_ms),
            cycle => {
                self.cycle = cycle.map(|cycle| Cycle { next: last, sightings, ..cycle });
                Ok(())
            }
        }
    }

    /// All parts are folded beyond where the fold began: what was journaled by then can go.
    fn end_cycle(&mut self, cycle: &Cycle, now_ms: u64) -> Result<(), StoreError> {
        let upto = cycle.folded.upto;
        self.remember("applied", &self.applied)?;
        super::remember_both(&self.sql, ("folded", &cycle.folded), ("common", &cycle.common))?;
        self.journal.drop_folded(&self.sql, upto)?;
        self.hot.drop_batches(upto);
        self.parted.folded(upto);
        // What is left came after the fold began.
        self.journal_since_ms = self.hot.batches.front().map(|_| now_ms);
        self.counts.folds += 1;
        self.expire(now_ms)?;
        self.merge_due = self.next_run().is_some();
        self.hot.shrink(self.hot_budget());
        Ok(())
    }

    fn write_chunks(&self, upto: u64, parts: &Range<usize>) -> Result<Written, StoreError> {
        let (mut written, mut superseded, mut places) = (Vec::new(), Vec::new(), HashMap::new());
        let mut finish = |share: Share<'_>| -> Result<Option<Place>, StoreError> {
            let id = self.next_chunk + written.len() as u64;
            let mut last = None;
            for (index, (tracked, _)) in (0u32..).zip(&share.sessions) {
                last = Some(Place { chunk: id, index });
                places.extend(last.map(|place| (tracked.session.id, place)));
            }
            let sessions = share.sessions.iter().map(|(t, place)| (&t.session, &t.memory, *place)).collect();
            let draft = Draft { id, journal_to: upto, sessions, events: share.events };
            let (chunk, supersedes) = draft.write(&self.sql, &self.hot.dictionary, &self.chunks)?;
            written.push(chunk);
            superseded.extend(supersedes);
            Ok(last)
        };
        let dirty = self.hot.dirty().filter(|t| parts.contains(&partition(t.session.id)));
        let dirty: BTreeMap<SessionId, &Tracked> = dirty.map(|t| (t.session.id, t)).collect();
        let mut share = Share::default();
        for tracked in dirty.into_values() {
            if share.session_bytes >= CHUNK_SESSION_BYTES || share.event_bytes >= CHUNK_EVENT_BYTES {
                finish(core::mem::take(&mut share))?;
            }
            share.session_bytes += self.new_bytes(tracked, &mut share.met);
            share.sessions.push((tracked, tracked.place));
            let mut events: Vec<(u64, Event<'_>)> = self.hot.events_of(tracked).collect();
            events.sort_by_key(|(_, event)| event.id);
            for (seq, event) in events {
                if share.event_bytes >= CHUNK_EVENT_BYTES {
                    // One session with more events than a chunk holds goes on in the next one.
                    let place = finish(core::mem::take(&mut share))?;
                    share.sessions.push((tracked, place));
                }
                share.event_bytes += share.bytes_of(&event);
                share.events.push((seq, event));
            }
        }
        if !share.sessions.is_empty() {
            finish(share)?;
        }
        Ok((written, superseded, places))
    }

    /// What a session adds to a chunk at the most: itself, and the texts no session there has met.
    fn new_bytes(&self, tracked: &Tracked, met: &mut Vec<bool>) -> usize {
        met.resize(self.hot.dictionary.len(), false);
        let mut bytes = tracked.session.bytes() + super::chunk::memory_bytes(&tracked.memory);
        for kind in TEXTS {
            for (number, _) in tracked.session.counts.of(kind) {
                if let Some(met) = met.get_mut(number as usize).filter(|met| !**met) {
                    *met = true;
                    // A text may be met as several kinds of value.
                    bytes += self.hot.dictionary.text(Symbol(number)).len() * 2;
                }
            }
        }
        bytes
    }

    /// In how long the alarm is due, ms: for the fold while there is a journal, for retention while there is anything.
    pub fn alarm_after(&self, now_ms: u64) -> Option<u64> {
        const DAY_MS: u64 = 86_400_000;
        let next_slice = now_ms + if self.cycle.is_some() { BETWEEN_SLICES_MS } else { 0 };
        let fold = self.fold_at_ms().map(|at| at.max(next_slice));
        let retention = self.chunks.first().map(|c| c.to_ms + self.settings.retention_ms + DAY_MS);
        let merge = self.merge_due.then_some(now_ms + BETWEEN_SLICES_MS);
        // What the fleet could not be told while there was traffic is tried again, by the fold's alarm where there is one.
        let untold = (fold.is_none() && self.has_untold()).then(|| now_ms + FOLD_AFTER_MS);
        [fold, merge, retention, untold].into_iter().flatten().min().map(|at| at.saturating_sub(now_ms))
    }

    /// What the alarm does: one slice of a fold, if one is due or under way, else one merge, and retention. Safe to call at
    /// any time and again.
    pub fn alarm(&mut self, now_ms: u64) -> Result<(), StoreError> {
        if self.cycle.is_some() || self.fold_at_ms().is_some_and(|at| now_ms >= at) {
            self.fold_slice(now_ms)?;
        } else if self.merge_due {
            self.merge_chunks()?;
        }
        self.expire(now_ms)
    }
}

impl<'a> Share<'a> {
    /// What an event adds at the most: itself, and the texts no event there has.
    fn bytes_of(&mut self, event: &Event<'a>) -> usize {
        // What is short is in [`EVENT_BYTES`].
        let texts = [event.host, event.template, event.user_agent, event.ja4, event.user, event.roles, event.feedback];
        let long = texts.into_iter().filter(|text| text.len() > SHORT_TEXT);
        let new: usize = long.filter(|text| self.texts.insert(text.as_ptr() as usize)).map(str::len).sum();
        // A path that is its own template stands there once.
        let path = if event.path == event.template { 0 } else { event.path.len() };
        EVENT_BYTES + path + new + event.params.bytes()
    }
}
