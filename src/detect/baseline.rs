//! What is usual at an endpoint: how often one session calls it within a minute, and how much it is given within ten.
//!
//! Every session's count of a minute becomes one observation of its endpoint when the minute is over; so what is usual
//! is told by all sessions together, one by one. What was itself out of the ordinary is left out, or a long attack would
//! make itself usual. Until [`MIN_OBSERVATIONS`] are there an endpoint is not judged.
//!
//! Bounds: [`MAX_ENDPOINTS`], first come first kept (only answers count, so a scan adds none), and [`MAX_RUNNING`]
//! counts under way; sessions beyond that within one minute are not counted, which a shard of 10,000 busy sessions a
//! minute would reach and which only makes the sample smaller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tuning::Behaviours;
use super::{Suspicion, rate_spike, volume_exfiltration};
use crate::parameter::{Decimal, Quantiles};
use crate::session::Event;
use crate::subject::{Identity, SubjectHash};
use crate::verdict::Action;

const MAX_ENDPOINTS: usize = 256;
const MAX_RUNNING: usize = 8_192;
/// Observations before an endpoint is judged.
pub const MIN_OBSERVATIONS: u64 = 50;
const MINUTE_MS: u64 = 60_000;
/// Share of sessions that are at most as busy as what is called usual.
const QUANTILE: f64 = 0.99;

/// What one endpoint is usually asked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Endpoint {
    calls: Quantiles,
    bytes: Quantiles,
}

/// Counts of sessions at endpoints over one stretch of time: endpoint and sum by a hash of both.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Running {
    stretch: u64,
    sums: BTreeMap<u64, (u32, u64, bool)>,
}

/// Endpoints and what is under way.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Baselines {
    endpoints: BTreeMap<u32, Endpoint>,
    calls: Running,
    bytes: Running,
}

/// One session at one endpoint: its sum before and after the event, and what is usual.
pub struct Judged {
    pub before: f64,
    pub after: f64,
    pub usual: f64,
    /// Many people may share the session.
    pub shared: bool,
}

impl Judged {
    /// Whether the event went over this.
    pub fn crosses(&self, limit: f64) -> bool {
        self.before <= limit && self.after > limit
    }
}

/// A sum before and after something was added to it, and what came together in a stretch that is over, by endpoint.
type Added = (Option<(u64, u64)>, Vec<(u32, u64)>);

impl Running {
    /// Adds to a sum; answers it before and after, and once a stretch is over what came together in it.
    fn add(&mut self, stretch: u64, key: u64, endpoint: u32, n: u64) -> Added {
        let mut over = Vec::new();
        // What comes late counts for the stretch under way.
        if stretch > self.stretch {
            self.stretch = stretch;
            let sums = core::mem::take(&mut self.sums).into_values();
            over.extend(sums.filter(|(_, _, odd)| !odd).map(|(endpoint, sum, _)| (endpoint, sum)));
        }
        if self.sums.len() >= MAX_RUNNING && !self.sums.contains_key(&key) {
            return (None, over);
        }
        let (_, sum, _) = self.sums.entry(key).or_insert((endpoint, 0, false));
        let before = *sum;
        *sum = sum.saturating_add(n);
        (Some((before, *sum)), over)
    }

    fn mark(&mut self, key: u64) {
        if let Some((_, _, odd)) = self.sums.get_mut(&key) {
            *odd = true;
        }
    }
}

impl Baselines {
    /// Takes in an event, whose endpoint has the key `name`; adds what is far beyond the usual.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        name: &str,
        hash: &SubjectHash,
        tuned: &Behaviours,
        found: &mut Vec<Suspicion>,
    ) {
        // A client that tries again because the origin failed is not greedy.
        if event.action >= Action::Throttle || event.status >= 400 {
            return;
        }
        let endpoint = Identity::User(name).key(hash).prefix();
        let key = event.session.prefix().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ endpoint;
        let endpoint = endpoint as u32;
        if self.endpoints.len() < MAX_ENDPOINTS {
            self.endpoints.entry(endpoint).or_default();
        }
        let shared = crate::identity::is_address_bound(event.key_source);
        let judged = |sums: Option<(u64, u64)>, usual: Option<f64>| {
            let ((before, after), usual) = sums.zip(usual)?;
            Some(Judged { before: before as f64, after: after as f64, usual, shared })
        };

        let (sums, over) = self.calls.add(event.time_ms / MINUTE_MS, key, endpoint, 1);
        self.learn(over, |endpoint| &mut endpoint.calls);
        let usual = self.usual(endpoint, |endpoint| &endpoint.calls);
        if judged(sums, usual).is_some_and(|judged| rate_spike::judge(&judged, name, tuned, found)) {
            self.calls.mark(key);
        }

        let bytes = event.response_bytes.unwrap_or(0);
        if bytes == 0 {
            return;
        }
        let (sums, over) = self.bytes.add(event.time_ms / (10 * MINUTE_MS), key, endpoint, bytes);
        self.learn(over, |endpoint| &mut endpoint.bytes);
        let usual = self.usual(endpoint, |endpoint| &endpoint.bytes);
        if judged(sums, usual).is_some_and(|judged| volume_exfiltration::judge(&judged, name, tuned, found)) {
            self.bytes.mark(key);
        }
    }

    fn learn(&mut self, over: Vec<(u32, u64)>, of: fn(&mut Endpoint) -> &mut Quantiles) {
        for (endpoint, sum) in over {
            if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                of(endpoint).see(Decimal::whole(i64::try_from(sum).unwrap_or(i64::MAX)));
            }
        }
    }

    fn usual(&self, endpoint: u32, of: fn(&Endpoint) -> &Quantiles) -> Option<f64> {
        let quantiles = of(self.endpoints.get(&endpoint)?);
        if quantiles.count() < MIN_OBSERVATIONS { None } else { quantiles.quantile(QUANTILE) }
    }
}
