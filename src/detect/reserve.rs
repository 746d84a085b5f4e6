//! Attempts that were let go on and have no outcome yet: until it is known each counts as a failure, so that ten guesses at
//! once are ten guesses.
//!
//! In memory alone. An attempt is forgotten with its outcome, or when that is long overdue.

use std::collections::BTreeMap;

use super::crowd::Of;
use crate::session::EventId;

/// How long an outcome is waited for, ms.
const OVERDUE_MS: u64 = 30_000;
/// Attempts under way at one time; beyond that the oldest no longer count.
const MAX_ATTEMPTS: usize = 10_000;

/// Whom an attempt counts for, with a part of the hash of what was tried there.
pub type Keys = Vec<((Of, u64), Option<u32>)>;

/// Attempts under way.
#[derive(Debug, Default)]
pub struct Reservations {
    /// By the event that each will be; their ids rise with time.
    attempts: BTreeMap<EventId, (u64, Keys)>,
    counts: BTreeMap<(Of, u64), Vec<Option<u32>>>,
}

impl Reservations {
    /// Lets an attempt go on. The same one, asked for again, counts once.
    pub fn reserve(&mut self, id: EventId, keys: Keys, now_ms: u64) {
        self.settle(id);
        while self.attempts.len() >= MAX_ATTEMPTS {
            let Some(oldest) = self.attempts.first_key_value().map(|(id, _)| *id) else { break };
            self.settle(oldest);
        }
        for (key, tried) in &keys {
            self.counts.entry(*key).or_default().push(*tried);
        }
        self.attempts.insert(id, (now_ms, keys));
    }

    /// The outcome is known: from here on that counts.
    pub fn settle(&mut self, id: EventId) {
        let Some((_, keys)) = self.attempts.remove(&id) else { return };
        for (key, tried) in keys {
            let Some(under_way) = self.counts.get_mut(&key) else { continue };
            if let Some(at) = under_way.iter().position(|of| *of == tried) {
                under_way.swap_remove(at);
            }
            if under_way.is_empty() {
                self.counts.remove(&key);
            }
        }
    }

    /// Forgets attempts whose outcome is overdue.
    pub fn expire(&mut self, now_ms: u64) {
        while let Some((id, (at_ms, _))) = self.attempts.first_key_value()
            && at_ms.saturating_add(OVERDUE_MS) < now_ms
        {
            let id = *id;
            self.settle(id);
        }
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// What is tried under way for one of the crowd.
    pub fn of(&self, key: (Of, u64)) -> &[Option<u32>] {
        self.counts.get(&key).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    fn id(n: u64) -> EventId {
        EventId::new(1_000 + n, SessionId([1; 16]), n)
    }

    #[test]
    fn an_attempt_counts_until_its_outcome_is_known_or_overdue() {
        let (mut reservations, key) = (Reservations::default(), (Of::Ip, 7));
        reservations.reserve(id(1), vec![(key, Some(1))], 1_000);
        reservations.reserve(id(1), vec![(key, Some(1))], 1_000);
        reservations.reserve(id(2), vec![(key, Some(2))], 1_000);
        assert_eq!(reservations.of(key).len(), 2);
        reservations.settle(id(1));
        assert_eq!(reservations.of(key), [Some(2)]);
        reservations.expire(1_000 + OVERDUE_MS);
        assert!(!reservations.is_empty());
        reservations.expire(1_001 + OVERDUE_MS);
        assert!(reservations.is_empty() && reservations.of(key).is_empty());
    }

    #[test]
    fn no_flood_of_attempts_grows_it() {
        let mut reservations = Reservations::default();
        for n in 0..=MAX_ATTEMPTS as u64 {
            reservations.reserve(id(n), vec![((Of::User, n), None)], 0);
        }
        assert_eq!((reservations.attempts.len(), reservations.counts.len()), (MAX_ATTEMPTS, MAX_ATTEMPTS));
        assert!(reservations.of((Of::User, 0)).is_empty());
    }
}
