//! A row of subject states: a head that tells what it is about, a filter that tells whom it may hold, and the states in the
//! order of their keys.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::States;
use crate::store::StoreError;
use crate::store::chunk::KeyFilter;
use crate::store::partition::PARTITIONS;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::subject::{Subject, SubjectKey};

/// First byte of every row's head; a reader accepts this version and no other.
const VERSION: u8 = 2;

/// What a state of one sighting takes in a row, about, bytes.
pub const STATE_BYTES: usize = 160;

/// What is known of a row without its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    /// The parts its subjects are in.
    pub parts: Range<usize>,
    /// Rows it stands for, which may not be gone yet.
    pub sources: Vec<u64>,
    /// Epoch ms of the first and the last sighting.
    pub from_ms: u64,
    pub to_ms: u64,
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Head {
    parts: (u8, u8),
    sources: Vec<u64>,
    from_ms: u64,
    to_ms: u64,
    bytes: u64,
}

/// A key and its state, encoded.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    key: SubjectKey,
    #[serde(borrow)]
    state: &'a [u8],
}

const DAMAGED: StoreError = StoreError::Corrupt("subjects");

impl Row {
    /// Every row that counts, in the order of their ids, and how many could not be read. Those that another one stands for
    /// are removed.
    pub fn all(sql: &dyn Sql, last: u64) -> Result<(Vec<Self>, u64), StoreError> {
        sql.query("DELETE FROM subjects WHERE id > ?", &[last.into()])?;
        let (mut rows, mut damaged) = (Vec::<Self>::new(), 0);
        for mut row in sql.query("SELECT id, head FROM subjects ORDER BY id", &[])? {
            let id = integer(&row, 0).unsigned_abs();
            match Head::read(&blob(&mut row, 1)) {
                Some(head) => rows.push(head.of(id)),
                None => damaged += 1,
            }
        }
        let replaced: Vec<u64> = rows.iter().flat_map(|row| row.sources.iter().copied()).collect();
        remove(sql, &replaced)?;
        rows.retain(|row| !replaced.contains(&row.id));
        rows.iter_mut().for_each(|row| row.sources.clear());
        Ok((rows, damaged))
    }

    /// Writes states as a new row.
    pub fn insert(sql: &dyn Sql, id: u64, parts: Range<usize>, states: &States) -> Result<Self, StoreError> {
        let (row, [head, filter, body]) = encoded(id, parts, Vec::new(), states)?;
        sql.query("INSERT INTO subjects (id, head, filter, body) VALUES (?, ?, ?, ?)", &[id.into(), head, filter, body])?;
        Ok(row)
    }

    /// Writes states in the place of a row's own; from then on it stands for `sources` too.
    pub fn update(&self, sql: &dyn Sql, sources: Vec<u64>, states: &States) -> Result<Self, StoreError> {
        let (row, [head, filter, body]) = encoded(self.id, self.parts.clone(), sources, states)?;
        let statement = "UPDATE subjects SET head = ?, filter = ?, body = ? WHERE id = ?";
        sql.query(statement, &[head, filter, body, self.id.into()])?;
        Ok(row)
    }

    /// Whether it is about subjects of this part.
    pub fn is_about(&self, part: usize) -> bool {
        self.parts.contains(&part)
    }

    /// All states of the row.
    pub fn states(&self, sql: &dyn Sql) -> Result<States, StoreError> {
        let body = self.column(sql, "SELECT body FROM subjects WHERE id = ?")?;
        let entries: Vec<Entry<'_>> = postcard::from_bytes(&body).map_err(|_| DAMAGED)?;
        let decoded = |entry: Entry<'_>| Ok((entry.key, Subject::decode(entry.state).map_err(|_| DAMAGED)?));
        entries.into_iter().map(decoded).collect()
    }

    /// The states of these keys, as far as they are in the row.
    pub fn find(&self, sql: &dyn Sql, keys: &[SubjectKey]) -> Result<Vec<Subject>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let filter = KeyFilter::decode(&self.column(sql, "SELECT filter FROM subjects WHERE id = ?")?);
        if !keys.iter().any(|key| filter.may_hold(u128::from_be_bytes(key.hash))) {
            return Ok(Vec::new());
        }
        let body = self.column(sql, "SELECT body FROM subjects WHERE id = ?")?;
        let entries: Vec<Entry<'_>> = postcard::from_bytes(&body).map_err(|_| DAMAGED)?;
        let found = keys.iter().filter_map(|key| entries.iter().find(|entry| entry.key == *key));
        found.map(|entry| Subject::decode(entry.state).map_err(|_| DAMAGED)).collect()
    }

    fn column(&self, sql: &dyn Sql, statement: &str) -> Result<Vec<u8>, StoreError> {
        let mut rows = sql.query(statement, &[self.id.into()])?;
        rows.first_mut().map(|row| blob(row, 0)).ok_or(DAMAGED)
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, body) = bytes.split_first()?;
        let head: Self = (*version == VERSION).then(|| postcard::from_bytes(body).ok()).flatten()?;
        (usize::from(head.parts.1) <= PARTITIONS).then_some(head)
    }

    fn of(self, id: u64) -> Row {
        let Self { parts, sources, from_ms, to_ms, bytes } = self;
        Row { id, parts: parts.0.into()..parts.1.into(), sources, from_ms, to_ms, bytes }
    }
}

/// Removes rows by their ids.
pub fn remove(sql: &dyn Sql, ids: &[u64]) -> Result<(), StoreError> {
    for id in ids {
        sql.query("DELETE FROM subjects WHERE id = ?", &[(*id).into()])?;
    }
    Ok(())
}

/// A row with what is written of it: head, filter and body.
fn encoded(
    id: u64,
    parts: Range<usize>,
    sources: Vec<u64>,
    states: &States,
) -> Result<(Row, [Value; 3]), StoreError> {
    let from_ms = states.values().map(|state| state.first_seen_ms).min().unwrap_or(0);
    let to_ms = states.values().map(|state| state.last_seen_ms).max().unwrap_or(0);
    let encoded: Vec<(SubjectKey, Vec<u8>)> = states
        .iter()
        .map(|(key, state)| {
            let mut state = state.clone();
            state.settle(to_ms);
            (*key, state.encode())
        })
        .collect();
    let entries: Vec<Entry<'_>> = encoded.iter().map(|(key, state)| Entry { key: *key, state }).collect();
    let body = postcard::to_allocvec(&entries).map_err(|_| DAMAGED)?;
    let filter = KeyFilter::of(states.keys().map(|key| u128::from_be_bytes(key.hash)).collect::<Vec<_>>().into_iter());
    let byte = |part: usize| u8::try_from(part).unwrap_or(u8::MAX);
    let head =
        Head { parts: (byte(parts.start), byte(parts.end)), sources, from_ms, to_ms, bytes: body.len() as u64 };
    let written = postcard::to_extend(&head, vec![VERSION]).map_err(|_| DAMAGED)?;
    Ok((head.of(id), [Value::Blob(written), Value::Blob(filter.encode()), Value::Blob(body)]))
}
