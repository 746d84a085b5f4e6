//! How many different sessions: exactly while they are few, by a sketch when they are many; parts add up to the whole.

use serde::{Deserialize, Serialize};

/// Sessions counted exactly …
pub const EXACT: usize = 1_024;
/// … and registers of the sketch beyond that: HyperLogLog with 2¹¹ of them errs by 2.3 % (Flajolet et al. 2007,
/// 1.04 / √m), one standard deviation.
const REGISTER_BITS: u32 = 11;

/// A set of 64-bit hashes that knows how large it is. Hashes have to be uniformly distributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distinct {
    /// Sorted.
    Exact(Vec<u64>),
    Sketch(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    /// Puts a hash in.
    pub fn insert(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    hashes.insert(at, hash);
                    if hashes.len() > EXACT {
                        let mut sketch = vec![0; 1 << REGISTER_BITS];
                        hashes.iter().for_each(|hash| note(&mut sketch, *hash));
                        *self = Self::Sketch(sketch);
                    }
                }
            }
            Self::Sketch(registers) => note(registers, hash),
        }
    }

    /// Puts everything in that is in the other.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(hashes)) => hashes.iter().for_each(|hash| self.insert(*hash)),
            (Self::Exact(hashes), Self::Sketch(theirs)) => {
                let mut sketch = theirs.clone();
                hashes.iter().for_each(|hash| note(&mut sketch, *hash));
                *self = Self::Sketch(sketch);
            }
            (Self::Sketch(ours), Self::Sketch(theirs)) => {
                ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours = (*ours).max(*theirs));
            }
        }
    }

    /// How many different hashes were put in.
    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Sketch(registers) => estimate(registers),
        }
    }
}

fn note(registers: &mut [u8], hash: u64) {
    let rank = (hash << REGISTER_BITS).leading_zeros().min(u64::BITS - REGISTER_BITS) as u8 + 1;
    if let Some(register) = registers.get_mut((hash >> (u64::BITS - REGISTER_BITS)) as usize) {
        *register = (*register).max(rank);
    }
}

/// HyperLogLog's estimate; beyond [`EXACT`] its correction for few is needed up to 2.5 times the registers.
fn estimate(registers: &[u8]) -> u64 {
    let m = registers.len() as f64;
    let sum: f64 = registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let empty = registers.iter().filter(|rank| **rank == 0).count();
    let estimate = if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw };
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        let mut z = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn of(numbers: impl Iterator<Item = u64>) -> Distinct {
        let mut distinct = Distinct::default();
        numbers.for_each(|n| distinct.insert(hash(n)));
        distinct
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_seven_in_a_hundred() {
        assert_eq!(of((0..EXACT as u64).chain(0..500)).count(), EXACT as u64);
        for many in [EXACT as u64 + 1, 3_000, 20_000, 1_000_000] {
            let error = of(0..many).count() as f64 / many as f64 - 1.0;
            assert!(error.abs() < 0.07, "{many}: {error}");
        }
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        for (a, b) in [(10, 30), (900, 1_500), (5_000, 9_000)] {
            let (low, high, whole) = (of(0..b), of(a..2 * b), of(0..2 * b));
            let mut merged = low.clone();
            merged.merge(&high);
            let mut other = high;
            other.merge(&low);
            assert_eq!((merged.count(), other.count()), (whole.count(), whole.count()), "{a} {b}");
        }
    }
}
