//! One shard's store: journal → hot state → folded chunks, over SQL.
//!
//! - A flush becomes one journal row before anything in memory changes ([`Store::apply`]).
//! - Memory is a pure function of the folded chunks and the journal; [`Store::open`] rebuilds it.
//! - [`Store::fold`] turns the whole journal into immutable chunks. Its commit point is one statement (the `folded`
//!   mark): chunks beyond the mark are unfinished and removed at the next open, journal rows up to it are superfluous.
//! - Folding, retention and the alarm are in `fold.rs`, reading in `read.rs`.
//!
//! Every method runs to its end without an await: in a Durable Object nothing interleaves.

mod applied;
mod chunk;
mod fold;
mod hot;
mod read;
mod schema;
pub mod sql;

pub use applied::WINDOW as FLUSH_WINDOW;
pub use read::Health;
pub use schema::migrate;

use std::collections::{BTreeMap, HashSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::detect::{self, KnownEndpoints, Memory};
use crate::session::{Batch, DecodeError, Session, SessionId};
use crate::verdict::{Action, Block, BlockChange, BlockChanges, BlockLog, BlockNews, Subject, Verdict};
use crate::wire::{Ask, Flush, IsolateCounts};
use applied::Applied;
use chunk::{ChunkInfo, Snapshot};
use hot::{Hot, HotBatch, Tracked};
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
    pub asks: u64,
    pub corrupt_rows: u64,
    pub isolates: IsolateCounts,
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
        let folded = named(&sql, "folded")?.unwrap_or(0u64);
        sql.query("DELETE FROM chunks WHERE journal_to > ?", &[folded.into()])?;
        sql.query("DELETE FROM journal WHERE seq <= ?", &[folded.into()])?;
        let chunks = chunk::directory(&sql)?;
        let mut store = Self {
            applied: named(&sql, "applied")?.unwrap_or_default(),
            known: named(&sql, "known")?.unwrap_or_default(),
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
            self.load(batch.events().map(|e| e.session))?;
            self.applied.add(isolate, flush);
            self.take(seq, batch, body.len(), &mut Vec::new());
            self.next_seq = seq + 1;
            self.journal_since_ms.get_or_insert(now_ms);
        }
        Ok(())
    }

    /// Makes a flush durable, once, and takes its events in. Answers the blocks that followed from them.
    pub fn apply(&mut self, flush: &Flush, now_ms: u64) -> Result<Vec<Block>, StoreError> {
        if self.applied.has(flush.isolate, flush.sequence) {
            self.counts.duplicate_flushes += 1;
            return Ok(Vec::new());
        }
        let batch = Batch::decode(&flush.batch).inspect_err(|_| self.counts.refused_flushes += 1)?;
        if self.is_fold_due(now_ms) {
            self.fold(now_ms)?;
        }
        self.load(batch.events().map(|e| e.session))?;
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

        let mut imposed = Vec::new();
        self.take(seq, batch, flush.batch.len(), &mut imposed);
        for block in &imposed {
            self.impose(block.clone())?;
        }
        Ok(imposed)
    }

    /// Takes a journaled batch into memory; blocks that follow are collected, not yet imposed.
    fn take(&mut self, seq: u64, batch: Batch, bytes: usize, imposed: &mut Vec<Block>) {
        for (index, event) in (0u32..).zip(batch.events()) {
            self.counts.events += 1;
            let fresh = || Tracked {
                session: Session::new(&event),
                memory: Memory::default(),
                events: Vec::new(),
                dirty: true,
            };
            let tracked = self.hot.sessions.entry(event.session).or_insert_with(fresh);
            tracked.dirty = true;
            tracked.events.push((seq, index));
            tracked.session.observe(&event);
            self.known.learn(&event);
            let Some(mut finding) = detect::observe(&mut tracked.memory, &self.settings.detectors, &self.known, &event)
            else {
                continue;
            };
            self.counts.findings += 1;
            let response = detect::consequence(&self.settings.detectors, finding.detector, &tracked.session);
            finding.action = if self.settings.enforce { response.action } else { response.action.min(Action::Tag) };
            if finding.action >= Action::Throttle {
                imposed.push(Block {
                    subject: Subject::Session(event.session),
                    action: finding.action,
                    created_ms: event.time_ms,
                    until_ms: event.time_ms.saturating_add(response.for_ms),
                    reason: format!("{}: {}", finding.detector.name(), finding.message),
                    by: "detector".to_owned(),
                });
            }
            tracked.session.record(finding);
        }
        self.hot.push(HotBatch { seq, batch, bytes });
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

    /// What stands against a request that wants to go on: blocks, first-hand ones included. Writes nothing.
    pub fn ask(&mut self, ask: &Ask) -> Verdict {
        self.counts.asks += 1;
        self.blocks.set().verdict(ask.session, ask.ip, ask.now_ms)
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

fn read_outbox(sql: &dyn Sql) -> Result<BTreeMap<u64, Block>, StoreError> {
    let rows = sql.query("SELECT id, body FROM outbox", &[])?;
    let read = |mut row: sql::Row| {
        let block = postcard::from_bytes(&blob(&mut row, 1)).map_err(|_| StoreError::Corrupt("outbox"))?;
        Ok((integer(&row, 0).unsigned_abs(), block))
    };
    rows.into_iter().map(read).collect()
}
