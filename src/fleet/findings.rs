//! The newest findings of all shards: a row for those of one delta, and in memory only when each row begins and ends.

use std::collections::BTreeMap;

use super::Fleet;
use super::deltas::{pack, unpack};
use crate::query::{FindingQuery, Order, Page, is_after};
use crate::rollup::{Delta, Lost};
use crate::session::{Finding, Label};
use crate::sorting;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::store::{StoreError, named, remember};
use crate::wire::FleetHealth;

/// Findings kept; beyond that the oldest go before their time, some more than needed so that it is not every time.
const MAX_FINDINGS: u64 = 20_000;
const AFTER_DROPPING: u64 = 19_000;
/// Findings one order looks at before it makes room for others.
const SLICE: u64 = 4_000;
/// Up to when findings may be missing, epoch ms.
const DROPPED: &str = "dropped_findings";

/// The rows by the time of their newest finding and their number: the time of the oldest one, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Feed {
    rows: BTreeMap<(u64, u64), (u64, u64)>,
}

impl Feed {
    pub fn read(sql: &dyn Sql) -> Result<Self, StoreError> {
        let rows = sql.query("SELECT number, first_ms, last_ms, count FROM findings", &[])?;
        let number = |row, column| integer(row, column).unsigned_abs();
        let rows = rows.iter().map(|row| ((number(row, 2), number(row, 0)), (number(row, 1), number(row, 3))));
        Ok(Self { rows: rows.collect() })
    }

    /// How many findings there are.
    pub fn count(&self) -> u64 {
        self.rows.values().map(|(_, count)| count).sum()
    }

    /// Keeps the findings of a delta, however often it is told to.
    pub fn add(
        &mut self,
        sql: &dyn Sql,
        number: u64,
        delta: &Delta,
        health: &mut FleetHealth,
    ) -> Result<(), StoreError> {
        if delta.lost.findings > 0 {
            note_dropped(sql, delta.lost.until_ms)?;
        }
        let times = || delta.findings.iter().map(|finding| finding.time_ms);
        let (Some(first_ms), Some(last_ms)) = (times().min(), times().max()) else { return Ok(()) };
        let count = delta.findings.len() as u64;
        sql.query(
            "INSERT OR REPLACE INTO findings (number, first_ms, last_ms, count, body) VALUES (?, ?, ?, ?, ?)",
            &[
                number.into(),
                first_ms.into(),
                last_ms.into(),
                count.into(),
                Value::Blob(pack(&delta.findings, "findings")?),
            ],
        )?;
        self.rows.insert((last_ms, number), (first_ms, count));
        if self.count() > MAX_FINDINGS {
            let lost = self.drop_oldest(sql)?;
            health.findings_dropped += lost.findings;
        }
        Ok(())
    }

    fn drop_oldest(&mut self, sql: &dyn Sql) -> Result<Lost, StoreError> {
        let mut excess = self.count().saturating_sub(AFTER_DROPPING);
        let (mut lost, mut going) = (Lost::default(), Vec::new());
        for (&(last_ms, number), &(_, count)) in &self.rows {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(count);
            lost.add(Lost { findings: count, until_ms: last_ms });
            going.push((last_ms, number));
        }
        note_dropped(sql, lost.until_ms)?;
        for key in going {
            sql.query("DELETE FROM findings WHERE number = ?", &[key.1.into()])?;
            self.rows.remove(&key);
        }
        Ok(lost)
    }

    /// Drops the rows whose newest finding is older than the horizon.
    pub fn expire(&mut self, sql: &dyn Sql, horizon_ms: u64) -> Result<(), StoreError> {
        if self.rows.first_key_value().is_some_and(|((last_ms, _), _)| *last_ms < horizon_ms) {
            sql.query("DELETE FROM findings WHERE last_ms < ?", &[horizon_ms.into()])?;
            self.rows = self.rows.split_off(&(horizon_ms, 0));
        }
        Ok(())
    }
}

fn note_dropped(sql: &dyn Sql, until_ms: u64) -> Result<(), StoreError> {
    let noted: Option<u64> = named(sql, DROPPED)?;
    if noted < Some(until_ms) { remember(sql, DROPPED, &until_ms) } else { Ok(()) }
}

/// Takes a user out of findings; answers whether any named it.
fn erase(findings: &mut [Finding], forms: &[String]) -> bool {
    findings.iter_mut().fold(false, |erased, finding| finding.erase(forms) | erased)
}

impl<S: Sql> Fleet<S> {
    /// Takes a user, known by these texts, out of what findings say; answers whether any named it. What cannot be read
    /// names nobody any more.
    pub(super) fn erase_user(&mut self, forms: &[String]) -> Result<bool, StoreError> {
        self.finish()?;
        let mut erased = false;
        // The last delta of each shard first: the newest of them may be counted again.
        for name in self.sql.query("SELECT name FROM shards", &[])?.iter_mut().filter_map(|row| row.pop()) {
            let mut rows = self.sql.query("SELECT delta FROM shards WHERE name = ?", core::slice::from_ref(&name))?;
            let stored = rows.first_mut().map(|row| blob(row, 0)).unwrap_or_default();
            let Ok(mut delta) = unpack::<Delta>(&stored, "delta") else { continue };
            if erase(&mut delta.findings, forms) {
                let body = Value::Blob(pack(&delta, "delta")?);
                self.sql.query("UPDATE shards SET delta = ? WHERE name = ?", &[body, name])?;
                erased = true;
            }
        }
        for (_, number) in self.feed.rows.keys() {
            let mut rows = self.sql.query("SELECT body FROM findings WHERE number = ?", &[(*number).into()])?;
            let stored = rows.first_mut().map(|row| blob(row, 0)).unwrap_or_default();
            let Ok(mut findings) = unpack::<Vec<Finding>>(&stored, "findings") else { continue };
            if erase(&mut findings, forms) {
                let body = Value::Blob(pack(&findings, "findings")?);
                self.sql.query("UPDATE findings SET body = ? WHERE number = ?", &[body, (*number).into()])?;
                erased = true;
            }
        }
        Ok(erased)
    }

    /// A page of findings, newest first. Where it would take too long to fill, the page says up to where it looked.
    pub(super) fn findings(&mut self, query: &FindingQuery) -> Result<Page<(Finding, Option<Label>)>, StoreError> {
        self.finish()?;
        let dropped: Option<u64> = named(&self.sql, DROPPED)?;
        let wanted = |place: (u64, u128)| query.after.is_none_or(|after| is_after(place, after, Order::Desc));
        let enough = query.limit as usize + 1;
        let (mut found, mut looked_at, mut cut) = (Vec::new(), 0, None);
        for (&(last_ms, number), &(first_ms, count)) in self.feed.rows.iter().rev() {
            let is_in_range = query.from_ms.is_none_or(|from| last_ms >= from)
                && query.to_ms.is_none_or(|to| first_ms <= to)
                && wanted((first_ms << 16, 0));
            if !is_in_range {
                continue;
            }
            // All that is left is older than what fills the page.
            let last = found.get(enough - 1).map(|(value, ..): &(u64, u128, Finding)| *value);
            if last.is_some_and(|value| value >= FindingQuery::after_moment(last_ms).0) {
                break;
            }
            if looked_at >= SLICE {
                cut = Some(FindingQuery::after_moment(last_ms));
                break;
            }
            looked_at += count;
            let mut rows = self.sql.query("SELECT body FROM findings WHERE number = ?", &[number.into()])?;
            let Some(row) = rows.first_mut() else { continue };
            let findings: Vec<Finding> = unpack(&blob(row, 0), "findings")?;
            let places = findings.into_iter().map(|finding| (FindingQuery::place(&finding), finding));
            let labels = &self.labels;
            let fitting = places.filter(|(place, finding)| {
                wanted(*place) && query.fits(finding) && query.fits_label(|| labels.get(&finding.id()))
            });
            found.extend(fitting.map(|((value, id), finding)| (value, id, finding)));
            sorting::sort_by_key(&mut found, |(value, id, _)| core::cmp::Reverse((*value, *id)));
            found.truncate(enough);
        }
        if let Some(cut) = cut {
            // What lies behind it may not be all there is.
            found.retain(|(value, id, _)| (*value, *id) >= cut);
        }
        let page = Page::of(found, Order::Desc, query.limit);
        let page = page.map(|finding| {
            let label = self.labels.get(&finding.id()).cloned();
            (finding, label)
        });
        let cut = cut.filter(|_| !page.more);
        let partial = dropped.is_some_and(|until| query.from_ms.is_none_or(|from| from <= until));
        Ok(Page { more: page.more || cut.is_some(), cut, partial: partial && !page.more && cut.is_none(), ..page })
    }
}
