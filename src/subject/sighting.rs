//! What one event says about one subject: plain data, to be taken in here or sent to the shard that owns the subject.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::agent::Family;
use super::hash::SubjectHash;
use super::key::{Identity, Kind, SubjectKey};
use super::windows::Counts;
use crate::identity::{Stage, stage};
use crate::session::{Event, EventId, SessionId};
use crate::verdict::Action;

/// Purpose of an endpoint's hash, next to those of [`super::Kind`] and of the sets.
const ENDPOINT: u64 = 21;

/// ISO 3166 alpha-2, or one of the platform's own (`T1`); two zeros where unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// The country of a text of two ASCII letters or digits; any other text is none.
    pub fn of(text: &str) -> Self {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => Self([*a, *b]),
            _ => Self::default(),
        }
    }

    /// Whether it is known.
    pub fn is_known(self) -> bool {
        self != Self::default()
    }

    /// The two letters; empty where unknown.
    pub fn as_str(&self) -> &str {
        if self.is_known() { core::str::from_utf8(&self.0).unwrap_or("") } else { "" }
    }
}

/// What became of a login, where the event was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Login {
    #[default]
    None,
    Failed,
    Succeeded,
}

/// One event, seen from one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting<'a> {
    #[serde(borrow)]
    pub of: Identity<'a>,
    /// The event; its id tells the time.
    pub event: EventId,
    pub session: SessionId,
    /// The exact address.
    pub ip: Option<IpAddr>,
    pub country: Country,
    /// 0 where unknown.
    pub asn: u32,
    #[serde(borrow)]
    pub agent: Family<'a>,
    /// As stored; empty where unknown. With `attempted` only who somebody tried to be.
    pub user: &'a str,
    pub attempted: bool,
    /// The request was answered 4xx.
    pub refused: bool,
    pub login: Login,
    /// Keyed hash of method, host and template.
    pub endpoint: u32,
    /// Of the response; 0 where no length was announced.
    pub bytes: u64,
}

impl Sighting<'_> {
    /// Epoch ms at which the request arrived.
    pub fn time_ms(&self) -> u64 {
        self.event.time_ms()
    }

    /// What it adds to the counts of its subject: of a user somebody only tried to be, nothing but the login.
    pub fn counts(&self) -> Counts {
        let logins = Counts {
            failed: u32::from(self.login == Login::Failed),
            succeeded: u32::from(self.login == Login::Succeeded),
            ..Counts::default()
        };
        if self.is_attempt_at_subject() {
            return logins;
        }
        Counts { requests: 1, refused: u32::from(self.refused), bytes: self.bytes, ..logins }
    }

    /// Whether the subject is a user that somebody tried to be, and so was not there themselves.
    pub fn is_attempt_at_subject(&self) -> bool {
        self.attempted && matches!(self.of, Identity::User(_))
    }
}

/// Every subject an event is a sighting of: at most a user, an address, a token and a device.
///
/// Who calls may put a user into the event that it does not name itself, but its session does.
pub fn subjects_of<'a>(event: &Event<'a>, hash: &SubjectHash) -> impl Iterator<Item = (SubjectKey, Sighting<'a>)> {
    subjects_with(event, Family::of(event.user_agent), hash)
}

/// The same for whoever knows the family of the event's agent already: to find it is most of the work.
pub fn subjects_with<'a>(
    event: &Event<'a>,
    agent: Family<'a>,
    hash: &SubjectHash,
) -> impl Iterator<Item = (SubjectKey, Sighting<'a>)> {
    let (seen, hash) = (sighting(event, agent, hash), *hash);
    identities(event, agent).map(move |of| (of.key(&hash), Sighting { of, ..seen }))
}

/// Who an event is a sighting of.
pub fn identities<'a>(event: &Event<'a>, agent: Family<'a>) -> impl Iterator<Item = Identity<'a>> {
    let subjects = [
        (!event.user.is_empty()).then_some(Identity::User(event.user)),
        event.ip.map(Identity::ip),
        (event.token != 0).then_some(Identity::Token(event.token)),
        Identity::device(event.ja4, agent, event.ip),
    ];
    subjects.into_iter().flatten()
}

/// What an event says about its subject of this kind, if it has one.
pub fn sighting_of<'a>(event: &Event<'a>, kind: Kind, hash: &SubjectHash) -> Option<Sighting<'a>> {
    let agent = Family::of(event.user_agent);
    let of = identities(event, agent).find(|of| of.kind() == kind)?;
    Some(Sighting { of, ..sighting(event, agent, hash) })
}

/// What it says about any of them; `of` is its user, whether it names one or not.
fn sighting<'a>(event: &Event<'a>, agent: Family<'a>, hash: &SubjectHash) -> Sighting<'a> {
    let endpoint = hash.start(ENDPOINT).text(event.method).text(event.host).text(event.template).half();
    let user = event.user;
    Sighting {
        of: Identity::User(user),
        event: event.id,
        session: event.session,
        ip: event.ip,
        country: Country::of(event.country),
        asn: event.asn,
        agent,
        user,
        attempted: !event.attempted_user().is_empty(),
        refused: event.refused(),
        login: login(event),
        endpoint: endpoint as u32,
        bytes: event.response_bytes.unwrap_or(0),
    }
}

/// What became of the login that the event was: what the origin says; else what its answer says to whoever named a user
/// in vain, or called where the path's words say that it is for logging in. What we stopped was no login.
fn login(event: &Event<'_>) -> Login {
    let said = |names: [&str; 2]| event.feedback.split(',').any(|name| names.contains(&name));
    let is_login = || event.method == "POST" && stage(event.method, event.template) == Some(Stage::Login);
    if event.action >= Action::Throttle || event.status >= 500 {
        Login::None
    } else if said(["login-failure", "mfa-failure"]) {
        Login::Failed
    } else if said(["login-success", "mfa-success"]) {
        Login::Succeeded
    } else if !event.feedback.is_empty() {
        // The origin reports, and reports no login.
        Login::None
    } else if !event.attempted_user().is_empty() || (event.status == 401 && is_login()) {
        Login::Failed
    } else if !event.confirmed_user().is_empty() && (200..400).contains(&event.status) && is_login() {
        Login::Succeeded
    } else {
        Login::None
    }
}
