//! Subjects through their public interface: whom an event is a sighting of, what sightings add up to, and how it is kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "subject/agents.rs"]
mod agents;
#[path = "subject/sets.rs"]
mod sets;
#[path = "subject/stored.rs"]
mod stored;
#[path = "subject/windows.rs"]
mod windows;

use std::collections::BTreeSet;

use support::events::{START_MS, event, miss};
use throughline::session::{Event, Marks};
use throughline::subject::{
    Counts, Family, Identity, Kind, Login, Sighting, Subject, SubjectAnswer, SubjectHash, SubjectKey, Window,
    subjects_of,
};
use throughline::verdict::Action;

fn hash() -> SubjectHash {
    SubjectHash::derive(b"0123456789abcdef")
}

fn sighting<'a>(event: &Event<'a>, kind: Kind) -> Option<Sighting<'a>> {
    let event = Event { token: 7, ..*event };
    subjects_of(&event, &hash()).map(|(_, seen)| seen).find(|seen| seen.of.kind() == kind)
}

/// The subject of this kind after these events, all of them its own.
fn after<'a>(kind: Kind, events: impl IntoIterator<Item = Event<'a>>) -> Subject {
    let mut subject: Option<Subject> = None;
    for event in events {
        let seen = sighting(&event, kind).unwrap();
        subject.get_or_insert_with(|| Subject::new(&seen)).observe(&seen, &hash());
    }
    subject.unwrap()
}

fn key(kind: Kind, value: &str) -> Option<SubjectKey> {
    Identity::parse(kind, value).map(|identity| identity.key(&hash()))
}

fn attempt<'a>(user: &'a str, ip: &str, at_ms: u64) -> Event<'a> {
    let ip = ip.parse().ok();
    let marks = Marks::USER_ATTEMPTED;
    Event {
        method: "POST",
        path: "/api/login",
        template: "/api/login",
        status: 401,
        user,
        ip,
        marks,
        ..event(1, at_ms, at_ms)
    }
}

#[test]
fn an_event_is_a_sighting_of_its_user_address_token_and_device() {
    let event = Event { user: "alice", token: 0xab, user_agent: "curl/8.4.0", ..event(1, 0, 1) };
    let values: Vec<String> = subjects_of(&event, &hash()).map(|(_, seen)| seen.of.to_string()).collect();
    let device = "t13d1516h2_8daaf6152771_02713d6af862;curl 8;203.0.113.0/24";
    assert_eq!(values, ["alice", "203.0.113.7", "00000000000000ab", device]);
    for (key, seen) in subjects_of(&event, &hash()) {
        assert_eq!(key, seen.of.key(&hash()));
        assert_eq!(key.kind, seen.of.kind());
        assert_eq!(Kind::parse(key.kind.name()), Some(key.kind));
        assert_eq!(Identity::parse(key.kind, &seen.of.to_string()), Some(seen.of));
    }
}

#[test]
fn what_an_event_does_not_tell_is_no_subject() {
    let kinds = |event: &Event<'_>| subjects_of(event, &hash()).map(|(key, _)| key.kind).collect::<Vec<_>>();
    let ordinary = event(1, 0, 1);
    assert_eq!(kinds(&ordinary), [Kind::Ip, Kind::Device]);
    assert_eq!(kinds(&Event { ja4: "", token: 0, ..ordinary }), [Kind::Ip]);
    assert_eq!(kinds(&Event { ip: None, token: 9, ..ordinary }), [Kind::Token]);
}

#[test]
fn a_v4_address_is_itself_and_a_v6_one_its_first_half() {
    for (one, other, is_same) in [
        ("203.0.113.7", "203.0.113.7", true),
        ("203.0.113.7", "::ffff:203.0.113.7", true),
        ("203.0.113.7", "203.0.113.8", false),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::", true),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64", true),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
    ] {
        assert_eq!(key(Kind::Ip, one) == key(Kind::Ip, other), is_same, "{one} {other}");
    }
}

#[test]
fn a_device_stays_itself_within_its_network_and_browser_version() {
    let device = |ip: &str, user_agent: &'static str, ja4: &'static str| {
        let event = Event { ip: ip.parse().ok(), user_agent, ja4, ..event(1, 0, 1) };
        sighting(&event, Kind::Device).map(|seen| seen.of.key(&hash()))
    };
    let here = device("203.0.113.7", "okhttp/4.12.0", "t13d");
    assert_eq!(here, device("203.0.113.250", "okhttp/4.9.3", "t13d"));
    for other in [
        device("203.0.114.7", "okhttp/4.12.0", "t13d"),
        device("203.0.113.7", "okhttp/5.0.0", "t13d"),
        device("203.0.113.7", "okhttp", "t13d"),
        device("203.0.113.7", "okhttp/0.1", "t13d"),
        device("203.0.113.7", "okhttp/4.12.0", "t13e"),
    ] {
        assert!(other.is_some() && other != here);
    }
    let v6 = device("2001:db8:1:2::1", "okhttp/4", "t13d");
    assert_eq!(v6, device("2001:db8:1:ffff::9", "okhttp/4", "t13d"));
    assert_ne!(v6, device("2001:db8:2:2::1", "okhttp/4", "t13d"));
    assert_eq!(device("203.0.113.7", "okhttp/4", ""), None);
}

#[test]
fn text_that_is_no_subject_is_refused() {
    for (kind, bad) in [
        (Kind::User, ""),
        (Kind::Ip, "203.0.113.0/24"),
        (Kind::Ip, "alice"),
        (Kind::Token, "ab"),
        (Kind::Token, "0000000000000000"),
        (Kind::Token, "+00000000000000a"),
        (Kind::Device, "t13d;curl 8;203.0.113.7/24"),
        (Kind::Device, "t13d;curl 8;203.0.113.0/23"),
        (Kind::Device, ";curl 8;203.0.113.0/24"),
        (Kind::Device, "curl 8;203.0.113.0/24"),
    ] {
        assert_eq!(Identity::parse(kind, bad), None, "{bad}");
    }
    assert_eq!(Kind::parse("session"), None);
}

#[test]
fn the_key_of_a_known_subject_never_changes() {
    // Stored subjects are found by this value: if this test fails, every deployment loses what it knows of them.
    let hash = SubjectHash::derive(b"golden-secret-golden-secret");
    let device = "t13d1516h2_8daaf6152771_02713d6af862;Chrome 124;203.0.113.0/24";
    let keys: Vec<String> = [
        (Kind::User, "alice"),
        (Kind::Ip, "203.0.113.7"),
        (Kind::Ip, "2001:db8::/64"),
        (Kind::Token, "00000000000000ab"),
        (Kind::Device, device),
    ]
    .iter()
    .map(|(kind, value)| {
        let key = Identity::parse(*kind, value).unwrap().key(&hash);
        let hex: String = key.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {value} {hex}\n", kind.name())
    })
    .collect();
    assert_eq!(keys.concat(), include_str!("golden/subject_keys.txt"));
}

#[test]
fn subjects_spread_evenly_over_shards_and_another_secret_spreads_them_otherwise() {
    let other = SubjectHash::derive(b"fedcba9876543210");
    let (mut owned, mut prefixes, mut moved) = ([0; 7], BTreeSet::new(), 0);
    for n in 0..7_000u32 {
        let name = n.to_string();
        let identity = Identity::User(&name);
        let key = identity.key(&hash());
        owned[key.shard(7) as usize] += 1;
        prefixes.insert(key.prefix());
        moved += u32::from(identity.key(&other).shard(7) != key.shard(7));
    }
    assert!(owned.iter().all(|n| (850..1_150).contains(n)), "{owned:?}");
    assert_eq!(prefixes.len(), 7_000);
    assert!((5_800..6_200).contains(&moved), "{moved}");
    assert_eq!(key(Kind::User, "a").unwrap().shard(0), 0);
}

#[test]
fn an_address_knows_its_sessions_users_and_what_was_refused() {
    let events = (0..30u64).map(|n| {
        let user = ["alice", "bob", ""][n as usize % 3];
        Event { user, status: if n % 5 == 0 { 404 } else { 200 }, ..event(n % 12, n * 1_000, n) }
    });
    let subject = after(Kind::Ip, events);
    assert_eq!((&*subject.value, subject.requests, subject.refused, subject.bytes), ("203.0.113.7", 30, 6, 30 * 512));
    assert_eq!((subject.sessions.count(), subject.sessions.is_exact()), (12, true));
    assert_eq!(subject.users.newest().map(|entry| &*entry.value).collect::<Vec<_>>(), ["bob", "alice"]);
    let minute = subject.windows.sum(Window::Minute, START_MS + 29_000);
    assert_eq!(minute, Counts { requests: 30, refused: 6, bytes: 30 * 512, ..Counts::default() });
    assert_eq!(subject.windows.sum(Window::Minute, START_MS + 120_000), Counts::default());
    assert_eq!(subject.windows.sum(Window::TenMinutes, START_MS + 120_000), minute);
}

#[test]
fn logins_are_what_the_origin_reports_or_its_answer_says() {
    let login = Event { method: "POST", path: "/api/login", template: "/api/login", user: "alice", ..event(1, 0, 1) };
    let tried = Marks::USER_ATTEMPTED;
    for (event, expected) in [
        (login, Login::Succeeded),
        (Event { method: "GET", ..login }, Login::None),
        (Event { path: "/api/orders", template: "/api/orders", ..login }, Login::None),
        (
            Event { path: "/api/orders", template: "/api/orders", feedback: "order,login-success", ..login },
            Login::Succeeded,
        ),
        (Event { feedback: "login-success,mfa-failure", ..login }, Login::Failed),
        (Event { feedback: "password-reset", marks: tried, ..login }, Login::None),
        (Event { status: 401, user: "", ..login }, Login::Failed),
        (Event { status: 401, user: "", path: "/api/orders", template: "/api/orders", ..login }, Login::None),
        (Event { path: "/enter", template: "/enter", marks: tried, ..login }, Login::Failed),
        (Event { status: 503, marks: tried, ..login }, Login::None),
        (Event { status: 403, action: Action::Block, marks: tried, ..login }, Login::None),
    ] {
        assert_eq!(sighting(&event, Kind::Ip).unwrap().login, expected, "{event:?}");
    }
}

#[test]
fn whoever_tries_to_be_a_user_lends_them_nothing_but_the_attempt() {
    let own = Event { user: "alice", ..event(1, 0, 1) };
    let guesses = (1..=9).map(|n| Event { country: "RU", asn: 9, ..attempt("alice", "198.51.100.9", n * 1_000) });
    let user = after(Kind::User, [own].into_iter().chain(guesses));
    assert_eq!((user.requests, user.attempts, user.failed, user.sessions.count()), (1, 9, 9, 1));
    assert_eq!(user.countries.newest().map(|entry| entry.value.as_str()).collect::<Vec<_>>(), ["DE"]);
    assert_eq!(user.places.len(), 1);
    let hour = user.windows.sum(Window::Hour, START_MS);
    assert_eq!((hour.requests, hour.failed), (1, 9));
    let tried = user.tried_at(START_MS, &hash());
    assert_eq!(tried.newest().map(|entry| &*entry.value).collect::<Vec<_>>(), ["198.51.100.9"]);
}

#[test]
fn users_tried_from_an_address_are_counted_apart_from_those_who_are_there() {
    let names: Vec<String> = (0..200).map(|n| format!("user-{n}")).collect();
    let sprayed = names.iter().zip(0..).map(|(name, n)| attempt(name, "203.0.113.7", n * 100));
    let subject = after(Kind::Ip, sprayed);
    assert!(subject.users.is_empty());
    assert_eq!((subject.requests, subject.failed), (200, 200));
    let tried = subject.tried_at(START_MS, &hash()).count();
    assert!((160..=240).contains(&tried), "{tried}");
    assert_eq!(subject.tried_at(START_MS + 3 * 3_600_000, &hash()).count(), 0);
}

#[test]
fn the_last_two_places_are_kept_whatever_the_order() {
    let place = |country: &'static str, asn, at_ms| Event { country, asn, user: "alice", ..event(1, at_ms, at_ms) };
    let travel = [place("DE", 1, 0), place("FR", 2, 10), place("DE", 1, 20), place("US", 3, 15), place("", 0, 30)];
    let forwards = after(Kind::User, travel);
    let backwards = after(Kind::User, travel.into_iter().rev());
    let seen: Vec<_> =
        forwards.places.iter().map(|p| (p.country.as_str(), p.asn, p.event.time_ms() - START_MS)).collect();
    assert_eq!(seen, [("US", 3, 15), ("DE", 1, 20)]);
    assert_eq!(forwards.places, backwards.places);
}

#[test]
fn sightings_in_any_order_leave_the_same_state() {
    // A second apart each, so that nothing is seen last at the same time as another.
    let events: Vec<Event<'_>> =
        (0..600).map(|n| Event { status: if n % 7 == 0 { 403 } else { 200 }, ..event(n % 90, n * 1_000, n) }).collect();
    let forwards = after(Kind::Ip, events.iter().copied());
    let shuffled = after(Kind::Ip, (0..events.len()).map(|i| events[i * 251 % events.len()]));
    assert_eq!(forwards, shuffled);
    assert_eq!(forwards.encode(), shuffled.encode());
}

#[test]
fn merging_what_two_shards_know_is_knowing_both() {
    let events: Vec<Event<'_>> = (0..400).map(|n| miss(n % 40, n * 1_000, n, "/gone")).collect();
    let guesses: Vec<Event<'_>> = (0..20).map(|n| attempt("bob", "203.0.113.7", 500_000 + n * 1_000)).collect();
    let whole = after(Kind::Ip, events.iter().chain(&guesses).copied());
    let mut one = after(Kind::Ip, events.iter().copied());
    one.merge(&after(Kind::Ip, guesses.iter().copied()), &hash());
    assert_eq!(one, whole);
}

#[test]
fn the_answer_shows_what_is_known() {
    let agents = ["curl/8.4.0", "okhttp/4.12.0"];
    let events =
        (0..20u64).map(|n| Event { user: "alice", user_agent: agents[n as usize % 2], ..event(n, n * 1_000, n) });
    let subject = after(Kind::Ip, events.chain([attempt("bob", "203.0.113.7", 20_000)]));
    let answer = SubjectAnswer::new(&subject, START_MS + 20_000, &hash());
    let json = serde_json::to_string_pretty(&answer).unwrap() + "\n";
    assert_eq!(serde_json::from_str::<SubjectAnswer>(&json).unwrap(), answer);
    assert_eq!(json, include_str!("golden/subject_answer.json"));
}

#[test]
fn an_agent_nobody_sent_is_not_counted() {
    let subject = after(Kind::Ip, [Event { user_agent: "", country: "", asn: 0, ..event(1, 0, 1) }]);
    assert!(subject.agents.is_empty() && subject.countries.is_empty() && subject.places.is_empty());
    assert_eq!(Family::of("").to_string(), "");
}
