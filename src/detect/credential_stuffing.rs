//! Credential stuffing and password spraying: one guesser, many accounts, a guess or two for each.
//!
//! **Counts** the users a session, a client or an address tried in vain. **Fires** beyond the limit (5) within an hour,
//! or twice that within a day; an address may have twice as many. Where logins do not say whom they are for
//! (`PARAMETERS` or `Session-Event` would), the addresses count from which one build of client (agent and TLS
//! fingerprint) fails: eight of them with forty failures in an hour, and hardly a success.
//!
//! **Innocent behaviour that looks like it**: a family on one device is fewer; an office or a shop's terminal has many
//! users and most of their logins succeed, so failures count only where they are more than three times the successes,
//! of a build six times. A popular browser has its share of mistyped passwords, and far more logins that succeed; a
//! client that was let in once in a day, or a session that is answered elsewhere, is not blamed for others of its build.

use super::Suspicion;
use super::act::Act;
use super::brute_force::at_least;
use super::crowd::{Judged, Of, seconds};
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};
use crate::subject::Window;

const DAY_S: u32 = 86_400;
/// Of a build: addresses, failures, and failures for each success.
const BUILD: (usize, u32, u32) = (8, 40, 6);
/// … and failures of the client in question, without a success: who mistypes once uses the same browser by chance.
const BY_CLIENT: u32 = 3;

/// Judges a failed login.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) {
    let Some(tuning) = tuned.get(Detector::CredentialStuffing).filter(|_| judged.act == Act::LoginFailed) else {
        return;
    };
    let now_s = seconds(judged.time_ms);
    let window_s = seconds(tuning.window_ms);
    let tried = judged.member.tried.within(window_s, now_s);
    let (addresses, failures, per_success) = BUILD;
    let sum = |window| judged.member.counts.sum(window, judged.time_ms);
    let (value, baseline, message) = match judged.of {
        Of::User => return,
        Of::Build => {
            let hour = sum(Window::Hour);
            if tried < addresses
                || hour.failed < failures
                || hour.failed <= hour.succeeded.saturating_mul(per_success)
                || judged.client.failed < BY_CLIENT
                || judged.client.succeeded > 0
            {
                return;
            }
            let message = format!(
                "one build of client failed to log in {} times within 1h from many addresses, and succeeded {} times",
                hour.failed, hour.succeeded
            );
            (hour.failed as usize, f64::from(failures), message)
        }
        of => {
            let limit = f64::from(tuning.limit) * if of == Of::Ip { 2.0 } else { 1.0 };
            let in_day = judged.member.tried.within(DAY_S, now_s);
            let (tried, limit, window) = if tried as f64 > limit {
                (tried, limit, at_least(tuning.window_ms))
            } else if in_day as f64 > limit * 2.0 {
                (in_day, limit * 2.0, Window::Day)
            } else {
                return;
            };
            let sum = sum(window);
            if sum.failed <= sum.succeeded.saturating_mul(3) {
                return;
            }
            let per_user = f64::from(sum.failed) / tried.max(1) as f64;
            let how = if per_user < 2.5 { "a guess or two for each" } else { "many guesses for each" };
            (tried, limit, format!("tried {tried} users in vain within {}, {how}", window.name()))
        }
    };
    found.push(Suspicion {
        detector: Detector::CredentialStuffing,
        severity: Severity::High,
        confidence: if judged.of == Of::Build { 0.75 } else { 0.9 },
        value: value as f64,
        baseline,
        message,
        evidence: judged.member.evidence.clone(),
        if_idle: judged.of == Of::Build,
    });
}
