//! One request with its response, as everything downstream sees it.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::id::{EventId, SessionId};
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
    /// What was done with the request.
    pub action: Action,
    pub marks: Marks,
}

impl Event<'_> {
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

    const NAMES: [(Self, &'static str); 5] = [
        (Self::CUT, "cut"),
        (Self::ORIGIN_FAILED, "origin_failed"),
        (Self::UNDECIDED, "undecided"),
        (Self::SPOOFED, "spoofed"),
        (Self::ABANDONED, "abandoned"),
    ];

    /// Adds every mark of `other`.
    pub fn set(&mut self, other: Self) {
        self.0 |= other.0;
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
