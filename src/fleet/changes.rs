//! What changed about endpoints: the newest few thousand changes, a row for those of one delta.
//!
//! Changes are read off the sums as deltas are counted. A row says up to which delta everything is noted, so that counting
//! a delta again from the log notes nothing twice; what was counted and not written when the object went is noted then.

use std::collections::VecDeque;

use super::deltas::{pack, unpack};
use crate::inventory::{ChangeKind, EndpointChange};
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, blob, integer};

/// Changes kept; the oldest go first.
pub const MAX_CHANGES: usize = 2_000;

/// What is known of changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    all: VecDeque<EndpointChange>,
    /// Of those, at the end, how many are not written yet.
    unwritten: usize,
    /// Number of the last change, and of the last delta whose changes are written.
    last: u64,
    noted: u64,
}

impl Changes {
    pub fn read(sql: &dyn Sql) -> Result<Self, StoreError> {
        let mut changes = Self::default();
        for mut row in sql.query("SELECT delta, body FROM endpoint_changes ORDER BY number", &[])? {
            changes.noted = changes.noted.max(integer(&row, 0).unsigned_abs());
            let of_row: Vec<EndpointChange> = unpack(&blob(&mut row, 1), "endpoint changes")?;
            changes.all.extend(of_row);
        }
        let beyond = changes.all.len().saturating_sub(MAX_CHANGES);
        changes.all.drain(..beyond);
        changes.last = changes.all.back().map_or(0, |change| change.id);
        Ok(changes)
    }

    /// Notes a change.
    pub fn note(&mut self, time_ms: u64, endpoint: &str, kind: ChangeKind, from: String, to: String) {
        self.last += 1;
        let (from, to) = (from.into(), to.into());
        self.all.push_back(EndpointChange { id: self.last, time_ms, endpoint: endpoint.into(), kind, from, to });
        self.unwritten += 1;
    }

    /// A delta was counted again: what it changed is known already, if its changes are written.
    pub fn again(&mut self, delta: u64) {
        if delta <= self.noted {
            let kept = self.all.len().saturating_sub(self.unwritten);
            self.all.truncate(kept);
            self.unwritten = 0;
            self.last = self.all.back().map_or(self.last, |change| change.id);
        }
    }

    /// Writes what is noted since, all up to this delta.
    pub fn write(&mut self, sql: &dyn Sql, delta: u64) -> Result<(), StoreError> {
        let from = self.all.len().saturating_sub(self.unwritten);
        let news: Vec<&EndpointChange> = self.all.iter().skip(from).collect();
        let Some(first) = news.first() else { return Ok(()) };
        let statement = "INSERT OR REPLACE INTO endpoint_changes (number, delta, body) VALUES (?, ?, ?)";
        sql.query(statement, &[first.id.into(), delta.into(), Value::Blob(pack(&news, "endpoint changes")?)])?;
        self.unwritten = 0;
        self.noted = self.noted.max(delta);
        // What one delta brought may be beyond; it is cut off only here, so that what is noted twice takes nothing away.
        let beyond = self.all.len().saturating_sub(MAX_CHANGES);
        self.all.drain(..beyond);
        if let Some(oldest) = self.all.front().filter(|_| beyond > 0) {
            // The row that the oldest one stands in stays.
            let rows = "DELETE FROM endpoint_changes WHERE number < \
                        (SELECT MAX(number) FROM endpoint_changes WHERE number <= ?)";
            sql.query(rows, &[oldest.id.into()])?;
        }
        Ok(())
    }

    /// All of them, the newest last.
    pub fn all(&self) -> Vec<EndpointChange> {
        self.all.iter().cloned().collect()
    }
}
