//! Events encoded column by column come back as they were, and no other bytes do harm.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use core::net::IpAddr;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::events::{START_MS, event, miss, session};
use throughline::inventory::{Inventory, templated};
use throughline::session::{Event, EventId, Marks, SessionId};
use throughline::store::columns::{Damaged, EventColumns, Unsorted, encode};
use throughline::verdict::Action;

type Events = Vec<(u64, Event<'static>)>;

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn kept(text: impl Into<String>) -> &'static str {
    text.into().leak()
}

fn text() -> impl Strategy<Value = &'static str> {
    let long = kept("é/".repeat(200));
    let odd = vec!["", "a", "\0", "{}", "{", "}", "/", "//", "…", "{integer}", "𝄞", "alice", "00", long];
    prop_oneof![4 => select(odd), 1 => any::<String>().prop_map(kept)]
}

fn segment() -> impl Strategy<Value = &'static str> {
    let known = vec![
        "api",
        "orders",
        "",
        "0",
        "007",
        "42",
        "999999999999999999",
        "1000000000000000000",
        "18446744073709551616",
        "018f2f6e-7c1a-7cc0-9f5e-0123456789ab",
        "018F2F6E-7C1A-7CC0-9F5E-0123456789AB",
        "507f1f77bcf86cd799439011",
        "507f1f77bcf86cd79943901",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "2026-11-23",
        "ann@example.com",
        "kJ8sd7Fh2-sdf87Hs_dkf83Kd",
        "shop;jsessionid=1A530637289A03B07199A44E8D531427",
        "{token}",
        "..",
        "é",
    ];
    prop_oneof![3 => select(known), 1 => any::<u32>().prop_map(|n| kept(n.to_string()))]
}

/// Path and template, mostly as requests make them.
fn path() -> impl Strategy<Value = (&'static str, &'static str)> {
    let made = (prop::collection::vec(segment(), 0..5), 8..200usize).prop_map(|(segments, most)| {
        let made = templated(&format!("/{}", segments.join("/")), most);
        (kept(made.path), kept(made.template))
    });
    prop_oneof![4 => made, 1 => (text(), text()), 1 => (segment(), select(vec!["{x}", "{x}/{y}", "/{x}", ""]))]
}

fn ip() -> impl Strategy<Value = Option<IpAddr>> {
    let odd = ["0.0.0.0", "203.0.113.7", "::", "::1", "2001:db8::1", "::ffff:203.0.113.7", "::203.0.113.7"];
    let odd = odd.map(|ip| ip.parse().ok()).to_vec();
    prop_oneof![select(odd), any::<Option<IpAddr>>()]
}

/// Mostly small, sometimes anything.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..300u64, 1 => any::<u64>(), 1 => select(vec![0, u64::MAX, 1 << 48, (1 << 48) - 1])]
}

fn any_event() -> impl Strategy<Value = (u64, Event<'static>)> {
    let action = select(vec![Action::Allow, Action::Tag, Action::Throttle, Action::Block]);
    let ids = (0..4u64, number(), number(), prop_oneof![4 => Just(None), 1 => any::<u128>().prop_map(Some)]);
    let numbers = (any::<u32>(), any::<u16>(), any::<u32>(), number(), any::<bool>());
    let sizes = (proptest::option::of(number()), proptest::option::of(number()));
    let texts = prop::collection::vec(text(), 10);
    let rest = (ip(), action, prop_oneof![3 => Just(0), 1 => any::<u16>()], number());
    (ids, numbers, sizes, texts, path(), rest).prop_map(|(ids, numbers, sizes, texts, path, rest)| {
        let (number, at_ms, unique, foreign) = ids;
        let made = Event {
            duration_ms: numbers.0,
            status: numbers.1,
            asn: numbers.2,
            principal: numbers.3,
            verified: numbers.4,
            request_bytes: sizes.0,
            response_bytes: sizes.1,
            key_source: texts[0],
            method: texts[1],
            host: texts[2],
            country: texts[3],
            colo: texts[4],
            user_agent: texts[5],
            ja4: texts[6],
            user: texts[7],
            roles: texts[8],
            feedback: texts[9],
            path: path.0,
            template: path.1,
            ip: rest.0,
            action: rest.1,
            inventory: Inventory::from_number((rest.2 % 5) as u8),
            marks: Marks(rest.2),
            time_ms: START_MS.wrapping_add(at_ms),
            ..event(number, 0, 0)
        };
        let id = EventId::new(made.time_ms, made.session, unique);
        (rest.3, Event { id: foreign.map_or(id, EventId), ..made })
    })
}

fn by_session(events: &mut Events) -> Vec<SessionId> {
    // Stable: within its session an event keeps its place.
    events.sort_by_key(|(_, event)| event.session);
    let mut sessions: Vec<SessionId> = events.iter().map(|(_, event)| event.session).collect();
    sessions.dedup();
    sessions
}

/// Everything that can be read from `bytes`.
fn read(bytes: &[u8], sessions: &[SessionId]) -> Result<Vec<(u64, String)>, Damaged> {
    let columns = EventColumns::decode(bytes)?;
    let rows = columns.rows(sessions)?;
    assert!(rows.get(columns.len()).is_none() && columns.session_of(columns.len()).is_none());
    let read: Vec<_> = rows.iter().map(|(position, event)| (position, format!("{event:?}"))).collect();
    assert_eq!(read.len(), columns.len());
    Ok(read)
}

fn written(sessions: &[SessionId], events: &[(u64, Event<'_>)]) -> Vec<u8> {
    encode(sessions, events).unwrap()
}

#[test]
fn events_of_any_kind_come_back_in_their_order() {
    let test = |mut events: Events| {
        let sessions = by_session(&mut events);
        let bytes = written(&sessions, &events);
        let columns = EventColumns::decode(&bytes).unwrap();
        let rows = columns.rows(&sessions).unwrap();
        let read: Vec<_> = rows.iter().collect();
        prop_assert_eq!(&read, &events);
        prop_assert_eq!((columns.len(), columns.sessions()), (events.len(), sessions.len()));
        for (index, (position, event)) in events.iter().enumerate() {
            let session = columns.session_of(index).unwrap();
            prop_assert_eq!(sessions[session], event.session);
            prop_assert!(columns.range_of(session).contains(&index));
            prop_assert_eq!((rows.position(index), rows.get(index)), (Some(*position), Some(*event)));
        }
        Ok(())
    };
    runner(150).run(&prop::collection::vec(any_event(), 0..40), test).unwrap();
}

#[test]
fn each_column_says_what_the_events_say() {
    let test = |mut events: Events| {
        let sessions = by_session(&mut events);
        let bytes = written(&sessions, &events);
        let columns = EventColumns::decode(&bytes).unwrap();
        let (times, positions) = (columns.times().unwrap(), columns.positions().unwrap());
        let (clients, callers) = (columns.client_numbers().unwrap(), columns.caller_numbers().unwrap());
        let (endpoints, notes) = (columns.endpoint_numbers().unwrap(), columns.note_numbers().unwrap());
        let (statuses, durations) = (columns.status_numbers().unwrap(), columns.durations().unwrap());
        let (requests, responses) = (columns.request_bytes().unwrap(), columns.response_bytes().unwrap());
        for (i, (position, event)) in events.iter().enumerate() {
            prop_assert_eq!((times[i], positions[i], durations[i]), (event.time_ms, *position, event.duration_ms));
            prop_assert_eq!((requests[i], responses[i]), (event.request_bytes, event.response_bytes));
            prop_assert_eq!(columns.clients()[clients[i] as usize].user_agent, event.user_agent);
            prop_assert_eq!(columns.clients()[clients[i] as usize].ip, event.ip);
            prop_assert_eq!(columns.callers()[callers[i] as usize].user, event.user);
            prop_assert_eq!(columns.endpoints()[endpoints[i] as usize].template, event.template);
            prop_assert_eq!(columns.notes()[notes[i] as usize].marks, event.marks);
            prop_assert_eq!(columns.statuses()[statuses[i] as usize], event.status);
        }
        Ok(())
    };
    runner(100).run(&prop::collection::vec(any_event(), 0..20), test).unwrap();
}

#[test]
fn tables_hold_nothing_twice() {
    let mut events: Events = (0..50).map(|n| (n, event(n % 5, n, n))).collect();
    let sessions = by_session(&mut events);
    let bytes = written(&sessions, &events);
    let columns = EventColumns::decode(&bytes).unwrap();
    let tables = (columns.clients().len(), columns.callers().len(), columns.endpoints().len());
    assert_eq!((tables, columns.notes().len(), columns.statuses()), ((1, 1, 1), 1, &[200][..]));
}

#[test]
fn a_session_may_have_no_event() {
    let all = [session(1), session(2), session(3)];
    let mut sorted = all;
    sorted.sort_unstable();
    let events = [(7, Event { session: sorted[1], ..event(1, 0, 1) })];
    let bytes = written(&sorted, &events);
    let columns = EventColumns::decode(&bytes).unwrap();
    assert_eq!([0, 1, 2, 3].map(|session| columns.range_of(session)), [0..0, 0..1, 1..1, 1..1]);
    assert_eq!(columns.session_of(0), Some(1));
    assert_eq!(columns.rows(&sorted).unwrap().iter().collect::<Vec<_>>(), events);
    assert_eq!(columns.rows(&sorted[1..]).unwrap_err(), Damaged);

    let none = written(&sorted, &[]);
    assert!(EventColumns::decode(&none).unwrap().is_empty());
    assert!(EventColumns::decode(&written(&[], &[])).unwrap().is_empty());
}

#[test]
fn events_that_do_not_follow_the_sessions_are_refused() {
    let (one, other) = (event(1, 0, 1), event(2, 0, 2));
    assert_eq!(encode(&[one.session], &[(1, one), (2, other)]), Err(Unsorted));
    assert_eq!(encode(&[one.session, other.session], &[(1, other), (2, one)]), Err(Unsorted));
    assert_eq!(encode(&[one.session, other.session], &[(1, one), (2, other), (3, one)]), Err(Unsorted));
}

/// A little of everything, in a fixed order.
fn sample() -> (Vec<SessionId>, Events) {
    let mut events: Events = (0..6).map(|n| (100 + n, event(1, n * 700, (n << 16) | 7))).collect();
    events.push((106, miss(1, 9_000, 9 << 16, "/gone")));
    let other = event(2, 5, 8);
    events.push((104, Event { path: "/api/products/42;v=2", action: Action::Block, status: 403, ..other }));
    let ip = "2001:db8::1".parse().ok();
    let marks = Marks::ENDED;
    events.push((
        90,
        Event {
            // Got its id in session 1, and was moved to the one it started.
            id: event(1, 9, 9).id,
            user: "alice",
            roles: "admin",
            verified: true,
            principal: 77,
            feedback: "logout",
            method: "POST",
            path: "/o/018f2f6e-7c1a-7cc0-9f5e-0123456789ab/507f1f77bcf86cd799439011/01",
            template: "/o/{uuid}/{hex}/{integer}",
            request_bytes: Some(300),
            response_bytes: None,
            ip,
            marks,
            ..event(3, 9, 9)
        },
    ));
    let sessions = by_session(&mut events);
    (sessions, events)
}

#[test]
fn events_keep_their_bytes() {
    // If this fails, chunks that were stored can no longer be read: add a version, and keep reading this one.
    let (sessions, events) = sample();
    let hex: String = written(&sessions, &events).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, include_str!("golden/event_columns.hex").trim());
}

#[test]
fn bytes_that_are_cut_are_damaged() {
    let (sessions, events) = sample();
    let bytes = written(&sessions, &events);
    assert!(read(&bytes, &sessions).is_ok());
    for length in 0..bytes.len() {
        assert_eq!(read(&bytes[..length], &sessions), Err(Damaged), "{length} of {}", bytes.len());
    }
    assert_eq!(read(&[&bytes[..], &[0]].concat(), &sessions), Err(Damaged));
    assert_eq!(read(&[&[2], &bytes[1..]].concat(), &sessions), Err(Damaged), "another version");
}

#[test]
fn bytes_that_are_changed_are_read_or_refused_but_never_panic() {
    let (sessions, events) = sample();
    let bytes = written(&sessions, &events);
    let mut outcomes = BTreeSet::new();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let all = (0..bytes.len() * 8).map(|bit| vec![(bit / 8, 1u8 << (bit % 8))]);
    for change in all {
        outcomes.insert(read(&changed(&bytes, &change), &sessions).is_ok());
    }
    assert_eq!(outcomes.len(), 2, "some bits are content, others are form");
    let test = |changes: Vec<(prop::sample::Index, u8)>| {
        let changes: Vec<_> = changes.into_iter().map(|(at, bits)| (at.index(bytes.len()), bits)).collect();
        let _ = read(&changed(&bytes, &changes), &sessions);
        Ok(())
    };
    runner(20_000).run(&changes, test).unwrap();
}

fn changed(bytes: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    changes.iter().for_each(|(at, bits)| bytes[*at] ^= bits);
    bytes
}

#[test]
fn few_bytes_cannot_claim_many_events() {
    let (one, events) = (event(1, 0, 1), 0..2_000);
    let events: Events = events.map(|n| (n, event(1, n, 1))).collect();
    let bytes = written(&[one.session], &events);
    // The section of session sizes: its length, how many sessions, 2,000 events.
    assert_eq!(bytes[1..5], [3, 1, 0xd0, 0x0f]);
    for (low, high) in [(0xff, 0x7f), (0x00, 0x10), (0xd1, 0x0f)] {
        let claimed = changed(&bytes, &[(3, 0xd0 ^ low), (4, 0x0f ^ high)]);
        assert_eq!(read(&claimed, &[one.session]), Err(Damaged));
    }
}

#[test]
fn long_paths_that_would_fill_memory_are_kept_whole() {
    let long = "/a".repeat(8_000);
    let template = kept(format!("{long}/{{integer}}"));
    let events: Events =
        (0..750).map(|n| (n, Event { path: kept(format!("{long}/{n}")), template, ..event(1, n, n << 16) })).collect();
    let bytes = written(&[events[0].1.session], &events);
    let columns = EventColumns::decode(&bytes).unwrap();
    let sessions = [events[0].1.session];
    let rows = columns.rows(&sessions).unwrap();
    assert!(rows.iter().eq(events.iter().copied()));
    // 8 megabytes of paths from their template, the other 4 as they are.
    assert!((3_500_000..4_500_000).contains(&bytes.len()), "{}", bytes.len());
}

#[test]
fn an_ordinary_event_takes_few_bytes() {
    let mut events: Events = (0..1_000u64)
        .map(|n| {
            let path = kept(format!("/api/products/{}", 10_000 + n));
            (n, Event { path, ..event(n % 70, n * 300, (n << 16) | (n % 3)) })
        })
        .collect();
    let sessions = by_session(&mut events);
    let bytes = written(&sessions, &events);
    assert!(bytes.len() < 20 * events.len(), "{} bytes an event", bytes.len() / events.len());
}
