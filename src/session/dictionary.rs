//! Texts and addresses by number, so that a session takes bytes where it would take lines.
//!
//! One dictionary serves all sessions a shard holds in memory; numbers mean nothing outside it and are never stored.
//! Ordered maps, because the text is the client's to choose: no choice of it makes a look-up slow. Most texts are those
//! of the requests just before, so that what was met lately is tried first.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

/// The number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Symbol(pub u32);

impl Symbol {
    /// The empty text, in every dictionary.
    pub const EMPTY: Self = Self(0);
}

/// An address with what is known of it, as one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address<'a> {
    pub ip: IpAddr,
    /// ISO 3166 alpha-2, or empty.
    pub country: &'a str,
    /// 0 where unknown.
    pub asn: u32,
}

/// What an entry costs beside its text: its places in the table and in the map.
const ENTRY_BYTES: usize = 96;

/// Texts that are found without a look at the map, at the most. A power of two.
const LATELY: usize = 1024;

/// Where a text may be found. Two texts in one place only send each other to the map.
fn place(text: &str) -> usize {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(SPREAD);
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(text.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    (hash >> 32) as usize % LATELY
}

/// Texts and addresses, each with its number.
#[derive(Debug)]
pub struct Dictionary {
    texts: Vec<Rc<str>>,
    by_text: BTreeMap<Rc<str>, u32>,
    /// Numbers of texts met lately, by a few bits of the text.
    lately: Box<[u32; LATELY]>,
    addresses: Vec<(IpAddr, Symbol, u32)>,
    by_address: BTreeMap<(IpAddr, Symbol, u32), u32>,
    bytes: usize,
}

impl Default for Dictionary {
    fn default() -> Self {
        let mut dictionary = Self {
            texts: Vec::new(),
            by_text: BTreeMap::new(),
            lately: Box::new([0; LATELY]),
            addresses: Vec::new(),
            by_address: BTreeMap::new(),
            bytes: 0,
        };
        dictionary.symbol("");
        dictionary
    }
}

impl Dictionary {
    /// The number of a text, which gets one if it has none.
    pub fn symbol(&mut self, text: &str) -> Symbol {
        let place = place(text);
        if let Some(number) = self.lately.get(place)
            && self.texts.get(*number as usize).is_some_and(|known| **known == *text)
        {
            return Symbol(*number);
        }
        let number = self.number(text);
        if let Some(slot) = self.lately.get_mut(place) {
            *slot = number;
        }
        Symbol(number)
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.by_text.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        let text: Rc<str> = text.into();
        self.bytes += text.len() + ENTRY_BYTES;
        self.texts.push(text.clone());
        self.by_text.insert(text, number);
        number
    }

    /// The text of a number; empty for a number of another dictionary.
    pub fn text(&self, symbol: Symbol) -> &str {
        self.texts.get(symbol.0 as usize).map_or("", AsRef::as_ref)
    }

    /// The text of a number, to be kept whatever becomes of the dictionary.
    pub fn shared(&self, symbol: Symbol) -> Option<Rc<str>> {
        self.texts.get(symbol.0 as usize).cloned()
    }

    /// The number of an address, which gets one if it has none.
    pub fn address_number(&mut self, address: Address<'_>) -> u32 {
        let key = (address.ip, self.symbol(address.country), address.asn);
        if let Some(number) = self.by_address.get(&key) {
            return *number;
        }
        let number = self.addresses.len() as u32;
        self.bytes += ENTRY_BYTES;
        self.addresses.push(key);
        self.by_address.insert(key, number);
        number
    }

    /// The address of a number.
    pub fn address(&self, number: u32) -> Option<Address<'_>> {
        let (ip, country, asn) = self.addresses.get(number as usize)?;
        Some(Address { ip: *ip, country: self.text(*country), asn: *asn })
    }

    /// How many texts have a number.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether nothing but the empty text is there.
    pub fn is_empty(&self) -> bool {
        self.texts.len() <= 1
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_an_address_keep_their_numbers() {
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.symbol(""), Symbol::EMPTY);
        let (a, b) = (dictionary.symbol("a"), dictionary.symbol("b"));
        assert_ne!(a, b);
        assert_eq!((dictionary.symbol("a"), dictionary.text(b)), (a, "b"));
        assert_eq!(dictionary.text(Symbol(99)), "");
        let home = Address { ip: "192.0.2.1".parse().unwrap(), country: "DE", asn: 3320 };
        let number = dictionary.address_number(home);
        assert_eq!(dictionary.address_number(home), number);
        assert_eq!(dictionary.address(number), Some(home));
        assert_ne!(dictionary.address_number(Address { asn: 1, ..home }), number);
        assert_eq!(dictionary.address(99), None);
    }
}
