//! One shard's store: journal → hot state → folded chunks, over SQL.
//!
//! - A flush becomes one journal row before anything in memory changes ([`Store::apply`]).
//! - Memory is a pure function of the folded chunks and the journal; [`Store::open`] rebuilds it.
//! - [`Store::fold`] turns the whole journal into immutable chunks. Its commit point is one statement (the `folded`
//!   mark): chunks beyond the mark are unfinished and removed at the next open, journal rows up to it are superfluous.
//! - What a batch changes in memory is in `take.rs`, folding, retention and the alarm in `fold.rs`, reading in `read.rs`.
//!
//! Every method runs to its end without an await: in a Durable Object nothing interleaves.

mod applied;
mod chunk;
pub mod columns;
mod fold;
mod hot;
mod newcomers;
mod pending;
mod read;
mod schema;
pub mod sql;
mod take;

pub use applied::WINDOW as FLUSH_WINDOW;
pub use newcomers::Allowance;
pub use read::Health;
pub use schema::migrate;
pub use take::{Answer, Outcome};

use std::collections::{BTreeMap, HashSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::detect::{self, KnownEndpoints};
use crate::session::{Batch, DecodeError, SessionId};
use crate::verdict::{Block, BlockChange, BlockChanges, BlockLog, BlockNews};
use crate::wire::{Ask, Flush, IsolateCounts};
use applied::Applied;
use chunk::{ChunkInfo, Snapshot};
use hot::{Hot, HotBatch, Tracked};
use newcomers::Newcomers;
use pending::Pending;
use sql::{Sql, SqlError, Value, blob, integer};

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
}

/// How the store behaves, from the policy.
#[derive(Debug, Clone)]
pub struct Settings {
    pub detectors: detect::Settings,
    /// Whether blocks are imposed, or only noted as what would have been.
    pub enforce: bool,
    pub retention_ms: u64,
    /// Unproven sessions a client may start here before every isolate is told.
    pub newcomers: Allowance,
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
}

/// A shard's store.
#[derive(Debug)]
pub struct Store<S> {
    sql: S,
    settings: Settings,
    hot: Hot,
    /// Oldest first.
    chunks: Vec<ChunkInfo>,
    applied: Applied,
    known: KnownEndpoints,
    pending: Pending,
    newcomers: Newcomers,
    installed_ms: u64,
    blocks: BlockLog,
    /// Blocks imposed here that the fleet has not confirmed, by their row.
    outbox: BTreeMap<u64, Block>,
    next_seq: u64,
    next_chunk: u64,
    /// When the oldest journal row was written, epoch ms; `None` while there is none.
    journal_since_ms: Option<u64>,
    counts: Counts,
}

impl<S: Sql> Store<S> {
    /// Migrates the database and rebuilds memory from it.
    pub fn open(sql: S, settings: Settings, now_ms: u64) -> Result<Self, StoreError> {
        schema::migrate_shard(&sql)?;
        let Folded { upto: folded, pending, known } = named(&sql, "folded")?.unwrap_or_default();
        sql.query("DELETE FROM chunks WHERE journal_to > ?", &[folded.into()])?;
        sql.query("DELETE FROM journal WHERE seq <= ?", &[folded.into()])?;
        let chunks = chunk::directory(&sql)?;
        let mut store = Self {
            applied: named(&sql, "applied")?.unwrap_or_default(),
            known,
            pending,
            newcomers: Newcomers::default(),
            installed_ms: installed(&sql, now_ms)?,
            next_chunk: chunks.last().map_or(1, |c| c.id + 1),
            next_seq: folded + 1,
            outbox: read_outbox(&sql)?,
            sql,
            settings,
            hot: Hot::default(),
            chunks,
            blocks: BlockLog::default(),
            journal_since_ms: None,
            counts: Counts::default(),
        };
        for block in store.outbox.values() {
            store.blocks.foresee(BlockChange::Set(block.clone()));
        }
        store.replay(now_ms)?;
        Ok(store)
    }

    fn replay(&mut self, now_ms: u64) -> Result<(), StoreError> {
        for row in self.sql.query("SELECT seq FROM journal ORDER BY seq", &[])? {
            let seq = integer(&row, 0).unsigned_abs();
            let mut rows = self.sql.query("SELECT isolate, flush, body FROM journal WHERE seq = ?", &[seq.into()])?;
            let Some(row) = rows.first_mut() else { continue };
            let (isolate, flush) = (integer(row, 0).unsigned_abs(), integer(row, 1).unsigned_abs());
            let body = blob(row, 2);
            let batch = Batch::decode(&body).unwrap_or_else(|_| {
                self.counts.corrupt_rows += 1;
                Batch::default()
            });
            self.load(sessions_of(&batch))?;
            self.load_strangers(&batch)?;
            self.applied.add(isolate, flush);
            self.take(seq, &batch);
            self.hot.push(HotBatch { seq, batch, bytes: body.len() });
            self.next_seq = seq + 1;
            self.journal_since_ms.get_or_insert(now_ms);
        }
        Ok(())
    }

    /// Makes a flush durable, once, and takes its events in. Answers what follows for whoever sent it.
    pub fn apply(&mut self, flush: &Flush, now_ms: u64) -> Result<Outcome, StoreError> {
        let batch = Batch::decode(&flush.batch).inspect_err(|_| self.counts.refused_flushes += 1)?;
        if self.applied.has(flush.isolate, flush.sequence) {
            self.counts.duplicate_flushes += 1;
            // The answer was lost, perhaps; what it said is said again.
            self.load(sessions_of(&batch).chain(flush.questions.iter().copied()))?;
            return Ok(self.outcome(flush, &batch, Vec::new()));
        }
        if self.is_fold_due(now_ms) && self.fold(now_ms).is_err() {
            // The flush is worth more than the fold, which is tried again.
            self.counts.fold_failures += 1;
        }
        self.load(sessions_of(&batch).chain(flush.questions.iter().copied()))?;
        self.load_strangers(&batch)?;
        let seq = self.next_seq;
        self.sql.query(
            "INSERT INTO journal (seq, isolate, flush, body) VALUES (?, ?, ?, ?)",
            &[seq.into(), flush.isolate.into(), flush.sequence.into(), Value::Blob(flush.batch.clone())],
        )?;
        self.next_seq += 1;
        self.applied.add(flush.isolate, flush.sequence);
        self.counts.flushes += 1;
        self.counts.isolates.add(&flush.counts);
        self.journal_since_ms.get_or_insert(now_ms);

        let imposed = self.take(seq, &batch);
        let outcome = self.outcome(flush, &batch, imposed);
        self.hot.push(HotBatch { seq, batch, bytes: flush.batch.len() });
        for block in &outcome.imposed {
            self.impose(block.clone())?;
        }
        Ok(outcome)
    }

    fn impose(&mut self, block: Block) -> Result<(), StoreError> {
        self.blocks.foresee(BlockChange::Set(block.clone()));
        if self.outbox.len() >= MAX_OUTBOX {
            return Ok(());
        }
        let id = self.outbox.last_key_value().map_or(1, |(id, _)| id + 1);
        let body = postcard::to_allocvec(&block).map_err(|_| StoreError::Corrupt("block"))?;
        self.sql.query("INSERT INTO outbox (id, body) VALUES (?, ?)", &[id.into(), Value::Blob(body)])?;
        self.outbox.insert(id, block);
        Ok(())
    }

    /// Brings sessions that are folded but not in memory back, reading each chunk at most once.
    fn load(&mut self, ids: impl Iterator<Item = SessionId>) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<u64, HashSet<SessionId>> = BTreeMap::new();
        for id in ids {
            if self.hot.sessions.contains_key(&id) {
                continue;
            }
            if let Some(chunk) = self.chunks.iter().rev().find(|chunk| chunk.holds(id)) {
                wanted.entry(chunk.id).or_default().insert(id);
            }
        }
        for (chunk, ids) in wanted {
            for Snapshot { session, memory } in chunk::snapshots(&self.sql, chunk)? {
                if ids.contains(&session.id) {
                    let tracked = Tracked { session, memory, events: Vec::new(), dirty: false };
                    self.hot.sessions.insert(tracked.session.id, tracked);
                }
            }
        }
        Ok(())
    }

    /// Brings back the sessions that a batch will part from others, because their users turn out to be different.
    fn load_strangers(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let known = batch.events().filter(|event| event.principal != 0);
        let strangers: Vec<SessionId> = known
            .filter_map(|event| Some((event.principal, self.hot.sessions.get(&event.session)?)))
            .flat_map(|(principal, tracked)| tracked.session.strangers_to(principal))
            .collect();
        self.load(strangers.into_iter())
    }

    /// What stands against a request that wants to go on (blocks, first-hand ones included), and what is known of its
    /// session. Writes nothing.
    pub fn ask(&mut self, ask: &Ask) -> Result<Answer, StoreError> {
        self.counts.asks += 1;
        self.load(core::iter::once(ask.session))?;
        let blocks = self.blocks.set();
        let verdict = blocks.verdict(ask.session, ask.ip, ask.now_ms);
        let former = ask.former.map(|former| blocks.verdict(former, None, ask.now_ms));
        Ok(Answer {
            verdict: former.map_or(verdict, |former| verdict.stricter(former)),
            proven: self.is_proven(ask.session),
            known: self.known_session(ask.session),
        })
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

fn read_outbox(sql: &dyn Sql) -> Result<BTreeMap<u64, Block>, StoreError> {
    let rows = sql.query("SELECT id, body FROM outbox", &[])?;
    let read = |mut row: sql::Row| {
        let block = postcard::from_bytes(&blob(&mut row, 1)).map_err(|_| StoreError::Corrupt("outbox"))?;
        Ok((integer(&row, 0).unsigned_abs(), block))
    };
    rows.into_iter().map(read).collect()
}
