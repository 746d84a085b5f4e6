//! Endpoints that have answered: the shard's memory of what exists behind the proxy, and of what is behind a login.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::session::{Event, Marks};
use crate::verdict::Action;

/// Endpoints kept; an API with more is simply less well known, and a scan cannot grow it (it only takes in answers).
const MAX_ENDPOINTS: usize = 4_000;
/// Anonymous calls refused before an endpoint counts as guarded: one may have had other reasons.
const GUARDED_AFTER: u8 = 3;

/// The endpoints (method, host, template) that answered 2xx or 3xx at least once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KnownEndpoints {
    endpoints: BTreeMap<String, Access>,
}

/// What is known of an event's endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It is known to exist.
    pub exists: bool,
    /// The event got an answer that the anonymous are refused: somebody vouches for its key.
    pub admits: bool,
}

impl Standing {
    fn of(access: Option<&Access>, event: &Event<'_>) -> Self {
        let is_guarded = access.is_some_and(|access| !access.open && access.refused >= GUARDED_AFTER);
        let admits =
            is_guarded && (200..300).contains(&event.status) && !crate::identity::is_address_bound(event.key_source);
        Self { exists: access.is_some(), admits }
    }
}

/// How an endpoint treats callers without a key of their own.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Access {
    /// Anonymous calls answered 401 or 403, up to [`GUARDED_AFTER`].
    refused: u8,
    /// Whether an anonymous call was ever answered with success.
    open: bool,
}

impl KnownEndpoints {
    /// Takes in what `event` shows of its endpoint; answers what is known of that now.
    pub fn learn(&mut self, event: &Event<'_>, endpoint: &str) -> Standing {
        // What we answered in the origin's place says nothing about it.
        if event.action >= Action::Throttle {
            return Standing::of(self.endpoints.get(endpoint), event);
        }
        let answered = (200..400).contains(&event.status);
        // A request that was set aside did carry a key, which the origin may have honoured.
        let aside = event.marks.has(Marks::SESSION_ROTATION);
        let anonymous = crate::identity::is_address_bound(event.key_source) && !aside;
        let refused = anonymous && matches!(event.status, 401 | 403);
        if !answered && !refused {
            return Standing::of(self.endpoints.get(endpoint), event);
        }
        let room = self.endpoints.len() < MAX_ENDPOINTS;
        let access = match self.endpoints.get_mut(endpoint) {
            Some(access) => access,
            None if answered && room => self.endpoints.entry(endpoint.to_owned()).or_default(),
            None => return Standing::default(),
        };
        access.open |= anonymous && (200..300).contains(&event.status);
        if refused {
            access.refused = (access.refused + 1).min(GUARDED_AFTER);
        }
        Standing::of(Some(&*access), event)
    }

    /// Whether the endpoint is known to exist.
    pub fn has(&self, endpoint: &str) -> bool {
        self.endpoints.contains_key(endpoint)
    }

    /// How many endpoints are known.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }
}
