//! One shard's store: journal → hot state → folded chunks, over SQL.
//!
//! - Flushes become a journal row before anything in memory changes, alone ([`Store::apply`]) or as a group
//!   ([`Store::apply_all`]).
//! - Memory is a pure function of the folded chunks and the journal; [`Store::open`] rebuilds it.
//! - [`Store::fold`] turns the journal into immutable chunks, a part of the sessions at a time. The commit point of each
//!   slice is one statement (the `marks`): chunks beyond it are unfinished and removed at the next open. Rows of the
//!   journal are superfluous when all parts are folded beyond them, which the `folded` value says.
//! - What a batch changes in memory is in `take.rs`, folding and the alarm in `fold.rs`, what becomes of small chunks in
//!   `merge.rs` and of old ones in `retention.rs`, reading in `read/`.
//!
//! Every method runs to its end without an await: in a Durable Object nothing interleaves.

mod applied;
mod apply;
mod ask;
mod business;
mod bytes;
mod chunk;
pub mod columns;
mod conclude;
mod deltas;
mod erase;
mod fold;
mod hot;
mod journal;
mod merge;
mod newcomers;
mod parted;
mod partition;
mod pending;
mod read;
mod reservations;
mod retention;
mod schema;
pub mod sql;
mod subjects;
mod take;

pub use applied::WINDOW as FLUSH_WINDOW;
pub use ask::Answer;
pub use erase::{EraseSizes, Erased};
pub use fold::FoldSizes;
pub use newcomers::Allowance;
pub use read::Health;
pub use schema::migrate;
pub use subjects::Wanted as WantedSubject;
pub use take::Outcome;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::detect::{self, Common, KnownEndpoints, Reservations as Attempts};
use crate::ordered::OrderedMap;
use crate::session::{Batch, DecodeError, SessionId};
use crate::subject::SubjectHash;
use crate::verdict::{Allowed, Block, BlockChange, BlockChanges, BlockLog, BlockNews};
use crate::wire::IsolateCounts;
use applied::Applied;
use chunk::{Chunk, Part, Place};
use deltas::Deltas;
use hot::{Hot, Tracked};
use journal::{Entry, Journal};
use newcomers::Newcomers;
use parted::Parted;
use partition::Marks;
use pending::Pending;
use reservations::Reservations;
use sql::{Sql, SqlError, Value, blob, integer};
use subjects::Sightings;

/// Blocks waiting for the fleet; when it stays away longer, further ones hold in this shard alone.
const MAX_OUTBOX: usize = 1_000;

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("storage failed")]
    Sql(#[from] SqlError),
    #[error("the batch cannot be read")]
    Batch(#[from] DecodeError),
    #[error("stored data is damaged: {0}")]
    Corrupt(&'static str),
    #[error("stored events are damaged")]
    Events(#[from] columns::Damaged),
}

impl StoreError {
    /// Whether something that was stored cannot be read, which costs what it held and nothing else; storage that fails is
    /// another matter.
    fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::Events(_))
    }
}

/// How the store behaves, from the policy.
#[derive(Debug, Clone)]
pub struct Settings {
    pub detectors: detect::Settings,
    pub business: detect::business::Settings,
    /// Whether blocks are imposed, or only noted as what would have been.
    pub enforce: bool,
    /// Who is never acted on.
    pub allow: Vec<Allowed>,
    pub retention_ms: u64,
    /// Bytes of folded chunks kept; beyond that the oldest go before their time.
    pub max_bytes: u64,
    pub fold: FoldSizes,
    /// Unproven sessions a client may start here before every isolate is told.
    pub newcomers: Allowance,
    /// What subjects are named and counted by, and what they were named by under the secret before.
    pub subjects: SubjectHash,
    pub former_subjects: Option<SubjectHash>,
}

/// Sums since the object was created or last evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub events: u64,
    pub flushes: u64,
    pub duplicate_flushes: u64,
    pub refused_flushes: u64,
    pub findings: u64,
    pub folds: u64,
    /// Folds that a flush found due and that failed; each is tried again.
    pub fold_failures: u64,
    /// Chunks that were dropped before their time because there were too many bytes of them.
    pub chunks_dropped_for_size: u64,
    pub asks: u64,
    pub corrupt_rows: u64,
    pub isolates: IsolateCounts,
}

/// Up to where the journal is folded, and what was foretold and known by then: one value, because one without the other
/// would lose or repeat what the journal since then says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Folded {
    upto: u64,
    pending: Pending,
    known: KnownEndpoints,
    business: detect::business::Shared,
}

/// A fold under way: what was foretold and known when it began, and what is remembered across sessions, to be kept when it ends.
#[derive(Debug)]
struct Cycle {
    folded: Folded,
    common: Common,
    /// The first part that is left.
    next: usize,
    sightings: Sightings,
}

/// A shard's store.
#[derive(Debug)]
pub struct Store<S> {
    sql: S,
    settings: Settings,
    hot: Hot,
    /// Oldest first.
    chunks: Vec<Chunk>,
    applied: Applied,
    known: KnownEndpoints,
    /// What watches and flows remember across sessions.
    business: detect::business::Shared,
    common: Common,
    /// Logins that were let go on and have no outcome yet.
    under_way: Attempts,
    pending: Pending,
    newcomers: Newcomers,
    reservations: Reservations,
    parted: Parted,
    installed_ms: u64,
    blocks: BlockLog,
    /// Blocks imposed here that the fleet has not confirmed, by their row.
    outbox: OrderedMap<u64, Block>,
    journal: Journal,
    next_seq: u64,
    next_chunk: u64,
    marks: Marks,
    cycle: Option<Cycle>,
    /// Whether there are small chunks to be merged.
    merge_due: bool,
    /// Number of the newest merge.
    merges: u64,
    /// Rows that a chunk stands for and that could not be removed: the first, and the chunk.
    unremoved: Option<(u64, u64)>,
    /// Longest ago begun first.
    erasures: Vec<erase::UnderWay>,
    /// Bytes journaled since the last slice of a fold.
    since_slice: usize,
    /// When the oldest journal row was written, epoch ms; `None` while there is none.
    journal_since_ms: Option<u64>,
    counts: Counts,
    deltas: Deltas,
    /// In the order of their ids.
    subjects: Vec<subjects::Row>,
}

impl<S: Sql> Store<S> {
    /// Migrates the database and rebuilds memory from it.
    pub fn open(sql: S, settings: Settings, now_ms: u64) -> Result<Self, StoreError> {
        schema::migrate_shard(&sql)?;
        let Folded { upto: folded, pending, known, business } = named(&sql, "folded")?.unwrap_or_default();
        // What cannot be read any more is learned again.
        let common = named(&sql, "common").or_else(|error| if error.is_damage() { Ok(None) } else { Err(error) })?;
        let marks: Marks = named(&sql, "marks")?.unwrap_or_default();
        let written: Option<(Marks, Deltas, Newcomers, Parted)> = named(&sql, "marks").ok().flatten();
        let (newcomers, parted) = written.map(|(.., newcomers, parted)| (newcomers, parted)).unwrap_or_default();
        sql.query("DELETE FROM chunks WHERE id > ?", &[marks.last_chunk.into()])?;
        let journal = Journal::open(&sql, folded)?;
        let (chunks, corrupt_rows) = chunk::directory(&sql)?;
        let (subjects, damaged_subjects) = subjects::Row::all(&sql, marks.last_subjects)?;
        let (outbox, damaged_blocks) = read_outbox(&sql)?;
        let mut store = Self {
            applied: named(&sql, "applied")?.unwrap_or_default(),
            known,
            business,
            common: common.unwrap_or_default(),
            under_way: Attempts::default(),
            pending,
            newcomers,
            reservations: Reservations::default(),
            parted,
            installed_ms: installed(&sql, now_ms)?,
            next_chunk: marks.last_chunk + 1,
            marks,
            cycle: None,
            merge_due: false,
            merges: chunks.iter().map(|chunk| chunk.merged).max().unwrap_or(0),
            unremoved: None,
            erasures: Vec::new(),
            since_slice: 0,
            journal,
            next_seq: folded + 1,
            outbox,
            deltas: Deltas::read(&sql, folded),
            sql,
            settings,
            hot: Hot::default(),
            chunks,
            blocks: BlockLog::default(),
            journal_since_ms: None,
            counts: Counts { corrupt_rows: corrupt_rows + damaged_subjects + damaged_blocks, ..Counts::default() },
            subjects,
        };
        for block in store.outbox.values() {
            store.blocks.foresee(BlockChange::Set(block.clone()));
        }
        store.replay(now_ms)?;
        store.merge_due = store.next_run().is_some();
        Ok(store)
    }

    fn replay(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for (table, row) in self.journal.rows(&self.sql)? {
            if row < self.next_seq {
                // Folded, in a table of which not all is.
                continue;
            }
            self.journal_since_ms.get_or_insert(now_ms);
            let entries = Journal::read(&self.sql, table, row)?;
            self.counts.corrupt_rows += u64::from(entries.is_none());
            let read =
                |entry: Entry| (entry.isolate, entry.sequence, entry.batch.len(), Batch::decode(&entry.batch).ok());
            rows.push((row, entries.unwrap_or_default().into_iter().map(read).collect::<Vec<_>>()));
        }
        // All at once, so that no chunk is read more than once.
        let batches = rows.iter().flat_map(|(_, entries)| entries).filter_map(|(.., batch)| batch.as_ref());
        let ids: Vec<SessionId> = batches.flat_map(sessions_of).chain(self.parted.predecessors()).collect();
        self.load(ids.into_iter())?;
        for (row, entries) in rows {
            // A row that cannot be read took one position at the least.
            self.next_seq = row + u64::from(entries.is_empty());
            for (isolate, sequence, bytes, batch) in entries {
                self.counts.corrupt_rows += u64::from(batch.is_none());
                self.applied.add(isolate, sequence);
                self.take_in(bytes, batch.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn impose(&mut self, block: Block) -> Result<(), StoreError> {
        self.blocks.foresee(BlockChange::Set(block.clone()));
        if self.outbox.len() >= MAX_OUTBOX {
            return Ok(());
        }
        let id = self.outbox.keys().next_back().map_or(1, |id| id + 1);
        let body = postcard::to_allocvec(&block).map_err(|_| StoreError::Corrupt("block"))?;
        self.sql.query("INSERT INTO outbox (id, body) VALUES (?, ?)", &[id.into(), Value::Blob(body)])?;
        self.outbox.insert(id, block);
        Ok(())
    }

    /// Brings sessions that are folded but not in memory back, reading each chunk at most once.
    fn load(&mut self, ids: impl Iterator<Item = SessionId>) -> Result<(), StoreError> {
        let mut missing: Vec<SessionId> = ids.filter(|id| !self.hot.has(*id)).collect();
        missing.sort_unstable();
        missing.dedup();
        for chunk in self.chunks.iter().rev() {
            if missing.is_empty() {
                break;
            }
            if !missing.iter().any(|id| chunk.may_hold(*id)) {
                continue;
            }
            match load_from(&self.sql, chunk.id, &missing, &mut self.hot) {
                Ok(()) => missing.retain(|id| !self.hot.has(*id)),
                // What it held is lost; the sessions go on from what an older chunk says.
                Err(error) if error.is_damage() => self.counts.corrupt_rows += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Brings back the sessions that a batch will part from others, because their users turn out to be different.
    fn load_strangers(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut strangers: Vec<SessionId> = Vec::new();
        for event in batch.events().filter(|event| event.principal != 0) {
            if let Some(tracked) = self.hot.get(event.session) {
                strangers.extend(tracked.session.strangers_to(event.principal));
            }
        }
        self.load(strangers.into_iter())
    }

    /// When the shard was first used, epoch ms.
    pub fn installed_ms(&self) -> u64 {
        self.installed_ms
    }

    /// What an isolate that holds `version` has to learn, with the blocks just imposed here.
    pub fn block_news(&self, version: u64, imposed: Vec<Block>) -> BlockNews {
        let mut news = self.blocks.news_since(version);
        match &mut news.changes {
            BlockChanges::Delta(changes) => changes.extend(imposed.into_iter().map(BlockChange::Set)),
            // The whole set holds them already.
            BlockChanges::Whole(_) => {}
        }
        news
    }

    /// The version of the block set held, and the blocks the fleet has yet to confirm, by their row.
    pub fn report(&self) -> (u64, Vec<(u64, Block)>) {
        (self.blocks.set().version(), self.outbox.iter().map(|(id, block)| (*id, block.clone())).collect())
    }

    /// Takes in the fleet's answer to a report that held the outbox rows `confirmed`.
    pub fn synced(&mut self, news: BlockNews, confirmed: &[u64]) -> Result<(), StoreError> {
        for id in confirmed {
            self.sql.query("DELETE FROM outbox WHERE id = ?", &[(*id).into()])?;
            self.outbox.remove(id);
        }
        self.blocks.take(news);
        for block in self.outbox.values() {
            self.blocks.foresee(BlockChange::Set(block.clone()));
        }
        Ok(())
    }

    /// Takes in a change the admin API tells first-hand.
    pub fn told(&mut self, change: BlockChange) {
        self.blocks.foresee(change);
    }

    fn remember<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        remember(&self.sql, name, value)
    }
}

/// Brings those of the sessions back that a chunk holds.
fn load_from(sql: &dyn Sql, id: u64, missing: &[SessionId], hot: &mut Hot) -> Result<(), StoreError> {
    let bytes = chunk::read(sql, id, Part::Summary)?;
    let summary = chunk::open_summary(&bytes)?;
    let wanted: Vec<usize> = missing.iter().filter_map(|id| summary.index_of(*id)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let found = chunk::sessions(sql, id, &summary, &wanted, &mut hot.dictionary)?;
    for ((session, memory), index) in found.into_iter().zip(wanted) {
        let place = Place { chunk: id, index: u32::try_from(index).unwrap_or(u32::MAX) };
        hot.insert(Tracked::new(session, memory, Some(place)));
    }
    Ok(())
}

/// Writes two small values in one statement: one without the other would lose or repeat what the journal says.
fn remember_both<A: Serialize, B: Serialize>(sql: &dyn Sql, a: (&str, &A), b: (&str, &B)) -> Result<(), StoreError> {
    let corrupt = |_| StoreError::Corrupt("state");
    let bodies = (postcard::to_allocvec(a.1).map_err(corrupt)?, postcard::to_allocvec(b.1).map_err(corrupt)?);
    let (name_a, name_b) = (Value::Text(a.0.to_owned()), Value::Text(b.0.to_owned()));
    sql.query(
        "INSERT INTO state (name, body) VALUES (?, ?), (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        &[name_a, Value::Blob(bodies.0), name_b, Value::Blob(bodies.1)],
    )?;
    Ok(())
}

/// Writes a small value by name.
pub fn remember<T: Serialize>(sql: &dyn Sql, name: &str, value: &T) -> Result<(), StoreError> {
    let body = postcard::to_allocvec(value).map_err(|_| StoreError::Corrupt("state"))?;
    let parameters = [Value::Text(name.to_owned()), Value::Blob(body)];
    sql.query(
        "INSERT INTO state (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        &parameters,
    )?;
    Ok(())
}

/// Reads a small value by name; one that cannot be read is damage, not absence.
pub fn named<T: DeserializeOwned>(sql: &dyn Sql, name: &str) -> Result<Option<T>, StoreError> {
    let mut rows = sql.query("SELECT body FROM state WHERE name = ?", &[Value::Text(name.to_owned())])?;
    let Some(row) = rows.first_mut() else { return Ok(None) };
    postcard::from_bytes(&blob(row, 0)).map(Some).map_err(|_| StoreError::Corrupt("state"))
}

/// The moment of first use, noted at the first opening.
fn installed(sql: &dyn Sql, now_ms: u64) -> Result<u64, StoreError> {
    if let Some(installed) = named(sql, "installed")? {
        return Ok(installed);
    }
    remember(sql, "installed", &now_ms)?;
    Ok(now_ms)
}

/// Every session a batch says something about.
fn sessions_of(batch: &Batch) -> impl Iterator<Item = SessionId> {
    let ends = batch.issues().iter().flat_map(|issue| [issue.from, issue.to]);
    let arrived = batch.arrivals().iter().map(|arrival| arrival.to);
    batch.events().map(|e| e.session).chain(ends).chain(batch.issued().iter().copied()).chain(arrived)
}

/// Blocks the fleet has not confirmed, and how many could not be read.
fn read_outbox(sql: &dyn Sql) -> Result<(OrderedMap<u64, Block>, u64), StoreError> {
    let (mut blocks, mut damaged) = (OrderedMap::new(), 0);
    for mut row in sql.query("SELECT id, body FROM outbox ORDER BY id", &[])? {
        match postcard::from_bytes(&blob(&mut row, 1)) {
            Ok(block) => drop(blocks.insert(integer(&row, 0).unsigned_abs(), block)),
            Err(_) => {
                // That block holds no more; the others do.
                sql.query("DELETE FROM outbox WHERE id = ?", &[Value::Integer(integer(&row, 0))])?;
                damaged += 1;
            }
        }
    }
    Ok((blocks, damaged))
}
