//! What enforcing would have touched, as `GET dryrun` shows it: the least certain first, for those are to be looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::label::Precision;
use crate::detect::WouldTouch;
use crate::policy::Mode;
use crate::query::rfc3339;
use crate::session::Detector;
use crate::verdict::Action;

/// How far back it tells, ms.
pub const DAY_MS: u64 = 86_400_000;

/// The report.
#[derive(Debug, Serialize)]
pub struct DryRunAnswer {
    /// To the hour.
    from: String,
    to: String,
    /// In `enforce` it tells what was touched.
    mode: &'static str,
    total: TouchedAnswer,
    detectors: Vec<DetectorAnswer>,
    /// Whether more was touched than is told.
    partial: bool,
}

#[derive(Debug, Default, Serialize)]
struct TouchedAnswer {
    requests: u64,
    sessions: u64,
    users: u64,
}

#[derive(Debug, Serialize)]
struct DetectorAnswer {
    detector: &'static str,
    /// The severest it would have done.
    action: Action,
    findings: u64,
    #[serde(flatten)]
    touched: TouchedAnswer,
    /// Mean of its findings.
    confidence: f64,
    /// What analysts said of it so far.
    labels: Option<Precision>,
}

impl DryRunAnswer {
    /// What shards told of the day before `now_ms`.
    pub fn new(
        told: impl Iterator<Item = WouldTouch>,
        labels: &BTreeMap<&'static str, Precision>,
        mode: Mode,
        now_ms: u64,
        missing: bool,
    ) -> Self {
        let mut all: BTreeMap<u32, WouldTouch> = BTreeMap::new();
        for one in told {
            match all.get_mut(&one.detector) {
                Some(known) => known.add(one),
                None => {
                    all.insert(one.detector, one);
                }
            }
        }
        let distinct = |of: fn(&WouldTouch) -> &Vec<u32>| {
            let different: BTreeSet<u32> = all.values().flat_map(|one| of(one).iter().copied()).collect();
            different.len() as u64
        };
        let total = TouchedAnswer {
            requests: all.values().map(|one| one.requests).sum(),
            sessions: distinct(|one| &one.sessions),
            users: distinct(|one| &one.users),
        };
        let partial = missing || all.values().any(|one| one.more);
        let detector = |one: &WouldTouch| {
            let detector = Detector::from_number(one.detector)?;
            let action = if one.action >= Action::Block as u8 { Action::Block } else { Action::Throttle };
            Some(DetectorAnswer {
                detector: detector.name(),
                action,
                findings: one.findings,
                touched: TouchedAnswer {
                    requests: one.requests,
                    sessions: one.sessions.len() as u64,
                    users: one.users.len() as u64,
                },
                confidence: (one.confidence / one.findings.max(1) as f64 * 100.0).round() / 100.0,
                labels: labels.get(detector.name()).copied(),
            })
        };
        let mut detectors: Vec<DetectorAnswer> = all.values().filter_map(detector).collect();
        // What analysts found wrong before is less certain than any confidence of the detector's own.
        let certainty = |one: &DetectorAnswer| one.labels.map_or(one.confidence, |l| l.precision.min(one.confidence));
        detectors.sort_by(|a, b| certainty(a).total_cmp(&certainty(b)));
        let from = rfc3339(now_ms.saturating_sub(DAY_MS));
        Self { from, to: rfc3339(now_ms), mode: mode.name(), total, detectors, partial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_certain_come_first_and_a_session_touched_twice_counts_once() {
        let told = |detector: Detector, confidence: f64, sessions: Vec<u32>| WouldTouch {
            detector: detector.number(),
            action: Action::Block as u8,
            requests: 3,
            findings: 2,
            confidence,
            sessions,
            ..WouldTouch::default()
        };
        let all = [
            told(Detector::BruteForce, 1.8, vec![1, 2]),
            told(Detector::Automation, 1.0, vec![2, 3]),
            told(Detector::BruteForce, 1.8, vec![2]),
        ];
        let labels = BTreeMap::from([("brute_force", Precision { precision: 0.1, ..Precision::default() })]);
        let answer = DryRunAnswer::new(all.into_iter(), &labels, Mode::Monitor, DAY_MS, false);
        let order: Vec<&str> = answer.detectors.iter().map(|one| one.detector).collect();
        assert_eq!(order, ["brute_force", "automation"]);
        assert_eq!((answer.total.requests, answer.total.sessions, answer.partial), (9, 3, false));
        assert_eq!(answer.detectors.iter().map(|one| one.touched.sessions).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(answer.detectors.first().map(|one| one.confidence), Some(0.9));
    }
}
