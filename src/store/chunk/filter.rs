//! A Bloom filter: whether a chunk may hold a key, in two and a half bytes a key.
//!
//! Keys are outputs of keyed hashes, so their own bits serve as the hashes and nobody can choose them to collide.

/// Bits a key: with [`PROBES`] probes, nine keys in 100,000 that are not there look as if they were.
const BITS_PER_KEY: usize = 20;
const PROBES: u64 = 10;

/// Which keys were put in, with false positives and without false negatives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyFilter(Box<[u64]>);

impl KeyFilter {
    /// A filter of these keys.
    pub fn of(keys: impl ExactSizeIterator<Item = u128>) -> Self {
        let mut words = vec![0u64; (keys.len() * BITS_PER_KEY).div_ceil(64)].into_boxed_slice();
        for key in keys {
            for bit in places(key, words.len()) {
                if let Some(word) = words.get_mut(bit / 64) {
                    *word |= 1 << (bit % 64);
                }
            }
        }
        Self(words)
    }

    /// Whether the key may be among those put in.
    pub fn may_hold(&self, key: u128) -> bool {
        !self.0.is_empty()
            && places(key, self.0.len()).all(|bit| self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1))
    }

    /// The filter as bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads what [`KeyFilter::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    /// Memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.0.len() * 8
    }
}

/// The bits of a key among `words` words: double hashing (Kirsch and Mitzenmacher, "Less Hashing, Same Performance").
fn places(key: u128, words: usize) -> impl Iterator<Item = usize> {
    let (one, other) = (key as u64, (key >> 64) as u64 | 1);
    let bits = words as u128 * 64;
    (0..PROBES).map(move |i| {
        let hash = one.wrapping_add(i.wrapping_mul(other)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The upper half of the product lies below `bits`.
        ((u128::from(hash) * bits) >> 64) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As uniform as the output of a keyed hash.
    fn key(n: u64) -> u128 {
        let half = |n: u64| {
            let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        u128::from(half(2 * n + 1)) << 64 | u128::from(half(2 * n + 2))
    }

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let filter = KeyFilter::of((0..5_000).map(key).collect::<Vec<_>>().into_iter());
        let filter = KeyFilter::decode(&filter.encode());
        assert!((0..5_000).all(|n| filter.may_hold(key(n))));
        let wrong = (5_000..205_000).filter(|n| filter.may_hold(key(*n))).count();
        assert!(wrong < 40, "{wrong} of 200,000");
        assert!(!KeyFilter::default().may_hold(key(1)));
    }
}
