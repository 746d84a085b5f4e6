//! Each rule of a flow fires where it must, and not at its nearest innocent twin.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use proptest::prelude::*;
use throughline::flow::{Completions, Flow, FlowState, Observed, Sighting, Violated};
use throughline::parameter::{ParamId, Parameters, Value};
use throughline::policy::Policy;
use throughline::subject::SubjectHash;

const PARAMETERS: &str = r##"[
    {"name": "total", "from": "request.body#/total", "on": "POST /*", "type": "number"},
    {"name": "cart", "from": "request.body#/cart", "on": "POST /*"},
    {"name": "result", "from": "response.body#/result", "on": "POST /*"}
]"##;
const ROUTES: &str = r#"[{"match": "POST /*", "decide": "inline"}]"#;

fn load(flows: &str, routes: &str) -> Result<Policy, Vec<String>> {
    let vars = [
        ("SESSION_SECRET", "0123456789abcdef"),
        ("ADMIN_TOKEN", "0123456789abcdef"),
        ("PARAMETERS", PARAMETERS),
        ("ROUTES", routes),
        ("FLOWS", flows),
    ];
    let policy = Policy::load(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string()));
    policy.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// A session in front of one flow.
struct Player {
    flow: Flow,
    parameters: Parameters,
    state: FlowState,
    known_since_ms: Option<u64>,
    all: Observed,
}

const START: u64 = 1_700_000_000_000;

fn hash() -> SubjectHash {
    SubjectHash::new([5; 16])
}

impl Player {
    fn new(flow: &str) -> Self {
        Self::on(flow, ROUTES)
    }

    fn on(flow: &str, routes: &str) -> Self {
        let mut policy = load(&format!("[{flow}]"), routes).unwrap();
        let (flow, parameters) = (policy.flows.remove(0), policy.parameters);
        Self { flow, parameters, state: FlowState::default(), known_since_ms: None, all: Observed::default() }
    }

    fn values(&self, values: &str) -> Vec<(ParamId, Value)> {
        let pairs = values.split_whitespace().filter_map(|pair| pair.split_once('='));
        let value = |(name, text): (&str, &str)| {
            let (id, parameter) = self.parameters.named(name).unwrap();
            (id, Value::parse(parameter.kind, text, None))
        };
        pairs.map(value).collect()
    }

    /// A request at a time (s) with its status and values.
    fn with(mut self, s: f64, endpoint: &str, status: u16, values: &str) -> Self {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let values = self.values(values);
        let steps = self.flow.done(self.flow.steps_of(method, path), status, &values);
        let time_ms = START + (s * 1_000.0) as u64;
        let seen = Sighting { steps, values: &values, time_ms, known_since_ms: self.known_since_ms };
        let observed = self.state.observe(&self.flow, &seen, &hash());
        self.all.violations.extend(observed.violations);
        self.all.completed_ms.extend(observed.completed_ms);
        self
    }

    fn at(self, s: f64, endpoint: &str) -> Self {
        self.with(s, endpoint, 200, "")
    }

    fn would(&self, s: f64, endpoint: &str) -> Vec<Violated> {
        self.would_beside(&[], (s, endpoint, ""))
    }

    /// What would be wrong with a request (when, where, values) while others are under way.
    fn would_beside(&self, under_way: &[(f64, &str, &str)], request: (f64, &str, &str)) -> Vec<Violated> {
        let values: Vec<_> = under_way.iter().chain([&request]).map(|(_, _, values)| self.values(values)).collect();
        let seen = |((s, endpoint, _), values): (&(f64, &str, &str), _)| {
            let (method, path) = endpoint.split_once(' ').unwrap();
            let time_ms = START + (s * 1_000.0) as u64;
            Sighting { steps: self.flow.steps_of(method, path), values, time_ms, known_since_ms: None }
        };
        let mut all: Vec<_> =
            under_way.iter().chain([&request]).zip(values.iter().map(Vec::as_slice)).map(seen).collect();
        let this = all.pop().unwrap();
        let violations = self.state.would_violate(&self.flow, &this, &all, &hash());
        violations.iter().map(|violation| violation.kind).collect()
    }

    fn kinds(&self) -> Vec<Violated> {
        self.all.violations.iter().map(|violation| violation.kind).collect()
    }

    fn is_innocent(&self, completed: usize) {
        assert!(self.all.violations.is_empty(), "{:?}", self.all.violations);
        assert_eq!(self.all.completed_ms.len(), completed);
    }
}

const SHOP: &str = r#"{"name": "checkout", "steps": ["POST /cart", "POST /checkout", "POST /pay"]}"#;
const KEEP: &str =
    r#"{"name": "checkout", "steps": ["POST /cart", "POST /checkout", "POST /pay"], "keep": ["cart", "total"]}"#;
const FAST: &str = r#"{"name": "checkout", "steps": ["POST /cart", "POST /checkout", "POST /pay"], "min_seconds": 1}"#;

#[test]
fn paying_without_checkout_is_a_skip() {
    let player = Player::new(SHOP).at(0.0, "POST /cart").at(5.0, "POST /pay");
    assert_eq!(player.kinds(), [Violated::Skip]);
    let skip = &player.all.violations[0];
    assert_eq!((skip.value, skip.baseline, skip.step), (3.0, 2.0, 2));
    assert_eq!(skip.message, "checkout: POST /pay without POST /checkout");
    let nothing_at_all = Player::new(SHOP).at(5.0, "POST /pay").at(6.0, "POST /pay").at(9.0, "POST /pay");
    assert_eq!(nothing_at_all.kinds(), [Violated::Skip, Violated::Replay]);
}

#[test]
fn a_whole_flow_is_innocent_however_slow() {
    Player::new(SHOP).at(0.0, "POST /cart").at(3_600.0, "POST /checkout").at(80_000.0, "POST /pay").is_innocent(1);
    // The next day, when the run was forgotten.
    let slow = Player::new(SHOP).at(0.0, "POST /cart").at(9.0, "POST /checkout").at(200_000.0, "POST /pay");
    slow.is_innocent(1);
    Player::new(SHOP).at(0.0, "GET /").at(1.0, "GET /cart").at(2.0, "POST /elsewhere").is_innocent(0);
}

#[test]
fn what_began_before_the_deployment_is_unknown_and_no_skip() {
    let mut player = Player::new(SHOP);
    player.known_since_ms = Some(START);
    let player = player.at(0.0, "POST /pay");
    player.is_innocent(1);
    // Another tab of the same session, whose beginning was seen.
    player.at(10.0, "POST /cart").at(20.0, "POST /checkout").at(25.0, "POST /pay").is_innocent(2);
    let mut known = Player::new(SHOP);
    known.known_since_ms = Some(START - 86_400_000);
    assert_eq!(known.at(0.0, "POST /pay").kinds(), [Violated::Skip]);
}

#[test]
fn a_step_that_comes_after_what_follows_it_is_reordered() {
    let player = Player::new(SHOP).at(0.0, "POST /cart").at(5.0, "POST /pay").at(9.0, "POST /checkout");
    assert_eq!(player.kinds(), [Violated::Skip, Violated::Reorder]);
    assert_eq!(player.all.violations[1].message, "checkout: POST /checkout after POST /pay");
}

#[test]
fn the_back_button_is_innocent() {
    let back = Player::new(SHOP).at(0.0, "POST /cart").at(9.0, "POST /checkout").at(20.0, "POST /cart");
    back.at(30.0, "POST /checkout").at(40.0, "POST /pay").is_innocent(1);
    let four = r#"{"name": "f", "steps": ["POST /a", "POST /b", "POST /c", "POST /pay"]}"#;
    let back = Player::new(four).at(0.0, "POST /a").at(9.0, "POST /b").at(20.0, "POST /c").at(30.0, "POST /b");
    back.at(40.0, "POST /pay").is_innocent(1);
    let paid = Player::new(SHOP).at(0.0, "POST /cart").at(9.0, "POST /checkout").at(20.0, "POST /pay");
    paid.at(30.0, "POST /checkout").is_innocent(1);
}

#[test]
fn paying_twice_for_one_cart_is_a_replay() {
    let paid = || Player::new(SHOP).at(0.0, "POST /cart").at(9.0, "POST /checkout").at(20.0, "POST /pay");
    assert_eq!(paid().at(25.0, "POST /pay").kinds(), [Violated::Replay]);
    assert_eq!(paid().at(22.0, "POST /checkout").at(25.0, "POST /pay").kinds(), [Violated::Replay]);
    // A double click, answered with a conflict or the same again; but not a third time.
    paid().with(20.4, "POST /pay", 409, "").is_innocent(1);
    let clicked = paid().at(20.4, "POST /pay");
    clicked.is_innocent(1);
    assert_eq!(clicked.at(20.8, "POST /pay").kinds(), [Violated::Replay]);
    // Another cart.
    paid().at(30.0, "POST /cart").at(40.0, "POST /checkout").at(50.0, "POST /pay").is_innocent(2);
}

#[test]
fn a_retry_after_a_failed_card_is_innocent() {
    let failed = Player::new(SHOP).at(0.0, "POST /cart").at(9.0, "POST /checkout").with(20.0, "POST /pay", 402, "");
    failed.is_innocent(0);
    failed.with(21.0, "POST /pay", 500, "").at(40.0, "POST /pay").is_innocent(1);
    // What failed does not count as done either.
    let failed = Player::new(SHOP).at(0.0, "POST /cart").with(9.0, "POST /checkout", 422, "").at(12.0, "POST /pay");
    assert_eq!(failed.kinds(), [Violated::Skip]);
    let refused = Player::new(SHOP).with(0.0, "POST /pay", 403, "");
    refused.is_innocent(0);
}

#[test]
fn an_outcome_may_stand_in_the_response() {
    let flow = r#"{"name": "f", "steps": ["POST /cart", {"at": "POST /pay", "outcome": {"param": "result", "equals": "paid"}}]}"#;
    let declined = Player::new(flow).at(0.0, "POST /cart").with(9.0, "POST /pay", 200, "result=declined");
    declined.is_innocent(0);
    let paid = declined.with(20.0, "POST /pay", 200, "result=paid");
    paid.is_innocent(1);
    assert_eq!(paid.with(30.0, "POST /pay", 200, "result=paid").kinds(), [Violated::Replay]);
    let created = r#"{"name": "f", "steps": ["POST /cart", {"at": "POST /pay", "outcome": {"status": "201"}}]}"#;
    Player::new(created).at(0.0, "POST /cart").with(9.0, "POST /pay", 200, "").is_innocent(0);
    Player::new(created).at(0.0, "POST /cart").with(9.0, "POST /pay", 201, "").is_innocent(1);
}

#[test]
fn cart_to_payment_under_a_second_is_too_fast() {
    let fast = Player::new(FAST).at(0.0, "POST /cart").at(0.4, "POST /checkout").at(5.0, "POST /pay");
    assert_eq!(fast.kinds(), [Violated::Speed]);
    assert_eq!((fast.all.violations[0].value, fast.all.violations[0].baseline), (0.4, 1.0));
    Player::new(FAST).at(0.0, "POST /cart").at(1.0, "POST /checkout").at(2.0, "POST /pay").is_innocent(1);
    Player::new(FAST).at(0.0, "POST /cart").at(0.2, "POST /cart").at(9.0, "POST /checkout").is_innocent(0);
    let one = r#"{"name": "f", "steps": ["POST /cart", {"at": "POST /pay", "min_seconds": 2, "max_seconds": 60}], "min_seconds": 5}"#;
    assert_eq!(Player::new(one).at(0.0, "POST /cart").at(1.9, "POST /pay").kinds(), [Violated::Speed]);
    assert_eq!(Player::new(one).at(0.0, "POST /cart").at(61.0, "POST /pay").kinds(), [Violated::Speed]);
    Player::new(one).at(0.0, "POST /cart").at(2.0, "POST /pay").is_innocent(1);
    Player::new(one).at(0.0, "POST /cart").at(60.0, "POST /pay").is_innocent(1);
}

#[test]
fn a_price_that_changes_on_the_way_to_payment_is_told() {
    let cart = || Player::new(KEEP).with(0.0, "POST /cart", 200, "cart=a total=900");
    let cheap =
        cart().with(9.0, "POST /checkout", 200, "cart=a total=900").with(20.0, "POST /pay", 200, "cart=a total=1");
    assert_eq!(cheap.kinds(), [Violated::ChangedValue]);
    let changed = &cheap.all.violations[0];
    assert_eq!((changed.value, changed.baseline), (1.0, 900.0));
    assert_eq!(changed.message, "checkout: POST /pay with a changed total");
    let unreadable = cart().at(9.0, "POST /checkout").with(20.0, "POST /pay", 200, "cart=a total=NaN");
    assert_eq!(unreadable.kinds(), [Violated::ChangedValue]);
    // Another item in the cart before going on, and a step that does not say the price.
    let more = cart().with(5.0, "POST /cart", 200, "cart=a total=950").at(9.0, "POST /checkout");
    more.with(20.0, "POST /pay", 200, "cart=a total=950.00").is_innocent(1);
    // The same amount, written otherwise.
    cart().at(9.0, "POST /checkout").with(20.0, "POST /pay", 200, "cart=a total=9e2").is_innocent(1);
}

#[test]
fn two_tabs_are_two_runs() {
    let tabs = Player::new(SHOP).at(0.0, "POST /cart").at(2.0, "POST /cart").at(5.0, "POST /checkout");
    let tabs = tabs.at(5.5, "POST /checkout").at(9.0, "POST /pay");
    tabs.at(12.0, "POST /pay").is_innocent(2);
    let kept = Player::new(KEEP).with(0.0, "POST /cart", 200, "cart=a total=900");
    let kept = kept.with(2.0, "POST /cart", 200, "cart=b total=5").with(5.0, "POST /checkout", 200, "cart=b total=5");
    let kept =
        kept.with(6.0, "POST /checkout", 200, "cart=a total=900").with(9.0, "POST /pay", 200, "cart=a total=900");
    kept.is_innocent(1);
    // The price of one tab for the cart of the other.
    assert_eq!(kept.with(12.0, "POST /pay", 200, "cart=b total=1").kinds(), [Violated::ChangedValue]);
}

#[test]
fn paying_for_something_else_than_what_was_paid_is_a_skip_and_no_replay() {
    let paid = Player::new(KEEP).with(0.0, "POST /cart", 200, "cart=a total=9").at(9.0, "POST /checkout");
    let paid = paid.with(20.0, "POST /pay", 200, "cart=a total=9");
    let again = paid.with(25.0, "POST /pay", 200, "cart=z total=700");
    assert_eq!(again.kinds(), [Violated::Skip]);
}

#[test]
fn optional_steps_may_be_left_out_or_linked_to() {
    let flow = r#"{"name": "f", "steps": ["POST /cart", {"at": "POST /coupon", "optional": true, "repeat": false}, "POST /pay"]}"#;
    Player::new(flow).at(0.0, "POST /cart").at(9.0, "POST /pay").is_innocent(1);
    Player::new(flow).at(0.0, "POST /coupon").at(5.0, "POST /cart").at(9.0, "POST /pay").is_innocent(1);
    Player::new(flow).at(0.0, "POST /cart").at(5.0, "POST /coupon").at(9.0, "POST /pay").is_innocent(1);
    let twice = Player::new(flow).at(0.0, "POST /cart").at(5.0, "POST /coupon").at(9.0, "POST /coupon");
    assert_eq!(twice.kinds(), [Violated::Replay]);
    assert_eq!(Player::new(flow).at(0.0, "POST /coupon").at(5.0, "POST /pay").kinds(), [Violated::Skip]);
}

#[test]
fn completions_are_limited_at_the_limit_and_one_past_it() {
    let flow = r#"{"name": "signup", "steps": ["POST /register"], "limit": {"window": "1h", "completions": 1}}"#;
    let one = Player::new(flow).with(0.0, "POST /register", 201, "").with(5.0, "POST /register", 409, "");
    one.is_innocent(1);
    let two = one.with(9.0, "POST /register", 201, "");
    assert_eq!(two.kinds(), [Violated::Limit]);
    assert_eq!((two.all.violations[0].value, two.all.violations[0].baseline), (2.0, 1.0));
    assert_eq!(two.with(12.0, "POST /register", 201, "").kinds(), [Violated::Limit], "once a window");
    Player::new(flow).with(0.0, "POST /register", 201, "").with(3_600.0, "POST /register", 201, "").is_innocent(2);
    Player::new(flow).with(0.0, "POST /register", 201, "").with(0.3, "POST /register", 201, "").is_innocent(1);
}

#[test]
fn carts_left_again_and_again_are_told_and_one_is_not() {
    let flow = r#"{"name": "f", "steps": ["POST /cart", "POST /reserve", "POST /pay"], "limit": {"window": "1h", "abandoned": 2}}"#;
    let left = |n: u32| {
        let run = |player: Player, n: u32| {
            player.at(f64::from(n) * 100.0, "POST /cart").at(f64::from(n) * 100.0 + 9.0, "POST /reserve")
        };
        (0..n).fold(Player::new(flow), run)
    };
    // Four runs are open at once; the fifth takes the place of the first.
    left(6).is_innocent(0);
    assert_eq!(left(7).kinds(), [Violated::Abandoned]);
    // Carts in which nothing was reserved.
    (0..20).fold(Player::new(flow), |player, n| player.at(f64::from(n) * 100.0, "POST /cart")).is_innocent(0);
}

#[test]
fn a_decision_before_the_answer_tells_the_same_and_changes_nothing() {
    let player = Player::new(SHOP).at(0.0, "POST /cart");
    let before = player.state.clone();
    assert_eq!(player.would(5.0, "POST /pay"), [Violated::Skip]);
    assert!(player.would(5.0, "POST /checkout").is_empty() && player.would(5.0, "GET /").is_empty());
    assert_eq!(player.state, before);
    let player = player.at(5.0, "POST /checkout");
    assert!(player.would(9.0, "POST /pay").is_empty());
    let player = player.at(9.0, "POST /pay");
    assert_eq!(player.would(20.0, "POST /pay"), [Violated::Replay]);
    // Again and again, also when it was told.
    let player = player.at(20.0, "POST /pay");
    assert_eq!(player.would(30.0, "POST /pay"), [Violated::Replay]);
}

#[test]
fn steps_that_arrive_out_of_order_are_played_in_order() {
    let player = Player::on(SHOP, "[]");
    assert_eq!(player.flow.grace_ms, 3_000);
    let mut player = player.at(2.0, "POST /checkout").at(0.0, "POST /cart").at(4.0, "POST /pay");
    assert!(player.state.is_waiting());
    let rest = player.state.settle(&player.flow, START + 60_000);
    assert!(rest.violations.is_empty() && rest.completed_ms.len() == 1 && player.kinds().is_empty());
    // What comes later still is passed over, and counted.
    player = player.at(30.0, "POST /cart").at(60.0, "POST /checkout").at(1.0, "POST /checkout");
    assert!(player.kinds().is_empty() && player.state.late() == 1);
    // A skip is told once the wait is over.
    let mut skipped = Player::on(SHOP, "[]").at(0.0, "POST /cart").at(5.0, "POST /pay");
    assert!(skipped.kinds().is_empty());
    assert_eq!(skipped.would(6.5, "POST /pay"), [Violated::Replay]);
    assert!(skipped.state.settle(&skipped.flow, START + 7_999).violations.is_empty());
    assert_eq!(skipped.state.settle(&skipped.flow, START + 8_000).violations.len(), 1);
}

#[test]
fn the_same_endpoint_may_be_two_steps() {
    let flow = r#"{"name": "f", "steps": ["POST /form", "POST /review", "POST /form", "POST /pay"]}"#;
    let done = Player::new(flow).at(0.0, "POST /form").at(5.0, "POST /review").at(9.0, "POST /form");
    done.at(15.0, "POST /pay").is_innocent(1);
    assert_eq!(
        Player::new(flow).at(0.0, "POST /form").at(5.0, "POST /review").at(9.0, "POST /pay").kinds(),
        [Violated::Skip]
    );
}

#[test]
fn states_stay_small_whatever_is_sent() {
    let mut player = Player::new(KEEP).with(0.0, "POST /cart", 200, "cart=a total=900");
    let one = postcard::to_allocvec(&player.state).unwrap().len();
    assert!(one <= 80, "{one}");
    println!("{one} bytes for one run with two kept values");
    for n in 0..1_000 {
        let path = ["POST /cart", "POST /checkout", "POST /pay"][n % 7 % 3];
        player = player.with(n as f64 / 10.0, path, 200, &format!("cart={n} total={n}"));
    }
    assert!(postcard::to_allocvec(&player.state).unwrap().len() <= 400);
    let mut waiting = Player::on(SHOP, "[]");
    for _ in 0..1_000 {
        waiting = waiting.at(1.0, "POST /cart");
    }
    assert!(postcard::to_allocvec(&waiting.state).unwrap().len() <= 400);
    assert!(
        !player.state.is_over(&player.flow, START + 1_000) && player.state.is_over(&player.flow, START + 90_000_000)
    );
}

#[test]
fn completions_of_a_user_are_counted_in_any_order() {
    let mut completions = Completions::default();
    let told: Vec<_> = [50, 10, 30, 20].iter().map(|s| completions.add(3, 60_000, START + s * 1_000)).collect();
    assert_eq!(told, [None, None, None, Some(4)]);
    assert_eq!(Completions::default().add(0, 1, 1), Some(1));
}

proptest! {
    #[test]
    fn steps_within_the_grace_lead_to_the_same_in_any_order(
        mut moves in prop::collection::vec((0_u64..2_500, 0_usize..3), 1..14), seed in any::<u64>()
    ) {
        moves.sort_unstable();
        moves.dedup_by_key(|(time, _)| *time);
        let play = |moves: &[(u64, usize)]| {
            let mut player = Player::on(SHOP, "[]");
            for (ms, step) in moves {
                player = player.at(*ms as f64 / 1_000.0, ["POST /cart", "POST /checkout", "POST /pay"][*step]);
            }
            player.state.settle(&player.flow, u64::MAX)
        };
        let mut shuffled = moves.clone();
        shuffled.sort_by_key(|(time, _)| time.wrapping_mul(seed | 1) >> 7);
        prop_assert_eq!(play(&shuffled), play(&moves));
    }
}

#[test]
fn flows_tag_endpoints_and_are_recorded_synchronously_where_one_step_is_inline() {
    let flows = r#"[{"name": "loyalty", "endpoints": ["* /points/*"]}, {"name": "none", "endpoints": ["GET /admin/ping"]},
        {"name": "booking", "steps": ["POST /seats", "POST /payments"], "action": "block", "for": "1h"}]"#;
    let policy = load(flows, "[]").unwrap();
    let names = |method, path| {
        let numbers = policy.tags.of(method, path).numbers();
        numbers.map(|n| policy.tags.name(n).to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("GET", "/points/7"), "loyalty");
    assert_eq!(names("POST", "/payments"), "payment booking");
    assert_eq!((names("GET", "/admin/ping"), names("GET", "/admin/pong")), (String::new(), "admin".to_owned()));
    assert_eq!((policy.flows.len(), policy.flows[0].grace_ms), (1, 3_000));
    assert_eq!(policy.flows[0].response.for_ms, 3_600_000);
    for route in ["POST /payments", "POST /*", "* *"] {
        let routes = format!(r#"[{{"match": "{route}", "decide": "inline"}}]"#);
        assert_eq!(load(flows, &routes).unwrap().flows[0].grace_ms, 0, "{route}");
    }
}

#[test]
fn problems_of_flows_name_their_place() {
    for (entry, field) in [
        (r#"{"name": "a b", "steps": ["POST /a"]}"#, "name"),
        (r#"{"name": "none", "steps": ["POST /a"]}"#, "name"),
        (r#"{"name": "a"}"#, "steps"),
        (r#"{"name": "a", "steps": ["POST /a"], "endpoints": ["POST /a"]}"#, "steps"),
        (r#"{"name": "a", "endpoints": ["POST /a", "POST"]}"#, "endpoints[1]"),
        (r#"{"name": "a", "endpoints": ["POST /a"], "keep": ["total"]}"#, "keep"),
        (r#"{"name": "a", "endpoints": ["POST /a"], "action": "block"}"#, "action"),
        (r#"{"name": "a", "steps": ["POST /a", "b"]}"#, "steps[1].at"),
        (r#"{"name": "a", "steps": ["POST /a", {"at": "POST /b", "optional": true}]}"#, "steps[1].optional"),
        (r#"{"name": "a", "steps": ["POST /a", {"at": "POST /b", "min_seconds": -1}]}"#, "steps[1].min_seconds"),
        (r#"{"name": "a", "steps": [{"at": "POST /b", "min_seconds": 2, "max_seconds": 1}]}"#, "steps[0].max_seconds"),
        (r#"{"name": "a", "steps": ["POST /a"], "max_seconds": 90000}"#, "max_seconds"),
        (r#"{"name": "a", "steps": [{"at": "POST /b", "outcome": {"status": "ok"}}]}"#, "steps[0].outcome.status"),
        (r#"{"name": "a", "steps": [{"at": "POST /b", "outcome": {"param": "result"}}]}"#, "steps[0].outcome.status"),
        (
            r#"{"name": "a", "steps": [{"at": "POST /b", "outcome": {"param": "x", "equals": "y"}}]}"#,
            "steps[0].outcome.param",
        ),
        (r#"{"name": "a", "steps": ["POST /a"], "keep": ["total", "x"]}"#, "keep[1]"),
        (r#"{"name": "a", "steps": ["POST /a"], "limit": {"window": "1h"}}"#, "limit.completions"),
        (r#"{"name": "a", "steps": ["POST /a"], "limit": {"window": "1h", "completions": 101}}"#, "limit.completions"),
        (r#"{"name": "a", "steps": ["POST /a"], "limit": {"window": "1", "completions": 1}}"#, "limit.window"),
        (r#"{"name": "a", "steps": ["POST /a"], "action": "allow"}"#, "action"),
    ] {
        let problems = load(&format!("[{entry}]"), "[]").unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].starts_with(&format!("FLOWS[0].{field}: ")),
            "{entry}: {problems:?}"
        );
    }
    let steps = |n: usize| format!(r#"[{{"name": "a", "steps": [{}]}}]"#, vec![r#""POST /a""#; n].join(","));
    assert!(load(&steps(16), "[]").is_ok() && load(&steps(17), "[]").is_err());
}

const COUPON: &str = r#"{"name": "coupon", "steps": ["POST /coupon"], "action": "block",
    "limit": {"per": "session", "window": "1h", "completions": 2}}"#;

#[test]
fn what_is_under_way_counts_against_a_limit() {
    let player = Player::new(COUPON);
    let once = (0.0, "POST /coupon", "");
    assert_eq!(player.would_beside(&[once], once), []);
    assert_eq!(player.would_beside(&[once, once], once), [Violated::Limit]);
    let done = player.at(0.0, "POST /coupon");
    assert_eq!(done.would_beside(&[], once), []);
    assert_eq!(done.would_beside(&[once], once), [Violated::Limit]);
}

#[test]
fn where_requests_are_stopped_a_double_click_is_one_more() {
    let twice = |flow: &str| Player::new(flow).at(0.0, "POST /coupon").at(0.1, "POST /coupon");
    assert_eq!(twice(COUPON).all.completed_ms.len(), 2);
    let told = COUPON.replace("block", "tag");
    assert_eq!(twice(&told).all.completed_ms.len(), 1);
}

#[test]
fn what_is_under_way_does_not_make_good_what_is_missing() {
    let shop = SHOP.replace("]}", r#"], "action": "block"}"#);
    let begun = Player::new(&shop).at(0.0, "POST /cart");
    let (checkout, pay) = ((1.0, "POST /checkout", ""), (1.0, "POST /pay", ""));
    assert_eq!(begun.would_beside(&[checkout], pay), [Violated::Skip]);
    let ready = begun.at(1.0, "POST /checkout");
    assert_eq!(ready.would_beside(&[], pay), []);
    // The very payment, while the first is not answered yet: after more than a double click it is another.
    assert_eq!(ready.would_beside(&[pay], (3.0, "POST /pay", "")), [Violated::Replay]);
    // In another tab there is another cart to be paid.
    let two_tabs = ready.at(2.0, "POST /cart").at(3.0, "POST /checkout");
    assert_eq!(two_tabs.would_beside(&[(5.0, "POST /pay", "")], (5.0, "POST /pay", "")), []);
}

#[test]
fn a_payment_beside_another_keeps_what_its_own_cart_said() {
    let keep = KEEP.replace("\"keep\"", r#""action": "block", "keep""#);
    let ready = Player::new(&keep)
        .with(0.0, "POST /cart", 200, "cart=a total=10")
        .with(1.0, "POST /checkout", 200, "cart=a total=10")
        .with(2.0, "POST /cart", 200, "cart=b total=20")
        .with(3.0, "POST /checkout", 200, "cart=b total=20");
    let (a, b) = ((9.0, "POST /pay", "cart=a total=10"), (9.0, "POST /pay", "cart=b total=20"));
    assert_eq!(ready.would_beside(&[a], b), []);
    assert_eq!(ready.would_beside(&[b], a), []);
    assert_eq!(ready.would_beside(&[a], (9.0, "POST /pay", "cart=b total=1")), [Violated::ChangedValue]);
}
