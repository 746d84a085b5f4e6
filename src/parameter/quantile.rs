//! A sketch of how large values are: quantiles with a bounded relative error, in half a kilobyte.
//!
//! Values are counted in buckets whose bounds grow by a constant factor, as in DDSketch (Masson, Rim and Lee 2019,
//! arXiv:1908.10693), here by 2^(1/18): the middle of a bucket is within 1.93 % of all that is in it. Buckets are found
//! by comparing integers, not by a logarithm, so native code and Wasm agree. Beyond [`MAX_BUCKETS`] the lowest ones
//! become one: high quantiles are what is asked for.
//!
//! Which buckets are left does not depend on the order of values or of merges: always the highest that were in use.

use serde::{Deserialize, Serialize};

use super::Decimal;

/// Buckets kept: a factor of 40 between the lowest and the highest, if all between are in use. At five bytes each the
/// sketch stays below 512 bytes up to 268 million values.
const MAX_BUCKETS: usize = 96;
const PER_OCTAVE: u32 = 18;
/// 2^(i/18), times 2^31: where the parts of an octave begin.
const STEPS: [u32; PER_OCTAVE as usize] = [
    2147483648, 2231792194, 2319410628, 2410468894, 2505102037, 2603450405, 2705659852, 2811881964, 2922274274,
    3037000500, 3156230789, 3280141967, 3408917802, 3542749276, 3681834871, 3826380858, 3976601609, 4132719911,
];

/// How often values of each size were seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct Quantiles {
    /// Bucket and count, lowest first. 0 is zero; below it are negative amounts.
    buckets: Vec<(i16, u32)>,
}

/// As it is encoded: each bucket with the gap to the one before, which takes a byte as a rule.
#[derive(Serialize, Deserialize)]
struct Packed {
    first: i16,
    buckets: Vec<(u16, u32)>,
}

impl From<Quantiles> for Packed {
    fn from(quantiles: Quantiles) -> Self {
        let first = quantiles.buckets.first().map_or(0, |(bucket, _)| *bucket);
        let mut before = first;
        let buckets = quantiles.buckets.iter().map(|(bucket, count)| {
            let gap = bucket.abs_diff(before);
            before = *bucket;
            (gap, *count)
        });
        Self { first, buckets: buckets.collect() }
    }
}

impl From<Packed> for Quantiles {
    fn from(packed: Packed) -> Self {
        let mut quantiles = Self::default();
        let mut at = packed.first;
        for (gap, count) in packed.buckets {
            at = at.saturating_add_unsigned(gap);
            quantiles.add(at, count);
        }
        quantiles
    }
}

impl Quantiles {
    /// Takes in a value.
    pub fn see(&mut self, value: Decimal) {
        self.add(bucket_of(value), 1);
    }

    /// Takes in every value of `other`.
    pub fn merge(&mut self, other: &Self) {
        other.buckets.iter().for_each(|(bucket, count)| self.add(*bucket, *count));
    }

    /// How many values were taken in.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The value below which a share of `q` (0 to 1) of all values lies, within 2 %; for the lowest quantiles of values
    /// that differ by more than a factor of 40 only an upper bound. `None` where there are no values.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = ((q.clamp(0.0, 1.0) * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            below += u64::from(*count);
            below >= rank
        });
        found.map(|(bucket, _)| middle_of(*bucket))
    }

    /// Adds every count of `other`, times `weight`.
    pub(super) fn merge_weighted(&mut self, other: &Self, weight: u32) {
        other.buckets.iter().for_each(|(bucket, count)| self.add(*bucket, count.saturating_mul(weight)));
    }

    /// Multiplies every count by `share` / 65536, rounded down, so that what is not renewed is gone some day.
    pub(super) fn fade(&mut self, share: u16) {
        self.buckets.retain_mut(|(_, count)| {
            // Smaller than it was, so it fits.
            *count = ((u64::from(*count) * u64::from(share)) >> 16) as u32;
            *count > 0
        });
    }

    fn add(&mut self, bucket: i16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, mine)) = self.buckets.get_mut(at) {
                    *mine = mine.saturating_add(count);
                }
            }
            Err(at) => {
                self.buckets.insert(at, (bucket, count));
                if self.buckets.len() > MAX_BUCKETS {
                    let (_, lowest) = self.buckets.remove(0);
                    if let Some((_, next)) = self.buckets.first_mut() {
                        *next = next.saturating_add(lowest);
                    }
                }
            }
        }
    }
}

fn bucket_of(value: Decimal) -> i16 {
    let size = value.billionths().unsigned_abs();
    let Some(octave) = size.checked_ilog2() else { return 0 };
    // The first 32 bits, of which the highest is set.
    let start = ((size << (127 - octave)) >> 96) as u32;
    let part = STEPS.partition_point(|step| *step <= start).saturating_sub(1);
    // At most 128 × 18.
    let bucket = (octave * PER_OCTAVE + part as u32 + 1) as u16;
    let bucket = bucket.cast_signed();
    if value.billionths() < 0 { -bucket } else { bucket }
}

/// The value that is no further, relatively, from one end of the bucket than from the other.
fn middle_of(bucket: i16) -> f64 {
    let Some(at) = u32::from(bucket.unsigned_abs()).checked_sub(1) else { return 0.0 };
    let (octave, part) = (at / PER_OCTAVE, (at % PER_OCTAVE) as usize);
    let step = |part: usize| STEPS.get(part).map_or(4_294_967_296.0, |step| f64::from(*step));
    let (low, high) = (step(part), step(part + 1));
    let unit = 1_u128.checked_shl(octave).unwrap_or(u128::MAX) as f64 / 2_147_483_648.0 / 1e9;
    let middle = 2.0 * low * high / (low + high) * unit;
    if bucket < 0 { -middle } else { middle }
}
