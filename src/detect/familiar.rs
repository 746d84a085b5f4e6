//! Who was let in where: the machines that users logged in with, so that an owner who mistypes while somebody else guesses
//! is told from the guesser.
//!
//! Pairs of user and machine in two Bloom filters, of which the older one goes when the newer is full: between 13,000 and
//! 26,000 pairs are remembered in 32 KB, of those asked for in vain one in a hundred is taken for known. What is in it cannot be
//! read out of it. No number of guesses fills it: only a success is noted.

use serde::{Deserialize, Serialize};

/// Of one filter, in words of 64 bits; and the pairs beyond which more than one in a hundred would be wrong.
const WORDS: usize = 2_048;
const FULL: u32 = 13_000;
/// Bits set for each pair.
const BITS: u32 = 7;

/// Pairs that were let in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Familiar {
    /// Empty until there is one.
    newer: Vec<u64>,
    older: Vec<u64>,
    count: u32,
}

impl Familiar {
    /// Whether the pair was let in.
    pub fn has(&self, user: u64, machine: u64) -> bool {
        let has = |filter: &[u64]| {
            places(user, machine).all(|(word, bit)| filter.get(word).is_some_and(|bits| bits & bit != 0))
        };
        has(&self.newer) || has(&self.older)
    }

    /// Notes that the pair was let in.
    pub fn let_in(&mut self, user: u64, machine: u64) {
        if self.newer.is_empty() || self.count >= FULL {
            self.older = core::mem::replace(&mut self.newer, vec![0; WORDS]);
            self.count = 0;
        }
        let mut is_new = false;
        for (word, bit) in places(user, machine) {
            if let Some(bits) = self.newer.get_mut(word) {
                is_new |= *bits & bit == 0;
                *bits |= bit;
            }
        }
        self.count += u32::from(is_new);
    }
}

/// Where a pair stands in a filter.
fn places(user: u64, machine: u64) -> impl Iterator<Item = (usize, u64)> {
    let mixed = (user.rotate_left(29) ^ machine).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (first, step) = (mixed >> 32, (mixed & 0xffff_ffff) | 1);
    (0..u64::from(BITS)).map(move |n| {
        let place = first.wrapping_add(step.wrapping_mul(n)) as usize & (WORDS * 64 - 1);
        (place / 64, 1 << (place % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(n: u64) -> u64 {
        n.wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    #[test]
    fn the_last_ones_are_remembered_and_few_others_are_taken_for_them() {
        let mut familiar = Familiar::default();
        assert!(!familiar.has(1, 2));
        let all = u64::from(FULL) * 3;
        (0..all).for_each(|n| familiar.let_in(spread(n), spread(n + 7)));
        assert!((all - u64::from(FULL)..all).all(|n| familiar.has(spread(n), spread(n + 7))));
        let wrong = (all..all + 10_000).filter(|n| familiar.has(spread(*n), spread(n + 7))).count();
        assert!(wrong < 300, "{wrong} of 10,000");
        let other_machine = (all - 10_000..all).filter(|n| familiar.has(spread(*n), spread(n + 8))).count();
        assert!(other_machine < 300, "{other_machine} of 10,000");
        assert!(familiar.newer.len() == WORDS && familiar.older.len() == WORDS, "it does not grow");
    }
}
