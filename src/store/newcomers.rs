//! How many unproven sessions each client started lately, over all isolates.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Clients counted; when there are more, the quarter whose windows end first is forgotten.
const MAX_CLIENTS: usize = 4_096;

/// What a client may start, and in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub sessions: u32,
    pub window_ms: u64,
}

impl Default for Allowance {
    /// What `LIMITS` sets where nobody sets it.
    fn default() -> Self {
        Self { sessions: 200, window_ms: 3_600_000 }
    }
}

/// Counts per client address (v4, or v6 /64) in a window that starts with the first.
///
/// Written down with each slice of a fold, as far as the journal was then: what is replayed up to there counts already.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Newcomers {
    clients: BTreeMap<IpAddr, Window>,
    /// Journal position up to which they are counted where this was read.
    upto: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Window {
    until_ms: u64,
    sessions: u32,
}

impl Newcomers {
    /// Counts a session whose key nothing vouches for, which came with this position of the journal.
    pub fn count(&mut self, position: u64, client: IpAddr, time_ms: u64, allowance: Allowance) {
        if position <= self.upto {
            return;
        }
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            self.shrink();
        }
        let fresh = || Window { until_ms: time_ms.saturating_add(allowance.window_ms), sessions: 0 };
        let window = self.clients.entry(client).or_insert_with(fresh);
        if window.until_ms <= time_ms {
            *window = fresh();
        }
        window.sessions = window.sessions.saturating_add(1);
    }

    /// Drops the quarter whose windows end first.
    fn shrink(&mut self) {
        let mut ends: Vec<(u64, IpAddr)> = self.clients.iter().map(|(client, w)| (w.until_ms, *client)).collect();
        ends.sort_unstable();
        for (_, client) in ends.iter().take(MAX_CLIENTS / 4) {
            self.clients.remove(client);
        }
    }

    /// Everything up to this position of the journal is counted.
    pub fn counted_upto(&mut self, position: u64) {
        self.upto = position;
    }

    /// Until when the client counts as one that starts too many, epoch ms; `None` if it does not.
    pub fn rotating(&self, client: IpAddr, time_ms: u64, allowance: Allowance) -> Option<u64> {
        let window = self.clients.get(&client)?;
        (window.until_ms > time_ms && window.sessions > allowance.sessions).then_some(window.until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance { sessions: 3, window_ms: 1_000 };

    #[test]
    fn a_client_is_rotating_one_past_its_allowance_until_the_window_ends() {
        let client = IpAddr::from([192, 0, 2, 1]);
        let mut newcomers = Newcomers::default();
        for _ in 0..3 {
            newcomers.count(1, client, 10, ALLOWANCE);
        }
        assert_eq!(newcomers.rotating(client, 10, ALLOWANCE), None);
        newcomers.count(1, client, 11, ALLOWANCE);
        assert_eq!(newcomers.rotating(client, 11, ALLOWANCE), Some(1_010));
        assert_eq!(newcomers.rotating(client, 1_010, ALLOWANCE), None);
        newcomers.count(2, client, 1_010, ALLOWANCE);
        assert_eq!(newcomers.rotating(client, 1_010, ALLOWANCE), None);
    }

    #[test]
    fn the_number_of_clients_is_bounded() {
        let mut newcomers = Newcomers::default();
        for n in 0..10_000u32 {
            newcomers.count(1, IpAddr::from(n.to_be_bytes()), u64::from(n), ALLOWANCE);
        }
        assert!(newcomers.clients.len() <= MAX_CLIENTS);
        let newest = IpAddr::from(9_999u32.to_be_bytes());
        assert!(
            newcomers.clients.contains_key(&newest) && !newcomers.clients.contains_key(&IpAddr::from([0, 0, 0, 0]))
        );
    }

    #[test]
    fn what_is_replayed_counts_once() {
        let client = IpAddr::from([192, 0, 2, 1]);
        let mut newcomers = Newcomers::default();
        newcomers.count(1, client, 10, ALLOWANCE);
        newcomers.counted_upto(1);
        let before = newcomers.clone();
        newcomers.count(1, client, 10, ALLOWANCE);
        assert_eq!(newcomers, before);
        newcomers.count(2, client, 10, ALLOWANCE);
        assert_ne!(newcomers, before);
    }
}
