//! From journal to chunks: folding, and the alarm that brings it about.
//!
//! A fold is one slice of work by construction: the journal never grows beyond [`FOLD_AT_BYTES`] and one more flush.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chunk::{Chunk, Draft, Place, supersede};
use super::hot::Tracked;
use super::sql::Sql;
use super::{Folded, Store, StoreError, journal};
use crate::session::{Event, Kind, SessionId, Symbol};

/// The journal is folded by the alarm after this long, ms …
pub const FOLD_AFTER_MS: u64 = 300_000;
/// … or, when no alarm has come for this much longer, by the next flush …
const FOLD_GRACE_MS: u64 = 5_000;
/// … or by the flush that finds it this large, bytes: some 8,000 events, folded in a few hundredths of a second.
const FOLD_AT_BYTES: usize = 512 * 1024;
/// Sizes at which a chunk is full, bytes: of its events and of its sessions (upper estimates). With the one session
/// that goes over, at most a third of a megabyte, both stay within the two megabytes of a row.
const CHUNK_EVENT_BYTES: usize = 896 * 1024;
const CHUNK_SESSION_BYTES: usize = 640 * 1024;
/// What an event without its path takes in a chunk at the most, bytes.
const EVENT_BYTES: usize = 64;

/// What one chunk of a fold will hold.
#[derive(Default)]
struct Share<'a> {
    sessions: Vec<(&'a Tracked, Option<Place>)>,
    events: Vec<(u64, Event<'a>)>,
    texts: BTreeSet<&'a str>,
    values: BTreeSet<(Kind, u32)>,
    event_bytes: usize,
    session_bytes: usize,
}

impl<S: Sql> Store<S> {
    /// Whether a flush has to fold before it is taken: the journal is full, or the alarm did not come.
    pub(super) fn is_fold_due(&self, now_ms: u64) -> bool {
        let overdue = |since: u64| now_ms >= since.saturating_add(FOLD_AFTER_MS + FOLD_GRACE_MS);
        self.hot.journal_bytes >= FOLD_AT_BYTES || self.journal_since_ms.is_some_and(overdue)
    }

    /// Turns the whole journal into chunks.
    pub fn fold(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let Some(upto) = self.hot.batches.back().map(|b| b.seq) else { return Ok(()) };
        // A fold that failed half way left chunks that never counted.
        self.sql.query("DELETE FROM chunks WHERE id >= ?", &[self.next_chunk.into()])?;
        let (written, superseded, places) = self.write_chunks(upto)?;

        self.remember("applied", &self.applied)?;
        // The commit point: from here on the chunks count and the journal rows do not.
        self.remember("folded", &Folded { upto, pending: self.pending.clone(), known: self.known.clone() })?;
        journal::clear(&self.sql, upto, true)?;

        self.next_chunk += written.len() as u64;
        self.chunks.extend(written);
        for (chunk, indices) in superseded {
            supersede(&mut self.chunks, chunk, &indices);
        }
        self.hot.drop_folded(upto, |id| places.get(&id).copied());
        self.journal_since_ms = None;
        self.counts.folds += 1;
        self.expire(now_ms)?;
        self.hot.shrink(self.hot_budget());
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "three results of one pass, taken apart at once")]
    fn write_chunks(
        &self,
        upto: u64,
    ) -> Result<(Vec<Chunk>, Vec<(u64, Vec<u32>)>, HashMap<SessionId, Place>), StoreError> {
        let (mut written, mut superseded, mut places) = (Vec::new(), Vec::new(), HashMap::new());
        let journal_from = self.hot.batches.front().map_or(upto, |b| b.seq - 1);
        let mut finish = |share: Share<'_>| -> Result<Option<Place>, StoreError> {
            let id = self.next_chunk + written.len() as u64;
            let mut last = None;
            for (index, (tracked, _)) in (0u32..).zip(&share.sessions) {
                last = Some(Place { chunk: id, index });
                places.extend(last.map(|place| (tracked.session.id, place)));
            }
            let sessions = share.sessions.iter().map(|(t, place)| (&t.session, &t.memory, *place)).collect();
            let draft = Draft { id, journal_from, journal_to: upto, sessions, events: share.events };
            let (chunk, supersedes) = draft.write(&self.sql, &self.hot.dictionary)?;
            written.push(chunk);
            superseded.extend(supersedes);
            Ok(last)
        };
        let dirty: BTreeMap<SessionId, &Tracked> = self.hot.dirty().map(|t| (t.session.id, t)).collect();
        let mut share = Share::default();
        for tracked in dirty.into_values() {
            if share.session_bytes >= CHUNK_SESSION_BYTES || share.event_bytes >= CHUNK_EVENT_BYTES {
                finish(core::mem::take(&mut share))?;
            }
            share.session_bytes += self.new_bytes(tracked, &mut share.values);
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

    /// What a session adds to a chunk at the most: itself, and the values no session there has met.
    fn new_bytes(&self, tracked: &Tracked, met: &mut BTreeSet<(Kind, u32)>) -> usize {
        let mut bytes = tracked.session.bytes() + super::chunk::memory_bytes(&tracked.memory);
        for kind in Kind::ALL {
            for (number, _) in tracked.session.counts.of(kind) {
                if met.insert((kind, number)) {
                    bytes += self.hot.dictionary.text(Symbol(number)).len();
                }
            }
        }
        bytes
    }

    /// In how long the alarm is due, ms: for the fold while there is a journal, for retention while there is anything.
    pub fn alarm_after(&self, now_ms: u64) -> Option<u64> {
        const DAY_MS: u64 = 86_400_000;
        let fold = self.journal_since_ms.map(|since| since + FOLD_AFTER_MS);
        let retention = self.chunks.first().map(|c| c.to_ms + self.settings.retention_ms + DAY_MS);
        [fold, retention].into_iter().flatten().min().map(|at| at.saturating_sub(now_ms))
    }

    /// What the alarm does; due or not, it is safe to call at any time and again.
    pub fn alarm(&mut self, now_ms: u64) -> Result<(), StoreError> {
        self.fold(now_ms)?;
        self.expire(now_ms)
    }
}

impl<'a> Share<'a> {
    /// What an event adds at the most: itself, and the texts no event there has.
    fn bytes_of(&mut self, event: &Event<'a>) -> usize {
        let texts = [event.host, event.template, event.user_agent, event.ja4, event.user, event.roles, event.feedback];
        let new = texts.into_iter().filter(|text| self.texts.insert(text)).map(str::len).sum::<usize>();
        // A path that is its own template stands there once.
        let path = if event.path == event.template { 0 } else { event.path.len() };
        EVENT_BYTES + path + new
    }
}
