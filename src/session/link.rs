//! Links: which session led to which, because a response inside one issued the key of the other.
//!
//! A link never says that two sessions are one: it is explicit, has its reason and its request, and is refused where
//! both ends are known to belong to different verified identities.

use serde::{Deserialize, Serialize};

use super::id::{EventId, SessionId};
use super::risk::Risk;

/// Links kept on each side of a session; of more, the newest.
pub const MAX_LINKS: usize = 16;

/// Why a response issued another key. Stored by number: numbers are never reused or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A client without a key of its own was given one.
    Start,
    Login,
    /// A token was exchanged for a newer one.
    Refresh,
    /// The origin replaced the key by another of the same kind.
    Rotation,
    /// The key was replaced as the session ended: what follows is another story.
    Logout,
}

impl Reason {
    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Rotation => "rotation",
            Self::Logout => "logout",
        }
    }

    /// Whether what was known about the one session is held against the other.
    pub fn carries_risk(self) -> bool {
        self != Self::Logout
    }
}

/// A verified identity (`iss` and `sub`) as 64 bits of a keyed hash; 0 stands for none.
pub type Principal = u64;

/// Whether two sessions are known to belong to different verified identities.
pub fn are_strangers(one: Principal, other: Principal) -> bool {
    one != 0 && other != 0 && one != other
}

/// One end of a link, as the session at the other end keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub session: SessionId,
    pub reason: Reason,
    pub time_ms: u64,
    /// The request whose response issued the key.
    pub request: EventId,
    /// Identity of the other session, as far as it was known.
    pub principal: Principal,
    /// What the other session's risk added to this one's.
    pub risk: Risk,
}

/// A response issued a key: told to the shard of the session it was issued in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    pub from: SessionId,
    pub to: SessionId,
    pub reason: Reason,
    pub time_ms: u64,
    pub request: EventId,
    /// Identity the issued key belongs to, where it is a verified token.
    pub principal: Principal,
    /// Whether the same shard owns both sessions, so that nobody else has to be told.
    pub local: bool,
}

/// A session that is known continues in another one: told to the shard of that one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    pub to: SessionId,
    /// The predecessor as the successor keeps it.
    pub link: Link,
}

/// Adds a link once; of more than are kept, the oldest goes. Answers whether it is there now and was not before.
pub fn add(links: &mut Vec<Link>, link: Link) -> bool {
    if links.iter().any(|l| l.session == link.session && l.request == link.request) {
        return false;
    }
    let at = links.partition_point(|l| l.time_ms <= link.time_ms);
    links.insert(at, link);
    if links.len() > MAX_LINKS {
        links.remove(0);
        return at > 0;
    }
    true
}
