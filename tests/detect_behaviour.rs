//! Each detector of behaviour: an attack it has to see, and the innocent twin it has to leave alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeMap;

use support::events::{START_MS, event, flush, session};
use support::shard::{self, HOUR_MS};
use support::sqlite::Sqlite;
use throughline::ordered::OrderedMap;
use throughline::query::parse_sessions;
use throughline::session::Event;

/// Findings by session and detector, after these events went through a store one flush for each hundred.
fn found(events: &[Event<'_>]) -> BTreeMap<String, OrderedMap<String, u64>> {
    let sql = Sqlite::new();
    let mut store = shard::open(&sql);
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.time_ms);
    for (n, some) in events.chunks(100).enumerate() {
        store.apply(&flush(1, n as u64 + 1, some), some.last().unwrap().time_ms).unwrap();
    }
    let now = events.last().map_or(START_MS, |event| event.time_ms) + 1;
    let query = parse_sessions("limit=500", now).unwrap().query;
    store.sessions(&query, now).unwrap().items.into_iter().map(|(_, _, s)| (s.id, s.findings)).collect()
}

fn has(found: &BTreeMap<String, OrderedMap<String, u64>>, n: u64, detector: &str) -> bool {
    found.get(&session(n).to_string()).is_some_and(|of| of.contains_key(detector))
}

fn nothing(found: &BTreeMap<String, OrderedMap<String, u64>>) {
    let any: Vec<_> = found.iter().filter(|(_, of)| !of.is_empty()).collect();
    assert!(any.is_empty(), "{any:?}");
}

fn post<'a>(n: u64, at_ms: u64, path: &'a str, status: u16) -> Event<'a> {
    Event { method: "POST", path, template: path, status, ..event(n, at_ms, at_ms) }
}

fn keyless(event: Event<'_>) -> Event<'_> {
    Event { key_source: "client.ip+ua+ja4", ..event }
}

fn paths(prefix: &str, ids: impl Iterator<Item = u64>) -> Vec<String> {
    ids.map(|id| format!("{prefix}{id}")).collect()
}

const OTHER: &str = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36";

#[test]
fn twelve_guesses_are_brute_force_and_a_forgotten_password_is_not() {
    let guesses: Vec<_> = (0..12).map(|i| keyless(post(0, i * 2_000, "/api/login", 401))).collect();
    assert!(has(&found(&guesses), 0, "brute_force"));
    let mut forgot: Vec<_> = (0..6).map(|i| post(0, i * 9_000, "/api/login", 401)).collect();
    forgot.push(post(0, 70_000, "/api/password/forgot", 202));
    forgot.push(post(0, 200_000, "/api/login", 200));
    nothing(&found(&forgot));
}

#[test]
fn a_slow_guesser_is_found_and_an_office_in_the_morning_is_not() {
    let slow: Vec<_> = (0..20).map(|i| keyless(post(0, i * 170_000, "/signin", 401))).collect();
    assert!(has(&found(&slow), 0, "brute_force"));
    // Forty people behind one address on one kind of machine, a quarter of whom mistype.
    let office: Vec<_> = (0..40)
        .flat_map(|i| {
            let wrong = (i % 4 == 0).then(|| keyless(post(999, i * 14_000, "/signin", 401)));
            wrong.into_iter().chain([post(i, i * 14_000 + 6_000, "/signin", 200)])
        })
        .collect();
    nothing(&found(&office));
}

#[test]
fn many_users_tried_by_one_client_are_credential_stuffing_and_a_family_is_not() {
    let users: Vec<String> = (0..8).map(|i| format!("user{i}")).collect();
    let tried = |i: usize, at_ms| Event {
        user: &users[i],
        marks: throughline::session::Marks::USER_ATTEMPTED,
        ..keyless(post(0, at_ms, "/login", 401))
    };
    let stuffing: Vec<_> = (0..8).map(|i| tried(i, i as u64 * 3_000)).collect();
    assert!(has(&found(&stuffing), 0, "credential_stuffing"));
    let family: Vec<_> = (0..4).map(|i| tried(i, i as u64 * 60_000)).collect();
    nothing(&found(&family));
}

#[test]
fn a_success_after_many_failures_is_a_takeover_and_the_change_of_the_account_makes_it_worse() {
    let mut events: Vec<_> = (0..8).map(|i| keyless(post(0, i * 1_000, "/login", 401))).collect();
    events.push(post(1, 9_000, "/login", 200));
    events.push(Event { method: "PUT", ..post(1, 20_000, "/api/account/email", 200) });
    let all = found(&events);
    assert_eq!(all[&session(1).to_string()].get("account_takeover"), Some(&2));
    let mut mistyped: Vec<_> = (0..3).map(|i| keyless(post(0, i * 8_000, "/login", 401))).collect();
    mistyped.push(post(1, 30_000, "/login", 200));
    mistyped.push(Event { method: "PUT", ..post(1, 60_000, "/api/account/email", 200) });
    nothing(&found(&mistyped));
}

#[test]
fn accounts_by_the_dozen_are_mass_registration_and_an_administrator_who_adds_people_is_not() {
    let bot: Vec<_> = (0..12).map(|i| post(i, i * 20_000, "/api/register", 201)).collect();
    assert!(has(&found(&bot), 11, "mass_registration"));
    let admin: Vec<_> = (0..12).map(|i| post(0, i * 20_000, "/api/users", 201)).collect();
    nothing(&found(&admin));
}

#[test]
fn a_key_used_from_many_networks_is_shared_and_a_phone_on_the_move_is_not() {
    let shared: Vec<_> = (0..8)
        .map(|i| Event {
            ip: format!("198.{}.100.9", 10 + i).parse().ok(),
            asn: 3_000 + i as u32,
            country: if i % 2 == 0 { "DE" } else { "NL" },
            ..event(0, i * 60_000, i)
        })
        .collect();
    assert!(has(&found(&shared), 0, "token_sharing"));
    let phone: Vec<_> = (0..30)
        .map(|i| Event {
            ip: if i % 3 == 0 { "2001:db8::9".parse().ok() } else { format!("100.{}.7.9", 64 + i).parse().ok() },
            asn: if i < 15 { 3320 } else { 6805 },
            ..event(0, i * 60_000, i)
        })
        .collect();
    nothing(&found(&phone));
}

#[test]
fn a_cookie_in_another_program_elsewhere_is_hijacked_and_a_new_network_is_not() {
    let own = |i: u64| Event { user_agent: OTHER, ..event(0, i * 10_000, i) };
    let mut stolen: Vec<_> = (0..5).map(own).collect();
    stolen.push(Event {
        user_agent: "python-requests/2.31",
        ja4: "t13d1715h1_5b57614c22b0_3d5424432f57",
        ip: "192.0.2.77".parse().ok(),
        asn: 64_500,
        country: "US",
        ..event(0, 70_000, 7)
    });
    assert!(has(&found(&stolen), 0, "session_hijack"));
    let mut moved: Vec<_> = (0..5).map(own).collect();
    moved.push(Event { ip: "192.0.2.77".parse().ok(), asn: 64_500, ..own(7) });
    nothing(&found(&moved));
}

#[test]
fn from_germany_to_brazil_in_ten_minutes_is_impossible_and_through_a_relay_it_is_not() {
    let there = |asn| Event { ip: "192.0.2.77".parse().ok(), country: "BR", asn, ..event(0, 600_000, 9) };
    assert!(has(&found(&[event(0, 0, 1), there(64_500)]), 0, "impossible_travel"));
    nothing(&found(&[event(0, 0, 1), there(9009)]));
    let neighbour = Event { country: "NL", ..there(64_500) };
    nothing(&found(&[event(0, 0, 1), neighbour]));
}

#[test]
fn ids_one_after_the_other_are_enumerated_and_a_list_with_its_pictures_is_not() {
    let ids = paths("/api/orders/", 5_000..5_040);
    let order = |i: usize, at_ms, status| Event {
        path: &ids[i],
        template: "/api/orders/{integer}",
        status,
        ..event(0, at_ms, i as u64)
    };
    let walk: Vec<_> = (0..40).map(|i| order(i, i as u64 * 4_000, 200)).collect();
    assert!(has(&found(&walk), 0, "bola_enumeration"));
    let guesses: Vec<_> = (0..20).map(|i| order(i, i as u64 * 2_000, 403)).collect();
    assert!(has(&found(&guesses), 0, "bola_enumeration"));
    let list = Event { path: "/api/orders", template: "/api/orders", ..event(0, 0, 999) };
    let page: Vec<_> = (0..40).map(|i| order(i, 500 + i as u64 * 30, 200)).collect();
    nothing(&found(&[vec![list], page].concat()));
}

#[test]
fn a_steady_walk_is_automation_and_a_reader_or_a_poll_is_not() {
    let pages = paths("/articles/", (0..90).map(|i| i * 7919 % 100_003));
    let page = |i: usize, at_ms| Event { path: &pages[i], template: "/articles/{slug}", ..event(0, at_ms, i as u64) };
    let bot: Vec<_> = (0..90).map(|i| page(i, i as u64 * 3_000 + (i as u64 * 7919 % 900))).collect();
    assert!(has(&found(&bot), 0, "automation"));
    let mut at_ms = 0;
    let reader: Vec<_> = (0..90)
        .map(|i| {
            at_ms += [900, 25_000, 4_000, 61_000, 1_500, 12_000, 700][i % 7];
            page(i, at_ms)
        })
        .collect();
    nothing(&found(&reader));
    let poll: Vec<_> = (0..200).map(|i| Event { path: "/api/messages", ..event(0, i * 5_000, i) }).collect();
    nothing(&found(&poll));
}

#[test]
fn a_session_far_beyond_all_others_is_a_spike_and_so_is_what_it_is_given() {
    let mut usual: Vec<_> = (1..80u64).flat_map(|n| (0..3).map(move |i| event(n, n * 1_000 + i * 5_000, i))).collect();
    usual.push(event(1, 700_000, 50));
    let path = "/api/products/7";
    let fast: Vec<_> = (0..100).map(|i| Event { path, ..event(0, 720_000 + i * 300, i) }).collect();
    assert!(has(&found(&[usual.clone(), fast].concat()), 0, "rate_spike"));
    let large: Vec<_> =
        (0..12).map(|i| Event { path, response_bytes: Some(400_000), ..event(0, 720_000 + i * 3_000, i) }).collect();
    assert!(has(&found(&[usual.clone(), large].concat()), 0, "volume_exfiltration"));
    nothing(&found(&usual));
}

#[test]
fn what_the_crowd_remembers_survives_a_fold_and_a_restart() {
    let sql = Sqlite::new();
    let mut store = shard::open(&sql);
    let guesses: Vec<_> = (0..12).map(|i| post(i, i * 2_000, "/api/login", 401)).collect();
    store.apply(&flush(1, 1, &guesses[..5]), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    drop(store);
    let mut store = shard::open(&sql);
    store.apply(&flush(1, 2, &guesses[5..8]), START_MS).unwrap();
    drop(store);
    let mut store = shard::open(&sql);
    store.apply(&flush(1, 3, &guesses[8..]), START_MS).unwrap();
    let query = parse_sessions("detector=brute_force", START_MS + HOUR_MS).unwrap().query;
    let sessions = store.sessions(&query, START_MS + HOUR_MS).unwrap().items;
    assert_eq!(sessions.len(), 3, "the tenth, eleventh and twelfth guess of one client, each in a session of its own");
}

fn tried<'a>(user: &'a str, of: Event<'a>) -> Event<'a> {
    Event { user, marks: throughline::session::Marks::USER_ATTEMPTED, ..of }
}

/// From an address of its own, in a network that some share.
fn from(n: u64, event: Event<'_>) -> Event<'_> {
    let ip = format!("198.{}.{}.7", 20 + n / 200, n % 200);
    Event { ip: ip.parse().ok(), asn: 60_000 + (n % 12) as u32, ..keyless(event) }
}

#[test]
fn guesses_at_one_user_from_everywhere_are_found_and_the_owner_who_mistypes_meanwhile_is_not_blamed() {
    let own = |at_ms, status| {
        let of = Event { user_agent: OTHER, ..post(0, at_ms, "/login", status) };
        if status == 200 { Event { user: "ann", ..of } } else { tried("ann", of) }
    };
    // At home a day before, another day's session.
    let mut events = vec![Event { session: session(900), ..own(0, 200) }];
    let start = 20 * HOUR_MS;
    events.extend((0..40).map(|i| from(i, tried("ann", post(100 + i, start + i * 20_000, "/login", 401)))));
    events.extend([own(start + 900_000, 401), own(start + 910_000, 200)]);
    let all = found(&events);
    assert!(has(&all, 110, "brute_force") && has(&all, 105, "password_spraying"), "{all:?}");
    assert!(all[&session(0).to_string()].is_empty(), "{all:?}");
    // Whose machine was never seen, but who looked around before.
    let stranger = |at_ms, status| Event { session: session(1), ..own(at_ms, status) };
    let looks = (0..3).map(|i| Event { session: session(1), ..event(1, start + 890_000 + i, i) });
    let mut events: Vec<_> = events.into_iter().take(41).chain(looks).collect();
    events.extend([stranger(start + 900_000, 401), stranger(start + 910_000, 200)]);
    assert!(found(&events)[&session(1).to_string()].is_empty());
}

#[test]
fn one_password_for_many_users_from_ever_new_addresses_is_spraying_and_customers_who_mistype_are_not() {
    let users: Vec<String> = (0..60).map(|i| format!("user{i}")).collect();
    // A guess a minute, none of an address, a client or a user that was there before.
    let spray: Vec<_> =
        (0..60).map(|i| from(i, tried(&users[i as usize], post(i, i * 60_000, "/login", 401)))).collect();
    let all = found(&spray);
    assert!(!has(&all, 38, "password_spraying") && has(&all, 39, "password_spraying"), "{all:?}");
    // Four an hour, for a day.
    let slow: Vec<_> = (0..90).map(|i| from(i, post(i, i * 900_000, "/login", 401))).collect();
    assert!(has(&found(&slow), 88, "password_spraying"));
    // A hundred customers with the same browser, of whom a third need a second attempt, and some give up.
    let customers: Vec<_> = (0..100)
        .flat_map(|i| {
            let at = |ms, status| from(i, post(i, i * 30_000 + ms, "/login", status));
            let wrong = i.is_multiple_of(3).then(|| at(0, 401));
            wrong.into_iter().chain((i % 20 > 0).then(|| at(9_000, 200)))
        })
        .collect();
    nothing(&found(&customers));
}

#[test]
fn a_partners_program_may_go_through_its_orders_and_one_that_counts_up_through_others_may_not() {
    let ids = paths("/api/orders/", 5_000..5_200);
    let order = |i: usize, key_source, status| Event {
        path: &ids[i],
        template: "/api/orders/{integer}",
        key_source,
        status,
        ..event(0, i as u64 * 400, i as u64)
    };
    let key = "request.header.x-api-key";
    nothing(&found(&(0..200).map(|i| order(i, key, 200)).collect::<Vec<_>>()));
    let gaps = |i: usize| if i.is_multiple_of(4) { 404 } else { 200 };
    assert!(has(&found(&(0..200).map(|i| order(i, key, gaps(i))).collect::<Vec<_>>()), 0, "bola_enumeration"));
    let cookie: Vec<_> = (0..40).map(|i| order(i, "request.cookie.sid", 200)).collect();
    assert!(has(&found(&cookie), 0, "bola_enumeration"));
}

#[test]
fn ids_guessed_one_a_minute_are_found_within_the_hour_and_a_support_agent_is_not() {
    let ids = paths("/api/customers/", (0..90).map(|i| 7_000 + i * i * 13));
    let customer = |i: usize, at_ms, status| Event {
        path: &ids[i],
        template: "/api/customers/{integer}",
        status,
        ..event(0, at_ms, i as u64)
    };
    let guess = |i: usize| customer(i, i as u64 * 60_000, if i.is_multiple_of(3) { 200 } else { 404 });
    assert!(has(&found(&(0..60).map(guess).collect::<Vec<_>>()), 0, "bola_enumeration"));
    let mut at_ms = 0;
    let look_up = |i: usize| {
        at_ms += [9_000, 70_000, 21_000, 150_000, 4_000, 33_000][i % 6];
        customer(i, at_ms, 200)
    };
    nothing(&found(&(0..90).map(look_up).collect::<Vec<_>>()));
}

#[test]
fn coupons_gift_cards_and_one_time_codes_are_guessed_and_an_extension_that_tries_twenty_is_not() {
    let coupon = |i: u64, gap, status| post(0, i * gap, "/api/cart/coupon", status);
    let guesses: Vec<_> = (0..40).map(|i| coupon(i, 2_000, 422)).collect();
    assert!(has(&found(&guesses), 0, "brute_force"));
    let mut extension: Vec<_> = (0..20).map(|i| coupon(i, 900, 422)).collect();
    extension.push(coupon(21, 900, 200));
    nothing(&found(&extension));
    let cards = paths("/api/gift-cards/AB-", (0..40).map(|i| i * 7_919));
    let card = |i: usize| {
        let (path, template) = (cards[i].as_str(), "/api/gift-cards/{slug}");
        Event { path, template, status: 404, ..event(0, i as u64 * 9_000, i as u64) }
    };
    assert!(has(&found(&(0..40).map(card).collect::<Vec<_>>()), 0, "brute_force"));
    // Each from another address, within the session that waits for the code.
    let codes: Vec<_> = (0..12)
        .map(|i| Event { key_source: "request.cookie.sid", ..from(i, post(0, i * 9_000, "/api/verify-otp", 401)) })
        .collect();
    assert!(has(&found(&codes), 0, "brute_force"));
    nothing(&found(&codes[..4]));
}

#[test]
fn patient_browsing_of_what_is_not_there_is_found_and_a_check_that_polls_a_few_such_paths_is_not() {
    let missing = paths("/old-", 0..60);
    let miss = |i: usize, at_ms| {
        let (path, template) = (missing[i].as_str(), missing[i].as_str());
        Event { path, template, status: 404, ..event(0, at_ms, i as u64) }
    };
    assert!(has(&found(&(0..60).map(|i| miss(i, i as u64 * 30_000)).collect::<Vec<_>>()), 0, "forced_browsing"));
    let check = |round: u64| (0..5).map(move |i| (i, round * 30_000 + i as u64 * 90));
    let checks: Vec<_> = (0..100).flat_map(check).map(|(i, at_ms)| miss(i, at_ms)).collect();
    nothing(&found(&checks));
    // Who finds most of what they look for.
    let visits: Vec<_> = (0..60)
        .flat_map(|i| {
            let at = i as u64 * 30_000 + [0, 25_000, 4_000, 19_000][i % 4];
            [event(0, at, 100 + i as u64), event(0, at + 1, 200 + i as u64), miss(i, at + 2)]
        })
        .collect();
    nothing(&found(&visits));
}

#[test]
fn calls_that_ran_out_and_tokens_that_are_renewed_are_no_logins() {
    let storm: Vec<_> = (0..60).map(|i| post(0, i * 700, "/api/auth/refresh", 200)).collect();
    nothing(&found(&storm));
    let expired: Vec<_> = (0..200)
        .flat_map(|i| {
            let poll = Event { path: "/api/messages", status: 401, ..event(0, i * 3_000, i) };
            [poll, post(0, i * 3_000 + 50, "/api/auth/refresh", 401)]
        })
        .collect();
    nothing(&found(&expired));
    let unavailable: Vec<_> = (0..120).map(|i| post(0, i * 400, "/api/login", 503)).collect();
    nothing(&found(&unavailable));
}
