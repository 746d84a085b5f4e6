//! The detectors against a small population; `scripts/bench detect` has the large ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod scenarios;
mod support;

use scenarios::{Strength, play};

#[test]
fn attackers_of_every_class_are_found_and_customers_are_left_alone() {
    let score = play::play(&play::traffic(1, 900, 2), || 0);
    let missed: Vec<_> = score.attacks.iter().filter(|(_, (all, found, ..))| found < all).collect();
    assert!(score.recall(&[Strength::Loud, Strength::Normal]) >= 0.95, "{missed:?}");
    assert!(score.recall(&[Strength::Stealthy]) >= 0.7, "{missed:?}");
    assert!(score.false_positives() <= 0.003, "of {}: {:?}", score.innocent, score.wrong);
}
