//! What findings weigh in their session, what follows from them, on whom, and what would have: through the store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{self, HOUR_MS};
use support::sqlite::Sqlite;
use throughline::detect::{At, Response, RouteRule, Tuning};
use throughline::inspect::Attack;
use throughline::inventory::Pattern;
use throughline::query::{EventQuery, Filter, FindingAnswer, Order};
use throughline::session::{BatchBuilder, Carried, Detector, Event, EventId, Kinds, Objects, Severity};
use throughline::store::{Settings, Store};
use throughline::verdict::{Action, Allowed, Block, Subject};
use throughline::wire::{Ask, Flush};

struct Scene {
    store: Store<Sqlite>,
    sequence: u64,
    imposed: Vec<Block>,
}

impl Scene {
    fn new(settings: Settings) -> Self {
        let store = Store::open(Sqlite::new(), settings, START_MS).unwrap();
        Self { store, sequence: 0, imposed: Vec::new() }
    }

    fn flush(&mut self, flush: &Flush) {
        self.imposed.extend(self.store.apply(flush, flush.now_ms).unwrap().imposed);
    }

    fn send(&mut self, events: &[Event<'_>]) {
        self.sequence += 1;
        let flush = flush(1, self.sequence, events);
        self.flush(&flush);
    }

    /// Sends an event that carries an attack.
    fn attack(&mut self, event: &Event<'_>, attack: Attack, confidence: u8) {
        self.sequence += 1;
        let mut builder = BatchBuilder::default();
        builder.push(event);
        let (place, what) = ("query.q".to_owned(), "a union".to_owned());
        builder.carry(Carried { attack, severity: Severity::High, confidence, place, what, stopped: false });
        self.flush(&Flush { batch: builder.take().encode(), ..flush(1, self.sequence, &[*event]) });
    }

    /// Sends an event of a route that learns whose is what.
    fn hand(&mut self, event: &Event<'_>, asked: Option<u32>, issued: &[u32], more: bool) {
        self.sequence += 1;
        let mut builder = BatchBuilder::default();
        builder.push(event);
        builder.issued(event.session);
        builder.hand(Objects { endpoint: 1, collection: 2, asked, issued: issued.to_vec(), more });
        self.flush(&Flush { batch: builder.take().encode(), ..flush(1, self.sequence, &[*event]) });
    }

    fn findings(&self) -> Vec<FindingAnswer> {
        let query = EventQuery::first(Filter::default(), Order::Asc, 10_000);
        self.store.events(&query).unwrap().items.into_iter().flat_map(|(.., event)| event.findings).collect()
    }

    fn reasons(&self) -> Vec<Vec<String>> {
        let names = |f: FindingAnswer| f.reasons.into_iter().map(|r| r.reason).collect();
        self.findings().into_iter().map(names).collect()
    }

    fn subjects(&self) -> Vec<(&'static str, String)> {
        self.imposed.iter().map(|block| (block.subject.kind(), block.subject.value())).collect()
    }
}

fn monitor() -> Scene {
    Scene::new(shard::settings(false))
}

/// In `enforce`, with this done about brute force.
fn enforcing(response: Response) -> Settings {
    let mut settings = shard::settings(true);
    let tuned = Tuning { response, ..Tuning::of(Detector::BruteForce) };
    settings.detectors.behaviours.set(Detector::BruteForce, Some(tuned));
    settings
}

fn at(at: At) -> Response {
    Response { at, ..Response::of_session(Action::Block, 600_000) }
}

fn guess(n: u64, at_ms: u64) -> Event<'static> {
    Event { method: "POST", path: "/login", template: "/login", status: 401, ..event(n, at_ms, at_ms) }
}

fn issue_all(scene: &mut Scene, events: &[Event<'_>]) {
    scene.sequence += 1;
    let mut builder = BatchBuilder::default();
    for event in events {
        builder.push(event);
        builder.issued(event.session);
    }
    let flush = Flush { batch: builder.take().encode(), ..flush(1, scene.sequence, events) };
    scene.flush(&flush);
}

#[test]
fn an_attack_that_was_refused_weighs_less_than_one_that_was_answered() {
    let risk = |status| {
        let mut scene = monitor();
        scene.attack(&Event { status, ..event(0, 0, 0) }, Attack::Sqli, 85);
        let finding = scene.findings().remove(0);
        (finding.risk_added, finding.reasons.first().map(|r| (r.reason.clone(), r.factor)))
    };
    let (answered, refused) = (risk(200), risk(403));
    assert!(answered.0 > refused.0, "{answered:?} {refused:?}");
    assert_eq!((answered.1, refused.1), (None, Some(("refused".to_owned(), 0.8))));
}

#[test]
fn what_another_kind_of_detector_says_corroborates_and_the_same_request_does_not() {
    let mut scene = monitor();
    for i in 0..12u64 {
        let path = format!("/hidden{i}");
        let miss = Event { path: &path, template: &path, status: 404, ..event(0, i * 100, i) };
        scene.send(&[miss]);
    }
    scene.attack(&event(0, 5_000, 50), Attack::Sqli, 85);
    assert_eq!(scene.reasons().last(), Some(&vec!["corroborated".to_owned()]));
    // Two classes in one request say the same thing twice.
    let mut alone = monitor();
    alone.sequence += 1;
    let mut builder = BatchBuilder::default();
    builder.push(&event(0, 0, 0));
    for attack in [Attack::Sqli, Attack::Scanner] {
        let (place, what) = ("query.q".to_owned(), "x".to_owned());
        builder.carry(Carried { attack, severity: Severity::High, confidence: 85, place, what, stopped: false });
    }
    let flush = Flush { batch: builder.take().encode(), ..flush(1, 1, &[event(0, 0, 0)]) };
    alone.flush(&flush);
    assert!(alone.reasons().iter().all(Vec::is_empty), "{:?}", alone.reasons());
}

#[test]
fn several_classes_and_a_success_after_attempts_that_were_refused_weigh_more() {
    let mut scene = monitor();
    for (i, attack) in [Attack::Sqli, Attack::Xss, Attack::Ssti].into_iter().enumerate() {
        let n = i as u64;
        scene.attack(&Event { status: 400, ..event(0, n * 1_000, n) }, attack, 85);
    }
    scene.attack(&event(0, 9_000, 9), Attack::Sqli, 85);
    let reasons = scene.reasons();
    assert_eq!(reasons[0], ["refused"]);
    assert_eq!(reasons[2], ["refused", "several_classes"]);
    assert_eq!(reasons[3], ["breakthrough", "several_classes"]);
}

#[test]
fn a_long_and_ordinary_session_is_given_some_credit_and_a_new_one_none() {
    let mut scene = monitor();
    let ordinary: Vec<_> = (0..60).map(|i| event(0, i * 60_000, i)).collect();
    issue_all(&mut scene, &ordinary);
    scene.attack(&event(0, HOUR_MS + 1, 100), Attack::Sqli, 85);
    scene.attack(&event(1, HOUR_MS + 2, 101), Attack::Sqli, 85);
    let reasons = scene.reasons();
    assert_eq!((reasons[0].as_slice(), reasons[1].len()), (["mature_session".to_owned()].as_slice(), 0));
}

#[test]
fn text_that_many_customers_send_and_get_answered_weighs_less_there_and_not_elsewhere() {
    let mut scene = monitor();
    let ips: Vec<std::net::IpAddr> = (0..8).map(|i| format!("198.51.100.{i}").parse().unwrap()).collect();
    for n in 0..6u64 {
        let own = Event { ip: Some(ips[n as usize]), ..event(n, n * 1_000, n) };
        issue_all(&mut scene, &[own]);
        scene.attack(&Event { id: EventId::new(own.time_ms, own.session, 100 + n), ..own }, Attack::Sqli, 85);
    }
    let reasons = scene.reasons();
    assert!(reasons[..5].iter().all(Vec::is_empty), "{reasons:?}");
    assert_eq!(reasons[5], ["usual_here"]);
    // One attacker with many sessions behind one address makes nothing usual.
    let mut attacker = monitor();
    for n in 0..8u64 {
        issue_all(&mut attacker, &[event(n, n * 1_000, n)]);
        attacker.attack(&event(n, n * 1_000 + 1, 100 + n), Attack::Sqli, 85);
    }
    assert!(attacker.reasons().iter().all(|reasons| !reasons.contains(&"usual_here".to_owned())));
}

#[test]
fn a_verdict_is_put_on_the_session_the_address_the_device_or_the_user_as_configured() {
    let guesses: Vec<_> = (0..10).map(|i| guess(0, i * 1_000)).collect();
    for (level, kind, value) in [
        (At::Session, "session", session(0).to_string()),
        (At::Ip, "ip", "203.0.113.7".to_owned()),
        (At::Device, "device", "t13d1516h2_8daaf6152771_02713d6af862;Mozilla 5;203.0.113.0/24".to_owned()),
    ] {
        let mut scene = Scene::new(enforcing(at(level)));
        scene.send(&guesses);
        assert_eq!(scene.subjects(), [(kind, value)], "{level:?}");
        assert_eq!(scene.imposed[0].until_ms, guesses[9].time_ms + 600_000);
    }
    let mut nobody = Scene::new(enforcing(at(At::Request)));
    nobody.send(&guesses);
    assert_eq!((nobody.imposed.len(), nobody.findings()[0].action), (0, Action::Block));
    // Whose password is guessed at is locked, where that is what was asked for.
    let tried: Vec<_> = guesses
        .iter()
        .map(|guess| Event { user: "ann", marks: throughline::session::Marks::USER_ATTEMPTED, ..*guess })
        .collect();
    let mut locked = Scene::new(enforcing(at(At::User)));
    locked.send(&tried);
    assert_eq!(locked.subjects(), [("user", "ann".to_owned())]);
}

#[test]
fn an_address_that_many_healthy_sessions_share_is_left_alone_unless_told_otherwise() {
    let office: Vec<_> = (10..20u64).flat_map(|n| (0..5).map(move |i| event(n, n * 100 + i, n * 10 + i))).collect();
    let guesses: Vec<_> = (0..10).map(|i| guess(0, 60_000 + i * 1_000)).collect();
    let imposed = |shared| {
        let mut scene = Scene::new(enforcing(Response { shared, ..at(At::Ip) }));
        scene.send(&office);
        scene.send(&guesses);
        let finding = scene.findings().remove(0);
        (scene.subjects().len(), finding.action)
    };
    assert_eq!(imposed(false), (0, Action::Tag));
    assert_eq!(imposed(true), (1, Action::Block));
}

#[test]
fn who_is_never_acted_on_is_only_told_of() {
    let settings =
        Settings { allow: vec![Allowed::Network("203.0.113.0/24".parse().unwrap())], ..enforcing(at(At::Session)) };
    let mut scene = Scene::new(settings);
    scene.send(&(0..10).map(|i| guess(0, i * 1_000)).collect::<Vec<_>>());
    assert_eq!((scene.imposed.len(), scene.findings()[0].action), (0, Action::Tag));
}

#[test]
fn a_route_may_say_otherwise_than_the_detector_and_that_it_is_only_watched() {
    let rule = |monitor, actions| RouteRule { pattern: Pattern::parse("POST /login").unwrap(), monitor, actions };
    let outcome = |rule| {
        let mut settings = enforcing(Response::TAG);
        settings.detectors.routes = vec![rule];
        let mut scene = Scene::new(settings);
        scene.send(&(0..10).map(|i| guess(0, i * 1_000)).collect::<Vec<_>>());
        let finding = scene.findings().remove(0);
        (scene.imposed.len(), finding.action, finding.would)
    };
    let block = vec![(Detector::BruteForce, Action::Block)];
    assert_eq!(outcome(rule(false, vec![])), (0, Action::Tag, Action::Tag));
    assert_eq!(outcome(rule(false, block.clone())), (1, Action::Block, Action::Block));
    assert_eq!(outcome(rule(true, block)), (0, Action::Tag, Action::Block));
}

/// Asks for a login that is about to be tried.
fn ask(scene: &mut Scene, event: &Event<'_>) -> Action {
    let mut builder = BatchBuilder::default();
    builder.push(&Event { status: 200, ..*event });
    let ask = Ask {
        session: event.session,
        ip: event.ip,
        now_ms: event.time_ms,
        blocks_version: 0,
        former: None,
        user: String::new(),
        ja4: event.ja4.to_owned(),
        user_agent: event.user_agent.to_owned(),
        attempt: builder.take().encode(),
        kinds: Kinds(u8::MAX),
    };
    scene.store.ask(&ask).unwrap().verdict.action
}

#[test]
fn guesses_under_way_count_as_failures_until_their_outcome_is_known() {
    let mut scene = Scene::new(enforcing(at(At::Session)));
    let answers: Vec<Action> = (0..14).map(|i| ask(&mut scene, &guess(0, i))).collect();
    let passed = answers.iter().filter(|action| **action == Action::Allow).count();
    assert_eq!((passed, answers[10]), (10, Action::Block), "{answers:?}");
    // Nine of them turn out to be right: who logs in so often is no guesser.
    let right: Vec<_> = (0..9).map(|i| Event { status: 200, ..guess(0, i) }).collect();
    scene.send(&right);
    assert_eq!(ask(&mut scene, &guess(0, 1_000)), Action::Allow);
    // In the mode that only watches nothing is stopped.
    let mut watching = Scene::new(Settings { enforce: false, ..enforcing(at(At::Session)) });
    assert!((0..20).all(|i| ask(&mut watching, &guess(0, i)) == Action::Allow));
}

#[test]
fn a_block_on_a_user_holds_for_the_sessions_that_are_theirs() {
    let mut scene = Scene::new(shard::settings(true));
    scene.send(&[Event { user: "ann", ..event(0, 0, 0) }, Event { user: "bob", ..event(1, 0, 1) }]);
    let block = Block {
        subject: Subject::User("ann".to_owned()),
        action: Action::Block,
        created_ms: START_MS,
        until_ms: START_MS + 60_000,
        reason: String::new(),
        by: "admin".to_owned(),
    };
    scene.store.told(throughline::verdict::BlockChange::Set(block));
    let asked = |scene: &mut Scene, n, at_ms| ask(scene, &event(n, at_ms, at_ms));
    assert_eq!((asked(&mut scene, 0, 10), asked(&mut scene, 1, 10)), (Action::Block, Action::Allow));
    assert_eq!(asked(&mut scene, 0, 60_000), Action::Allow);
}

#[test]
fn a_dry_run_tells_what_enforcing_would_have_touched_and_survives_a_restart() {
    let sql = Sqlite::new();
    let settings = || Settings { enforce: false, ..enforcing(at(At::Session)) };
    let mut store = Store::open(sql.clone(), settings(), START_MS).unwrap();
    let mut events: Vec<_> = (0..10).map(|i| guess(0, i * 1_000)).collect();
    // Five requests while it would have been blocked, one after, and somebody else.
    events.extend((0..5).map(|i| event(0, 20_000 + i, 100 + i)));
    events.extend([event(0, 20 * 60_000, 200), event(1, 21_000, 201)]);
    events.sort_by_key(|event| event.time_ms);
    let outcome = store.apply(&flush(1, 1, &events), events[events.len() - 1].time_ms).unwrap();
    assert!(outcome.imposed.is_empty(), "nothing is imposed in monitor");
    let report = |store: &Store<Sqlite>| {
        let told = store.dry_run(START_MS);
        told.into_iter().map(|one| (one.detector, one.requests, one.findings, one.sessions.len())).collect::<Vec<_>>()
    };
    let expected = vec![(Detector::BruteForce.number(), 6, 1, 1)];
    assert_eq!(report(&store), expected);
    store.fold(START_MS + HOUR_MS).unwrap();
    assert_eq!(report(&Store::open(sql, settings(), START_MS).unwrap()), expected);
    assert!(store.dry_run(START_MS + 2 * HOUR_MS).is_empty(), "what is older is not told");
}

fn orders(n: u64, at_ms: u64, status: u16) -> Event<'static> {
    let (path, template) = ("/api/orders/17", "/api/orders/{integer}");
    Event { path, template, status, ..event(n, at_ms, at_ms) }
}

#[test]
fn an_object_that_was_handed_to_somebody_else_is_told_of_at_the_first_request() {
    let mut scene = monitor();
    scene.hand(&event(1, 0, 1), None, &[100, 101], false);
    scene.hand(&event(0, 1_000, 2), None, &[17, 18], false);
    scene.hand(&orders(0, 2_000, 200), Some(17), &[17], false);
    assert!(scene.findings().is_empty(), "one's own");
    scene.hand(&orders(0, 3_000, 404), Some(100), &[], false);
    assert!(scene.findings().is_empty(), "in vain");
    scene.hand(&orders(0, 4_000, 200), Some(101), &[101], false);
    scene.send(&[event(2, 13_999, 9)]);
    assert!(scene.findings().is_empty(), "a list may be on its way that names it");
    scene.send(&[event(2, 14_000, 10)]);
    let finding = scene.findings().remove(0);
    assert_eq!((finding.detector.as_str(), finding.severity), ("bola_foreign_object", Severity::High));
    assert!(finding.message.contains("somebody else"), "{}", finding.message);
}

#[test]
fn a_list_that_is_recorded_after_what_it_led_to_is_no_reason_to_tell_of_it() {
    let opened = |late: &dyn Fn(&mut Scene)| {
        let mut scene = monitor();
        scene.hand(&event(1, 0, 1), None, &[100], false);
        scene.hand(&event(0, 1_000, 2), None, &[1], false);
        scene.hand(&orders(0, 4_000, 200), Some(100), &[100], false);
        late(&mut scene);
        // What waits is folded with its session.
        scene.store.fold(START_MS + 5_000).unwrap();
        scene.send(&[event(2, 30_000, 9)]);
        let found = scene.store.session(session(0), START_MS + 30_000).unwrap().unwrap().findings;
        found.get("bola_foreign_object").copied().unwrap_or(0)
    };
    assert_eq!(opened(&|_| {}), 1);
    assert_eq!(opened(&|scene| scene.hand(&event(0, 3_900, 3), None, &[1, 100], false)), 0, "it named it");
    assert_eq!(opened(&|scene| scene.hand(&event(0, 3_900, 3), None, &[1], true)), 0, "it may have named it");
}

#[test]
fn where_what_was_handed_out_is_not_known_in_full_nothing_is_said() {
    let opened = |prepare: &dyn Fn(&mut Scene)| {
        let mut scene = monitor();
        scene.hand(&event(1, 0, 1), None, &[100], false);
        prepare(&mut scene);
        scene.hand(&orders(0, 9_000, 200), Some(100), &[100], false);
        scene.send(&[event(2, 30_000, 9)]);
        scene.findings().len()
    };
    assert_eq!(opened(&|_| {}), 0, "no list was seen");
    assert_eq!(opened(&|scene| scene.hand(&event(0, 1_000, 2), None, &[1], true)), 0, "there was another page");
    assert_eq!(
        opened(&|scene| {
            scene.hand(&event(0, 1_000, 2), None, &[1], false);
            let many: Vec<u32> = (1_000..1_500).collect();
            scene.hand(&event(0, 2_000, 3), None, &many, false);
        }),
        0,
        "more was handed out than can be told apart"
    );
    assert_eq!(opened(&|scene| scene.hand(&event(0, 1_000, 2), None, &[1], false)), 1, "the list was whole");
}

#[test]
fn shared_objects_and_public_endpoints_are_learned_as_such() {
    let mut scene = monitor();
    for n in 1..4u64 {
        scene.hand(&event(n, n, n), None, &[100], false);
    }
    scene.hand(&event(0, 1_000, 20), None, &[1], false);
    scene.hand(&orders(0, 2_000, 200), Some(100), &[], false);
    assert!(scene.findings().is_empty(), "three have it");
    // Everybody opens what no list handed out: after a while that is how it is there.
    let mut public = monitor();
    for n in 0..40u64 {
        public.hand(&event(n, n * 10_000, n * 10), None, &[1], false);
        public.hand(&orders(n, n * 10_000 + 1_000, 200), Some(5_000 + n as u32), &[], false);
    }
    let told = public.findings().len();
    assert!((1..=25).contains(&told), "{told}");
    let last = public.findings().last().map(|finding| finding.session.clone());
    assert!(!(30..40).any(|n| last == Some(session(n).to_string())), "still told of at the end");
}

#[test]
fn one_user_who_goes_through_strange_ids_over_days_is_told_of() {
    let mut scene = monitor();
    for n in 0..24u64 {
        // A session a day or so, two ids each: no session has many.
        let (session, at_ms) = (n / 2, n * 12 * HOUR_MS);
        let event = Event { user: "ann", ..orders(session, at_ms, 404) };
        scene.hand(&event, Some(9_000 + n as u32), &[], false);
    }
    let found: Vec<String> = scene.findings().into_iter().map(|finding| finding.detector).collect();
    assert!(found.contains(&"bola_enumeration".to_owned()), "{found:?}");
}
