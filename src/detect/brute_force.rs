//! Brute force: somebody guesses, one login after the other.
//!
//! **Counts** failed logins of a session, a client (address, agent, TLS fingerprint), an address, or a user whoever
//! tries it. **Fires** at the limit (10) within ten minutes, at one and a half times it within an hour and at three
//! times within a day: a patient guesser makes one attempt in some minutes. An address may have twice as many.
//!
//! **Innocent behaviour that looks like it**: people forget passwords, and stop or ask for a new one before the tenth
//! attempt. Offices and mobile networks show one address, and with managed machines one client: there logins succeed
//! too, so failures count only where they are more than three times the successes. Who mistypes while somebody else
//! guesses at the account, or behind the same address, is not blamed for it: a machine that this user was let in with before, a
//! client that was let in today; and of a user's many failures none is held against a session that is answered elsewhere.
//! Calls that are refused because a token ran out are no logins.
//!
//! **Codes** (coupons, vouchers, gift cards) that are refused count likewise, on their own, with three times the limit:
//! browsers' extensions try a dozen coupons in a row.

use super::Suspicion;
use super::act::Act;
use super::crowd::{Judged, Of};
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};
use crate::subject::Window;

/// Failures for each success that are still an office in the morning.
const FAILURES_PER_SUCCESS: u32 = 3;

/// Times the limit of logins.
const CODES: f64 = 3.0;

/// Judges a failed login, or a code that was refused.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) {
    let (what, scale) = match judged.act {
        Act::LoginFailed => ("logins failed", 1.0),
        Act::CodeRefused => ("codes were refused", CODES),
        _ => return,
    };
    let Some(tuning) = tuned.get(Detector::BruteForce).filter(|_| !judged.is_spared()) else { return };
    let scale = match judged.of {
        Of::Session | Of::Client | Of::User => scale,
        Of::Ip => scale * 2.0,
        Of::Build | Of::Network => return,
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
            message: format!("{} {what}{of} within {}, {} succeeded", sum.failed, window.name(), sum.succeeded),
            evidence: judged.member.evidence.clone(),
            if_idle: judged.of == Of::User,
        });
        return;
    }
}

/// The shortest window counted that is no shorter.
pub fn at_least(window_ms: u64) -> Window {
    Window::ALL.into_iter().find(|window| window.length_ms() >= window_ms).unwrap_or(Window::Day)
}
