//! Two runs over the same exchanges, side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::run::Played;
use crate::session::{EventId, SessionId};
use crate::verdict::Action;

/// Sessions named for each detector as examples of what changes.
const EXAMPLES: usize = 5;

/// Findings that one run has and the other has not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FindingsChange {
    pub added: usize,
    pub gone: usize,
    pub same: usize,
    pub by_detector: Vec<DetectorChange>,
}

/// … of one detector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetectorChange {
    pub detector: &'static str,
    pub added: usize,
    pub gone: usize,
    pub same: usize,
    /// Some of the sessions for which something is added, or gone.
    pub sessions: Vec<String>,
}

/// Requests that would have been stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Stopped {
    pub throttled: usize,
    pub blocked: usize,
}

impl Stopped {
    /// What a run would have stopped.
    pub fn of(played: &Played) -> Self {
        let count = |action| played.stopped.values().filter(|stopped| **stopped == action).count();
        Self { throttled: count(Action::Throttle), blocked: count(Action::Block) }
    }
}

/// What the second run finds that the first does not, and the other way round.
pub fn compare(now: &Played, then: &Played) -> FindingsChange {
    let mut change = FindingsChange::default();
    let detectors: BTreeSet<&'static str> = now.findings.keys().chain(then.findings.keys()).copied().collect();
    for detector in detectors {
        let none = BTreeSet::new();
        let of = |played: &'_ BTreeMap<&'static str, BTreeSet<(SessionId, EventId)>>| played.get(detector).cloned();
        let (before, after) = (of(&now.findings).unwrap_or(none.clone()), of(&then.findings).unwrap_or(none));
        let same = before.intersection(&after).count();
        let different: BTreeSet<SessionId> = before.symmetric_difference(&after).map(|(session, _)| *session).collect();
        let one = DetectorChange {
            detector,
            added: after.len() - same,
            gone: before.len() - same,
            same,
            sessions: different.into_iter().take(EXAMPLES).map(|session| session.to_string()).collect(),
        };
        change.added += one.added;
        change.gone += one.gone;
        change.same += one.same;
        change.by_detector.push(one);
    }
    change
}
