//! What a shard lets go of: by age, by size, and from memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{all_events, open, settings};
use support::sqlite::Sqlite;
use throughline::query::{EventQuery, Filter, Order, parse_sessions, parse_stats};
use throughline::store::{Settings, Store};

const ROUNDS: u64 = 5;

/// A chunk for each round, of ten sessions of its own.
fn filled(sql: &Sqlite) -> Store<Sqlite> {
    let mut store = open(sql);
    for round in 0..ROUNDS {
        let events: Vec<_> = (0..10).map(|i| event(round * 10 + i, round * 1_000 + i, round * 10 + i)).collect();
        store.apply(&flush(1, round + 1, &events), START_MS).unwrap();
        store.fold(START_MS).unwrap();
    }
    store
}

fn open_with(sql: &Sqlite, max_bytes: u64) -> Store<Sqlite> {
    let settings = Settings { max_bytes, ..settings(true) };
    Store::open(sql.clone(), settings, START_MS).unwrap()
}

#[test]
fn the_oldest_chunk_goes_one_byte_past_the_size_that_is_kept_and_none_at_it() {
    let sql = Sqlite::new();
    let bytes = filled(&sql).health().chunk_bytes;
    let mut store = open_with(&sql, bytes);
    store.alarm(START_MS).unwrap();
    assert_eq!((store.health().chunks, store.health().counts.chunks_dropped_for_size), (ROUNDS, 0));
    let mut store = open_with(&sql, bytes - 1);
    store.alarm(START_MS).unwrap();
    assert_eq!((store.health().chunks, store.health().counts.chunks_dropped_for_size), (ROUNDS - 1, 1));
    assert_eq!(all_events(&store).len(), 40);
    assert_eq!(open(&sql).session(session(3), START_MS).unwrap(), None);
    assert!(open(&sql).session(session(13), START_MS).unwrap().is_some());
}

#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    store.apply(&flush(1, 99, &[event(1, 9_000, 9_000)]), 5).unwrap();
    store.alarm(5).unwrap();
    store.fold(5).unwrap();
    store.alarm(0).unwrap();
    assert_eq!(all_events(&store).len(), 51);
    assert_eq!(all_events(&open(&sql)).len(), 51);
}

#[test]
fn an_alarm_that_comes_twice_does_its_work_once() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    store.apply(&flush(1, 99, &[event(1, 9_000, 9_000)]), START_MS).unwrap();
    for _ in 0..2 {
        store.alarm(START_MS + 3_600_000).unwrap();
    }
    assert_eq!((store.health().chunks, all_events(&store).len()), (ROUNDS + 1, 51));
}

#[test]
fn a_session_that_is_out_of_memory_goes_on_as_the_session_it_was() {
    let sql = Sqlite::new();
    drop(filled(&sql));
    // A shard that was just loaded has no session in memory.
    let mut store = open(&sql);
    assert_eq!(store.health().hot_sessions, 0);
    store.apply(&flush(2, 1, &[event(7, 50_000, 900)]), START_MS).unwrap();
    assert_eq!(store.health().hot_sessions, 1);
    let found = store.session(session(7), START_MS).unwrap().unwrap();
    assert_eq!((found.requests, found.duration_ms), (2, 49_993));
    store.fold(START_MS).unwrap();
    let listed = support::shard::list(&open(&sql), "min_requests=2");
    assert_eq!(listed, [session(7).to_string()]);
}

#[test]
fn a_damaged_chunk_costs_what_it_held_and_answers_say_so() {
    let sql = Sqlite::new();
    drop(filled(&sql));
    for damage in ["events = x'01ff'", "postings = x'ff', summary = x'01ff'"] {
        sql.run(&format!("UPDATE chunks SET {damage} WHERE id = 2"));
        let store = open(&sql);
        let events = EventQuery::first(Filter::default(), Order::Asc, 500);
        let found = store.events(&events).unwrap();
        assert_eq!((found.items.len(), found.partial), (40, true), "{damage}");
        let counted = store.stats(&parse_stats("", START_MS).unwrap()).unwrap();
        assert_eq!((counted.answer().total.requests, counted.cut), (40, true), "{damage}");
    }
    let mut store = open(&sql);
    store.apply(&flush(7, 1, &[event(12, 60_000, 1_000)]), START_MS).unwrap();
    let query = parse_sessions("limit=500", START_MS).unwrap().query;
    let page = store.sessions(&query, START_MS).unwrap();
    assert_eq!((page.items.len(), page.partial), (41, true), "the session goes on, from nothing");
}
