//! A count per key that cannot grow without bound.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts for up to `CAP` keys, first come first kept; what came for others is counted together in `rest`.
///
/// Ordered rather than hashed: keys are often the client's to choose, and no choice makes a look-up slow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally<K: Ord, const CAP: usize> {
    counts: BTreeMap<K, u64>,
    rest: u64,
}

impl<K: Ord, const CAP: usize> Default for Tally<K, CAP> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), rest: 0 }
    }
}

impl<K: Ord, const CAP: usize> Tally<K, CAP> {
    /// Counts one more of `key`; `own` makes the owned key where it is new.
    pub fn count<Q: Ord + ?Sized>(&mut self, key: &Q, own: impl FnOnce() -> K)
    where
        K: Borrow<Q>,
    {
        if let Some(n) = self.counts.get_mut(key) {
            *n += 1;
        } else if self.counts.len() < CAP {
            self.counts.insert(own(), 1);
        } else {
            self.rest += 1;
        }
    }

    /// Whether `key` has been counted by itself.
    pub fn has<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.counts.contains_key(key)
    }

    /// Keys with their counts, in the keys' order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(k, n)| (k, *n))
    }

    /// What was counted for keys that found no place.
    pub fn rest(&self) -> u64 {
        self.rest
    }

    /// How many keys have a place.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_beyond_the_cap_are_counted_together() {
        let mut tally = Tally::<String, 2>::default();
        for key in ["a", "b", "a", "c", "d", "b"] {
            tally.count(key, || key.to_owned());
        }
        assert_eq!(tally.iter().map(|(k, n)| (k.as_str(), n)).collect::<Vec<_>>(), [("a", 2), ("b", 2)]);
        assert_eq!(tally.rest(), 2);
        assert!(tally.has("a") && !tally.has("c"));
    }
}
