//! Folded chunks: immutable rows of many sessions' events, with each session's state after them.
//!
//! A row has five parts, in the order in which questions need them: the **head** (read for every chunk when the store
//! opens), the **summary** (numbers of the sessions), the **postings** (which session met what), the **details** of the
//! sessions that have some, and the **events**. The newest chunk that names a session holds its whole state; older
//! ones are superseded in that place, which the newer one says. A row is written again only to erase a user, to leave out
//! what superseded sessions do not need any more (`slim.rs`), and where small neighbours become one (`merge.rs`): that one
//! takes the id of the last of them.

mod details;
mod erase;
mod filter;
mod merge;
mod postings;
mod slim;
mod summary;

pub use details::{kept as kept_of, told as told_of};
pub use erase::erase_user;
pub use filter::KeyFilter;
pub use merge::merge;
pub use postings::{Posting, Postings};
pub use slim::slim;
pub use summary::{Outline, Summary};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::columns::{self, EventColumns};
use super::sql::{Sql, Value, blob, integer};
use crate::detect::Memory;
use crate::query::SortBy;
use crate::session::{Dictionary, Event, Session, SessionId};

/// First byte of a head.
const VERSION: u8 = 3;

/// What is known of a chunk without reading more than its head.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    pub id: u64,
    /// It stands for all chunks from this one on up to its own.
    pub since: u64,
    /// Which merge made it what it is; 0 for none.
    pub merged: u64,
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
    slimmed: Slimmed,
    /// Whether nothing was found damaged when it was to be merged.
    pub is_readable: bool,
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
    /// Places in older chunks whose sessions are newer here.
    supersedes: Superseded,
    lineage: Lineage,
    slimmed: Slimmed,
}

/// What a chunk keeps for its sessions to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Slimmed {
    /// Size of that, bytes.
    kept: u64,
    /// How many sessions were superseded when it was last gone through.
    superseded: u64,
}

/// Where a chunk comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Lineage {
    /// As in [`Chunk`].
    since: u64,
    merged: u64,
    /// As it was when the chunk was made: newer chunks tell what came to it.
    superseded: Vec<u64>,
}

/// Where a session's newest folded state lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub chunk: u64,
    pub index: u32,
}

/// Sessions of one chunk that are newer elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupersededIn {
    pub chunk: u64,
    /// Indices are those of the chunk as this merge made it.
    merged: u64,
    indices: Vec<u32>,
}

/// The same of several chunks.
pub type Superseded = Vec<SupersededIn>;

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
    /// Writes the row. Answers what is known of the chunk, and what it supersedes of `older` ones.
    pub fn write(
        &self,
        sql: &dyn Sql,
        dictionary: &Dictionary,
        older: &[Chunk],
    ) -> Result<(Chunk, Superseded), StoreError> {
        let lineage = Lineage { since: self.id, ..Lineage::default() };
        let (head, filter, parts) = self.encode(dictionary, lineage, self.supersedes(older))?;
        let statement = "INSERT INTO chunks (head, summary, postings, details, events, journal_to, id) VALUES (?, ?, ?, ?, ?, ?, ?)";
        self.put(sql, statement, parts)?;
        Ok((Chunk::new(self.id, self.journal_to, &head, filter), head.supersedes))
    }

    /// Runs a statement that takes the parts of the row, the journal position and the id.
    fn put(&self, sql: &dyn Sql, statement: &str, parts: [Vec<u8>; 5]) -> Result<(), StoreError> {
        let numbers = [self.journal_to.into(), self.id.into()];
        let parameters: Vec<Value> = parts.map(Value::Blob).into_iter().chain(numbers).collect();
        sql.query(statement, &parameters)?;
        Ok(())
    }

    /// The head, as it is and encoded with the other parts of the row.
    fn encode(
        &self,
        dictionary: &Dictionary,
        lineage: Lineage,
        supersedes: Superseded,
    ) -> Result<(Head, KeyFilter, [Vec<u8>; 5]), StoreError> {
        let sessions: Vec<&Session> = self.sessions.iter().map(|(session, ..)| *session).collect();
        let ids: Vec<SessionId> = sessions.iter().map(|s| s.id).collect();
        let summary = summary::encode(&sessions, dictionary);
        let details = details::encode(self.sessions.iter().map(|(session, memory, _)| (*session, *memory)), dictionary);
        let events = columns::encode(&ids, &self.events).map_err(|_| StoreError::Corrupt("order of a fold"))?;
        let paths = EventColumns::decode(&events)?.path_texts()?;
        let counts: Vec<_> = sessions.iter().map(|session| &session.counts).collect();
        let postings = postings::encode(&counts, &paths, dictionary);
        let times = || self.events.iter().map(|(_, e)| e.time_ms);
        let seen = || sessions.iter().map(|s| s.last_seen_ms);
        let bytes = (summary.len() + postings.len() + details.len() + events.len()) as u64;
        let superseded = lineage.superseded.iter().map(|word| u64::from(word.count_ones())).sum();
        let slimmed = Slimmed { kept: details::kept_bytes(&details), superseded };
        let is_newest = |at: usize| !is_set(&lineage.superseded, at);
        let newest: Vec<&Session> = (0..).zip(&sessions).filter(|(at, _)| is_newest(*at)).map(|(_, s)| *s).collect();
        let filter = KeyFilter::of(ids.iter().map(|id| u128::from_be_bytes(id.0)));
        let head = Head {
            from_ms: times().min().or_else(|| seen().min()).unwrap_or(0),
            to_ms: times().max().or_else(|| seen().max()).unwrap_or(0),
            sessions: ids.len() as u64,
            events: self.events.len() as u64,
            bytes,
            bounds: SortBy::ALL.map(|sort| bounds(sort, &newest)),
            filter: filter.encode(),
            supersedes,
            lineage,
            slimmed,
        };
        let encoded = postcard::to_extend(&head, vec![VERSION]).map_err(|_| StoreError::Corrupt("chunk head"))?;
        Ok((head, filter, [encoded, summary, postings, details, events]))
    }

    fn supersedes(&self, older: &[Chunk]) -> Superseded {
        let mut places: Vec<Place> = self.sessions.iter().filter_map(|(_, _, place)| *place).collect();
        places.sort_unstable_by_key(|place| (place.chunk, place.index));
        let chunks = places.chunk_by(|a, b| a.chunk == b.chunk);
        let in_one = |places: &[Place]| {
            let chunk = places.first()?.chunk;
            let merged = find(older, chunk).map_or(0, |chunk| chunk.merged);
            Some(SupersededIn { chunk, merged, indices: places.iter().map(|place| place.index).collect() })
        };
        chunks.filter_map(in_one).collect()
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
            since: head.lineage.since,
            merged: head.lineage.merged,
            from_ms: head.from_ms,
            to_ms: head.to_ms,
            journal_to,
            sessions: usize::try_from(head.sessions).unwrap_or(0),
            events: head.events,
            bytes: head.bytes,
            bounds: head.bounds,
            filter,
            superseded: head.lineage.superseded.clone(),
            slimmed: head.slimmed,
            is_readable: true,
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
        is_set(&self.superseded, index)
    }

    /// Notes that the sessions with these indices have a newer state.
    fn supersede(&mut self, indices: &[u32]) {
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
        self.superseded_sessions() == self.sessions
    }

    /// How many sessions have a newer state elsewhere.
    fn superseded_sessions(&self) -> usize {
        self.superseded.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Memory its entry takes, bytes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.filter.bytes() + self.superseded.len() * 8
    }
}

/// Reads what is known of every chunk, oldest first; answers how many heads could not be read, too.
pub fn directory(sql: &dyn Sql) -> Result<(Vec<Chunk>, u64), StoreError> {
    const BATCH: u64 = 64;
    let (mut chunks, mut corrupt, mut after) = (Vec::<Chunk>::new(), 0, 0);
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
            // Where the rows that it stands for are still there, a merge was cut short.
            let since = head.lineage.since;
            if chunks.last().is_some_and(|before| before.id >= since) {
                chunks.retain(|before| before.id < since);
                remove_merged(sql, since, id)?;
            }
            supersede(&mut chunks, &head.supersedes);
            let filter = KeyFilter::decode(&head.filter);
            chunks.push(Chunk::new(id, journal_to, &head, filter));
        }
        if last {
            return Ok((chunks, corrupt));
        }
    }
}

/// Removes the rows that the chunk `id` stands for.
pub fn remove_merged(sql: &dyn Sql, since: u64, id: u64) -> Result<(), StoreError> {
    sql.query("DELETE FROM chunks WHERE id >= ? AND id < ?", &[since.into(), id.into()])?;
    Ok(())
}

/// The chunk with this id, if it is there.
pub fn find(chunks: &[Chunk], id: u64) -> Option<&Chunk> {
    chunks.binary_search_by_key(&id, |chunk| chunk.id).ok().and_then(|at| chunks.get(at))
}

/// Notes in the directory that sessions have a newer state, of those chunks that are still there as they were then.
pub fn supersede(chunks: &mut [Chunk], superseded: &Superseded) {
    for SupersededIn { chunk: id, merged, indices } in superseded {
        if let Ok(at) = chunks.binary_search_by_key(id, |chunk| chunk.id)
            && let Some(chunk) = chunks.get_mut(at).filter(|chunk| chunk.merged == *merged)
        {
            chunk.supersede(indices);
        }
    }
}

fn is_set(words: &[u64], bit: usize) -> bool {
    words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
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

/// Reads sessions, `wanted` by rising indices, with what detectors remember of each.
pub fn sessions(
    sql: &dyn Sql,
    id: u64,
    summary: &Summary<'_>,
    wanted: &[usize],
    dictionary: &mut Dictionary,
) -> Result<Vec<(Session, Memory)>, StoreError> {
    let mut found = whole_sessions(sql, id, summary, wanted, dictionary)?;
    found.iter_mut().for_each(|(session, _)| session.trim_findings());
    Ok(found)
}

/// Reads sessions as they are stored: where chunks were merged, with more findings than one keeps.
fn whole_sessions(
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
    const DAMAGED: StoreError = StoreError::Corrupt("chunk details");
    for (index, packed) in told_of(&bytes) {
        if let Some((session, _)) = found.get_mut(place(index)) {
            packed.open().ok_or(DAMAGED)?.complete(session, dictionary);
        }
    }
    for (index, packed) in kept_of(&bytes) {
        if let Some((session, memory)) = found.get_mut(place(index)) {
            *memory = packed.open().ok_or(DAMAGED)?.complete(session, dictionary);
        }
    }
    Ok(found)
}

/// What detectors remember of a session takes in its details, bytes.
pub fn memory_bytes(memory: &Memory) -> usize {
    if *memory == Memory::default() { 0 } else { postcard::to_allocvec(memory).map_or(0, |bytes| bytes.len()) }
}
