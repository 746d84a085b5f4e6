//! Currencies by their three letters.

use core::fmt;

use serde::{Deserialize, Serialize};

/// An ISO 4217 code in 15 bits. Any three letters are taken: the list changes, and a currency nobody knows still must
/// not be added to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Currency(u16);

impl Currency {
    /// No currency, or none that was told; ISO 4217 calls it XXX.
    pub const NONE: Self = Self(0);
    pub(super) const EUR: Self = Self::of(*b"EUR");
    pub(super) const GBP: Self = Self::of(*b"GBP");

    /// Three letters of any case; anything else is `None`.
    pub fn parse(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        let known = letters.iter().all(u8::is_ascii_alphabetic);
        known.then(|| match Self::of(letters) {
            Self::XXX => Self::NONE,
            currency => currency,
        })
    }

    const XXX: Self = Self::of(*b"XXX");

    const fn of([a, b, c]: [u8; 3]) -> Self {
        Self(((a & 31) as u16) << 10 | ((b & 31) as u16) << 5 | (c & 31) as u16)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let shown = if *self == Self::NONE { Self::XXX } else { *self };
        // Five bits each, so they fit a byte.
        [10, 5, 0].into_iter().try_for_each(|shift| f.write_char(char::from(b'@' + (shown.0 >> shift & 31) as u8)))
    }
}
