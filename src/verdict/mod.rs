//! What is done about a request, a session, a user, a device or an address: verdicts and the set of blocks.
//!
//! Detectors state findings; this module says what follows from them. Turning a verdict into a response is the
//! edge's work alone.

mod allow;
mod blocks;
mod subject;

pub use allow::Allowed;
pub use blocks::{Block, BlockChange, BlockChanges, BlockLog, BlockNews, BlockSet, MAX_BLOCKS};
pub use subject::{Caller, KINDS, Subject};

use serde::{Deserialize, Serialize};

/// What is done with a request, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    #[default]
    Allow,
    /// Passed on, and remembered as suspicious.
    Tag,
    /// Answered 429.
    Throttle,
    /// Answered 403.
    Block,
}

impl Action {
    /// The name the API and the configuration use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Tag => "tag",
            Self::Throttle => "throttle",
            Self::Block => "block",
        }
    }
}

/// The answer to "may this request go on?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub action: Action,
    /// Until when a throttle or block holds, epoch ms; 0 for the others.
    pub until_ms: u64,
}

impl Verdict {
    /// Nothing stands against the request.
    pub const ALLOW: Self = Self { action: Action::Allow, until_ms: 0 };

    /// The stricter of two verdicts; of two equally strict ones the longer.
    pub fn stricter(self, other: Self) -> Self {
        if (other.action, other.until_ms) > (self.action, self.until_ms) { other } else { self }
    }
}
