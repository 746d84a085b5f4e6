//! How often something happened over the last minute, ten minutes, hour and day.
//!
//! Time is cut into buckets, and a bucket grows coarser as it ages: six seconds wide while it counts for the last
//! minute, then one minute, six minutes, two hours. A count over a window is exact for a stretch that ends now and is
//! at least the window and at most a tenth longer: limits are never missed, and met early by a tenth at the most.
//!
//! Which bucket a moment belongs to follows from that moment and the newest one seen. So sightings may come in any
//! order, up to a day late, and leave the same state.

use serde::{Deserialize, Serialize};

/// Width of the finest bucket, ms; times are kept as multiples of it.
const TICK_MS: u64 = 6_000;
/// Most buckets that can be in use: 11 of a tick, 11 of a minute, 11 of six minutes, 13 of two hours, and a margin.
const MAX_BUCKETS: usize = 48;

/// A stretch of time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    Minute,
    TenMinutes,
    Hour,
    Day,
}

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::TenMinutes => "10m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Its length in ms.
    pub fn length_ms(self) -> u64 {
        u64::from(self.ticks()) * TICK_MS
    }

    fn ticks(self) -> u32 {
        match self {
            Self::Minute => 10,
            Self::TenMinutes => 100,
            Self::Hour => 600,
            Self::Day => 14_400,
        }
    }

    /// Width of the buckets that count for this window and no shorter one, in ticks; each a multiple of the one before.
    fn width(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::TenMinutes => 10,
            Self::Hour => 60,
            Self::Day => 1_200,
        }
    }
}

/// What is counted of sightings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub requests: u32,
    /// Requests answered 4xx.
    pub refused: u32,
    /// Logins refused.
    pub failed: u32,
    /// Logins accepted.
    pub succeeded: u32,
    /// Bytes of responses, as far as their length was announced.
    pub bytes: u64,
}

impl Counts {
    /// Adds `other`; at its limit a count stays there.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.refused = self.refused.saturating_add(other.refused);
        self.failed = self.failed.saturating_add(other.failed);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Counts over every [`Window`] at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct Windows {
    /// Tick of the newest sighting.
    latest: u32,
    /// Oldest first; all that count for the longest window.
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    /// First tick of the bucket.
    tick: u32,
    counts: Counts,
}

/// As it is encoded: each bucket, newest first, with the ticks from it to the newer one or to the latest. Such small
/// numbers take a byte where ticks take five.
#[derive(Serialize, Deserialize)]
struct Packed {
    latest: u32,
    buckets: Vec<(u32, Counts)>,
}

impl From<Windows> for Packed {
    fn from(windows: Windows) -> Self {
        let mut newer = windows.latest;
        let buckets = windows.buckets.iter().rev().map(|bucket| {
            let gap = newer.wrapping_sub(bucket.tick);
            newer = bucket.tick;
            (gap, bucket.counts)
        });
        Self { latest: windows.latest, buckets: buckets.collect() }
    }
}

impl From<Packed> for Windows {
    fn from(packed: Packed) -> Self {
        let mut newer = packed.latest;
        let buckets = packed.buckets.into_iter().map(|(gap, counts)| {
            // What reaches back before 1970 is found out by `is_sound`: it lies behind the latest.
            newer = newer.wrapping_sub(gap);
            Bucket { tick: newer, counts }
        });
        let mut buckets: Vec<Bucket> = buckets.collect();
        buckets.reverse();
        Self { latest: packed.latest, buckets }
    }
}

/// The shortest window a moment counts for while `latest` is the newest tick, and the start of its bucket; `None` beyond
/// the longest.
///
/// A bucket of more than a tick exists once its first tick left the shorter window: so its own start says what it is.
fn place(tick: u32, latest: u32) -> Option<(Window, u32)> {
    Window::ALL.into_iter().find_map(|window| {
        let start = tick - tick % window.width();
        let counts = start.saturating_add(window.width() - 1).saturating_add(window.ticks()) >= latest;
        counts.then_some((window, start))
    })
}

/// Ticks since 1970 fit 32 bits for 800 years.
fn tick_of(time_ms: u64) -> u32 {
    u32::try_from(time_ms / TICK_MS).unwrap_or(u32::MAX)
}

impl Windows {
    /// Counts something that happened at `time_ms`, epoch ms. What is more than a day older than the newest is left out.
    pub fn count(&mut self, time_ms: u64, counts: &Counts) {
        let tick = tick_of(time_ms);
        self.advance(tick);
        self.add(tick, counts);
    }

    /// What happened within `window` before `now_ms`, or before the newest sighting where that is later.
    pub fn sum(&self, window: Window, now_ms: u64) -> Counts {
        let latest = self.latest.max(tick_of(now_ms));
        let mut sum = Counts::default();
        for bucket in &self.buckets {
            if place(bucket.tick, latest).is_some_and(|(shortest, _)| shortest <= window) {
                sum.add(&bucket.counts);
            }
        }
        sum
    }

    /// Adds what another state counted of the same subject.
    pub fn merge(&mut self, other: &Self) {
        self.advance(other.latest);
        other.buckets.iter().for_each(|bucket| self.add(bucket.tick, &bucket.counts));
    }

    /// Lets time pass up to `now_ms`, so that buckets that aged since the newest sighting take less room.
    pub fn settle(&mut self, now_ms: u64) {
        self.advance(tick_of(now_ms));
    }

    fn advance(&mut self, latest: u32) {
        if latest <= self.latest {
            return;
        }
        self.latest = latest;
        self.buckets.retain_mut(|bucket| match place(bucket.tick, latest) {
            Some((_, start)) => {
                bucket.tick = start;
                true
            }
            None => false,
        });
        self.buckets.dedup_by(|bucket, before| {
            let is_same = bucket.tick == before.tick;
            if is_same {
                before.counts.add(&bucket.counts);
            }
            is_same
        });
    }

    fn add(&mut self, tick: u32, counts: &Counts) {
        let Some((_, tick)) = place(tick, self.latest) else { return };
        // Most sightings are of now: the search begins at the end.
        let at = self.buckets.iter().rposition(|bucket| bucket.tick <= tick);
        match at.and_then(|at| self.buckets.get_mut(at)) {
            Some(bucket) if bucket.tick == tick => bucket.counts.add(counts),
            _ => {
                if self.buckets.len() == self.buckets.capacity() {
                    self.buckets.reserve_exact(self.buckets.len().clamp(1, 8));
                }
                self.buckets.insert(at.map_or(0, |at| at + 1), Bucket { tick, counts: *counts });
            }
        }
    }

    /// Puts what sets the newest tick apart from that of `time_ms` in its place, and the tick in the place of that: the two
    /// are near each other, and mostly equal but for a few bits. Buckets are encoded by their distance from it anyway.
    pub(super) fn relate_times(&mut self, time_ms: u64) {
        let related = self.latest ^ tick_of(time_ms);
        for bucket in &mut self.buckets {
            bucket.tick = related.wrapping_sub(self.latest.wrapping_sub(bucket.tick));
        }
        self.latest = related;
    }

    /// Whether it is a state that counting leads to.
    pub(super) fn is_sound(&self) -> bool {
        self.buckets.len() <= MAX_BUCKETS
            && self.buckets.iter().zip(self.buckets.iter().skip(1)).all(|(a, b)| a.tick < b.tick)
            && self
                .buckets
                .iter()
                .all(|b| b.tick <= self.latest && place(b.tick, self.latest).is_some_and(|(_, start)| start == b.tick))
    }

    /// Memory outside itself, bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }
}
