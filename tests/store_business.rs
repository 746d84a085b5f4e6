//! Watches, flows and surges in a shard's store: each fires where it must and not at its nearest innocent twin, and says
//! the same whether the shard ran on, folded or was evicted in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{HOUR_MS, settings};
use support::sqlite::Sqlite;
use throughline::ordered::OrderedMap;
use throughline::parameter::{TOKEN_SUBJECT, Value};
use throughline::policy::Policy;
use throughline::query::{EventAnswer, EventQuery, Filter, Order};
use throughline::session::{BatchBuilder, Event, Params};
use throughline::store::{FoldSizes, Settings, Store};
use throughline::wire::Flush;

const PARAMETERS: &str = r##"[
    {"name": "total", "from": "request.body#/total", "on": "POST /orders", "type": "number"},
    {"name": "card", "from": "request.body#/card", "on": "POST /orders"}
]"##;

/// What happens to the shard between two flushes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    Eviction,
    Fold,
    FoldAndEviction,
    /// One slice of sixteen of a fold, then an eviction.
    SliceAndEviction,
}

const ALL: [Between; 5] =
    [Between::Nothing, Between::Eviction, Between::Fold, Between::FoldAndEviction, Between::SliceAndEviction];

struct Shop {
    policy: Policy,
    sql: Sqlite,
    store: Store<Sqlite>,
    between: Between,
    sent: u64,
    now_ms: u64,
}

/// One request: session, ms since the start, method and path, status, values as `total=12 card=4111`.
#[derive(Clone, Copy)]
struct Made<'a> {
    n: u64,
    at_ms: u64,
    endpoint: &'a str,
    values: &'a str,
    event: Event<'a>,
}

fn order(n: u64, at_s: f64, values: &str) -> Made<'_> {
    made(n, at_s, "POST /orders", values)
}

fn made<'a>(n: u64, at_s: f64, endpoint: &'a str, values: &'a str) -> Made<'a> {
    // The deployment is a day old, so that sessions are known well enough to say that a step is missing.
    let at_ms = 25 * HOUR_MS + (at_s * 1_000.0) as u64;
    Made { n, at_ms, endpoint, values, event: event(n, at_ms, 0) }
}

impl<'a> Made<'a> {
    fn with(self, change: impl FnOnce(Event<'a>) -> Event<'a>) -> Self {
        Self { event: change(self.event), ..self }
    }
}

impl Shop {
    fn new(watches: &str, flows: &str, between: Between) -> Self {
        let vars = [
            ("SESSION_SECRET", "0123456789abcdef"),
            ("ADMIN_TOKEN", "0123456789abcdef"),
            ("PARAMETERS", PARAMETERS),
            ("WATCHES", watches),
            ("FLOWS", flows),
        ];
        let policy = Policy::load(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string()));
        let policy = policy.unwrap();
        let sql = Sqlite::new();
        let store = opened(&sql, &policy, between);
        Self { policy, sql, store, between, sent: 0, now_ms: START_MS }
    }

    fn take(&mut self, made: &[Made<'_>]) {
        let mut builder = BatchBuilder::default();
        for one in made {
            let (method, path) = one.endpoint.split_once(' ').unwrap();
            let values: Vec<_> = one.values.split_whitespace().map(|value| self.value(value)).collect();
            let id = event(one.n, one.at_ms, self.sent * 1_000 + builder.len() as u64).id;
            let params = Params::new(self.policy.parameters.names(), &values);
            builder.push(&Event { id, method, path, template: path, params, ..one.event });
            self.now_ms = self.now_ms.max(one.event.time_ms);
        }
        self.sent += 1;
        let flush = Flush { batch: builder.take().encode(), now_ms: self.now_ms, ..flush(1, self.sent, &[]) };
        self.store.apply(&flush, self.now_ms).unwrap();
        match self.between {
            Between::Fold | Between::FoldAndEviction => self.store.fold(self.now_ms).unwrap(),
            Between::SliceAndEviction => self.store.alarm(self.now_ms + HOUR_MS).unwrap(),
            Between::Nothing | Between::Eviction => {}
        }
        if !matches!(self.between, Between::Nothing | Between::Fold) {
            self.store = opened(&self.sql, &self.policy, self.between);
        }
    }

    fn value(&self, text: &str) -> (u32, Value) {
        let (name, text) = text.split_once('=').unwrap();
        let (id, parameter) = self.policy.parameters.named(name).unwrap();
        (u32::from(id.0), Value::parse(parameter.kind, text, None))
    }

    fn events(&self) -> Vec<EventAnswer> {
        let query = EventQuery::first(Filter::default(), Order::Asc, 100_000);
        let page = self.store.events(&query).unwrap();
        assert!(page.resume.is_none(), "there are more");
        page.items.into_iter().map(|(_, _, event)| event).collect()
    }

    /// Every finding: session, detector, what was said, and the risk it added.
    fn found(&self) -> Vec<(String, String, String, u8)> {
        let all = self.events().into_iter().flat_map(|event| event.findings);
        all.map(|f| (f.session, f.detector, f.message, f.risk_added)).collect()
    }

    /// What was found about each session, and its risk: also what was found about an event only after it was folded.
    fn judged(&self, sessions: &[u64]) -> Vec<(OrderedMap<String, u64>, u8)> {
        let state = |n: &u64| self.store.session(session(*n), self.now_ms).unwrap().expect("a session");
        sessions.iter().map(state).map(|session| (session.findings, session.risk)).collect()
    }

    fn detectors(&self) -> Vec<String> {
        self.found().into_iter().map(|(_, detector, ..)| detector).collect()
    }
}

fn opened(sql: &Sqlite, policy: &Policy, between: Between) -> Store<Sqlite> {
    let one_slice_bytes = if between == Between::SliceAndEviction { 0 } else { 512 * 1024 };
    let fold = FoldSizes { one_slice_bytes, ..FoldSizes::default() };
    let settings = Settings { business: policy.business(), fold, ..settings(true) };
    Store::open(sql.clone(), settings, START_MS).unwrap()
}

/// Plays each flush in every way the shard can live through it; all say the same, which is answered.
fn played(watches: &str, flows: &str, flushes: &[Vec<Made<'_>>]) -> Vec<(String, String, String, u8)> {
    let mut sessions: Vec<u64> = flushes.iter().flatten().map(|made| made.n).collect();
    sessions.sort_unstable();
    sessions.dedup();
    let play = |between| {
        let mut shop = Shop::new(watches, flows, between);
        flushes.iter().for_each(|made| shop.take(made));
        shop
    };
    let live = play(Between::Nothing);
    for between in ALL {
        assert_eq!(play(between).judged(&sessions), live.judged(&sessions), "{between:?}");
    }
    live.found()
}

/// One flush for each request, and the detectors that spoke.
fn detectors(watch: &str, made: &[Made<'_>]) -> Vec<String> {
    let flushes: Vec<_> = made.iter().map(|one| vec![*one]).collect();
    played(&format!("[{watch}]"), "[]", &flushes).into_iter().map(|(_, detector, ..)| detector).collect()
}

fn of_user<'a>(n: u64, at_s: f64, values: &'a str, user: &'a str) -> Made<'a> {
    order(n, at_s, values).with(|event| Event { user, ..event })
}

#[test]
fn an_order_above_a_threshold_is_told_and_one_at_it_is_not() {
    let watch = r#"{"parameter": "total", "kind": "threshold", "above": 10000}"#;
    assert_eq!(detectors(watch, &[order(1, 0.0, "total=10001")]), ["param_threshold"]);
    assert!(detectors(watch, &[order(1, 0.0, "total=10000"), order(1, 1.0, "total=lots")]).is_empty());
}

#[test]
fn what_was_stopped_is_not_counted() {
    let watch = r#"{"parameter": "total", "kind": "threshold", "above": 10}"#;
    let stopped =
        order(1, 0.0, "total=11").with(|event| Event { action: throughline::verdict::Action::Block, ..event });
    assert!(detectors(watch, &[stopped]).is_empty());
}

#[test]
fn a_sum_is_counted_per_session_user_address_and_country() {
    let watch = |per| {
        format!(
            r#"{{"parameter": "total", "kind": "velocity", "of": "sum", "per": "{per}", "window": "1h", "above": 100}}"#
        )
    };
    let once = ["param_velocity"];
    let one = [order(1, 0.0, "total=60"), order(1, 60.0, "total=60"), order(1, 120.0, "total=60")];
    let slow = [order(1, 0.0, "total=60"), order(1, 4_000.0, "total=60")];
    assert_eq!(detectors(&watch("session"), &one), once);
    assert!(detectors(&watch("session"), &slow).is_empty());
    let two = [of_user(1, 0.0, "total=60", "ann"), of_user(2, 60.0, "total=60", "ann")];
    let strangers = [of_user(1, 0.0, "total=60", "ann"), of_user(2, 60.0, "total=60", "bob")];
    assert!(detectors(&watch("session"), &two).is_empty());
    assert_eq!(detectors(&watch("user"), &two), once);
    assert!(detectors(&watch("user"), &strangers).is_empty());
    // A request that names nobody is the user's of its session.
    let later = [of_user(1, 0.0, "total=60", "ann"), order(1, 60.0, "total=60")];
    assert_eq!(detectors(&watch("user"), &later), once);
    assert_eq!(detectors(&watch("ip"), &strangers), once);
    let elsewhere = strangers[1].with(|event| Event { ip: "198.51.100.1".parse().ok(), country: "AT", ..event });
    assert!(detectors(&watch("ip"), &[strangers[0], elsewhere]).is_empty());
    assert_eq!(detectors(&watch("country"), &strangers), once);
    assert!(detectors(&watch("country"), &[strangers[0], elsewhere]).is_empty());
}

#[test]
fn many_cards_in_one_session_are_told_and_the_same_one_again_is_not() {
    let watch = r#"{"parameter": "card", "kind": "distinct", "above": 3}"#;
    let cards = ["card=1", "card=2", "card=3", "card=4", "card=5"];
    let many: Vec<_> = cards.iter().enumerate().map(|(at, card)| order(1, at as f64, card)).collect();
    let same: Vec<_> = (0..5).map(|at| order(1, f64::from(at), "card=1")).collect();
    assert_eq!(detectors(watch, &many), ["param_distinct"]);
    assert!(detectors(watch, &same).is_empty());
    assert!(detectors(watch, &many[..3]).is_empty());
}

#[test]
fn many_users_of_a_session_and_many_countries_of_a_user_are_discrepancies() {
    let users = r#"{"kind": "discrepancy", "of": "users"}"#;
    let two = [of_user(1, 0.0, "", "ann"), of_user(1, 1.0, "", "bob")];
    assert_eq!(detectors(users, &two), ["identity_discrepancy"]);
    assert!(detectors(users, &[two[0], of_user(1, 2.0, "", "ann"), of_user(2, 3.0, "", "bob")]).is_empty());
    let countries = r#"{"kind": "discrepancy", "of": "countries", "per": "user", "window": "1h", "above": 1}"#;
    let away = of_user(2, 9.0, "", "ann").with(|event| Event { country: "BR", ..event });
    assert_eq!(detectors(countries, &[two[0], away]), ["identity_discrepancy"]);
    assert!(detectors(countries, &[two[1], away]).is_empty());
}

#[test]
fn a_user_who_is_not_the_subject_of_the_token_is_a_discrepancy() {
    let watch = r#"[{"kind": "discrepancy", "of": "subject"}]"#;
    let mut shop = Shop::new(watch, "[]", Between::Nothing);
    let at = shop.policy.value_names.iter().position(|name| &**name == TOKEN_SUBJECT).unwrap() as u32;
    // The edge tells the subject only where it is another.
    let values = [(at, Value::Text("bob".into()))];
    let names = shop.policy.value_names.clone();
    let as_ann = Event { user: "ann", ..event(1, 0, 1) };
    let as_bob = Event { params: Params::new(&names, &values), ..Event { user: "ann", ..event(2, 1, 2) } };
    shop.store.apply(&flush(1, 1, &[as_ann, as_bob]), START_MS).unwrap();
    let found = shop.found();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (session(2).to_string().as_str(), "identity_discrepancy"));
}

#[test]
fn a_spike_stands_out_from_the_session_and_from_everybody() {
    let watch = r#"[{"parameter": "total", "kind": "spike"}]"#;
    let history = |of_others: &'static str| {
        let mut flushes: Vec<Vec<Made<'_>>> = (0..5).map(|at| vec![order(1, f64::from(at), "total=10")]).collect();
        flushes.push((0..30).map(|n| order(100 + n, 10.0 + n as f64, of_others)).collect());
        flushes.push(vec![order(1, 60.0, "total=900")]);
        flushes
    };
    let told = played(watch, "[]", &history("total=12"));
    assert_eq!(
        told.iter().map(|(of, detector, ..)| (of.as_str(), detector.as_str())).collect::<Vec<_>>(),
        [(session(1).to_string().as_str(), "param_spike")]
    );
    // A generous customer where large orders are usual.
    assert!(played(watch, "[]", &history("total=1200")).is_empty());
}

const CHECKOUT: &str =
    r#"[{"name": "checkout", "steps": ["POST /cart", "POST /checkout", "POST /pay"], "min_seconds": 1}]"#;

fn flow(steps: &[(f64, &str)]) -> Vec<String> {
    // Somebody else looks around meanwhile and after: time passes with events.
    let mut flushes: Vec<Vec<Made<'_>>> = steps.iter().map(|(at, step)| vec![made(1, *at, step, "")]).collect();
    flushes.push(vec![made(2, 600.0, "GET /", "")]);
    played("[]", CHECKOUT, &flushes)
        .into_iter()
        .map(|(_, detector, message, _)| format!("{detector} {message}"))
        .collect()
}

#[test]
fn a_skipped_step_and_a_hasty_one_are_told_and_a_slow_buyer_is_not() {
    assert_eq!(
        flow(&[(0.0, "POST /cart"), (9.0, "POST /pay")]),
        ["flow_violation checkout: POST /pay without POST /checkout"]
    );
    let hasty = flow(&[(0.0, "POST /cart"), (0.2, "POST /checkout"), (9.0, "POST /pay")]);
    assert_eq!(hasty, ["flow_speed checkout: POST /checkout too soon after POST /cart"]);
    assert!(
        flow(&[
            (0.0, "POST /cart"),
            (50.0, "POST /checkout"),
            (100.0, "POST /cart"),
            (400.0, "POST /checkout"),
            (500.0, "POST /pay")
        ])
        .is_empty()
    );
}

#[test]
fn a_finding_of_a_flow_shows_the_sequence_that_led_to_it() {
    let mut shop = Shop::new("[]", CHECKOUT, Between::Nothing);
    shop.take(&[made(1, 0.0, "POST /cart", ""), made(1, 1.0, "GET /help", ""), made(1, 9.0, "POST /pay", "")]);
    assert!(shop.found().is_empty(), "it waits for what may be on its way");
    shop.take(&[made(2, 20.0, "GET /", "")]);
    let events = shop.events();
    let finding = events.iter().find_map(|event| event.findings.first()).expect("a finding");
    assert_eq!(finding.request, events[2].id);
    let evidence: Vec<&str> = finding.evidence.iter().map(|evidence| evidence.what.as_str()).collect();
    assert_eq!(evidence, ["POST /cart → 200", "POST /pay → 200"]);
}

#[test]
fn a_step_after_which_nothing_comes_is_judged_when_it_is_folded() {
    let mut shop = Shop::new("[]", CHECKOUT, Between::Nothing);
    shop.take(&[made(1, 0.0, "POST /cart", ""), made(1, 9.0, "POST /pay", "")]);
    shop.store.alarm(shop.now_ms + HOUR_MS).unwrap();
    assert_eq!(shop.detectors(), ["flow_violation"]);
    shop.store = opened(&shop.sql, &shop.policy, shop.between);
    assert_eq!(shop.detectors(), ["flow_violation"]);
    shop.take(&[made(1, 900.0, "GET /", ""), made(2, 1_000.0, "GET /", "")]);
    assert_eq!(shop.detectors(), ["flow_violation"], "once");
}

#[test]
fn completions_are_limited_per_user_across_sessions() {
    let flows = r#"[{"name": "coupon", "steps": ["POST /coupon"], "limit": {"per": "user", "window": "1h", "completions": 1}}]"#;
    let coupon = |n, at, user| vec![made(n, at, "POST /coupon", "").with(|event| Event { user, ..event })];
    let told = played("[]", flows, &[coupon(1, 0.0, "ann"), coupon(2, 60.0, "ann")]);
    assert_eq!(told.len(), 1);
    assert!(played("[]", flows, &[coupon(1, 0.0, "ann"), coupon(1, 0.5, "ann"), coupon(2, 60.0, "bob")]).is_empty());
}

/// Two hours of ordinary trade from five countries, then as many orders within a minute, from `places` in turn.
fn sale(between: Between, places: &[(&'static str, u32)], orders: u64) -> Shop {
    sale_after(120, between, places, orders, 45.0)
}

/// The same after so many minutes, within so many seconds.
fn sale_after(minutes: u64, between: Between, places: &[(&'static str, u32)], orders: u64, within_s: f64) -> Shop {
    const COUNTRIES: [(&str, u32); 5] = [("DE", 1), ("AT", 2), ("FR", 3), ("US", 4), ("BR", 5)];
    let mut shop = Shop::new("[]", "[]", between);
    let buys = |n: u64, at_s: f64, (country, asn): (&'static str, u32)| {
        order(n, at_s, "total=40").with(|event| Event { country, asn, ..event })
    };
    for minute in 0..minutes {
        let made: Vec<_> =
            (0..5).map(|n| buys(minute * 5 + n, minute as f64 * 60.0 + n as f64, COUNTRIES[n as usize])).collect();
        shop.take(&made);
    }
    for n in 0..orders {
        let place = places[n as usize % places.len()];
        shop.take(&[buys(10_000 + n, minutes as f64 * 60.0 + n as f64 * within_s / orders as f64, place)]);
    }
    shop
}

#[test]
fn a_surge_of_one_region_is_told_within_a_minute_and_leads_to_its_sessions() {
    let campaign = [("BR", 5)];
    let live = sale(Between::Nothing, &campaign, 60);
    let found = live.found();
    assert!(live.detectors().iter().all(|detector| detector == "region_surge") && !found.is_empty());
    let (_, _, message, _) = &found[0];
    assert!(
        message.starts_with("total from BR came ") && message.contains(" known users, 1 addresses, 1 networks, "),
        "{message}"
    );
    let events = live.events();
    let first = events.iter().find_map(|event| event.findings.first()).expect("a finding");
    let sessions: std::collections::BTreeSet<_> = first.evidence.iter().map(|evidence| &evidence.request).collect();
    assert_eq!(sessions.len(), 10);
    // From then on every session that belongs to it says so, and none is flagged for it alone.
    assert!(found.len() > 20, "{}", found.len());
    assert!(found.iter().all(|(.., risk)| *risk < 50));
    for between in [Between::Eviction, Between::FoldAndEviction] {
        let of_surge: Vec<u64> = (10_000..10_060).collect();
        assert_eq!(sale(between, &campaign, 60).judged(&of_surge), live.judged(&of_surge), "{between:?}");
    }
}

#[test]
fn a_burst_of_four_seconds_is_told_with_the_next_order_from_there() {
    let mut shop = sale_after(120, Between::Nothing, &[("BR", 5)], 30, 4.0);
    assert!(shop.found().is_empty(), "others may be on their way");
    let at = |n: u64, at_s: f64, country| order(n, at_s, "total=40").with(|event| Event { country, asn: 5, ..event });
    shop.take(&[at(20_000, 7_220.0, "BR")]);
    assert_eq!(shop.detectors(), ["region_surge"]);
    // The same from everywhere.
    let everywhere = [("DE", 1), ("AT", 2), ("FR", 3), ("US", 4), ("BR", 5)];
    let mut shop = sale_after(120, Between::Nothing, &everywhere, 150, 4.0);
    shop.take(&[at(20_000, 7_220.0, "BR")]);
    assert!(shop.found().is_empty());
}

#[test]
fn in_the_first_hour_only_what_is_far_beyond_the_little_that_is_known_is_a_surge() {
    let told = |minutes, orders| !sale_after(minutes, Between::Nothing, &[("BR", 5)], orders, 45.0).found().is_empty();
    assert!(!told(15, 60), "too early");
    assert!(told(25, 60) && told(25, 30));
    let everywhere = [("DE", 1), ("AT", 2), ("FR", 3), ("US", 4), ("BR", 5)];
    assert!(sale_after(25, Between::Nothing, &everywhere, 300, 45.0).found().is_empty());
}

#[test]
fn more_money_than_usual_is_a_surge_and_one_large_order_is_none() {
    let after = |orders: &[(f64, &'static str)]| {
        let mut shop = sale(Between::Nothing, &[("BR", 5)], 0);
        for (n, (at_s, total)) in orders.iter().enumerate() {
            let made = order(20_000 + n as u64, 7_200.0 + at_s, total);
            shop.take(&[made.with(|event| Event { country: "BR", asn: 5, ..event })]);
        }
        shop.detectors()
    };
    let large: Vec<_> = (0..16).map(|n| (f64::from(n) * 3.0, "total=900")).collect();
    assert!(!after(&large).is_empty());
    assert!(after(&[(0.0, "total=50000"), (1.0, "total=40"), (30.0, "total=40")]).is_empty());
    let usual: Vec<_> = (0..16).map(|n| (f64::from(n) * 3.0, "total=40")).collect();
    assert!(after(&usual).is_empty());
}

#[test]
fn a_flash_sale_with_customers_from_everywhere_is_no_surge() {
    let everywhere = [("DE", 1), ("AT", 2), ("FR", 3), ("US", 4), ("BR", 5)];
    assert!(sale(Between::Nothing, &everywhere, 300).found().is_empty());
}
