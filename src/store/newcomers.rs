//! How many unproven sessions each client started lately, over all isolates.

use core::net::IpAddr;
use std::collections::BTreeMap;

/// Clients counted; when there are more, those whose window ends first are forgotten.
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
#[derive(Debug, Default)]
pub struct Newcomers {
    clients: BTreeMap<IpAddr, Window>,
}

#[derive(Debug)]
struct Window {
    until_ms: u64,
    sessions: u32,
}

impl Newcomers {
    /// Counts a session whose key nothing vouches for.
    pub fn count(&mut self, client: IpAddr, time_ms: u64, allowance: Allowance) {
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            self.clients.retain(|_, window| window.until_ms > time_ms);
            if self.clients.len() >= MAX_CLIENTS
                && let Some(first) = self.clients.iter().min_by_key(|(_, w)| w.until_ms).map(|(ip, _)| *ip)
            {
                self.clients.remove(&first);
            }
        }
        let fresh = || Window { until_ms: time_ms.saturating_add(allowance.window_ms), sessions: 0 };
        let window = self.clients.entry(client).or_insert_with(fresh);
        if window.until_ms <= time_ms {
            *window = fresh();
        }
        window.sessions = window.sessions.saturating_add(1);
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
            newcomers.count(client, 10, ALLOWANCE);
        }
        assert_eq!(newcomers.rotating(client, 10, ALLOWANCE), None);
        newcomers.count(client, 11, ALLOWANCE);
        assert_eq!(newcomers.rotating(client, 11, ALLOWANCE), Some(1_010));
        assert_eq!(newcomers.rotating(client, 1_010, ALLOWANCE), None);
        newcomers.count(client, 1_010, ALLOWANCE);
        assert_eq!(newcomers.rotating(client, 1_010, ALLOWANCE), None);
    }

    #[test]
    fn the_number_of_clients_is_bounded() {
        let mut newcomers = Newcomers::default();
        for n in 0..10_000u32 {
            newcomers.count(IpAddr::from(n.to_be_bytes()), 10, ALLOWANCE);
        }
        assert!(newcomers.clients.len() <= MAX_CLIENTS);
    }
}
