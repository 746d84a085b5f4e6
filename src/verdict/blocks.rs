//! The block set: which subjects are stopped, until when, and how the set travels.
//!
//! The fleet object owns the set and numbers every change. Shards and isolates hold copies and ask for "what came
//! after version N", so that a change costs what changed and not the size of the set.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::subject::{Caller, Subject};
use super::{Action, Verdict};

/// Blocks that hold at one time, fleet-wide; one more is refused (manual) or counted and dropped (automatic).
pub const MAX_BLOCKS: usize = 50_000;

/// One subject stopped for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub subject: Subject,
    /// Throttle or block.
    pub action: Action,
    pub created_ms: u64,
    pub until_ms: u64,
    /// Why: an analyst's words, or the detector's name.
    pub reason: String,
    /// `admin`, or `detector`.
    pub by: String,
}

/// A numbered change of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockChange {
    Set(Block),
    Lifted(Subject),
}

impl BlockChange {
    /// The subject it is about.
    pub fn subject(&self) -> &Subject {
        match self {
            Self::Set(block) => &block.subject,
            Self::Lifted(subject) => subject,
        }
    }
}

/// A copy of the set, at a version.
#[derive(Debug, Default)]
pub struct BlockSet {
    version: u64,
    blocks: HashMap<Subject, Block>,
    /// Whether there may be one on a user.
    users: bool,
}

impl BlockSet {
    /// The version up to which changes were taken in.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether it may matter who the user of a request is.
    pub fn has_users(&self) -> bool {
        self.users
    }

    /// How many blocks are held, those not yet forgotten after their end included.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Takes in one change, whatever its version: used by whoever learns of it first-hand.
    pub fn apply(&mut self, change: BlockChange) {
        match change {
            BlockChange::Set(block) => {
                self.users |= matches!(block.subject, Subject::User(_));
                self.blocks.insert(block.subject.clone(), block);
            }
            BlockChange::Lifted(subject) => {
                self.blocks.remove(&subject);
            }
        }
    }

    /// Takes in the changes that lead to `version`; older news than what is held is ignored.
    pub fn advance(&mut self, version: u64, changes: impl IntoIterator<Item = BlockChange>) {
        if version <= self.version {
            return;
        }
        changes.into_iter().for_each(|change| self.apply(change));
        self.version = version;
    }

    /// Takes the whole set of `version` in place of what was held: for those too far behind for a delta.
    pub fn replace(&mut self, version: u64, blocks: impl IntoIterator<Item = Block>) {
        self.blocks = blocks.into_iter().map(|block| (block.subject.clone(), block)).collect();
        self.version = version;
        self.look_for_users();
    }

    fn look_for_users(&mut self) {
        self.users = self.blocks.keys().any(|subject| matches!(subject, Subject::User(_)));
    }

    /// The block on `subject` that holds at `now_ms`.
    pub fn get(&self, subject: &Subject, now_ms: u64) -> Option<&Block> {
        self.blocks.get(subject).filter(|block| block.until_ms > now_ms)
    }

    /// What the set says of a request of this caller.
    pub fn verdict(&self, caller: &Caller<'_>, now_ms: u64) -> Verdict {
        if self.blocks.is_empty() {
            return Verdict::ALLOW;
        }
        caller
            .subjects()
            .filter_map(|subject| self.get(&subject, now_ms))
            .map(|block| Verdict { action: block.action, until_ms: block.until_ms })
            .fold(Verdict::ALLOW, Verdict::stricter)
    }

    /// Forgets the blocks that ended before `now_ms`.
    pub fn forget_ended(&mut self, now_ms: u64) {
        self.blocks.retain(|_, block| block.until_ms > now_ms);
        self.look_for_users();
    }
}

/// What changed in the set since the version the asker holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockNews {
    pub version: u64,
    pub changes: BlockChanges,
}

/// Changes, or everything where the asker is too far behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum BlockChanges {
    Delta(Vec<BlockChange>),
    Whole(Vec<Block>),
}

/// Changes kept to answer with a delta; an asker further behind gets the whole set.
const LOG_LEN: usize = 1_000;

/// A set that can tell others what changed: the fleet's own, and each shard's copy of it.
#[derive(Debug, Default)]
pub struct BlockLog {
    set: BlockSet,
    /// The last changes with the version each led to; all those after some version, without a gap.
    log: VecDeque<(u64, BlockChange)>,
}

impl BlockLog {
    /// A log that starts from a known set.
    pub fn new(version: u64, blocks: impl IntoIterator<Item = Block>) -> Self {
        let mut log = Self::default();
        log.set.replace(version, blocks);
        log
    }

    /// The set as it stands.
    pub fn set(&self) -> &BlockSet {
        &self.set
    }

    /// Makes a change that gets the next version: the fleet's right alone.
    pub fn change(&mut self, change: BlockChange) -> u64 {
        let version = self.set.version() + 1;
        self.set.advance(version, [change.clone()]);
        self.remember(version, change);
        version
    }

    /// Takes in a change learned first-hand, before the fleet has numbered it.
    pub fn foresee(&mut self, change: BlockChange) {
        self.set.apply(change);
    }

    /// Takes in what the fleet answered. Changes between two versions arrive under the later one.
    pub fn take(&mut self, news: BlockNews) {
        if news.version <= self.set.version() {
            return;
        }
        match news.changes {
            BlockChanges::Delta(changes) => {
                for change in &changes {
                    self.remember(news.version, change.clone());
                }
                self.set.advance(news.version, changes);
            }
            BlockChanges::Whole(blocks) => {
                self.log.clear();
                self.set.replace(news.version, blocks);
            }
        }
    }

    /// What someone who holds `version` has to learn.
    pub fn news_since(&self, version: u64) -> BlockNews {
        let current = self.set.version();
        let reaches_back = self.log.front().is_some_and(|(first, _)| *first <= version + 1);
        let changes = if version >= current {
            BlockChanges::Delta(Vec::new())
        } else if reaches_back {
            let after = self.log.iter().filter(|(v, _)| *v > version);
            BlockChanges::Delta(after.map(|(_, change)| change.clone()).collect())
        } else {
            BlockChanges::Whole(self.set.blocks.values().cloned().collect())
        };
        BlockNews { version: current, changes }
    }

    /// The blocks that hold at `now_ms`.
    pub fn holding(&self, now_ms: u64) -> impl Iterator<Item = &Block> {
        self.set.blocks.values().filter(move |block| block.until_ms > now_ms)
    }

    /// Forgets the blocks that ended before `now_ms`.
    pub fn forget_ended(&mut self, now_ms: u64) {
        self.set.forget_ended(now_ms);
    }

    fn remember(&mut self, version: u64, change: BlockChange) {
        self.log.push_back((version, change));
        // Changes of one version stay together, so that a delta never starts in the middle of one.
        while self.log.len() > LOG_LEN {
            let Some((oldest, _)) = self.log.pop_front() else { break };
            while self.log.front().is_some_and(|(v, _)| *v == oldest) {
                self.log.pop_front();
            }
        }
    }
}

impl BlockSet {
    /// Takes in news, of the fleet's versions or first-hand from a shard that is not further than this set.
    pub fn take(&mut self, news: BlockNews) {
        match news.changes {
            BlockChanges::Whole(blocks) if news.version > self.version => self.replace(news.version, blocks),
            BlockChanges::Whole(_) => {}
            BlockChanges::Delta(changes) if news.version > self.version => self.advance(news.version, changes),
            // A shard adds what its detectors just imposed to any news: it is newer than every version.
            BlockChanges::Delta(changes) => changes.into_iter().for_each(|change| self.apply(change)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    fn of(session: SessionId) -> Caller<'static> {
        Caller { session, ..Caller::default() }
    }

    fn session(n: u8) -> SessionId {
        SessionId([n; 16])
    }

    fn block(subject: Subject, until_ms: u64) -> Block {
        let (reason, by) = ("test".to_owned(), "admin".to_owned());
        Block { subject, action: Action::Block, created_ms: 0, until_ms, reason, by }
    }

    #[test]
    fn a_block_holds_until_its_end_and_not_a_moment_longer() {
        let mut set = BlockSet::default();
        set.apply(BlockChange::Set(block(Subject::Session(session(1)), 1_000)));
        assert_eq!(set.verdict(&of(session(1)), 999).action, Action::Block);
        assert_eq!(set.verdict(&of(session(1)), 1_000), Verdict::ALLOW);
        assert_eq!(set.verdict(&of(session(2)), 0), Verdict::ALLOW);
    }

    #[test]
    fn a_v6_block_covers_its_64_and_no_more() {
        let mut set = BlockSet::default();
        set.apply(BlockChange::Set(block(Subject::ip("2001:db8:1:2:3::4".parse().unwrap()), 10)));
        let verdict = |ip: &str| set.verdict(&Caller { ip: ip.parse().ok(), ..of(session(1)) }, 0).action;
        assert_eq!(verdict("2001:db8:1:2:ffff::1"), Action::Block);
        assert_eq!(verdict("2001:db8:1:3::1"), Action::Allow);
    }

    #[test]
    fn news_older_than_what_is_held_is_ignored() {
        let mut set = BlockSet::default();
        set.advance(2, [BlockChange::Lifted(Subject::Session(session(1)))]);
        set.advance(1, [BlockChange::Set(block(Subject::Session(session(1)), 1_000))]);
        assert!(set.is_empty());
        assert_eq!(set.version(), 2);
    }

    #[test]
    fn a_copy_that_asks_now_and_then_ends_up_with_the_same_set() {
        let (mut fleet, mut copy) = (BlockLog::default(), BlockSet::default());
        for n in 0..3_000u32 {
            let subject = Subject::Session(session((n % 50) as u8));
            fleet.change(if n % 7 == 0 {
                BlockChange::Lifted(subject)
            } else {
                BlockChange::Set(block(subject, u64::from(n)))
            });
            // Often enough for a delta, and now and then too late for one.
            if n % 13 == 0 && !(500..2_000).contains(&n) {
                copy.take(fleet.news_since(copy.version()));
            }
        }
        copy.take(fleet.news_since(copy.version()));
        assert_eq!(copy.version(), fleet.set().version());
        assert_eq!(copy.blocks, fleet.set().blocks);
    }

    #[test]
    fn an_asker_within_the_log_gets_a_delta_and_one_beyond_it_everything() {
        let mut fleet = BlockLog::default();
        for n in 0..=LOG_LEN as u64 {
            fleet.change(BlockChange::Set(block(Subject::Session(session(1)), n)));
        }
        assert!(matches!(fleet.news_since(1).changes, BlockChanges::Delta(c) if c.len() == LOG_LEN));
        assert!(matches!(fleet.news_since(0).changes, BlockChanges::Whole(b) if b.len() == 1));
    }

    #[test]
    fn what_a_shard_imposed_reaches_an_isolate_before_the_fleet_has_numbered_it() {
        let mut isolate = BlockSet::default();
        isolate.advance(5, []);
        let first_hand = vec![BlockChange::Set(block(Subject::Session(session(1)), 10))];
        isolate.take(BlockNews { version: 4, changes: BlockChanges::Delta(first_hand) });
        assert_eq!((isolate.verdict(&of(session(1)), 0).action, isolate.version()), (Action::Block, 5));
    }
}
