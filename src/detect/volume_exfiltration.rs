//! Volume exfiltration: one session is given far more than any other.
//!
//! **Counts** the bytes of a session's answers from one endpoint within ten minutes, as far as their length was
//! announced. **Fires** when they go beyond the limit (10) times the 99th percentile of the endpoint across sessions, and
//! beyond a megabyte.
//!
//! **Innocent behaviour that looks like it**: an export is large for everybody who exports, so its endpoint's own past
//! is what it is compared with, and an endpoint that hardly anybody uses is not judged. An address that many people
//! share may have four times as much.

use super::Suspicion;
use super::baseline::Judged;
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};

/// Bytes in ten minutes that are never too many.
const FLOOR: f64 = 1_048_576.0;

/// Judges a sum; answers whether it is out of the ordinary.
pub fn judge(judged: &Judged, endpoint: &str, tuned: &Behaviours, found: &mut Vec<Suspicion>) -> bool {
    let Some(tuning) = tuned.get(Detector::VolumeExfiltration) else { return false };
    let limit = (judged.usual * f64::from(tuning.limit)).max(FLOOR) * if judged.shared { 4.0 } else { 1.0 };
    if judged.crosses(limit) {
        found.push(Suspicion {
            detector: Detector::VolumeExfiltration,
            severity: Severity::High,
            confidence: 0.85,
            value: judged.after,
            baseline: limit,
            message: format!("was given {:.0} bytes by {endpoint} within ten minutes", judged.after),
            evidence: Vec::new(),
            if_idle: false,
        });
    }
    judged.after > limit
}
