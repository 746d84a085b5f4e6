//! What is kept of parameters is small, the same in any order, and as exact as it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use proptest::prelude::*;
use throughline::parameter::{Baseline, Decimal, ParamStats, Quantiles, Type, Value};
use throughline::session::EventId;
use throughline::subject::SubjectHash;

const HOUR: u64 = 3_600_000;

fn hash() -> SubjectHash {
    SubjectHash::new([3; 16])
}

fn id(n: u64) -> EventId {
    EventId::located(1_700_000_000_000 + n, 7, n)
}

fn stats(values: &[(u64, Value)]) -> ParamStats {
    let mut stats = ParamStats::default();
    values.iter().for_each(|(n, value)| stats.see(value, id(*n), &hash()));
    stats
}

fn money(text: &str) -> Value {
    Value::parse(Type::Money, text, None)
}

#[test]
fn a_session_is_told_count_sum_extremes_the_last_value_and_how_many_differed() {
    let all = stats(&[(2, money("3 EUR")), (1, money("-1.5 EUR")), (3, money("NaN")), (4, money("3.00 EUR"))]);
    let summary = all.summary();
    assert_eq!((summary.count, summary.invalid, summary.distinct), (4, 1, 2));
    assert_eq!((summary.sum, summary.min, summary.max), (Some(4.5), Some(-1.5), Some(3.0)));
    assert_eq!((summary.last.as_deref(), summary.mixed), (Some("3 EUR"), false));
    let texts = stats(&[(1, Value::Text("a".into()))]);
    assert_eq!((texts.summary().sum, texts.summary().last.as_deref()), (None, Some("a")));
}

#[test]
fn amounts_of_several_currencies_have_no_one_sum() {
    let four = stats(&[(1, money("1 EUR")), (2, money("2 USD")), (3, money("3 CHF")), (4, money("4 GBP"))]);
    assert_eq!((four.summary().sum, four.summary().mixed, four.summary().currencies.len()), (None, true, 4));
    let five = stats(&[
        (5, money("5 JPY")),
        (1, money("1 EUR")),
        (2, money("2 USD")),
        (3, money("3 CHF")),
        (4, money("4 GBP")),
    ]);
    assert_eq!((five.summary().currencies.len(), five.summary().count), (4, 5));
}

#[test]
fn eight_different_values_are_counted_exactly_and_more_are_estimated() {
    let of =
        |n: u64| stats(&(0..n).map(|n| (n, Value::Text(n.to_string().into()))).collect::<Vec<_>>()).summary().distinct;
    assert_eq!((of(1), of(8)), (1, 8));
    assert!((9..=10).contains(&of(9)), "{}", of(9));
    assert!((900..1_100).contains(&of(1_000)), "{}", of(1_000));
}

#[test]
fn a_number_seen_once_takes_at_most_64_bytes() {
    let bytes = postcard::to_allocvec(&stats(&[(1, Value::parse(Type::Number, "1337.42", None))])).unwrap();
    assert!(bytes.len() <= 64, "{}", bytes.len());
    println!("{} bytes encoded, {} in memory", bytes.len(), size_of::<ParamStats>());
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-1_000_000_i64..1_000_000).prop_map(|n| Value::parse(
            Type::Number,
            &format!("{}.{:03}", n / 1000, n.abs() % 1000),
            None
        )),
        ((0_u32..500), prop_oneof!["EUR", "USD", "CHF", "JPY", "GBP", "SEK"]).prop_map(|(n, unit)| Value::parse(
            Type::Money,
            &n.to_string(),
            Some(&unit)
        )),
        (0_u32..40).prop_map(|n| Value::Text(n.to_string().into())),
        Just(Value::parse(Type::Number, "x", None)),
    ]
}

proptest! {
    #[test]
    fn the_same_values_in_any_order_and_any_parts_leave_the_same(
        values in prop::collection::vec((0_u64..50, any_value()), 0..60), seed in any::<u64>(), cuts in any::<[prop::sample::Index; 2]>()
    ) {
        let whole = stats(&values);
        let mut shuffled = values.clone();
        shuffled.sort_by_key(|(n, v)| (n.wrapping_mul(seed | 1), v.to_string().len().wrapping_mul(seed as usize)));
        prop_assert_eq!(&stats(&shuffled), &whole);
        let mut at = cuts.map(|cut| cut.index(values.len() + 1));
        at.sort_unstable();
        let [a, b, c] = [&values[..at[0]], &values[at[0]..at[1]], &values[at[1]..]].map(stats);
        let (mut left, mut right) = (a.clone(), b.clone());
        left.merge(&b);
        left.merge(&c);
        right.merge(&c);
        let mut other = right;
        other.merge(&a);
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&other, &whole);
        let bytes = postcard::to_allocvec(&whole).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<ParamStats>(&bytes).unwrap(), &whole);
    }

    #[test]
    fn quantiles_are_within_two_percent_and_merge_into_those_of_the_union(
        amounts in prop::collection::vec(20_000_i64..800_000, 1..300), at in 0_usize..300, q in 0.0_f64..1.0
    ) {
        let of = |amounts: &[i64]| {
            let mut sketch = Quantiles::default();
            amounts.iter().for_each(|n| sketch.see(Decimal::whole(*n)));
            sketch
        };
        let whole = of(&amounts);
        let (first, second) = amounts.split_at(at.min(amounts.len()));
        let (mut ab, mut ba) = (of(first), of(second));
        ab.merge(&of(second));
        ba.merge(&of(first));
        prop_assert_eq!(&ab, &whole);
        prop_assert_eq!(&ba, &whole);
        let mut sorted = amounts.clone();
        sorted.sort_unstable();
        let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
        let (exact, told) = (sorted[rank - 1] as f64, whole.quantile(q).unwrap());
        prop_assert!((told - exact).abs() <= exact * 0.02, "{told} for {exact}");
        let bytes = postcard::to_allocvec(&whole).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Quantiles>(&bytes).unwrap(), &whole);
    }

    #[test]
    fn merging_is_associative_when_buckets_are_too_many(parts in prop::collection::vec(prop::collection::vec(any::<i64>(), 0..150), 3)) {
        let of = |amounts: &Vec<i64>| {
            let mut sketch = Quantiles::default();
            amounts.iter().for_each(|n| sketch.see(Decimal::whole(*n)));
            sketch
        };
        let [a, b, c] = [of(&parts[0]), of(&parts[1]), of(&parts[2])];
        let (mut left, mut bc) = (a.clone(), b.clone());
        left.merge(&b);
        left.merge(&c);
        bc.merge(&c);
        let mut right = a;
        right.merge(&bc);
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(left.count() as usize, parts.iter().map(Vec::len).sum::<usize>());
    }
}

#[test]
fn a_sketch_stays_below_512_bytes_and_keeps_its_high_end() {
    let mut sketch = Quantiles::default();
    for n in 1..=1_000_000_i64 {
        sketch.see(Decimal::whole(n));
        if n % 1000 == 0 {
            sketch.see(Decimal::whole(-n));
            sketch.see(Decimal::default());
        }
    }
    for _ in 0..8 {
        sketch.merge(&sketch.clone());
    }
    let bytes = postcard::to_allocvec(&sketch).unwrap().len();
    assert!(bytes <= 512, "{bytes}");
    println!("{bytes} bytes for {} values", sketch.count());
    let p99 = sketch.quantile(0.99).unwrap();
    assert!((p99 / 990_000.0 - 1.0).abs() < 0.02, "{p99}");
    assert_eq!(Quantiles::default().quantile(0.5), None);
}

fn hourly(baseline: &mut Baseline, hours: std::ops::Range<u64>, count: impl Fn(u64) -> u64) {
    for hour in hours {
        for n in 0..count(hour) {
            baseline.see(Decimal::whole(100 + n.cast_signed()), hour * HOUR + n);
        }
        baseline.advance((hour + 1) * HOUR);
    }
}

#[test]
fn nothing_is_expected_on_the_first_day_and_the_average_after_it() {
    let mut baseline = Baseline::default();
    hourly(&mut baseline, 1_000..1_023, |_| 30);
    assert_eq!(baseline.expected(1_023 * HOUR), None);
    hourly(&mut baseline, 1_023..1_048, |_| 30);
    let expected = baseline.expected(1_048 * HOUR).unwrap();
    assert!((29.0..31.0).contains(&expected), "{expected}");
}

#[test]
fn a_surge_is_compared_with_what_was_before_it() {
    let mut baseline = Baseline::default();
    hourly(&mut baseline, 1_000..1_048, |_| 30);
    let before = baseline.population().unwrap().quantile(0.99).unwrap();
    for n in 0..1_000 {
        baseline.see(Decimal::whole(50_000), 1_048 * HOUR + n);
    }
    assert_eq!(baseline.population().unwrap().quantile(0.99).unwrap(), before);
    assert_eq!(baseline.count(), 1_000);
}

#[test]
fn after_three_weeks_a_monday_morning_is_compared_with_mondays() {
    let busy = |hour: u64| if hour % 168 < 10 { 100 } else { 2 };
    let start = 168 * 100;
    let mut baseline = Baseline::default();
    hourly(&mut baseline, start..start + 168 * 3 - 1, busy);
    let flat = baseline.expected((start + 168 * 3) * HOUR).unwrap();
    assert!(flat < 20.0, "{flat}");
    hourly(&mut baseline, start + 168 * 3 - 1..start + 168 * 4, busy);
    let (monday, sunday) =
        (baseline.expected((start + 168 * 4 + 5) * HOUR), baseline.expected((start + 168 * 4 + 50) * HOUR));
    assert!(monday.unwrap() > 40.0 && sunday.unwrap() < 4.0, "{monday:?} {sunday:?}");
    let bytes = postcard::to_allocvec(&baseline).unwrap().len();
    println!("{bytes} bytes of baseline");
    assert!(bytes <= 1_500, "{bytes}");
}

#[test]
fn what_is_not_renewed_fades_by_half_a_week_and_is_gone_one_day() {
    let mut baseline = Baseline::default();
    hourly(&mut baseline, 24_000..24_024, |_| 30);
    let full = baseline.population().unwrap().count();
    baseline.advance((24_024 + 167) * HOUR);
    let half = baseline.population().map_or(0, Quantiles::count);
    assert!((full * 2 / 5..full * 3 / 5).contains(&half), "{half} of {full}");
    baseline.advance(30_000 * HOUR);
    assert!(baseline.population().is_none());
    // A clock that jumps by centuries costs no more than one that jumps by weeks.
    baseline.advance(u64::MAX);
}

#[test]
fn baselines_of_two_shards_add_up() {
    let (mut one, mut two, mut both) = (Baseline::default(), Baseline::default(), Baseline::default());
    hourly(&mut one, 1_000..1_060, |_| 10);
    hourly(&mut two, 1_000..1_060, |_| 20);
    hourly(&mut both, 1_000..1_060, |_| 30);
    one.merge(&two);
    let (merged, whole) = (one.expected(1_060 * HOUR).unwrap(), both.expected(1_060 * HOUR).unwrap());
    assert!((merged - whole).abs() < 0.1, "{merged} {whole}");
}
