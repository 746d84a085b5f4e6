//! When a shard that did not take a flush is tried again.
//!
//! One of these stands for each shard an isolate writes to. What waits is all that goes to that shard: a shard in trouble
//! is asked with one flush at a time, after growing waits that no two isolates share, and other shards notice nothing.

/// Why a flush was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No answer in time, a broken connection, an error of the shard's own.
    Failed,
    /// The platform says that the shard has more to do than it can: whatever comes at once makes it worse.
    Overloaded,
}

impl Trouble {
    /// The first wait, and what no wait grows beyond before it is scattered, ms.
    fn waits_ms(self) -> (u64, u64) {
        match self {
            Self::Failed => (200, 5_000),
            Self::Overloaded => (1_000, 20_000),
        }
    }
}

/// How long to wait after the `failures`-th failure in a row (from 1), ms: doubled with each, up to a bound, and as much
/// as half again, by `random` out of 0..1.
pub fn wait_ms(trouble: Trouble, failures: u32, random: f64) -> u64 {
    let (first, most) = trouble.waits_ms();
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most);
    // Half of a bound of seconds is far below 2⁵³.
    doubled + (random.clamp(0.0, 1.0) * (doubled / 2) as f64) as u64
}

/// Flushes a shard that recovers may be sent at once before it counts as well again. Were all that waits sent at once,
/// one more failure would lose them together, and nothing would ever get through.
const MOST_RECOVERING: usize = 32;

/// How a shard has been taking flushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
    not_before_ms: u64,
    /// While it recovers: how many flushes it may be sent at once; 0 while it is well.
    recovering: usize,
}

impl Backoff {
    /// A flush was not confirmed. Flushes that fail while the shard is waited for anyway were sent before, side by side,
    /// and count as one; the longer wait holds.
    pub fn failed(&mut self, trouble: Trouble, now_ms: u64, random: f64) {
        if self.left_ms(now_ms) == 0 {
            self.failures = self.failures.saturating_add(1);
        }
        self.recovering = 1;
        self.not_before_ms = self.not_before_ms.max(now_ms + wait_ms(trouble, self.failures, random));
    }

    /// A flush was confirmed: twice as many may be sent at once. One that was sent before another failed says nothing
    /// about the time after.
    pub fn succeeded(&mut self, now_ms: u64) {
        if self.left_ms(now_ms) == 0 {
            let recovering = if self.recovering < MOST_RECOVERING { self.recovering * 2 } else { 0 };
            *self = Self { recovering, ..Self::default() };
        }
    }

    /// How many flushes the shard may be sent at once.
    pub fn at_once(&self) -> usize {
        if self.recovering == 0 { usize::MAX } else { self.recovering }
    }

    /// How long the shard is to be left alone, ms.
    pub fn left_ms(&self, now_ms: u64) -> u64 {
        self.not_before_ms.saturating_sub(now_ms)
    }

    /// Whether the shard was in trouble lately: then few flushes are sent at once, and the fewer there are the sooner
    /// all are through.
    pub fn is_recovering(&self) -> bool {
        self.recovering > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_scattered() {
        let waits = |trouble, random| [1, 2, 3, 4, 5, 6, 60, u32::MAX].map(|n| wait_ms(trouble, n, random));
        assert_eq!(waits(Trouble::Overloaded, 0.0), [1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000]);
        assert_eq!(waits(Trouble::Overloaded, 1.0), [1_500, 3_000, 6_000, 12_000, 24_000, 30_000, 30_000, 30_000]);
        assert_eq!(waits(Trouble::Failed, 0.5), [250, 500, 1_000, 2_000, 4_000, 6_250, 6_250, 6_250]);
        for random in [f64::NAN, -1.0, 2.0, f64::INFINITY] {
            assert!((200..=300).contains(&wait_ms(Trouble::Failed, 0, random)), "{random}");
        }
    }

    #[test]
    fn a_shard_too_busy_is_left_alone_and_then_asked_with_one_flush() {
        let mut shard = Backoff::default();
        assert_eq!((shard.left_ms(5), shard.is_recovering()), (0, false));
        shard.failed(Trouble::Overloaded, 10_000, 0.0);
        assert_eq!((shard.left_ms(10_000), shard.left_ms(10_999), shard.left_ms(11_000)), (1_000, 1, 0));
        assert_eq!((shard.at_once(), shard.is_recovering()), (1, true));
        shard.failed(Trouble::Overloaded, 11_000, 0.0);
        assert_eq!(shard.left_ms(11_000), 2_000);
        shard.succeeded(13_000);
        assert_eq!((shard.left_ms(13_000), shard.at_once()), (0, 2));
    }

    #[test]
    fn a_shard_that_recovers_is_sent_twice_as_much_after_each_success() {
        let mut shard = Backoff::default();
        assert_eq!(shard.at_once(), usize::MAX);
        shard.failed(Trouble::Failed, 1_000, 0.0);
        let mut allowed = vec![shard.at_once()];
        for now_ms in 2_000..2_006 {
            shard.succeeded(now_ms);
            allowed.push(shard.at_once());
        }
        assert_eq!(allowed, [1, 2, 4, 8, 16, 32, usize::MAX]);
        assert_eq!(shard, Backoff::default());
    }

    #[test]
    fn flushes_that_fail_side_by_side_count_as_one() {
        let mut shard = Backoff::default();
        (0..5).for_each(|n| shard.failed(Trouble::Failed, 1_000 + n, 0.0));
        assert!(shard.left_ms(1_004) <= 200, "{shard:?}");
        // One of them knows that the shard is too busy.
        shard.failed(Trouble::Overloaded, 1_005, 0.0);
        assert_eq!(shard.left_ms(1_005), 1_000);
    }

    #[test]
    fn a_success_from_before_the_trouble_does_not_end_it() {
        let mut shard = Backoff::default();
        shard.failed(Trouble::Overloaded, 1_000, 0.0);
        shard.succeeded(1_500);
        assert_eq!(shard.left_ms(1_500), 500);
    }
}
