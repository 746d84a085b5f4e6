//! What only some sessions of a chunk have, and only a look at one of them needs. In two sections: what is **told** of a
//! session (findings in full, users over time, links), and what is **kept** for it to go on (what detectors remember,
//! business parameters). The events of a superseded session still need the former; the latter only its newest state does.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::bytes::{Reader, Writer};
use crate::detect::Memory;
use crate::parameter::ParamStats;
use crate::session::{Dictionary, Finding, Link, ParamBook, Session, UserSpan};

/// Encodes the details of sessions, by their places.
pub fn encode<'s>(
    sessions: impl Iterator<Item = (&'s Session, &'s Memory)> + Clone,
    dictionary: &Dictionary,
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.section(|writer| records(writer, sessions.clone().map(|(session, _)| Told::of(session, dictionary))));
    writer.section(|writer| records(writer, sessions.map(|(session, memory)| Kept::of(session, memory, dictionary))));
    writer.finish()
}

/// Writes what there is, each with the distance of its place from the one before.
fn records<T: Serialize>(writer: &mut Writer, all: impl Iterator<Item = Option<T>>) {
    let mut next = 0;
    for (index, record) in (0u64..).zip(all) {
        if let Some(record) = record {
            writer.varint(index - next);
            next = index + 1;
            // Plain data into a growing buffer cannot fail; nothing at all would be refused as damaged.
            writer.bytes(&postcard::to_allocvec(&record).unwrap_or_default());
        }
    }
}

/// What is told of a session.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    findings: Vec<Finding>,
    users: Vec<(String, u64, u64)>,
    predecessors: Vec<Link>,
    successors: Vec<Link>,
}

impl Told {
    fn of(session: &Session, dictionary: &Dictionary) -> Option<Self> {
        let is_plain = session.findings.is_empty()
            && session.users.is_empty()
            && session.predecessors.is_empty()
            && session.successors.is_empty();
        let span = |span: &UserSpan| (dictionary.text(span.user).to_owned(), span.since_ms, span.last_ms);
        (!is_plain).then(|| Self {
            findings: session.findings.clone(),
            users: session.users.iter().map(span).collect(),
            predecessors: session.predecessors.clone(),
            successors: session.successors.clone(),
        })
    }

    /// Puts it into the session it is of.
    pub fn complete(self, session: &mut Session, dictionary: &mut Dictionary) {
        let span = |(user, since_ms, last_ms): (String, u64, u64)| {
            let user = dictionary.symbol(&user);
            UserSpan { user, since_ms, last_ms }
        };
        session.users = self.users.into_iter().map(span).collect();
        session.findings = self.findings;
        (session.predecessors, session.successors) = (self.predecessors, self.successors);
    }
}

/// What a session goes on with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    memory: Memory,
    params: Vec<(String, ParamStats)>,
    params_rest: u32,
}

impl Kept {
    fn of(session: &Session, memory: &Memory, dictionary: &Dictionary) -> Option<Self> {
        let is_plain = session.params.is_none() && *memory == Memory::default();
        let stats = session.params.iter().flat_map(|book| book.iter());
        (!is_plain).then(|| Self {
            memory: memory.clone(),
            params: stats.map(|(name, stats)| (dictionary.text(name).to_owned(), stats.clone())).collect(),
            params_rest: session.params.as_ref().map_or(0, |book| book.rest()),
        })
    }

    /// What was sent of each parameter, by name.
    pub fn params(&self) -> impl Iterator<Item = (&str, &ParamStats)> {
        self.params.iter().map(|(name, stats)| (&**name, stats))
    }

    /// Puts it into the session it is of; answers what its detectors remember.
    pub fn complete(self, session: &mut Session, dictionary: &mut Dictionary) -> Memory {
        let stats = self.params.into_iter().map(|(name, stats)| (dictionary.symbol(&name), stats)).collect();
        session.params = ParamBook::of(stats, self.params_rest);
        self.memory
    }
}

/// What is told of those sessions of which something is, with their indices; it ends early where the bytes are damaged.
pub fn told(bytes: &[u8]) -> impl Iterator<Item = (usize, Packed<'_, Told>)> {
    let [told, _] = sections(bytes);
    packed(told).map(|(index, bytes)| (index, Packed(bytes, core::marker::PhantomData)))
}

/// What is kept for those sessions for which something is, likewise.
pub fn kept(bytes: &[u8]) -> impl Iterator<Item = (usize, Packed<'_, Kept>)> {
    let [_, kept] = sections(bytes);
    packed(kept).map(|(index, bytes)| (index, Packed(bytes, core::marker::PhantomData)))
}

/// The details without what is kept for the sessions that `goes` names, by index; and how many bytes are kept then.
pub fn without(bytes: &[u8], goes: impl Fn(usize) -> bool) -> (Vec<u8>, u64) {
    let [told, kept] = sections(bytes);
    let (mut writer, mut left) = (Writer::default(), Writer::default());
    let mut next = 0;
    for (index, record) in packed(kept).filter(|(index, _)| !goes(*index)) {
        left.varint((index - next) as u64);
        next = index + 1;
        left.bytes(record);
    }
    let left = left.finish();
    writer.bytes(told);
    writer.bytes(&left);
    (writer.finish(), left.len() as u64)
}

/// How many bytes are kept for sessions to go on.
pub fn kept_bytes(bytes: &[u8]) -> u64 {
    let [_, kept] = sections(bytes);
    kept.len() as u64
}

/// Both sections; empty where the bytes are damaged.
fn sections(bytes: &[u8]) -> [&[u8]; 2] {
    let mut reader = Reader::new(bytes);
    [(); 2].map(|()| reader.bytes().unwrap_or_default())
}

fn packed(section: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let (mut reader, mut next) = (Reader::new(section), 0usize);
    core::iter::from_fn(move || {
        let index = next.checked_add(reader.number().ok()?)?;
        next = index + 1;
        Some((index, reader.bytes().ok()?))
    })
}

/// A record that is not decoded yet.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a, T>(&'a [u8], core::marker::PhantomData<T>);

impl<T: DeserializeOwned> Packed<'_, T> {
    /// Decodes it; `None` where it is damaged.
    pub fn open(self) -> Option<T> {
        postcard::from_bytes(self.0).ok()
    }
}
