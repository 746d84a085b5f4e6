//! From shard to fleet: whatever is lost, repeated, reordered or cut short, each request and each finding counts once.
//!
//! Fixed seed, printed on failure by proptest together with the smallest schedule that fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::events::{START_MS, event, flush};
use support::shard::{DAY_MS, HOUR_MS, settings};
use support::sqlite::Sqlite;
use throughline::fleet::Fleet;
use throughline::query::{EventQuery, Filter, FindingQuery, Order, RollupGroup, RollupQuery, Series};
use throughline::rollup::{Delta, MINUTE_MS};
use throughline::session::Event;
use throughline::store::{FoldSizes, Store};
use throughline::wire::{FleetHealth, FleetOrder, FleetReply, Sync};

const SCHEDULES: u32 = 200;
const PATHS: [&str; 4] = ["/a", "/b", "/c/{integer}", "/d"];

#[derive(Debug, Clone)]
enum Step {
    /// Requests of these sessions: what they ask for is derived from how many there were before.
    Flush(Vec<u64>),
    FlushCut(Vec<u64>, u64),
    /// More flushes than are offered one by one.
    Busy,
    /// The shard makes a report, which is on its way from then on …
    Offer,
    /// … and arrives, perhaps not for the first time; the answer is on its way.
    Arrive(Index),
    /// The same, but the fleet's storage fails after some statements, and the fleet may go.
    ArriveCut(Index, u64, bool),
    /// An answer arrives, perhaps late or again.
    Answer(Index),
    /// All that, with nothing lost.
    Sync,
    ShardGoes,
    FleetGoes,
    Fold,
    FoldCut(u64),
    /// One slice of a fold.
    Alarm,
}

fn step() -> impl Strategy<Value = Step> {
    let sessions = || prop::collection::vec(0..3u64, 1..6);
    prop_oneof![
        6 => sessions().prop_map(Step::Flush),
        1 => (sessions(), 0..3u64).prop_map(|(sessions, after)| Step::FlushCut(sessions, after)),
        1 => Just(Step::Busy),
        4 => Just(Step::Offer),
        4 => any::<Index>().prop_map(Step::Arrive),
        2 => (any::<Index>(), 0..5u64, any::<bool>()).prop_map(|(which, after, goes)| Step::ArriveCut(which, after, goes)),
        4 => any::<Index>().prop_map(Step::Answer),
        2 => Just(Step::Sync),
        2 => Just(Step::ShardGoes),
        1 => Just(Step::FleetGoes),
        2 => Just(Step::Fold),
        2 => (0..12u64).prop_map(Step::FoldCut),
        3 => Just(Step::Alarm),
    ]
}

struct World {
    shard_sql: Sqlite,
    shard: Store<Sqlite>,
    fleet_sql: Sqlite,
    fleet: Fleet<Sqlite>,
    sliced: bool,
    sequence: u64,
    clock: u64,
    /// Reports on their way: they may arrive at any time and again, even when the shard that made them is gone.
    reports: Vec<Delta>,
    /// Answers on their way to the shard; they are lost with it.
    answers: Vec<u64>,
}

impl World {
    fn new(sliced: bool) -> Self {
        let (shard_sql, fleet_sql) = (Sqlite::new(), Sqlite::new());
        Self {
            shard: open_shard(&shard_sql, sliced),
            fleet: open_fleet(&fleet_sql),
            shard_sql,
            fleet_sql,
            sliced,
            sequence: 0,
            clock: 0,
            reports: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn shard_goes(&mut self) {
        self.shard = open_shard(&self.shard_sql, self.sliced);
        self.answers.clear();
    }

    fn fleet_goes(&mut self) {
        self.fleet = open_fleet(&self.fleet_sql);
    }

    fn flush(&mut self, sessions: &[u64]) {
        let paths: Vec<String> = (0..sessions.len()).map(|i| format!("/miss/{}", self.clock + 1 + i as u64)).collect();
        let mut events = Vec::new();
        for (session, path) in sessions.iter().zip(&paths) {
            self.clock += 1;
            let n = self.clock;
            // Half a minute apart, so that a flush falls into several minutes; some are late.
            let at_ms = n * 31_000 - if n.is_multiple_of(7) { 100_000.min(n * 31_000) } else { 0 };
            let common = Event { duration_ms: (n % 90) as u32, ..event(*session, at_ms, n) };
            let countries = ["DE", "FR", ""];
            events.push(if n.is_multiple_of(3) {
                Event { template: PATHS[n as usize % 4], country: countries[n as usize % 3], ..common }
            } else {
                Event { path, template: "/miss/{integer}", status: 404, response_bytes: None, ..common }
            });
        }
        self.sequence += 1;
        let _ = self.shard.apply(&flush(1, self.sequence, &events), START_MS);
    }

    fn arrive(&mut self, which: usize) {
        let delta = Some(self.reports[which].clone());
        let sync = Sync { now_ms: START_MS, blocks_version: 0, imposed: vec![], layout: None, delta };
        self.answers.extend(self.fleet.sync(sync).unwrap().position);
    }

    fn sync(&mut self) -> bool {
        let Some(delta) = self.shard.delta("one") else { return false };
        self.reports.push(delta);
        self.arrive(self.reports.len() - 1);
        let position = *self.answers.last().unwrap();
        assert!(self.shard.told_upto(position).unwrap(), "the fleet is never ahead");
        true
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Flush(sessions) => self.flush(sessions),
            Step::FlushCut(sessions, after) => {
                self.shard_sql.fail_after(*after);
                self.flush(sessions);
                self.shard_sql.heal();
                self.shard_goes();
            }
            Step::Busy => (0..260).for_each(|n| self.flush(&[n % 2])),
            Step::Offer => self.reports.extend(self.shard.delta("one")),
            Step::Arrive(which) if !self.reports.is_empty() => self.arrive(which.index(self.reports.len())),
            Step::ArriveCut(which, after, goes) if !self.reports.is_empty() => {
                self.fleet_sql.fail_after(*after);
                self.arrive(which.index(self.reports.len()));
                self.fleet_sql.heal();
                if *goes {
                    self.fleet_goes();
                }
            }
            Step::Answer(which) if !self.answers.is_empty() => {
                let position = self.answers[which.index(self.answers.len())];
                assert!(self.shard.told_upto(position).unwrap(), "the fleet is never ahead");
            }
            Step::Arrive(_) | Step::ArriveCut(..) | Step::Answer(_) => {}
            Step::Sync => drop(self.sync()),
            Step::ShardGoes => self.shard_goes(),
            Step::FleetGoes => self.fleet_goes(),
            Step::Fold => self.shard.fold(START_MS).unwrap(),
            Step::FoldCut(after) => {
                self.shard_sql.fail_after(*after);
                let _ = self.shard.fold(START_MS);
                self.shard_sql.heal();
                self.shard_goes();
            }
            Step::Alarm => self.shard.alarm(START_MS + HOUR_MS).unwrap(),
        }
    }

    /// Everything that is left gets through, and is what the shard itself shows.
    fn compare(&mut self) {
        for round in 0.. {
            if !self.sync() {
                break;
            }
            assert!(round < 200, "no end of it");
        }
        assert!(!self.shard.has_untold());
        let query = EventQuery::first(Filter::default(), Order::Asc, 1_000_000);
        let events = self.shard.events(&query).unwrap().items.into_iter().map(|(.., event)| event);
        let mut expected: BTreeMap<(String, String), (u64, u64, u64)> = BTreeMap::new();
        let mut findings = BTreeSet::new();
        for event in events {
            let endpoint = format!("{} {}", event.method, event.endpoint.split_once(' ').unwrap().1);
            let minute = format!("{}:00.000Z", event.time.rsplit_once(':').unwrap().0);
            let cell = expected.entry((minute, endpoint)).or_default();
            cell.0 += 1;
            cell.1 += u64::from(!event.findings.is_empty());
            cell.2 += event.response_bytes.unwrap_or(0);
            findings.extend(event.findings.into_iter().map(|finding| finding.id));
        }
        let answer = series(&mut self.fleet, 1, RollupGroup::Endpoint).answer();
        let counted = answer.items.into_iter().map(|item| {
            ((item.time.unwrap(), item.group.unwrap()), (item.requests, item.attacks, item.response_bytes))
        });
        assert_eq!(counted.collect::<BTreeMap<_, _>>(), expected);
        let fed = fed(&mut self.fleet, 3);
        assert_eq!(fed.len(), fed.iter().collect::<BTreeSet<_>>().len(), "a finding appears once");
        assert_eq!(fed.into_iter().collect::<BTreeSet<_>>(), findings);
        assert_eq!(health(&mut self.fleet).deltas_gaps, 0);
    }
}

fn open_shard(sql: &Sqlite, sliced: bool) -> Store<Sqlite> {
    let fold = if sliced { FoldSizes { one_slice_bytes: 0, ..FoldSizes::default() } } else { FoldSizes::default() };
    Store::open(sql.clone(), throughline::store::Settings { fold, ..settings(false) }, START_MS)
        .expect("the store opens")
}

fn open_fleet(sql: &Sqlite) -> Fleet<Sqlite> {
    Fleet::open(sql.clone(), 30 * DAY_MS).expect("the fleet opens")
}

fn series(fleet: &mut Fleet<Sqlite>, bucket: u64, group_by: RollupGroup) -> Series {
    let query = RollupQuery { from: 0, to: u64::MAX, bucket, group_by };
    let FleetReply::Rollups(series) = fleet.order(FleetOrder::Rollups(query)).unwrap() else { panic!("a series") };
    assert_eq!(series.resume, None);
    series
}

/// Ids of all findings, page by page.
fn fed(fleet: &mut Fleet<Sqlite>, limit: u32) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let query = FindingQuery { limit, after, ..FindingQuery::default() };
        let FleetReply::Findings(page) = fleet.order(FleetOrder::Findings(query)).unwrap() else { panic!("a page") };
        after = page.cut.or(page.items.last().map(|(value, id, _)| (*value, *id)));
        ids.extend(page.items.iter().map(|(.., (finding, _))| finding.id()));
        if !page.more {
            return ids;
        }
    }
}

fn health(fleet: &mut Fleet<Sqlite>) -> FleetHealth {
    let FleetReply::Health(health, _) = fleet.order(FleetOrder::Health).unwrap() else { panic!("a health") };
    health
}

#[test]
fn each_request_and_finding_counts_once_in_any_schedule() {
    let config = Config { cases: SCHEDULES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let schedules = (any::<bool>(), prop::collection::vec(step(), 1..60));
    runner
        .run(&schedules, |(sliced, schedule)| {
            let mut world = World::new(sliced);
            schedule.iter().for_each(|step| world.take(step));
            world.compare();
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_report_costs_a_row_for_the_shard_one_each_for_minutes_endpoints_and_findings_and_the_shard_nothing() {
    let mut world = World::new(false);
    let quiet = [event(1, 0, 1), event(1, 1, 2)];
    world.shard.apply(&flush(1, 1, &quiet), START_MS).unwrap();
    world.sync();
    let (shard, fleet) = (world.shard_sql.written(), world.fleet_sql.written());
    world.shard.apply(&flush(1, 2, &[event(1, 2, 3)]), START_MS).unwrap();
    assert!(world.sync());
    assert_eq!(
        (world.shard_sql.written() - shard, world.fleet_sql.written() - fleet),
        (1, 3),
        "the flush itself is one"
    );
    assert!(!world.sync(), "and then there is nothing to tell");
    let (misses, before) = (["/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/10"], world.fleet_sql.written());
    let misses: Vec<_> = (10..).zip(misses).map(|(n, path)| support::events::miss(2, n, n, path)).collect();
    world.shard.apply(&flush(1, 3, &misses), START_MS).unwrap();
    world.sync();
    assert_eq!((world.fleet_sql.written() - before, fed(&mut world.fleet, 9).len()), (3, 1));
}

#[test]
fn while_the_fleet_is_away_for_long_totals_stay_exact_and_memory_bounded() {
    let mut world = World::new(false);
    let mut paths = Vec::new();
    (0..200u64).for_each(|n| paths.push(format!("/{}/{n}", "long-".repeat(40))));
    let mut requests = 0;
    for minute in 0..3 * 24 * 60u64 {
        // A session a minute that looks for what is not there.
        let events: Vec<_> = (0..12u64)
            .map(|i| {
                let n = minute * 12 + i;
                let path = &paths[(n * 7 % 200) as usize];
                Event { path, template: path, status: 404, ..event(minute, minute * MINUTE_MS + i, n) }
            })
            .collect();
        requests += events.len() as u64;
        world.sequence += 1;
        world.shard.apply(&flush(1, world.sequence, &events), START_MS + minute * MINUTE_MS).unwrap();
        if minute % 500 == 499 {
            world.shard.fold(START_MS + minute * MINUTE_MS).unwrap();
            let row = world.shard_sql.number("SELECT LENGTH(body) FROM state WHERE name = 'marks'");
            assert!(row < 1_500_000, "{row} bytes at minute {minute}");
        }
        // A shard that goes finds everything again.
        if minute % 700 == 699 {
            world.shard_goes();
        }
    }
    while world.sync() {}
    let answer = series(&mut world.fleet, 0, RollupGroup::Status).answer();
    assert_eq!(answer.items.iter().map(|item| item.requests).collect::<Vec<_>>(), [requests]);
    assert!(series(&mut world.fleet, 0, RollupGroup::Endpoint).answer().partial, "endpoints had to go");
    let health = health(&mut world.fleet);
    assert!(health.findings_dropped > 0 && health.findings_kept > 0, "{health:?}");
    assert_eq!(answer.items[0].attacks, health.findings_kept + health.findings_dropped);
    // The hold is over: what comes now is told at once.
    world.flush(&[1]);
    assert!(world.sync() && !world.sync());
}
