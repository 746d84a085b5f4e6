//! Mass registration: accounts are made by the dozen.
//!
//! **Counts** accounts created by one session, client or address. **Fires** beyond the limit (1) of one session within
//! 30 minutes; a client may create four times as many and an address ten times, within a day ten and thirty times.
//!
//! **Innocent behaviour that looks like it**: parents register a child too, and that is told with little weight; a class
//! registers behind one address on one kind of machine. An administrator who adds colleagues is logged in: creating
//! `users` or `accounts` counts only without a session key.

use super::Suspicion;
use super::act::Act;
use super::crowd::{Judged, Of};
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};

const DAY_MS: u64 = 86_400_000;

/// Judges a new account.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) {
    let Some(tuning) = tuned.get(Detector::MassRegistration).filter(|_| judged.act == Act::SignedUp) else { return };
    let (soon, in_day) = match judged.of {
        Of::Session => (1.0, 2.0),
        Of::Client => (4.0, 10.0),
        Of::Ip => (10.0, 30.0),
        Of::User | Of::Build | Of::Network => return,
    };
    let limit = f64::from(tuning.limit);
    for (window_ms, limit) in [(tuning.window_ms, limit * soon), (DAY_MS, limit * in_day)] {
        let created = judged.member.signups_within(window_ms, judged.time_ms);
        let value = created as f64;
        if value <= limit {
            continue;
        }
        let twice = judged.of == Of::Session && value < limit + 2.0;
        found.push(Suspicion {
            detector: Detector::MassRegistration,
            severity: if twice { Severity::Medium } else { Severity::High },
            confidence: if twice { 0.6 } else { 0.85 },
            value,
            baseline: limit,
            message: format!("created {created} accounts within {} minutes", window_ms / 60_000),
            evidence: Vec::new(),
            if_idle: false,
        });
        return;
    }
}
