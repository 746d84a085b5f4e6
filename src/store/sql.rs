//! The port to SQL: as small as both engines (Durable Object storage, rusqlite in tests) can serve exactly alike.
//!
//! A statement runs at once and either takes effect or errs. In a Durable Object, statements without an await between
//! them commit together; the store relies on it for speed of reasoning, never for correctness of what it reads back:
//! every sequence is ordered so that any prefix of it is a sound state.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What SQLite stores. Integers stay within ±2⁵³, which is what the platform's numbers hold exactly.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One row of an answer.
pub type Row = Vec<Value>;

/// A statement failed; the text is the engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError(pub String);

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for SqlError {}

/// Rows that statements read and wrote, as the platform bills them, since the port was opened. `docs/costs.md` has what
/// each kind of statement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub rows_read: u64,
    pub rows_written: u64,
}

impl Usage {
    /// Takes in what one statement counted.
    pub fn add(&mut self, rows_read: u64, rows_written: u64) {
        self.rows_read = self.rows_read.saturating_add(rows_read);
        self.rows_written = self.rows_written.saturating_add(rows_written);
    }
}

/// A SQLite database.
pub trait Sql {
    /// Runs one statement with its positional parameters and answers its rows.
    fn query(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError>;

    /// What all statements so far have cost.
    fn usage(&self) -> Usage;
}

/// Takes the value at `index` as an integer; 0 where it is none.
pub fn integer(row: &Row, index: usize) -> i64 {
    match row.get(index) {
        Some(Value::Integer(n)) => *n,
        _ => 0,
    }
}

/// The value at `index` as text, if it is one.
pub fn text(row: &Row, index: usize) -> Option<&str> {
    match row.get(index) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// Takes the value at `index` as bytes; empty where it is none.
pub fn blob(row: &mut Row, index: usize) -> Vec<u8> {
    match row.get_mut(index) {
        Some(Value::Blob(bytes)) => core::mem::take(bytes),
        _ => Vec::new(),
    }
}

impl From<u64> for Value {
    /// Times and sequence numbers, all far below 2⁵³; what is not is held at the highest that is exact everywhere.
    fn from(n: u64) -> Self {
        const MAX: i64 = (1 << 53) - 1;
        Self::Integer(i64::try_from(n).unwrap_or(MAX).min(MAX))
    }
}
