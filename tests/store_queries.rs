//! Questions to the store over a real SQLite: filters, pages and statistics over hot and folded data alike.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{list, open};
use support::sqlite::Sqlite;
use throughline::query::{
    EventQuery, Filter, Order, SessionQuery, SortBy, merge, parse_events, parse_sessions, parse_stats,
};
use throughline::session::{Event, EventId};

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
            let query = EventQuery { after, ..EventQuery::first(Filter::default(), order, 7) };
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
    // What looks like an id has to be looked for in the events of every chunk, other text in none of them.
    let asked =
        [(Order::Asc, "nowhere", 1), (Order::Desc, "nowhere", 1), (Order::Asc, "777", 10), (Order::Desc, "777", 10)];
    for (order, text, expected) in asked {
        let filter =
            Filter { text: throughline::query::Terms { any: vec![text.into()], none: vec![] }, ..Filter::default() };
        let (mut query, mut slices) = (EventQuery::first(filter, order, 50), 0);
        loop {
            let slice = store.events(&query).unwrap();
            assert!(slice.items.is_empty());
            slices += 1;
            query.resume = slice.resume;
            if slice.resume.is_none() {
                break;
            }
        }
        assert_eq!(slices, expected, "{text} {order:?}");
    }
    assert_eq!(list(&store, "limit=500").len(), 9);
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
    let (mut seen, mut after, mut position) = (Vec::new(), None, None);
    for round in 0..10 {
        let query = SessionQuery {
            filter: Filter::default(),
            sort: SortBy::LastSeen,
            order: Order::Desc,
            limit: 3,
            as_of_ms,
            position,
            after,
            resume: None,
            floor: None,
        };
        let page = store.sessions(&query, as_of_ms).unwrap();
        after = page.items.last().map(|(value, id, _)| (*value, *id));
        position = Some(page.position);
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
fn a_session_whose_late_event_moves_it_before_the_cursor_is_not_passed_over() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let events: Vec<_> = (0..10).map(|n| event(n, n * 1_000, n)).collect();
    store.apply(&flush(1, 1, &events), START_MS).unwrap();
    for folded in [false, true] {
        let as_of_ms = START_MS + 20_000;
        let (mut query, mut seen) = (parse_sessions("limit=3", as_of_ms).unwrap().query, Vec::new());
        for round in 0u64.. {
            let page = store.sessions(&query, as_of_ms).unwrap();
            query.position = Some(page.position);
            query.after = page.items.last().map(|(value, id, _)| (*value, *id));
            seen.extend(page.items.into_iter().map(|(_, _, s)| s.id));
            if !page.more {
                break;
            }
            // Recorded before the first page was asked for, and on its way since: for a session of the last page.
            let unique = 100 + round + 10 * u64::from(folded);
            store.apply(&flush(2, unique, &[event(0, 9_500, unique)]), START_MS).unwrap();
            if folded {
                store.fold(START_MS).unwrap();
            }
        }
        seen.sort();
        let mut expected: Vec<_> = (0..10).map(|n| session(n).to_string()).collect();
        expected.sort();
        assert_eq!(seen, expected, "folded: {folded}");
    }
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
fn statistics_add_up_over_hot_and_folded_events() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let abroad = Event { country: "BR", ..event(2, 61_000, 2) };
    store.apply(&flush(1, 1, &[event(1, 0, 1), abroad]), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    store.apply(&flush(1, 2, &[event(1, 62_000, 3)]), START_MS).unwrap();
    let query = parse_stats("group_by=country&bucket=1m&from=2023-11-14T22:00:00Z", START_MS).unwrap();
    let part = store.stats(&query).unwrap();
    let answer = part.answer();
    assert_eq!((answer.total.requests, answer.total.sessions, part.cut), (3, 2, false));
    let counts: Vec<_> = answer.buckets.iter().map(|b| (b.group.as_deref(), b.count.requests)).collect();
    assert_eq!(counts, [(Some("DE"), 1), (Some("BR"), 1), (Some("DE"), 1)]);
}
