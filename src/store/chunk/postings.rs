//! Which sessions of a chunk met what, value by value: what filters search and what a session's counts are read from.
//!
//! For each kind of value a section; in it, for each value, the sessions (by index) with their counts. A filter tests
//! a value once for all sessions, and skips the lists of values that do not fit. Behind them stand the texts of paths that
//! no endpoint's name has, without who met them: a search for text passes over chunks that hold it nowhere.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use super::super::bytes::{Reader, Writer};
use crate::inventory::Inventory;
use crate::session::{Address, Counts, Detector, Dictionary, Kind, Value};

/// Number of the section of texts in paths, beside those of [`Kind`].
const PATHS: u64 = 15;
/// More of those texts are not kept, bytes: then any may be there.
const MAX_PATH_BYTES: usize = 64 * 1024;

/// Encodes the counts of sessions, whose indices are their places in `sessions`, and texts of their paths.
pub fn encode(sessions: &[&Counts], paths: &[&str], dictionary: &Dictionary) -> Vec<u8> {
    let mut writer = Writer::default();
    for kind in Kind::ALL {
        let mut values: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        let mut rest = Vec::new();
        for (index, counts) in (0u32..).zip(sessions) {
            for (number, n) in counts.of(kind) {
                values.entry(number).or_default().push((index, n));
            }
            rest.extend(Some((index, counts.rest(kind))).filter(|(_, n)| *n > 0));
        }
        if values.is_empty() {
            continue;
        }
        writer.varint(kind as u64);
        writer.section(|section| {
            list(section, &rest);
            for (number, sessions) in values {
                if let Some(value) = kind.value(number, dictionary) {
                    write_value(section, value);
                    list(section, &sessions);
                }
            }
        });
    }
    if paths.iter().map(|text| text.len()).sum::<usize>() <= MAX_PATH_BYTES {
        writer.varint(PATHS);
        writer.section(|section| paths.iter().for_each(|text| section.bytes(text.as_bytes())));
    }
    writer.finish()
}

fn list(writer: &mut Writer, entries: &[(u32, u32)]) {
    writer.section(|section| {
        let mut before = 0;
        for (index, n) in entries {
            // Most counts are small: those below four share a byte with a small step.
            let step = u64::from(index - before) << 2;
            section.varint(step | u64::from((*n).min(3)));
            if *n >= 3 {
                section.varint(u64::from(*n - 3));
            }
            before = *index;
        }
    });
}

fn write_value(writer: &mut Writer, value: Value<'_>) {
    match value {
        Value::Text(text) => writer.bytes(text.as_bytes()),
        Value::Status(status) => writer.varint(u64::from(status)),
        Value::Detector(detector) => writer.varint(u64::from(detector.number())),
        Value::Inventory(state) => writer.varint(u64::from(Inventory::number(Some(state)))),
        Value::Address(Address { ip, country, asn }) => {
            match ip {
                IpAddr::V4(v4) => writer.bytes(&v4.octets()),
                IpAddr::V6(v6) => writer.bytes(&v6.octets()),
            }
            writer.bytes(country.as_bytes());
            writer.varint(u64::from(asn));
        }
    }
}

/// The postings of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Postings<'a>(pub &'a [u8]);

/// One value of a kind and who met it.
#[derive(Debug, Clone, Copy)]
pub struct Posting<'a> {
    /// `None` stands for all values that found no place in a session's counts.
    pub value: Option<Value<'a>>,
    list: Reader<'a>,
}

impl<'a> Postings<'a> {
    fn section(self, number: u64) -> Option<Reader<'a>> {
        let mut reader = Reader::new(self.0);
        core::iter::from_fn(move || Some((reader.varint().ok()?, reader.section().ok()?)))
            .find(|(of, _)| *of == number)
            .map(|(_, section)| section)
    }

    /// Whether some path may hold a text that `holds` finds, beside names of endpoints, numbers and ids.
    pub fn may_be_in_paths(self, holds: impl Fn(&str) -> bool) -> bool {
        let Some(mut section) = self.section(PATHS) else { return true };
        core::iter::from_fn(move || section.text().ok()).any(holds)
    }

    /// The values of a kind; they end early where the bytes are damaged.
    pub fn of(self, kind: Kind) -> impl Iterator<Item = Posting<'a>> {
        let mut section = self.section(kind as u64).unwrap_or(Reader::new(&[]));
        let mut rest = section.section().ok().map(|list| Posting { value: None, list }).filter(|p| p.list.left() > 0);
        core::iter::from_fn(move || {
            rest.take().or_else(|| {
                let value = read_value(kind, &mut section)?;
                Some(Posting { value: Some(value), list: section.section().ok()? })
            })
        })
    }
}

impl Posting<'_> {
    /// Indices of sessions in rising order, with their counts.
    pub fn sessions(&self) -> impl Iterator<Item = (usize, u32)> {
        let (mut list, mut at) = (self.list, 0u64);
        core::iter::from_fn(move || {
            let head = list.varint().ok()?;
            at += head >> 2;
            let n = match head & 3 {
                3 => list.number::<u32>().ok()?.saturating_add(3),
                n => n as u32,
            };
            Some((usize::try_from(at).ok()?, n))
        })
    }
}

fn read_value<'a>(kind: Kind, reader: &mut Reader<'a>) -> Option<Value<'a>> {
    Some(match kind {
        Kind::Status => Value::Status(reader.number().ok()?),
        Kind::Detector => Value::Detector(Detector::from_number(reader.number().ok()?)?),
        Kind::Inventory => Value::Inventory(Inventory::from_number(reader.number().ok()?)?),
        Kind::Address => {
            let ip = reader.bytes().ok()?;
            let v4 = || <[u8; 4]>::try_from(ip).ok().map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
            let v6 = || <[u8; 16]>::try_from(ip).ok().map(|octets| IpAddr::from(Ipv6Addr::from(octets)));
            Value::Address(Address { ip: v4().or_else(v6)?, country: reader.text().ok()?, asn: reader.number().ok()? })
        }
        _ => Value::Text(reader.text().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_with_its_sessions_and_what_found_no_place_by_itself() {
        let mut dictionary = Dictionary::default();
        let mut sessions = vec![Counts::default(); 300];
        let home = Address { ip: "2001:db8::1".parse().unwrap(), country: "DE", asn: 3320 };
        for (n, counts) in (0u32..).zip(&mut sessions) {
            counts.add(Kind::Endpoint, dictionary.symbol(&format!("GET /{}", n % 7)).0, n + 1);
            counts.add(Kind::Status, 200 + n % 2, 3);
            if n % 100 == 9 {
                counts.add(Kind::Address, dictionary.address_number(home), 1);
                counts.add_rest(Kind::Agent, 5);
                counts.add(Kind::Agent, dictionary.symbol("curl").0, 1);
            }
        }
        let bytes = encode(&sessions.iter().collect::<Vec<_>>(), &["/.git/config"], &dictionary);
        let postings = Postings(&bytes);
        let found = |kind, value| {
            let posting = postings.of(kind).find(|p| p.value == value).expect("the value");
            posting.sessions().collect::<Vec<_>>()
        };
        let third: Vec<_> = (0..300).filter(|n| n % 7 == 3).map(|n| (n, n as u32 + 1)).collect();
        assert_eq!(found(Kind::Endpoint, Some(Value::Text("GET /3"))), third);
        assert_eq!(found(Kind::Status, Some(Value::Status(201))).len(), 150);
        assert_eq!(found(Kind::Address, Some(Value::Address(home))), [(9, 1), (109, 1), (209, 1)]);
        assert_eq!(found(Kind::Agent, None), [(9, 5), (109, 5), (209, 5)]);
        assert_eq!(postings.of(Kind::Role).count(), 0);
        assert!(postings.may_be_in_paths(|text| text.contains("git")) && !postings.may_be_in_paths(str::is_empty));
        let many = ["x"; MAX_PATH_BYTES + 1];
        assert!(Postings(&encode(&[], &many, &dictionary)).may_be_in_paths(|_| false));
        assert!(!Postings(&encode(&[], &many[1..], &dictionary)).may_be_in_paths(|_| false));
        for end in 0..bytes.len() {
            for kind in Kind::ALL {
                assert!(Postings(&bytes[..end]).of(kind).map(|p| p.sessions().count()).sum::<usize>() < bytes.len());
            }
        }
    }
}
