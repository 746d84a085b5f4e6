//! The labelled corpora: what enforce would have blocked of the attacks, and of everything else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "corpus/build.rs"]
mod build;

use std::collections::BTreeMap;

use build::Case;
use throughline::inspect::{Hit, Inspector, Limits};

const ATTACKS: &[&str] = &[
    include_str!("corpus/attacks-query.txt"),
    include_str!("corpus/attacks-markup.txt"),
    include_str!("corpus/attacks-system.txt"),
    include_str!("corpus/attacks-request.txt"),
];
const BENIGN: &[&str] = &[include_str!("corpus/benign-words.txt"), include_str!("corpus/benign-documents.txt")];
/// What is told, and never blocked for itself.
const TOLD: [&str; 2] = ["mass_assignment", "prompt_injection"];

fn cases(files: &[&str]) -> Vec<Case> {
    files.iter().flat_map(|text| build::build(text)).collect()
}

/// Each case with its hits, the strongest first.
fn judged(files: &[&str]) -> Vec<(Case, Vec<Hit>)> {
    let inspector = Inspector::new(|_| true, Limits::default());
    let judge = |case: Case| {
        let hits = build::inspect(&inspector, &case).hits;
        (case, hits)
    };
    cases(files).into_iter().map(judge).collect()
}

/// The case and what was seen in it, on one line.
fn shown(case: &Case, hits: &[Hit]) -> String {
    let body = case.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let short = |text: &str| text.chars().take(220).collect::<String>().escape_debug().to_string();
    let hits = hits.iter().map(|hit| {
        format!(
            "\n      {} {} {:?} {}: {} [{}]",
            hit.attack.name(),
            hit.confidence,
            hit.part,
            hit.name,
            hit.what,
            hit.snippet
        )
    });
    let odd = case.headers.iter().skip(3).map(|(name, value)| format!(" {name}: {}", short(value))).collect::<String>();
    format!(
        "  {} {} {}{odd} {}{}",
        case.label,
        case.method,
        short(&case.target),
        short(&body),
        hits.collect::<String>()
    )
}

#[test]
fn of_the_attacks_no_more_are_missed_than_before() {
    let mut tallies: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let judged = judged(ATTACKS);
    for (case, hits) in &judged {
        let found = if TOLD.contains(&case.label.as_str()) {
            hits.iter().any(|hit| hit.attack.name() == case.label)
        } else {
            hits.first().is_some_and(|hit| hit.confidence >= 80)
        };
        let (all, caught) = tallies.entry(case.label.clone()).or_default();
        *all += 1;
        *caught += usize::from(found);
        if !found {
            println!("{}", shown(case, hits));
        }
    }
    let (all, caught) = tallies.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{tallies:?}\nattacks {all}, caught {caught}: TPR {:.4}", caught as f64 / all as f64);
    assert!(all >= 1_500, "{all}");
    // What is reached. The aim is 98 %; whoever gets closer raises this.
    assert!(caught * 1_000 >= all * 955, "{caught} of {all}");
}

#[test]
fn of_awkward_but_ordinary_requests_no_more_are_blocked_or_told_than_before() {
    let judged = judged(BENIGN);
    let (mut blocked, mut told) = (0, 0);
    for (case, hits) in &judged {
        let best = hits.first().map_or(0, |hit| hit.confidence);
        blocked += usize::from(best >= 80);
        told += usize::from(best >= 50);
        if best >= 50 {
            println!("{}", shown(case, hits));
        }
    }
    let all = judged.len();
    println!(
        "benign {all}, blocked {blocked}: FPR {:.4}; told {told}: {:.4}",
        blocked as f64 / all as f64,
        told as f64 / all as f64
    );
    assert!(all >= 1_350, "{all}");
    // What is reached. The aim is 0.2 % and 1 % of 2,000; whoever gets closer lowers these.
    assert!(blocked <= 17, "{blocked} of {all}");
    assert!(told <= 97, "{told} of {all}");
}
