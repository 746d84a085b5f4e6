//! What the fleet has yet to be told: counts and findings, by the range of journal positions they come from.
//!
//! The fleet remembers how far it has taken each shard in and takes only what begins exactly there; it answers with its
//! position, and the shard cuts off what lies before. Nothing is written for that, so a shard that lost its memory does
//! not know what it has offered. The one thing that must hold is that **every position ever offered stays a place where
//! the queue can be cut** until the fleet has confirmed it. Therefore:
//!
//! - Every journal position ends a segment of its own, and a replay makes the very same segments.
//! - Each slice of a fold writes the queue down as it is, in the statement that commits it: what was found in events
//!   that are folded is not found again by a replay, and what the queue holds already is not counted again.
//! - A queue that is long when it is written (the fleet is away) is **held** from there on, and that is written with it:
//!   what comes later is not offered in any life of the object, so later slices merge it into one segment.
//! - When all that may have been offered is confirmed, the hold is lifted by a row that says so, before the next offer.
//!
//! Too many bytes are never a reason to merge segments: counts get coarser and the oldest findings are dropped, counted.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::partition::Marks;
use super::sql::Sql;
use super::{Store, StoreError, named};
use crate::inventory::{Tally, Traits};
use crate::ordered::OrderedMap;
use crate::rollup::{Cell, Delta, Group, Lost, MINUTE_MS, Rollup};
use crate::session::{Event, Finding};

/// Segments above which a slice holds back what comes after it.
const MAX_OFFERED: usize = 256;
/// Counts and findings in the queue, bytes: with what else is in the row that holds them it stays below two megabytes.
/// Only segments as coarse as they get, as many as there are flushes in the journal, may take more.
const MAX_COUNT_BYTES: usize = 768 * 1024;
const MAX_FINDING_BYTES: usize = 640 * 1024;
/// One delta ends with the segment that makes it this large, bytes.
const OFFER_BYTES: usize = 192 * 1024;
/// Minutes that become one where counts are coarsest.
const HOUR: u64 = 60;
/// Endpoints whose use one delta tells; what more there is in one flush is not told.
const MAX_ENDPOINTS: usize = 1_000;

type Minutes = OrderedMap<u64, Rollup>;
type Endpoints = BTreeMap<Box<str>, Tally>;

/// What happened between two journal positions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Segment {
    /// The position it ends with; it begins after the segment before it.
    upto: u64,
    /// [`Minutes`] in postcard: unpacked they take ten times as much. Empty for none.
    counts: Box<[u8]>,
    /// Use of endpoints in postcard; empty for none.
    endpoints: Box<[u8]>,
    findings: Vec<Finding>,
    lost: Lost,
}

/// Several segments together.
#[derive(Debug, Default)]
struct Sum {
    upto: u64,
    minutes: Minutes,
    endpoints: Endpoints,
    findings: Vec<Finding>,
    lost: Lost,
}

/// The queue of what is not confirmed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Deltas {
    /// The position the fleet was last known to be at, or that counting began after.
    from: u64,
    segments: VecDeque<Segment>,
    /// The last position that may be offered, while what follows is held back.
    held: Option<u64>,
    count_bytes: usize,
    finding_bytes: usize,
    /// Counts are made coarser when they take more than this too.
    coarsen_above: usize,
    /// The position up to which the queue is written down.
    #[serde(skip)]
    kept: u64,
    /// What the position being taken in has brought so far.
    #[serde(skip)]
    minutes: Minutes,
    #[serde(skip)]
    endpoints: Endpoints,
    #[serde(skip)]
    findings: Vec<Finding>,
}

impl Deltas {
    /// The queue as it was written last; where it never was, nothing yet after the position `folded`.
    pub fn read(sql: &dyn Sql, folded: u64) -> Self {
        let written: Option<(Marks, Self)> = named(sql, "marks").ok().flatten();
        let deltas = written.map_or_else(|| Self { from: folded, ..Self::default() }, |(_, deltas)| deltas);
        Self { kept: deltas.upto(), ..deltas }
    }

    /// The last position it knows of.
    fn upto(&self) -> u64 {
        self.segments.back().map_or(self.from, |segment| segment.upto)
    }

    /// Counts a request journaled at this position.
    pub fn count(&mut self, seq: u64, event: &Event<'_>, endpoint: &str) {
        let response_bytes = event.response_bytes.unwrap_or(0);
        let cell = Cell { requests: 1, attacks: 0, duration_ms: u64::from(event.duration_ms), response_bytes };
        self.add(seq, event, endpoint, &cell);
    }

    /// Counts the use of an endpoint; the hashes are those of session and user.
    pub fn used(&mut self, seq: u64, event: &Event<'_>, endpoint: &str, session: u64, user: u64) {
        if seq <= self.upto() {
            return;
        }
        if let Some(tally) = self.endpoints.get_mut(endpoint) {
            tally.see(event, session, user);
        } else if self.endpoints.len() < MAX_ENDPOINTS {
            self.endpoints.entry(endpoint.into()).or_default().see(event, session, user);
        }
    }

    /// Takes in what an event showed of an endpoint whose use was counted.
    pub fn shown(&mut self, seq: u64, endpoint: &str, traits: &Traits) {
        if seq > self.upto()
            && let Some(tally) = self.endpoints.get_mut(endpoint)
        {
            tally.traits.merge(traits);
        }
    }

    /// Takes in a finding that came about at this position; `first_of` is the event it is the first of, with the key of
    /// its endpoint.
    pub fn found(&mut self, seq: u64, first_of: Option<(&Event<'_>, &str)>, finding: &Finding) {
        if seq <= self.upto() {
            return;
        }
        if let Some((event, endpoint)) = first_of {
            self.add(seq, event, endpoint, &Cell { attacks: 1, ..Cell::default() });
            if let Some(tally) = self.endpoints.get_mut(endpoint) {
                tally.attacks += 1;
            }
        }
        self.findings.push(finding.clone());
    }

    fn add(&mut self, seq: u64, event: &Event<'_>, endpoint: &str, cell: &Cell) {
        // Replayed, and in the queue as it was written.
        if seq <= self.upto() {
            return;
        }
        let minute = self.minutes.entry(event.time_ms / MINUTE_MS).or_default();
        minute.add(endpoint, Group::of(event), cell);
    }

    /// What was counted belongs to this position, which is complete.
    pub fn seal(&mut self, seq: u64) {
        if seq <= self.upto() {
            return;
        }
        let (minutes, findings) = (core::mem::take(&mut self.minutes), core::mem::take(&mut self.findings));
        let endpoints = core::mem::take(&mut self.endpoints);
        let segment = Segment::of(Sum { upto: seq, minutes, endpoints, findings, lost: Lost::default() });
        self.count_bytes += segment.count_bytes();
        self.finding_bytes += segment.finding_bytes();
        self.segments.push_back(segment);
        if self.count_bytes > self.coarsen_above.max(MAX_COUNT_BYTES) {
            self.coarsen();
        }
        if self.finding_bytes > MAX_FINDING_BYTES {
            self.drop_findings();
        }
    }

    /// Makes counts coarser, the oldest first and no more of them than needed: what is told of the use of endpoints goes,
    /// then endpoints in rollups, then countries, then hours stand for their minutes.
    fn coarsen(&mut self) {
        for segment in &mut self.segments {
            if self.count_bytes <= MAX_COUNT_BYTES / 2 {
                return;
            }
            self.count_bytes = self.count_bytes.saturating_sub(segment.endpoints.len());
            segment.endpoints = Box::default();
        }
        let steps: [fn(Minutes) -> Minutes; 3] = [|m| coarser(m, true), |m| coarser(m, false), by_hour];
        for step in steps {
            for segment in &mut self.segments {
                if self.count_bytes <= MAX_COUNT_BYTES / 2 {
                    return;
                }
                let before = segment.count_bytes();
                segment.counts = pack(&step(segment.minutes()));
                self.count_bytes = self.count_bytes.saturating_sub(before) + segment.count_bytes();
            }
        }
        // As coarse as it gets: it is not worth looking at again before it has doubled.
        self.coarsen_above = self.count_bytes * 2;
    }

    fn drop_findings(&mut self) {
        for segment in &mut self.segments {
            if self.finding_bytes <= MAX_FINDING_BYTES / 2 {
                return;
            }
            for finding in segment.findings.drain(..) {
                self.finding_bytes = self.finding_bytes.saturating_sub(finding.bytes());
                segment.lost.add(Lost { findings: 1, until_ms: finding.time_ms });
            }
        }
    }

    /// The queue is about to be written.
    fn hold(&mut self) {
        let Some(held) = self.held else {
            self.held = (self.segments.len() > MAX_OFFERED).then(|| self.upto());
            return;
        };
        let first = self.segments.partition_point(|segment| segment.upto <= held);
        if self.segments.len() > first + 1 {
            let tail: Vec<Segment> = self.segments.drain(first..).collect();
            self.segments.push_back(Segment::of(sum(tail.iter())));
            self.weigh();
        }
    }

    /// The segments that may be offered now and fit one delta.
    fn offer(&self) -> impl Iterator<Item = &Segment> {
        let last = self.held.unwrap_or(u64::MAX);
        let mut bytes = 0;
        self.segments.iter().take_while(move |segment| {
            let fits = segment.upto <= last && bytes < OFFER_BYTES;
            bytes += segment.count_bytes() + segment.finding_bytes();
            fits
        })
    }

    /// Cuts off what the fleet has. Answers false where its position is none of this journal.
    fn confirm(&mut self, position: u64) -> bool {
        if position > self.upto() {
            return false;
        }
        while self.segments.front().is_some_and(|segment| segment.upto <= position)
            && let Some(segment) = self.segments.pop_front()
        {
            self.from = segment.upto;
        }
        self.weigh();
        true
    }

    fn weigh(&mut self) {
        self.count_bytes = self.segments.iter().map(Segment::count_bytes).sum();
        self.finding_bytes = self.segments.iter().map(Segment::finding_bytes).sum();
        self.coarsen_above = 0;
    }
}

impl Segment {
    fn of(sum: Sum) -> Self {
        let Sum { upto, minutes, endpoints, findings, lost } = sum;
        let endpoints = if endpoints.is_empty() { None } else { postcard::to_allocvec(&endpoints).ok() };
        let endpoints = endpoints.unwrap_or_default().into_boxed_slice();
        Self { upto, counts: pack(&minutes), endpoints, findings, lost }
    }

    fn count_bytes(&self) -> usize {
        self.counts.len() + self.endpoints.len() + size_of::<Self>()
    }

    fn finding_bytes(&self) -> usize {
        self.findings.iter().map(Finding::bytes).sum()
    }

    fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.findings.is_empty() && self.lost.findings == 0
    }

    /// What was packed here can be unpacked here.
    fn minutes(&self) -> Minutes {
        postcard::from_bytes(&self.counts).unwrap_or_default()
    }
}

/// Plain data into a growing buffer cannot fail.
fn pack(minutes: &Minutes) -> Box<[u8]> {
    let packed = if minutes.is_empty() { None } else { postcard::to_allocvec(minutes).ok() };
    packed.unwrap_or_default().into_boxed_slice()
}

fn sum<'a>(segments: impl Iterator<Item = &'a Segment>) -> Sum {
    let mut sum = Sum::default();
    for segment in segments {
        sum.upto = segment.upto;
        for (minute, rollup) in segment.minutes() {
            sum.minutes.entry(minute).or_default().merge(&rollup);
        }
        let endpoints: Endpoints = postcard::from_bytes(&segment.endpoints).unwrap_or_default();
        for (name, tally) in endpoints {
            sum.endpoints.entry(name).or_default().merge(&tally);
        }
        sum.findings.extend(segment.findings.iter().cloned());
        sum.lost.add(segment.lost);
    }
    sum
}

fn coarser(minutes: Minutes, countries: bool) -> Minutes {
    minutes.into_iter().map(|(minute, rollup)| (minute, rollup.coarser(countries))).collect()
}

fn by_hour(minutes: Minutes) -> Minutes {
    let mut hours = Minutes::new();
    for (minute, rollup) in minutes {
        hours.entry(minute - minute % HOUR).or_default().merge(&rollup);
    }
    hours
}

impl<S: Sql> Store<S> {
    /// Commits a slice of a fold: how far the parts are folded, what the fleet has not confirmed, who starts many
    /// sessions and which links were taken back, in one row.
    pub(super) fn commit_slice(&mut self, marks: &Marks) -> Result<(), StoreError> {
        self.deltas.hold();
        self.newcomers.counted_upto(self.next_seq - 1);
        self.remember("marks", &(marks, &self.deltas, &self.newcomers, &self.parted))?;
        self.deltas.kept = self.deltas.upto();
        Ok(())
    }

    /// What the fleet is to be told next, from the shard it knows by this name; nothing where it knows everything.
    pub fn delta(&self, shard: &str) -> Option<Delta> {
        let Sum { upto, minutes, endpoints, findings, lost } = sum(self.deltas.offer());
        // While something is held back, even a position where nothing happened has to be confirmed.
        let is_empty = minutes.is_empty() && findings.is_empty() && lost.findings == 0;
        if upto == 0 || (is_empty && self.deltas.held.is_none()) {
            return None;
        }
        let (shard, installed_ms, from) = (shard.to_owned(), self.installed_ms, self.deltas.from);
        let risk = |finding: &Finding| {
            let tracked = self.hot.get(finding.session);
            tracked.map_or(0, |tracked| tracked.session.risk.score(finding.time_ms)).max(finding.risk_added)
        };
        let risks = findings.iter().map(risk).collect();
        Some(Delta { shard, installed_ms, from, upto, minutes, endpoints, findings, risks, lost })
    }

    /// Whether there is anything the fleet has not confirmed.
    pub fn has_untold(&self) -> bool {
        self.deltas.segments.iter().any(|segment| !segment.is_empty())
    }

    /// The fleet has taken in everything up to this position. Answers false where there is no such position here: then
    /// this journal is an older copy of the one that told it.
    pub fn told_upto(&mut self, position: u64) -> Result<bool, StoreError> {
        let known = self.deltas.confirm(position);
        let all_confirmed = |held: &u64| self.deltas.from >= *held;
        if self.deltas.held.as_ref().is_some_and(all_confirmed) {
            self.lift_hold()?;
        }
        Ok(known)
    }

    /// Lifts the hold, and says so where the next life of the object reads.
    fn lift_hold(&mut self) -> Result<(), StoreError> {
        self.write_kept(None)
    }

    /// Takes a user out of the findings the fleet has not confirmed, in memory and where they were written.
    pub(super) fn erase_untold(&mut self, forms: &[String]) -> Result<(), StoreError> {
        let findings = self.deltas.segments.iter_mut().flat_map(|segment| &mut segment.findings);
        for finding in findings {
            finding.erase(forms);
        }
        self.deltas.weigh();
        // What was confirmed since it was written stands there still.
        self.write_kept(self.deltas.held)
    }

    /// Writes the queue down as far as it was before, as it is now.
    fn write_kept(&mut self, held: Option<u64>) -> Result<(), StoreError> {
        let segments =
            self.deltas.segments.iter().filter(|segment| segment.upto <= self.deltas.kept).cloned().collect();
        let mut written = Deltas { from: self.deltas.from, segments, held, ..Deltas::default() };
        written.weigh();
        self.newcomers.counted_upto(self.next_seq - 1);
        self.remember("marks", &(&self.marks, &written, &self.newcomers, &self.parted))?;
        (self.deltas.held, self.deltas.kept) = (held, written.upto());
        Ok(())
    }
}
