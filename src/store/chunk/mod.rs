//! Folded chunks: immutable rows of many sessions' events, with each session's state after them.
//!
//! A row has five parts, in the order in which questions need them: the **head** (read for every chunk when the store
//! opens), the **summary** (numbers of the sessions), the **postings** (which session met what), the **details** of the
//! few sessions that have some, and the **events**. The newest chunk that names a session holds its whole state; older
//! ones are superseded in that place, which the newer one says, so that no row is ever written twice but to erase a user.

mod details;
mod erase;
mod filter;
mod postings;
mod summary;

pub use details::all as details_of;
pub use erase::erase_user;
pub use filter::KeyFilter;
pub use postings::Postings;
pub use summary::{Outline, Summary};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::columns;
use super::sql::{Sql, Value, blob, integer};
use crate::detect::Memory;
use crate::query::SortBy;
use crate::session::{Dictionary, Event, Session, SessionId};

/// First byte of a head.
const VERSION: u8 = 1;

/// What is known of a chunk without reading more than its head.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    pub id: u64,
    /// First and last event; where there is none, first and last sight of the sessions, epoch ms.
    pub from_ms: u64,
    pub to_ms: u64,
    /// Highest journal position whose events can be in it; it never falls from chunk to chunk.
    pub journal_to: u64,
    pub sessions: usize,
    pub events: u64,
    /// Size of the row, bytes.
    pub bytes: u64,
    bounds: [Bounds; SortBy::ALL.len()],
    filter: KeyFilter,
    /// Bit `i`: the session with index `i` has a newer state elsewhere.
    superseded: Vec<u64>,
}

/// Lowest and highest sort value of a chunk's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub min: u64,
    pub max: u64,
}

/// A head as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    from_ms: u64,
    to_ms: u64,
    sessions: u64,
    events: u64,
    bytes: u64,
    bounds: [Bounds; SortBy::ALL.len()],
    filter: Vec<u8>,
    /// Places in older chunks whose sessions are newer here: chunk, and indices.
    supersedes: Superseded,
}

/// Where a session's newest folded state lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub chunk: u64,
    pub index: u32,
}

/// Chunks, each with the indices of sessions that are newer elsewhere.
pub type Superseded = Vec<(u64, Vec<u32>)>;

/// What becomes a chunk.
#[derive(Debug)]
pub struct Draft<'a> {
    pub id: u64,
    pub journal_to: u64,
    /// Sorted by id, each once, with where its state before this one lies.
    pub sessions: Vec<(&'a Session, &'a Memory, Option<Place>)>,
    /// With their journal positions, sorted by session, then id.
    pub events: Vec<(u64, Event<'a>)>,
}

impl Draft<'_> {
    /// Writes the row. Answers what is known of the chunk, and what it supersedes.
    pub fn write(&self, sql: &dyn Sql, dictionary: &Dictionary) -> Result<(Chunk, Superseded), StoreError> {
        let sessions: Vec<&Session> = self.sessions.iter().map(|(session, ..)| *session).collect();
        let ids: Vec<SessionId> = sessions.iter().map(|s| s.id).collect();
        let summary = summary::encode(&sessions, dictionary);
        let postings = postings::encode(&sessions.iter().map(|s| &s.counts).collect::<Vec<_>>(), dictionary);
        let details = details::encode(self.sessions.iter().map(|(session, memory, _)| (*session, *memory)), dictionary);
        let events = columns::encode(&ids, &self.events).map_err(|_| StoreError::Corrupt("order of a fold"))?;
        let times = || self.events.iter().map(|(_, e)| e.time_ms);
        let seen = || sessions.iter().map(|s| s.last_seen_ms);
        let bytes = (summary.len() + postings.len() + details.len() + events.len()) as u64;
        let filter = KeyFilter::of(ids.iter().map(|id| u128::from_be_bytes(id.0)));
        let head = Head {
            from_ms: times().min().or_else(|| seen().min()).unwrap_or(0),
            to_ms: times().max().or_else(|| seen().max()).unwrap_or(0),
            sessions: ids.len() as u64,
            events: self.events.len() as u64,
            bytes,
            bounds: SortBy::ALL.map(|sort| bounds(sort, &sessions)),
            filter: filter.encode(),
            supersedes: self.supersedes(),
        };
        let encoded = postcard::to_extend(&head, vec![VERSION]).map_err(|_| StoreError::Corrupt("chunk head"))?;
        sql.query(
            "INSERT INTO chunks (id, journal_to, head, summary, postings, details, events) VALUES (?, ?, ?, ?, ?, ?, ?)",
            &[
                self.id.into(),
                self.journal_to.into(),
                Value::Blob(encoded),
                Value::Blob(summary),
                Value::Blob(postings),
                Value::Blob(details),
                Value::Blob(events),
            ],
        )?;
        Ok((Chunk::new(self.id, self.journal_to, &head, filter), head.supersedes))
    }

    fn supersedes(&self) -> Superseded {
        let mut places: Vec<Place> = self.sessions.iter().filter_map(|(_, _, place)| *place).collect();
        places.sort_unstable_by_key(|place| (place.chunk, place.index));
        let chunks = places.chunk_by(|a, b| a.chunk == b.chunk);
        chunks.filter_map(|of| Some((of.first()?.chunk, of.iter().map(|p| p.index).collect()))).collect()
    }
}

fn bounds(sort: SortBy, sessions: &[&Session]) -> Bounds {
    let highest = sessions.iter().map(|s| sort.value(s.first_seen_ms, s.last_seen_ms, s.requests, s.risk.peak()));
    // Risk fades, so only what it was at its highest bounds it.
    let lowest = sessions.iter().map(|s| sort.value(s.first_seen_ms, s.last_seen_ms, s.requests, 0));
    Bounds { min: lowest.min().unwrap_or(0), max: highest.max().unwrap_or(0) }
}

impl Chunk {
    fn new(id: u64, journal_to: u64, head: &Head, filter: KeyFilter) -> Self {
        Self {
            id,
            from_ms: head.from_ms,
            to_ms: head.to_ms,
            journal_to,
            sessions: usize::try_from(head.sessions).unwrap_or(0),
            events: head.events,
            bytes: head.bytes,
            bounds: head.bounds,
            filter,
            superseded: Vec::new(),
        }
    }

    /// Whether the chunk may hold the session, by its filter.
    pub fn may_hold(&self, id: SessionId) -> bool {
        self.filter.may_hold(u128::from_be_bytes(id.0))
    }

    /// Between which sort values its sessions lie.
    pub fn bounds(&self, sort: SortBy) -> Bounds {
        let at = SortBy::ALL.iter().position(|each| *each == sort).unwrap_or(0);
        self.bounds.get(at).copied().unwrap_or(Bounds { min: 0, max: u64::MAX })
    }

    /// Whether the session with this index has a newer state elsewhere.
    pub fn is_superseded(&self, index: usize) -> bool {
        self.superseded.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Notes that the sessions with these indices have a newer state.
    pub fn supersede(&mut self, indices: &[u32]) {
        for index in indices.iter().map(|index| *index as usize).filter(|index| *index < self.sessions) {
            if self.superseded.is_empty() {
                self.superseded = vec![0; self.sessions.div_ceil(64)];
            }
            if let Some(word) = self.superseded.get_mut(index / 64) {
                *word |= 1 << (index % 64);
            }
        }
    }

    /// Whether no session here has its newest state here.
    pub fn is_all_superseded(&self) -> bool {
        self.superseded.iter().map(|word| word.count_ones() as usize).sum::<usize>() == self.sessions
    }

    /// Memory its entry takes, bytes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.filter.bytes() + self.superseded.len() * 8
    }
}

/// Reads what is known of every chunk, oldest first; answers how many heads could not be read, too.
pub fn directory(sql: &dyn Sql) -> Result<(Vec<Chunk>, u64), StoreError> {
    const BATCH: u64 = 64;
    let (mut chunks, mut corrupt, mut after) = (Vec::new(), 0, 0);
    loop {
        let statement = "SELECT id, journal_to, head FROM chunks WHERE id > ? ORDER BY id LIMIT ?";
        let rows = sql.query(statement, &[after.into(), BATCH.into()])?;
        let last = (rows.len() as u64) < BATCH;
        for mut row in rows {
            let (id, journal_to) = (integer(&row, 0).unsigned_abs(), integer(&row, 1).unsigned_abs());
            after = id;
            let bytes = blob(&mut row, 2);
            let head = bytes.strip_prefix(&[VERSION]).and_then(|body| postcard::from_bytes::<Head>(body).ok());
            let Some(head) = head else {
                corrupt += 1;
                continue;
            };
            for (older, indices) in &head.supersedes {
                supersede(&mut chunks, *older, indices);
            }
            let filter = KeyFilter::decode(&head.filter);
            chunks.push(Chunk::new(id, journal_to, &head, filter));
        }
        if last {
            return Ok((chunks, corrupt));
        }
    }
}

/// Notes in the directory that sessions of the chunk `id`, if it is still there, have a newer state.
pub fn supersede(chunks: &mut [Chunk], id: u64, indices: &[u32]) {
    if let Ok(at) = chunks.binary_search_by_key(&id, |chunk| chunk.id)
        && let Some(chunk) = chunks.get_mut(at)
    {
        chunk.supersede(indices);
    }
}

/// A part of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Summary,
    Postings,
    Details,
    Events,
}

/// Reads one part of a chunk.
pub fn read(sql: &dyn Sql, id: u64, part: Part) -> Result<Vec<u8>, StoreError> {
    let statement = match part {
        Part::Summary => "SELECT summary FROM chunks WHERE id = ?",
        Part::Postings => "SELECT postings FROM chunks WHERE id = ?",
        Part::Details => "SELECT details FROM chunks WHERE id = ?",
        Part::Events => "SELECT events FROM chunks WHERE id = ?",
    };
    let mut rows = sql.query(statement, &[id.into()])?;
    rows.first_mut().map(|row| blob(row, 0)).ok_or(StoreError::Corrupt("missing chunk"))
}

/// Opens a summary that was read.
pub fn open_summary(bytes: &[u8]) -> Result<Summary<'_>, StoreError> {
    Summary::open(bytes).ok_or(StoreError::Corrupt("chunk summary"))
}

/// Reads whole sessions, `wanted` by rising indices, with what detectors remember of each.
pub fn sessions(
    sql: &dyn Sql,
    id: u64,
    summary: &Summary<'_>,
    wanted: &[usize],
    dictionary: &mut Dictionary,
) -> Result<Vec<(Session, Memory)>, StoreError> {
    let mut found: Vec<(Session, Memory)> =
        summary.sessions(wanted, dictionary).into_iter().map(|session| (session, Memory::default())).collect();
    if found.len() != wanted.len() {
        return Err(StoreError::Corrupt("chunk summary"));
    }
    let mut position = vec![u32::MAX; summary.len()];
    for (at, index) in (0u32..).zip(wanted) {
        if let Some(slot) = position.get_mut(*index) {
            *slot = at;
        }
    }
    let place = |index: usize| position.get(index).map_or(usize::MAX, |at| *at as usize);
    let bytes = read(sql, id, Part::Postings)?;
    for kind in crate::session::Kind::ALL {
        for posting in Postings(&bytes).of(kind) {
            let mut number = None;
            for (index, n) in posting.sessions() {
                let Some((session, _)) = found.get_mut(place(index)) else { continue };
                match posting.value {
                    Some(value) => {
                        let number = *number.get_or_insert_with(|| value.number(dictionary));
                        session.counts.add(kind, number, n);
                    }
                    None => session.counts.add_rest(kind, n),
                }
            }
        }
    }
    let bytes = read(sql, id, Part::Details)?;
    for (index, packed) in details_of(&bytes) {
        if let Some((session, memory)) = found.get_mut(place(index)) {
            let details = packed.open().ok_or(StoreError::Corrupt("chunk details"))?;
            *memory = details.complete(session, dictionary);
        }
    }
    Ok(found)
}

/// What detectors remember of a session takes in its details, bytes.
pub fn memory_bytes(memory: &Memory) -> usize {
    if *memory == Memory::default() { 0 } else { postcard::to_allocvec(memory).map_or(0, |bytes| bytes.len()) }
}
