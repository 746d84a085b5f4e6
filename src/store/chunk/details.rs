//! What only some sessions of a chunk have, and only a look at one of them needs: findings in full, users over time,
//! links, business parameters, and what detectors remember.

use serde::{Deserialize, Serialize};

use super::super::bytes::{Reader, Writer};
use crate::detect::Memory;
use crate::parameter::ParamStats;
use crate::session::{Dictionary, Finding, Link, ParamBook, Session, UserSpan};

/// Encodes the details of sessions, by their places.
pub fn encode<'s>(sessions: impl Iterator<Item = (&'s Session, &'s Memory)>, dictionary: &Dictionary) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut next = 0;
    for (index, (session, memory)) in (0u64..).zip(sessions) {
        let is_plain = session.findings.is_empty()
            && session.users.is_empty()
            && session.predecessors.is_empty()
            && session.successors.is_empty()
            && session.params.is_none()
            && *memory == Memory::default();
        if is_plain {
            continue;
        }
        let spans = session.users.iter().map(|s| (dictionary.text(s.user), s.since_ms, s.last_ms)).collect();
        let stored = Stored {
            findings: &session.findings,
            users: spans,
            predecessors: &session.predecessors,
            successors: &session.successors,
            memory,
            params: session.params.iter().flat_map(|p| p.iter()).map(|(n, s)| (dictionary.text(n), s)).collect(),
            params_rest: session.params.as_ref().map_or(0, |book| book.rest()),
        };
        writer.varint(index - next);
        next = index + 1;
        // Plain data into a growing buffer cannot fail; nothing at all would be refused as damaged.
        writer.bytes(&postcard::to_allocvec(&stored).unwrap_or_default());
    }
    writer.finish()
}

#[derive(Serialize)]
struct Stored<'a> {
    findings: &'a [Finding],
    users: Vec<(&'a str, u64, u64)>,
    predecessors: &'a [Link],
    successors: &'a [Link],
    memory: &'a Memory,
    params: Vec<(&'a str, &'a ParamStats)>,
    params_rest: u32,
}

/// The details of one session.
#[derive(Debug, Deserialize)]
pub struct Details<'a> {
    pub findings: Vec<Finding>,
    #[serde(borrow)]
    users: Vec<(&'a str, u64, u64)>,
    predecessors: Vec<Link>,
    successors: Vec<Link>,
    memory: Memory,
    #[serde(borrow)]
    params: Vec<(&'a str, ParamStats)>,
    params_rest: u32,
}

impl Details<'_> {
    /// What was sent of each parameter, by name.
    pub fn params(&self) -> impl Iterator<Item = (&str, &ParamStats)> {
        self.params.iter().map(|(name, stats)| (*name, stats))
    }

    /// Puts the details into the session they are of; answers what its detectors remember.
    pub fn complete(self, session: &mut Session, dictionary: &mut Dictionary) -> Memory {
        session.findings = self.findings;
        let span = |(user, since_ms, last_ms)| UserSpan { user: dictionary.symbol(user), since_ms, last_ms };
        session.users = self.users.into_iter().map(span).collect();
        (session.predecessors, session.successors) = (self.predecessors, self.successors);
        let stats = self.params.into_iter().map(|(name, stats)| (dictionary.symbol(name), stats)).collect();
        session.params = ParamBook::of(stats, self.params_rest);
        self.memory
    }
}

/// The details of those sessions that have some, with their indices; they end early where the bytes are damaged.
pub fn all(bytes: &[u8]) -> impl Iterator<Item = (usize, Packed<'_>)> {
    let (mut reader, mut next) = (Reader::new(bytes), 0usize);
    core::iter::from_fn(move || {
        let index = next.checked_add(reader.number().ok()?)?;
        next = index + 1;
        Some((index, Packed(reader.bytes().ok()?)))
    })
}

/// Details that are not decoded yet.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    /// Decodes them; `None` where they are damaged.
    pub fn open(self) -> Option<Details<'a>> {
        postcard::from_bytes(self.0).ok()
    }
}
