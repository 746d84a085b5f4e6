//! Leaving out of a chunk what its superseded sessions do not need any more.

use super::erase::rewritten;
use super::{Chunk, Head, Part, details, read};
use crate::store::StoreError;
use crate::store::sql::{Sql, Value};

impl Chunk {
    /// Whether it is worth going through: it keeps `least` bytes for sessions to go on, and half of its sessions have got a
    /// newer state elsewhere since it was made or gone through.
    pub fn is_stout(&self, least: u64) -> bool {
        let since = (self.superseded_sessions() as u64).saturating_sub(self.slimmed.superseded);
        self.is_readable && self.slimmed.kept >= least.max(1) && since * 2 >= self.sessions as u64
    }
}

/// Leaves out what is kept for sessions that are superseded, in one statement.
pub fn slim(sql: &dyn Sql, chunk: &mut Chunk) -> Result<(), StoreError> {
    let old = read(sql, chunk.id, Part::Details)?;
    let (new, kept) = details::without(&old, |index| chunk.is_superseded(index));
    let slimmed = super::Slimmed { kept, superseded: chunk.superseded_sessions() as u64 };
    let bytes = (chunk.bytes + new.len() as u64).saturating_sub(old.len() as u64);
    let head = rewritten(sql, chunk.id, |head| Head { bytes, slimmed, ..head })?;
    let statement = "UPDATE chunks SET head = ?, details = ? WHERE id = ?";
    sql.query(statement, &[Value::Blob(head), Value::Blob(new), chunk.id.into()])?;
    (chunk.bytes, chunk.slimmed) = (bytes, slimmed);
    Ok(())
}
