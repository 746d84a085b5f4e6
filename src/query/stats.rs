//! Statistics: counted part by part, and added up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::{StatsAnswer, StatsBucket, StatsCount};
use super::distinct::Distinct;
use super::time::rfc3339;
use super::{GroupBy, StatsQuery};
use crate::session::Event;

/// Buckets times groups of one statistic; beyond that what is left over counts in the total alone.
const MAX_CELLS: usize = 10_000;

/// What one slice of one shard counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StatsPart {
    total: Cell,
    /// By start of the bucket (epoch ms, 0 for none), then group.
    cells: BTreeMap<u64, BTreeMap<String, Cell>>,
    held: usize,
    /// Whether something is missing from the buckets.
    pub cut: bool,
    /// Where the next slice begins, if there is one.
    pub resume: Option<StatsResume>,
}

/// Where a slice of a statistic ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsResume {
    /// The first chunk that is left.
    pub chunk: u64,
    /// The newest chunk when the first slice began.
    pub newest: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Cell {
    requests: u64,
    attacks: u64,
    sessions: Distinct,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.attacks += other.attacks;
        self.sessions.merge(&other.sessions);
    }

    fn answer(&self) -> StatsCount {
        StatsCount { requests: self.requests, sessions: self.sessions.count(), attacks: self.attacks }
    }
}

impl StatsPart {
    /// Counts an event; `attack` says whether it completed a finding.
    pub fn count(&mut self, query: &StatsQuery, event: &Event<'_>, attack: bool) {
        let [a, b, c, d, e, f, g, h, ..] = event.session.0;
        let mut session = Distinct::default();
        session.insert(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let one = Cell { requests: 1, attacks: u64::from(attack), sessions: session };
        self.total.add(&one);
        if query.bucket_ms == 0 && query.group_by.is_none() {
            return;
        }
        let time = event.time_ms.checked_rem(query.bucket_ms).map_or(0, |rest| event.time_ms - rest);
        let group = match query.group_by {
            None => String::new(),
            Some(GroupBy::Country) => event.country.to_owned(),
            Some(GroupBy::Endpoint) => event.endpoint_key(),
            Some(GroupBy::Status) => event.status.to_string(),
            Some(GroupBy::Method) => event.method.to_owned(),
            Some(GroupBy::Host) => event.host.to_owned(),
            Some(GroupBy::Asn) => {
                if event.asn == 0 {
                    String::new()
                } else {
                    event.asn.to_string()
                }
            }
        };
        self.cell(time, &group, &one);
    }

    fn cell(&mut self, time: u64, group: &str, cell: &Cell) {
        let groups = self.cells.entry(time).or_default();
        if let Some(held) = groups.get_mut(group) {
            held.add(cell);
        } else if self.held < MAX_CELLS {
            self.held += 1;
            groups.insert(group.to_owned(), cell.clone());
        } else {
            self.cut = true;
        }
    }

    /// Adds what another slice or shard counted.
    pub fn add(&mut self, other: &Self) {
        self.total.add(&other.total);
        self.cut |= other.cut;
        for (time, groups) in &other.cells {
            groups.iter().for_each(|(group, cell)| self.cell(*time, group, cell));
        }
    }

    /// The statistic as the API shows it.
    pub fn answer(&self) -> StatsAnswer {
        let bucket = |time: u64, group: &String, cell: &Cell| StatsBucket {
            time: (time > 0).then(|| rfc3339(time)),
            group: (!group.is_empty()).then(|| group.clone()),
            count: cell.answer(),
        };
        let cells =
            self.cells.iter().flat_map(|(time, groups)| groups.iter().map(|(group, cell)| (*time, group, cell)));
        StatsAnswer {
            total: self.total.answer(),
            buckets: cells.map(|(time, group, cell)| bucket(time, group, cell)).collect(),
        }
    }
}
