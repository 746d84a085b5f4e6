//! A row of subject states: a head that tells what it is about, a filter that tells whom it may hold, and the states.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use crate::store::StoreError;
use crate::store::chunk::KeyFilter;
use crate::store::partition::PARTITIONS;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::subject::{Subject, SubjectKey};

/// First byte of every row's head; a reader accepts this version and no other.
const VERSION: u8 = 2;

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
pub struct Entry<'a> {
    pub key: SubjectKey,
    #[serde(borrow)]
    state: &'a [u8],
}

impl Entry<'_> {
    /// The state, decoded.
    pub fn state(&self) -> Result<Subject, StoreError> {
        Subject::decode(self.state).map_err(|_| DAMAGED)
    }
}

/// What a row holds.
pub struct Body(Vec<u8>);

impl Body {
    /// Every state with its key.
    pub fn entries(&self) -> Result<Vec<Entry<'_>>, StoreError> {
        postcard::from_bytes(&self.0).map_err(|_| DAMAGED)
    }
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

    /// Writes a draft in the place of what the row holds; from then on it stands for `sources` too.
    pub fn update(&self, sql: &dyn Sql, sources: Vec<u64>, draft: Draft) -> Result<Self, StoreError> {
        let (row, [head, filter, body]) = draft.encoded(self.id, self.parts.clone(), sources)?;
        let statement = "UPDATE subjects SET head = ?, filter = ?, body = ? WHERE id = ?";
        sql.query(statement, &[head, filter, body, self.id.into()])?;
        Ok(row)
    }

    /// Whether it is about subjects of this part.
    pub fn is_about(&self, part: usize) -> bool {
        self.parts.contains(&part)
    }

    /// All states of the row, encoded.
    pub fn body(&self, sql: &dyn Sql) -> Result<Body, StoreError> {
        Ok(Body(self.column(sql, "SELECT body FROM subjects WHERE id = ?")?))
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
        let body = self.body(sql)?;
        let entries = body.entries()?;
        let found = keys.iter().filter_map(|key| entries.iter().find(|entry| entry.key == *key));
        found.map(Entry::state).collect()
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

/// What a row is to hold.
#[derive(Debug, Default)]
pub struct Draft {
    entries: Vec<(SubjectKey, Vec<u8>)>,
    bytes: usize,
    from_ms: Option<u64>,
    to_ms: u64,
}

impl Draft {
    /// A draft of nothing yet, about the time of these rows.
    pub fn about<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Self {
        let from_ms = rows.clone().map(|row| row.from_ms).min();
        Self { from_ms, to_ms: rows.map(|row| row.to_ms).max().unwrap_or(0), ..Self::default() }
    }

    /// Epoch ms of the last sighting.
    pub fn to_ms(&self) -> u64 {
        self.to_ms
    }

    /// Adds a state as it is, of the time the draft is about.
    pub fn copy(&mut self, entry: &Entry<'_>) {
        self.put(entry.key, entry.state.to_vec());
    }

    /// Adds a state.
    pub fn add(&mut self, key: SubjectKey, state: &Subject) {
        self.from_ms = Some(self.from_ms.map_or(state.first_seen_ms, |from| from.min(state.first_seen_ms)));
        self.to_ms = self.to_ms.max(state.last_seen_ms);
        self.put(key, state.encode());
    }

    fn put(&mut self, key: SubjectKey, state: Vec<u8>) {
        self.bytes += size_of::<SubjectKey>() + state.len();
        self.entries.push((key, state));
    }

    /// About how much it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Both in one.
    pub fn joined(mut self, other: Self) -> Self {
        self.from_ms = self.from_ms.into_iter().chain(other.from_ms).min();
        self.to_ms = self.to_ms.max(other.to_ms);
        self.bytes += other.bytes;
        self.entries.extend(other.entries);
        self
    }

    /// Writes it as a new row.
    pub fn insert(self, sql: &dyn Sql, id: u64, parts: Range<usize>) -> Result<Row, StoreError> {
        let (row, [head, filter, body]) = self.encoded(id, parts, Vec::new())?;
        sql.query(
            "INSERT INTO subjects (id, head, filter, body) VALUES (?, ?, ?, ?)",
            &[id.into(), head, filter, body],
        )?;
        Ok(row)
    }

    /// The row with what is written of it: head, filter and body.
    fn encoded(self, id: u64, parts: Range<usize>, sources: Vec<u64>) -> Result<(Row, [Value; 3]), StoreError> {
        let Self { entries, from_ms, to_ms, .. } = self;
        let keys = entries.iter().map(|(key, _)| u128::from_be_bytes(key.hash));
        let filter = KeyFilter::of(keys);
        let entries: Vec<Entry<'_>> = entries.iter().map(|(key, state)| Entry { key: *key, state }).collect();
        let body = postcard::to_allocvec(&entries).map_err(|_| DAMAGED)?;
        let byte = |part: usize| u8::try_from(part).unwrap_or(u8::MAX);
        let parts = (byte(parts.start), byte(parts.end));
        let head = Head { parts, sources, from_ms: from_ms.unwrap_or(0), to_ms, bytes: body.len() as u64 };
        let written = postcard::to_extend(&head, vec![VERSION]).map_err(|_| DAMAGED)?;
        Ok((head.of(id), [Value::Blob(written), Value::Blob(filter.encode()), Value::Blob(body)]))
    }
}
