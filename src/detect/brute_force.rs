//! Brute force: somebody guesses, one login after the other.
//!
//! **Counts** failed logins of a session, a client (address, agent, TLS fingerprint), an address, or a user whoever
//! tries it. **Fires** at the limit (10) within ten minutes, at one and a half times it within an hour and at three
//! times within a day: a patient guesser makes one attempt in some minutes. An address may have twice as many.
//!
//! **Innocent behaviour that looks like it**: people forget passwords, and stop or ask for a new one before the tenth
//! attempt. Offices and mobile networks show one address, and with managed machines one client: there logins succeed
//! too, so failures count only where they are more than three times the successes. Calls that are refused because a
//! token ran out are no logins.

use super::Suspicion;
use super::act::Act;
use super::crowd::{Judged, Of};
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};
use crate::subject::Window;

/// Failures for each success that are still an office in the morning.
const FAILURES_PER_SUCCESS: u32 = 3;

/// Judges a failed login.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) {
    let Some(tuning) = tuned.get(Detector::BruteForce).filter(|_| judged.act == Act::LoginFailed) else { return };
    let scale = match judged.of {
        Of::Session | Of::Client | Of::User => 1.0,
        Of::Ip => 2.0,
        Of::Build => return,
    };
    let limit = f64::from(tuning.limit) * scale;
    let windows = [(at_least(tuning.window_ms), limit), (Window::Hour, limit * 1.5), (Window::Day, limit * 3.0)];
    for (window, limit) in windows {
        let sum = judged.member.counts.sum(window, judged.time_ms);
        if f64::from(sum.failed) < limit || sum.failed <= sum.succeeded.saturating_mul(FAILURES_PER_SUCCESS) {
            continue;
        }
        let of = match judged.of {
            Of::Ip => " from one address",
            Of::User => " as one user",
            _ => "",
        };
        found.push(Suspicion {
            detector: Detector::BruteForce,
            severity: Severity::High,
            confidence: if judged.of == Of::Ip { 0.8 } else { 0.9 },
            value: f64::from(sum.failed),
            baseline: limit,
            message: format!("{} logins failed{of} within {}, {} succeeded", sum.failed, window.name(), sum.succeeded),
            evidence: judged.member.evidence.clone(),
            if_idle: false,
        });
        return;
    }
}

/// The shortest window counted that is no shorter.
pub fn at_least(window_ms: u64) -> Window {
    Window::ALL.into_iter().find(|window| window.length_ms() >= window_ms).unwrap_or(Window::Day)
}
