//! Each watch fires where it must, and not at its nearest innocent twin.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use throughline::parameter::{
    Alarm, Decimal, MAX_DISTINCT, Names, ParamStats, Past, Quantiles, Type, Value, Watch, WatchState,
};
use throughline::policy::Policy;
use throughline::session::EventId;
use throughline::subject::SubjectHash;

const PARAMETERS: &str = r##"[
    {"name": "total", "from": "request.body#/total", "on": "POST /orders", "type": "number"},
    {"name": "price", "from": "request.body#/price", "on": "POST /orders", "type": "money"},
    {"name": "fee", "from": "request.body#/fee", "on": "POST /orders", "type": "money", "currency": "EUR"},
    {"name": "card", "from": "request.body#/card", "on": "POST /orders", "store": "hashed"},
    {"name": "shown", "from": "request.body#/card", "on": "POST /orders", "redact": "*4"},
    {"name": "gone", "from": "request.body#/card", "on": "POST /orders", "store": "drop"}
]"##;

fn load(watches: &str) -> Result<Vec<Watch>, Vec<String>> {
    let vars = [
        ("SESSION_SECRET", "0123456789abcdef"),
        ("ADMIN_TOKEN", "0123456789abcdef"),
        ("PARAMETERS", PARAMETERS),
        ("WATCHES", watches),
    ];
    let policy = Policy::load(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string()));
    policy.map(|policy| policy.watches).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn watch(json: &str) -> Watch {
    load(&format!("[{json}]")).unwrap().remove(0)
}

fn number(n: i64) -> Value {
    Value::Number(Decimal::whole(n))
}

fn hash() -> SubjectHash {
    SubjectHash::new([9; 16])
}

/// The alarms of values at times (s).
fn alarms(watch: &Watch, values: &[(u64, Value)]) -> Vec<Alarm> {
    let (mut state, own) = (WatchState::default(), ParamStats::default());
    let past = Past { own: &own, population: None };
    let seen = values.iter().filter_map(|(s, value)| state.observe(watch, value, 1_000_000 + s * 1_000, past, &hash()));
    seen.collect()
}

#[test]
fn an_order_over_the_limit_is_told_and_one_at_it_is_not() {
    let watch = watch(r#"{"kind": "threshold", "parameter": "total", "above": 10000, "below": 0}"#);
    let told = alarms(&watch, &[(1, number(10_001))]);
    assert_eq!((told[0].value, told[0].baseline), (10_001.0, 10_000.0));
    assert_eq!(told[0].message, "total is 10001, above 10000");
    assert!(
        alarms(&watch, &[(1, number(10_000)), (2, number(0)), (3, Value::parse(Type::Number, "NaN", None))]).is_empty()
    );
    assert_eq!(alarms(&watch, &[(1, number(-1))])[0].message, "total is -1, below 0");
}

#[test]
fn an_alarm_is_raised_once_a_window() {
    let watch = watch(r#"{"kind": "threshold", "parameter": "total", "above": 10, "window": "1h"}"#);
    assert_eq!(alarms(&watch, &[(0, number(11)), (1, number(12)), (2, number(1)), (3_599, number(13))]).len(), 1);
    assert_eq!(alarms(&watch, &[(0, number(11)), (3_600, number(12))]).len(), 2);
    assert_eq!(alarms(&watch, &[(3_600, number(11)), (1, number(12))]).len(), 1);
}

#[test]
fn amounts_in_another_currency_are_not_compared() {
    let watch = watch(r#"{"kind": "threshold", "parameter": "price", "currency": "EUR", "above": 10000}"#);
    let price = |text| Value::parse(Type::Money, text, None);
    assert_eq!(alarms(&watch, &[(1, price("10000.01 EUR"))]).len(), 1);
    assert!(alarms(&watch, &[(1, price("1000000 JPY")), (2, price("1000000"))]).is_empty());
}

#[test]
fn what_adds_up_within_the_window_is_told_and_the_same_over_days_is_not() {
    let watch = watch(r#"{"kind": "velocity", "parameter": "total", "of": "sum", "window": "1h", "above": 50000}"#);
    let every = |seconds: u64| (0..6).map(|n| (n * seconds, number(10_000))).collect::<Vec<_>>();
    let told = alarms(&watch, &every(60));
    assert_eq!((told.len(), told[0].value), (1, 60_000.0));
    assert!(alarms(&watch, &every(60)[..5]).is_empty(), "at the limit");
    assert!(alarms(&watch, &every(86_400)).is_empty());
    // A tenth longer than the window may count, no more.
    assert!(alarms(&watch, &[(0, number(50_000)), (3_960, number(1))]).is_empty());
    assert_eq!(alarms(&watch, &[(0, number(50_000)), (3_600, number(1))]).len(), 1);
}

#[test]
fn order_does_not_matter_to_what_adds_up() {
    let watch = watch(r#"{"kind": "velocity", "parameter": "total", "of": "count", "window": "10m", "above": 4}"#);
    let values: Vec<_> = [0, 100, 200, 300, 400].map(|s| (s, number(1))).to_vec();
    assert_eq!(alarms(&watch, &values).len(), 1);
    let mut backwards = values.clone();
    backwards.reverse();
    assert_eq!(alarms(&watch, &backwards).len(), 1);
    let mut states = [WatchState::default(), WatchState::default()];
    let own = ParamStats::default();
    let past = Past { own: &own, population: None };
    for (n, (s, value)) in values.iter().enumerate() {
        states[n % 2].observe(&watch, value, 1_000_000 + s * 1_000, past, &hash());
    }
    let [mut one, two] = states;
    one.merge(&two);
    assert!(one.observe(&watch, &number(1), 1_000_000 + 401_000, past, &hash()).is_some());
    assert!(!one.is_over(&watch, 1_500_000) && one.is_over(&watch, 1_000_000 + 401_000 + 660_001));
}

#[test]
fn many_cards_in_one_session_are_told_and_one_card_many_times_is_not() {
    let watch = watch(r#"{"kind": "distinct", "parameter": "card", "window": "1h", "above": 3}"#);
    let card = |n: u64| Value::Hashed(format!("h:0000:{n:032x}").into());
    let cards = |n: u64| (0..n).map(|n| (n, card(n))).collect::<Vec<_>>();
    let told = alarms(&watch, &cards(4));
    assert_eq!((told.len(), told[0].value), (1, 4.0));
    assert!(!told[0].message.contains("h:0000"));
    assert!(alarms(&watch, &cards(3)).is_empty());
    assert!(alarms(&watch, &(0..50).map(|n| (n, card(n % 3))).collect::<Vec<_>>()).is_empty());
    assert!(alarms(&watch, &(0..50).map(|n| (n * 3_600, card(n))).collect::<Vec<_>>()).is_empty(), "a new card a day");
}

#[test]
fn states_stay_small_whatever_is_sent() {
    let watch =
        watch(&format!(r#"{{"kind": "distinct", "parameter": "card", "window": "1h", "above": {MAX_DISTINCT}}}"#));
    let (mut state, own) = (WatchState::default(), ParamStats::default());
    let past = Past { own: &own, population: None };
    let mut told = 0;
    for n in 0..5_000_u64 {
        let value = Value::Text(n.to_string().into());
        told += usize::from(state.observe(&watch, &value, 1_000_000 + n, past, &hash()).is_some());
    }
    assert_eq!(told, 1);
    assert!(postcard::to_allocvec(&state).unwrap().len() < 1_300);
    let few = watch_bytes();
    assert!(few <= 32, "{few}");
}

fn watch_bytes() -> usize {
    let watch = watch(r#"{"kind": "velocity", "parameter": "total", "of": "sum", "window": "1h", "above": 50000}"#);
    let (mut state, own) = (WatchState::default(), ParamStats::default());
    state.observe(&watch, &number(100), 1_700_000_000_000, Past { own: &own, population: None }, &hash());
    postcard::to_allocvec(&state).unwrap().len()
}

/// The alarm for `value` of somebody who sent `own` before, among people who send `population`.
fn spike(watch: &Watch, own: &[i64], population: Option<&[i64]>, value: i64) -> Option<Alarm> {
    let mut past = ParamStats::default();
    for (n, amount) in (0..).zip(own) {
        past.see(&number(*amount), EventId::located(n, 1, n), &hash());
    }
    let everybody = population.map(|amounts| {
        let mut sketch = Quantiles::default();
        amounts.iter().for_each(|amount| sketch.see(Decimal::whole(*amount)));
        sketch
    });
    let past = Past { own: &past, population: everybody.as_ref() };
    WatchState::default().observe(watch, &number(value), 1_000_000, past, &hash())
}

#[test]
fn a_spike_stands_out_against_the_own_past_and_against_everybody() {
    let watch = watch(r#"{"kind": "spike", "parameter": "total", "min_samples": 3}"#);
    let modest: Vec<i64> = (20..120).collect();
    let told = spike(&watch, &[40, 50, 60], Some(&modest), 2_000).unwrap();
    assert!(told.value == 2_000.0 && told.baseline >= 225.0);
    // The generous customer: five times what they usually spend, which others spend too.
    let generous: Vec<i64> = (20..120).chain([2_500, 2_600, 2_700]).collect();
    assert_eq!(spike(&watch, &[40, 50, 60], Some(&generous), 2_000), None);
    // Who always orders much.
    assert_eq!(spike(&watch, &[1_900, 2_100, 2_000], Some(&modest), 2_200), None);
    // Too little is known of the customer, or of everybody.
    assert_eq!(spike(&watch, &[40, 50], Some(&modest), 2_000), None);
    assert_eq!(spike(&watch, &[40, 50, 60], None, 2_000), None);
    // One large order of the past does not hide the next.
    assert!(spike(&watch, &[40, 50, 60, 2_000], Some(&modest), 2_000).is_some());
}

fn names(watch: &Watch, seen: &[(u64, Names<'_>)]) -> Vec<Alarm> {
    let mut state = WatchState::default();
    let told = seen.iter().filter_map(|(s, names)| state.observe_names(watch, names, 1_000_000 + s * 1_000, &hash()));
    told.collect()
}

#[test]
fn one_session_with_two_users_is_told_and_one_user_often_is_not() {
    let watch = watch(r#"{"kind": "discrepancy"}"#);
    let user = |user| Names { user, ..Names::default() };
    assert_eq!(names(&watch, &[(1, user("ann")), (2, user("bob")), (3, user("eve"))]).len(), 1);
    // An attempt names nobody: only confirmed users are told.
    assert!(names(&watch, &[(1, user("ann")), (2, user("")), (3, user("ann"))]).is_empty());
}

#[test]
fn one_user_in_many_sessions_addresses_or_countries_is_told() {
    for of in ["sessions", "addresses", "countries"] {
        let watch =
            watch(&format!(r#"{{"kind": "discrepancy", "of": "{of}", "per": "user", "window": "1h", "above": 2}}"#));
        let at = |n| Names { user: "ann", session: n, address: n, country: n, ..Names::default() };
        let told = names(&watch, &[(1, at("AA")), (2, at("BB")), (3, at("CC"))]);
        assert!(told.len() == 1 && told[0].message.contains(of), "{told:?}");
        assert!(names(&watch, &[(1, at("AA")), (2, at("BB")), (3, at("AA"))]).is_empty());
        assert!(names(&watch, &[(1, at("AA")), (8_000, at("BB")), (16_000, at("CC"))]).is_empty(), "a traveller");
    }
}

#[test]
fn a_user_who_is_not_the_subject_of_the_token_is_told() {
    let watch = watch(r#"{"kind": "discrepancy", "of": "subject"}"#);
    let of = |user, subject| names(&watch, &[(1, Names { user, subject, ..Names::default() })]).len();
    assert_eq!((of("ann", "bob"), of("ann", "ann"), of("ann", ""), of("", "bob")), (1, 0, 0, 0));
}

#[test]
fn problems_of_watches_name_their_place() {
    for (entry, field) in [
        (r#"{"kind": "threshold", "above": 1}"#, "parameter"),
        (r#"{"kind": "threshold", "parameter": "nothing", "above": 1}"#, "parameter"),
        (r#"{"kind": "threshold", "parameter": "card", "above": 1}"#, "parameter"),
        (r#"{"kind": "distinct", "parameter": "shown", "above": 1}"#, "parameter"),
        (r#"{"kind": "distinct", "parameter": "gone", "above": 1}"#, "parameter"),
        (r#"{"kind": "threshold", "parameter": "total"}"#, "above"),
        (r#"{"kind": "velocity", "parameter": "total", "of": "sum"}"#, "above"),
        (r#"{"kind": "velocity", "parameter": "total", "above": 1}"#, "of"),
        (r#"{"kind": "velocity", "parameter": "card", "of": "sum", "above": 1}"#, "parameter"),
        (r#"{"kind": "velocity", "parameter": "total", "of": "users", "above": 1}"#, "of"),
        (r#"{"kind": "threshold", "parameter": "total", "of": "sum", "above": 1}"#, "of"),
        (r#"{"kind": "threshold", "parameter": "price", "above": 1}"#, "currency"),
        (r#"{"kind": "threshold", "parameter": "total", "currency": "EUR", "above": 1}"#, "currency"),
        (r#"{"kind": "distinct", "parameter": "card", "above": 101}"#, "above"),
        (r#"{"kind": "threshold", "parameter": "total", "above": 1, "below": 2}"#, "below"),
        (r#"{"kind": "spike", "parameter": "total", "below": 2}"#, "below"),
        (r#"{"kind": "spike", "parameter": "total", "factor": 0.5}"#, "factor"),
        (r#"{"kind": "spike", "parameter": "total", "min_samples": 0}"#, "min_samples"),
        (r#"{"kind": "threshold", "parameter": "total", "above": 1, "factor": 2}"#, "factor"),
        (r#"{"kind": "threshold", "parameter": "total", "above": 1, "window": "500ms"}"#, "window"),
        (r#"{"kind": "threshold", "parameter": "total", "above": 1, "window": "soon"}"#, "window"),
        (r#"{"kind": "threshold", "parameter": "total", "above": 1, "action": "allow"}"#, "action"),
        (r#"{"kind": "threshold", "parameter": "total", "above": 1, "for": "long"}"#, "for"),
        (r#"{"kind": "discrepancy", "of": "sum"}"#, "of"),
        (r#"{"kind": "discrepancy", "of": "sessions", "per": "session", "above": 1}"#, "per"),
        (r#"{"kind": "discrepancy", "of": "users", "per": "user"}"#, "per"),
        (r#"{"kind": "discrepancy", "of": "sessions"}"#, "above"),
        (r#"{"kind": "guess", "parameter": "total"}"#, "kind"),
        (r#"{"kind": "spike", "parameter": "total", "often": true}"#, "often"),
    ] {
        let problems = load(&format!("[{entry}]")).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].starts_with(&format!("WATCHES[0].{field}: ")),
            "{entry}: {problems:?}"
        );
    }
    assert!(load(r#"[{"kind": "threshold", "parameter": "fee", "above": 1}]"#).is_ok(), "its currency is known");
    let many = |n: usize| format!("[{}]", vec![r#"{"kind": "discrepancy"}"#; n].join(","));
    assert!(load(&many(128)).is_ok() && load(&many(129)).is_err());
}
