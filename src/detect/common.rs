//! What a shard remembers across its sessions to judge them: one value, because all of it follows from the events in the
//! order of the journal and is saved with a fold.

use serde::{Deserialize, Serialize};

use super::bola_foreign_object::Ownership;
use super::crowd::Crowd;
use super::dry_run::DryRun;
use super::habits::Habits;

/// What detectors, correlation and the dry run know beside the sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Common {
    pub crowd: Crowd,
    pub habits: Habits,
    pub dry_run: DryRun,
    pub ownership: Ownership,
}
