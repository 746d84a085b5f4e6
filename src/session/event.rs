//! One request with its response, as everything downstream sees it.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::id::{EventId, SessionId};
use super::link::Principal;
use super::params::Params;
use crate::inventory::Inventory;
use crate::verdict::Action;

/// An event, borrowing its text from whoever holds it: a request being recorded, a batch, or a folded chunk.
///
/// Times are epoch milliseconds, durations milliseconds, sizes bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    pub id: EventId,
    pub session: SessionId,
    /// The selector of the key the session was found by, as configured or built in.
    pub key_source: &'a str,
    /// Whether that key was a verified claim.
    pub verified: bool,
    pub time_ms: u64,
    /// From arrival to the origin's response headers.
    pub duration_ms: u32,
    pub method: &'a str,
    pub host: &'a str,
    /// Path as the platform handed it over, secrets masked, without the query.
    pub path: &'a str,
    /// Template of the path, e.g. `/api/orders/{integer}`.
    pub template: &'a str,
    pub status: u16,
    /// `None` where no length was announced.
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub ip: Option<IpAddr>,
    /// ISO 3166 alpha-2, or empty where unknown.
    pub country: &'a str,
    /// 0 where unknown.
    pub asn: u32,
    pub colo: &'a str,
    pub user_agent: &'a str,
    pub ja4: &'a str,
    /// Who made the request, plain or as a pseudonym; empty where unknown. With [`Marks::USER_ATTEMPTED`] only who
    /// somebody tried to be.
    pub user: &'a str,
    /// Roles the request was made in, separated by commas.
    pub roles: &'a str,
    /// Verified identity behind the request; 0 for none.
    pub principal: Principal,
    /// Keyed hash that names the token the request came with; 0 where it came with none, and in folded chunks, which do
    /// not keep it.
    pub token: u64,
    /// Names of what the origin reported in `Session-Event`, separated by commas.
    pub feedback: &'a str,
    /// Business values of request and response.
    pub params: Params<'a>,
    /// What was done with the request.
    pub action: Action,
    /// What the endpoint is to the documents; `None` where none speaks about it.
    pub inventory: Option<Inventory>,
    pub marks: Marks,
}

impl<'a> Event<'a> {
    /// `METHOD host/template`: the endpoint's name in answers and filters.
    pub fn endpoint(&self) -> String {
        endpoint_name(self.method, self.host, self.template)
    }

    /// [`Event::endpoint`] as summaries keep it: cut to 256 bytes, so that no client decides how large they grow.
    pub fn endpoint_key(&self) -> String {
        let mut key = self.endpoint();
        cut(&mut key, 256);
        key
    }

    /// Writes [`Event::endpoint_key`] in place of what `into` held.
    pub fn write_endpoint_key(&self, into: &mut String) {
        into.clear();
        [self.method, " ", self.host, self.template].into_iter().for_each(|part| into.push_str(part));
        cut(into, 256);
    }

    /// The user, where it is more than an attempt; else empty.
    pub fn confirmed_user(&self) -> &'a str {
        if self.marks.has(Marks::USER_ATTEMPTED) { "" } else { self.user }
    }

    /// The roles one by one.
    pub fn roles(&self) -> impl Iterator<Item = &'a str> {
        self.roles.split(',').filter(|role| !role.is_empty())
    }

    /// The user somebody tried to be in vain; else empty.
    pub fn attempted_user(&self) -> &'a str {
        if self.marks.has(Marks::USER_ATTEMPTED) { self.user } else { "" }
    }

    /// The origin, or we in its place, refused the request (4xx).
    pub fn refused(&self) -> bool {
        (400..500).contains(&self.status)
    }
}

/// Cuts `text` to at most `max` bytes and the ellipsis that says so, between characters.
pub fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        let end = (0..=max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// `METHOD host/template`.
pub fn endpoint_name(method: &str, host: &str, template: &str) -> String {
    [method, " ", host, template].concat()
}

/// What was out of the ordinary about recording an event; a set of bits, stored as is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks(pub u16);

impl Marks {
    /// Path, user agent or host was longer than is kept.
    pub const CUT: Self = Self(1);
    /// The origin could not be reached or did not answer in time; the status is ours.
    pub const ORIGIN_FAILED: Self = Self(1 << 1);
    /// An inline decision could not be had within its deadline.
    pub const UNDECIDED: Self = Self(1 << 2);
    /// The client sent a header that only this product may set; it was removed.
    pub const SPOOFED: Self = Self(1 << 3);

    /// The client went away, or the runtime did, before the origin answered; the status is ours.
    pub const ABANDONED: Self = Self(1 << 4);

    /// A body that had to be read went on past what is read, or held more than is looked at.
    pub const BODY_CUT: Self = Self(1 << 5);
    /// Something that says who is calling (cookies, token, body) is not what it has to be.
    pub const MALFORMED: Self = Self(1 << 6);
    /// Something that says who is calling stood there more than once.
    pub const DUPLICATE: Self = Self(1 << 7);
    /// One of too many unproven sessions of its client.
    pub const SESSION_ROTATION: Self = Self(1 << 8);
    /// A token of a configured issuer was refused.
    pub const TOKEN_REFUSED: Self = Self(1 << 9);
    /// The user is only who somebody tried to be: the login was not answered with success.
    pub const USER_ATTEMPTED: Self = Self(1 << 10);
    /// The session ended with this request (logout).
    pub const ENDED: Self = Self(1 << 11);
    /// What the origin reported could not be read.
    pub const FEEDBACK_MALFORMED: Self = Self(1 << 12);
    /// The keys of a token's issuer were not to be had; the token counted as unverified.
    pub const KEYS_MISSING: Self = Self(1 << 13);
    /// Who made the request, or tried to be somebody with it, was erased.
    pub const USER_ERASED: Self = Self(1 << 14);

    /// Not all of the request was looked at for attacks: it is too large, too deep or too oddly encoded.
    pub const INSPECTION_CUT: Self = Self(1 << 15);

    const NAMES: [(Self, &'static str); 16] = [
        (Self::CUT, "cut"),
        (Self::ORIGIN_FAILED, "origin_failed"),
        (Self::UNDECIDED, "undecided"),
        (Self::SPOOFED, "spoofed"),
        (Self::ABANDONED, "abandoned"),
        (Self::BODY_CUT, "body_cut"),
        (Self::MALFORMED, "malformed"),
        (Self::DUPLICATE, "duplicate"),
        (Self::SESSION_ROTATION, "session_rotation"),
        (Self::TOKEN_REFUSED, "token_refused"),
        (Self::USER_ATTEMPTED, "user_attempted"),
        (Self::ENDED, "ended"),
        (Self::FEEDBACK_MALFORMED, "feedback_malformed"),
        (Self::KEYS_MISSING, "keys_missing"),
        (Self::USER_ERASED, "user_erased"),
        (Self::INSPECTION_CUT, "inspection_cut"),
    ];

    /// Adds every mark of `other`.
    pub fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Removes every mark of `other`.
    pub fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// Whether every mark of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The marks by the names the API uses.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(mark, _)| self.has(*mark)).map(|(_, name)| name)
    }
}
