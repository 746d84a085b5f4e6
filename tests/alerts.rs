//! Alerts and share links in the fleet, over a real SQLite and with time as an argument: nothing raised is lost while its
//! receiver is away, nothing is told under two ids, and a share that was taken back opens nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::events::{START_MS, session};
use support::sqlite::Sqlite;
use throughline::alert::{On, Rule, Style, id_from, name_of};
use throughline::api::share::{MAX_SHARES, Scope, Share};
use throughline::fleet::Fleet;
use throughline::rollup::Delta;
use throughline::session::{Detector, EventId, Finding, Severity};
use throughline::verdict::{Action, Block, Subject};
use throughline::wire::{AlertEntry, AuditEntry, FleetOrder, FleetReply, Sync};

const HOUR_MS: u64 = 3_600_000;
const RETENTION_MS: u64 = 30 * 24 * HOUR_MS;

fn rule(name: &str, on: On, every_ms: u64) -> Rule {
    Rule {
        name: name.to_owned(),
        on,
        detectors: Vec::new(),
        min_severity: Severity::High,
        min_risk: if on == On::Flagged { 50 } else { 0 },
        to: "https://hooks.example.com/x".to_owned(),
        style: Style::Json,
        every_ms,
    }
}

fn open(sql: &Sqlite, rules: &[Rule]) -> Fleet<Sqlite> {
    Fleet::open_with(sql.clone(), RETENTION_MS, rules.to_vec(), None).unwrap()
}

fn finding(n: u64, time_ms: u64, severity: Severity) -> Finding {
    Finding {
        request: EventId::new(time_ms, session(n), 1),
        session: session(n),
        time_ms,
        detector: Detector::BruteForce,
        severity,
        confidence: 0.9,
        risk_added: 30,
        value: 1.0,
        baseline: 1.0,
        message: format!("finding {n}"),
        place: String::new(),
        evidence: Vec::new(),
        reasons: Vec::new(),
        action: Action::Tag,
        would: Action::Tag,
    }
}

fn report(fleet: &mut Fleet<Sqlite>, from: u64, findings: Vec<Finding>, risk: u8) {
    let risks = findings.iter().map(|_| risk).collect();
    let now_ms = findings.iter().map(|f| f.time_ms).max().unwrap();
    let (shard, installed_ms) = ("s".to_owned(), START_MS);
    let delta = Delta { shard, installed_ms, from, upto: from + 1, findings, risks, ..Delta::default() };
    let sync = Sync { now_ms, blocks_version: 0, imposed: vec![], layout: None, delta: Some(delta) };
    assert_eq!(fleet.sync(sync).unwrap().position, Some(from + 1));
}

fn listed(fleet: &mut Fleet<Sqlite>, dead: bool) -> Vec<AlertEntry> {
    let FleetReply::Alerts(entries) = fleet.order(FleetOrder::Alerts { dead, limit: 500 }).unwrap() else { panic!() };
    entries
}

/// A receiver that may be away, and what it got.
#[derive(Default)]
struct Receiver {
    away: bool,
    got: BTreeMap<String, u32>,
    bodies: BTreeMap<String, BTreeSet<String>>,
}

/// What the alarm does: sends what is due and takes in how it went. `lost_answers`: the receiver has it, and its answer
/// does not arrive.
fn deliver(fleet: &mut Fleet<Sqlite>, receiver: &mut Receiver, now_ms: u64, lost_answers: bool) {
    for alert in fleet.due_alerts(now_ms, 8).unwrap() {
        receiver.bodies.entry(alert.id.clone()).or_default().insert(alert.body);
        if !receiver.away {
            *receiver.got.entry(alert.id.clone()).or_default() += 1;
        }
        let arrives = !receiver.away && !lost_answers;
        fleet.alert_sent(&alert.id, if arrives { Ok(()) } else { Err("answered 503".to_owned()) }, now_ms).unwrap();
    }
}

#[test]
fn a_receiver_that_is_away_for_an_hour_misses_no_alert_and_gets_none_under_a_second_id() {
    let rules = [rule("all", On::Finding, 0)];
    let sql = Sqlite::new();
    let mut fleet = open(&sql, &rules);
    let mut receiver = Receiver::default();
    let mut raised = BTreeSet::new();
    // Six hours, second by second, with alerts in the first three: the receiver is away in the second one, answers get lost in
    // its first minute back, and the object is evicted now and then. What failed late is tried again more than an hour later.
    for second in 0..6 * 3_600 {
        let now_ms = START_MS + second * 1_000;
        receiver.away = (3_600..7_200).contains(&second);
        if second % 37 == 0 && second < 3 * 3_600 {
            let found = finding(second, now_ms, Severity::High);
            raised.insert(name_of(rules[0].id_of(&found.id())));
            report(&mut fleet, second, vec![found], 60);
        }
        if second % 601 == 0 {
            fleet = open(&sql, &rules);
        }
        deliver(&mut fleet, &mut receiver, now_ms, (7_200..7_260).contains(&second));
    }
    assert_eq!(receiver.got.keys().cloned().collect::<BTreeSet<_>>(), raised);
    assert!(receiver.bodies.values().all(|bodies| bodies.len() == 1), "the same message each time");
    assert!(receiver.got.values().any(|times| *times > 1), "lost answers are what at least once is for");
    assert_eq!((listed(&mut fleet, false).len(), listed(&mut fleet, true).len()), (0, 0));
    assert_eq!(fleet.next_alert_ms(), None);
}

#[test]
fn what_is_raised_again_after_a_crash_is_the_same_alert() {
    let rules = [rule("all", On::Finding, 60_000)];
    let sql = Sqlite::new();
    report(&mut open(&sql, &rules), 0, vec![finding(1, START_MS, Severity::High)], 60);
    // Whoever opens the fleet counts the last report again, as it may have been cut short.
    let mut fleet = open(&sql, &rules);
    report(&mut fleet, 1, vec![finding(2, START_MS, Severity::High)], 60);
    assert_eq!(listed(&mut fleet, false).len(), 2);
}

#[test]
fn the_same_in_one_session_is_told_once_a_while_and_then_how_often_it_was() {
    let rules = [rule("all", On::Finding, 60_000)];
    let mut fleet = open(&Sqlite::new(), &rules);
    let again = |at: u64| finding(1, START_MS + at, Severity::High);
    report(&mut fleet, 0, vec![again(0), again(1), again(59_999)], 60);
    assert_eq!(listed(&mut fleet, false).len(), 1);
    report(&mut fleet, 1, vec![again(60_000), finding(2, START_MS, Severity::High)], 60);
    let due = fleet.due_alerts(START_MS + HOUR_MS, 8).unwrap();
    assert_eq!(due.len(), 3);
    let told: Vec<bool> = due.iter().map(|alert| alert.body.contains("\"untold_before\":2")).collect();
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
}

#[test]
fn rules_are_about_severity_flagged_sessions_and_blocks() {
    let rules = [rule("high", On::Finding, 0), rule("flagged", On::Flagged, 0), rule("blocked", On::Blocked, 0)];
    let mut fleet = open(&Sqlite::new(), &rules);
    report(&mut fleet, 0, vec![finding(1, START_MS, Severity::Low)], 40);
    assert!(listed(&mut fleet, false).is_empty());
    report(&mut fleet, 1, vec![finding(2, START_MS, Severity::High)], 55);
    let block = Block {
        subject: Subject::Session(session(2)),
        action: Action::Block,
        created_ms: START_MS,
        until_ms: START_MS + HOUR_MS,
        reason: "because".to_owned(),
        by: "admin".to_owned(),
    };
    fleet.order(FleetOrder::Impose { block, actor: "admin".to_owned() }).unwrap();
    let mut names: Vec<String> = listed(&mut fleet, false).into_iter().map(|entry| entry.rule).collect();
    names.sort();
    assert_eq!(names, ["blocked", "flagged", "high"]);
}

#[test]
fn what_cannot_be_delivered_for_days_is_a_dead_letter_that_can_be_tried_again() {
    let rules = [rule("all", On::Finding, 0)];
    let mut fleet = open(&Sqlite::new(), &rules);
    report(&mut fleet, 0, vec![finding(1, START_MS, Severity::High)], 60);
    let mut receiver = Receiver { away: true, ..Receiver::default() };
    let mut now_ms = START_MS;
    while let Some(due_ms) = fleet.next_alert_ms() {
        now_ms = now_ms.max(due_ms);
        deliver(&mut fleet, &mut receiver, now_ms, false);
    }
    assert!((2..6).contains(&((now_ms - START_MS) / (24 * HOUR_MS))));
    let dead = listed(&mut fleet, true);
    assert_eq!((dead.len(), dead[0].reason.as_str(), dead[0].attempts), (1, "answered 503", 15));
    let retry = FleetOrder::RetryAlert { id: id_from(&dead[0].id).unwrap(), actor: "admin".to_owned(), now_ms };
    assert_eq!(fleet.order(retry.clone()).unwrap(), FleetReply::Done { existed: true });
    receiver.away = false;
    deliver(&mut fleet, &mut receiver, now_ms, false);
    assert_eq!(receiver.got.keys().collect::<Vec<_>>(), [&dead[0].id]);
    assert_eq!(fleet.order(retry).unwrap(), FleetReply::Done { existed: false });
}

#[test]
fn an_alert_whose_rule_is_gone_is_a_dead_letter() {
    let sql = Sqlite::new();
    report(&mut open(&sql, &[rule("old", On::Finding, 0)]), 0, vec![finding(1, START_MS, Severity::High)], 60);
    let mut fleet = open(&sql, &[]);
    assert!(fleet.due_alerts(START_MS, 8).unwrap().is_empty());
    assert_eq!(listed(&mut fleet, true)[0].reason, "the rule is gone");
}

#[test]
fn the_outbox_is_bounded_and_counts_what_it_drops() {
    let rules = [rule("all", On::Finding, 0)];
    let mut fleet = open(&Sqlite::new(), &rules);
    for at in 0..11 {
        let found = (0..1_000).map(|n| finding(at * 1_000 + n, START_MS + at, Severity::High)).collect();
        report(&mut fleet, at, found, 60);
    }
    let FleetReply::Health(health, _) = fleet.order(FleetOrder::Health).unwrap() else { panic!() };
    assert_eq!((health.alerts_waiting, health.alerts_dropped), (10_000, 1_000));
}

fn share(id: u64, until_ms: u64) -> FleetOrder {
    let (by, note) = ("admin".to_owned(), "for the incident".to_owned());
    FleetOrder::Share(Share { id, scope: Scope::Session(session(1)), created_ms: START_MS, until_ms, by, note })
}

fn opened(fleet: &mut Fleet<Sqlite>, id: u64, now_ms: u64) -> bool {
    let FleetReply::Shares(found) = fleet.order(FleetOrder::OpenShare { id, now_ms }).unwrap() else { panic!() };
    !found.is_empty()
}

#[test]
fn a_share_opens_until_it_ends_or_is_taken_back_and_all_of_it_is_on_record() {
    let sql = Sqlite::new();
    let mut fleet = open(&sql, &[]);
    fleet.order(share(1, START_MS + HOUR_MS)).unwrap();
    fleet.order(share(2, START_MS + HOUR_MS)).unwrap();
    let mut fleet = open(&sql, &[]);
    assert!(opened(&mut fleet, 1, START_MS) && opened(&mut fleet, 1, START_MS + 1));
    assert!(!opened(&mut fleet, 1, START_MS + HOUR_MS) && !opened(&mut fleet, 3, START_MS));
    let unshare = FleetOrder::Unshare { id: 1, actor: "admin".to_owned(), now_ms: START_MS + 2 };
    assert_eq!(fleet.order(unshare.clone()).unwrap(), FleetReply::Done { existed: true });
    assert_eq!(fleet.order(unshare).unwrap(), FleetReply::Done { existed: false });
    assert!(!opened(&mut fleet, 1, START_MS + 3) && opened(&mut fleet, 2, START_MS + 3));
    let FleetReply::Audit(log) = fleet.order(FleetOrder::Audit { limit: 50 }).unwrap() else { panic!() };
    let acts: Vec<&str> = log.iter().rev().map(|AuditEntry { act, .. }| act.as_str()).collect();
    assert_eq!(acts, ["share", "share", "open", "unshare", "open"], "opening is noted once in ten minutes");
}

#[test]
fn there_is_room_for_a_thousand_shares_and_no_more() {
    let mut fleet = open(&Sqlite::new(), &[]);
    for id in 0..MAX_SHARES as u64 {
        assert_eq!(fleet.order(share(id, START_MS + 1 + id)).unwrap(), FleetReply::Done { existed: false });
    }
    assert_eq!(fleet.order(share(5_000, START_MS + HOUR_MS)).unwrap(), FleetReply::Full);
    let FleetReply::Shares(held) = fleet.order(FleetOrder::Shares { now_ms: START_MS + 500 }).unwrap() else {
        panic!()
    };
    assert_eq!(held.len(), MAX_SHARES - 500);
}
