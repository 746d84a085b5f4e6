//! Every filter of the lists, on what is hot, folded and merged: which events and which sessions it finds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::collections::BTreeSet;

use support::events::{START_MS, event, flush, miss, session};
use support::shard::settings;
use support::sqlite::Sqlite;
use throughline::inspect::Attack;
use throughline::query::{parse_events, parse_sessions};
use throughline::session::{BatchBuilder, Carried, Event, Marks, Severity};
use throughline::store::{FoldSizes, Settings, Store};
use throughline::wire::Flush;

const NOW_MS: u64 = START_MS + 60_000;

fn open(sql: &Sqlite) -> Store<Sqlite> {
    let fold = FoldSizes { merged_chunks: 2, ..FoldSizes::default() };
    Store::open(sql.clone(), Settings { fold, ..settings(true) }, START_MS).unwrap()
}

/// Session 1 looks at a product, 2 is Ann who logs in and orders from abroad, 3 tries to be Ann, 4 attacks, 5 scans.
fn flushes() -> [Flush; 2] {
    let abroad = |n, at, unique| Event {
        ip: "2001:db8::5".parse().ok(),
        country: "BR",
        asn: 28_573,
        user: "ann",
        roles: "admin,staff",
        ..event(n, at, unique)
    };
    let login = Event { method: "POST", path: "/login", template: "/login", ..abroad(2, 1_000, 2) };
    let order = Event {
        method: "PUT",
        path: "/api/orders/7",
        template: "/api/orders/{integer}",
        status: 201,
        ..abroad(2, 2_000, 3)
    };
    let mut tried = Marks::default();
    tried.set(Marks::USER_ATTEMPTED);
    let guess = Event {
        status: 401,
        user: "ann",
        marks: tried,
        method: "POST",
        path: "/login",
        template: "/login",
        ..event(3, 3_000, 4)
    };
    let first = flush(1, 1, &[event(1, 0, 1), login, order, guess]);

    let mut builder = BatchBuilder::default();
    builder.push(&Event { host: "admin.test", status: 500, ..event(4, 4_000, 5) });
    builder.carry(Carried {
        attack: Attack::Sqli,
        severity: Severity::High,
        confidence: 95,
        place: "query.id".to_owned(),
        what: "a condition that is always true".to_owned(),
        stopped: false,
    });
    let paths: Vec<String> = (0..12).map(|n| format!("/.hidden-{n}")).collect();
    paths.iter().zip(0..).for_each(|(path, n)| builder.push(&miss(5, 5_000 + n, 10 + n, path)));
    [first, Flush { sequence: 2, batch: builder.take().encode(), ..flush(1, 2, &[event(4, 4_000, 5)]) }]
}

/// The sessions an answer names, by their numbers.
fn numbers(ids: impl Iterator<Item = String>) -> BTreeSet<u64> {
    ids.map(|id| (1..9).find(|n| session(*n).to_string() == id).expect("a session of the test")).collect()
}

fn sessions(store: &Store<Sqlite>, query: &str) -> BTreeSet<u64> {
    let asked = parse_sessions(query, NOW_MS).unwrap_or_else(|error| panic!("{query}: {error}")).query;
    numbers(store.sessions(&asked, NOW_MS).unwrap().items.into_iter().map(|(_, _, s)| s.id))
}

fn events(store: &Store<Sqlite>, query: &str) -> (BTreeSet<u64>, usize) {
    let asked = parse_events(query, NOW_MS, None).unwrap_or_else(|error| panic!("{query}: {error}")).query;
    let items = store.events(&asked).unwrap().items;
    let count = items.len();
    (numbers(items.into_iter().map(|(_, _, e)| e.session)), count)
}

#[test]
fn every_filter_finds_the_same_hot_folded_merged_and_after_an_eviction() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let [first, second] = flushes();
    store.apply(&first, START_MS).unwrap();
    store.apply(&second, START_MS).unwrap();
    // Filter, the sessions it finds, and how many events; each event is of one of those sessions.
    let request = throughline::session::EventId::new(START_MS + 2_000, session(2), 3);
    let (of_one, of_request) = (format!("session={}", session(3)), format!("request={request}"));
    let all: [(&str, &[u64], usize); 38] = [
        ("", &[1, 2, 3, 4, 5], 17),
        ("ip=203.0.113.7", &[1, 3, 4, 5], 15),
        ("ip=203.0.113.0/24", &[1, 3, 4, 5], 15),
        ("ip=2001:db8::/32", &[2], 2),
        ("ip!=203.0.113.0/24", &[2], 2),
        ("country=BR", &[2], 2),
        ("country!=BR", &[1, 3, 4, 5], 15),
        ("country=BR&country=DE", &[1, 2, 3, 4, 5], 17),
        ("asn=28573", &[2], 2),
        ("asn!=28573", &[1, 3, 4, 5], 15),
        ("user=ann", &[2], 2),
        ("user=bob", &[], 0),
        ("attempted_user=ann", &[3], 1),
        ("role=staff", &[2], 2),
        ("role!=staff", &[1, 3, 4, 5], 15),
        ("host=admin.test", &[4], 1),
        ("host!=admin.test", &[1, 2, 3, 5], 16),
        ("endpoint=/api/orders/{id}", &[2], 1),
        ("endpoint=/api/*", &[1, 2, 4], 3),
        ("endpoint=POST /login", &[2, 3], 2),
        ("endpoint=GET admin.test/api/products/{id}", &[4], 1),
        ("method=PUT", &[2], 1),
        ("method=put&method=POST", &[2, 3], 3),
        ("status=201", &[2], 1),
        ("status=4xx", &[3, 5], 13),
        ("status=5xx&status=201", &[2, 4], 2),
        ("attack=sqli", &[4], 1),
        ("detector=sqli", &[4], 1),
        ("detector=forced_browsing", &[5], 1),
        ("detector!=forced_browsing&status=404", &[], 11),
        ("flow=auth", &[2, 3], 2),
        ("flow=auth&status=401", &[3], 1),
        (&of_one, &[3], 1),
        (&of_request, &[2], 1),
        ("q=hidden-7", &[5], 1),
        ("q=ORDERS", &[2], 1),
        ("from=2023-11-14T22:13:23Z&to=2023-11-14T22:13:24Z", &[3, 4], 2),
        ("country=BR&status=404", &[], 0),
    ];
    for state in ["hot", "folded", "merged", "evicted"] {
        match state {
            "folded" => store.fold(START_MS).unwrap(),
            "merged" => {
                // A second chunk, whose only session is none of those that are looked for.
                store.apply(&flush(1, 3, &[event(1, 1, 900)]), START_MS).unwrap();
                store.fold(START_MS).unwrap();
                store.alarm(START_MS).unwrap();
                assert_eq!(store.health().chunks, 1);
            }
            "evicted" => store = open(&sql),
            _ => {}
        }
        let more = usize::from(matches!(state, "merged" | "evicted"));
        for (query, found, count) in all {
            let found: BTreeSet<u64> = found.iter().copied().collect();
            let encoded = query.replace(' ', "+").replace('{', "%7B").replace('}', "%7D");
            let of_events = events(&store, &encoded);
            let again = if of_events.0.contains(&1) { more } else { 0 };
            assert_eq!(of_events.1, count + again, "events {query}, {state}");
            // On sessions a filter that excludes speaks of all of their events.
            if !query.contains("detector!=") {
                assert_eq!(of_events.0, found, "events {query}, {state}");
            }
            assert_eq!(sessions(&store, &encoded), found, "sessions {query}, {state}");
        }
        for (query, found) in [
            ("min_requests=2", if more == 1 { &[1, 2, 5][..] } else { &[2, 5][..] }),
            ("min_requests=3", &[5][..]),
            ("min_risk=100", &[]),
            ("min_risk=1", &[4, 5]),
            ("state=blocked", &[5]),
            ("state!=blocked&country=DE", &[1, 3, 4]),
        ] {
            assert_eq!(sessions(&store, query), found.iter().copied().collect(), "sessions {query}, {state}");
        }
    }
}
