//! The running summary of one session.

use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, Marks};
use super::finding::{Detector, Finding};
use super::id::SessionId;
use super::link::{self, Arrival, Issue, Link, Principal, are_strangers};
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
/// Users a session keeps apart, roles, and names somebody tried in vain.
const USERS: usize = 16;
const ROLES: usize = 16;
const ATTEMPTS: usize = 16;

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
    /// Who it belonged to, in the order they came.
    pub users: Vec<UserSpan>,
    pub roles: Tally<String, ROLES>,
    /// Users somebody tried to be in vain.
    pub attempted: Tally<String, ATTEMPTS>,
    /// Verified identity last seen in it; 0 for none.
    pub principal: Principal,
    /// Oldest first.
    pub predecessors: Vec<Link>,
    pub successors: Vec<Link>,
    pub proof: Proof,
    /// Answered with success where the anonymous are refused: the first and the last time, epoch ms.
    pub admitted: Option<(u64, u64)>,
    /// When it was ended by a logout, epoch ms.
    pub ended_ms: Option<u64>,
    /// Every mark any of its events carries.
    pub marks: Marks,
}

/// A user of a session, from when on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSpan {
    /// Plain, or a pseudonym.
    pub user: String,
    pub since_ms: u64,
    pub last_ms: u64,
    /// Events that named the user themselves.
    pub named: u64,
}

/// Why the key of a session is believed to be more than what a client made up. The better reason is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// It is not: nothing but the client's word stands for it.
    #[default]
    Unproven,
    /// It kept being answered with success where anonymous calls are refused.
    Used,
    /// The origin was seen issuing it.
    Issued,
    /// It is a verified claim.
    Verified,
}

impl Proof {
    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Used => "used",
            Self::Issued => "issued",
            Self::Verified => "verified",
        }
    }
}

/// A key answered with success for this long where the anonymous are refused is proven by use, ms.
pub const PROVEN_BY_USE_MS: u64 = 600_000;

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
            users: Vec::new(),
            roles: Tally::default(),
            attempted: Tally::default(),
            principal: 0,
            predecessors: Vec::new(),
            successors: Vec::new(),
            proof: if event.verified { Proof::Verified } else { Proof::Unproven },
            admitted: None,
            ended_ms: None,
            marks: Marks::default(),
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
        self.marks.set(event.marks);
        self.observe_identity(event);
    }

    fn observe_identity(&mut self, event: &Event<'_>) {
        if event.verified {
            self.proof = Proof::Verified;
        }
        if event.marks.has(Marks::ENDED) {
            self.ended_ms = self.ended_ms.max(Some(event.time_ms));
        }
        if !event.confirmed_user().is_empty() {
            self.name_user(event.confirmed_user(), event.time_ms);
        }
        if !event.attempted_user().is_empty() {
            self.attempted.count(event.attempted_user(), || event.attempted_user().to_owned());
        }
        for role in event.roles() {
            self.roles.count(role, || role.to_owned());
        }
        if event.principal != 0 {
            self.principal = event.principal;
        }
    }

    /// Events may arrive late and out of order: a span grows at both ends, and spans stay sorted by their start.
    fn name_user(&mut self, user: &str, time_ms: u64) {
        if let Some(span) = self.users.iter_mut().find(|span| span.user == user) {
            span.since_ms = span.since_ms.min(time_ms);
            span.last_ms = span.last_ms.max(time_ms);
            span.named += 1;
        } else if self.users.len() < USERS {
            self.users.push(UserSpan { user: user.to_owned(), since_ms: time_ms, last_ms: time_ms, named: 1 });
        } else {
            return;
        }
        self.users.sort_by_key(|span| span.since_ms);
    }

    /// The user at a moment: who was last named before it, or is named at it; nobody after a logout, and nobody in a
    /// session that may be many people.
    pub fn user_at(&self, time_ms: u64) -> Option<&str> {
        if self.is_address_bound() {
            return None;
        }
        let spans = || self.users.iter().filter(|span| span.since_ms <= time_ms);
        // Of several users that take turns, the one named nearest before the moment.
        let current = spans().filter(|span| span.last_ms <= time_ms).max_by_key(|span| span.last_ms);
        let current = spans().filter(|span| span.last_ms > time_ms).max_by_key(|span| span.since_ms).or(current)?;
        let ended = self.ended_ms.is_some_and(|ended| ended < time_ms && current.last_ms <= ended);
        (!ended).then_some(current.user.as_str())
    }

    /// Takes in where the session went on to; false where both are known to belong to different identities.
    pub fn continues_in(&mut self, issue: &Issue) -> bool {
        if are_strangers(self.principal, issue.principal) || issue.to == self.id {
            return false;
        }
        let link = Link {
            session: issue.to,
            reason: issue.reason,
            time_ms: issue.time_ms,
            request: issue.request,
            principal: issue.principal,
            risk: Risk::default(),
        };
        link::add(&mut self.successors, link);
        true
    }

    /// What the session that `issue` leads to is told.
    pub fn arrival(&self, issue: &Issue) -> Arrival {
        // An address may be many people: what one of them did is not held against another.
        let carries = issue.reason.carries_risk() && !self.is_address_bound();
        let link = Link {
            session: self.id,
            reason: issue.reason,
            time_ms: issue.time_ms,
            request: issue.request,
            principal: self.principal,
            risk: if carries { self.risk } else { Risk::default() },
        };
        Arrival { to: issue.to, link }
    }

    /// Takes in a predecessor, once. What was held against it counts once too, however many of its responses issued
    /// this session's key, and not at all where it came from here in the first place.
    pub fn arrived(&mut self, link: &Link) {
        if are_strangers(self.principal, link.principal) {
            return;
        }
        let counted = |links: &[Link]| links.iter().any(|l| l.session == link.session);
        let again = counted(&self.predecessors) || counted(&self.successors);
        let risk = if again { Risk::default() } else { link.risk };
        if link::add(&mut self.predecessors, Link { risk, ..link.clone() }) {
            self.risk.carry(&risk, link.time_ms);
        }
    }

    /// Predecessors that are somebody else's, if this session is `principal`'s.
    pub fn strangers_to(&self, principal: Principal) -> impl Iterator<Item = SessionId> {
        self.predecessors.iter().filter(move |link| are_strangers(principal, link.principal)).map(|link| link.session)
    }

    /// Takes leave of sessions that turned out to be somebody else's; answers which of them were predecessors.
    pub fn part_from_strangers(&mut self) -> Vec<SessionId> {
        let principal = self.principal;
        self.successors.retain(|link| !are_strangers(principal, link.principal));
        let strangers: Vec<Link> =
            self.predecessors.extract_if(.., |link| are_strangers(principal, link.principal)).collect();
        for link in &strangers {
            self.risk.take_back(&link.risk, link.time_ms);
        }
        strangers.into_iter().map(|link| link.session).collect()
    }

    /// Notes an answer of success where the anonymous are refused.
    pub fn admit(&mut self, time_ms: u64) {
        let (first, last) = self.admitted.unwrap_or((time_ms, time_ms));
        let (first, last) = (first.min(time_ms), last.max(time_ms));
        self.admitted = Some((first, last));
        if last - first >= PROVEN_BY_USE_MS {
            self.proof = self.proof.max(Proof::Used);
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
        crate::identity::is_address_bound(&self.key_source)
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
            + text(&mut self.users.iter().map(|span| span.user.len()))
            + text(&mut self.roles.iter().map(|(k, _)| k.len()))
            + text(&mut self.attempted.iter().map(|(k, _)| k.len()))
            + (self.predecessors.len() + self.successors.len()) * size_of::<Link>()
    }
}
