//! The store over a real SQLite: what is acknowledged is there, once, whatever happens in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use support::shard::{DAY_MS, HOUR_MS, all_events, list, open, settings};
use support::sqlite::Sqlite;
use throughline::session::{Event, State};
use throughline::store::{Store, StoreError};
use throughline::verdict::{Action, BlockChange, BlockChanges, BlockNews};
use throughline::wire::Ask;

#[test]
fn an_event_is_found_the_moment_it_is_journaled_and_after_every_eviction_and_fold() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let events: Vec<_> = (0..100).map(|i| event(i % 7, i * 10, i)).collect();
    store.apply(&flush(1, 1, &events), START_MS).unwrap();
    let expected = all_events(&store);
    assert_eq!(expected.len(), 100);
    let summary = store.session(session(3), START_MS + HOUR_MS).unwrap();
    assert_eq!(summary.as_ref().map(|s| s.requests), Some(14));

    for fold in [false, true, false, true] {
        if fold {
            store.fold(START_MS).unwrap();
        }
        assert_eq!(all_events(&store), expected);
        assert_eq!(store.session(session(3), START_MS + HOUR_MS).unwrap(), summary);
        store = open(&sql);
    }
    assert_eq!(sql.journal_rows(), 0);
    assert_eq!(store.session(session(99), START_MS).unwrap(), None);
}

#[test]
fn flushes_that_come_together_cost_one_row_and_count_once_each() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    store.apply(&flush(1, 1, &[event(1, 0, 0)]), START_MS).unwrap();
    let before = sql.written();
    let events: Vec<_> = (1..251).map(|i| event(i, i, i)).collect();
    let bad = throughline::wire::Flush { batch: vec![9, 9], ..flush(2, 9, &[]) };
    let group = [flush(1, 2, &events), flush(2, 1, &[event(7, 900, 900)]), flush(2, 1, &[event(7, 900, 900)]), bad];
    let outcomes = store.apply_all(&group, START_MS);
    assert_eq!(sql.written() - before, 1);
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false]);
    let counts = store.health().counts;
    assert_eq!((counts.flushes, counts.duplicate_flushes, counts.refused_flushes), (3, 1, 1));
    let mut store = open(&sql);
    assert_eq!(all_events(&store).len(), 252);
    store.apply(&group[1], START_MS).unwrap();
    assert_eq!(all_events(&store).len(), 252);
}

#[test]
fn a_group_that_cannot_be_written_is_acknowledged_in_no_part() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    store.apply(&flush(1, 1, &[event(1, 0, 0)]), START_MS).unwrap();
    sql.fail_after(0);
    let group = [flush(1, 2, &[event(1, 1, 1)]), flush(2, 1, &[event(2, 2, 2)])];
    assert!(store.apply_all(&group, START_MS).iter().all(Result::is_err));
    sql.heal();
    assert_eq!(all_events(&store).len(), 1);
    assert!(store.apply_all(&group, START_MS).iter().all(Result::is_ok));
    assert_eq!(all_events(&open(&sql)).len(), 3);
}

#[test]
fn a_repeated_flush_counts_once_before_and_after_eviction_and_fold() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let first = flush(1, 1, &[event(1, 0, 1)]);
    store.apply(&first, START_MS).unwrap();
    store.apply(&first, START_MS).unwrap();
    let mut store = open(&sql);
    store.apply(&first, START_MS).unwrap();
    store.fold(START_MS).unwrap();
    let mut store = open(&sql);
    store.apply(&first, START_MS).unwrap();
    store.apply(&flush(1, 2, &[event(1, 5, 2)]), START_MS).unwrap();
    store.apply(&flush(2, 1, &[event(1, 6, 3)]), START_MS).unwrap();
    assert_eq!(all_events(&store).len(), 3);
    assert_eq!(store.session(session(1), START_MS).unwrap().map(|s| s.requests), Some(3));
    assert_eq!(store.health().counts.duplicate_flushes, 1);
}

#[test]
fn bytes_that_are_no_batch_are_refused_and_change_nothing() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let mut bad = flush(1, 1, &[event(1, 0, 1)]);
    bad.batch.truncate(bad.batch.len() / 2);
    assert!(matches!(store.apply(&bad, START_MS), Err(StoreError::Batch(_))));
    assert_eq!(store.health().counts.refused_flushes, 1);
    store.apply(&flush(1, 1, &[event(1, 0, 1)]), START_MS).unwrap();
    assert_eq!(all_events(&store).len(), 1);
}

#[test]
fn a_damaged_journal_row_costs_its_own_events_only() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for i in 1..=3 {
        store.apply(&flush(1, i, &[event(i, i, i)]), START_MS).unwrap();
    }
    sql.run("UPDATE journal_1 SET body = x'01ff' WHERE seq = 2");
    let mut store = open(&sql);
    assert_eq!((all_events(&store).len(), store.health().counts.corrupt_rows), (2, 1));
    store.fold(START_MS).unwrap();
    assert_eq!(all_events(&open(&sql)).len(), 2);
}

#[test]
fn a_fold_that_is_cut_anywhere_loses_and_doubles_nothing() {
    for statements in 0..12 {
        let sql = Sqlite::new();
        let mut store = open(&sql);
        let events: Vec<_> = (0..50).map(|i| event(i % 5, i, i)).collect();
        store.apply(&flush(1, 1, &events), START_MS).unwrap();
        store.fold(START_MS).unwrap();
        store.apply(&flush(1, 2, &[event(1, 900, 900), event(7, 901, 901)]), START_MS).unwrap();
        let expected = all_events(&store);
        sql.fail_after(statements);
        let _ = store.fold(START_MS);
        sql.heal();
        let mut store = open(&sql);
        assert_eq!(all_events(&store), expected, "cut after {statements} statements");
        let requests = |store: &Store<Sqlite>| store.session(session(1), START_MS).unwrap().map(|s| s.requests);
        assert_eq!(requests(&store), Some(11), "cut after {statements} statements");
        store.fold(START_MS).unwrap();
        assert_eq!((all_events(&store), requests(&open(&sql))), (expected, Some(11)));
    }
}

#[test]
fn a_flush_that_cannot_be_written_is_not_acknowledged_and_can_be_repeated() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    sql.fail_after(0);
    let lost = flush(1, 1, &[event(1, 0, 1)]);
    assert!(matches!(store.apply(&lost, START_MS), Err(StoreError::Sql(_))));
    sql.heal();
    assert_eq!(all_events(&store).len(), 0);
    store.apply(&lost, START_MS).unwrap();
    assert_eq!(all_events(&store).len(), 1);
}

#[test]
fn the_journal_folds_itself_when_no_alarm_comes() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let agents: Vec<String> = (0..50).map(|i| format!("{i}{}", "x".repeat(2_000))).collect();
    for sequence in 1..=80 {
        let events: Vec<_> = agents
            .iter()
            .zip(0..)
            .map(|(agent, i)| Event { user_agent: agent, ..event(i, sequence * 100 + i, sequence * 100 + i) })
            .collect();
        store.apply(&flush(1, sequence, &events), START_MS).unwrap();
    }
    assert!(store.health().counts.folds > 0);
    assert!(store.health().journal_bytes <= 7 * 1024 * 1024, "{}", store.health().journal_bytes);
    assert_eq!(all_events(&store).len(), 4_000);
    assert_eq!(all_events(&open(&sql)).len(), 4_000);
}

#[test]
fn chunks_past_retention_go_and_what_is_younger_stays() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    store.apply(&flush(1, 1, &[event(1, 0, 1)]), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    store.apply(&flush(1, 2, &[event(2, 20 * DAY_MS, 2)]), START_MS).unwrap();
    store.fold(START_MS + 20 * DAY_MS).unwrap();
    store.alarm(START_MS + 30 * DAY_MS).unwrap();
    assert_eq!(all_events(&store).len(), 2);
    store.alarm(START_MS + 30 * DAY_MS + 1).unwrap();
    assert_eq!(all_events(&store).len(), 1);
    assert_eq!(store.session(session(1), START_MS).unwrap(), None);
    assert!(store.alarm_after(START_MS + 30 * DAY_MS).is_some());
}

#[test]
fn an_idle_store_sets_no_alarm() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    assert_eq!(store.alarm_after(START_MS), None);
    store.apply(&flush(1, 1, &[event(1, 0, 1)]), START_MS).unwrap();
    assert_eq!(store.alarm_after(START_MS), Some(1_800_000));
    assert_eq!(store.alarm_after(START_MS + HOUR_MS), Some(0));
}

#[test]
fn a_session_with_much_state_folds_into_few_chunks() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let paths: Vec<String> = (0..300).map(|i| format!("/{i}-{}", "long-".repeat(1_600))).collect();
    for (path, i) in paths.iter().zip(0..) {
        store.apply(&flush(1, i + 1, &[miss(1, i, i, path)]), START_MS).unwrap();
    }
    store.fold(START_MS).unwrap();
    assert!(store.health().chunks <= 6, "{}", store.health().chunks);
    assert!(sql.number("SELECT MAX(LENGTH(summary) + LENGTH(postings) + LENGTH(details)) FROM chunks") < 512 * 1024);
    assert!(sql.number("SELECT MAX(LENGTH(events)) FROM chunks") < 1_500_000);
    assert_eq!(all_events(&open(&sql)).len(), 300);
}

#[test]
fn a_walk_over_unknown_paths_flags_and_blocks_and_both_survive_eviction() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let paths: Vec<String> = (0..30).map(|i| format!("/guess-{i}")).collect();
    let walk: Vec<_> = paths.iter().zip(0..).map(|(path, i)| miss(1, i * 100, i, path)).collect();
    let imposed = store.apply(&flush(1, 1, &walk), START_MS).unwrap().imposed;
    assert_eq!(imposed.len(), 2, "at ten and at twenty");
    assert!(matches!(&store.block_news(0, imposed).changes, BlockChanges::Delta(changes) if changes.len() == 2));

    for _ in 0..2 {
        let found = store.session(session(1), START_MS + 3_000).unwrap().unwrap();
        assert_eq!((found.state, found.attacks, found.findings.get("forced_browsing")), (State::Blocked, 2, Some(&2)));
        assert!(found.risk >= 50);
        let ask = Ask {
            session: session(1),
            ip: None,
            now_ms: START_MS + 5_000,
            blocks_version: 0,
            former: None,
            attempt: Vec::new(),
            ..Ask::default()
        };
        assert_eq!(store.ask(&ask).unwrap().verdict.action, Action::Block);
        store = open(&sql);
    }
    assert_eq!(list(&store, "detector=forced_browsing"), [session(1).to_string()]);
}

#[test]
fn imposed_blocks_wait_for_the_fleet_and_are_not_reported_again() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let paths: Vec<String> = (0..12).map(|i| format!("/guess-{i}")).collect();
    let walk: Vec<_> = paths.iter().zip(0..).map(|(path, i)| miss(1, i, i, path)).collect();
    store.apply(&flush(1, 1, &walk), START_MS).unwrap();
    let mut store = open(&sql);
    let (version, outbox) = store.report();
    assert_eq!((version, outbox.len()), (0, 1));
    let changes = BlockChanges::Delta(outbox.iter().map(|(_, b)| BlockChange::Set(b.clone())).collect());
    let rows: Vec<u64> = outbox.iter().map(|(id, _)| *id).collect();
    store.synced(BlockNews { version: 1, changes }, &rows).unwrap();
    assert_eq!(store.report(), (1, vec![]));
    assert_eq!(open(&sql).report().1, vec![]);
}

#[test]
fn monitoring_notes_what_it_sees_and_blocks_nobody() {
    let sql = Sqlite::new();
    let mut store = Store::open(sql, settings(false), START_MS).unwrap();
    let paths: Vec<String> = (0..30).map(|i| format!("/guess-{i}")).collect();
    let walk: Vec<_> = paths.iter().zip(0..).map(|(path, i)| miss(1, i, i, path)).collect();
    assert!(store.apply(&flush(1, 1, &walk), START_MS).unwrap().imposed.is_empty());
    assert_eq!(store.session(session(1), START_MS).unwrap().map(|s| s.state), Some(State::Flagged));
}
