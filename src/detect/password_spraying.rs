//! Password spraying, and stuffing that is spread: many addresses, a guess or two from each, so that no client, address or
//! user stands out.
//!
//! **Counts**, over the whole shard, failed logins of one build of client (agent and TLS fingerprint), everywhere and in
//! one provider's network, whether or not logins say whom they are for (`PARAMETERS` or `Session-Event`). **Fires** at the
//! limit (40) within an hour from eight addresses, or at twice that within a day from sixteen, where failures are more than
//! twenty times the successes; in one network more than six times. A user has a count as well: in vain from six networks
//! within a day.
//!
//! **Innocent behaviour that looks like it**: a popular browser has its share of mistyped passwords, and far more logins
//! that succeed. Who mistypes while a campaign goes on uses the same browser by chance: where some of a build and network
//! are let in, blamed is only a client that failed three times and never was; never the user's own machine, and no session that is
//! answered elsewhere. A release that cannot log in anybody at all looks the same.

use super::Suspicion;
use super::act::Act;
use super::crowd::{Judged, Of, seconds};
use super::tuning::Behaviours;
use crate::session::{Detector, Severity};
use crate::subject::Window;

/// Windows, with times the limit, addresses, and the seconds those are counted over.
const WINDOWS: [(Window, f64, usize, u32); 2] = [(Window::Hour, 1.0, 8, 3_600), (Window::Day, 2.0, 16, DAY_S)];
const DAY_S: u32 = 86_400;
/// Failures for each success from which on hardly anybody is let in …
const HARDLY_ANY: u32 = 20;
/// … and in one network the fewest that are looked at, then only of clients that failed so often.
const PER_SUCCESS: u32 = 6;
const BY_CLIENT: u32 = 3;
/// Networks from which one user is tried in vain: home, work, a phone, a hotel, and one more.
const NETWORKS: usize = 6;

/// Judges a failed login.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) {
    let is_judged = judged.act == Act::LoginFailed && !judged.is_spared();
    let Some(tuning) = tuned.get(Detector::PasswordSpraying).filter(|_| is_judged) else { return };
    let (member, now_s) = (judged.member, seconds(judged.time_ms));
    let sum = |window| member.counts.sum(window, judged.time_ms);
    let told = match judged.of {
        Of::Session | Of::Client | Of::Ip => None,
        Of::User => {
            let (networks, day) = (member.tried.within(DAY_S, now_s), sum(Window::Day));
            let is_much = networks >= NETWORKS && day.failed > day.succeeded.saturating_mul(3);
            let message = format!("one user was tried in vain from {networks} networks within 1d");
            is_much.then_some((networks as f64, NETWORKS as f64, message))
        }
        Of::Build | Of::Network => WINDOWS.into_iter().find_map(|(window, scale, addresses, window_s)| {
            let (from, sum) = (member.tried.within(window_s, now_s), sum(window));
            let limit = f64::from(tuning.limit) * scale;
            let is_rare = sum.failed > sum.succeeded.saturating_mul(HARDLY_ANY);
            let is_odd = judged.of == Of::Network && sum.failed > sum.succeeded.saturating_mul(PER_SUCCESS);
            let is_much = from >= addresses
                && f64::from(sum.failed) >= limit
                && (is_rare || is_odd)
                && judged.client.failed >= if is_rare { 1 } else { BY_CLIENT }
                && judged.client.succeeded == 0;
            let network = if judged.of == Of::Network { ", of one network" } else { "" };
            let message = format!(
                "one build of client failed to log in {} times within {} from {from} addresses or more{network}, and succeeded {} times",
                sum.failed,
                window.name(),
                sum.succeeded
            );
            is_much.then_some((f64::from(sum.failed), limit, message))
        }),
    };
    found.extend(told.map(|(value, baseline, message)| Suspicion {
        detector: Detector::PasswordSpraying,
        severity: Severity::High,
        confidence: 0.75,
        value,
        baseline,
        message,
        evidence: member.evidence.clone(),
        if_idle: true,
    }));
}
