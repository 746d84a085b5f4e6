//! Counts by the minute, one row each, and by the hour for long ranges.
//!
//! An hour is summed up once it is over; what comes late is added to its minute and its hour alike. One row is below a
//! megabyte whatever clients send (`src/rollup.rs`).

use serde::{Deserialize, Serialize};

use super::Fleet;
use super::deltas::{pack, unpack};
use crate::ordered::OrderedMap;
use crate::query::{RollupQuery, Series};
use crate::rollup::{MINUTE_MS, Rollup};
use crate::store::sql::{Sql, Value, blob, integer};
use crate::store::{StoreError, named, remember};
use crate::wire::FleetHealth;

const HOUR: u64 = 60;
const HOUR_MS: u64 = HOUR * MINUTE_MS;
/// An hour is summed up this long after its end, ms: by then nearly all of it has been told.
const GRACE_MS: u64 = 600_000;
/// Hours summed up at a time; there are more only where none were for long.
const MAX_HOURS: u64 = 48;
/// Bytes of minutes kept; beyond that the oldest day goes before its time. An object holds ten gigabytes.
const MAX_BYTES: u64 = 4_000_000_000;
const DAY: u64 = 24 * HOUR;
/// Rows read at a time, and bytes of them that one order reads before it makes room for others.
const ROWS_AT_A_TIME: u64 = 16;
const SLICE_BYTES: usize = 16 * 1024 * 1024;
/// The minute up to which something was dropped for its size.
const DROPPED: &str = "dropped_minutes";

/// A row's body.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Number of the last delta counted here.
    number: u64,
    rollup: Rollup,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Width {
    Minute,
    Hour,
}

impl Width {
    fn minutes(self) -> u64 {
        if self == Self::Hour { HOUR } else { 1 }
    }

    fn table(self) -> &'static str {
        if self == Self::Hour { "hours" } else { "minutes" }
    }
}

/// What is known of the rows without reading them.
#[derive(Debug, Default)]
pub(super) struct Rollups {
    /// Hours before this one are summed up.
    hours: u64,
}

impl Rollups {
    pub fn read(sql: &dyn Sql) -> Result<Self, StoreError> {
        Ok(Self { hours: named(sql, "summed_hours")?.unwrap_or(0) })
    }

    /// Counts what a delta says about these minutes, in each row once.
    pub fn add(
        &self,
        sql: &dyn Sql,
        number: u64,
        minutes: &OrderedMap<u64, Rollup>,
        health: &mut FleetHealth,
    ) -> Result<(), StoreError> {
        let mut late: OrderedMap<u64, Rollup> = OrderedMap::new();
        for (minute, rollup) in minutes {
            add_to(sql, Width::Minute, *minute, number, rollup, health)?;
            if minute / HOUR < self.hours {
                late.entry(minute / HOUR).or_default().merge(rollup);
            }
        }
        let mut uncounted = FleetHealth::default();
        late.iter().try_for_each(|(hour, rollup)| add_to(sql, Width::Hour, *hour, number, rollup, &mut uncounted))
    }

    /// Sums up the hours that are over; every delta up to `number` is counted.
    pub fn sum_up(&mut self, sql: &dyn Sql, number: u64, now_ms: u64) -> Result<(), StoreError> {
        let over = now_ms.saturating_sub(GRACE_MS) / HOUR_MS;
        let open = "SELECT DISTINCT start / 60 FROM minutes WHERE start >= ? AND start < ? ORDER BY start LIMIT ?";
        let rows = sql.query(open, &[(self.hours * HOUR).into(), (over * HOUR).into(), MAX_HOURS.into()])?;
        let cut = rows.len() as u64 == MAX_HOURS;
        let hours: Vec<u64> = rows.iter().map(|row| integer(row, 0).unsigned_abs()).collect();
        for hour in &hours {
            let mut sum = Kept { number, ..Kept::default() };
            read_rows(sql, Width::Minute, hour * HOUR, (hour + 1) * HOUR, |_, rollup, _| {
                sum.rollup.merge(&rollup);
                true
            })?;
            write(sql, Width::Hour, *hour, &sum)?;
        }
        // Until this is written the sums are made again, from the same minutes.
        let done = if cut { hours.last().map_or(over, |hour| hour + 1) } else { over };
        if done > self.hours && !hours.is_empty() {
            remember(sql, "summed_hours", &done)?;
            self.hours = done;
        }
        Ok(())
    }

    /// Drops what ended before the horizon, and the oldest days of what is too much.
    pub fn expire(&self, sql: &dyn Sql, horizon_ms: u64, health: &mut FleetHealth) -> Result<(), StoreError> {
        drop_before(sql, horizon_ms / MINUTE_MS)?;
        let rows = sql.query("SELECT COALESCE(SUM(LENGTH(body)), 0), MIN(start), COUNT(*) FROM minutes", &[])?;
        let Some(row) = rows.first() else { return Ok(()) };
        if integer(row, 0).unsigned_abs() > MAX_BYTES {
            let before = integer(row, 1).unsigned_abs() + DAY;
            remember(sql, DROPPED, &before)?;
            drop_before(sql, before)?;
            let left = sql.query("SELECT COUNT(*) FROM minutes", &[])?;
            let left = left.first().map_or(0, |row| integer(row, 0).unsigned_abs());
            health.minutes_dropped += integer(row, 2).unsigned_abs().saturating_sub(left);
        }
        Ok(())
    }
}

/// Whole hours go, so that an hour and its minutes always say the same.
fn drop_before(sql: &dyn Sql, minute: u64) -> Result<(), StoreError> {
    let hour = minute / HOUR;
    sql.query("DELETE FROM hours WHERE start < ?", &[hour.into()])?;
    sql.query("DELETE FROM minutes WHERE start < ?", &[(hour * HOUR).into()])?;
    Ok(())
}

fn add_to(
    sql: &dyn Sql,
    width: Width,
    start: u64,
    number: u64,
    rollup: &Rollup,
    health: &mut FleetHealth,
) -> Result<(), StoreError> {
    let statement = format!("SELECT body FROM {} WHERE start = ?", width.table());
    let mut rows = sql.query(&statement, &[start.into()])?;
    let mut kept: Kept = match rows.first_mut() {
        Some(row) => unpack(&blob(row, 0), "rollup")?,
        None => Kept::default(),
    };
    if kept.number >= number {
        return Ok(());
    }
    let before = kept.rollup.unnamed_requests();
    kept.rollup.merge(rollup);
    kept.number = number;
    write(sql, width, start, &kept)?;
    health.requests_unnamed += kept.rollup.unnamed_requests().saturating_sub(before);
    Ok(())
}

fn write(sql: &dyn Sql, width: Width, start: u64, kept: &Kept) -> Result<(), StoreError> {
    let table = width.table();
    let statement = format!(
        "INSERT INTO {table} (start, body) VALUES (?, ?) ON CONFLICT (start) DO UPDATE SET body = excluded.body"
    );
    sql.query(&statement, &[start.into(), Value::Blob(pack(kept, "rollup")?)])?;
    Ok(())
}

/// Reads rows from `from` to before `to`, as long as `take` wants more of (start, counts, bytes).
fn read_rows(
    sql: &dyn Sql,
    width: Width,
    from: u64,
    to: u64,
    mut take: impl FnMut(u64, Rollup, usize) -> bool,
) -> Result<(), StoreError> {
    let statement =
        format!("SELECT start, body FROM {} WHERE start >= ? AND start < ? ORDER BY start LIMIT ?", width.table());
    let mut next = from;
    loop {
        let rows = sql.query(&statement, &[next.into(), to.into(), ROWS_AT_A_TIME.into()])?;
        let is_last = (rows.len() as u64) < ROWS_AT_A_TIME;
        for mut row in rows {
            let start = integer(&row, 0).unsigned_abs();
            let body = blob(&mut row, 1);
            let kept: Kept = unpack(&body, "rollup")?;
            next = start + 1;
            if !take(start, kept.rollup, body.len()) {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

impl<S: Sql> Fleet<S> {
    /// Adds up what the question asks for, or a first part of it: then the answer says where the next one begins.
    pub(super) fn series(&mut self, query: &RollupQuery) -> Result<Series, StoreError> {
        self.finish()?;
        let mut series = Series::default();
        let dropped: u64 = named(&self.sql, DROPPED)?.unwrap_or(0);
        series.partial = query.from < dropped && query.to > 0;
        // Whole hours are read as such where buckets begin with hours; the rest minute by minute.
        let hours = if query.bucket.is_multiple_of(HOUR) {
            let end = (query.to / HOUR).min(self.rollups.hours);
            query.from.div_ceil(HOUR).min(end)..end
        } else {
            0..0
        };
        let parts = match hours.is_empty() {
            true => vec![(Width::Minute, query.from..query.to)],
            false => vec![
                (Width::Minute, query.from..hours.start * HOUR),
                (Width::Hour, hours.clone()),
                (Width::Minute, hours.end * HOUR..query.to),
            ],
        };
        let mut left = SLICE_BYTES;
        for (width, range) in parts {
            let mut resume = None;
            read_rows(&self.sql, width, range.start, range.end, |start, rollup, bytes| {
                series.count(query, start * width.minutes(), &rollup);
                left = left.saturating_sub(bytes);
                resume = (left == 0).then_some((start + 1) * width.minutes());
                left > 0
            })?;
            if resume.is_some() {
                series.resume = resume;
                break;
            }
        }
        Ok(series)
    }
}
