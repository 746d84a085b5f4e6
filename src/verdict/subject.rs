//! What a block can be put on, and who a request is of.

use core::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::session::SessionId;
use crate::subject::{Family, Identity};

/// What a block can be put on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    Session(SessionId),
    /// A v4 address, or the first 64 bits of a v6 one with the rest zero.
    Ip(IpAddr),
    /// A user as stored: plain, or a pseudonym.
    User(String),
    /// `JA4;AGENT;NETWORK`, as [`Identity`] writes it.
    Device(String),
}

/// The kinds of subject a block can be put on.
pub const KINDS: [&str; 4] = ["session", "user", "device", "ip"];

impl Subject {
    /// The subject of an address: v4 (also where mapped into v6) as it is, v6 by its /64.
    pub fn ip(address: IpAddr) -> Self {
        Self::Ip(Self::client(address))
    }

    /// The address that stands for a client: what a v6 client chooses freely is the lower half.
    pub fn client(address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        }
    }

    /// The device that a client speaks from; `None` without a JA4 or an address.
    pub fn device(ja4: &str, user_agent: &str, ip: Option<IpAddr>) -> Option<Self> {
        Identity::device(ja4, Family::of(user_agent), ip).map(|device| Self::Device(device.to_string()))
    }

    /// One of [`KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Ip(_) => "ip",
            Self::User(_) => "user",
            Self::Device(_) => "device",
        }
    }

    /// The subject in the API's notation: 32 hex digits, an address or a /64, a user, a device.
    pub fn value(&self) -> String {
        match self {
            Self::Session(id) => id.to_string(),
            Self::Ip(IpAddr::V4(v4)) => v4.to_string(),
            Self::Ip(IpAddr::V6(v6)) => format!("{v6}/64"),
            Self::User(text) | Self::Device(text) => text.clone(),
        }
    }

    /// Reads what [`Subject::value`] wrote; a bare v6 address stands for its /64.
    pub fn parse(kind: &str, value: &str) -> Option<Self> {
        match kind {
            "session" => SessionId::parse(value).map(Self::Session),
            "ip" => match value.strip_suffix("/64") {
                Some(v6) => v6.parse::<Ipv6Addr>().ok().map(|v6| Self::ip(IpAddr::V6(v6))),
                None => value.parse().ok().map(Self::ip),
            },
            "user" => (1..=256).contains(&value.len()).then(|| Self::User(value.to_owned())),
            "device" => {
                let device = Identity::parse(crate::subject::Kind::Device, value)?;
                Some(Self::Device(device.to_string()))
            }
            _ => None,
        }
    }
}

/// Who a request is of, as far as blocks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller<'a> {
    pub session: SessionId,
    pub ip: Option<IpAddr>,
    /// As stored; empty where unknown.
    pub user: &'a str,
    pub ja4: &'a str,
    pub user_agent: &'a str,
}

impl Caller<'_> {
    /// Every subject the request is of.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let user = (!self.user.is_empty()).then(|| Subject::User(self.user.to_owned()));
        let device = Subject::device(self.ja4, self.user_agent, self.ip);
        [Some(Subject::Session(self.session)), self.ip.map(Subject::ip), user, device].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v4_address_mapped_into_v6_is_the_same_subject() {
        assert_eq!(Subject::ip("::ffff:203.0.113.9".parse().unwrap()), Subject::ip("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn subjects_survive_their_text_form() {
        let session = "01".repeat(16);
        for (kind, value) in [
            ("session", session.as_str()),
            ("ip", "192.0.2.1"),
            ("ip", "2001:db8::/64"),
            ("user", "ann"),
            ("user", "h:3d97:af6f"),
            ("device", "t13d1516h2_8daaf6152771_02713d6af862;Firefox 142;192.0.2.0/24"),
        ] {
            assert_eq!(Subject::parse(kind, value).map(|subject| subject.value()).as_deref(), Some(value));
        }
        for (kind, value) in
            [("ip", "nonsense"), ("ip", "192.0.2.1/64"), ("colour", "red"), ("device", "curl"), ("user", "")]
        {
            assert_eq!(Subject::parse(kind, value), None, "{kind} {value}");
        }
    }

    #[test]
    fn a_request_is_of_everything_that_is_known_of_its_client() {
        let caller = Caller {
            session: SessionId([1; 16]),
            ip: "192.0.2.7".parse().ok(),
            user: "ann",
            ja4: "t13d1516h2_8daaf6152771_02713d6af862",
            user_agent: "curl/8.5.0",
        };
        let kinds: Vec<&str> = caller.subjects().map(|subject| subject.kind()).collect();
        assert_eq!(kinds, ["session", "ip", "user", "device"]);
        assert_eq!(Caller::default().subjects().count(), 1);
    }
}
