//! A map that forgets what was put in longest ago, in constant time and bounded space.

use core::hash::Hash;
use std::collections::HashMap;

/// Two generations of at most `capacity` entries: when the young one is full it becomes the old one, and what was old is
/// forgotten. So the last `capacity` entries are always there, and never more than twice as many.
///
/// Keys are outputs of a keyed hash wherever a client could otherwise choose them to collide.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    capacity: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// An empty map that keeps at least the last `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity: capacity.max(1) }
    }

    /// Puts an entry in, as the youngest.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity && !self.young.contains_key(&key) {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// The value last put in under `key`, if it is not forgotten.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Whether `key` is not forgotten.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entries_are_there_and_never_more_than_twice_as_many() {
        let mut recent = Recent::new(100);
        for n in 0..1_000 {
            recent.insert(n, n);
            assert!(recent.young.len() + recent.old.len() <= 200);
        }
        assert!((900..1_000).all(|n| recent.get(&n) == Some(&n)));
        assert!((0..800).all(|n| !recent.contains(&n)));
    }

    #[test]
    fn the_newer_value_wins_over_an_old_generation() {
        let mut recent = Recent::new(1);
        recent.insert("a", 1);
        recent.insert("b", 2);
        recent.insert("a", 3);
        assert_eq!(recent.get(&"a"), Some(&3));
    }
}
