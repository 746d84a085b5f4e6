//! Risk: how likely a session is hostile, as a number from 0 to 100 that fades.
//!
//! Each finding adds evidence in log-odds: a weight for its severity, times the detector's confidence, times what the
//! session makes of it (`src/detect/correlate.rs`). The sum halves every 30 minutes. Added to the log-odds of a session about which nothing is known, it gives a probability, which is
//! stretched so that no evidence is 0:
//!
//! ```text
//! e(t)  = Σ weight(severity_i) · confidence_i · factor_i · 2^(−(t − t_i) / 30 min)
//! p     = 1 / (1 + exp(−(PRIOR + e)))          PRIOR = ln(0.01 / 0.99): one session in a hundred
//! risk  = 100 · (p − p₀) / (1 − p₀)            p₀ = 0.01
//! ```

use serde::{Deserialize, Serialize};

use super::finding::Severity;

/// Time in which evidence loses half its weight, ms.
pub const HALF_LIFE_MS: f64 = 30.0 * 60.0 * 1000.0;
/// From this risk on a session's state is `flagged`.
pub const FLAGGED: u8 = 50;

const PRIOR_PROBABILITY: f64 = 0.01;
/// Evidence beyond this changes no risk that can be shown (99.99…), and bounds what a flood of findings can pile up.
const MAX_EVIDENCE: f64 = 20.0;

/// Decaying evidence against a session.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Risk {
    evidence: f64,
    /// When `evidence` was exact, epoch ms.
    at_ms: u64,
}

impl Risk {
    /// Adds a finding's evidence and says by how much the risk rose. `sureness` is [`super::Finding::sureness`].
    pub fn add(&mut self, severity: Severity, sureness: f32, now_ms: u64) -> u8 {
        let before = self.score(now_ms);
        let evidence = self.evidence_at(now_ms) + weight(severity) * f64::from(sureness.clamp(0.0, 2.0));
        // Time never runs backwards here: late news decays from the newest moment known.
        *self = Self { evidence: evidence.min(MAX_EVIDENCE), at_ms: self.at_ms.max(now_ms) };
        self.score(now_ms).saturating_sub(before)
    }

    /// Adds all that is held against another session, as it stands at `now_ms`.
    pub fn carry(&mut self, other: &Self, now_ms: u64) {
        let evidence = self.evidence_at(now_ms) + other.evidence_at(now_ms);
        *self = Self { evidence: evidence.min(MAX_EVIDENCE), at_ms: self.at_ms.max(now_ms) };
    }

    /// Takes back what [`Risk::carry`] added: the other session turned out to be somebody else's.
    pub fn take_back(&mut self, other: &Self, now_ms: u64) {
        let evidence = self.evidence_at(now_ms) - other.evidence_at(now_ms);
        *self = Self { evidence: evidence.max(0.0), at_ms: self.at_ms.max(now_ms) };
    }

    /// Evidence in log-odds, and when it was exact, epoch ms: what is stored.
    pub fn parts(&self) -> (f64, u64) {
        (self.evidence, self.at_ms)
    }

    /// What [`Risk::parts`] told.
    pub fn from_parts(evidence: f64, at_ms: u64) -> Self {
        let sound = if evidence.is_finite() { evidence.clamp(0.0, MAX_EVIDENCE) } else { 0.0 };
        Self { evidence: sound, at_ms }
    }

    /// The score at the moment the evidence was exact: it only fades from there.
    pub fn peak(&self) -> u8 {
        self.score(self.at_ms)
    }

    /// Whether nothing is held against the session.
    pub fn is_none(&self) -> bool {
        self.evidence == 0.0
    }

    /// 0–100 at `now_ms`.
    pub fn score(&self, now_ms: u64) -> u8 {
        let prior = (PRIOR_PROBABILITY / (1.0 - PRIOR_PROBABILITY)).ln();
        let p = 1.0 / (1.0 + (-(prior + self.evidence_at(now_ms))).exp());
        let risk = 100.0 * (p - PRIOR_PROBABILITY) / (1.0 - PRIOR_PROBABILITY);
        // A float cast saturates and the value lies in 0–100.
        risk.round() as u8
    }

    fn evidence_at(&self, now_ms: u64) -> f64 {
        let age = now_ms.saturating_sub(self.at_ms) as f64;
        self.evidence * (-age / HALF_LIFE_MS).exp2()
    }
}

/// Log-odds that a finding of full confidence adds. Two medium findings, or one high one, flag a session; so does one
/// medium finding that is nearly certain.
fn weight(severity: Severity) -> f64 {
    match severity {
        Severity::Info => 0.0,
        Severity::Low => 1.5,
        Severity::Medium => 5.0,
        Severity::High => 6.5,
        Severity::Critical => 9.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_is_no_risk() {
        assert_eq!(Risk::default().score(0), 0);
    }

    #[test]
    fn one_sure_medium_finding_flags_and_low_ones_hardly_move() {
        let mut risk = Risk::default();
        assert!(risk.add(Severity::Medium, 0.95, 0) >= FLAGGED);
        let mut low = Risk::default();
        low.add(Severity::Low, 1.0, 0);
        assert!(low.score(0) < 5, "{}", low.score(0));
    }

    #[test]
    fn evidence_halves_in_thirty_minutes() {
        let mut risk = Risk::default();
        risk.add(Severity::High, 1.0, 0);
        let half = Risk { evidence: risk.evidence / 2.0, at_ms: 0 };
        assert_eq!(risk.score(HALF_LIFE_MS as u64), half.score(0));
    }

    #[test]
    fn a_flood_of_findings_stays_within_100_and_still_fades() {
        let mut risk = Risk::default();
        for _ in 0..10_000 {
            risk.add(Severity::Critical, 1.0, 0);
        }
        assert_eq!(risk.score(0), 100);
        assert!(risk.score(6 * HALF_LIFE_MS as u64) < 5);
    }

    #[test]
    fn carried_risk_adds_up_and_can_be_taken_back() {
        let mut before = Risk::default();
        before.add(Severity::Medium, 0.95, 0);
        let mut risk = Risk::default();
        risk.carry(&before, 1_000);
        assert_eq!(risk.score(1_000), before.score(1_000));
        risk.add(Severity::Low, 1.0, 2_000);
        risk.take_back(&before, 3_000);
        let mut own = Risk::default();
        own.add(Severity::Low, 1.0, 2_000);
        assert_eq!(risk.score(3_000), own.score(3_000));
    }

    #[test]
    fn late_news_does_not_rewind_the_clock() {
        let mut risk = Risk::default();
        risk.add(Severity::High, 1.0, 1_000_000);
        risk.add(Severity::Low, 1.0, 5);
        assert_eq!(risk.at_ms, 1_000_000);
    }
}
