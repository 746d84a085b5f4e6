//! What events of a chunk share, each kept once and referred to by number: texts, clients, callers, endpoints, notes.
//!
//! Entries are numbered in the order in which they first appear. Tables are looked into once per chunk: a filter on an
//! address tests every client of a chunk and then compares numbers.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::bytes::{Damaged, Reader, Writer};
use crate::inventory::Inventory;
use crate::session::{Event, Marks, Principal};
use crate::verdict::Action;

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client<'a> {
    pub ip: Option<IpAddr>,
    pub country: &'a str,
    pub asn: u32,
    pub colo: &'a str,
    pub user_agent: &'a str,
    pub ja4: &'a str,
}

/// Who made a request, and by which key its session was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller<'a> {
    pub key_source: &'a str,
    pub verified: bool,
    pub principal: Principal,
    pub user: &'a str,
    pub roles: &'a str,
}

/// What a request was made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub template: &'a str,
}

/// What was out of the ordinary about a request; for nearly all the same nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Note<'a> {
    pub action: Action,
    pub inventory: Option<Inventory>,
    pub marks: Marks,
    pub feedback: &'a str,
}

/// Numbers values in the order of their first appearance.
///
/// An ordered map, because texts among the values are the client's to choose: no choice of them makes a look-up slow.
#[derive(Debug)]
pub(super) struct Interner<T> {
    numbers: BTreeMap<T, u32>,
    entries: Vec<T>,
    /// What neighbours ask for is mostly what was asked for last.
    last: Option<(T, u32)>,
}

impl<T: Ord + Copy> Interner<T> {
    pub(super) fn new() -> Self {
        Self { numbers: BTreeMap::new(), entries: Vec::new(), last: None }
    }

    pub(super) fn number(&mut self, value: T) -> u32 {
        if let Some((last, number)) = self.last
            && last == value
        {
            return number;
        }
        let entries = &mut self.entries;
        let number = *self.numbers.entry(value).or_insert_with(|| {
            entries.push(value);
            entries.len() as u32 - 1
        });
        self.last = Some((value, number));
        number
    }

    pub(super) fn entries(&self) -> &[T] {
        &self.entries
    }
}

/// The shared tables of a chunk as they are built.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    pub(super) clients: Interner<Client<'a>>,
    pub(super) callers: Interner<Caller<'a>>,
    pub(super) endpoints: Interner<Endpoint<'a>>,
    notes: Interner<(u8, u8, u16, &'a str)>,
    pub(super) statuses: Interner<u16>,
}

impl<'a> Tables<'a> {
    pub(super) fn new() -> Self {
        Self {
            clients: Interner::new(),
            callers: Interner::new(),
            endpoints: Interner::new(),
            notes: Interner::new(),
            statuses: Interner::new(),
        }
    }

    pub(super) fn client(&mut self, event: &Event<'a>) -> u32 {
        let &Event { ip, country, asn, colo, user_agent, ja4, .. } = event;
        self.clients.number(Client { ip, country, asn, colo, user_agent, ja4 })
    }

    pub(super) fn caller(&mut self, event: &Event<'a>) -> u32 {
        let &Event { key_source, verified, principal, user, roles, .. } = event;
        self.callers.number(Caller { key_source, verified, principal, user, roles })
    }

    pub(super) fn endpoint(&mut self, event: &Event<'a>) -> u32 {
        let &Event { method, host, template, .. } = event;
        self.endpoints.number(Endpoint { method, host, template })
    }

    pub(super) fn note(&mut self, event: &Event<'a>) -> u32 {
        let inventory = Inventory::number(event.inventory);
        self.notes.number((action_number(event.action), inventory, event.marks.0, event.feedback))
    }

    /// A section each: texts, clients, callers, endpoints, notes, statuses.
    pub(super) fn write(&self, out: &mut Writer) {
        let mut texts = Interner::new();
        let mut text = |out: &mut Writer, text: &'a str| out.varint(texts.number(text).into());
        let mut entries = Writer::default();
        table(&mut entries, self.clients.entries(), |out, client| {
            address(out, client.ip);
            text(out, client.country);
            out.varint(client.asn.into());
            text(out, client.colo);
            text(out, client.user_agent);
            text(out, client.ja4);
        });
        table(&mut entries, self.callers.entries(), |out, caller| {
            out.byte(u8::from(caller.verified) | (u8::from(caller.principal != 0) << 1));
            if caller.principal != 0 {
                out.raw(&caller.principal.to_le_bytes());
            }
            text(out, caller.key_source);
            text(out, caller.user);
            text(out, caller.roles);
        });
        table(&mut entries, self.endpoints.entries(), |out, endpoint| {
            text(out, endpoint.method);
            text(out, endpoint.host);
            text(out, endpoint.template);
        });
        table(&mut entries, self.notes.entries(), |out, (action, inventory, marks, feedback)| {
            // Two bits of action, then the state.
            out.byte(*action | (*inventory << 2));
            out.varint((*marks).into());
            text(out, feedback);
        });
        table(&mut entries, self.statuses.entries(), |out, status| out.varint((*status).into()));
        // What the entries refer to stands before them.
        out.section(|out| write_texts(out, texts.entries()));
        out.raw(&entries.finish());
    }
}

fn table<T>(out: &mut Writer, entries: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    out.section(|out| {
        out.varint(entries.len() as u64);
        entries.iter().for_each(|entry| write(out, entry));
    });
}

/// The shared tables of a chunk as they are read.
#[derive(Debug)]
pub(super) struct ReadTables<'a> {
    pub(super) clients: Vec<Client<'a>>,
    pub(super) callers: Vec<Caller<'a>>,
    pub(super) endpoints: Vec<Endpoint<'a>>,
    pub(super) notes: Vec<Note<'a>>,
    pub(super) statuses: Vec<u16>,
    /// What all of this takes where it is stored.
    pub(super) bytes: usize,
}

impl<'a> ReadTables<'a> {
    /// Reads what [`Tables::write`] wrote.
    pub(super) fn read(from: &mut Reader<'a>) -> Result<Self, Damaged> {
        let start = from.left();
        let texts = read_texts(from.section()?)?;
        let text = |from: &mut Reader<'a>| {
            let number = from.varint32()?;
            texts.get(number as usize).copied().ok_or(Damaged)
        };
        Ok(Self {
            clients: entries(from, |from| {
                Ok(Client {
                    ip: read_address(from)?,
                    country: text(from)?,
                    asn: from.varint32()?,
                    colo: text(from)?,
                    user_agent: text(from)?,
                    ja4: text(from)?,
                })
            })?,
            callers: entries(from, |from| {
                let flags = from.byte()?;
                let principal = if flags & 2 != 0 { u64::from_le_bytes(from.array()?) } else { 0 };
                let (key_source, user, roles) = (text(from)?, text(from)?, text(from)?);
                Ok(Caller { key_source, verified: flags & 1 != 0, principal, user, roles })
            })?,
            endpoints: entries(from, |from| {
                Ok(Endpoint { method: text(from)?, host: text(from)?, template: text(from)? })
            })?,
            notes: entries(from, |from| {
                let head = from.byte()?;
                let (action, inventory) = (action_numbered(head & 3)?, Inventory::from_number(head >> 2));
                if inventory.is_none() && head >> 2 != 0 {
                    return Err(Damaged);
                }
                Ok(Note { action, inventory, marks: Marks(read_u16(from)?), feedback: text(from)? })
            })?,
            statuses: entries(from, read_u16)?,
            bytes: start - from.left(),
        })
    }
}

/// A section with a number of entries and as many entries.
fn entries<'a, T>(
    from: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Damaged>,
) -> Result<Vec<T>, Damaged> {
    let mut section = from.section()?;
    let count = section.count()?;
    let entries = (0..count).map(|_| read(&mut section)).collect::<Result<_, _>>()?;
    section.end()?;
    Ok(entries)
}

pub(super) fn read_u16(from: &mut Reader<'_>) -> Result<u16, Damaged> {
    u16::try_from(from.varint()?).map_err(|_| Damaged)
}

/// Lengths, then all texts as one, so that they are checked to be UTF-8 in one go.
pub(super) fn write_texts(out: &mut Writer, texts: &[&str]) {
    out.varint(texts.len() as u64);
    texts.iter().for_each(|text| out.varint(text.len() as u64));
    texts.iter().for_each(|text| out.raw(text.as_bytes()));
}

/// Reads what [`write_texts`] wrote, which has to be all there is.
pub(super) fn read_texts(mut from: Reader<'_>) -> Result<Vec<&str>, Damaged> {
    let count = from.count()?;
    let lengths = (0..count).map(|_| from.count()).collect::<Result<Vec<_>, _>>()?;
    let mut rest = core::str::from_utf8(from.raw(from.left())?).map_err(|_| Damaged)?;
    let mut texts = Vec::with_capacity(count);
    for length in lengths {
        let (text, others) = rest.split_at_checked(length).ok_or(Damaged)?;
        texts.push(text);
        rest = others;
    }
    if rest.is_empty() { Ok(texts) } else { Err(Damaged) }
}

fn address(out: &mut Writer, ip: Option<IpAddr>) {
    match ip {
        None => out.byte(0),
        Some(IpAddr::V4(v4)) => {
            out.byte(4);
            out.raw(&v4.octets());
        }
        Some(IpAddr::V6(v6)) => {
            out.byte(6);
            out.raw(&v6.octets());
        }
    }
}

fn read_address(from: &mut Reader<'_>) -> Result<Option<IpAddr>, Damaged> {
    Ok(match from.byte()? {
        0 => None,
        4 => Some(IpAddr::from(from.array::<4>()?)),
        6 => Some(IpAddr::from(from.array::<16>()?)),
        _ => return Err(Damaged),
    })
}

/// Stored: numbers are never reused or changed.
fn action_number(action: Action) -> u8 {
    match action {
        Action::Allow => 0,
        Action::Tag => 1,
        Action::Throttle => 2,
        Action::Block => 3,
    }
}

fn action_numbered(number: u8) -> Result<Action, Damaged> {
    Ok(match number {
        0 => Action::Allow,
        1 => Action::Tag,
        2 => Action::Throttle,
        3 => Action::Block,
        _ => return Err(Damaged),
    })
}
