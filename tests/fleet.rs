//! The fleet over a real SQLite: blocks are numbered, survive, and are bounded; every act is on record; layouts of shards
//! are remembered for as long as they may hold something; reports of shards count once; counts and findings are kept
//! within bounds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, session};
use support::sqlite::Sqlite;
use throughline::fleet::Fleet;
use throughline::query::{FindingQuery, Page, RollupGroup, RollupQuery};
use throughline::rollup::{Cell, Delta, Group};
use throughline::session::{Detector, EventId, Finding, Judgement, Label, Severity};
use throughline::verdict::{Action, Block, BlockChanges, BlockSet, MAX_BLOCKS, Subject};
use throughline::wire::{AuditEntry, FleetHealth, FleetOrder, FleetReply, Layout, Layouts, Sync};

const HOUR_MS: u64 = 3_600_000;
const START_MINUTE: u64 = START_MS / 60_000;
const RETENTION_MS: u64 = 30 * 24 * HOUR_MS;

fn open(sql: &Sqlite) -> Fleet<Sqlite> {
    Fleet::open(sql.clone(), RETENTION_MS).unwrap()
}

fn block(n: u64, until_ms: u64) -> Block {
    Block {
        subject: Subject::Session(session(n)),
        action: Action::Block,
        created_ms: START_MS,
        until_ms,
        reason: "because".to_owned(),
        by: "admin".to_owned(),
    }
}

fn impose(fleet: &mut Fleet<Sqlite>, block: Block) -> FleetReply {
    fleet.order(FleetOrder::Impose { block, actor: "admin".to_owned() }).unwrap()
}

fn lift(fleet: &mut Fleet<Sqlite>, n: u64) -> FleetReply {
    let subject = Subject::Session(session(n));
    let (actor, reason) = ("admin".to_owned(), "mistake".to_owned());
    fleet.order(FleetOrder::Lift { subject, actor, reason, now_ms: START_MS }).unwrap()
}

fn listed(fleet: &mut Fleet<Sqlite>, now_ms: u64) -> usize {
    let FleetReply::Blocks(blocks) = fleet.order(FleetOrder::List { now_ms }).unwrap() else {
        panic!("a list is expected")
    };
    blocks.len()
}

fn audit(fleet: &mut Fleet<Sqlite>, limit: u32) -> Vec<AuditEntry> {
    let FleetReply::Audit(entries) = fleet.order(FleetOrder::Audit { limit }).unwrap() else {
        panic!("a log is expected")
    };
    entries
}

fn ask_news(fleet: &mut Fleet<Sqlite>, blocks_version: u64) -> throughline::verdict::BlockNews {
    fleet.sync(Sync { now_ms: START_MS, blocks_version, imposed: vec![], layout: None, delta: None }).unwrap().blocks
}

#[test]
fn blocks_and_their_numbering_survive_eviction() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    impose(&mut fleet, block(1, START_MS + HOUR_MS));
    impose(&mut fleet, block(2, START_MS + HOUR_MS));
    assert_eq!(lift(&mut fleet, 1), FleetReply::Done { existed: true });
    assert_eq!(lift(&mut fleet, 9), FleetReply::Done { existed: false });
    let version = ask_news(&mut fleet, 0).version;

    let mut fleet = open(&sql);
    assert_eq!(listed(&mut fleet, START_MS), 1);
    assert_eq!(listed(&mut fleet, START_MS + HOUR_MS), 0);
    assert_eq!(ask_news(&mut fleet, version).changes, BlockChanges::Delta(vec![]));
    let mut copy = BlockSet::default();
    copy.take(ask_news(&mut fleet, 0));
    assert_eq!((copy.len(), copy.version()), (1, version));
    let acts: Vec<_> = audit(&mut fleet, 10).into_iter().map(|entry| entry.act).collect();
    assert_eq!(acts, ["allow", "block", "block"]);
}

#[test]
fn a_shard_that_reports_twice_is_heard_once_and_cannot_shorten_what_an_analyst_decided() {
    let mut fleet = open(&Sqlite::new());
    let detected = Block { by: "detector".to_owned(), ..block(1, START_MS + 1_000) };
    let report = Sync { now_ms: START_MS, blocks_version: 0, imposed: vec![detected], layout: None, delta: None };
    let first = fleet.sync(report.clone()).unwrap().blocks.version;
    assert_eq!(fleet.sync(report.clone()).unwrap().blocks.version, first);
    assert_eq!(audit(&mut fleet, 10).len(), 1);

    impose(&mut fleet, block(1, START_MS + HOUR_MS));
    fleet.sync(report).unwrap();
    assert_eq!(listed(&mut fleet, START_MS + 2_000), 1);
}

#[test]
fn the_set_takes_its_limit_and_refuses_one_more_until_something_ends() {
    let mut fleet = open(&Sqlite::new());
    for n in 0..MAX_BLOCKS as u64 {
        assert_eq!(impose(&mut fleet, block(n, START_MS + HOUR_MS + n)), FleetReply::Done { existed: false });
    }
    assert_eq!(impose(&mut fleet, block(MAX_BLOCKS as u64, START_MS + HOUR_MS)), FleetReply::Full);
    // One that is there already can be renewed.
    assert_eq!(impose(&mut fleet, block(5, START_MS + 2 * HOUR_MS)), FleetReply::Done { existed: false });
    let later = Block { created_ms: START_MS + HOUR_MS, ..block(MAX_BLOCKS as u64, START_MS + 2 * HOUR_MS) };
    assert_eq!(impose(&mut fleet, later), FleetReply::Done { existed: false });
}

#[test]
fn the_audit_log_keeps_its_limit_newest_first() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    for n in 0..10_001 {
        impose(&mut fleet, block(n % 10, START_MS + HOUR_MS + n));
    }
    assert_eq!(sql.number("SELECT COUNT(*) FROM audit"), 10_000);
    let newest = audit(&mut fleet, 1_000);
    assert_eq!((newest.len(), newest[0].subject.as_str()), (500, format!("session:{}", session(10_000 % 10)).as_str()));
}

fn used(fleet: &mut Fleet<Sqlite>, shards: u32, now_ms: u64) {
    fleet.sync(Sync { now_ms, blocks_version: 0, imposed: vec![], layout: Some(shards), delta: None }).unwrap();
}

fn layouts(fleet: &mut Fleet<Sqlite>, now_ms: u64) -> Layouts {
    let FleetReply::Layouts(layouts) = fleet.order(FleetOrder::Layouts { now_ms }).unwrap() else {
        panic!("layouts are expected")
    };
    layouts
}

fn numbers(fleet: &mut Fleet<Sqlite>, now_ms: u64) -> Vec<u32> {
    layouts(fleet, now_ms).layouts.into_iter().map(|layout| layout.shards).collect()
}

#[test]
fn layouts_survive_eviction_and_are_forgotten_a_retention_after_they_were_last_heard_of() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    assert_eq!(layouts(&mut fleet, START_MS), Layouts::default());
    used(&mut fleet, 1, START_MS);
    used(&mut fleet, 3, START_MS + 5 * HOUR_MS);
    used(&mut fleet, 1, START_MS + 9 * HOUR_MS);
    let mut fleet = open(&sql);
    let (one, three) = (
        Layout { shards: 1, first_ms: START_MS, last_ms: START_MS + 9 * HOUR_MS },
        Layout { shards: 3, first_ms: START_MS + 5 * HOUR_MS, last_ms: START_MS + 5 * HOUR_MS },
    );
    let now_ms = START_MS + 10 * HOUR_MS;
    assert_eq!(layouts(&mut fleet, now_ms), Layouts { layouts: vec![one, three], forgotten: false });
    // What was noted may be an hour old by the time the layout is left.
    let gone_ms = three.last_ms + RETENTION_MS + HOUR_MS;
    assert_eq!(numbers(&mut fleet, gone_ms - 1), [1, 3]);
    assert_eq!(numbers(&mut fleet, gone_ms), [1]);
    used(&mut fleet, 2, gone_ms);
    assert_eq!(sql.number("SELECT COUNT(*) FROM layouts"), 2, "what is over is removed when another comes");
}

#[test]
fn that_a_layout_is_in_use_is_written_once_an_hour() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    used(&mut fleet, 4, START_MS);
    let written = sql.written();
    (0..3_599).for_each(|second| used(&mut fleet, 4, START_MS + second * 1_000));
    assert_eq!(sql.written(), written);
    used(&mut fleet, 4, START_MS + HOUR_MS);
    // A shard whose clock is behind changes nothing.
    used(&mut fleet, 4, START_MS);
    assert_eq!(sql.written(), written + 1);
    assert_eq!(layouts(&mut fleet, START_MS).layouts[0].last_ms, START_MS + HOUR_MS);
}

#[test]
fn of_too_many_layouts_the_one_unheard_of_for_longest_goes_and_that_is_said() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    (1..=16).for_each(|shards| used(&mut fleet, shards, START_MS + u64::from(shards) * HOUR_MS));
    assert_eq!((numbers(&mut fleet, START_MS).len(), layouts(&mut fleet, START_MS).forgotten), (16, false));
    used(&mut fleet, 1, START_MS + 17 * HOUR_MS);
    used(&mut fleet, 17, START_MS + 18 * HOUR_MS);
    let mut fleet = open(&sql);
    assert!(!numbers(&mut fleet, START_MS).contains(&2) && numbers(&mut fleet, START_MS).len() == 16);
    let gone_ms = START_MS + 2 * HOUR_MS + RETENTION_MS + HOUR_MS;
    assert!(layouts(&mut fleet, gone_ms - 1).forgotten);
    assert!(!layouts(&mut fleet, gone_ms).forgotten, "it holds nothing any more");
}

/// A report of shard `name` about so many requests in this minute after the start, and findings at these times.
fn delta(name: &str, from: u64, upto: u64, minutes: &[(u64, u64)], findings: &[u64]) -> Delta {
    let mut delta = Delta { shard: name.to_owned(), installed_ms: START_MS, from, upto, ..Delta::default() };
    for (minute, requests) in minutes {
        let cell = Cell { requests: *requests, ..Cell::default() };
        let rollup = delta.minutes.entry(START_MINUTE + minute).or_default();
        rollup.add("GET shop.test/", Group { country: *b"DE", class: 2 }, &cell);
    }
    delta.findings = findings.iter().map(|time_ms| finding(*time_ms)).collect();
    delta
}

fn finding(time_ms: u64) -> Finding {
    Finding {
        request: EventId::new(time_ms, session(1), 7),
        session: session(time_ms % 3),
        time_ms,
        detector: Detector::ForcedBrowsing,
        severity: Severity::High,
        confidence: 0.9,
        risk_added: 10,
        value: 10.0,
        baseline: 10.0,
        message: String::new(),
        place: String::new(),
        evidence: vec![],
        reasons: Vec::new(),
        action: Action::Tag,
        would: Action::Tag,
    }
}

fn tell(fleet: &mut Fleet<Sqlite>, delta: Delta, now_ms: u64) -> Option<u64> {
    let sync = Sync { now_ms, blocks_version: 0, imposed: vec![], layout: None, delta: Some(delta) };
    fleet.sync(sync).unwrap().position
}

fn health(fleet: &mut Fleet<Sqlite>) -> FleetHealth {
    let FleetReply::Health(health, _) = fleet.order(FleetOrder::Health).unwrap() else {
        panic!("a health is expected")
    };
    health
}

/// (minute after the start, requests) of a series.
fn series(fleet: &mut Fleet<Sqlite>, from: u64, to: u64, bucket: u64) -> Vec<(String, u64)> {
    let (from, to) = (START_MINUTE + from, START_MINUTE + to);
    let query = RollupQuery { from, to, bucket, group_by: RollupGroup::None };
    let FleetReply::Rollups(series) = fleet.order(FleetOrder::Rollups(query)).unwrap() else {
        panic!("a series is expected")
    };
    series.answer().items.into_iter().map(|item| (item.time.unwrap_or_default(), item.requests)).collect()
}

fn requests(fleet: &mut Fleet<Sqlite>, from: u64, to: u64, bucket: u64) -> Vec<u64> {
    series(fleet, from, to, bucket).into_iter().map(|(_, requests)| requests).collect()
}

fn findings(fleet: &mut Fleet<Sqlite>, query: FindingQuery) -> (Vec<u64>, Page<Finding>) {
    let FleetReply::Findings(page) = fleet.order(FleetOrder::Findings(query)).unwrap() else {
        panic!("a page is expected")
    };
    (page.items.iter().map(|(.., (finding, _))| finding.time_ms).collect(), page.map(|(finding, _)| finding))
}

#[test]
fn a_report_counts_where_the_fleet_is_and_nowhere_else() {
    let mut fleet = open(&Sqlite::new());
    assert_eq!(tell(&mut fleet, delta("a", 0, 5, &[(0, 3)], &[]), START_MS), Some(5));
    assert_eq!(tell(&mut fleet, delta("a", 0, 5, &[(0, 3)], &[]), START_MS), Some(5), "repeated");
    assert_eq!(tell(&mut fleet, delta("a", 0, 9, &[(0, 4)], &[]), START_MS), Some(5), "overlapping");
    assert_eq!(tell(&mut fleet, delta("a", 5, 9, &[(0, 1), (1, 1)], &[]), START_MS), Some(9));
    assert_eq!(tell(&mut fleet, delta("b", 0, 2, &[(1, 7)], &[]), START_MS), Some(2), "another shard");
    assert_eq!(requests(&mut fleet, 0, 9, 1), [4, 8]);
    // Only a fleet that lost something is behind.
    assert_eq!(tell(&mut fleet, delta("b", 4, 6, &[(1, 1)], &[]), START_MS), Some(6));
    let counts = health(&mut fleet);
    assert_eq!((counts.deltas_applied, counts.deltas_repeated, counts.deltas_gaps), (4, 2, 1));
    // A journal that began anew begins anew.
    let anew = Delta { installed_ms: START_MS + 1, ..delta("a", 0, 3, &[(2, 9)], &[]) };
    assert_eq!(tell(&mut fleet, anew, START_MS), Some(3));
    assert_eq!((requests(&mut fleet, 0, 9, 0), health(&mut fleet).deltas_gaps), (vec![22], 1));
}

#[test]
fn hours_say_what_their_minutes_say_also_when_something_comes_late() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    let first = 60 - START_MINUTE % 60;
    for n in 0..300u64 {
        let now_ms = START_MS + n * 60_000;
        tell(&mut fleet, delta("a", n, n + 1, &[(n, n)], &[]), now_ms);
        if n % 50 == 49 {
            tell(&mut fleet, delta("late", n, n + 1, &[(n - 49, 1_000)], &[]), now_ms);
        }
        if n == 150 {
            fleet = open(&sql);
        }
    }
    assert!(sql.number("SELECT COUNT(*) FROM hours") >= 3);
    for (from, to) in [(0, 300), (first, first + 120), (first - 1, first + 61), (first + 3, first + 50), (17, 231)] {
        let by_minute = series(&mut fleet, from, to, 1);
        let total: u64 = by_minute.iter().map(|(_, requests)| requests).sum();
        assert_eq!(requests(&mut fleet, from, to, 0), [total], "{from} to {to}");
        let mut hours: Vec<(String, u64)> = Vec::new();
        for (minute, requests) in by_minute {
            let hour = format!("{}:00:00.000Z", minute.split(':').next().unwrap());
            match hours.last_mut().filter(|(last, _)| *last == hour) {
                Some((_, sum)) => *sum += requests,
                None => hours.push((hour, requests)),
            }
        }
        assert_eq!(series(&mut fleet, from, to, 60), hours, "{from} to {to}");
    }
}

#[test]
fn what_is_too_old_goes() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    tell(&mut fleet, delta("old", 0, 1, &[(0, 1), (100, 1)], &[START_MS]), START_MS);
    let later = START_MS + RETENTION_MS + HOUR_MS;
    tell(&mut fleet, delta("new", 0, 1, &[(RETENTION_MS / 60_000, 1)], &[later]), later);
    assert_eq!(requests(&mut fleet, 0, u64::MAX / 2, 0), [2]);
    assert_eq!(findings(&mut fleet, FindingQuery { limit: 9, ..FindingQuery::default() }).0, [later]);
    assert_eq!(sql.number("SELECT COUNT(*) FROM shards"), 1);
    assert_eq!(health(&mut fleet).minutes_kept, 2);
}

#[test]
fn the_feed_keeps_the_newest_findings_in_order_however_they_arrive_and_says_that_there_were_more() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    let count = 21_000u64;
    for n in 0..count / 10 {
        // Each report overlaps in time with those around it.
        let times: Vec<u64> = (0..10).map(|i| START_MS + (n + i * 3) * 1_000 + i).collect();
        tell(&mut fleet, delta("a", n, n + 1, &[], &times), START_MS);
    }
    let counts = health(&mut fleet);
    assert_eq!(counts.findings_kept + counts.findings_dropped, count);
    assert!((19_000..=20_000).contains(&counts.findings_kept), "{counts:?}");
    fleet = open(&sql);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = FindingQuery { limit: 500, after, ..FindingQuery::default() };
        let (times, page) = findings(&mut fleet, query);
        all.extend(times);
        after = page.cut.or(page.items.last().map(|(value, id, _)| (*value, *id)));
        assert_eq!(page.partial, !page.more, "the end of the list is not the end of it");
        if !page.more {
            break;
        }
    }
    assert_eq!(all.len() as u64, counts.findings_kept);
    assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
    // A filter that hardly anything fits looks through the feed in slices.
    let query = |after| FindingQuery { limit: 2, after, to_ms: Some(all[all.len() - 3]), ..FindingQuery::default() };
    let (mut found, mut after, mut orders) = (Vec::new(), None, 0);
    while orders == 0 || after.is_some() {
        let (times, page) = findings(&mut fleet, query(after));
        found.extend(times);
        after = page.more.then(|| page.cut.or(page.items.last().map(|(value, id, _)| (*value, *id)))).flatten();
        orders += 1;
    }
    assert_eq!(found, all[all.len() - 3..]);
}

#[test]
fn an_erased_user_is_named_by_no_finding_that_is_kept_or_may_be_counted_again() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    for (position, user) in [(1, "ann@example.test"), (2, "bob@example.test"), (3, "ann@example.test")] {
        let mut told = delta("shard-1-0", position - 1, position, &[], &[START_MS + position]);
        told.findings[0].message = format!("one session is used by {user} and another");
        tell(&mut fleet, told, START_MS);
    }
    let erase = |fleet: &mut Fleet<Sqlite>| {
        fleet.order(FleetOrder::Erase { forms: vec!["ann@example.test".to_owned()] }).unwrap()
    };
    assert_eq!(erase(&mut fleet), FleetReply::Done { existed: true });
    assert_eq!(erase(&mut fleet), FleetReply::Done { existed: false });
    // The object goes, and counts the last delta once more.
    let mut fleet = open(&sql);
    let (_, page) = findings(&mut fleet, FindingQuery { limit: 10, ..FindingQuery::default() });
    let messages: Vec<&str> = page.items.iter().map(|(_, _, finding)| finding.message.as_str()).collect();
    let (gone, kept) = ("one session is used by … and another", "one session is used by bob@example.test and another");
    assert_eq!(messages, [gone, kept, gone]);
}

fn label(n: u64, judgement: Judgement, time_ms: u64) -> FleetOrder {
    FleetOrder::Label(Label {
        id: format!("{n:032x}"),
        session: session(n),
        detector: None,
        judgement,
        note: String::new(),
        by: "admin".to_owned(),
        time_ms,
        endpoint: String::new(),
        place: String::new(),
    })
}

/// The version of the labels, and they themselves where they are told.
fn labels(fleet: &mut Fleet<Sqlite>, known: u64) -> (u64, Option<Vec<Judgement>>) {
    let FleetReply::Labels { version, labels } = fleet.order(FleetOrder::Labels { known }).unwrap() else {
        panic!("labels are expected")
    };
    (version, labels.map(|labels| labels.iter().map(|label| label.judgement).collect()))
}

#[test]
fn labels_are_told_to_who_does_not_know_them_and_every_change_is_another_version() {
    use Judgement::{FalsePositive, TruePositive};
    let sql = Sqlite::new();
    let mut fleet = open(&sql);
    assert_eq!(labels(&mut fleet, 0), (0, None), "there is none, and who knows of none knows all");
    fleet.order(label(1, TruePositive, START_MS)).unwrap();
    let (first, told) = labels(&mut fleet, 0);
    assert_eq!(told, Some(vec![TruePositive]));
    assert_eq!(labels(&mut fleet, first), (first, None));
    // Even what is said of the same within a millisecond.
    fleet.order(label(1, FalsePositive, START_MS)).unwrap();
    let (second, told) = labels(&mut fleet, first);
    assert_eq!((second != first, told), (true, Some(vec![FalsePositive])));
    fleet.order(label(2, TruePositive, START_MS)).unwrap();
    let (third, told) = labels(&mut fleet, second);
    assert_eq!((third != second, told.map(|told| told.len())), (true, Some(2)));
    assert_eq!(labels(&mut open(&sql), third), (third, None), "and it is the same after an eviction");
}
