//! Taking deltas in: each counts once, whatever is lost, repeated, reordered or cut short.
//!
//! Accepting a delta is one statement: the shard's row gets the new position, the next number and the delta itself. Only
//! then is it counted, row by row; every row says the number of the last delta in it, so counting goes on where it was
//! cut short and changes nothing where it was done. Nothing else is accepted, or answered, before that is finished.

use super::Fleet;
use crate::rollup::Delta;
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::wire::FleetHealth;

/// First byte of stored deltas, rollups and findings.
const VERSION: u8 = 2;
/// What is too old is looked for this often, ms.
const TIDY_EVERY_MS: u64 = 3_600_000;

/// How far taking in is.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Number of the last delta accepted.
    pub number: u64,
    /// It as it is stored, unless it is counted to the end.
    unfinished: Option<Vec<u8>>,
    tidied_ms: u64,
}

impl Intake {
    /// The last delta accepted counts as unfinished: nobody noted whether it was.
    pub fn read(sql: &dyn Sql) -> Result<Self, StoreError> {
        let mut rows = sql.query("SELECT number, delta FROM shards ORDER BY number DESC LIMIT 1", &[])?;
        let Some(row) = rows.first_mut() else { return Ok(Self::default()) };
        Ok(Self { number: integer(row, 0).unsigned_abs(), unfinished: Some(blob(row, 1)), tidied_ms: 0 })
    }
}

impl<S: Sql> Fleet<S> {
    /// Takes a delta in if it begins where the shard is; answers where the shard is now.
    pub(super) fn take_in(&mut self, delta: &Delta, now_ms: u64) -> Result<u64, StoreError> {
        self.finish()?;
        let known = "SELECT installed_ms, position FROM shards WHERE name = ?";
        let rows = self.sql.query(known, &[Value::Text(delta.shard.clone())])?;
        let known = rows.first().map(|row| (integer(row, 0).unsigned_abs(), integer(row, 1).unsigned_abs()));
        // A journal that began anew has positions of its own.
        if let Some((_, position)) = known.filter(|(installed_ms, _)| *installed_ms == delta.installed_ms) {
            if delta.from < position {
                self.health.deltas_repeated += 1;
                return Ok(position);
            }
            // A shard goes on only from what was confirmed here: what lies between was lost here.
            self.health.deltas_gaps += u64::from(delta.from > position);
        }
        let position = delta.upto;
        self.accept(delta, now_ms)?;
        self.finish()?;
        self.tidy(now_ms)?;
        Ok(position)
    }

    fn accept(&mut self, delta: &Delta, now_ms: u64) -> Result<(), StoreError> {
        let number = self.intake.number + 1;
        let body = pack(delta, "delta")?;
        self.sql.query(
            "INSERT INTO shards (name, installed_ms, position, number, heard_ms, delta) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (name) DO UPDATE SET installed_ms = excluded.installed_ms, position = excluded.position, \
             number = excluded.number, heard_ms = excluded.heard_ms, delta = excluded.delta",
            &[
                Value::Text(delta.shard.clone()),
                delta.installed_ms.into(),
                delta.upto.into(),
                number.into(),
                now_ms.into(),
                Value::Blob(body.clone()),
            ],
        )?;
        self.health.deltas_applied += 1;
        self.health.findings_dropped += delta.lost.findings;
        self.intake.number = number;
        self.intake.unfinished = Some(body);
        Ok(())
    }

    /// Counts the last delta accepted, unless that is done.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        let Some(body) = &self.intake.unfinished else { return Ok(()) };
        let delta: Delta = unpack(body, "delta")?;
        let number = self.intake.number;
        self.rollups.add(&self.sql, number, &delta.minutes, &mut self.health)?;
        self.feed.add(&self.sql, number, &delta, &mut self.health)?;
        let newest_ms = delta.endpoints.values().map(|tally| tally.last_ms).max().unwrap_or(0);
        self.endpoints.add(&self.sql, number, &delta.endpoints, newest_ms)?;
        for finding in &delta.findings {
            *self.found.entry(finding.detector).or_default() += 1;
        }
        self.raise_found(&delta)?;
        self.intake.unfinished = None;
        Ok(())
    }

    /// Once an hour: hours that are over are summed up, and what is too old or too much goes.
    fn tidy(&mut self, now_ms: u64) -> Result<(), StoreError> {
        if now_ms < self.intake.tidied_ms.saturating_add(TIDY_EVERY_MS) {
            return Ok(());
        }
        let horizon_ms = now_ms.saturating_sub(self.retention_ms);
        self.rollups.sum_up(&self.sql, self.intake.number, now_ms)?;
        self.rollups.expire(&self.sql, horizon_ms, &mut self.health)?;
        self.feed.expire(&self.sql, horizon_ms)?;
        self.endpoints.expire(&self.sql, horizon_ms)?;
        // The row with the last number stays: numbers go on from it.
        let silent = "DELETE FROM shards WHERE heard_ms < ? AND number < ?";
        self.sql.query(silent, &[horizon_ms.into(), self.intake.number.into()])?;
        self.intake.tidied_ms = now_ms;
        Ok(())
    }

    pub(super) fn health(&self) -> Result<FleetHealth, StoreError> {
        let minutes = self.sql.query("SELECT COUNT(*) FROM minutes", &[])?;
        let minutes_kept = minutes.first().map_or(0, |row| integer(row, 0).unsigned_abs());
        let (alerts_waiting, alerts_dead) = (self.count_alerts(false)?, self.count_alerts(true)?);
        Ok(FleetHealth { findings_kept: self.feed.count(), minutes_kept, alerts_waiting, alerts_dead, ..self.health })
    }
}

/// A value behind its version.
pub(super) fn pack<T: serde::Serialize>(value: &T, what: &'static str) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, vec![VERSION]).map_err(|_| StoreError::Corrupt(what))
}

/// Reads what [`pack`] made.
pub(super) fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, StoreError> {
    let body = bytes.strip_prefix(&[VERSION]).ok_or(StoreError::Corrupt(what))?;
    postcard::from_bytes(body).map_err(|_| StoreError::Corrupt(what))
}
