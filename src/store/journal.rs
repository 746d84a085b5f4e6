//! The journal: what was acknowledged and is not folded yet, one row for each group of flushes.

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sql::{Sql, Value, blob, integer};

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
    #[serde(with = "bytes")]
    pub batch: Vec<u8>,
}

/// Writes a group as one row; its entries take the positions from `seq` on.
pub fn write(sql: &dyn Sql, seq: u64, entries: &[Entry]) -> Result<(), StoreError> {
    let body = postcard::to_extend(entries, vec![VERSION]).map_err(|_| StoreError::Corrupt("journal row"))?;
    sql.query("INSERT INTO journal (seq, body) VALUES (?, ?)", &[seq.into(), Value::Blob(body)])?;
    Ok(())
}

/// Writes other entries in a row that is there.
pub fn rewrite(sql: &dyn Sql, seq: u64, entries: &[Entry]) -> Result<(), StoreError> {
    let body = postcard::to_extend(entries, vec![VERSION]).map_err(|_| StoreError::Corrupt("journal row"))?;
    sql.query("UPDATE journal SET body = ? WHERE seq = ?", &[Value::Blob(body), seq.into()])?;
    Ok(())
}

/// The positions of the rows, in order.
pub fn rows(sql: &dyn Sql) -> Result<Vec<u64>, StoreError> {
    let rows = sql.query("SELECT seq FROM journal ORDER BY seq", &[])?;
    Ok(rows.iter().map(|row| integer(row, 0).unsigned_abs()).collect())
}

/// Reads a row; `None` where it is damaged.
pub fn read(sql: &dyn Sql, seq: u64) -> Result<Option<Vec<Entry>>, StoreError> {
    let mut rows = sql.query("SELECT body FROM journal WHERE seq = ?", &[seq.into()])?;
    let body = rows.first_mut().map(|row| blob(row, 0)).unwrap_or_default();
    Ok(body.strip_prefix(&[VERSION]).and_then(|body| postcard::from_bytes(body).ok()))
}

/// Removes what is folded: everything, unless rows beyond `upto` are there.
pub fn clear(sql: &dyn Sql, upto: u64, is_all: bool) -> Result<(), StoreError> {
    // A table that is emptied as a whole costs nothing by the row.
    match is_all {
        true => sql.query("DELETE FROM journal", &[])?,
        false => sql.query("DELETE FROM journal WHERE seq <= ?", &[upto.into()])?,
    };
    Ok(())
}

/// Bytes as bytes: serde's own way goes element by element.
mod bytes {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
