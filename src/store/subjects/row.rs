//! A row of subject states: a head that tells whom it may hold, and the states in the order of their keys.

use serde::{Deserialize, Serialize};

use super::States;
use crate::store::StoreError;
use crate::store::chunk::KeyFilter;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::subject::{Subject, SubjectKey};

/// First byte of every row's head; a reader accepts this version and no other.
const VERSION: u8 = 1;

/// What a state of one sighting takes in a row, about, bytes.
pub const STATE_BYTES: usize = 160;

/// What is known of a row without its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    /// Rows from this one on, up to its own, are in it.
    pub since: u64,
    /// Epoch ms of the first and the last sighting.
    pub from_ms: u64,
    pub to_ms: u64,
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Head {
    since: u64,
    from_ms: u64,
    to_ms: u64,
    bytes: u64,
    filter: Vec<u8>,
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
    /// Every row that counts, oldest first, and how many could not be read. Those that are in a later one are removed.
    pub fn all(sql: &dyn Sql, last: u64) -> Result<(Vec<Self>, u64), StoreError> {
        sql.query("DELETE FROM subjects WHERE id > ?", &[last.into()])?;
        let (mut rows, mut damaged) = (Vec::<Self>::new(), 0);
        for mut row in sql.query("SELECT id, head FROM subjects ORDER BY id", &[])? {
            let id = integer(&row, 0).unsigned_abs();
            let Some(head) = Head::read(&blob(&mut row, 1)) else {
                damaged += 1;
                continue;
            };
            let Head { since, from_ms, to_ms, bytes, .. } = head;
            if rows.last().is_some_and(|before| before.id >= since) {
                rows.retain(|before| before.id < since);
                sql.query("DELETE FROM subjects WHERE id >= ? AND id < ?", &[since.into(), id.into()])?;
            }
            rows.push(Self { id, since, from_ms, to_ms, bytes });
        }
        Ok((rows, damaged))
    }

    /// Writes states as a new row.
    pub fn insert(sql: &dyn Sql, id: u64, states: &States) -> Result<Self, StoreError> {
        let (row, head, body) = encoded(id, id, states)?;
        sql.query("INSERT INTO subjects (id, head, body) VALUES (?, ?, ?)", &[id.into(), head, body])?;
        Ok(row)
    }

    /// Writes states in the place of a row's own, for the rows from `since` on.
    pub fn update(&self, sql: &dyn Sql, since: u64, states: &States) -> Result<Self, StoreError> {
        let (row, head, body) = encoded(self.id, since, states)?;
        sql.query("UPDATE subjects SET head = ?, body = ? WHERE id = ?", &[head, body, self.id.into()])?;
        Ok(row)
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
        let head = Head::read(&self.column(sql, "SELECT head FROM subjects WHERE id = ?")?).ok_or(DAMAGED)?;
        let filter = KeyFilter::decode(&head.filter);
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
        (*version == VERSION).then(|| postcard::from_bytes(body).ok()).flatten()
    }
}

fn encoded(id: u64, since: u64, states: &States) -> Result<(Row, Value, Value), StoreError> {
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
    let bytes = body.len() as u64;
    let head = Head { since, from_ms, to_ms, bytes, filter: filter.encode() };
    let head = postcard::to_extend(&head, vec![VERSION]).map_err(|_| DAMAGED)?;
    Ok((Row { id, since, from_ms, to_ms, bytes }, Value::Blob(head), Value::Blob(body)))
}
