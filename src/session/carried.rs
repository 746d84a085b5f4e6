//! What goes with an event in a batch beside what it says itself: attacks in it, rules it was stopped for, subjects it is
//! about.

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Severity};
use crate::inspect::Attack;

/// An attack in a single request, as it was recognised before the request was forwarded or recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    pub attack: Attack,
    pub severity: Severity,
    /// 0–100.
    pub confidence: u8,
    /// Where it stood, e.g. `query.id`; the client may have chosen the name.
    pub place: String,
    /// What was recognised, and the piece that shows it, redacted.
    pub what: String,
    /// Whether the request was stopped for it.
    pub stopped: bool,
}

/// Objects that an event handed out and asked for, as parts of keyed hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Objects {
    /// Method and template.
    pub endpoint: u32,
    /// What the object is one of, or what was listed.
    pub collection: u32,
    /// The object in the path.
    pub asked: Option<u32>,
    /// Objects in the answer.
    pub issued: Vec<u32>,
    /// Whether there may have been more.
    pub more: bool,
}

/// A rule that a request was stopped for, because it would have been broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Its action is the one that was taken.
    pub finding: Finding,
    /// For how long the session is stopped with it, ms; 0 where the request alone was.
    pub for_ms: u64,
}

/// Kinds of subject, a bit each by their number ([`crate::subject::Kind`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kinds(pub u8);
