//! How many sessions a client may start with keys that nothing vouches for, as one isolate sees it.
//!
//! An isolate knows some keys to be proven: verified, seen issued, or vouched for by a shard. Every other key a client
//! shows counts against its allowance for the window. Beyond it, what becomes of the request is the caller's to say:
//! first the shard that owns the session is asked, and only a key that it cannot vouch for either is set aside.

use core::net::IpAddr;
use std::collections::{HashMap, HashSet};

use crate::recent::Recent;
use crate::selector::Client;
use crate::session::SessionId;
use crate::verdict::Subject;
use crate::wire::MAX_QUESTIONS;

/// Proven sessions remembered.
const MAX_PROVEN: usize = 20_000;
/// Accounts kept, and sessions counted in all of them together; beyond either, the accounts not used lately go.
const MAX_ACCOUNTS: usize = 4_096;
const MAX_COUNTED: usize = 200_000;
/// Sessions a shard is yet to be asked about.
const MAX_OPEN: usize = 4_096;

/// What a client may do within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowances {
    pub per_address: u32,
    /// A device is an address with an agent and a TLS fingerprint; without a fingerprint there is none.
    pub per_device: u32,
    pub window_ms: u64,
}

/// Where a session's key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Proven, or within what the client may show unproven.
    Within,
    /// Unproven as far as the isolate knows, and one too many.
    Beyond,
}

/// Whom a session is counted for: the hash of an address or of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Holder {
    Address(IpAddr),
    Device(u64),
}

#[derive(Debug, Default)]
struct Account {
    until_ms: u64,
    sessions: HashSet<SessionId>,
    /// Sessions known by address and agent.
    agents: HashSet<SessionId>,
    /// Sessions started by being issued a key.
    started: u32,
    /// Questions to shards that requests of this client waited for.
    asked: u32,
    /// A shard said that the client starts too many, fleet-wide; until then nothing more is within its allowance.
    rotating_until_ms: u64,
}

/// What the isolate knows of keys and of the clients that show them.
#[derive(Debug)]
pub struct Standings {
    proven: Recent<SessionId, ()>,
    /// Accounts used since the last change of generations, and those used before that.
    young: HashMap<Holder, Account>,
    old: HashMap<Holder, Account>,
    /// Sessions counted in the young ones.
    counted: usize,
    /// Sessions counted that no shard has been asked about, with their holders.
    open: HashMap<SessionId, [Option<Holder>; 2]>,
    asked: HashMap<SessionId, [Option<Holder>; 2]>,
}

impl Default for Standings {
    fn default() -> Self {
        Self {
            proven: Recent::new(MAX_PROVEN),
            young: HashMap::new(),
            old: HashMap::new(),
            counted: 0,
            open: HashMap::new(),
            asked: HashMap::new(),
        }
    }
}

impl Standings {
    /// Meets an unverified key of a client.
    pub fn meet(&mut self, session: SessionId, client: &Client<'_>, now_ms: u64, allowances: Allowances) -> Standing {
        if self.proven.contains(&session) {
            return Standing::Within;
        }
        let holders = holders(client);
        let caps = [allowances.per_address, allowances.per_device];
        let mut known = true;
        for (holder, cap) in holders.iter().zip(caps).filter_map(|(h, cap)| Some(((*h)?, cap))) {
            let account = self.account(holder, now_ms, allowances.window_ms);
            if account.sessions.contains(&session) {
                continue;
            }
            known = false;
            if account.sessions.len() >= cap as usize || account.rotating_until_ms > now_ms {
                return Standing::Beyond;
            }
        }
        if !known {
            for holder in holders.into_iter().flatten() {
                let account = self.account(holder, now_ms, allowances.window_ms);
                let new = account.sessions.insert(session);
                self.counted += usize::from(new);
            }
            if self.open.len() < MAX_OPEN {
                self.open.insert(session, holders);
            }
        }
        Standing::Within
    }

    /// Meets a session known by address and agent. The agent is the client's to choose, so it counts like a key.
    pub fn meet_agent(
        &mut self,
        session: SessionId,
        client: &Client<'_>,
        now_ms: u64,
        allowances: Allowances,
    ) -> Standing {
        let [Some(holder), _] = holders(client) else { return Standing::Within };
        let account = self.account(holder, now_ms, allowances.window_ms);
        if account.agents.contains(&session) {
            Standing::Within
        } else if account.agents.len() >= allowances.per_address as usize {
            Standing::Beyond
        } else {
            account.agents.insert(session);
            self.counted += 1;
            Standing::Within
        }
    }

    /// Whether the client may have its request counted to the session it was just issued the key of: one that throws
    /// its keys away is not given a fresh session with every request.
    pub fn start(&mut self, client: &Client<'_>, now_ms: u64, allowances: Allowances) -> Standing {
        let caps = [allowances.per_address, allowances.per_device];
        let holders = holders(client);
        for (holder, cap) in holders.iter().zip(caps).filter_map(|(h, cap)| Some(((*h)?, cap))) {
            if self.account(holder, now_ms, allowances.window_ms).started >= cap {
                return Standing::Beyond;
            }
        }
        for holder in holders.into_iter().flatten() {
            self.account(holder, now_ms, allowances.window_ms).started += 1;
        }
        Standing::Within
    }

    /// Whether a request may wait for its shard to vouch for its key. A client that makes keys up has few such questions;
    /// beyond them its sessions are asked about with the next flush, so that whoever shares its address and has a
    /// proven key loses one request to it and not more.
    pub fn may_ask(&mut self, session: SessionId, client: &Client<'_>, now_ms: u64, allowances: Allowances) -> bool {
        let holders = holders(client);
        let Some(holder) = holders.into_iter().flatten().next() else { return false };
        let account = self.account(holder, now_ms, allowances.window_ms);
        account.asked = account.asked.saturating_add(1);
        let may = account.asked <= allowances.per_address;
        if !may && self.open.len() < MAX_OPEN {
            self.open.insert(session, [None, None]);
        }
        may
    }

    /// Something vouches for the session's key.
    pub fn prove(&mut self, session: SessionId) {
        self.proven.insert(session, ());
        let counted = self.open.remove(&session).or_else(|| self.asked.remove(&session));
        for holder in counted.into_iter().flatten().flatten() {
            if let Some(account) = self.old.get_mut(&holder) {
                account.sessions.remove(&session);
            }
            let young = self.young.get_mut(&holder).is_some_and(|account| account.sessions.remove(&session));
            self.counted -= usize::from(young);
        }
    }

    /// A shard says that the client starts too many unproven sessions.
    pub fn is_rotating(&mut self, client: IpAddr, until_ms: u64, now_ms: u64, window_ms: u64) {
        let account = self.account(Holder::Address(Subject::client(client)), now_ms, window_ms);
        account.rotating_until_ms = account.rotating_until_ms.max(until_ms);
    }

    /// Sessions that shards are to be asked about; each once.
    pub fn questions(&mut self) -> Vec<SessionId> {
        let some: Vec<SessionId> = self.open.keys().take(MAX_QUESTIONS).copied().collect();
        if self.asked.len() >= MAX_OPEN {
            self.asked.clear();
        }
        for session in &some {
            if let Some(holders) = self.open.remove(session) {
                self.asked.insert(*session, holders);
            }
        }
        some
    }

    /// Takes back questions that could not be asked.
    pub fn reopen(&mut self, questions: Vec<SessionId>) {
        for session in questions {
            let holders = self.asked.remove(&session).unwrap_or([None, None]);
            if self.open.len() < MAX_OPEN {
                self.open.insert(session, holders);
            }
        }
    }

    fn account(&mut self, holder: Holder, now_ms: u64, window_ms: u64) -> &mut Account {
        if !self.young.contains_key(&holder) {
            if self.young.len() >= MAX_ACCOUNTS / 2 || self.counted >= MAX_COUNTED / 2 {
                self.old = core::mem::take(&mut self.young);
                self.counted = 0;
            }
            let account = self.old.remove(&holder).unwrap_or_default();
            self.counted += account.sessions.len() + account.agents.len();
            self.young.insert(holder, account);
        }
        let account = self.young.entry(holder).or_default();
        if account.until_ms <= now_ms {
            self.counted -= account.sessions.len() + account.agents.len();
            let rotating_until_ms = account.rotating_until_ms;
            *account = Account { until_ms: now_ms.saturating_add(window_ms), rotating_until_ms, ..Account::default() };
        }
        account
    }
}

/// The address (v4, or v6 /64) and, where there is a fingerprint, the device.
fn holders(client: &Client<'_>) -> [Option<Holder>; 2] {
    let Some(ip) = client.ip.map(Subject::client) else { return [None, None] };
    let device = (!client.ja4.is_empty()).then(|| {
        // FNV-1a: a collision makes two devices one, which costs them a share of their allowance and nothing else.
        let bytes = ip.to_string().into_bytes().into_iter();
        let bytes = bytes.chain([0]).chain(client.ja4.bytes()).chain([0]).chain(client.user_agent.bytes());
        Holder::Device(bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)))
    });
    [Some(Holder::Address(ip)), device]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCES: Allowances = Allowances { per_address: 4, per_device: 2, window_ms: 1_000 };

    fn id(n: u32) -> SessionId {
        SessionId(u128::from(n).to_be_bytes())
    }

    fn client(ip: &str, ja4: &'static str) -> Client<'static> {
        Client { ip: ip.parse().ok(), ja4, ..Client::default() }
    }

    #[test]
    fn a_client_is_beyond_its_allowance_one_past_the_limit_and_not_for_what_it_showed_before() {
        let mut standings = Standings::default();
        let client = client("192.0.2.1", "");
        let mut meet = |n, at| standings.meet(id(n), &client, at, ALLOWANCES);
        for n in 0..4 {
            assert_eq!(meet(n, 0), Standing::Within);
        }
        assert_eq!(meet(4, 1), Standing::Beyond);
        assert_eq!(meet(3, 2), Standing::Within);
        assert_eq!(meet(4, 999), Standing::Beyond);
        assert_eq!(meet(4, 1_000), Standing::Within);
    }

    #[test]
    fn a_v6_client_is_its_64_and_a_device_has_less_than_its_address() {
        let mut standings = Standings::default();
        for n in 0..4 {
            let client = client(&format!("2001:db8::{n}"), "");
            assert_eq!(standings.meet(id(n), &client, 0, ALLOWANCES), Standing::Within);
        }
        assert_eq!(standings.meet(id(9), &client("2001:db8::ffff", ""), 0, ALLOWANCES), Standing::Beyond);
        let phone = client("192.0.2.1", "t13d");
        assert_eq!(standings.meet(id(10), &phone, 0, ALLOWANCES), Standing::Within);
        assert_eq!(standings.meet(id(11), &phone, 0, ALLOWANCES), Standing::Within);
        assert_eq!(standings.meet(id(12), &phone, 0, ALLOWANCES), Standing::Beyond);
        assert_eq!(standings.meet(id(13), &client("192.0.2.1", "q13d"), 0, ALLOWANCES), Standing::Within);
    }

    #[test]
    fn what_is_proven_does_not_count() {
        let mut standings = Standings::default();
        let client = client("192.0.2.1", "");
        for n in 0..100 {
            assert_eq!(standings.meet(id(n), &client, 0, ALLOWANCES), Standing::Within, "{n}");
            let asked = standings.questions();
            assert_eq!(asked, if n < 100 { vec![id(n)] } else { Vec::new() });
            standings.prove(id(n));
        }
        assert_eq!(standings.counted, 0);
    }

    #[test]
    fn a_shard_can_say_that_a_client_is_beyond_its_allowance_elsewhere() {
        let mut standings = Standings::default();
        let client = client("192.0.2.1", "");
        standings.meet(id(1), &client, 0, ALLOWANCES);
        standings.is_rotating("192.0.2.1".parse().unwrap(), 500, 0, 1_000);
        assert_eq!(standings.meet(id(1), &client, 1, ALLOWANCES), Standing::Within);
        assert_eq!(standings.meet(id(2), &client, 1, ALLOWANCES), Standing::Beyond);
        assert_eq!(standings.meet(id(2), &client, 500, ALLOWANCES), Standing::Within);
    }

    #[test]
    fn one_that_throws_its_keys_away_starts_no_more_than_it_may() {
        let mut standings = Standings::default();
        let client = client("192.0.2.1", "");
        for _ in 0..4 {
            assert_eq!(standings.start(&client, 0, ALLOWANCES), Standing::Within);
        }
        assert_eq!(standings.start(&client, 0, ALLOWANCES), Standing::Beyond);
        assert_eq!(standings.start(&client, 1_000, ALLOWANCES), Standing::Within);
    }

    #[test]
    fn a_new_agent_with_every_request_is_no_new_client_for_ever() {
        let mut standings = Standings::default();
        let met: Vec<Standing> =
            (0..6).map(|n| standings.meet_agent(id(n), &client("192.0.2.1", ""), 0, ALLOWANCES)).collect();
        assert_eq!(met.iter().filter(|s| **s == Standing::Within).count(), 4);
        assert_eq!(standings.meet_agent(id(0), &client("192.0.2.1", ""), 1, ALLOWANCES), Standing::Within);
        assert_eq!(standings.meet(id(7), &client("192.0.2.1", ""), 1, ALLOWANCES), Standing::Within);
    }

    #[test]
    fn a_client_has_as_many_questions_as_sessions_and_is_asked_about_later_beyond_them() {
        let mut standings = Standings::default();
        let client = client("192.0.2.1", "");
        let asked: Vec<bool> = (0..6).map(|n| standings.may_ask(id(n), &client, 0, ALLOWANCES)).collect();
        assert_eq!(asked, [true, true, true, true, false, false]);
        let mut open = standings.questions();
        open.sort_unstable();
        assert_eq!(open, [id(4), id(5)]);
        standings.prove(id(5));
        assert_eq!(standings.meet(id(5), &client, 1, ALLOWANCES), Standing::Within);
    }

    #[test]
    fn a_flood_of_clients_and_keys_stays_bounded() {
        let mut standings = Standings::default();
        let wide = Allowances { per_address: 10_000, per_device: 10_000, window_ms: 1_000_000 };
        for n in 0..300_000u32 {
            let client = Client { ip: Some(IpAddr::from((n % 9_000).to_be_bytes())), ..Client::default() };
            standings.meet(id(n), &client, 0, wide);
        }
        let counted = |accounts: &HashMap<Holder, Account>| {
            accounts.values().map(|a| a.sessions.len() + a.agents.len()).sum::<usize>()
        };
        assert!(standings.young.len() + standings.old.len() <= MAX_ACCOUNTS);
        assert_eq!(standings.counted, counted(&standings.young));
        assert!(counted(&standings.young) + counted(&standings.old) <= MAX_COUNTED + 2);
        assert!(standings.open.len() <= MAX_OPEN);
    }
}
