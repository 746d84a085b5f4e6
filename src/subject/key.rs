//! Which subject is meant: its kind, its identity as people read it, and the key it is stored and routed by.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::agent::Family;
use super::hash::SubjectHash;
use crate::session::Kinds;
use crate::verdict;

/// What a subject is. Stored by number: numbers are never reused or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    User,
    Ip,
    Token,
    Device,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::User, Self::Ip, Self::Token, Self::Device];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ip => "ip",
            Self::Token => "token",
            Self::Device => "device",
        }
    }

    /// The kind in a set of kinds.
    pub fn alone(self) -> Kinds {
        Kinds(1 << self as u8)
    }

    /// Whether it is among these.
    pub fn is_in(self, kinds: Kinds) -> bool {
        kinds.0 & self.alone().0 != 0
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A subject as people read it. `Display` writes it as the API shows it, [`Identity::parse`] reads that back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity<'a> {
    /// A user as stored: plain, or a pseudonym.
    User(&'a str),
    /// A client's address: v4, or the first 64 bits of a v6 one ([`verdict::Subject::client`]).
    Ip(IpAddr),
    /// A keyed hash of a token's `jti`, or of the whole token; 16 hex digits.
    Token(u64),
    #[serde(borrow)]
    Device(Device<'a>),
}

/// What tells devices apart as far as a network can: how it speaks TLS, what it claims to be, and about where it is.
/// `JA4;FAMILY;NETWORK`. Two people with one browser behind one provider may be one device; the detectors know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device<'a> {
    pub ja4: &'a str,
    #[serde(borrow)]
    pub agent: Family<'a>,
    /// See [`network`].
    pub network: IpAddr,
}

/// The network of an address: the first 24 bits of a v4 one, 48 of a v6 one, the rest zero.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80))),
    }
}

impl<'a> Identity<'a> {
    /// The subject of an address.
    pub fn ip(address: IpAddr) -> Self {
        Self::Ip(verdict::Subject::client(address))
    }

    /// The device; `None` without a JA4 or an address, for an agent alone is nobody in particular.
    pub fn device(ja4: &'a str, agent: Family<'a>, address: Option<IpAddr>) -> Option<Self> {
        let network = network(address?);
        (!ja4.is_empty()).then_some(Self::Device(Device { ja4, agent, network }))
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Ip(_) => Kind::Ip,
            Self::Token(_) => Kind::Token,
            Self::Device(_) => Kind::Device,
        }
    }

    /// Reads what `Display` wrote; an address may also be any of its client's.
    pub fn parse(kind: Kind, value: &'a str) -> Option<Self> {
        match kind {
            Kind::User => (!value.is_empty()).then_some(Self::User(value)),
            Kind::Ip => match verdict::Subject::parse("ip", value)? {
                verdict::Subject::Ip(address) => Some(Self::Ip(address)),
                _ => None,
            },
            Kind::Token => {
                let is_hex = value.len() == 16 && value.bytes().all(|c| c.is_ascii_hexdigit());
                let number = if is_hex { u64::from_str_radix(value, 16).ok()? } else { 0 };
                (number != 0).then_some(Self::Token(number))
            }
            Kind::Device => {
                let mut parts = value.rsplitn(3, ';');
                let (range, agent, ja4) = (parts.next()?, parts.next()?, parts.next()?);
                let (address, bits) = range.split_once('/')?;
                let address: IpAddr = address.parse().ok()?;
                let is_network = address == network(address) && bits == bits_of(address);
                Self::device(ja4, Family::parse(agent)?, is_network.then_some(address))
            }
        }
    }

    /// The key it is stored and routed by.
    pub fn key(&self, hash: &SubjectHash) -> SubjectKey {
        let kind = self.kind();
        let digest = hash.start(kind as u64);
        let digest = match *self {
            Self::User(user) => digest.text(user),
            Self::Ip(address) => digest.address(address),
            Self::Token(token) => digest.word(token),
            Self::Device(Device { ja4, agent, network }) => {
                // One more than the version, so that none is not version 0.
                let major = agent.major.map_or(0, |major| u64::from(major) + 1);
                digest.address(network).word(major).text(agent.product).text(ja4)
            }
        };
        SubjectKey { kind, hash: digest.whole() }
    }
}

fn bits_of(network: IpAddr) -> &'static str {
    if network.is_ipv4() { "24" } else { "48" }
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::User(user) => f.write_str(user),
            Self::Ip(address) => f.write_str(&verdict::Subject::Ip(address).value()),
            Self::Token(token) => write!(f, "{token:016x}"),
            Self::Device(Device { ja4, agent, network }) => {
                write!(f, "{ja4};{agent};{network}/{}", bits_of(network))
            }
        }
    }
}

/// Kind, and 128 bits of the keyed hash of an identity: what states are stored under and routed by. It tells nothing;
/// the state says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectKey {
    pub kind: Kind,
    pub hash: [u8; 16],
}

impl SubjectKey {
    /// The first 64 bits of the hash: uniformly distributed, over all kinds together too.
    pub fn prefix(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The index of the shard that owns this subject among `shards` shards: its first 32 bits modulo the count, as with
    /// sessions.
    pub fn shard(&self, shards: u32) -> u32 {
        // The remainder of a division by a u32 fits a u32.
        ((self.prefix() >> 32) % u64::from(shards.max(1))) as u32
    }
}
