//! Sets of what a subject was seen with: exact while small, a sketch beyond, and always the newest values themselves.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::agent::{Agent, Family};
use super::hash::SubjectHash;
use super::sighting::Country;
use super::sketch::Sketch;
use crate::session::SessionId;

/// What a set can be made of.
pub trait Value: Clone + PartialEq {
    /// A value as a sighting shows it, before anything is kept of it.
    type View<'a>: Copy;

    /// Whether this is the value seen.
    fn is(&self, seen: Self::View<'_>) -> bool;
    /// The value to keep.
    fn own(seen: Self::View<'_>) -> Self;
    /// What a sketch takes in of it.
    fn digest(&self, hash: &SubjectHash) -> u64;
    /// Memory outside itself, bytes.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Purposes of hashes, next to those of [`super::Kind`].
const TEXT: u64 = 16;
const ADDRESS: u64 = 17;
const COUNTRY: u64 = 18;
const AGENT: u64 = 19;
const ENDPOINT: u64 = 20;

impl Value for Box<str> {
    type View<'a> = &'a str;

    fn is(&self, seen: &str) -> bool {
        **self == *seen
    }
    fn own(seen: &str) -> Self {
        seen.into()
    }
    fn digest(&self, hash: &SubjectHash) -> u64 {
        hash.start(TEXT).text(self).half()
    }
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl Value for IpAddr {
    type View<'a> = Self;

    fn is(&self, seen: Self) -> bool {
        *self == seen
    }
    fn own(seen: Self) -> Self {
        seen
    }
    fn digest(&self, hash: &SubjectHash) -> u64 {
        hash.start(ADDRESS).address(*self).half()
    }
}

impl Value for Country {
    type View<'a> = Self;

    fn is(&self, seen: Self) -> bool {
        *self == seen
    }
    fn own(seen: Self) -> Self {
        seen
    }
    fn digest(&self, hash: &SubjectHash) -> u64 {
        hash.start(COUNTRY).word(u64::from(u16::from_be_bytes(self.0))).half()
    }
}

impl Value for Agent {
    type View<'a> = Family<'a>;

    fn is(&self, seen: Family<'_>) -> bool {
        self.family() == seen
    }
    fn own(seen: Family<'_>) -> Self {
        Self { product: seen.product.into(), major: seen.major }
    }
    fn digest(&self, hash: &SubjectHash) -> u64 {
        hash.start(AGENT).word(self.major.map_or(0, |major| u64::from(major) + 1)).text(&self.product).half()
    }
    fn heap_bytes(&self) -> usize {
        self.product.len()
    }
}

/// Sessions have a keyed hash for a name already.
impl Value for SessionId {
    type View<'a> = Self;

    fn is(&self, seen: Self) -> bool {
        *self == seen
    }
    fn own(seen: Self) -> Self {
        seen
    }
    fn digest(&self, _: &SubjectHash) -> u64 {
        // The last bits: the first ones are equal for sessions of one shard as far as their remainder tells.
        u128::from_be_bytes(self.0) as u64
    }
}

/// An endpoint, by the hash that stands for it in sightings.
impl Value for u32 {
    type View<'a> = Self;

    fn is(&self, seen: Self) -> bool {
        *self == seen
    }
    fn own(seen: Self) -> Self {
        seen
    }
    fn digest(&self, hash: &SubjectHash) -> u64 {
        hash.start(ENDPOINT).word(u64::from(*self)).half()
    }
}

/// A value and when it was last seen, epoch seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<T> {
    pub value: T,
    pub last_s: u32,
}

/// How many different values were seen, and the `N` seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct<T, const N: usize> {
    /// Seen longest ago first; every value there is, as long as there is no sketch.
    newest: Vec<Entry<T>>,
    /// Every value, once they were more than `N`.
    sketch: Option<Box<Sketch>>,
}

impl<T, const N: usize> Default for Distinct<T, N> {
    fn default() -> Self {
        Self { newest: Vec::new(), sketch: None }
    }
}

impl<T: Value, const N: usize> Distinct<T, N> {
    /// Takes in a value seen at `last_s`, epoch seconds.
    pub fn see(&mut self, seen: T::View<'_>, last_s: u32, hash: &SubjectHash) {
        match self.newest.iter().rposition(|entry| entry.value.is(seen)) {
            Some(at) => self.renew(at, last_s),
            None => self.add(Entry { value: T::own(seen), last_s }, hash),
        }
    }

    /// How many different values there were: exact up to `N`, an estimate beyond, which has 6.5 % standard error.
    pub fn count(&self) -> u64 {
        match &self.sketch {
            None => self.newest.len() as u64,
            Some(sketch) => sketch.estimate().max(N as u64 + 1),
        }
    }

    /// Whether [`Distinct::count`] is exact, and [`Distinct::newest`] all there is.
    pub fn is_exact(&self) -> bool {
        self.sketch.is_none()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// The values seen last, newest first, at most `N`.
    pub fn newest(&self) -> impl Iterator<Item = &Entry<T>> {
        self.newest.iter().rev()
    }

    /// How many different values were seen at `since_s` or later, epoch seconds: exact below `N`, at least that many at it.
    pub fn count_since(&self, since_s: u32) -> usize {
        self.newest().take_while(|entry| entry.last_s >= since_s).count()
    }

    /// Forgets values; answers whether one was there. What a sketch counted stays counted: it names nobody.
    pub fn forget(&mut self, is_one: impl Fn(&T) -> bool) -> bool {
        let before = self.newest.len();
        self.newest.retain(|entry| !is_one(&entry.value));
        self.newest.len() < before
    }

    /// Takes in every value of `other`.
    pub fn merge(&mut self, other: &Self, hash: &SubjectHash) {
        if let Some(theirs) = &other.sketch {
            self.ensure_sketch(hash).merge(theirs);
        }
        for entry in &other.newest {
            match self.newest.iter().position(|mine| mine.value == entry.value) {
                Some(at) => self.renew(at, entry.last_s),
                None => self.add(entry.clone(), hash),
            }
        }
    }

    fn renew(&mut self, at: usize, last_s: u32) {
        let Some(entry) = self.newest.get_mut(at) else { return };
        if last_s <= entry.last_s {
            return;
        }
        entry.last_s = last_s;
        let passed = self.newest.iter().skip(at + 1).take_while(|entry| entry.last_s <= last_s).count();
        if let Some(passed) = self.newest.get_mut(at..=at + passed) {
            passed.rotate_left(1);
        }
    }

    fn add(&mut self, entry: Entry<T>, hash: &SubjectHash) {
        if self.newest.len() >= N || self.sketch.is_some() {
            self.ensure_sketch(hash).insert(entry.value.digest(hash));
        }
        let at = self.newest.partition_point(|other| other.last_s <= entry.last_s);
        if self.newest.len() < N {
            if self.newest.len() == self.newest.capacity() {
                self.newest.reserve_exact(self.newest.len().clamp(1, 4));
            }
            self.newest.insert(at, entry);
        } else if at > 0 {
            // In the place of the oldest, then to where it belongs.
            if let Some(older) = self.newest.get_mut(..at) {
                older.rotate_left(1);
            }
            if let Some(slot) = self.newest.get_mut(at - 1) {
                *slot = entry;
            }
        }
    }

    fn ensure_sketch(&mut self, hash: &SubjectHash) -> &mut Sketch {
        let newest = &self.newest;
        self.sketch.get_or_insert_with(|| {
            let mut sketch = Box::<Sketch>::default();
            newest.iter().for_each(|entry| sketch.insert(entry.value.digest(hash)));
            sketch
        })
    }

    /// Puts seconds before `last_s` in the place of times, and times in the place of these.
    pub(super) fn relate_times(&mut self, last_s: u32) {
        self.newest.iter_mut().for_each(|entry| entry.last_s = last_s.wrapping_sub(entry.last_s));
    }

    /// Whether it is a state that seeing leads to.
    pub(super) fn is_sound(&self) -> bool {
        let is_sorted = self.newest.is_sorted_by_key(|entry| entry.last_s);
        self.newest.len() <= N && is_sorted
    }

    /// Memory outside itself, bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        let values: usize = self.newest.iter().map(|entry| entry.value.heap_bytes()).sum();
        let sketch = if self.is_exact() { 0 } else { size_of::<Sketch>() };
        self.newest.capacity() * size_of::<Entry<T>>() + values + sketch
    }
}
