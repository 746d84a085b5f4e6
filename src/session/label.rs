//! What an analyst says of a finding or a session: whether it was what it was taken for.

use serde::{Deserialize, Serialize};

use super::detector::Detector;
use super::id::SessionId;

/// Whether it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    TruePositive,
    FalsePositive,
}

impl Judgement {
    /// Both, for filters.
    pub const ALL: [Self; 2] = [Self::TruePositive, Self::FalsePositive];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
        }
    }

    /// The judgement of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|judgement| judgement.name() == name)
    }
}

/// A label on a finding or a session; each has one at the most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The finding's id, or the session's.
    pub id: String,
    pub session: SessionId,
    /// Of a finding.
    pub detector: Option<Detector>,
    pub judgement: Judgement,
    pub note: String,
    /// `admin`.
    pub by: String,
    pub time_ms: u64,
    /// Of a finding: `METHOD template` of the request that completed it, and where in that it stood.
    pub endpoint: String,
    pub place: String,
}
