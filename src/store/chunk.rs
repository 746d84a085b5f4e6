//! Folded chunks: immutable rows of many sessions' events, with each session's state after them.
//!
//! The newest chunk that names a session holds its whole state, so that a list needs one look per session and an old
//! chunk can be dropped without a trace in the numbers. Events lie in the same [`Batch`] form as in the journal,
//! sorted by session, then time.

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sql::{Row, Sql, Value, blob, integer};
use crate::detect::Memory;
use crate::session::{Batch, Session, SessionId};

/// First byte of the encoded sessions of a chunk.
const VERSION: u8 = 2;

/// What is known of a chunk without reading it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkInfo {
    pub id: u64,
    pub from_ms: u64,
    pub to_ms: u64,
    /// First 64 bits of the ids of the sessions in it, sorted.
    pub prefixes: Vec<u64>,
}

/// A session as a chunk keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub session: Session,
    pub memory: Memory,
}

/// The first 64 bits of a session id.
pub fn prefix(id: SessionId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl ChunkInfo {
    /// Whether the chunk holds events of the session.
    pub fn holds(&self, id: SessionId) -> bool {
        self.prefixes.binary_search(&prefix(id)).is_ok()
    }
}

/// Writes a chunk; `snapshots` are sorted by id.
pub fn write(
    sql: &dyn Sql,
    id: u64,
    journal_to: u64,
    events: &Batch,
    snapshots: &[Snapshot],
) -> Result<ChunkInfo, StoreError> {
    let times = || events.events().map(|e| e.time_ms);
    let prefixes: Vec<u64> = snapshots.iter().map(|s| prefix(s.session.id)).collect();
    // Sessions that are here for a link alone have no event; then the chunk is as old as they are.
    let seen = || snapshots.iter().map(|s| s.session.last_seen_ms);
    let from_ms = times().min().or_else(|| seen().min()).unwrap_or(0);
    let to_ms = times().max().or_else(|| seen().max()).unwrap_or(0);
    let info = ChunkInfo { id, from_ms, to_ms, prefixes };
    let packed = info.prefixes.iter().flat_map(|p| p.to_be_bytes()).collect();
    let sessions = postcard::to_extend(snapshots, vec![VERSION]).map_err(|_| StoreError::Corrupt("snapshot"))?;
    sql.query(
        "INSERT INTO chunks (id, from_ms, to_ms, journal_to, prefixes, sessions, events) VALUES (?, ?, ?, ?, ?, ?, ?)",
        &[
            id.into(),
            info.from_ms.into(),
            info.to_ms.into(),
            journal_to.into(),
            Value::Blob(packed),
            Value::Blob(sessions),
            Value::Blob(events.encode()),
        ],
    )?;
    Ok(info)
}

/// Reads what is known of every chunk, oldest first.
pub fn directory(sql: &dyn Sql) -> Result<Vec<ChunkInfo>, StoreError> {
    let rows = sql.query("SELECT id, from_ms, to_ms, prefixes FROM chunks ORDER BY id", &[])?;
    Ok(rows.into_iter().map(info).collect())
}

fn info(mut row: Row) -> ChunkInfo {
    let number = |index| integer(&row, index).unsigned_abs();
    let (id, from_ms, to_ms) = (number(0), number(1), number(2));
    let packed = blob(&mut row, 3);
    let prefixes = packed.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
    ChunkInfo { id, from_ms, to_ms, prefixes }
}

/// Reads a chunk's sessions.
pub fn snapshots(sql: &dyn Sql, id: u64) -> Result<Vec<Snapshot>, StoreError> {
    let bytes = column(sql, "SELECT sessions FROM chunks WHERE id = ?", id)?;
    match bytes.split_first() {
        Some((&VERSION, body)) => postcard::from_bytes(body).map_err(|_| StoreError::Corrupt("chunk sessions")),
        _ => Err(StoreError::Corrupt("chunk sessions")),
    }
}

/// Reads a chunk's events.
pub fn events(sql: &dyn Sql, id: u64) -> Result<Batch, StoreError> {
    let bytes = column(sql, "SELECT events FROM chunks WHERE id = ?", id)?;
    Batch::decode(&bytes).map_err(|_| StoreError::Corrupt("chunk events"))
}

fn column(sql: &dyn Sql, statement: &str, id: u64) -> Result<Vec<u8>, StoreError> {
    let mut rows = sql.query(statement, &[id.into()])?;
    rows.first_mut().map(|row| blob(row, 0)).ok_or(StoreError::Corrupt("missing chunk"))
}
