//! What a shard says of a request before it is sent on: requests under way count for each other, and none is counted
//! that failed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{HOUR_MS, settings};
use support::sqlite::Sqlite;
use throughline::parameter::{Type, Value};
use throughline::policy::Policy;
use throughline::session::{BatchBuilder, Event, Kinds, Params};
use throughline::store::{Answer, Settings, Store};
use throughline::verdict::Action;
use throughline::wire::{Ask, Flush};

const PARAMETERS: &str = r##"[{"name": "total", "from": "request.body#/total", "on": "POST /*", "type": "number"}]"##;
const ROUTES: &str = r#"[{"match": "POST /*", "decide": "inline"}]"#;
const COUPON: &str = r#"[{"name": "coupon", "steps": ["POST /coupon"], "action": "block",
    "limit": {"per": "PER", "window": "1h", "completions": 3}}]"#;
const SHOP: &str = r#"[{"name": "checkout", "steps": ["POST /cart", "POST /checkout", "POST /pay"], "min_seconds": 1,
    "keep": ["total"], "action": "block"}]"#;
const SPENT: &str = r#"[{"parameter": "total", "kind": "velocity", "of": "sum", "per": "session", "window": "1h",
    "above": 100, "action": "throttle"}]"#;

/// A deployment that is a day old, so that what a session did before is known.
const NOW_MS: u64 = START_MS + 25 * HOUR_MS;

struct Shop {
    policy: Policy,
    sql: Sqlite,
    store: Store<Sqlite>,
    sent: u64,
}

/// Session, ms, endpoint, total.
type Made<'a> = (u64, u64, &'a str, Option<u32>);

impl Shop {
    fn new(watches: &str, flows: &str) -> Self {
        let vars = [
            ("SESSION_SECRET", "0123456789abcdef"),
            ("ADMIN_TOKEN", "0123456789abcdef"),
            ("MODE", "enforce"),
            ("PARAMETERS", PARAMETERS),
            ("ROUTES", ROUTES),
            ("WATCHES", watches),
            ("FLOWS", flows),
        ];
        let policy = Policy::load(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
        let policy = policy.unwrap();
        let sql = Sqlite::new();
        let store = opened(&sql, &policy);
        Self { policy, sql, store, sent: 0 }
    }

    fn batch(&mut self, (n, ms, endpoint, total): Made<'_>, with: impl Fn(Event<'_>) -> Event<'_>) -> (Vec<u8>, u64) {
        let (method, path) = endpoint.split_once(' ').unwrap();
        self.sent += 1;
        let at = ms + 25 * HOUR_MS;
        let plain = Event { method, path, template: path, ..event(n, at, self.sent) };
        let values: Vec<_> =
            total.map(|total| (0, Value::parse(Type::Number, &total.to_string(), None))).into_iter().collect();
        let event = Event { params: Params::new(&self.policy.value_names, &values), ..with(plain) };
        let mut builder = BatchBuilder::default();
        builder.push(&event);
        (builder.take().encode(), self.sent)
    }

    /// Asks whether the request may go on; answers that, and the number it is recorded by.
    fn ask(&mut self, made: Made<'_>) -> (Answer, u64) {
        let (attempt, number) = self.batch(made, |event| event);
        let now_ms = NOW_MS + made.1;
        let ask = Ask {
            session: session(made.0),
            ip: None,
            now_ms,
            blocks_version: 0,
            former: None,
            attempt,
            kinds: Kinds(u8::MAX),
            ..Ask::default()
        };
        (self.store.ask(&ask).unwrap(), number)
    }

    fn passes(&mut self, made: Made<'_>) -> Option<u64> {
        let (answer, number) = self.ask(made);
        (answer.verdict.action < Action::Throttle).then_some(number)
    }

    /// Records how a request went that was asked about.
    fn record(&mut self, made: Made<'_>, number: u64, status: u16) {
        self.sent = number - 1;
        let (batch, _) = self.batch(made, move |event| Event { status, ..event });
        self.sent = self.sent.max(number) + 100;
        let flush = Flush { batch, now_ms: NOW_MS + made.1, ..flush(1, self.sent, &[]) };
        self.store.apply(&flush, NOW_MS + made.1).unwrap();
    }

    /// Asks, and records that it was answered so.
    fn go(&mut self, made: Made<'_>, status: u16) -> bool {
        let passes = self.passes(made);
        passes.inspect(|number| self.record(made, *number, status)).is_some()
    }
}

fn opened(sql: &Sqlite, policy: &Policy) -> Store<Sqlite> {
    let settings = Settings { business: policy.business(), ..settings(true) };
    Store::open(sql.clone(), settings, START_MS).unwrap()
}

fn coupon(per: &str) -> String {
    COUPON.replace("PER", per)
}

#[test]
fn of_many_at_once_as_many_pass_as_may() {
    for per in ["session", "ip", "country"] {
        let mut shop = Shop::new("[]", &coupon(per));
        let made = (1, 0, "POST /coupon", None);
        let passed: Vec<_> = (0..10).filter_map(|_| shop.passes(made)).collect();
        assert_eq!(passed.len(), 3, "per {per}");
        passed.into_iter().for_each(|number| shop.record(made, number, 200));
        assert_eq!(shop.passes((1, 5_000, "POST /coupon", None)), None, "per {per}, once they are recorded");
        assert!(shop.passes((1, 4_000_000, "POST /coupon", None)).is_some(), "per {per}, the next hour");
    }
}

#[test]
fn sessions_count_together_only_where_the_limit_is_not_theirs() {
    let pass = |per: &str| {
        let mut shop = Shop::new("[]", &coupon(per));
        (1..=10).filter_map(|n| shop.passes((n, 0, "POST /coupon", None))).count()
    };
    assert_eq!((pass("session"), pass("ip")), (10, 3));
}

#[test]
fn what_failed_at_the_origin_or_never_came_back_does_not_count() {
    let mut shop = Shop::new("[]", &coupon("session"));
    let made = (1, 0, "POST /coupon", None);
    let failed: Vec<_> = (0..10).filter_map(|_| shop.passes(made)).collect();
    for (number, status) in failed.into_iter().zip([402, 499, 502]) {
        shop.record(made, number, status);
    }
    let lost = (0..10).filter(|_| shop.passes((1, 2_000, "POST /coupon", None)).is_some()).count();
    assert_eq!(lost, 3);
    let much_later = 2_000 + 600_000;
    assert!(shop.passes((1, much_later, "POST /coupon", None)).is_some(), "nobody waits for ever");
}

#[test]
fn an_object_that_lost_its_memory_counts_what_was_recorded() {
    let mut shop = Shop::new("[]", &coupon("session"));
    assert!((0..3).all(|at| shop.go((1, at * 5_000, "POST /coupon", None), 200)));
    shop.store = opened(&shop.sql, &shop.policy);
    assert_eq!(shop.passes((1, 20_000, "POST /coupon", None)), None);
}

#[test]
fn a_flow_is_stopped_where_it_goes_wrong_and_nowhere_else() {
    let (cart, checkout, pay) = ("POST /cart", "POST /checkout", "POST /pay");
    let shop = || Shop::new("[]", SHOP);
    let mut skips = shop();
    assert!(skips.go((1, 0, cart, Some(10)), 200));
    assert!(!skips.go((1, 9_000, pay, Some(10)), 200), "a step is missing");
    assert!(skips.go((1, 20_000, checkout, Some(10)), 200) && skips.go((1, 30_000, pay, Some(10)), 200));

    let mut hastes = shop();
    assert!(hastes.go((1, 0, cart, Some(10)), 200));
    assert!(!hastes.go((1, 300, checkout, Some(10)), 200), "too fast");
    let mut changes = shop();
    assert!(changes.go((1, 0, cart, Some(10)), 200) && changes.go((1, 2_000, checkout, Some(10)), 200));
    assert!(!changes.go((1, 5_000, pay, Some(1)), 200), "another total");

    let mut slow = shop();
    assert!(slow.go((1, 0, cart, Some(10)), 200) && slow.go((1, HOUR_MS, checkout, Some(10)), 200));
    assert!(slow.go((1, 2 * HOUR_MS, cart, Some(12)), 200), "back to the cart");
    assert!(slow.go((1, 2 * HOUR_MS + 9_000, checkout, Some(12)), 200));
    assert!(slow.go((1, 3 * HOUR_MS, pay, Some(12)), 402), "the card is declined");
    assert!(slow.go((1, 3 * HOUR_MS + 9_000, pay, Some(12)), 200), "another card");
}

#[test]
fn a_step_under_way_is_no_step_that_was_done() {
    let mut shop = Shop::new("[]", SHOP);
    assert!(shop.go((1, 0, "POST /cart", Some(10)), 200));
    let checkout = (1, 5_000, "POST /checkout", Some(10));
    let under_way = shop.passes(checkout).expect("the checkout passes");
    assert_eq!(shop.passes((1, 9_000, "POST /pay", Some(10))), None);
    shop.record(checkout, under_way, 200);
    assert!(shop.passes((1, 9_000, "POST /pay", Some(10))).is_some());
}

#[test]
fn a_sum_counts_what_is_under_way_and_not_what_was_declined() {
    let mut shop = Shop::new(SPENT, "[]");
    let order = |ms| (1, ms, "POST /orders", Some(60));
    assert!(shop.go(order(0), 402) && shop.go(order(1_000), 402), "a card that is declined is not money spent");
    let first = shop.passes(order(2_000)).expect("sixty of a hundred");
    let (second, _) = shop.ask(order(2_001));
    assert_eq!(second.verdict.action, Action::Throttle);
    shop.record(order(2_000), first, 200);
    assert_eq!(shop.ask(order(9_000)).0.verdict.action, Action::Throttle);
    assert!(shop.passes((2, 9_000, "POST /orders", Some(60))).is_some(), "somebody else's money");
}

#[test]
fn a_stop_says_why_and_leaves_the_session_alone_unless_told_for_how_long() {
    for (more, holds_ms) in [("", 0), (r#","for": "10m""#, 600_000)] {
        let flows = SHOP.replace(r#""action": "block""#, &format!(r#""action": "block"{more}"#));
        let mut shop = Shop::new("[]", &flows);
        assert!(shop.go((1, 0, "POST /cart", None), 200));
        let made = (1, 9_000, "POST /pay", None);
        let (Answer { verdict, stops, .. }, number) = shop.ask(made);
        assert_eq!(verdict.action, Action::Block);
        let stop = stops.first().expect("a reason");
        assert_eq!(stop.finding.message, "checkout: POST /pay without POST /checkout");
        assert_eq!(stop.for_ms, holds_ms);
        // As the edge records it: stopped, with the reason.
        let mut builder = BatchBuilder::default();
        let id = stop.finding.request;
        let stopped = Event {
            id,
            method: "POST",
            path: "/pay",
            status: 403,
            action: Action::Block,
            ..event(1, 25 * HOUR_MS + 9_000, number)
        };
        builder.push(&stopped);
        builder.stop(stop.clone());
        let flush = Flush { batch: builder.take().encode(), ..flush(1, 9_999, &[]) };
        let imposed = shop.store.apply(&flush, NOW_MS + 9_000).unwrap().imposed;
        assert_eq!(imposed.len(), usize::from(holds_ms > 0));
        let told = |shop: &Shop| shop.store.session(session(1), NOW_MS).unwrap().unwrap().findings;
        assert_eq!(told(&shop).get("flow_violation"), Some(&1));
        shop.store = opened(&shop.sql, &shop.policy);
        assert_eq!(told(&shop).get("flow_violation"), Some(&1), "after an eviction");
    }
}
