//! From where and with what a session's key is used: what sharing, hijacking and impossible travel are told by.
//!
//! Only sessions with a key of their own are looked at; a key that is an address cannot move. Keys that machines share
//! by design (API keys, a `sub` that is all of a person's devices) are told apart by [`Use`].

use serde::{Deserialize, Serialize};

use super::crowd::{Set, seconds};
use crate::session::Event;
use crate::subject::{Country, Family, network};
use crate::verdict;

/// Profiles told apart; of more, the one seen longest ago makes room.
const MAX_PROFILES: usize = 6;

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Of one client.
    Client,
    /// Of one person with all of their devices.
    Person,
    /// Of a program, which may run on many machines.
    Program,
}

impl Use {
    /// What a key source says; `None` where it is no key.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        let source = event.key_source;
        if crate::identity::is_address_bound(source) {
            None
        } else if source.ends_with("api-key") || source.ends_with("apikey") || is_service(event) {
            Some(Self::Program)
        } else if source.ends_with(".sub") || source.ends_with(".email") || source.ends_with(".user_id") {
            Some(Self::Person)
        } else {
            Some(Self::Client)
        }
    }
}

/// Whether somebody with a verified claim calls with what is neither a browser nor an app: a service account.
fn is_service(event: &Event<'_>) -> bool {
    event.verified && !event.user_agent.starts_with("Mozilla/") && platform(event.user_agent).is_empty()
}

/// One way the key was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Hash of the agent's product and platform, without versions: updates change those.
    pub agent: u32,
    pub major: u16,
    /// Hash of what JA4 says of the TLS library: the transport and the ciphers. What comes after them depends on the
    /// connection, and an agent that uses QUIC has both.
    pub tls: u32,
    pub quic: bool,
    pub ip: u32,
    /// Hash of the provider's number, or of the first half of the address where there is none.
    pub network: u32,
    pub asn: u32,
    pub v6: bool,
    pub country: Country,
    pub last_ms: u64,
}

impl Profile {
    fn of(event: &Event<'_>) -> Option<Self> {
        let ip = event.ip?;
        let family = Family::of(event.user_agent);
        let agent = fnv(fnv(FNV, family.product.as_bytes()), platform(event.user_agent).as_bytes());
        let tls = event.ja4.split('_').nth(1).unwrap_or("");
        let network = if event.asn == 0 { fnv(FNV, &half(ip).to_be_bytes()) } else { event.asn };
        Some(Self {
            agent,
            major: family.major.unwrap_or(0),
            tls: fnv(FNV, tls.as_bytes()),
            quic: event.ja4.starts_with('q'),
            ip: fnv(FNV, verdict::Subject::client(ip).to_string().as_bytes()),
            network,
            asn: event.asn,
            v6: ip.is_ipv6(),
            country: Country::of(event.country),
            last_ms: event.time_ms,
        })
    }

    /// Whether both speak the same way, as far as that can be compared.
    pub fn same_tls(&self, other: &Self) -> bool {
        self.tls == other.tls || self.quic != other.quic
    }

    /// Whether both look like one program on one machine.
    pub fn same_client(&self, other: &Self) -> bool {
        self.agent == other.agent && self.same_tls(other)
    }

    /// Whether both are in one network; addresses of both kinds cannot be compared without their provider.
    pub fn same_network(&self, other: &Self) -> bool {
        self.ip == other.ip || self.network == other.network || (self.asn == 0 && self.v6 != other.v6)
    }

    /// Whether both countries are known and different.
    pub fn abroad(&self, other: &Self) -> bool {
        self.country.is_known() && other.country.is_known() && self.country != other.country
    }
}

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Last seen last.
    pub profiles: Vec<Profile>,
    pub ips: Set,
    /// Changes of country that came soon after each other, and when the last one was, epoch ms.
    pub turns: u32,
    pub turned_ms: u64,
    pub turn_from_ms: u64,
    /// Found already: sharing at this many addresses, and the journeys told.
    pub shared: u32,
    pub journeys: u32,
    /// What an event shows that has the last profile, hashed; 0 where that is not known.
    #[serde(skip)]
    shown: u64,
}

impl Memory {
    /// The profile of an event, unless it is that of the one before: then that one is brought up to date.
    pub fn unlike_the_last(&mut self, event: &Event<'_>) -> Option<Profile> {
        let shown = event.ip.map(|ip| shown(event, ip))?;
        if shown == self.shown
            && let Some(last) = self.profiles.last_mut()
        {
            last.last_ms = last.last_ms.max(event.time_ms);
            return None;
        }
        let profile = Profile::of(event)?;
        if let Some(last) = self.profiles.last_mut() {
            let last_ms = core::mem::replace(&mut last.last_ms, profile.last_ms);
            if *last == profile {
                last.last_ms = last_ms.max(profile.last_ms);
                self.shown = shown;
                return None;
            }
            last.last_ms = last_ms;
        }
        Some(profile)
    }

    /// Takes in a profile that was judged.
    pub fn take(&mut self, profile: Profile) {
        self.shown = 0;
        self.ips.see(profile.ip, seconds(profile.last_ms));
        let is_it = |known: &Profile| {
            known.agent == profile.agent
                && known.tls == profile.tls
                && known.network == profile.network
                && known.country == profile.country
        };
        self.profiles.retain(|known| !is_it(known));
        if self.profiles.len() >= MAX_PROFILES {
            self.profiles.remove(0);
        }
        if self.profiles.is_empty() {
            self.profiles.reserve_exact(1);
        }
        self.profiles.push(profile);
    }
}

/// The first half of a v4 address, the first quarter of a v6 one: about a provider's network, where its number is not known.
pub fn half(ip: core::net::IpAddr) -> u32 {
    match network(ip) {
        core::net::IpAddr::V4(v4) => v4.to_bits() >> 16,
        core::net::IpAddr::V6(v6) => (v6.to_bits() >> 96) as u32,
    }
}

/// A hash of all that a profile is made from: most events show what the one before showed.
fn shown(event: &Event<'_>, ip: core::net::IpAddr) -> u64 {
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = |hash: u64, text: &str| {
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        let hash = words.iter().fold(mix(hash, text.len() as u64), |hash, word| mix(hash, u64::from_le_bytes(*word)));
        rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
    };
    let address = match ip {
        core::net::IpAddr::V4(v4) => mix(4, u64::from(v4.to_bits())),
        core::net::IpAddr::V6(v6) => mix(mix(6, (v6.to_bits() >> 64) as u64), v6.to_bits() as u64),
    };
    let hash = mix(address, u64::from(event.asn));
    text(text(text(hash, event.country), event.user_agent), event.ja4)
}

/// What the agent says it runs on.
fn platform(agent: &str) -> &'static str {
    // iPads and phones name the Mac too, Android names Linux.
    const NAMES: [&str; 8] = ["iPhone", "iPad", "Android", "Windows", "CrOS", "Macintosh", "Darwin", "Linux"];
    NAMES.into_iter().find(|name| agent.contains(name)).unwrap_or("")
}

const FNV: u32 = 0x811c_9dc5;

/// FNV-1a; whoever makes two of their own values collide hides from themselves.
fn fnv(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
