//! What is learned as ordinary, from whom and when, and what it does to a finding.

use core::net::IpAddr;

use super::*;
use crate::session::{EventId, Marks, Params, SessionId, Severity};

const HOUR_MS: u64 = 3_600_000;

fn hash() -> SubjectHash {
    SubjectHash::new([7; 16])
}

fn carried(what: &str) -> Carried {
    Carried {
        attack: Attack::Xss,
        severity: Severity::Medium,
        confidence: 60,
        place: "body#/text".to_owned(),
        what: format!("{what}: <b>{what}</b>"),
        stopped: false,
    }
}

/// A request of session `n` to write a review, at a time.
fn event(n: u64, time_ms: u64) -> Event<'static> {
    let mut id = [0; 16];
    id[..5].copy_from_slice(&n.to_be_bytes()[3..]);
    let session = SessionId(id);
    Event {
        id: EventId::new(time_ms, session, n),
        session,
        key_source: "request.cookie.sid",
        verified: false,
        time_ms,
        duration_ms: 1,
        method: "POST",
        host: "shop.test",
        path: "/api/reviews",
        template: "/api/reviews",
        status: 201,
        request_bytes: None,
        response_bytes: None,
        ip: Some(IpAddr::from([10, (n >> 8) as u8, n as u8, 1])),
        country: "DE",
        asn: 1,
        colo: "FRA",
        user_agent: "Mozilla/5.0",
        ja4: "",
        user: "",
        roles: "",
        principal: 0,
        token: 0,
        feedback: "",
        inventory: None,
        params: Params::default(),
        action: Action::Allow,
        marks: Marks::default(),
    }
}

/// Lets session `n` behave, but for what `change` makes of its review.
fn visit(normal: &mut Normal, n: u64, time_ms: u64, change: impl Fn(&mut Event<'_>)) {
    let mut review = event(n, time_ms);
    change(&mut review);
    normal.observe(&review, [carried("has a tag")].iter(), false, &hash());
    for at in 1..=u64::from(OTHERS) {
        let other =
            Event { method: "GET", path: "/api/items", template: "/api/items", time_ms: time_ms + at, ..review };
        normal.observe(&other, [].iter(), false, &hash());
    }
}

/// Lets time pass.
fn wait(normal: &mut Normal, time_ms: u64) {
    normal.observe(&event(9_999, time_ms), [].iter(), false, &hash());
}

fn told(normal: &Normal) -> Option<u32> {
    normal.sessions(&event(1, 0), &carried("has a tag"), &hash())
}

#[test]
fn what_many_customers_send_over_a_day_is_normal_and_what_else_stands_there_is_not() {
    let mut normal = Normal::default();
    for n in 0..u64::from(SESSIONS) {
        assert_eq!(told(&normal), None, "{n}");
        visit(&mut normal, n, n * HOUR_MS, |_| {});
    }
    wait(&mut normal, u64::from(SESSIONS + 1) * HOUR_MS);
    assert_eq!(told(&normal), Some(SESSIONS));
    assert_eq!(normal.told().len(), 1);
    let is_normal = |event: &Event<'_>, carried: &Carried| normal.sessions(event, carried, &hash()).is_some();
    assert!(is_normal(&event(77, 0), &carried("has a tag")));
    assert!(!is_normal(&event(77, 0), &carried("runs a script")));
    assert!(!is_normal(&event(77, 0), &Carried { place: "body#/title".to_owned(), ..carried("has a tag") }));
    assert!(!is_normal(&event(77, 0), &Carried { attack: Attack::Sqli, ..carried("has a tag") }));
    assert!(!is_normal(&Event { template: "/api/orders", ..event(77, 0) }, &carried("has a tag")));
    assert!(!is_normal(&Event { method: "PUT", ..event(77, 0) }, &carried("has a tag")));
}

#[test]
fn what_is_normal_is_one_session_or_one_network_or_one_minute_more_than_what_is_not() {
    let learned = |sessions: u64, networks: u64, last_ms: u64| {
        let mut normal = Normal::default();
        for n in 0..sessions {
            let time_ms = if n + 1 == sessions { last_ms } else { n * 1_000 };
            visit(&mut normal, n, time_ms, |event| {
                event.ip = Some(IpAddr::from([10, 0, (n % networks) as u8, n as u8]));
            });
        }
        wait(&mut normal, last_ms + 2 * HOUR_MS);
        told(&normal).is_some()
    };
    let (sessions, networks) = (u64::from(SESSIONS), NETWORKS as u64);
    assert!(learned(sessions, networks, SPAN_MS));
    assert!(!learned(sessions - 1, networks, SPAN_MS));
    assert!(!learned(sessions, networks - 1, SPAN_MS));
    assert!(!learned(sessions, networks, SPAN_MS - 1));
}

#[test]
fn a_session_that_does_not_behave_teaches_nothing() {
    let learned = |spoil: &dyn Fn(&mut Normal, u64, u64)| {
        let mut normal = Normal::default();
        for n in 0..2 * u64::from(SESSIONS) {
            spoil(&mut normal, n, n * HOUR_MS);
        }
        wait(&mut normal, 200 * HOUR_MS);
        told(&normal).is_some()
    };
    assert!(learned(&|normal, n, at| visit(normal, n, at, |_| {})));
    type Spoils<'a> = (&'a str, &'a dyn Fn(&mut Event<'_>));
    let spoilt: [Spoils<'_>; 5] = [
        ("stopped", &|event| event.action = Action::Block),
        ("refused", &|event| event.status = 422),
        ("failed", &|event| event.status = 500),
        ("without a key", &|event| event.key_source = "client.ip"),
        ("without an address", &|event| event.ip = None),
    ];
    for (why, change) in spoilt {
        assert!(!learned(&|normal, n, at| visit(normal, n, at, change)), "{why}");
    }
    // Only the one request, and nothing else.
    assert!(!learned(&|normal, n, at| normal.observe(&event(n, at), [carried("has a tag")].iter(), false, &hash())));
    // Something else was found within the hour.
    assert!(!learned(&|normal, n, at| {
        visit(normal, n, at, |_| {});
        normal.observe(&event(n, at + HOUR_MS / 2), [].iter(), true, &hash());
    }));
    // The same on another endpoint, and more than four kinds on this one, is how it is looked for where it works.
    assert!(!learned(&|normal, n, at| {
        visit(normal, n, at, |_| {});
        visit(normal, n, at + 10, |event| event.template = "/api/other");
    }));
    assert!(!learned(&|normal, n, at| {
        visit(normal, n, at, |_| {});
        let more: Vec<Carried> = ["a", "b", "c", "d"].map(carried).into();
        normal.observe(&event(n, at + 10), more.iter(), false, &hash());
    }));
    assert!(!learned(&|normal, n, at| {
        visit(normal, n, at, |_| {});
        let token = Carried { attack: Attack::JwtAbuse, ..carried("is a token without signature") };
        normal.observe(&event(n, at + 10), [token].iter(), false, &hash());
    }));
}

#[test]
fn what_is_learned_is_bounded_and_forgotten() {
    let mut normal = Normal::default();
    for n in 0..MAX_WATCHED as u64 + 1 {
        normal.observe(&event(n, n), [carried("has a tag")].iter(), false, &hash());
    }
    assert_eq!(normal.watched.len(), MAX_WATCHED);
    let mut normal = Normal::default();
    for n in 0..MAX_KINDS as u64 + 1 {
        normal.learn(n, &Watched { since_ms: n, ..Watched::default() });
        normal.learn(1, &Watched { since_ms: n, ..Watched::default() });
    }
    assert_eq!(normal.kinds.len(), MAX_KINDS);
    assert!(normal.kinds.contains_key(&1) && !normal.kinds.contains_key(&0));
    let bytes = postcard::to_allocvec(&normal).unwrap();
    assert_eq!(postcard::from_bytes::<Normal>(&bytes), Ok(normal.clone()));
    wait(&mut normal, FORGOTTEN_MS + 10 * HOUR_MS);
    assert!(normal.kinds.is_empty());
}

#[test]
fn isolates_are_told_of_the_kinds_of_most_sessions() {
    let mut normal = Normal::default();
    for kind in 0..MAX_TOLD as u64 + 1 {
        for n in 0..u64::from(SESSIONS) + kind {
            let since_ms = n * HOUR_MS;
            normal.learn(kind, &Watched { since_ms, network: n as u32, ..Watched::default() });
        }
    }
    let told = normal.told();
    assert_eq!(told.len(), MAX_TOLD);
    assert!(!told.contains(&0) && told[0] == MAX_TOLD as u64);
}

#[test]
fn what_is_normal_weighs_little_and_says_so() {
    let event = event(1, 0);
    let mut finding = crate::detect::attacks::finding(&carried("has a tag"), &event, None);
    let before = finding.confidence;
    discount(&mut finding, 40);
    assert!(finding.confidence < 0.5 * before && finding.value < finding.baseline);
    assert!(finding.message.ends_with("; normal for this parameter: seen in 40 sessions"), "{}", finding.message);
}
