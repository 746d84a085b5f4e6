//! Links that were taken back: the far end has to hear of it whichever end is folded first.
//!
//! A session that turns out to be somebody else's takes leave of its predecessor. Once it is folded, a replay passes over
//! the event that told so, and its state no longer knows from whom it parted; where the predecessor is not folded that far
//! yet, it would keep its end of the link. So partings are written with each slice, until the fold is through.

use serde::{Deserialize, Serialize};

use super::hot::Hot;
use super::partition::Marks;
use crate::session::SessionId;

/// Partings remembered; of more in one fold, a crash in the middle of it may leave far ends.
const MAX_PARTINGS: usize = 4_096;

/// One parting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Parting {
    /// Journal position of the event that told.
    position: u64,
    session: SessionId,
    predecessor: SessionId,
}

/// Partings of the fold under way, in the order they came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parted(Vec<Parting>);

impl Parted {
    /// A session takes leave of its predecessor, which forgets it if it is in memory and not folded that far.
    pub fn part(&mut self, position: u64, session: SessionId, predecessor: SessionId, hot: &mut Hot, marks: &Marks) {
        let parting = Parting { position, session, predecessor };
        if self.0.len() < MAX_PARTINGS && !self.0.contains(&parting) {
            self.0.push(parting);
        }
        forget(&parting, hot, marks);
    }

    /// Repeats what the event of a folded session at this position told.
    pub fn repeat(&self, position: u64, session: SessionId, hot: &mut Hot, marks: &Marks) {
        let told = self.0.iter().filter(|parting| (parting.position, parting.session) == (position, session));
        told.for_each(|parting| forget(parting, hot, marks));
    }

    /// Everything up to this position is folded, on both ends.
    pub fn folded(&mut self, upto: u64) {
        self.0.retain(|parting| parting.position > upto);
    }

    /// The far ends.
    pub fn predecessors(&self) -> impl Iterator<Item = SessionId> {
        self.0.iter().map(|parting| parting.predecessor)
    }
}

fn forget(parting: &Parting, hot: &mut Hot, marks: &Marks) {
    let Parting { position, session, predecessor } = *parting;
    if marks.is_folded(predecessor, position) {
        return;
    }
    if let Some(tracked) = hot.get_mut(predecessor) {
        tracked.session.successors.retain(|link| link.session != session);
        tracked.dirty = true;
    }
}
