//! Who is seen in the journal: found in one pass over its events, so that each slice of a fold looks only at those events
//! again that are about subjects of its parts.

use core::ops::Range;
use std::rc::Rc;

use super::row::{Draft, Row};
use super::{Agents, Met};
use crate::session::Event;
use crate::store::partition::{PARTITIONS, partition_of};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::subject::{Family, Kind, Subject, SubjectHash, SubjectKey, identities, sighting_of};

/// A row is full at this size, bytes.
const ROW_BYTES: usize = 1024 * 1024;
/// What a slice has to say of subjects is one row up to this size, bytes; beyond, each part has rows of its own.
const SHARED_BYTES: usize = 64 * 1024;

/// Sightings in the journal up to a position, as far as they are not folded.
#[derive(Debug, Default)]
pub struct Sightings {
    /// Journal position of the first batch and the last.
    from: u64,
    upto: u64,
    /// By subject, each in the order of the journal; those of a part are a stretch of them.
    all: Vec<Sighting>,
    /// Users of sessions, where the event names none itself.
    users: Vec<Rc<str>>,
    /// Epoch ms of the newest event.
    to_ms: u64,
}

/// That a subject is seen in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sighting {
    /// The subject's [`SubjectKey::prefix`].
    prefix: u64,
    kind: Kind,
    at: At,
    /// Index of the user, where the session knows it; else [`NOBODY`].
    user: u32,
}

const NOBODY: u32 = u32::MAX;

/// Where an event is: how far its batch is from the first one, and the index among its events or among its glimpses.
/// There is one for every subject of every event of a large journal, so they are small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    batch: u32,
    is_glimpse: bool,
    index: u32,
}

impl Sightings {
    /// Adds one for each subject of the event that `counts`; `named` is the session's user where that is who called.
    fn add(
        &mut self,
        at: At,
        event: &Event<'_>,
        named: Option<Rc<str>>,
        agent: Family<'_>,
        hash: &SubjectHash,
        counts: impl Fn(&SubjectKey) -> bool,
    ) {
        self.to_ms = self.to_ms.max(event.time_ms);
        let event = Event { user: named.as_deref().unwrap_or(event.user), ..*event };
        let keys = identities(&event, agent).map(|of| of.key(hash)).filter(counts);
        let user = named.as_ref().and_then(|_| u32::try_from(self.users.len()).ok()).unwrap_or(NOBODY);
        self.all.extend(keys.map(|key| Sighting { prefix: key.prefix(), kind: key.kind, at, user }));
        self.users.extend(named);
    }

    /// Those about subjects of these parts.
    fn of_parts(&self, parts: &Range<usize>) -> &[Sighting] {
        let begin = |part: usize| self.all.partition_point(|seen| part_of(seen.prefix) < part);
        self.all.get(begin(parts.start)..begin(parts.end)).unwrap_or_default()
    }
}

/// The part of a subject, by the beginning of its hash.
fn part_of(prefix: u64) -> usize {
    const BITS: u32 = PARTITIONS.ilog2();
    (prefix >> (u64::BITS - BITS)) as usize
}

impl<S: Sql> Store<S> {
    /// Goes through what came to the journal since the sightings there are, up to `end`.
    pub(in crate::store) fn sight(&self, sightings: &mut Sightings, end: u64) {
        let (hash, since, before) = (&self.settings.subjects, sightings.upto, sightings.all.len());
        let mut met = Met::new();
        if sightings.all.is_empty() {
            sightings.from = self.hot.batches.front().map_or(0, |hot| hot.seq);
        }
        let from = sightings.from;
        for hot in self.hot.batches.iter().filter(|hot| hot.seq > since && hot.seq <= end) {
            let (seq, batch, layout) = (hot.seq, &hot.batch, hot.batch.layout());
            // A journal is folded long before it has so many rows.
            let batch_number = u32::try_from(seq - from).unwrap_or(u32::MAX);
            let mut agents = Agents::default();
            let unfolded = |key: &SubjectKey| !self.marks.is_part_folded(partition_of(key), seq);
            for (index, event) in (0u32..).zip(batch.events()) {
                let (here, agent) = (event.session.shard(layout), agents.of(event.user_agent));
                let named = self.user_met(&event, &mut met).and_then(|user| self.hot.dictionary.shared(user));
                let counts = |key: &SubjectKey| key.shard(layout) == here && unfolded(key);
                sightings.add(At { batch: batch_number, is_glimpse: false, index }, &event, named, agent, hash, counts);
            }
            for (index, (kinds, event)) in (0u32..).zip(batch.glimpses()) {
                let agent = agents.of(event.user_agent);
                let counts = |key: &SubjectKey| key.kind.is_in(kinds) && unfolded(key);
                sightings.add(At { batch: batch_number, is_glimpse: true, index }, &event, None, agent, hash, counts);
            }
        }
        sightings.upto = end;
        if sightings.all.len() > before {
            sightings.all.sort_unstable();
        }
    }

    /// Writes what they say about the subjects of these parts.
    pub(in crate::store) fn write_subjects(
        &self,
        sightings: &Sightings,
        parts: &Range<usize>,
        first_row: u64,
    ) -> Result<Vec<Row>, StoreError> {
        let mut drafts: Vec<(usize, Draft)> = Vec::new();
        for seen in sightings.of_parts(parts).chunk_by(|a, b| (a.prefix, a.kind) == (b.prefix, b.kind)) {
            let Some((key, mut state)) = self.sum(seen, sightings) else { continue };
            state.settle(sightings.to_ms);
            let part = partition_of(&key);
            if !drafts.last().is_some_and(|(about, draft)| *about == part && draft.bytes() < ROW_BYTES) {
                drafts.push((part, Draft::default()));
            }
            if let Some((_, draft)) = drafts.last_mut() {
                draft.add(key, &state);
            }
        }
        if drafts.iter().map(|(_, draft)| draft.bytes()).sum::<usize>() <= SHARED_BYTES {
            let together = drafts.into_iter().map(|(_, draft)| draft).reduce(Draft::joined);
            let row = together.map(|draft| draft.insert(&self.sql, first_row, parts.clone()));
            return Ok(row.transpose()?.into_iter().collect());
        }
        let numbered = (first_row..).zip(drafts);
        numbered.map(|(id, (part, draft))| draft.insert(&self.sql, id, part..part + 1)).collect()
    }

    /// What these sightings of one subject add up to.
    fn sum(&self, seen: &[Sighting], sightings: &Sightings) -> Option<(SubjectKey, Subject)> {
        let (hash, mut sum) = (&self.settings.subjects, None);
        for Sighting { kind, at: At { batch, is_glimpse, index }, user, .. } in seen.iter().copied() {
            let batch = self.hot.batch(sightings.from + u64::from(batch))?;
            let event = if is_glimpse { batch.glimpsed(index as usize) } else { batch.event(index as usize) }?;
            let named = sightings.users.get(user as usize);
            let event = Event { user: named.map_or(event.user, AsRef::as_ref), ..event };
            let seen = sighting_of(&event, kind, hash)?;
            let (_, state) = sum.get_or_insert_with(|| (seen.of.key(hash), Subject::new(&seen)));
            state.observe(&seen, hash);
        }
        sum
    }
}
