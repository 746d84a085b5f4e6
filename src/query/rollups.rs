//! The question behind `GET rollups`, the series that answers it part by part, and the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parse::{MAX_BUCKETS, ParameterError, TIME, error, pairs, take};
use super::time::{parse_time, rfc3339};
use crate::policy::parse_duration_ms;
use crate::rollup::{Cell, Group, MINUTE_MS, Rollup};

/// Items of one answer; beyond that what is left over is left out, and the answer says so.
const MAX_ITEMS: usize = 10_000;

/// What a series is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RollupGroup {
    None,
    Country,
    Endpoint,
    Status,
}

/// A series is asked for. Times are minutes since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupQuery {
    /// The first minute, and the one after the last.
    pub from: u64,
    pub to: u64,
    /// Minutes of a bucket; 0 for none.
    pub bucket: u64,
    pub group_by: RollupGroup,
}

/// What some minutes add up to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// By start of the bucket (minute, 0 for none), then group; no name for what has none.
    cells: BTreeMap<(u64, String), Cell>,
    /// Whether something is missing, or not told apart as asked.
    pub partial: bool,
    /// The minute at which the next part begins, if there is one.
    pub resume: Option<u64>,
}

/// One item of the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollupItem {
    pub time: Option<String>,
    pub group: Option<String>,
    pub requests: u64,
    pub attacks: u64,
    pub duration_ms_mean: f64,
    pub response_bytes: u64,
}

/// The answer to `GET rollups`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollupsAnswer {
    pub items: Vec<RollupItem>,
    pub partial: bool,
}

impl Series {
    /// Counts the cells of what begins at `minute`.
    pub fn count(&mut self, query: &RollupQuery, minute: u64, rollup: &Rollup) {
        let time = minute.checked_rem(query.bucket).map_or(0, |rest| minute - rest);
        for (endpoint, group, cell) in rollup.cells() {
            let name = match query.group_by {
                RollupGroup::None => String::new(),
                RollupGroup::Status => format!("{}xx", group.class),
                RollupGroup::Endpoint => {
                    self.partial |= endpoint.is_empty();
                    endpoint.to_owned()
                }
                RollupGroup::Country => {
                    self.partial |= group.country == Group::MIXED;
                    let known = group.country != Group::UNKNOWN && group.country != Group::MIXED;
                    if known { group.country.map(char::from).iter().collect() } else { String::new() }
                }
            };
            self.add(time, name, cell);
        }
    }

    fn add(&mut self, time: u64, name: String, cell: &Cell) {
        let full = self.cells.len() >= MAX_ITEMS;
        match self.cells.get_mut(&(time, name.clone())) {
            Some(held) => held.add(cell),
            None if full => self.partial = true,
            None => drop(self.cells.insert((time, name), *cell)),
        }
    }

    /// Adds the next part.
    pub fn extend(&mut self, next: Self) {
        self.partial |= next.partial;
        self.resume = next.resume;
        next.cells.into_iter().for_each(|((time, name), cell)| self.add(time, name, &cell));
    }

    /// The series as the API shows it.
    pub fn answer(&self) -> RollupsAnswer {
        let item = |((time, group), cell): (&(u64, String), &Cell)| RollupItem {
            time: (*time > 0).then(|| rfc3339(time * MINUTE_MS)),
            group: (!group.is_empty()).then(|| group.clone()),
            requests: cell.requests,
            attacks: cell.attacks,
            // Two digits; sums stay far below 2⁵³.
            duration_ms_mean: (cell.duration_ms as f64 / cell.requests.max(1) as f64 * 100.0).round() / 100.0,
            response_bytes: cell.response_bytes,
        };
        RollupsAnswer { items: self.cells.iter().map(item).collect(), partial: self.partial || self.resume.is_some() }
    }
}

/// Parses `GET rollups`. A range is widened to whole minutes.
pub fn parse_rollups(query: &str, now_ms: u64) -> Result<RollupQuery, ParameterError> {
    let mut pairs = pairs(query)?;
    let mut time = |name| -> Result<Option<u64>, ParameterError> {
        let Some(text) = take(&mut pairs, name)? else { return Ok(None) };
        parse_time(&text, now_ms).map(Some).ok_or_else(|| error(name, TIME))
    };
    let (from_ms, to_ms) = (time("from")?, time("to")?);
    if let (Some(from), Some(to)) = (from_ms, to_ms)
        && from > to
    {
        return Err(error("from", "is later than `to`"));
    }
    let bucket = match take(&mut pairs, "bucket")?.as_deref().map(parse_duration_ms) {
        None => 0,
        Some(Some(ms)) if ms >= MINUTE_MS && ms % MINUTE_MS == 0 => ms / MINUTE_MS,
        Some(_) => return Err(error("bucket", "is no whole number of minutes; write for example 1m, 1h, 1d")),
    };
    let group_by = match take(&mut pairs, "group_by")?.as_deref() {
        None | Some("none") => RollupGroup::None,
        Some("country") => RollupGroup::Country,
        Some("endpoint") => RollupGroup::Endpoint,
        Some("status") => RollupGroup::Status,
        Some(_) => return Err(error("group_by", "is none of: country, endpoint, status, none")),
    };
    if let Some((name, _)) = pairs.first() {
        return Err(error(name, "is not known here"));
    }
    let (from, to) = (from_ms.unwrap_or(0) / MINUTE_MS, to_ms.map_or(u64::MAX, |to| to / MINUTE_MS + 1));
    if bucket != 0 && from_ms.is_none() {
        return Err(error("bucket", "needs `from`, so that the buckets can be counted"));
    }
    let end = to.min((now_ms / MINUTE_MS + 1).max(from));
    if (end - from).checked_div(bucket).is_some_and(|buckets| buckets > MAX_BUCKETS) {
        let reason = format!("gives more than {MAX_BUCKETS} buckets; make it wider or the range shorter");
        return Err(error("bucket", &reason));
    }
    Ok(RollupQuery { from, to, bucket, group_by })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_widened_to_whole_minutes_and_what_is_wrong_is_named() {
        let now_ms = 1_700_000_000_000;
        let query = parse_rollups("from=-90s&to=2023-11-14T22:13:00Z&bucket=1h&group_by=country", now_ms).unwrap();
        let minute = now_ms / MINUTE_MS;
        assert_eq!((query.from, query.to, query.bucket), (minute - 2, minute + 1, 60));
        assert_eq!(query.group_by, RollupGroup::Country);
        let all = parse_rollups("", now_ms).unwrap();
        assert_eq!((all.from, all.to, all.bucket, all.group_by), (0, u64::MAX, 0, RollupGroup::None));
        for (query, name) in [
            ("bucket=1m", "bucket"),
            ("bucket=90s&from=-1h", "bucket"),
            ("bucket=1m&from=-7d", "bucket"),
            ("group_by=host", "group_by"),
            ("from=yesterday", "from"),
            ("from=-1h&to=-2h", "from"),
            ("to=-1h&to=-1h", "to"),
            ("country=DE", "country"),
            ("limit=5", "limit"),
        ] {
            assert_eq!(parse_rollups(query, now_ms).map_err(|e| e.name), Err(name.to_owned()), "{query}");
        }
    }
}
