//! How many different values there were, when they are too many to keep.
//!
//! HyperLogLog (Flajolet et al. 2007) with 256 registers of four bits, read by the estimator of Ertl (2017,
//! arXiv:1702.01284, algorithm 6), which needs no correction tables and holds from nothing to full registers. The
//! standard error is 1.04 / √256 = 6.5 %, up to about two million values; beyond, the estimate flattens.
//!
//! It uses no logarithm and no power, only what IEEE 754 rounds the same everywhere, so native code and Wasm agree.

use serde::{Deserialize, Serialize};

const REGISTERS: f64 = 256.0;
/// Bits of a hash that a register looks at; its highest value is one more.
const BITS: u32 = 14;
/// Highest value of a register.
const FULL: usize = 15;

/// 256 registers, sixteen to a word: what few values leave empty takes a byte a word when encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sketch {
    words: [u64; 16],
}

impl Sketch {
    /// Takes in a value by 22 or more bits of a keyed hash. Order and repetition make no difference.
    pub fn insert(&mut self, hash: u64) {
        let (word, shift) = ((hash & 15) as usize, (hash >> 4 & 15) * 4);
        let rank = u64::from(((hash >> 8) | (1 << BITS)).trailing_zeros() + 1);
        if let Some(word) = self.words.get_mut(word)
            && (*word >> shift & 15) < rank
        {
            *word = (*word & !(15 << shift)) | (rank << shift);
        }
    }

    /// Takes in every value of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (word, theirs) in self.words.iter_mut().zip(other.words) {
            *word = (0..64).step_by(4).fold(0, |merged, shift| {
                let higher = (*word >> shift & 15).max(theirs >> shift & 15);
                merged | (higher << shift)
            });
        }
    }

    /// About how many different values went in. More values never make it smaller.
    pub fn estimate(&self) -> u64 {
        let mut having = [0u16; FULL + 1];
        for word in self.words {
            for shift in (0..64).step_by(4) {
                if let Some(count) = having.get_mut((word >> shift & 15) as usize) {
                    *count += 1;
                }
            }
        }
        let [empty, between @ .., full] = having.map(f64::from);
        let mut z = REGISTERS * tau(1.0 - full / REGISTERS);
        for count in between.into_iter().rev() {
            z = 0.5 * (z + count);
        }
        z += REGISTERS * sigma(empty / REGISTERS);
        // α∞ = 1 / (2 ln 2). An infinite z, of registers all empty, makes it 0; a z of 0, all full, the largest number.
        let estimate = REGISTERS * REGISTERS / (2.0 * core::f64::consts::LN_2 * z);
        estimate.round() as u64
    }
}

/// x + Σ x^(2^k) 2^(k-1), the share of registers still empty.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3, the share of registers full.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}
