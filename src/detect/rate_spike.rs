//! Rate spike: one session calls an endpoint far more often than any other does.
//!
//! **Counts** a session's answered calls of one endpoint within a minute. **Fires** when they go beyond the limit (5)
//! times the 99th percentile of the endpoint across sessions, and beyond one a second. Once a minute.
//!
//! **Innocent behaviour that looks like it**: pages that poll poll for everybody, and so are usual; a client that tries
//! again on errors is not counted; at the start of a sale people press reload, but not every second for a minute. An
//! address that many people share may have four times as much.

use super::Suspicion;
use super::baseline::Judged;
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};

/// Calls a minute that are never too many.
const FLOOR: f64 = 60.0;

/// Judges a count; answers whether it is out of the ordinary.
pub fn judge(judged: &Judged, endpoint: &str, tuned: &Behaviours, found: &mut Vec<Suspicion>) -> bool {
    let Some(tuning) = tuned.get(Detector::RateSpike) else { return false };
    let limit = (judged.usual * f64::from(tuning.limit)).max(FLOOR) * if judged.shared { 4.0 } else { 1.0 };
    if judged.crosses(limit) {
        found.push(Suspicion {
            detector: Detector::RateSpike,
            severity: Severity::Medium,
            confidence: 0.95,
            value: judged.after,
            baseline: limit,
            message: format!("called {endpoint} more than {limit:.0} times within a minute"),
            evidence: Vec::new(),
            if_idle: false,
        });
    }
    judged.after > limit
}
