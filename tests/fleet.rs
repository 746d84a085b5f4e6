//! The fleet over a real SQLite: blocks are numbered, survive, and are bounded; every act is on record; layouts of shards
//! are remembered for as long as they may hold something.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, session};
use support::sqlite::Sqlite;
use throughline::fleet::Fleet;
use throughline::verdict::{Action, Block, BlockChanges, BlockSet, MAX_BLOCKS, Subject};
use throughline::wire::{AuditEntry, FleetOrder, FleetReply, Layout, Layouts, Sync};

const HOUR_MS: u64 = 3_600_000;
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
