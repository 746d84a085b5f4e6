//! The running summary of one session.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::finding::{Detector, Finding};
use super::id::SessionId;
use super::risk::{FLAGGED, Risk};
use super::tally::Tally;

/// Distinct endpoints, methods, status codes and agents a session keeps count of; further ones are counted together.
const ENDPOINTS: usize = 256;
const METHODS: usize = 32;
const STATUSES: usize = 64;
const AGENTS: usize = 8;
/// Addresses a session keeps apart; requests from further ones are only in its total.
const ADDRESSES: usize = 64;
/// Findings kept in full, newest first to go in; the counts per detector go on.
const FINDINGS: usize = 64;

/// Everything an answer about a session is made of, without its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub key_source: String,
    pub verified: bool,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    pub requests: u64,
    /// Requests the origin, or we, refused (4xx).
    pub refused: u64,
    /// Requests that completed a finding.
    pub attacks: u64,
    pub endpoints: Tally<String, ENDPOINTS>,
    pub methods: Tally<String, METHODS>,
    pub statuses: Tally<u16, STATUSES>,
    pub user_agents: Tally<String, AGENTS>,
    pub addresses: Vec<Address>,
    pub findings: Vec<Finding>,
    pub detected: BTreeMap<Detector, u64>,
    pub risk: Risk,
}

/// One address a session came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Address {
    pub ip: IpAddr,
    pub country: String,
    pub asn: u32,
    pub requests: u64,
}

/// A session's state in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Clear,
    Flagged,
    Blocked,
}

impl Session {
    /// A session of which `event` is the first that is known.
    pub fn new(event: &Event<'_>) -> Self {
        Self {
            id: event.session,
            key_source: event.key_source.to_owned(),
            verified: event.verified,
            first_seen_ms: event.time_ms,
            last_seen_ms: event.time_ms,
            requests: 0,
            refused: 0,
            attacks: 0,
            endpoints: Tally::default(),
            methods: Tally::default(),
            statuses: Tally::default(),
            user_agents: Tally::default(),
            addresses: Vec::new(),
            findings: Vec::new(),
            detected: BTreeMap::new(),
            risk: Risk::default(),
        }
    }

    /// Takes in an event; events of one session may arrive in any order.
    pub fn observe(&mut self, event: &Event<'_>) {
        self.first_seen_ms = self.first_seen_ms.min(event.time_ms);
        self.last_seen_ms = self.last_seen_ms.max(event.time_ms);
        self.requests += 1;
        self.refused += u64::from(event.refused());
        let endpoint = event.endpoint_key();
        self.endpoints.count(endpoint.as_str(), || endpoint.clone());
        self.methods.count(event.method, || event.method.to_owned());
        self.statuses.count(&event.status, || event.status);
        self.user_agents.count(event.user_agent, || event.user_agent.to_owned());
        if let Some(ip) = event.ip {
            self.count_address(ip, event);
        }
    }

    fn count_address(&mut self, ip: IpAddr, event: &Event<'_>) {
        if let Some(address) = self.addresses.iter_mut().find(|a| a.ip == ip) {
            address.requests += 1;
        } else if self.addresses.len() < ADDRESSES {
            self.addresses.push(Address { ip, country: event.country.to_owned(), asn: event.asn, requests: 1 });
        }
    }

    /// Takes in a finding about this session and fills in its `risk_added`.
    pub fn record(&mut self, mut finding: Finding) {
        finding.risk_added = self.risk.add(finding.severity, finding.confidence, finding.time_ms);
        self.attacks += 1;
        *self.detected.entry(finding.detector).or_default() += 1;
        if self.findings.len() >= FINDINGS {
            self.findings.remove(0);
        }
        self.findings.push(finding);
    }

    /// Risk as it was at `as_of_ms`, as far as the findings kept tell.
    pub fn risk_as_of(&self, as_of_ms: u64) -> u8 {
        if self.findings.last().is_none_or(|f| f.time_ms <= as_of_ms) {
            return self.risk.score(as_of_ms);
        }
        let mut risk = Risk::default();
        for finding in self.findings.iter().filter(|f| f.time_ms <= as_of_ms) {
            risk.add(finding.severity, finding.confidence, finding.time_ms);
        }
        risk.score(as_of_ms)
    }

    /// `flagged` by risk; whether a block holds is the block set's to say.
    pub fn state(&self, blocked: bool, now_ms: u64) -> State {
        if blocked {
            State::Blocked
        } else if self.risk.score(now_ms) >= FLAGGED {
            State::Flagged
        } else {
            State::Clear
        }
    }

    /// Whether the key is an address alone or with what many people share, so that the session may be many people.
    pub fn is_address_bound(&self) -> bool {
        self.key_source.starts_with("client.")
    }

    /// A rough upper bound of the memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        const NODE: usize = 48;
        let text = |keys: &mut dyn Iterator<Item = usize>| keys.map(|len| len + NODE).sum::<usize>();
        size_of::<Self>()
            + text(&mut self.endpoints.iter().map(|(k, _)| k.len()))
            + text(&mut self.methods.iter().map(|(k, _)| k.len()))
            + text(&mut self.user_agents.iter().map(|(k, _)| k.len()))
            + self.statuses.len() * NODE
            + self.addresses.len() * (size_of::<Address>() + 2)
            + self.findings.len() * 1024
    }
}
