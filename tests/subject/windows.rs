//! Counts over sliding windows: where a window ends, and that order makes no difference.

use throughline::subject::{Counts, Window, Windows};

/// A multiple of every width there is.
const START_MS: u64 = 1_699_999_200_000;
const ONE: Counts = Counts { requests: 1, refused: 0, failed: 0, succeeded: 0, bytes: 10 };

fn requests(windows: &Windows, window: Window, now_ms: u64) -> u32 {
    windows.sum(window, now_ms).requests
}

#[test]
fn a_window_is_never_shorter_than_its_name_and_at_most_a_tenth_longer() {
    for window in Window::ALL {
        let length = window.length_ms();
        for offset in [0, 1, 5_999, 6_000, 59_999, 61_234, 3_599_999, 7_199_999, 7_200_000, 50_000_000] {
            let mut windows = Windows::default();
            windows.count(START_MS + offset, &ONE);
            let at = |later: u64| requests(&windows, window, START_MS + offset + later);
            assert_eq!(at(0), 1);
            assert_eq!(at(length), 1, "{} at its limit, {offset}", window.name());
            assert_eq!(at(length + length / 10), 0, "{} past its limit, {offset}", window.name());
        }
    }
}

#[test]
fn counts_are_those_of_a_plain_list_up_to_a_bucket() {
    let mut windows = Windows::default();
    let mut times = Vec::new();
    let mut now = START_MS;
    for n in 0..20_000u64 {
        // Bursts and pauses, from nothing to hours, and every fifth one late by up to three minutes.
        now += (n * 7_919 % 13_000) * u64::from(n % 50 == 0) * 400 + n * 31 % 900;
        let time = if n % 5 == 0 { now - n * 97 % 180_000 } else { now };
        windows.count(time, &ONE);
        times.push(time);
        let newest = *times.iter().max().unwrap();
        if n % 97 == 0 {
            for window in Window::ALL {
                let within = |length: u64| times.iter().filter(|t| **t + length >= newest).count() as u32;
                let (least, most) = (within(window.length_ms()), within(window.length_ms() * 11 / 10));
                let counted = requests(&windows, window, newest);
                assert!((least..=most).contains(&counted), "{}: {least} {counted} {most}", window.name());
            }
        }
    }
}

#[test]
fn order_makes_no_difference_and_late_events_find_their_place() {
    let times: Vec<u64> = (0..3_000).map(|n| START_MS + n * n * 10).collect();
    let mut forwards = Windows::default();
    times.iter().for_each(|time| forwards.count(*time, &ONE));
    let mut backwards = Windows::default();
    times.iter().rev().for_each(|time| backwards.count(*time, &ONE));
    let mut shuffled = Windows::default();
    (0..times.len()).map(|i| times[i * 1_009 % times.len()]).for_each(|time| shuffled.count(time, &ONE));
    assert_eq!(forwards, backwards);
    assert_eq!(forwards, shuffled);
    let now = *times.last().unwrap();
    let within = |ms: u64| times.iter().filter(|t| **t + ms >= now).count() as u32;
    assert!((within(86_400_000)..=within(93_600_000)).contains(&requests(&forwards, Window::Day, now)));
}

#[test]
fn time_does_not_run_backwards() {
    let mut windows = Windows::default();
    windows.count(START_MS, &ONE);
    windows.count(START_MS + 7_200_000, &ONE);
    assert_eq!(requests(&windows, Window::Hour, START_MS), 1);
    assert_eq!(requests(&windows, Window::Day, 0), 2);
    windows.count(START_MS - 200_000_000, &ONE);
    assert_eq!(requests(&windows, Window::Day, 0), 2, "more than a day late");
}

#[test]
fn merging_is_counting_both() {
    let times = |step: u64| (0..500).map(move |n| START_MS + n * step);
    let (mut a, mut b, mut both) = (Windows::default(), Windows::default(), Windows::default());
    times(60_013).for_each(|time| a.count(time, &ONE));
    times(170_003).for_each(|time| b.count(time, &ONE));
    times(170_003).chain(times(60_013)).for_each(|time| both.count(time, &ONE));
    let mut other = b.clone();
    other.merge(&a);
    a.merge(&b);
    assert_eq!(a, both);
    assert_eq!(other, both);
}

#[test]
fn settling_changes_no_count() {
    let mut windows = Windows::default();
    (0..500).for_each(|n| windows.count(START_MS + n * 4_000, &ONE));
    let mut settled = windows.clone();
    for later in [0, 30_000, 300_000, 5_000_000, 80_000_000, 100_000_000] {
        let now = START_MS + 2_000_000 + later;
        settled.settle(now);
        Window::ALL.into_iter().for_each(|window| assert_eq!(settled.sum(window, now), windows.sum(window, now)));
    }
    assert_eq!(settled.sum(Window::Day, 0), Counts::default());
}

#[test]
fn a_count_at_its_limit_stays_there() {
    let mut windows = Windows::default();
    let many = Counts { requests: u32::MAX, bytes: u64::MAX, ..Counts::default() };
    windows.count(START_MS, &many);
    windows.count(START_MS, &many);
    assert_eq!(windows.sum(Window::Minute, START_MS), many);
    windows.count(u64::MAX, &many);
    assert_eq!(windows.sum(Window::Day, u64::MAX), many);
}
