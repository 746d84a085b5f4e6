//! Credential stuffing: one guesser, many accounts, a guess or two for each.
//!
//! **Counts** the users a session, a client or an address tried in vain. **Fires** beyond the limit (5) within an hour,
//! or twice that within a day; an address may have twice as many. Guesses spread over many addresses are
//! [`super::password_spraying`].
//!
//! **Innocent behaviour that looks like it**: a family on one device is fewer; an office or a shop's terminal has many
//! users and most of their logins succeed, so failures count only where they are more than three times the successes.
//! Who was let in from there before is not blamed for others at the same address.

use super::Suspicion;
use super::act::Act;
use super::brute_force::at_least;
use super::crowd::{Judged, Of, seconds};
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};
use crate::subject::Window;

const DAY_S: u32 = 86_400;

/// Judges a failed login.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) {
    let scale = match judged.of {
        Of::Session | Of::Client => 1.0,
        Of::Ip => 2.0,
        Of::User | Of::Build | Of::Network => return,
    };
    let is_judged = judged.act == Act::LoginFailed && !judged.is_spared();
    let Some(tuning) = tuned.get(Detector::CredentialStuffing).filter(|_| is_judged) else { return };
    let now_s = seconds(judged.time_ms);
    let limit = f64::from(tuning.limit) * scale;
    let tried = judged.member.tried.within(seconds(tuning.window_ms), now_s);
    let in_day = judged.member.tried.within(DAY_S, now_s);
    let (tried, limit, window) = if tried as f64 > limit {
        (tried, limit, at_least(tuning.window_ms))
    } else if in_day as f64 > limit * 2.0 {
        (in_day, limit * 2.0, Window::Day)
    } else {
        return;
    };
    let sum = judged.member.counts.sum(window, judged.time_ms);
    if sum.failed <= sum.succeeded.saturating_mul(3) {
        return;
    }
    let per_user = f64::from(sum.failed) / tried.max(1) as f64;
    let how = if per_user < 2.5 { "a guess or two for each" } else { "many guesses for each" };
    found.push(Suspicion {
        detector: Detector::CredentialStuffing,
        severity: Severity::High,
        confidence: 0.9,
        value: tried as f64,
        baseline: limit,
        message: format!("tried {tried} users in vain within {}, {how}", window.name()),
        evidence: judged.member.evidence.clone(),
        if_idle: false,
    });
}
