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
use throughline::session::Severity;

type File = (&'static str, &'static str);

const ATTACKS: &[File] = &[
    ("attacks-query.txt", include_str!("corpus/attacks-query.txt")),
    ("attacks-markup.txt", include_str!("corpus/attacks-markup.txt")),
    ("attacks-system.txt", include_str!("corpus/attacks-system.txt")),
    ("attacks-request.txt", include_str!("corpus/attacks-request.txt")),
    ("attacks-wild.txt", include_str!("corpus/attacks-wild.txt")),
    ("attacks-lists.txt", include_str!("corpus/attacks-lists.txt")),
];
const BENIGN: &[File] = &[
    ("benign-words.txt", include_str!("corpus/benign-words.txt")),
    ("benign-documents.txt", include_str!("corpus/benign-documents.txt")),
    ("benign-products.txt", include_str!("corpus/benign-products.txt")),
    ("benign-trades.txt", include_str!("corpus/benign-trades.txt")),
];
/// Of 1,000 attacks, how many have to be caught; of awkward but ordinary requests, how many may be blocked, and told from 50 on.
const LEAST_CAUGHT: usize = 980;
const MOST_BLOCKED: usize = 2;
const MOST_TOLD: usize = 110;
/// Of 1,000 attacks of a class, where it is not 950. What is missed most is written as ordinary values are, too.
const LEAST: &[(&str, usize)] = &[
    ("command_injection", 975),
    ("ldap_injection", 930),
    ("mass_assignment", 890),
    ("nosqli", 975),
    ("sqli", 990),
    ("ssrf", 965),
    ("ssti", 985),
    ("xss", 980),
    ("xxe", 990),
];
/// What is told, and never blocked for itself.
const TOLD: [&str; 2] = ["mass_assignment", "prompt_injection"];

/// Each case of a file with its hits, the strongest first.
fn judged((_, text): &File) -> Vec<(Case, Vec<Hit>)> {
    let inspector = Inspector::new(|_| true, Limits::default());
    let judge = |case: Case| {
        let hits = build::inspect(&inspector, &case).hits;
        (case, hits)
    };
    build::build(text).into_iter().map(judge).collect()
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
fn of_a_thousand_attacks_980_are_caught_and_of_every_class_most() {
    let mut tallies: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in ATTACKS {
        let (mut all, mut caught) = (0, 0);
        for (case, hits) in judged(file) {
            let found = if TOLD.contains(&case.label.as_str()) {
                hits.iter().any(|hit| hit.attack.name() == case.label)
            } else {
                hits.first().is_some_and(|hit| hit.confidence >= 80)
            };
            all += 1;
            caught += usize::from(found);
            let tally = tallies.entry(case.label.clone()).or_default();
            *tally = (tally.0 + 1, tally.1 + usize::from(found));
            if !found {
                println!("{}", shown(&case, &hits));
            }
        }
        println!("{}: attacks {all}, caught {caught}: TPR {:.4}", file.0, caught as f64 / all as f64);
    }
    let (all, caught) = tallies.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{tallies:?}\nattacks {all}, caught {caught}: TPR {:.4}", caught as f64 / all as f64);
    assert!(all >= 8_000, "{all}");
    assert!(caught * 1_000 >= all * LEAST_CAUGHT, "{caught} of {all}");
    for (label, (all, caught)) in &tallies {
        let least = LEAST.iter().find(|(known, _)| known == label).map_or(950, |(_, least)| *least);
        assert!(
            caught * 1_000 >= all * least,
            "{label}: {caught} of {all}, at least {least} in 1,000 are to be caught"
        );
    }
}

#[test]
fn of_a_thousand_awkward_but_ordinary_requests_no_more_than_two_are_blocked() {
    let (mut all, mut blocked, mut told) = (0, 0, 0);
    for file in BENIGN {
        let judged = judged(file);
        let from = |least: u8| judged.iter().filter(|(_, hits)| hits.iter().any(|hit| hit.confidence >= least)).count();
        let (over, of) = (from(80), judged.len());
        println!("{}: benign {of}, blocked {over}: FPR {:.4}; told {}", file.0, over as f64 / of as f64, from(50));
        all += of;
        blocked += over;
        told += from(50);
        for (case, hits) in judged.iter().filter(|(_, hits)| hits.iter().any(|hit| hit.confidence >= 50)) {
            println!("{}", shown(case, hits));
        }
    }
    println!(
        "benign {all}, blocked {blocked}: FPR {:.4}; told {told}: {:.4}",
        blocked as f64 / all as f64,
        told as f64 / all as f64
    );
    assert!(all >= 3_500, "{all}");
    assert!(blocked * 1_000 <= all * MOST_BLOCKED, "{blocked} of {all}");
    assert!(told * 1_000 <= all * MOST_TOLD, "{told} of {all}");
}

/// A request of the shop's customers: a line of its corpus, as far as it is read here.
#[derive(serde::Deserialize)]
struct ShopLine {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    label: String,
}

#[test]
fn in_what_the_customers_of_the_shop_send_nothing_is_worse_than_low() {
    let inspector = Inspector::new(|_| true, Limits::default());
    let mut count = 0;
    for line in include_str!("corpus/shop.jsonl").lines() {
        let ShopLine { method, target, headers, body, label } = serde_json::from_str(line).unwrap();
        let headers = [("host".to_owned(), "shop.example.com".to_owned())].into_iter().chain(headers).collect();
        let case = Case { label, method, target, headers, body: body.map(String::into_bytes) };
        let hits = build::inspect(&inspector, &case).hits;
        let worst = hits.iter().map(|hit| hit.severity).max();
        assert!(worst.is_none_or(|worst| worst <= Severity::Low), "{}", shown(&case, &hits));
        count += 1;
    }
    assert!(count > 100, "{count}");
}
