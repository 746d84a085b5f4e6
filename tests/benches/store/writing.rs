//! How fast a store takes events in, how small it keeps them, how much memory it takes for that, and how soon it is back
//! after an eviction: the engine by itself, and with every detector on (`…_detect`).

use std::path::Path;
use std::time::Duration;

use crate::memory;
use crate::output::{figure, ms, note, timed};
use crate::subject::{Detectors, List, Subject};
use crate::support::events::START_MS;
use crate::traffic::{Shape, Traffic};

const MB: f64 = 1_048_576.0;
/// Flushes made at a time, outside the clock.
const AHEAD: usize = 200;
/// A run that takes longer is cut short, which is said; its figures are those of the part that was done.
const PATIENCE: Duration = Duration::from_secs(30);
/// Openings of which the median counts.
const OPENINGS: usize = 5;

/// Flushes of an isolate that is busy, and of one that is not, in one long run; then the size of what is left.
pub fn throughput(scratch: &Path, events: u64) {
    for (detectors, events) in [(Detectors::Basic, events), (Detectors::All, events / 3)] {
        throughput_with(scratch, events, detectors);
    }
}

fn throughput_with(scratch: &Path, events: u64, detectors: Detectors) {
    let with = detectors.suffix();
    let mut traffic = Traffic::new(Shape::ten_minutes(50, 1_000));
    let mut subject = Subject::open(&scratch.join(format!("throughput{with}")), traffic.now_ms(), detectors);
    let (mut taken, mut took) = (0, Duration::ZERO);
    for (share, per_flush) in [(events * 4 / 5, 250), (events / 5, 20)] {
        let (mut done, mut spent) = (0, Duration::ZERO);
        while done < share && !is_cut(spent, done, share) {
            let flushes: Vec<_> = (0..AHEAD).filter_map(|_| traffic.flush(per_flush)).collect();
            spent += timed(|| flushes.iter().for_each(|flush| subject.apply(flush))).1;
            done += (flushes.len() * per_flush) as u64;
        }
        figure(&format!("events_per_s_flushes_of_{per_flush}{with}"), done as f64 / spent.as_secs_f64(), "events/s");
        (taken, took) = (taken + done, took + spent);
    }
    took += timed(|| subject.fold(traffic.now_ms())).1;
    figure(&format!("events_per_s{with}"), taken as f64 / took.as_secs_f64(), "events/s");
    figure(&format!("bytes_per_event{with}"), subject.bytes() as f64 / taken as f64, "bytes");
    note(&format!("{taken} events, {} sessions, {} folds", traffic.sessions(), subject.folds()));
}

/// Sessions that are all under way at once, and what a store that has to come back with them needs.
pub fn memory_and_rebuild(scratch: &Path, sessions: u64) {
    for detectors in [Detectors::Basic, Detectors::All] {
        memory_and_rebuild_with(scratch, sessions, detectors);
    }
}

fn memory_and_rebuild_with(scratch: &Path, sessions: u64, detectors: Detectors) {
    let with = detectors.suffix();
    let path = scratch.join(format!("hot{with}"));
    let shape =
        Shape { requests_per_session: 20, at_once: sessions as usize, rate: 1_000, sessions, from_ms: START_MS };
    let mut traffic = Traffic::new(shape);
    let before = memory::held();
    memory::forget_peak();
    let mut subject = Subject::open(&path, traffic.now_ms(), detectors);
    let (mut done, mut spent) = (0, Duration::ZERO);
    while !is_cut(spent, done, sessions * 20)
        && let Some(flush) = traffic.flush(250)
    {
        spent += timed(|| subject.apply(&flush)).1;
        done += 250;
    }
    subject.fold(traffic.now_ms());
    if traffic.is_over() {
        let hundred_thousand = 100_000.0 / sessions as f64;
        figure(&format!("hot_mb_100k{with}"), (memory::held() - before) as f64 / MB * hundred_thousand, "MB");
    } else {
        // Sessions of fewer requests are smaller: such a figure would flatter.
        note(&format!("hot_mb_100k{with} is not measured"));
    }
    figure(&format!("hot_peak_mb{with}"), (memory::peak() - before) as f64 / MB, "MB");
    figure(&format!("hot_sessions{with}"), subject.hot_sessions() as f64, "sessions");

    let now_ms = fill_journal(&mut subject, traffic.now_ms());
    drop(subject);
    let (mut opened, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..OPENINGS {
        let (mut subject, open) = timed(|| Subject::open(&path, now_ms, detectors));
        let (_, first) = timed(|| subject.ask(List::Sessions, "", now_ms));
        opened.push(ms(open));
        answered.push(ms(open + first));
    }
    figure(&format!("rebuild_ms{with}"), median(opened), "ms");
    figure(&format!("first_answer_ms{with}"), median(answered), "ms");
}

fn is_cut(spent: Duration, done: u64, wanted: u64) -> bool {
    if spent > PATIENCE {
        note(&format!("cut short after {:.0} s: {done} of {wanted} events", spent.as_secs_f64()));
    }
    spent > PATIENCE
}

/// Flushes at one moment, so that no alarm folds them, until one more would make the store fold by itself.
fn fill_journal(subject: &mut Subject, now_ms: u64) -> u64 {
    const MOST: usize = 2_000;
    let mut traffic = Traffic::new(Shape { from_ms: now_ms, ..Shape::ten_minutes(50, 1_000_000) });
    let mut until_fold = |most: usize| {
        let folds = subject.folds();
        (0..most)
            .take_while(|_| {
                // From an isolate of its own: what went before has used up the others' numbers.
                let flush = traffic.flush(250).map(|flush| throughline::wire::Flush {
                    isolate: 1_000 + flush.isolate,
                    now_ms,
                    ..flush
                });
                flush.iter().for_each(|flush| subject.apply(flush));
                subject.folds() == folds
            })
            .count()
    };
    until_fold(MOST);
    let between = until_fold(MOST);
    until_fold(between.saturating_sub(1));
    note(&format!("the journal is left with {} flushes of 250", between.saturating_sub(1)));
    now_ms
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
