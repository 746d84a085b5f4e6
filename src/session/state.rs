//! The running summary of one session.

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Kind, Value};
use super::detector::Detector;
use super::dictionary::{Address, Dictionary, Symbol};
use super::event::{Event, Marks};
use super::finding::Finding;
use super::id::SessionId;
use super::link::{self, Arrival, Issue, Link, Principal, are_strangers};
use super::params::{ParamBook, key_of, shown_of};
use super::risk::{FLAGGED, Risk};
use crate::sorting;
use crate::subject::SubjectHash;

/// Findings kept in full, newest first to go in; the counts per detector go on.
const FINDINGS: usize = 64;
/// Findings kept of a session where its states were merged.
const RECALLED: usize = 512;
/// Users whose spans a session keeps apart.
const USERS: usize = 16;

/// Everything an answer about a session is made of, without its events. Its texts are in the dictionary of whoever
/// holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub key_source: Symbol,
    /// Whether the key is no key at all, so that the session may be many people.
    pub keyless: Keyless,
    pub verified: bool,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    pub requests: u64,
    /// Requests the origin, or we, refused (4xx).
    pub refused: u64,
    /// Requests that completed a finding.
    pub attacks: u64,
    /// Endpoints, methods, status codes, agents, addresses, users, roles, detectors.
    pub counts: Counts,
    pub findings: Vec<Finding>,
    pub risk: Risk,
    /// Who it belonged to, in the order they came.
    pub users: Vec<UserSpan>,
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
    /// What it sent of business parameters; few sessions send any.
    pub params: Option<Box<ParamBook>>,
}

/// A user of a session, from when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSpan {
    /// Plain, or a pseudonym; empty where the user was erased: what was done meanwhile is not another's.
    pub user: Symbol,
    pub since_ms: u64,
    pub last_ms: u64,
}

/// What a session without a key of its own is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Keyless {
    /// It has a key.
    #[default]
    No,
    /// An address with what many people share, such as a browser build.
    Client,
    /// An address alone.
    Address,
}

impl Keyless {
    /// What the source of a key says of it.
    pub fn of(key_source: &str) -> Self {
        if key_source == crate::identity::ADDRESS_ONLY {
            Self::Address
        } else if crate::identity::is_address_bound(key_source) {
            Self::Client
        } else {
            Self::No
        }
    }
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

/// A session's state in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Clear,
    Flagged,
    Blocked,
}

impl State {
    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Flagged => "flagged",
            Self::Blocked => "blocked",
        }
    }

    /// The state of a session with this risk, on which a block holds or not.
    pub fn of(risk: &Risk, blocked: bool, now_ms: u64) -> Self {
        if blocked {
            Self::Blocked
        } else if risk.score(now_ms) >= FLAGGED {
            Self::Flagged
        } else {
            Self::Clear
        }
    }
}

impl Session {
    /// A session of which `event` is the first that is known.
    pub fn new(event: &Event<'_>, dictionary: &mut Dictionary) -> Self {
        Self {
            id: event.session,
            key_source: dictionary.symbol(event.key_source),
            keyless: Keyless::of(event.key_source),
            verified: event.verified,
            first_seen_ms: event.time_ms,
            last_seen_ms: event.time_ms,
            requests: 0,
            refused: 0,
            attacks: 0,
            counts: Counts::default(),
            findings: Vec::new(),
            risk: Risk::default(),
            users: Vec::new(),
            principal: 0,
            predecessors: Vec::new(),
            successors: Vec::new(),
            proof: if event.verified { Proof::Verified } else { Proof::Unproven },
            admitted: None,
            ended_ms: None,
            marks: Marks::default(),
            params: None,
        }
    }

    /// Takes in an event, whose endpoint key is `endpoint`; events of one session may arrive in any order.
    pub fn observe(&mut self, event: &Event<'_>, endpoint: &str, dictionary: &mut Dictionary) {
        self.first_seen_ms = self.first_seen_ms.min(event.time_ms);
        self.last_seen_ms = self.last_seen_ms.max(event.time_ms);
        self.requests += 1;
        self.refused += u64::from(event.refused());
        let mut count = |kind, value: Value<'_>| self.counts.add(kind, value.number(dictionary), 1);
        count(Kind::Endpoint, Value::Text(endpoint));
        count(Kind::Method, Value::Text(event.method));
        count(Kind::Status, Value::Status(event.status));
        if let Some(state) = event.inventory {
            count(Kind::Inventory, Value::Inventory(state));
        }
        count(Kind::Agent, Value::Text(event.user_agent));
        if let Some(ip) = event.ip {
            count(Kind::Address, Value::Address(Address { ip, country: event.country, asn: event.asn }));
        }
        if !event.attempted_user().is_empty() {
            count(Kind::Attempted, Value::Text(event.attempted_user()));
        }
        event.roles().for_each(|role| count(Kind::Role, Value::Text(role)));
        let mut marks = event.marks;
        marks.clear(Marks::USER_ERASED);
        self.marks.set(marks);
        if event.verified {
            self.proof = Proof::Verified;
        }
        if event.marks.has(Marks::ENDED) {
            self.ended_ms = self.ended_ms.max(Some(event.time_ms));
        }
        if !event.confirmed_user().is_empty() {
            let user = dictionary.symbol(event.confirmed_user());
            self.counts.add(Kind::User, user.0, 1);
            self.name_user(user, event.time_ms);
        } else if event.marks.has(Marks::USER_ERASED) && !event.marks.has(Marks::USER_ATTEMPTED) {
            self.name_user(Symbol::EMPTY, event.time_ms);
        }
        if event.principal != 0 {
            self.principal = event.principal;
        }
    }

    /// Takes in the business values of an event.
    pub fn observe_params(&mut self, event: &Event<'_>, dictionary: &mut Dictionary, hash: &SubjectHash) {
        for (name, value) in event.params.iter() {
            let key = dictionary.symbol(&key_of(name, value));
            self.counts.add(Kind::Param, key.0, 1);
            self.params.get_or_insert_default().see(dictionary.symbol(name), value, event.id, hash);
        }
    }

    /// Events may arrive late and out of order: a span grows at both ends, and spans stay sorted by their start.
    fn name_user(&mut self, user: Symbol, time_ms: u64) {
        if let Some(span) = self.users.iter_mut().find(|span| span.user == user) {
            span.since_ms = span.since_ms.min(time_ms);
            span.last_ms = span.last_ms.max(time_ms);
        } else if self.users.len() < USERS {
            if self.users.is_empty() {
                self.users.reserve_exact(1);
            }
            self.users.push(UserSpan { user, since_ms: time_ms, last_ms: time_ms });
        } else {
            return;
        }
        sorting::sort_by_key(&mut self.users, |span| span.since_ms);
    }

    /// The user at a moment: who was last named before it, or is named at it; nobody after a logout, and nobody in a
    /// session that may be many people.
    pub fn user_at(&self, time_ms: u64) -> Option<Symbol> {
        if self.is_address_bound() {
            return None;
        }
        let spans = || self.users.iter().filter(|span| span.since_ms <= time_ms);
        // Of several users that take turns, the one named nearest before the moment.
        let current = spans().filter(|span| span.last_ms <= time_ms).max_by_key(|span| span.last_ms);
        let current = spans().filter(|span| span.last_ms > time_ms).max_by_key(|span| span.since_ms).or(current)?;
        let ended = self.ended_ms.is_some_and(|ended| ended < time_ms && current.last_ms <= ended);
        (!ended).then_some(current.user)
    }

    /// Forgets a user, but not that there was one; answers whether there was. `forms` are all texts that name it.
    pub fn erase_user(&mut self, dictionary: &Dictionary, forms: &[String]) -> bool {
        let names_user = |text: &str| forms.iter().any(|form| form == text);
        let is_user = |symbol| names_user(dictionary.text(symbol));
        let names_by_value = |number| names_user(shown_of(dictionary.text(Symbol(number))));
        let mut erased = self.counts.remove_where(Kind::Param, names_by_value);
        erased |= self.params.as_mut().is_some_and(|book| book.erase(&names_user));
        for kind in [Kind::User, Kind::Attempted] {
            erased |= self.counts.remove_where(kind, |number| is_user(Symbol(number)));
        }
        for span in self.users.iter_mut().filter(|span| is_user(span.user)) {
            span.user = Symbol::EMPTY;
            erased = true;
        }
        // As when the journal is read again: nobody is one span, from first to last.
        let mut nobody = self.users.extract_if(.., |span| span.user == Symbol::EMPTY);
        if let Some(mut whole) = nobody.next() {
            for span in nobody {
                whole.since_ms = whole.since_ms.min(span.since_ms);
                whole.last_ms = whole.last_ms.max(span.last_ms);
            }
            self.users.push(whole);
            sorting::sort_by_key(&mut self.users, |span| span.since_ms);
        }
        self.findings.iter_mut().fold(erased, |erased, finding| finding.erase(forms) | erased)
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

    /// Takes in a finding about this session and fills in its `risk_added`.
    pub fn record(&mut self, mut finding: Finding) {
        finding.risk_added = self.risk.add(finding.severity, finding.sureness(), finding.time_ms);
        self.attacks += 1;
        self.counts.add(Kind::Detector, finding.detector.number(), 1);
        self.findings.push(finding);
        self.trim_findings();
    }

    /// Drops the oldest findings beyond those that are kept.
    pub fn trim_findings(&mut self) {
        self.findings.drain(..self.findings.len().saturating_sub(FINDINGS));
    }

    /// Takes back findings that an older state still had, so that the events they are of keep them.
    pub fn recall_findings(&mut self, older: &Self) {
        let forgotten: Vec<Finding> =
            older.findings.iter().filter(|finding| !self.findings.contains(finding)).cloned().collect();
        self.findings.splice(..0, forgotten);
        self.findings.drain(..self.findings.len().saturating_sub(RECALLED));
    }

    /// Risk as it was at `as_of_ms`, as far as the findings kept tell.
    pub fn risk_as_of(&self, as_of_ms: u64) -> u8 {
        if self.findings.last().is_none_or(|f| f.time_ms <= as_of_ms) {
            return self.risk.score(as_of_ms);
        }
        let mut risk = Risk::default();
        for finding in self.findings.iter().filter(|f| f.time_ms <= as_of_ms) {
            risk.add(finding.severity, finding.sureness(), finding.time_ms);
        }
        risk.score(as_of_ms)
    }

    /// `flagged` by risk; whether a block holds is the block set's to say.
    pub fn state(&self, blocked: bool, now_ms: u64) -> State {
        State::of(&self.risk, blocked, now_ms)
    }

    /// Whether the key is an address alone or with what many people share, so that the session may be many people.
    pub fn is_address_bound(&self) -> bool {
        self.keyless != Keyless::No
    }

    /// Gives its texts the numbers they have in another dictionary.
    pub fn renumber(&mut self, from: &Dictionary, to: &mut Dictionary) {
        self.key_source = to.symbol(from.text(self.key_source));
        self.users.iter_mut().for_each(|span| span.user = to.symbol(from.text(span.user)));
        self.counts = self.counts.renumbered(from, to);
        self.params.iter_mut().for_each(|book| book.renumber(from, to));
    }

    /// Detectors that found something.
    pub fn detected(&self) -> impl Iterator<Item = Detector> {
        self.counts.of(Kind::Detector).filter_map(|(number, _)| Detector::from_number(number))
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.counts.bytes()
            + self.findings.iter().map(Finding::bytes).sum::<usize>()
            + self.users.len() * size_of::<UserSpan>()
            + self.params.as_ref().map_or(0, |book| book.bytes())
            + (self.predecessors.len() + self.successors.len()) * size_of::<Link>()
    }
}
