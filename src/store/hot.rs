//! What is in memory: sessions with their state, and the events the journal holds.
//!
//! Sessions that something happened to since the last fold are **live**; all others are **packed** into a few hundred
//! bytes each and unpacked when something happens to them again.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::chunk::Place;
use crate::detect::Memory;
use crate::session::{Batch, Dictionary, Event, Session, SessionId};

/// A session as the shard tracks it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tracked {
    pub session: Session,
    pub memory: Memory,
    /// Where its state was last folded to.
    pub place: Option<Place>,
    /// Its events in the journal, as (journal position, index in the batch).
    #[serde(skip)]
    pub events: Vec<(u64, u32)>,
    /// Whether something changed since it was last folded.
    #[serde(skip)]
    pub dirty: bool,
}

impl Tracked {
    /// A session that nothing is known of but what it brings.
    pub fn new(session: Session, memory: Memory, place: Option<Place>) -> Self {
        Self { session, memory, place, events: Vec::new(), dirty: false }
    }

    fn bytes(&self) -> usize {
        self.session.bytes()
            + size_of::<Memory>()
            + self.memory.bytes()
            + self.events.capacity() * size_of::<(u64, u32)>()
    }
}

#[derive(Debug)]
enum Slot {
    Live(Box<Tracked>),
    /// When it was last seen, epoch ms, and everything in postcard.
    Packed(u64, Box<[u8]>),
}

/// What a session's slot in the table costs beside its state, bytes: the table is never more than 7/8 full.
const SLOT_BYTES: usize = (size_of::<SessionId>() + size_of::<Slot>()) * 3 / 2;

/// A journaled batch, decoded.
#[derive(Debug)]
pub struct HotBatch {
    pub seq: u64,
    pub batch: Batch,
    /// Encoded size.
    pub bytes: usize,
}

/// Sessions and batches in memory; everything here can be rebuilt from the database.
#[derive(Debug, Default)]
pub struct Hot {
    /// Keys are outputs of a keyed hash, so no client can choose them to collide.
    sessions: HashMap<SessionId, Slot>,
    pub dictionary: Dictionary,
    pub batches: VecDeque<HotBatch>,
    pub journal_bytes: usize,
    packed_bytes: usize,
}

impl Hot {
    /// The batch journaled at the position `seq`.
    pub fn batch(&self, seq: u64) -> Option<&Batch> {
        let at = self.batches.binary_search_by_key(&seq, |batch| batch.seq).ok()?;
        self.batches.get(at).map(|b| &b.batch)
    }

    /// A session's events that are in the journal, in the order journaled, with their positions.
    pub fn events_of<'a>(&'a self, tracked: &'a Tracked) -> impl Iterator<Item = (u64, Event<'a>)> {
        tracked.events.iter().filter_map(|(seq, index)| Some((*seq, self.batch(*seq)?.event(*index as usize)?)))
    }

    /// How many sessions are in memory.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether the session is in memory.
    pub fn has(&self, id: SessionId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// Whether something happened to the session since the last fold.
    pub fn is_dirty(&self, id: SessionId) -> bool {
        matches!(self.sessions.get(&id), Some(Slot::Live(tracked)) if tracked.dirty)
    }

    /// Looks at a session.
    pub fn get(&self, id: SessionId) -> Option<Cow<'_, Tracked>> {
        self.sessions.get(&id).and_then(look)
    }

    /// The session, live.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Tracked> {
        Self::live(self.sessions.get_mut(&id)?, &mut self.packed_bytes)
    }

    fn live<'s>(slot: &'s mut Slot, packed_bytes: &mut usize) -> Option<&'s mut Tracked> {
        if let Slot::Packed(_, bytes) = slot {
            *packed_bytes = packed_bytes.saturating_sub(bytes.len());
            *slot = Slot::Live(Box::new(unpack(bytes)?));
        }
        match slot {
            Slot::Live(tracked) => Some(tracked),
            Slot::Packed(..) => None,
        }
    }

    /// The session, live, made by `new` where it is not in memory; and the dictionary its texts are in.
    pub fn entry(
        &mut self,
        id: SessionId,
        new: impl FnOnce(&mut Dictionary) -> Tracked,
    ) -> Option<(&mut Tracked, &mut Dictionary)> {
        let slot = self.sessions.entry(id).or_insert_with(|| Slot::Live(Box::new(new(&mut self.dictionary))));
        Some((Self::live(slot, &mut self.packed_bytes)?, &mut self.dictionary))
    }

    /// Takes in a session that was read from a chunk.
    pub fn insert(&mut self, tracked: Tracked) {
        self.sessions.insert(tracked.session.id, Slot::Live(Box::new(tracked)));
    }

    /// Looks at the sessions that changed since the last fold, in no order.
    pub fn dirty(&self) -> impl Iterator<Item = &Tracked> {
        self.sessions.values().filter_map(|slot| match slot {
            Slot::Live(tracked) if tracked.dirty => Some(&**tracked),
            Slot::Live(_) | Slot::Packed(..) => None,
        })
    }

    /// Takes a journaled batch in.
    pub fn push(&mut self, batch: HotBatch) {
        self.journal_bytes += batch.bytes;
        self.batches.push_back(batch);
    }

    /// Forgets the batches up to `seq`: they are folded.
    pub fn drop_batches(&mut self, seq: u64) {
        while self.batches.front().is_some_and(|b| b.seq <= seq) {
            if let Some(batch) = self.batches.pop_front() {
                self.journal_bytes = self.journal_bytes.saturating_sub(batch.bytes);
            }
        }
    }

    /// Packs the sessions that `goes` says are folded; `place` says where each lies now.
    pub fn pack(&mut self, goes: impl Fn(SessionId) -> bool, place: impl Fn(SessionId) -> Option<Place>) {
        for (id, slot) in self.sessions.iter_mut().filter(|(id, _)| goes(**id)) {
            let Slot::Live(tracked) = slot else { continue };
            tracked.place = place(*id).or(tracked.place);
            tracked.events.clear();
            tracked.dirty = false;
            if let Ok(bytes) = postcard::to_allocvec(&**tracked) {
                self.packed_bytes += bytes.len();
                *slot = Slot::Packed(tracked.session.last_seen_ms, bytes.into_boxed_slice());
            }
        }
    }

    /// Notes where a session's folded state lies now, if the session is in memory.
    pub fn move_to(&mut self, id: SessionId, place: Place) {
        match self.sessions.get_mut(&id) {
            None => {}
            Some(Slot::Live(tracked)) => tracked.place = Some(place),
            Some(Slot::Packed(_, bytes)) => {
                let Some(tracked) = unpack(bytes).map(|tracked| Tracked { place: Some(place), ..tracked }) else {
                    return;
                };
                if let Ok(packed) = postcard::to_allocvec(&tracked) {
                    self.packed_bytes = (self.packed_bytes + packed.len()).saturating_sub(bytes.len());
                    *bytes = packed.into_boxed_slice();
                }
            }
        }
    }

    /// Drops what was last seen before `horizon_ms`, and has nothing in the journal.
    pub fn expire(&mut self, horizon_ms: u64) {
        let packed_bytes = &mut self.packed_bytes;
        self.sessions.retain(|_, slot| match slot {
            Slot::Live(tracked) => tracked.dirty || tracked.session.last_seen_ms >= horizon_ms,
            Slot::Packed(last_seen, bytes) => {
                let stays = *last_seen >= horizon_ms;
                *packed_bytes -= if stays { 0 } else { bytes.len() };
                stays
            }
        });
    }

    /// About how much memory sessions and dictionary take, bytes.
    pub fn bytes(&self) -> usize {
        let live: usize = self
            .sessions
            .values()
            .map(|slot| match slot {
                Slot::Live(tracked) => tracked.bytes(),
                Slot::Packed(..) => 0,
            })
            .sum();
        live + self.packed_bytes + self.sessions.len() * SLOT_BYTES + self.dictionary.bytes()
    }

    /// Drops packed sessions, those seen longest ago first, until four fifths of `max_bytes` remain, if it is more now,
    /// and forgets the texts that nobody refers to any more.
    pub fn shrink(&mut self, max_bytes: usize) {
        let total = self.bytes();
        if total <= max_bytes {
            return;
        }
        let mut by_age: Vec<(u64, SessionId, usize)> = Vec::new();
        for (id, slot) in &self.sessions {
            if let Slot::Packed(last_seen, bytes) = slot {
                by_age.push((*last_seen, *id, bytes.len()));
            }
        }
        by_age.sort_unstable();
        // A session's texts go with it: on average its share of the dictionary.
        let share = self.dictionary.bytes() / self.sessions.len().max(1);
        let mut excess = total.saturating_sub(max_bytes / 5 * 4);
        for (_, id, bytes) in by_age {
            if excess == 0 {
                break;
            }
            self.sessions.remove(&id);
            self.packed_bytes = self.packed_bytes.saturating_sub(bytes);
            excess = excess.saturating_sub(bytes + SLOT_BYTES + share);
        }
        self.sessions.shrink_to_fit();
        self.renumber();
    }

    /// Takes a user out of everything in memory. Sessions in which nothing happened since the last fold are forgotten:
    /// their chunks, erased before, say what they are. Answers how many sessions named the user, and the places of the
    /// events that did, as (journal position, index in the batch).
    pub fn erase_user(&mut self, forms: &[String]) -> (u64, Vec<(u64, u32)>) {
        let is_user = |text: &str| forms.iter().any(|form| form == text);
        let (mut sessions, mut events) = (0, Vec::new());
        for hot in &mut self.batches {
            let Some(places) = hot.batch.erase_user(is_user) else { continue };
            events.extend(places.into_iter().map(|place| (hot.seq, place as u32)));
            let bytes = hot.batch.encode().len();
            self.journal_bytes = (self.journal_bytes + bytes).saturating_sub(hot.bytes);
            hot.bytes = bytes;
        }
        let dictionary = &self.dictionary;
        self.sessions.retain(|_, slot| match slot {
            Slot::Live(tracked) if tracked.dirty => {
                let erased = tracked.session.erase_user(dictionary, forms);
                sessions += u64::from(erased);
                true
            }
            Slot::Live(_) | Slot::Packed(..) => false,
        });
        self.renumber();
        (sessions, events)
    }

    /// Starts the dictionary over with what is in use.
    fn renumber(&mut self) {
        let old = core::mem::take(&mut self.dictionary);
        self.packed_bytes = 0;
        for slot in self.sessions.values_mut() {
            match slot {
                Slot::Live(tracked) => tracked.session.renumber(&old, &mut self.dictionary),
                Slot::Packed(_, bytes) => {
                    let Some(mut tracked) = unpack(bytes) else { continue };
                    tracked.session.renumber(&old, &mut self.dictionary);
                    if let Ok(packed) = postcard::to_allocvec(&tracked) {
                        *bytes = packed.into_boxed_slice();
                    }
                    self.packed_bytes += bytes.len();
                }
            }
        }
    }
}

fn look(slot: &Slot) -> Option<Cow<'_, Tracked>> {
    match slot {
        Slot::Live(tracked) => Some(Cow::Borrowed(tracked)),
        Slot::Packed(_, bytes) => unpack(bytes).map(Cow::Owned),
    }
}

/// What was packed here can be unpacked here.
fn unpack(bytes: &[u8]) -> Option<Tracked> {
    postcard::from_bytes(bytes).ok()
}
