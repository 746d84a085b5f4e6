//! What one subject sent of one parameter: counts, sums, extremes, the last value, and how many different ones.
//!
//! All of it but the last value is the same whatever order the events come in, and the last one is told by the event's
//! id. So states of parts of the events merge into the state of all.

use serde::{Deserialize, Serialize};

use super::{Currency, Decimal, Value};
use crate::session::EventId;
use crate::subject::{Sketch, SubjectHash};

/// Different values counted exactly.
const EXACT: usize = 8;
/// Currencies whose sums are kept.
const MAX_CURRENCIES: usize = 4;

/// The amounts of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    pub currency: Currency,
    pub count: u32,
    pub sum: Decimal,
    pub min: Decimal,
    pub max: Decimal,
}

/// What is kept of one parameter. Counts stay at their limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParamStats {
    /// Values, invalid ones included.
    count: u32,
    invalid: u32,
    /// Amounts by currency, in the order of the codes.
    amounts: Vec<Amounts>,
    /// Amounts in currencies beyond those.
    rest: u32,
    last: Option<(EventId, Value)>,
    different: Different,
}

/// Digests of different values: all of them while they are few, then a sketch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Different {
    Few(Vec<u32>),
    Many(Box<Sketch>),
}

impl Default for Different {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Different {
    fn add(&mut self, digest: u32) {
        match self {
            Self::Many(sketch) => sketch.insert(u64::from(digest)),
            Self::Few(known) => {
                let Err(at) = known.binary_search(&digest) else { return };
                known.insert(at, digest);
                if known.len() > EXACT {
                    let mut sketch = Box::<Sketch>::default();
                    known.iter().for_each(|digest| sketch.insert(u64::from(*digest)));
                    *self = Self::Many(sketch);
                }
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(theirs)) => theirs.iter().for_each(|digest| self.add(*digest)),
            (Self::Many(mine), Self::Many(theirs)) => mine.merge(theirs),
            (Self::Few(mine), Self::Many(theirs)) => {
                let mut all = theirs.clone();
                mine.iter().for_each(|digest| all.insert(u64::from(*digest)));
                *self = Self::Many(all);
            }
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Few(known) => known.len() as u64,
            Self::Many(sketch) => sketch.estimate().max(EXACT as u64 + 1),
        }
    }
}

impl ParamStats {
    /// Takes in a value that `event` brought.
    pub fn see(&mut self, value: &Value, event: EventId, hash: &SubjectHash) {
        self.count = self.count.saturating_add(1);
        if value.is_invalid() {
            self.invalid = self.invalid.saturating_add(1);
            return;
        }
        if let Some(amount) = value.amount() {
            let currency = value.currency();
            self.add(Amounts { currency, count: 1, sum: amount, min: amount, max: amount });
        }
        self.different.add(value.digest(hash));
        self.set_last(event, value);
    }

    /// Takes in what another state saw of the same subject and parameter.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.invalid = self.invalid.saturating_add(other.invalid);
        self.rest = self.rest.saturating_add(other.rest);
        other.amounts.iter().for_each(|amounts| self.add(*amounts));
        self.different.merge(&other.different);
        if let Some((event, value)) = &other.last {
            self.set_last(*event, value);
        }
    }

    /// Forgets the last value where `goes` says so; answers whether it did. How many there were stays.
    pub fn erase_last(&mut self, goes: impl Fn(&Value) -> bool) -> bool {
        self.last.take_if(|(_, value)| goes(value)).is_some()
    }

    /// Later events win; of several values of one event the greatest as it is shown, so that order does not matter.
    fn set_last(&mut self, event: EventId, value: &Value) {
        let newer = match &self.last {
            None => true,
            Some((last, _)) if *last != event => *last < event,
            Some((_, shown)) => shown.to_string() < value.to_string(),
        };
        if newer {
            self.last = Some((event, value.clone()));
        }
    }

    /// Which currencies have a place does not depend on order either: the first of the alphabet have.
    fn add(&mut self, theirs: Amounts) {
        match self.amounts.binary_search_by_key(&theirs.currency, |amounts| amounts.currency) {
            Ok(at) => {
                let Some(mine) = self.amounts.get_mut(at) else { return };
                mine.count = mine.count.saturating_add(theirs.count);
                mine.sum = mine.sum.plus(theirs.sum);
                mine.min = mine.min.min(theirs.min);
                mine.max = mine.max.max(theirs.max);
            }
            Err(at) => {
                if self.amounts.len() == self.amounts.capacity() {
                    self.amounts.reserve_exact(1);
                }
                self.amounts.insert(at, theirs);
                if self.amounts.len() > MAX_CURRENCIES
                    && let Some(dropped) = self.amounts.pop()
                {
                    self.rest = self.rest.saturating_add(dropped.count);
                }
            }
        }
    }

    /// Values seen, invalid ones included.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The amounts in `currency` ([`Currency::NONE`] for plain numbers).
    pub fn amounts(&self, currency: Currency) -> Option<&Amounts> {
        self.amounts.iter().find(|amounts| amounts.currency == currency)
    }

    /// About how much memory it takes on the heap, bytes.
    pub fn heap_bytes(&self) -> usize {
        let last = match &self.last {
            Some((_, Value::Text(text) | Value::Hashed(text))) => text.len(),
            _ => 0,
        };
        let different = match &self.different {
            Different::Few(known) => known.capacity() * 4,
            Different::Many(_) => size_of::<Sketch>(),
        };
        self.amounts.capacity() * size_of::<Amounts>() + last + different
    }

    /// What answers show. Sum, minimum and maximum are those of the only currency; where there are several there is no
    /// one sum, and `mixed` says so.
    pub fn summary(&self) -> ParamSummary<'_> {
        let only = match self.amounts.as_slice() {
            [only] if self.rest == 0 => Some(only),
            _ => None,
        };
        ParamSummary {
            count: u64::from(self.count),
            invalid: u64::from(self.invalid),
            sum: only.map(|amounts| amounts.sum.to_f64()),
            min: only.map(|amounts| amounts.min.to_f64()),
            max: only.map(|amounts| amounts.max.to_f64()),
            last: self.last.as_ref().map(|(_, value)| value.to_string()),
            // A sketch may guess more than there were.
            distinct: self.different.count().min(u64::from(self.count)),
            currencies: &self.amounts,
            mixed: self.amounts.len() > 1 || self.rest > 0,
        }
    }
}

/// A state in the shape of the public API.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSummary<'a> {
    pub count: u64,
    pub invalid: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub last: Option<String>,
    /// Exact up to 8, then with 6.5 % standard error.
    pub distinct: u64,
    /// Sums by currency, of four at most.
    pub currencies: &'a [Amounts],
    /// Amounts came in several currencies.
    pub mixed: bool,
}
