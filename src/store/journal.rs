//! The journal: what was acknowledged and is not folded yet, one row for each group of flushes.
//!
//! It lies in two tables, or one more after a crash: a fold begins a new one, and when it ends the old one is dropped whole. Dropping a
//! table costs nothing by the row, deleting its rows costs as much as writing them did (`docs/costs.md`). A table is
//! named by the first position in it.

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sql::{Sql, SqlError, Value, blob, integer, text};

use crate::sorting;

/// First byte of a row.
const VERSION: u8 = 1;
/// Bytes of batches in one row; a row holds at most two megabytes.
pub const MAX_ROW_BYTES: usize = 1_600_000;

/// One flush as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub isolate: u64,
    pub sequence: u64,
    /// An encoded [`crate::session::Batch`].
    #[serde(with = "crate::wire::plain_bytes")]
    pub batch: Vec<u8>,
}

/// The tables there are, by the first position in each, oldest first.
#[derive(Debug, Default)]
pub struct Journal {
    tables: Vec<u64>,
}

impl Journal {
    /// Finds the tables there are, and drops those that are folded up to `folded`.
    pub fn open(sql: &dyn Sql, folded: u64) -> Result<Self, StoreError> {
        let names = sql.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'journal_%'", &[])?;
        let first = |row: &_| text(row, 0).and_then(|name| name.strip_prefix("journal_")?.parse().ok());
        let mut tables: Vec<u64> = names.iter().filter_map(first).collect();
        sorting::sort(&mut tables);
        let mut journal = Self { tables };
        journal.drop_folded(sql, folded)?;
        Ok(journal)
    }

    /// Begins a table with the position `first`.
    pub fn begin(&mut self, sql: &dyn Sql, first: u64) -> Result<(), StoreError> {
        if self.tables.last() != Some(&first) {
            sql.query(&format!("CREATE TABLE journal_{first} (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)"), &[])?;
            self.tables.push(first);
        }
        Ok(())
    }

    /// Writes a group as one row; its entries take the positions from `seq` on.
    pub fn write(&mut self, sql: &dyn Sql, seq: u64, entries: &[Entry]) -> Result<(), StoreError> {
        if self.tables.is_empty() {
            self.begin(sql, seq)?;
        }
        let table = self.tables.last().copied().unwrap_or(seq);
        let body = postcard::to_extend(entries, vec![VERSION]).map_err(|_| StoreError::Corrupt("journal row"))?;
        let statement = format!("INSERT INTO journal_{table} (seq, body) VALUES (?, ?)");
        sql.query(&statement, &[seq.into(), Value::Blob(body)])?;
        Ok(())
    }

    /// Writes other entries in a row that is there.
    pub fn rewrite(sql: &dyn Sql, table: u64, seq: u64, entries: &[Entry]) -> Result<(), StoreError> {
        let body = postcard::to_extend(entries, vec![VERSION]).map_err(|_| StoreError::Corrupt("journal row"))?;
        let statement = format!("UPDATE journal_{table} SET body = ? WHERE seq = ?");
        sql.query(&statement, &[Value::Blob(body), seq.into()])?;
        Ok(())
    }

    /// The rows by table and position, in order.
    pub fn rows(&self, sql: &dyn Sql) -> Result<Vec<(u64, u64)>, StoreError> {
        let mut all = Vec::new();
        for table in &self.tables {
            let rows = sql.query(&format!("SELECT seq FROM journal_{table} ORDER BY seq"), &[])?;
            all.extend(rows.iter().map(|row| (*table, integer(row, 0).unsigned_abs())));
        }
        Ok(all)
    }

    /// Reads a row; `None` where it is damaged.
    pub fn read(sql: &dyn Sql, table: u64, seq: u64) -> Result<Option<Vec<Entry>>, StoreError> {
        let mut rows = sql.query(&format!("SELECT body FROM journal_{table} WHERE seq = ?"), &[seq.into()])?;
        let body = rows.first_mut().map(|row| blob(row, 0)).unwrap_or_default();
        Ok(body.strip_prefix(&[VERSION]).and_then(|body| postcard::from_bytes(body).ok()))
    }

    /// Drops the tables whose rows are all folded: those that another one follows from `folded + 1` on at the latest.
    pub fn drop_folded(&mut self, sql: &dyn Sql, folded: u64) -> Result<(), SqlError> {
        while let [oldest, next, ..] = self.tables.as_slice()
            && *next <= folded + 1
        {
            sql.query(&format!("DROP TABLE journal_{oldest}"), &[])?;
            self.tables.remove(0);
        }
        Ok(())
    }
}
