//! Alerts: which findings, blocks and sessions somebody is told of, where, and in which words.
//!
//! A [`Rule`] comes from the policy; the fleet asks it about everything that happens, and keeps what is to be told until it
//! is delivered (`fleet/alerts.rs`). What is sent is made here, once: a message that is sent again is the same message.

mod message;
mod target;
mod webhook;

pub use message::{Happened, compose};
pub use target::check as check_target;
pub use webhook::{Headers, Secret};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::session::{Detector, Finding, Severity};

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// A finding.
    Finding,
    /// A session whose risk reached `min_risk` (50 unless it is set), which is when it is flagged.
    Flagged,
    /// A block that a detector or an analyst put on.
    Blocked,
    /// More business from one region than usual.
    Surge,
    /// Calls to an endpoint that no document knows, or that one calls retired.
    RogueEndpoint,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    Json,
    Slack,
}

/// Whom to tell of what.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: String,
    pub on: On,
    /// Any, where there is none.
    pub detectors: Vec<Detector>,
    pub min_severity: Severity,
    /// Risk of the session, with what the finding added.
    pub min_risk: u8,
    pub to: String,
    pub style: Style,
    /// Of the same detector in the same session is told this often at the most, ms.
    pub every_ms: u64,
}

impl Rule {
    /// Whether the rule is about a finding after which its session has this risk.
    pub fn is_about(&self, finding: &Finding, risk: u8) -> bool {
        let detector = finding.detector;
        let kind = match self.on {
            On::Finding => true,
            // The finding that carried it over the line, and none after it.
            On::Flagged => risk.saturating_sub(finding.risk_added) < self.min_risk,
            On::Surge => detector == Detector::RegionSurge,
            On::RogueEndpoint => matches!(detector.name(), "shadow_access" | "zombie_access"),
            On::Blocked => false,
        };
        kind && risk >= self.min_risk
            && finding.severity >= self.min_severity
            && (self.detectors.is_empty() || self.detectors.contains(&detector))
    }

    /// The id of what this rule tells of a thing: the same however often it is told.
    pub fn id_of(&self, thing: &str) -> u128 {
        let mut hash = Sha256::new();
        hash.update(self.name.as_bytes());
        hash.update([0]);
        hash.update(thing.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        digest.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte))
    }
}

/// An alert's id as receivers and the API see it.
pub fn name_of(id: u128) -> String {
    format!("msg_{id:032x}")
}

/// The id in a path.
pub fn id_from(name: &str) -> Option<u128> {
    let hex = name.strip_prefix("msg_").filter(|hex| hex.len() == 32)?;
    u128::from_str_radix(hex, 16).ok().filter(|id| name_of(*id) == name)
}

/// How long to wait before the attempt after this many, ms: about three days in all, then it is a dead letter.
pub fn backoff_ms(attempts: u32, id: u128) -> Option<u64> {
    const STEPS_S: [u64; 14] =
        [5, 30, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800, 43_200, 43_200, 86_400];
    let step_ms = STEPS_S.get(attempts.checked_sub(1)? as usize)? * 1_000;
    // A fifth more at the most, so that what failed together is not tried together.
    Some(step_ms + step_ms / 5 * (id as u64 % 16) / 16)
}

#[cfg(test)]
mod tests;
