//! Requests counted instead of kept: by endpoint, country and class of status, minute by minute.
//!
//! A shard counts what it journals and tells the fleet in [`Delta`]s; the fleet keeps the sums. How many cells there are
//! is bounded whatever clients send: what finds no room is counted with the endpoints that are not told apart, so that
//! totals, countries and classes stay exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::inventory::Tally;
use crate::ordered::OrderedMap;
use crate::session::{Event, Finding};

/// A minute, ms. Minutes are numbered from the epoch.
pub const MINUTE_MS: u64 = 60_000;
/// Endpoints told apart in one rollup, and cells they have all together: at 259 bytes an endpoint and some 25 a cell
/// six hundred kilobytes, beside which those not told apart are at most 13,000 cells more; a row stays below a megabyte.
const MAX_ENDPOINTS: usize = 2_000;
const MAX_CELLS: usize = 4_000;

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cell {
    pub requests: u64,
    /// Requests that completed a finding.
    pub attacks: u64,
    /// Sum of the durations, ms.
    pub duration_ms: u64,
    /// Sum of the sizes that were announced.
    pub response_bytes: u64,
}

impl Cell {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.attacks = self.attacks.saturating_add(other.attacks);
        self.duration_ms = self.duration_ms.saturating_add(other.duration_ms);
        self.response_bytes = self.response_bytes.saturating_add(other.response_bytes);
    }
}

/// Country and class of status of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// ISO 3166 alpha-2, [`Group::UNKNOWN`] or [`Group::MIXED`].
    pub country: [u8; 2],
    /// First digit of the status.
    pub class: u8,
}

impl Group {
    /// The country is not known.
    pub const UNKNOWN: [u8; 2] = [0, 0];
    /// Countries are not told apart.
    pub const MIXED: [u8; 2] = *b"**";

    /// The group an event belongs to.
    pub fn of(event: &Event<'_>) -> Self {
        let country = match event.country.as_bytes() {
            [a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => [*a, *b],
            _ => Self::UNKNOWN,
        };
        Self { country, class: u8::try_from(event.status / 100).unwrap_or(9).min(9) }
    }
}

/// The cells of one minute, or of several together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rollup {
    /// By name of the endpoint ([`Event::endpoint_key`]); the empty name is all those that are not told apart.
    endpoints: BTreeMap<Box<str>, BTreeMap<Group, Cell>>,
    /// Cells with a named endpoint.
    named: u64,
}

impl Rollup {
    /// Adds to the cell of this endpoint and group.
    pub fn add(&mut self, endpoint: &str, group: Group, cell: &Cell) {
        if let Some(held) = self.endpoints.get_mut(endpoint).and_then(|groups| groups.get_mut(&group)) {
            held.add(cell);
            return;
        }
        let room = self.named < MAX_CELLS as u64
            && (self.endpoints.len() < MAX_ENDPOINTS || self.endpoints.contains_key(endpoint));
        let name = if room { endpoint } else { "" };
        self.named += u64::from(!name.is_empty());
        self.endpoints.entry(name.into()).or_default().entry(group).or_default().add(cell);
    }

    /// Adds every cell of another rollup.
    pub fn merge(&mut self, other: &Self) {
        other.cells().for_each(|(endpoint, group, cell)| self.add(endpoint, group, cell));
    }

    /// Every cell with its endpoint and group, in order.
    pub fn cells(&self) -> impl Iterator<Item = (&str, Group, &Cell)> {
        self.endpoints.iter().flat_map(|(name, groups)| groups.iter().map(move |(group, cell)| (&**name, *group, cell)))
    }

    /// The same sums without endpoints and, where told so, without countries.
    pub fn coarser(&self, countries: bool) -> Self {
        let mut coarse = Self::default();
        for (_, group, cell) in self.cells() {
            let country = if countries { group.country } else { Group::MIXED };
            coarse.add("", Group { country, ..group }, cell);
        }
        coarse
    }

    /// Requests of endpoints that are not told apart.
    pub fn unnamed_requests(&self) -> u64 {
        self.endpoints.get("").into_iter().flat_map(BTreeMap::values).map(|cell| cell.requests).sum()
    }
}

/// Findings that had to be dropped untold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lost {
    pub findings: u64,
    /// The newest of them is from then, epoch ms.
    pub until_ms: u64,
}

impl Lost {
    /// Counts these too.
    pub fn add(&mut self, other: Self) {
        self.findings = self.findings.saturating_add(other.findings);
        self.until_ms = self.until_ms.max(other.until_ms);
    }
}

/// What happened in a range of a shard's journal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Delta {
    /// Names the shard, as the platform does.
    pub shard: String,
    /// When its journal began, epoch ms: another one has positions of its own.
    pub installed_ms: u64,
    /// Journal positions after this one …
    pub from: u64,
    /// … up to this one, which is included.
    pub upto: u64,
    /// By minute of the event.
    pub minutes: OrderedMap<u64, Rollup>,
    /// By name of the endpoint, of those that have shown that they are there.
    pub endpoints: BTreeMap<Box<str>, Tally>,
    pub findings: Vec<Finding>,
    /// Risk of the session of each finding, with what it added, as far as the shard still knows it.
    pub risks: Vec<u8>,
    pub lost: Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Cell = Cell { requests: 1, attacks: 0, duration_ms: 5, response_bytes: 7 };

    fn group(country: [u8; 2], class: u8) -> Group {
        Group { country, class }
    }

    #[test]
    fn what_finds_no_room_loses_its_endpoint_and_nothing_else() {
        let mut rollup = Rollup::default();
        for n in 0..10_000u64 {
            let name = format!("GET shop.test/{}/{n}", "x".repeat(240));
            rollup.add(&name, group(*b"DE", (n % 10) as u8), &ONE);
            rollup.add(&name, group([b'A' + (n % 26) as u8, b'A' + (n / 26 % 26) as u8], 2), &ONE);
        }
        let total: u64 = rollup.cells().map(|(.., cell)| cell.requests).sum();
        assert_eq!((total, rollup.endpoints.len()), (20_000, MAX_ENDPOINTS + 1));
        assert!(rollup.unnamed_requests() > 15_000 && rollup.named <= MAX_CELLS as u64);
        let german = rollup.cells().filter(|(_, group, _)| group.country == *b"DE");
        assert_eq!(german.map(|(.., cell)| cell.requests).sum::<u64>(), 10_000 + 10_000 / 676 + 1);
        assert!(postcard::to_allocvec(&rollup).unwrap().len() < 1_000_000);
    }

    #[test]
    fn coarser_sums_are_the_same_sums() {
        let mut rollup = Rollup::default();
        rollup.add("GET a/", group(*b"DE", 2), &ONE);
        rollup.add("GET b/", group(*b"DE", 2), &ONE);
        rollup.add("GET b/", group(*b"FR", 2), &ONE);
        let two = Cell { requests: 2, attacks: 0, duration_ms: 10, response_bytes: 14 };
        let coarse = rollup.coarser(true);
        assert_eq!(coarse.cells().collect::<Vec<_>>(), [("", group(*b"DE", 2), &two), ("", group(*b"FR", 2), &ONE)]);
        assert_eq!(coarse.coarser(false).cells().map(|(.., cell)| cell.requests).collect::<Vec<_>>(), [3]);
    }
}
