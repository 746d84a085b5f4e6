//! When keys are fetched.

use super::*;

const NOW_MS: u64 = 1_800_000_000_000;

fn source() -> JwksSource {
    JwksSource::new("https://issuer.example/jwks".to_owned())
}

/// With keys fetched now, good for ten minutes.
fn filled() -> JwksSource {
    let mut source = source();
    source.started(NOW_MS);
    source.took(Some(600), NOW_MS);
    source
}

#[test]
fn the_first_keys_are_wanted_at_once_and_by_four_at_a_time() {
    let mut source = source();
    assert_eq!(source.url(), "https://issuer.example/jwks");
    for _ in 0..4 {
        assert_eq!(source.wants(NOW_MS), Some(Want::First));
        source.started(NOW_MS);
    }
    assert_eq!(source.wants(NOW_MS), None);
    assert_eq!(source.wants(NOW_MS + 4_999), None);
    assert_eq!(source.wants(NOW_MS + 5_000), Some(Want::First), "those attempts never reported");
    source.started(NOW_MS + 5_000);
    source.took(None, NOW_MS + 5_100);
    assert_eq!(source.wants(NOW_MS + 5_100), None);
}

#[test]
fn keys_are_refreshed_after_four_fifths_of_their_lifetime_by_one_at_a_time() {
    for (max_age_s, lifetime_s) in [
        (None, 600),
        (Some(0), 60),
        (Some(59), 60),
        (Some(61), 61),
        (Some(600), 600),
        (Some(86_400), 86_400),
        (Some(86_401), 86_400),
        (Some(u64::MAX), 86_400),
    ] {
        let mut source = source();
        source.took(max_age_s, NOW_MS);
        let due = NOW_MS + lifetime_s * 800;
        assert_eq!(source.wants(due - 1), None, "{max_age_s:?}");
        assert_eq!(source.wants(due), Some(Want::Refresh), "{max_age_s:?}");
        source.started(due);
        assert_eq!(source.wants(due), None, "one is enough");
        assert_eq!(source.wants(due + 5_000), Some(Want::Refresh));
    }
}

#[test]
fn failures_are_waited_out_from_one_second_doubling_to_sixty() {
    let mut source = source();
    let mut now = NOW_MS;
    for wait_s in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(source.wants(now), Some(Want::First));
        source.started(now);
        source.failed(now);
        assert_eq!(source.wants(now + wait_s * 1_000 - 1), None, "{wait_s} s");
        now += wait_s * 1_000;
    }
    for _ in 0..100 {
        source.started(now);
        source.failed(now);
        now += 60_000;
        assert_eq!(source.wants(now), Some(Want::First));
    }
    source.started(now);
    source.took(None, now);
    source.started(now);
    source.failed(now);
    assert!(!source.unknown_kid(now + 999));
    assert!(source.unknown_kid(now + 1_000), "a success starts the waiting over");
}

#[test]
fn attempts_that_fail_side_by_side_count_as_one_failure() {
    let mut source = source();
    for _ in 0..4 {
        source.started(NOW_MS);
    }
    for _ in 0..4 {
        source.failed(NOW_MS + 10);
    }
    assert_eq!(source.wants(NOW_MS + 1_009), None);
    assert_eq!(source.wants(NOW_MS + 1_010), Some(Want::First));
}

#[test]
fn keys_there_are_stay_while_refreshing_fails() {
    let mut source = filled();
    let due = NOW_MS + 480_000;
    source.started(due);
    source.failed(due);
    assert_eq!(source.wants(due + 999), None);
    assert_eq!(source.wants(due + 1_000), Some(Want::Refresh), "not as if there were none");
    assert_eq!(source.wants(due + 1_000_000), Some(Want::Refresh));
}

#[test]
fn unknown_key_ids_cause_a_fetch_every_thirty_seconds_at_most() {
    let mut source = filled();
    assert!(source.unknown_kid(NOW_MS));
    source.started(NOW_MS);
    assert!(!source.unknown_kid(NOW_MS));
    source.took(Some(600), NOW_MS + 100);
    assert!(!source.unknown_kid(NOW_MS + 29_999));
    assert!(source.unknown_kid(NOW_MS + 30_000));
    assert!(!source.unknown_kid(NOW_MS + 30_000), "the chance is used up");
}

#[test]
fn unknown_key_ids_cause_no_fetch_while_another_one_is_wanted_or_under_way() {
    assert!(!source().unknown_kid(NOW_MS), "the first keys are wanted anyway");
    let mut source = filled();
    source.started(NOW_MS);
    assert!(!source.unknown_kid(NOW_MS));
    source.failed(NOW_MS);
    assert!(!source.unknown_kid(NOW_MS + 999));
    assert!(source.unknown_kid(NOW_MS + 1_000), "a refusal uses nothing up");
}

#[test]
fn an_end_without_a_start_does_no_harm() {
    let mut source = source();
    source.failed(NOW_MS);
    source.took(None, u64::MAX);
    source.started(u64::MAX);
    assert_eq!(source.wants(NOW_MS), None);
}

#[test]
fn lifetimes_are_read_off_cache_control() {
    for (header, expected) in [
        ("max-age=300", Some(300)),
        ("public, max-age=300, must-revalidate", Some(300)),
        ("public,MAX-AGE = \"300\"", Some(300)),
        ("max-age=300, max-age=600", Some(300)),
        ("s-maxage=9, max-age=300", Some(300)),
        ("max-age=99999999999999999999999", Some(u64::MAX)),
        ("max-age=0", Some(0)),
        ("no-store", Some(0)),
        ("max-age=300, no-cache", Some(0)),
        ("", None),
        ("public", None),
        ("max-age", None),
        ("max-age=", None),
        ("max-age=-1", None),
        ("max-age=+1", None),
        ("max-age=1.5", None),
        ("max-age=five", None),
        ("s-maxage=300", None),
    ] {
        assert_eq!(max_age(header), expected, "{header}");
    }
}
