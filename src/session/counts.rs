//! How often a session met what: endpoints, methods, status codes, agents, addresses, users, detectors.
//!
//! One sorted list of small numbers for all of them, because a session at rest has to fit in a few hundred bytes. What
//! a value's number means is the [`Dictionary`]'s to say, or the number itself (status codes, detectors).

use serde::{Deserialize, Serialize};

use super::detector::Detector;
use super::dictionary::{Address, Dictionary, Symbol};
use crate::inventory::Inventory;

/// What is counted. Stored by number: numbers are never reused or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Endpoint = 0,
    Method = 1,
    Status = 2,
    Agent = 3,
    Address = 4,
    /// Confirmed users, by how often they were named.
    User = 5,
    Role = 6,
    /// Users somebody tried to be in vain.
    Attempted = 7,
    Detector = 8,
    /// What endpoints were to the documents.
    Inventory = 9,
    /// Values of business parameters ([`super::key_of`]).
    Param = 12,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Endpoint,
        Self::Method,
        Self::Status,
        Self::Agent,
        Self::Address,
        Self::User,
        Self::Role,
        Self::Attempted,
        Self::Detector,
        Self::Inventory,
        Self::Param,
    ];

    /// Distinct values a session keeps apart, first come first kept; what came for others is counted together.
    fn cap(self) -> usize {
        match self {
            Self::Endpoint => 256,
            Self::Method => 32,
            Self::Status | Self::Address => 64,
            Self::Agent => 8,
            Self::User | Self::Role | Self::Attempted => 16,
            Self::Detector => Detector::COUNT,
            Self::Inventory => Inventory::ALL.len(),
            Self::Param => 32,
        }
    }
}

/// A kind with the number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Term(u32);

const KIND_BITS: u32 = 4;
/// Stands for all values of a kind that found no place.
const REST: u32 = u32::MAX >> KIND_BITS;

impl Term {
    fn new(kind: Kind, number: u32) -> Self {
        Self((number << KIND_BITS) | kind as u32)
    }

    fn is(self, kind: Kind) -> bool {
        self.0 & ((1 << KIND_BITS) - 1) == kind as u32
    }

    fn number(self) -> u32 {
        self.0 >> KIND_BITS
    }
}

/// Counts by kind and value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts(Vec<(Term, u32)>);

/// A value as filters and answers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Text(&'a str),
    Status(u16),
    Detector(Detector),
    Inventory(Inventory),
    Address(Address<'a>),
}

impl Value<'_> {
    /// Its number in a dictionary, which learns it if it has to.
    pub fn number(self, dictionary: &mut Dictionary) -> u32 {
        match self {
            Value::Text(text) => dictionary.symbol(text).0,
            Value::Status(status) => u32::from(status),
            Value::Detector(detector) => detector.number(),
            Value::Inventory(state) => u32::from(Inventory::number(Some(state))),
            Value::Address(address) => dictionary.address_number(address),
        }
    }
}

impl Kind {
    /// The value behind a number; `None` where the number is from another dictionary.
    pub fn value(self, number: u32, dictionary: &Dictionary) -> Option<Value<'_>> {
        Some(match self {
            Self::Status => Value::Status(u16::try_from(number).ok()?),
            Self::Address => Value::Address(dictionary.address(number)?),
            Self::Detector => Value::Detector(Detector::from_number(number)?),
            Self::Inventory => Value::Inventory(Inventory::from_number(u8::try_from(number).ok()?)?),
            _ => Value::Text(dictionary.text(Symbol(number))),
        })
    }
}

impl Counts {
    /// Adds `n` to a value's count.
    pub fn add(&mut self, kind: Kind, number: u32, n: u32) {
        match self.0.binary_search_by_key(&Term::new(kind, number), |(term, _)| *term) {
            Ok(at) => {
                if let Some((_, count)) = self.0.get_mut(at) {
                    *count = count.saturating_add(n);
                }
            }
            Err(at) if number == REST || self.distinct(kind) < kind.cap() => {
                // Most sessions stay small: room for the next four rather than for as many again.
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(4);
                }
                self.0.insert(at, (Term::new(kind, number), n));
            }
            Err(_) => self.add(kind, REST, n),
        }
    }

    /// Adds to what found no place.
    pub fn add_rest(&mut self, kind: Kind, n: u32) {
        if n > 0 {
            self.add(kind, REST, n);
        }
    }

    /// The numbers of a kind's values with their counts.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().filter(move |(term, _)| term.is(kind) && term.number() != REST).map(|(t, n)| (t.number(), *n))
    }

    /// What was counted for values that found no place.
    pub fn rest(&self, kind: Kind) -> u32 {
        let at = self.0.binary_search_by_key(&Term::new(kind, REST), |(term, _)| *term);
        at.ok().and_then(|at| self.0.get(at)).map_or(0, |(_, n)| *n)
    }

    /// Whether the value was counted by itself.
    pub fn has(&self, kind: Kind, number: u32) -> bool {
        self.0.binary_search_by_key(&Term::new(kind, number), |(term, _)| *term).is_ok()
    }

    /// Forgets a value.
    pub fn remove(&mut self, kind: Kind, number: u32) {
        self.0.retain(|(term, _)| *term != Term::new(kind, number));
    }

    /// Forgets the values of a kind that `goes` says; answers whether there were any.
    pub fn remove_where(&mut self, kind: Kind, goes: impl Fn(u32) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|(term, _)| !term.is(kind) || term.number() == REST || !goes(term.number()));
        self.0.len() < before
    }

    /// The same counts with the numbers of another dictionary.
    pub fn renumbered(&self, from: &Dictionary, to: &mut Dictionary) -> Self {
        let renumber = |(term, n): &(Term, u32)| {
            let kind = Kind::ALL.into_iter().find(|kind| term.is(*kind))?;
            match term.number() {
                REST => Some((*term, *n)),
                number => Some((Term::new(kind, kind.value(number, from)?.number(to)), *n)),
            }
        };
        let mut counts: Vec<_> = self.0.iter().filter_map(renumber).collect();
        counts.sort_unstable();
        Self(counts)
    }

    /// How many values of a kind have a place.
    pub fn distinct(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    /// Memory beyond the value itself, bytes.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Term, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_cap_of_their_kind_are_counted_together() {
        let mut counts = Counts::default();
        for number in (0..10).chain(0..10) {
            counts.add(Kind::Agent, number, 1);
            counts.add(Kind::Method, number, 1);
        }
        assert_eq!(counts.of(Kind::Agent).collect::<Vec<_>>(), (0..8).map(|n| (n, 2)).collect::<Vec<_>>());
        assert_eq!((counts.rest(Kind::Agent), counts.rest(Kind::Method)), (4, 0));
        assert!(counts.has(Kind::Method, 9) && !counts.has(Kind::Agent, 9));
        counts.remove(Kind::Agent, 0);
        assert_eq!(counts.distinct(Kind::Agent), 7);
    }
}
