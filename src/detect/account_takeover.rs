//! Account takeover: a guesser is let in.
//!
//! **Counts** failed logins in a row of a session, a client or an address (twice the limit). **Fires** at a success
//! after at least the limit (5), each no more than an hour after the one before. Where the account is then changed
//! (password, address, means of payment) within the hour, a second finding says so ([`Memory::changed`]).
//!
//! **Innocent behaviour that looks like it**: who asks for a new password and then gets in has shown to own the mailbox.
//! On a machine that the user was let in with before nobody is taken over. A person who tries six passwords at a person's pace is told with less weight, which the change of the account makes
//! up for. In an office a colleague's success ends the row.

use serde::{Deserialize, Serialize};

use super::Suspicion;
use super::act::Act;
use super::crowd::{Judged, Of};
use super::tuning::Behaviours;
use crate::session::{Detector, Event, Severity};
use crate::subject::Window;

/// Faster than this nobody types, ms for each attempt.
const BY_HAND_MS: u64 = 4_000;
/// Logins in a day that are more than one household's.
const MANY: u32 = 10;

/// Judges a login that succeeded; answers whether it looks like somebody else's.
pub fn judge(judged: &Judged<'_>, tuned: &Behaviours, found: &mut Vec<Suspicion>) -> bool {
    let is_judged = judged.act == Act::LoginSucceeded && !judged.is_own;
    let Some(tuning) = tuned.get(Detector::AccountTakeover).filter(|_| is_judged) else { return false };
    let member = judged.member;
    let limit = match judged.of {
        Of::Session | Of::Client => f64::from(tuning.limit),
        Of::Ip => f64::from(tuning.limit) * 2.0,
        Of::User | Of::Build | Of::Network => return false,
    };
    // Where many log in, failures of several people can come in a row.
    let many = member.counts.sum(Window::Day, judged.time_ms).succeeded > MANY;
    let limit = if many { limit * 2.0 } else { limit };
    let since_ms = |at_ms: u64| judged.time_ms.saturating_sub(at_ms);
    let streak = f64::from(member.streak);
    if streak < limit || since_ms(member.failed_ms) > tuning.window_ms || since_ms(member.reset_ms) < tuning.window_ms {
        return false;
    }
    let pace_ms = since_ms(member.streak_from_ms) / u64::from(member.streak.max(1));
    let by_hand = pace_ms >= BY_HAND_MS && streak < limit * 2.0;
    found.push(Suspicion {
        detector: Detector::AccountTakeover,
        severity: if by_hand { Severity::Medium } else { Severity::High },
        confidence: if by_hand { 0.6 } else { 0.9 },
        value: streak,
        baseline: limit,
        message: format!("a login succeeded after {} that failed", member.streak),
        evidence: member.evidence.clone(),
        if_idle: false,
    });
    true
}

/// What is remembered of one session: when a success in it looked like somebody else's, epoch ms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    taken_ms: u64,
}

impl Memory {
    /// Notes that the session was taken over.
    pub fn taken(&mut self, time_ms: u64) {
        self.taken_ms = self.taken_ms.max(time_ms);
    }

    /// Takes in that the account was changed; once for each takeover.
    pub fn changed(&mut self, event: &Event<'_>, tuned: &Behaviours) -> Option<Suspicion> {
        let tuning = tuned.get(Detector::AccountTakeover)?;
        let after_ms = event.time_ms.saturating_sub(self.taken_ms);
        if self.taken_ms == 0 || after_ms > tuning.window_ms {
            return None;
        }
        self.taken_ms = 0;
        Some(Suspicion {
            detector: Detector::AccountTakeover,
            severity: Severity::Critical,
            confidence: 0.9,
            value: after_ms as f64 / 1_000.0,
            baseline: tuning.window_ms as f64 / 1_000.0,
            message: "the account was changed right after a login that looked like somebody else's".to_owned(),
            evidence: Vec::new(),
            if_idle: false,
        })
    }
}
