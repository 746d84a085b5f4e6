//! Business parameters in a shard's store: kept with events and sessions, found by filters, added up, forgotten.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{HOUR_MS, all_events, list, open, settings};
use support::sqlite::Sqlite;
use throughline::detect::business;
use throughline::parameter::{Type, Value};
use throughline::query::{EventAnswer, SessionAnswer, StatsAnswer, parse_events, parse_stats};
use throughline::session::{Event, MAX_PARAMS, Params};
use throughline::store::{EraseSizes, Settings, Store};

type Named = (Vec<Box<str>>, Vec<(u32, Value)>);

/// Names with values: `total:money=12 EUR`.
fn values(all: &[&str]) -> Named {
    let mut named = Named::default();
    for (at, text) in all.iter().enumerate() {
        let (name, text) = text.split_once('=').unwrap();
        let (name, kind) = name.split_once(':').unwrap_or((name, "string"));
        let value = match kind {
            "hashed" => Value::Hashed(text.into()),
            kind => {
                let kinds = [("string", Type::String), ("number", Type::Number), ("money", Type::Money)];
                Value::parse(kinds.iter().find(|(n, _)| *n == kind).expect("a type").1, text, None)
            }
        };
        named.0.push(name.into());
        named.1.push((at as u32, value));
    }
    named
}

fn order<'a>(n: u64, at_ms: u64, unique: u64, (names, values): &'a Named) -> Event<'a> {
    let params = Params::new(names, values);
    Event { method: "POST", path: "/api/orders", template: "/api/orders", params, ..event(n, at_ms, unique) }
}

fn found(store: &Store<Sqlite>, query: &str) -> Vec<EventAnswer> {
    let mut query = parse_events(query, START_MS + HOUR_MS, None).expect("a question").query;
    query.filter.resolve_params(|name, raw| vec![format!("h:{name}:{raw}")]);
    store.events(&query).expect("an answer").items.into_iter().map(|(_, _, event)| event).collect()
}

fn shown(store: &Store<Sqlite>, n: u64) -> SessionAnswer {
    store.session(session(n), START_MS + HOUR_MS).expect("an answer").expect("a session")
}

fn stats(store: &Store<Sqlite>, query: &str) -> StatsAnswer {
    store.stats(&parse_stats(query, START_MS + HOUR_MS).expect("a question")).expect("an answer").answer()
}

fn filled(sql: &Sqlite) -> Store<Sqlite> {
    let mut store = open(sql);
    let sent = [
        values(&["total:money=10 EUR", "card:hashed=h:card:4111", "note=gift"]),
        values(&["total:money=2500.50 EUR", "total:money=1 EUR"]),
        values(&["total:money=NaN"]),
        values(&["total:money=40 USD", "note=gift"]),
    ];
    let events = [
        order(1, 0, 1, &sent[0]),
        order(1, 1_000, 2, &sent[1]),
        order(1, 2_000, 3, &sent[2]),
        Event { country: "AT", ..order(2, 3_000, 4, &sent[3]) },
        event(3, 4_000, 5),
    ];
    store.apply(&flush(1, 1, &events), START_MS).unwrap();
    store
}

/// What is asked of a store in every state it can be in.
fn check(store: &Store<Sqlite>, state: &str) {
    let one = shown(store, 1);
    let total = &one.params.get("total").unwrap();
    assert_eq!((total.count, total.invalid, total.distinct), (4, 1, 3), "{state}");
    assert_eq!((total.sum, total.min, total.max), (Some(2511.5), Some(1.0), Some(2500.5)), "{state}");
    assert_eq!(total.sums.clone().into_iter().collect::<Vec<_>>(), [("EUR".to_owned(), 2511.5)], "{state}");
    assert_eq!(one.params.get("note").unwrap().last.as_deref(), Some("gift"), "{state}");
    assert!(shown(store, 3).params.is_empty(), "{state}");
    let json = serde_json::to_value(found(store, "session!=00112233445566778899aabbccddeeff&order=asc")).unwrap();
    assert_eq!(json[0]["params"]["total"], "10 EUR", "{state}");
    assert_eq!(json[1]["params"]["total"], serde_json::json!(["2500.5 EUR", "1 EUR"]), "{state}");
    assert_eq!(json[2]["params"]["total"], "invalid:not_a_number", "{state}");
    assert_eq!(json[4]["params"], serde_json::json!({}), "{state}");
    for (query, sessions, events) in [
        ("param.total=gt:1000", 1, 1),
        ("param.total=gt:20", 2, 2),
        ("param.total=gt:20 EUR", 1, 1),
        ("param.total=lt:5", 1, 1),
        ("param.total=10", 1, 1),
        ("param.total=eq:10&param.note=gift", 1, 1),
        ("param.note=gift", 2, 2),
        ("param.note=gift&param.total=gt:1000", 1, 0),
        ("param.card=4111", 1, 1),
        ("param.card=4112", 0, 0),
        ("param.total=invalid:not_a_number", 1, 1),
        ("param.nothing=1", 0, 0),
        ("param.note!=gift", 1, 3),
        ("flow=checkout", 2, 4),
        ("flow!=checkout", 1, 1),
        ("flow=auth", 0, 0),
    ] {
        let query = query.replace(' ', "%20");
        assert_eq!(found(store, &query).len(), events, "{state}: events {query}");
        if !query.contains("card") {
            assert_eq!(list(store, &query).len(), sessions, "{state}: sessions {query}");
        }
    }
    assert_eq!(one.flows.len(), 1, "{state}");
    assert_eq!((one.flows[0].flow.as_str(), one.flows[0].requests, one.flows[0].percent), ("checkout", 3, 100.0));
    assert_eq!(found(store, "order=asc&limit=1")[0].flow.as_deref(), Some("checkout"));
    let json = serde_json::to_value(stats(store, "param=total&group_by=country")).unwrap();
    let eur = serde_json::json!({"EUR": 2511.5});
    assert_eq!((&json["total"]["count"], &json["total"]["sum"]), (&4.into(), &serde_json::Value::Null), "{state}");
    let germany = json["buckets"].as_array().unwrap().iter().find(|bucket| bucket["group"] == "DE").unwrap();
    assert_eq!((&germany["count"], &germany["sum"], &germany["sums"]), (&3.into(), &2511.5.into(), &eur), "{state}");
    let flows = stats(store, "group_by=flow");
    let groups: Vec<_> = flows.buckets.iter().map(|bucket| (bucket.group.as_deref(), bucket.count.requests)).collect();
    assert_eq!(groups, [(None, 1), (Some("checkout"), 4)], "{state}");
    assert!(serde_json::to_value(&flows).unwrap()["total"].get("sum").is_none());
}

#[test]
fn values_are_kept_and_found_while_hot_folded_packed_and_after_an_eviction() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    check(&store, "hot");
    check(&open(&sql), "replayed");
    store.fold(START_MS).unwrap();
    check(&store, "folded and packed");
    check(&open(&sql), "reopened after a fold");
    // Something more happens to the session, which is unpacked and folded anew.
    let more = values(&["total:money=100 EUR"]);
    store.apply(&flush(1, 2, &[order(1, 5_000, 6, &more)]), START_MS).unwrap();
    assert_eq!(shown(&store, 1).params.get("total").unwrap().sum, Some(2611.5));
    assert_eq!(shown(&store, 1).params.get("total").unwrap().last.as_deref(), Some("100 EUR"));
    store.fold(START_MS).unwrap();
    let store = open(&sql);
    assert_eq!(
        (shown(&store, 1).params.get("total").unwrap().sum, shown(&store, 1).params.get("total").unwrap().distinct),
        (Some(2611.5), 4)
    );
    assert_eq!(list(&store, "param.total=100").len(), 1);
}

#[test]
fn a_session_keeps_so_many_names_apart_and_counts_the_others() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let names: Vec<String> = (0..MAX_PARAMS + 6).map(|n| format!("name{n}=x")).collect();
    for (at, part) in names.chunks(35).enumerate() {
        let sent = values(&part.iter().map(String::as_str).collect::<Vec<_>>());
        store.apply(&flush(1, at as u64 + 1, &[order(1, at as u64, at as u64, &sent)]), START_MS).unwrap();
    }
    for state in ["hot", "folded"] {
        assert_eq!((shown(&store, 1).params.len(), shown(&store, 1).params_rest), (MAX_PARAMS, 6), "{state}");
        store.fold(START_MS).unwrap();
    }
}

#[test]
fn the_largest_of_many_values_is_found_too() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for n in 0..60u64 {
        let sent = values(&[&format!("total:number={}", n * 10)]);
        store
            .apply(
                &flush(1, n + 1, &[order(1, n, n, &sent), order(2, n, 100 + n, &values(&["total:number=5"]))]),
                START_MS,
            )
            .unwrap();
    }
    for state in ["hot", "folded"] {
        for (query, sessions) in [("gt:580", 1), ("gt:590", 0), ("lt:1", 1), ("gt:100", 1), ("590", 1), ("gt:1", 2)] {
            assert_eq!(list(&store, &format!("param.total={query}")).len(), sessions, "{state} {query}");
        }
        assert_eq!(list(&store, "param.total!=gt:580").len(), 1, "{state}");
        store.fold(START_MS).unwrap();
    }
}

#[test]
fn an_event_without_values_takes_no_more_room() {
    let size = |with: bool| {
        let sql = Sqlite::new();
        let mut store = open(&sql);
        let sent = values(&["total:number=1"]);
        let params = |n| if with && n == 0 { Params::new(&sent.0, &sent.1) } else { Params::default() };
        let events: Vec<_> = (0..2_000).map(|n| Event { params: params(n), ..event(1, n, n) }).collect();
        store.apply(&flush(1, 1, &events), START_MS).unwrap();
        store.fold(START_MS).unwrap();
        sql.number("SELECT LENGTH(events) FROM chunks")
    };
    assert!(size(true) - size(false) < 40, "{} {}", size(true), size(false));
}

#[test]
fn an_erased_user_goes_from_values_too() {
    for folded in [false, true] {
        let sql = Sqlite::new();
        let mut store = open(&sql);
        let sent = values(&["login:hashed=h:3d97:secret-ann", "total:number=7"]);
        let ann = Event { user: "h:3d97:secret-ann", ..order(1, 0, 1, &sent) };
        store.apply(&flush(1, 1, &[ann, order(2, 1, 2, &sent)]), START_MS).unwrap();
        if folded {
            store.fold(START_MS).unwrap();
        }
        let forms = ["h:3d97:secret-ann".to_owned()];
        let erased = store.erase_user(&forms, EraseSizes::default()).unwrap();
        assert_eq!((erased.done, erased.events, erased.sessions), (true, 2, 2), "folded: {folded}");
        for store in [store, open(&sql)] {
            let all = found(&store, "order=asc");
            assert_eq!(all[0].params.keys().collect::<Vec<_>>(), ["total"], "folded: {folded}");
            assert_eq!((all[1].user.as_deref(), all[1].params.len()), (None, 1), "folded: {folded}");
            assert_eq!(found(&store, "param.total=7").len(), 2);
            let session = serde_json::to_string(&shown(&store, 1)).unwrap();
            assert!(!session.contains("secret-ann"), "folded: {folded}: {session}");
            assert!(list(&store, "param.login=h:3d97:secret-ann").is_empty(), "folded: {folded}");
            assert_eq!(all_events(&store).len(), 2);
        }
    }
}

#[test]
fn flows_are_those_of_the_policy_in_force() {
    let sql = Sqlite::new();
    filled(&sql).fold(START_MS).unwrap();
    let mut tags = throughline::flow::Tags::default();
    let products = throughline::inventory::Pattern::parse("GET /api/products/*").unwrap();
    assert!(tags.add("browsing", vec![products]));
    let business = business::Settings::new(Vec::new(), Vec::new(), Vec::new(), tags.into(), None);
    let store = Store::open(sql, Settings { business, ..settings(true) }, START_MS).unwrap();
    assert_eq!((list(&store, "flow=browsing").len(), found(&store, "flow=browsing").len()), (1, 1));
}
