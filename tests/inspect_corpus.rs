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
    let hits = hits.iter().map(|hit| format!("\n      {} {} {:?} {}: {} [{}]", hit.attack.name(), hit.confidence, hit.part, hit.name, hit.what, hit.snippet));
    let odd = case.headers.iter().skip(3).map(|(name, value)| format!(" {name}: {}", short(value))).collect::<String>();
    format!("  {} {} {}{odd} {}{}", case.label, case.method, short(&case.target), short(&body), hits.collect::<String>())
}

#[test]
fn of_the_attacks_nearly_all_are_blocked() {
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
    assert!(caught * 1_000 >= all * 980, "{caught} of {all}");
    for (label, (all, caught)) in tallies {
        assert!(caught * 10 >= all * 9, "{label}: {caught} of {all}");
    }
}

#[test]
fn of_awkward_but_ordinary_requests_next_to_none_is_blocked_and_few_are_told() {
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
    println!("benign {all}, blocked {blocked}: FPR {:.4}; told {told}: {:.4}", blocked as f64 / all as f64, told as f64 / all as f64);
    assert!(all >= 2_000, "{all}");
    assert!(blocked * 1_000 <= all * 2, "{blocked} of {all}");
    assert!(told * 100 < all, "{told} of {all}");
}
