//! Sixteenths of a shard's sessions and subjects, which are folded one after the other: a fold never takes longer than one
//! of them.

use serde::{Deserialize, Serialize};

use crate::session::SessionId;
use crate::subject::SubjectKey;

/// Parts of a shard's sessions and subjects.
pub const PARTITIONS: usize = 16;

/// The part a session is in: the first four bits of its id, which are uniformly distributed.
pub fn partition(id: SessionId) -> usize {
    let [first, ..] = id.0;
    usize::from(first >> 4)
}

/// The part a subject is in: the first four bits of its hash, which are just as uniform.
pub fn partition_of(key: &SubjectKey) -> usize {
    let [first, ..] = key.hash;
    usize::from(first >> 4)
}

/// How far each part is folded. What is written last of a slice, so that all of it counts or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks {
    /// Journal position up to which each part is folded: the events of its sessions into chunks, what is said of its
    /// subjects into rows of theirs.
    upto: [u64; PARTITIONS],
    /// The newest chunk that counts.
    pub last_chunk: u64,
    /// The newest row of subjects that counts.
    pub last_subjects: u64,
}

impl Marks {
    /// Whether the events of the session at this position are in chunks.
    pub fn is_folded(&self, id: SessionId, position: u64) -> bool {
        self.is_part_folded(partition(id), position)
    }

    /// Whether what the journal says at this position of the part is folded.
    pub fn is_part_folded(&self, part: usize, position: u64) -> bool {
        self.upto.get(part).is_some_and(|upto| position <= *upto)
    }

    /// Whether something that came after this position is in chunks.
    pub fn folded_beyond(&self, position: u64) -> bool {
        self.upto.iter().any(|upto| *upto > position)
    }

    /// Notes that these parts are folded.
    pub fn fold(&mut self, parts: &core::ops::Range<usize>, upto: u64, last_chunk: u64) {
        if let Some(marks) = self.upto.get_mut(parts.clone()) {
            marks.fill(upto);
        }
        self.last_chunk = last_chunk;
    }
}
