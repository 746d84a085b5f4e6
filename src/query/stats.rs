//! Statistics: counted part by part, and added up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::{ParamSum, StatsAnswer, StatsBucket, StatsCount};
use super::distinct::Distinct;
use super::time::rfc3339;
use super::{GroupBy, StatsQuery};
use crate::parameter::{Currency, Decimal};
use crate::session::Event;

/// Buckets times groups of one statistic; beyond that what is left over counts in the total alone.
const MAX_CELLS: usize = 10_000;

/// Currencies whose sums are told.
const MAX_CURRENCIES: usize = 16;

/// What one slice of one shard counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StatsPart {
    total: Cell,
    /// By start of the bucket (epoch ms, 0 for none), then group.
    cells: BTreeMap<u64, BTreeMap<String, Cell>>,
    held: usize,
    /// Whether a parameter is added up.
    of_param: bool,
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
    /// The newest chunk and the number of the newest merge when the first slice began.
    pub newest: u64,
    pub merges: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Cell {
    requests: u64,
    attacks: u64,
    sessions: Distinct,
    /// Amounts of the parameter that is asked for: how many, and what they add up to by currency.
    amounts: u64,
    sums: Vec<(Currency, Decimal)>,
    /// Amounts in currencies beyond [`MAX_CURRENCIES`].
    rest: bool,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.attacks += other.attacks;
        self.sessions.merge(&other.sessions);
        self.amounts += other.amounts;
        self.rest |= other.rest;
        other.sums.iter().for_each(|(currency, sum)| self.add_sum(*currency, *sum));
    }

    fn add_sum(&mut self, currency: Currency, amount: Decimal) {
        match self.sums.binary_search_by_key(&currency, |(known, _)| *known) {
            Ok(at) => self.sums.iter_mut().skip(at).take(1).for_each(|(_, sum)| *sum = sum.plus(amount)),
            Err(at) if self.sums.len() < MAX_CURRENCIES => self.sums.insert(at, (currency, amount)),
            Err(_) => self.rest = true,
        }
    }

    fn answer(&self, of_param: bool) -> StatsCount {
        let only = match self.sums.as_slice() {
            [] if self.amounts == 0 => Some(0.0),
            [(_, sum)] if !self.rest => Some(sum.to_f64()),
            _ => None,
        };
        let money = self.sums.iter().filter(|(currency, _)| self.sums.len() > 1 || *currency != Currency::NONE);
        let param = of_param.then(|| ParamSum {
            count: self.amounts,
            sum: only,
            sums: money.map(|(currency, sum)| (currency.to_string(), sum.to_f64())).collect(),
        });
        StatsCount { requests: self.requests, sessions: self.sessions.count(), attacks: self.attacks, param }
    }
}

impl StatsPart {
    /// Nothing yet.
    pub fn new(query: &StatsQuery) -> Self {
        Self { of_param: query.param.is_some(), ..Self::default() }
    }

    /// Counts an event; `attack` says whether it completed a finding.
    pub fn count(&mut self, query: &StatsQuery, event: &Event<'_>, attack: bool) {
        let [a, b, c, d, e, f, g, h, ..] = event.session.0;
        let mut session = Distinct::default();
        session.insert(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let mut one = Cell { requests: 1, attacks: u64::from(attack), sessions: session, ..Cell::default() };
        for value in query.param.iter().flat_map(|name| event.params.of(name)) {
            if let Some(amount) = value.amount() {
                one.amounts += 1;
                one.add_sum(value.currency(), amount);
            }
        }
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
            Some(GroupBy::Asn) if event.asn == 0 => String::new(),
            Some(GroupBy::Asn) => event.asn.to_string(),
            Some(GroupBy::Flow) => {
                let mut flows = query.filter.tags.names_of(event.method, event.template).peekable();
                if flows.peek().is_some() {
                    return flows.for_each(|flow| self.cell(time, flow, &one));
                }
                String::new()
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
        self.of_param |= other.of_param;
        for (time, groups) in &other.cells {
            groups.iter().for_each(|(group, cell)| self.cell(*time, group, cell));
        }
    }

    /// The statistic as the API shows it.
    pub fn answer(&self) -> StatsAnswer {
        let bucket = |time: u64, group: &String, cell: &Cell| StatsBucket {
            time: (time > 0).then(|| rfc3339(time)),
            group: (!group.is_empty()).then(|| group.clone()),
            count: cell.answer(self.of_param),
        };
        let cells =
            self.cells.iter().flat_map(|(time, groups)| groups.iter().map(|(group, cell)| (*time, group, cell)));
        StatsAnswer {
            total: self.total.answer(self.of_param),
            buckets: cells.map(|(time, group, cell)| bucket(time, group, cell)).collect(),
        }
    }
}
