//! Identifiers that say where their data lives.
//!
//! A session id is 128 bits of a keyed hash; an event id is laid out like a ULID whose middle names the session, so
//! that an event can be found (shard, time, session) from its id alone, in any layout of shards.

use core::fmt;

use serde::{Deserialize, Serialize};

/// 128 bits of HMAC-SHA-256 over a session key; shown as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// Parses exactly 32 hex digits; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut id = [0u8; 16];
        if digits.len() != 32 {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        }
        Some(Self(id))
    }

    /// The first 40 bits: what an event id carries of its session.
    pub fn prefix(self) -> u64 {
        let [a, b, c, d, e, ..] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
    }

    /// Half of the id, which is a keyed hash: for counting different sessions.
    pub fn hash(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The index of the shard that owns this session among `shards` shards.
    ///
    /// The id is uniformly distributed already, so its first 32 bits modulo the count are the hash.
    pub fn shard(self, shards: u32) -> u32 {
        shard_of_prefix(self.prefix(), shards)
    }
}

/// The shard of a session or event known by the first 40 bits of its session id.
pub fn shard_of_prefix(prefix: u64, shards: u32) -> u32 {
    let first_32 = (prefix >> 8) & 0xffff_ffff;
    // The remainder of a division by a u32 fits a u32.
    (first_32 % u64::from(shards.max(1))) as u32
}

fn hex_digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// 128 bits: 48 of time (epoch ms), 40 of the session id, 40 that make it unique; shown as 26 Crockford base32 digits.
///
/// It doubles as the reference a client is shown in a problem document and as the `request` filter of the API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId(pub u128);

const TIME_BITS: u32 = 48;
const PART_BITS: u32 = 40;
const PART_MASK: u64 = (1 << PART_BITS) - 1;
/// Crockford's alphabet: no I, L, O, U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl EventId {
    /// `unique` contributes its low 40 bits.
    pub fn new(time_ms: u64, session: SessionId, unique: u64) -> Self {
        Self::located(time_ms, session.prefix(), unique)
    }

    /// The id of an event whose session has `prefix` (see [`SessionId::prefix`]).
    pub fn located(time_ms: u64, prefix: u64, unique: u64) -> Self {
        let time = u128::from(time_ms & ((1 << TIME_BITS) - 1));
        let (prefix, unique) = (u128::from(prefix & PART_MASK), u128::from(unique & PART_MASK));
        Self((time << (2 * PART_BITS)) | (prefix << PART_BITS) | unique)
    }

    /// The last id of this millisecond, or the first: a place between events, not an event.
    pub fn bound(time_ms: u64, last: bool) -> Self {
        let first = u128::from(time_ms) << (2 * PART_BITS);
        Self(if last { first | ((1 << (2 * PART_BITS)) - 1) } else { first })
    }

    /// Epoch milliseconds at which the request arrived.
    pub fn time_ms(self) -> u64 {
        (self.0 >> (2 * PART_BITS)) as u64
    }

    /// The first 40 bits of the session's id.
    pub fn session_prefix(self) -> u64 {
        (self.0 >> PART_BITS) as u64 & PART_MASK
    }

    /// Parses 26 base32 digits of either case; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 26 {
            return None;
        }
        let mut value: u128 = 0;
        for (i, c) in text.bytes().enumerate() {
            let digit = CROCKFORD.iter().position(|d| *d == c.to_ascii_uppercase())?;
            // 26 digits hold 130 bits; the first may only use its low three.
            if i == 0 && digit > 7 {
                return None;
            }
            value = (value << 5) | digit as u128;
        }
        Some(Self(value))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in (0..26).rev() {
            let digit = (self.0 >> (i * 5)) as usize & 31;
            let c = CROCKFORD.get(digit).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(c))?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionId {
        SessionId::parse("00112233445566778899aabbccddeeff").unwrap()
    }

    #[test]
    fn a_session_id_survives_its_text_form() {
        assert_eq!(session().to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(SessionId::parse("00112233445566778899AABBCCDDEEFF"), Some(session()));
        for bad in ["", "0011", "g0112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff0"] {
            assert_eq!(SessionId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_event_id_tells_its_time_and_session() {
        let id = EventId::new(1_700_000_000_123, session(), u64::MAX);
        assert_eq!(id.time_ms(), 1_700_000_000_123);
        assert_eq!(id.session_prefix(), session().prefix());
        assert_eq!(shard_of_prefix(id.session_prefix(), 7), session().shard(7));
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        assert_eq!(EventId::parse(&id.to_string().to_lowercase()), Some(id));
    }

    #[test]
    fn event_ids_sort_by_time_in_their_text_form() {
        let early = EventId::new(1_000, session(), 9).to_string();
        let late = EventId::new(1_001, session(), 1).to_string();
        assert!(early < late);
    }

    #[test]
    fn text_that_is_no_event_id_is_refused() {
        for bad in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000000000U", "000000000000000000000000000"] {
            assert_eq!(EventId::parse(bad), None, "{bad:?}");
        }
    }
}
