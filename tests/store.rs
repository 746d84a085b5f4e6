//! The store over a real SQLite: what is acknowledged is there, once, whatever happens in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use support::sqlite::Sqlite;
use throughline::detect;
use throughline::query::{
    EventQuery, Filter, Order, SessionQuery, SortBy, merge, parse_events, parse_sessions, parse_stats,
};
use throughline::session::{Event, EventId, State};
use throughline::store::{Settings, Store, StoreError};
use throughline::verdict::{Action, BlockChange, BlockChanges, BlockNews};
use throughline::wire::Ask;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn settings(enforce: bool) -> Settings {
    Settings { detectors: detect::Settings::default(), enforce, retention_ms: 30 * DAY_MS }
}

fn open(sql: &Sqlite) -> Store<Sqlite> {
    Store::open(sql.clone(), settings(true), START_MS).expect("the store opens")
}

fn all_events(store: &Store<Sqlite>) -> Vec<String> {
    let query = EventQuery { filter: Filter::default(), order: Order::Asc, limit: 100_000, after: None };
    store.events(&query).unwrap().items.into_iter().map(|(_, _, e)| e.id).collect()
}

fn list(store: &Store<Sqlite>, query: &str) -> Vec<String> {
    let query = parse_sessions(query, START_MS + HOUR_MS).unwrap().query;
    store.sessions(&query, START_MS + HOUR_MS).unwrap().items.into_iter().map(|(_, _, s)| s.id).collect()
}

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
    assert_eq!(sql.number("SELECT COUNT(*) FROM journal"), 0);
    assert_eq!(store.session(session(99), START_MS).unwrap(), None);
}

#[test]
fn a_flush_costs_one_row() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let before = sql.written();
    let events: Vec<_> = (0..250).map(|i| event(i, i, i)).collect();
    store.apply(&flush(1, 1, &events), START_MS).unwrap();
    assert_eq!(sql.written() - before, 1);
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
    assert_eq!(store.health().duplicate_flushes, 1);
}

#[test]
fn bytes_that_are_no_batch_are_refused_and_change_nothing() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let mut bad = flush(1, 1, &[event(1, 0, 1)]);
    bad.batch.truncate(bad.batch.len() / 2);
    assert!(matches!(store.apply(&bad, START_MS), Err(StoreError::Batch(_))));
    assert_eq!(store.health().refused_flushes, 1);
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
    sql.run("UPDATE journal SET body = x'01ff' WHERE seq = 2");
    let mut store = open(&sql);
    assert_eq!((all_events(&store).len(), store.health().corrupt_rows), (2, 1));
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
    for sequence in 1..=40 {
        let events: Vec<_> = agents
            .iter()
            .zip(0..)
            .map(|(agent, i)| Event { user_agent: agent, ..event(i, sequence * 100 + i, sequence * 100 + i) })
            .collect();
        store.apply(&flush(1, sequence, &events), START_MS).unwrap();
    }
    assert!(store.health().folds > 0);
    assert!(store.health().journal_bytes <= 3 * 1024 * 1024, "{}", store.health().journal_bytes);
    assert_eq!(all_events(&store).len(), 2_000);
    assert_eq!(all_events(&open(&sql)).len(), 2_000);
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
    assert_eq!(store.alarm_after(START_MS), Some(300_000));
    assert_eq!(store.alarm_after(START_MS + HOUR_MS), Some(0));
}

#[test]
fn pages_of_events_follow_each_other_over_hot_and_folded_data() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for part in 0..5 {
        let events: Vec<_> = (0..40).map(|i| event(i % 3, part * 1_000 + i / 2, part * 100 + i)).collect();
        store.apply(&flush(1, part + 1, &events), START_MS).unwrap();
        if part < 4 {
            store.fold(START_MS).unwrap();
        }
    }
    for order in [Order::Asc, Order::Desc] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = EventQuery { filter: Filter::default(), order, limit: 7, after };
            let page = merge(vec![store.events(&query).unwrap()], order, 7);
            after = page.items.last().map(|(_, id, _)| *id);
            seen.extend(page.items.iter().map(|(_, id, _)| *id));
            if !page.more {
                break;
            }
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 200, "{order:?}");
        if order == Order::Desc {
            sorted.reverse();
        }
        assert_eq!(seen, sorted, "{order:?}");
    }
}

#[test]
fn a_search_that_finds_nothing_ends_however_many_chunks_there_are() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for i in 0..300 {
        store.apply(&flush(1, i + 1, &[event(i % 9, i * 1_000, i)]), START_MS).unwrap();
        store.fold(START_MS).unwrap();
    }
    for order in [Order::Asc, Order::Desc] {
        let filter = Filter {
            text: throughline::query::Terms { any: vec!["nowhere".into()], none: vec![] },
            ..Filter::default()
        };
        let (mut after, mut pages) = (None, 0);
        loop {
            let query = EventQuery { filter: filter.clone(), order, limit: 50, after };
            let page = merge(vec![store.events(&query).unwrap()], order, 50);
            assert!(page.items.is_empty());
            pages += 1;
            if !page.more {
                break;
            }
            after = page.cut.map(|(_, id)| id);
        }
        assert_eq!(pages, 3, "{order:?}");
    }
    assert_eq!(list(&store, "limit=500").len(), 9);
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
    assert!(sql.number("SELECT MAX(LENGTH(sessions)) FROM chunks") < 512 * 1024);
    assert!(sql.number("SELECT MAX(LENGTH(events)) FROM chunks") < 1_500_000);
    assert_eq!(all_events(&open(&sql)).len(), 300);
}

#[test]
fn pages_of_sessions_neither_repeat_nor_skip_while_events_arrive() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let events: Vec<_> = (0..20).map(|n| event(n, n * 1_000, n)).collect();
    store.apply(&flush(1, 1, &events[..10]), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    store.apply(&flush(1, 2, &events[10..]), START_MS).unwrap();

    let as_of_ms = START_MS + 20_000;
    let (mut seen, mut after) = (Vec::new(), None);
    for round in 0..10 {
        let query = SessionQuery {
            filter: Filter::default(),
            sort: SortBy::LastSeen,
            order: Order::Desc,
            limit: 3,
            as_of_ms,
            after,
        };
        let page = store.sessions(&query, as_of_ms).unwrap();
        after = page.items.last().map(|(value, id, _)| (*value, *id));
        seen.extend(page.items.into_iter().map(|(_, _, s)| s.id));
        if !page.more {
            break;
        }
        // Meanwhile every session goes on.
        let later: Vec<_> = (0..20).map(|n| event(n, 30_000 + round * 100 + n, 5_000 + round * 100 + n)).collect();
        store.apply(&flush(2, round + 1, &later), START_MS).unwrap();
        if round % 2 == 1 {
            store.fold(START_MS).unwrap();
        }
    }
    let expected: Vec<_> = (0..20).rev().map(|n| session(n).to_string()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn filters_find_sessions_in_memory_and_in_chunks_alike() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let far = Event { ip: "2001:db8::5".parse().ok(), country: "BR", asn: 28573, ..event(2, 1_000, 2) };
    let post =
        Event { method: "POST", template: "/api/orders", path: "/api/orders", status: 201, ..event(3, 2_000, 3) };
    let failing = Event { status: 503, ..event(4, 3_000, 4) };
    store.apply(&flush(1, 1, &[event(1, 0, 1), far, post, failing, event(1, 4_000, 5)]), START_MS).unwrap();
    for folded in [false, true] {
        if folded {
            store.fold(START_MS).unwrap();
            store = open(&sql);
        }
        for (query, expected) in [
            ("", vec![1, 4, 3, 2]),
            ("ip=203.0.113.0/24", vec![1, 4, 3]),
            ("ip=2001:db8::/32", vec![2]),
            ("ip!=203.0.113.7", vec![2]),
            ("country=br", vec![2]),
            ("country!=BR&country!=FR", vec![1, 4, 3]),
            ("asn=28573", vec![2]),
            ("method=POST", vec![3]),
            ("status=5xx", vec![4]),
            ("status=201&status=503", vec![4, 3]),
            ("endpoint=/api/orders", vec![3]),
            ("endpoint=GET+/api/products/{id}", vec![1, 4, 2]),
            ("host=shop.test&min_requests=2", vec![1]),
            ("q=ORDERS", vec![3]),
            ("to=2023-11-14T22:13:21Z", vec![1, 2]),
            ("from=2023-11-14T22:13:22.5Z", vec![1, 4]),
            ("sort=requests&order=asc&min_requests=2", vec![1]),
            ("state=flagged", vec![]),
            ("detector=forced_browsing", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|n| session(n).to_string()).collect();
            assert_eq!(list(&store, query), expected, "{query} folded: {folded}");
        }
    }
}

#[test]
fn all_filters_hold_on_the_same_event() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let post = Event { method: "POST", status: 500, ..event(1, 10, 2) };
    store.apply(&flush(1, 1, &[event(1, 0, 1), post]), START_MS).unwrap();
    let count = |text: &str| {
        let query = parse_events(text, START_MS, None).unwrap().query;
        store.events(&query).unwrap().items.len()
    };
    assert_eq!(count("method=GET&status=5xx"), 0);
    assert_eq!(count("method=POST&status=5xx"), 1);
    assert_eq!(count(&format!("request={}", EventId::new(START_MS, session(1), 1))), 1);
    assert_eq!(count(&format!("request={}", EventId::new(START_MS, session(1), 9))), 0);
}

#[test]
fn a_walk_over_unknown_paths_flags_and_blocks_and_both_survive_eviction() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let paths: Vec<String> = (0..30).map(|i| format!("/guess-{i}")).collect();
    let walk: Vec<_> = paths.iter().zip(0..).map(|(path, i)| miss(1, i * 100, i, path)).collect();
    let imposed = store.apply(&flush(1, 1, &walk), START_MS).unwrap();
    assert_eq!(imposed.len(), 2, "at ten and at twenty");
    assert!(matches!(&store.block_news(0, imposed).changes, BlockChanges::Delta(changes) if changes.len() == 2));

    for _ in 0..2 {
        let found = store.session(session(1), START_MS + 3_000).unwrap().unwrap();
        assert_eq!((found.state, found.attacks, found.findings["forced_browsing"]), (State::Blocked, 2, 2));
        assert!(found.risk >= 50);
        let ask = Ask { session: session(1), ip: None, now_ms: START_MS + 5_000, blocks_version: 0 };
        assert_eq!(store.ask(&ask).action, Action::Block);
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
    assert!(store.apply(&flush(1, 1, &walk), START_MS).unwrap().is_empty());
    assert_eq!(store.session(session(1), START_MS).unwrap().map(|s| s.state), Some(State::Flagged));
}

#[test]
fn statistics_add_up_over_hot_and_folded_events() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let abroad = Event { country: "BR", ..event(2, 61_000, 2) };
    store.apply(&flush(1, 1, &[event(1, 0, 1), abroad]), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    store.apply(&flush(1, 2, &[event(1, 62_000, 3)]), START_MS).unwrap();
    let query = parse_stats("group_by=country&bucket=1m&from=2023-11-14T22:00:00Z", START_MS).unwrap();
    let (answer, cut) = store.stats(&query).unwrap();
    assert_eq!((answer.total.requests, answer.total.sessions, cut), (3, 2, false));
    let counts: Vec<_> = answer.buckets.iter().map(|b| (b.group.as_deref(), b.count.requests)).collect();
    assert_eq!(counts, [(Some("DE"), 1), (Some("BR"), 1), (Some("DE"), 1)]);
}
