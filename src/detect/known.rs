//! Endpoints that have answered: the shard's memory of what exists behind the proxy.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::session::Event;

/// Endpoints kept; an API with more is simply less well known, and a scan cannot grow it (it only takes in answers).
const MAX_ENDPOINTS: usize = 4_000;

/// The endpoints (method, host, template) that answered 2xx or 3xx at least once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KnownEndpoints {
    endpoints: BTreeSet<String>,
}

impl KnownEndpoints {
    /// Takes in what `event` shows; true if something was learned.
    pub fn learn(&mut self, event: &Event<'_>) -> bool {
        if !(200..400).contains(&event.status) || self.endpoints.len() >= MAX_ENDPOINTS {
            return false;
        }
        let endpoint = event.endpoint_key();
        !self.endpoints.contains(&endpoint) && self.endpoints.insert(endpoint)
    }

    /// Whether the event's endpoint is known to exist.
    pub fn has(&self, event: &Event<'_>) -> bool {
        self.endpoints.contains(&event.endpoint_key())
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
