//! `scripts/bench detect`: how many attackers are found among how many customers, over three seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures go to standard output")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark measures time")]

#[path = "../scenarios/mod.rs"]
mod scenarios;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use scenarios::{Strength, play};

/// Not used while numbers were tuned; that was done with 1 to 9.
const SEEDS: [u64; 3] = [20_260_101, 777_000_777, 31_337];

/// Risks at which the ROC curve is drawn; a finding is 1 at the least, and a session is flagged at 50.
const RISKS: [u8; 10] = [1, 10, 20, 30, 40, 50, 60, 70, 80, 90];

/// What this thread has worked, µs: what else runs on the machine does not count. Linux says it in nanoseconds.
fn worked_us() -> u128 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells how long a thread has run");
    stat.split(' ').next().and_then(|worked| worked.parse::<u128>().ok()).expect("a number") / 1_000
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "detect") {
        return;
    }
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().expect("a number"))
    };
    let (visits, each) = (number("--visits", 10_000), number("--each", 17));
    let seeds = match number("--seed", 0) {
        0 => SEEDS.to_vec(),
        seed => vec![seed],
    };
    let (mut recall, mut stealthy, mut wrong) = (1.0_f64, 1.0_f64, 0.0_f64);
    let mut classes: BTreeMap<_, (u32, u32, u32, Vec<u32>)> = BTreeMap::new();
    let (mut found, mut false_sessions, mut events, mut ms) = (0, 0, 0, 0);
    // The ROC curve: at each risk the lowest share of attackers that reach it and the highest of innocent sessions.
    let mut roc = RISKS.map(|risk| (risk, 1.0_f64, 0.0_f64));
    for seed in seeds {
        let score = play::play(&play::traffic(seed, visits, each), worked_us);
        recall = recall.min(score.recall(&[Strength::Loud, Strength::Normal]));
        stealthy = stealthy.min(score.recall(&[Strength::Stealthy]));
        wrong = wrong.max(score.false_positives());
        for (risk, attackers, innocent) in &mut roc {
            let (a, b) = score.reached(*risk);
            (*attackers, *innocent) = (attackers.min(a), innocent.max(b));
        }
        events += score.events;
        ms += score.ms;
        let attackers = score.attackers();
        found += attackers.1;
        false_sessions += score.wrong.len() as u32;
        eprintln!(
            "seed {seed}: {} events, {} innocent sessions, {} attackers in {} sessions, {} false",
            score.events,
            score.innocent,
            attackers.0,
            score.attack_sessions,
            score.wrong.len()
        );
        let mut kinds: BTreeMap<_, u32> = BTreeMap::new();
        score.wrong.iter().for_each(|(who, what, risk)| *kinds.entry((who, what, risk / 10 * 10)).or_default() += 1);
        kinds.iter().for_each(|((who, what, risk), n)| eprintln!("  false: {n} × {who}: {what} (risk {risk}+)"));
        for (of, (all, found, flagged, times)) in score.attacks {
            let sum = classes.entry(of).or_default();
            *sum = (sum.0 + all, sum.1 + found, sum.2 + flagged, [core::mem::take(&mut sum.3), times].concat());
        }
    }
    println!("figure detect.recall {recall:.3} share");
    println!("figure detect.recall_stealthy {stealthy:.3} share");
    println!("figure detect.false_positive_sessions {wrong:.5} share");
    println!("figure detect.precision {:.3} share", f64::from(found) / f64::from((found + false_sessions).max(1)));
    for (risk, attackers, innocent) in roc {
        println!("figure detect.roc.{risk}.attackers {attackers:.3} share");
        println!("figure detect.roc.{risk}.innocent_sessions {innocent:.5} share");
    }
    for ((class, strength), (all, found, flagged, mut times)) in classes {
        times.sort_unstable();
        let (all, strength) = (f64::from(all), strength.name());
        println!("figure detect.recall.{class}.{strength} {:.3} share", f64::from(found) / all);
        println!("figure detect.flagged.{class}.{strength} {:.3} share", f64::from(flagged) / all);
        if let Some(median) = times.get(times.len() / 2) {
            println!("figure detect.requests_until_found.{class}.{strength} {median} requests");
        }
    }
    println!("figure detect.events_per_s {:.0} events/s", events as f64 * 1e6 / (ms.max(1) as f64));
}
