//! How subjects are kept and sent: bytes that outlive a release, refusals of others, and how much room they take.
//!
//! If a golden test fails, stored subjects can no longer be read, or shards and isolates one release apart no longer
//! understand each other. Do not change the bytes: add a version, and keep reading this one.

use super::support::events::{START_MS, event, miss};
use super::{after, attempt, hash};
use throughline::session::Event;
use throughline::subject::{DecodeError, Kind, Sighting, Subject, SubjectKey, VERSION, subjects_of};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";

/// An address with one session: a visit of two minutes to three endpoints.
fn ordinary() -> Subject {
    let templates = ["/api/products", "/api/products/{integer}", "/api/cart"];
    let user_agent = CHROME;
    after(
        Kind::Ip,
        (0..12).map(|n| Event { user_agent, template: templates[n as usize % 3], ..event(1, n * 10_000, n) }),
    )
}

/// Everything a subject can be seen with, more of it than is kept one by one.
fn busy<'a>(names: &'a [String], templates: &'a [String]) -> Subject {
    let countries = ["DE", "FR", "US", "GB", "IT", "ES", "PL", "NL", "BE", "AT"];
    let events = names.iter().zip(templates).zip(0u64..).map(|((user, template), n)| {
        let ip = format!("2001:db8:0:1::{n:x}").parse().ok();
        let country = countries[n as usize % 10];
        Event { user, template, ip, country, user_agent: template, ..event(n, n * n * 7, n) }
    });
    let tries = names.iter().zip(0u64..).map(|(user, n)| attempt(user, "2001:db8:0:1::9", 200_000_000 + n * 20_000));
    after(Kind::Ip, events.chain(tries))
}

fn texts(count: u64, text: &str) -> Vec<String> {
    (0..count).map(|n| format!("{text}{n}")).collect()
}

#[test]
fn a_subject_keeps_its_bytes() {
    let (names, templates) = (texts(12, "user-"), texts(12, "/api/thing/"));
    let all = [hex(&ordinary().encode()), hex(&busy(&names, &templates).encode())].join("\n") + "\n";
    assert_eq!(all, include_str!("../golden/subject.hex"));
}

#[test]
fn a_sighting_keeps_its_bytes() {
    let event = Event { user: "alice", token: 7, ..miss(1, 0, 1, "/gone") };
    let sent: Vec<(SubjectKey, Sighting<'_>)> = subjects_of(&event, &hash()).collect();
    let bytes = postcard::to_allocvec(&sent).unwrap();
    assert_eq!(postcard::from_bytes::<Vec<(SubjectKey, Sighting<'_>)>>(&bytes).unwrap(), sent);
    assert_eq!(hex(&bytes) + "\n", include_str!("../golden/subject_sightings.hex"));
}

#[test]
fn a_subject_survives_being_stored() {
    let (names, templates) = (texts(500, "user-"), texts(500, "/api/thing/"));
    for subject in [ordinary(), busy(&names, &templates), after(Kind::User, [attempt("alice", "::1", 0)])] {
        assert_eq!(Subject::decode(&subject.encode()), Ok(subject));
    }
    let last = Event { ip: "::1".parse().ok(), ..event(1, u64::MAX / 4, 1) };
    let subject = after(Kind::Ip, [event(1, 0, 1), last]);
    assert_eq!(Subject::decode(&subject.encode()), Ok(subject));
}

#[test]
fn bytes_that_are_cut_longer_or_of_another_version_are_refused() {
    let (names, templates) = (texts(12, "user-"), texts(12, "/api/thing/"));
    let whole = busy(&names, &templates).encode();
    assert_eq!(Subject::decode(&[]), Err(DecodeError::Empty));
    for end in 1..whole.len() {
        assert_eq!(Subject::decode(&whole[..end]), Err(DecodeError::Malformed), "{end}");
    }
    assert_eq!(Subject::decode(&[&whole[..], &[0]].concat()), Err(DecodeError::Malformed));
    assert_eq!(Subject::decode(&[&[VERSION + 1], &whole[1..]].concat()), Err(DecodeError::Version(VERSION + 1)));
}

#[test]
fn bytes_changed_anywhere_never_decode_into_more_than_is_kept() {
    let (names, templates) = (texts(12, "user-"), texts(12, "/api/thing/"));
    let whole = busy(&names, &templates).encode();
    for at in 1..whole.len() {
        for change in [0x01, 0x10, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            if let Ok(mut subject) = Subject::decode(&bytes) {
                assert!(subject.sessions.newest().count() <= 16 && subject.ips.newest().count() <= 8);
                let event = event(1, 0, 1);
                subjects_of(&event, &hash()).for_each(|(_, seen)| subject.observe(&seen, &hash()));
                let _ = subject.tried_at(u64::MAX, &hash()).count();
            }
        }
    }
}

#[test]
fn a_subject_takes_little_room_and_never_much() {
    let mut subject = ordinary();
    assert!(subject.encode().len() <= 230, "stored at once: {}", subject.encode().len());
    assert!(subject.bytes() <= 1_400, "in memory: {}", subject.bytes());
    subject.settle(START_MS + 900_000);
    assert!(subject.encode().len() <= 180, "stored at rest: {}", subject.encode().len());
    let (names, templates) = (texts(5_000, &"user-".repeat(40)), texts(5_000, &"/api/thing/".repeat(20)));
    let subject = busy(&names, &templates);
    assert!(subject.encode().len() <= 10_000, "stored: {}", subject.encode().len());
    assert!(subject.bytes() <= 12_000, "in memory: {}", subject.bytes());
}
