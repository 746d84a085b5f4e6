//! What is counted of an endpoint's use: sums that shards make and the fleet keeps. Sums of parts are the whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{Inventory, shows_existence};
use super::traits::Traits;
use crate::parameter::{Decimal, Quantiles};
use crate::session::Event;
use crate::subject::Sketch;
use crate::verdict::Action;

/// Status codes told apart; those beyond are counted as 0.
const MAX_STATUSES: usize = 24;
/// Values counted exactly before a sketch takes over.
const EXACT: usize = 64;

/// How many different values, exactly while they are few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Different {
    /// Sorted.
    Few(Vec<u64>),
    Many(Box<Sketch>),
}

impl Default for Different {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Different {
    /// Takes in a value by a hash that is spread over all of its bits.
    pub fn insert(&mut self, hash: u64) {
        match self {
            Self::Many(sketch) => sketch.insert(hash),
            Self::Few(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else { return };
                hashes.insert(at, hash);
                if hashes.len() > EXACT {
                    let mut sketch = Box::<Sketch>::default();
                    hashes.iter().for_each(|hash| sketch.insert(*hash));
                    *self = Self::Many(sketch);
                }
            }
        }
    }

    /// Takes in every value of `other`.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(hashes)) => hashes.iter().for_each(|hash| self.insert(*hash)),
            (Self::Many(sketch), Self::Many(theirs)) => sketch.merge(theirs),
            (Self::Few(hashes), Self::Many(theirs)) => {
                let mut sketch = theirs.clone();
                hashes.iter().for_each(|hash| sketch.insert(*hash));
                *self = Self::Many(sketch);
            }
        }
    }

    /// How many, within 7 % beyond 64.
    pub fn count(&self) -> u64 {
        match self {
            Self::Few(hashes) => hashes.len() as u64,
            Self::Many(sketch) => sketch.estimate(),
        }
    }
}

/// By which means callers show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    None,
    Cookie,
    Bearer,
    ApiKey,
    /// Another selector of the configuration.
    Other,
}

impl Means {
    /// Every means.
    pub const ALL: [Self; 5] = [Self::None, Self::Cookie, Self::Bearer, Self::ApiKey, Self::Other];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cookie => "cookie",
            Self::Bearer => "bearer",
            Self::ApiKey => "api_key",
            Self::Other => "other",
        }
    }

    /// What a request came with.
    pub fn of(event: &Event<'_>) -> Self {
        let source = event.key_source;
        if event.token != 0 || source.starts_with("request.jwt") || source.contains("authorization") {
            Self::Bearer
        } else if source.starts_with("request.cookie") {
            Self::Cookie
        } else if source.starts_with("request.header") {
            Self::ApiKey
        } else if crate::identity::is_address_bound(source) {
            Self::None
        } else {
            Self::Other
        }
    }
}

/// Sums of one endpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Epoch ms.
    pub first_ms: u64,
    pub last_ms: u64,
    pub calls: u64,
    /// Calls with these statuses.
    pub statuses: BTreeMap<u16, u64>,
    pub durations: Quantiles,
    pub response_sizes: Quantiles,
    pub sessions: Different,
    /// By name, plain or pseudonym.
    pub users: Different,
    /// Calls that were answered with success, by [`Means`].
    pub means: [u64; Means::ALL.len()],
    /// Calls that completed a finding.
    pub attacks: u64,
    /// Calls of endpoints that a document has, and when one was last deprecated or retiring, epoch ms.
    pub documented: u64,
    pub zombie_ms: u64,
    /// What it was to the documents when that was known last, and when, epoch ms.
    pub state: Option<Inventory>,
    pub state_ms: u64,
    pub traits: Traits,
}

impl Tally {
    /// Whether an event is counted as use of its endpoint: what nobody has shown to be there is not, so that a scan does
    /// not make endpoints. `is_known`: the endpoint answered before.
    pub fn counts(event: &Event<'_>, is_known: bool) -> bool {
        event.action < Action::Throttle
            && event.method != "OPTIONS"
            && (event.inventory.is_some() || is_known || shows_existence(event.status))
    }

    /// Takes in one event; the hashes are those of its session and of its user, 0 for none.
    pub fn see(&mut self, event: &Event<'_>, session: u64, user: u64) {
        self.first_ms = if self.calls == 0 { event.time_ms } else { self.first_ms.min(event.time_ms) };
        self.last_ms = self.last_ms.max(event.time_ms);
        self.calls += 1;
        self.count_status(event.status, 1);
        self.durations.see(Decimal::whole(i64::from(event.duration_ms)));
        if let Some(bytes) = event.response_bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
            self.response_sizes.see(Decimal::whole(bytes));
        }
        self.sessions.insert(session);
        if user != 0 {
            self.users.insert(user);
        }
        if (200..400).contains(&event.status)
            && let Some(calls) = self.means.get_mut(Means::of(event) as usize)
        {
            *calls += 1;
        }
        self.documented += u64::from(matches!(event.inventory, Some(Inventory::Documented | Inventory::Zombie)));
        if event.inventory.is_some() && event.time_ms >= self.state_ms {
            (self.state, self.state_ms) = (event.inventory, event.time_ms);
        }
        if event.inventory == Some(Inventory::Zombie) {
            self.zombie_ms = self.zombie_ms.max(event.time_ms);
        }
    }

    fn count_status(&mut self, status: u16, calls: u64) {
        let known = self.statuses.len() < MAX_STATUSES || self.statuses.contains_key(&status);
        let count = self.statuses.entry(if known { status } else { 0 }).or_default();
        *count = count.saturating_add(calls);
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        if other.calls > 0 {
            self.first_ms = if self.calls == 0 { other.first_ms } else { self.first_ms.min(other.first_ms) };
        }
        self.last_ms = self.last_ms.max(other.last_ms);
        self.calls = self.calls.saturating_add(other.calls);
        other.statuses.iter().for_each(|(status, calls)| self.count_status(*status, *calls));
        self.durations.merge(&other.durations);
        self.response_sizes.merge(&other.response_sizes);
        self.sessions.merge(&other.sessions);
        self.users.merge(&other.users);
        self.means.iter_mut().zip(other.means).for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
        self.attacks = self.attacks.saturating_add(other.attacks);
        self.documented = self.documented.saturating_add(other.documented);
        self.zombie_ms = self.zombie_ms.max(other.zombie_ms);
        if other.state.is_some() && other.state_ms >= self.state_ms {
            (self.state, self.state_ms) = (other.state, other.state_ms);
        }
        self.traits.merge(&other.traits);
    }

    /// How callers show who they are, over what was answered with success: `none`, `mixed` or `consistent` (`unknown`
    /// where nothing was), and the means.
    pub fn posture(&self) -> (&'static str, Vec<&'static str>) {
        let used = |means: &Means| self.means.get(*means as usize).is_some_and(|calls| *calls > 0);
        let means: Vec<&'static str> = Means::ALL.into_iter().skip(1).filter(used).map(Means::name).collect();
        let posture = match (used(&Means::None), means.is_empty()) {
            (true, true) => "none",
            (true, false) => "mixed",
            (false, false) => "consistent",
            (false, true) => "unknown",
        };
        (posture, means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::SubjectHash;

    #[test]
    fn parts_add_up_to_the_whole() {
        let (mut whole, mut one, mut other) = (Different::default(), Different::default(), Different::default());
        for n in 0..1_000u64 {
            let hash = SubjectHash::new([7; 16]).name(&n.to_string());
            whole.insert(hash);
            if n < 40 { one.insert(hash) } else { other.insert(hash) }
        }
        assert_eq!((one.count(), one.clone()), (40, one.clone()));
        one.merge(&other);
        assert_eq!(one, whole);
        assert!(whole.count().abs_diff(1_000) < 150, "{}", whole.count());
    }

    #[test]
    fn statuses_of_a_clients_choice_are_bounded() {
        let mut tally = Tally::default();
        (100..999).for_each(|status| tally.count_status(status, 1));
        assert_eq!((tally.statuses.len(), tally.statuses.values().sum::<u64>()), (MAX_STATUSES + 1, 899));
    }
}
