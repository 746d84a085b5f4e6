//! The numbers of a chunk's sessions, column by column: what lists sort by and most filters need, in some thirty bytes
//! a session.

use super::super::bytes::{Damaged, Reader, Writer};
use crate::session::{Counts, Dictionary, Keyless, Marks, Proof, Risk, Session, SessionId};

/// First byte.
const VERSION: u8 = 1;

/// Encodes sessions, which are sorted by id.
pub fn encode(sessions: &[&Session], dictionary: &Dictionary) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(VERSION);
    let base = sessions.iter().map(|s| s.first_seen_ms).min().unwrap_or(0);
    writer.varint(sessions.len() as u64);
    writer.varint(base);
    sessions.iter().for_each(|s| writer.raw(&s.id.0));
    let mut column = |value: &dyn Fn(&Session) -> u64| {
        writer.section(|section| sessions.iter().for_each(|session| section.varint(value(session))));
    };
    column(&|s| s.first_seen_ms - base);
    column(&|s| s.last_seen_ms - s.first_seen_ms);
    column(&|s| s.requests);
    column(&|s| s.refused);
    column(&|s| u64::from(s.verified) | (s.proof as u64) << 1 | (s.keyless as u64) << 4);
    let mut sources: Vec<_> = sessions.iter().map(|s| s.key_source).collect();
    sources.sort_unstable();
    sources.dedup();
    writer.varint(sources.len() as u64);
    sources.iter().for_each(|source| writer.bytes(dictionary.text(*source).as_bytes()));
    writer.section(|section| {
        let place = |s: &&Session| sources.binary_search(&s.key_source).unwrap_or(0) as u64;
        sessions.iter().for_each(|s| section.varint(place(s)));
    });
    // What most sessions do not have, for those that do.
    sparse(&mut writer, sessions, |s| s.attacks != 0, |w, s| w.varint(s.attacks));
    sparse(&mut writer, sessions, |s| s.marks.0 != 0, |w, s| w.varint(u64::from(s.marks.0)));
    sparse(&mut writer, sessions, |s| s.principal != 0, |w, s| w.raw(&s.principal.to_le_bytes()));
    sparse(
        &mut writer,
        sessions,
        |s| !s.risk.is_none(),
        |w, s| {
            let (evidence, at_ms) = s.risk.parts();
            w.raw(&evidence.to_le_bytes());
            w.varint(at_ms);
        },
    );
    sparse(
        &mut writer,
        sessions,
        |s| s.admitted.is_some(),
        |w, s| {
            let (first, last) = s.admitted.unwrap_or_default();
            w.varint(first);
            w.varint(last - first);
        },
    );
    sparse(&mut writer, sessions, |s| s.ended_ms.is_some(), |w, s| w.varint(s.ended_ms.unwrap_or(0)));
    writer.finish()
}

fn sparse(
    writer: &mut Writer,
    sessions: &[&Session],
    has: impl Fn(&Session) -> bool,
    write: impl Fn(&mut Writer, &Session),
) {
    writer.section(|section| {
        let mut next = 0;
        for (index, session) in (0u64..).zip(sessions).filter(|(_, s)| has(s)) {
            section.varint(index - next);
            next = index + 1;
            write(section, session);
        }
    });
}

/// What a list needs of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outline {
    pub id: SessionId,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    pub requests: u64,
    pub risk: Risk,
}

/// A chunk's summary, opened.
#[derive(Debug, Clone)]
pub struct Summary<'a> {
    ids: &'a [[u8; 16]],
    base_ms: u64,
    columns: [Reader<'a>; 5],
    sources: Vec<&'a str>,
    source_of: Reader<'a>,
    sparse: [Reader<'a>; 6],
}

impl<'a> Summary<'a> {
    /// Opens what [`encode`] wrote; `None` where it is damaged.
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.strip_prefix(&[VERSION])?);
        let n: usize = reader.number().ok()?;
        let base_ms = reader.varint().ok()?;
        let ids = reader.raw(n.checked_mul(16)?).ok()?.as_chunks::<16>().0;
        let mut columns = [Reader::new(&[]); 5];
        for column in &mut columns {
            *column = reader.section().ok()?;
        }
        let sources = (0..reader.number::<u32>().ok()?).map(|_| reader.text()).collect::<Result<Vec<_>, _>>().ok()?;
        let source_of = reader.section().ok()?;
        let mut sparse = [Reader::new(&[]); 6];
        for column in &mut sparse {
            *column = reader.section().ok()?;
        }
        Some(Self { ids, base_ms, columns, sources, source_of, sparse })
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The ids, sorted.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = SessionId> + Clone {
        self.ids.iter().map(|id| SessionId(*id))
    }

    /// Where a session is.
    pub fn index_of(&self, id: SessionId) -> Option<usize> {
        self.ids.binary_search(&id.0).ok()
    }

    /// What lists need of each session, in the order of ids.
    pub fn outlines(&self) -> impl Iterator<Item = Outline> {
        let [mut first, mut span, mut requests, ..] = self.columns;
        let [_, _, _, risks, ..] = self.sparse;
        let mut risks = Sparse::new(risks, |r| Ok(Risk::from_parts(f64::from_le_bytes(r.array()?), r.varint()?)));
        let base_ms = self.base_ms;
        (0..).zip(self.ids()).map_while(move |(index, id)| {
            let first_seen_ms = base_ms.checked_add(first.varint().ok()?)?;
            let last_seen_ms = first_seen_ms.checked_add(span.varint().ok()?)?;
            let risk = risks.at(index).unwrap_or_default();
            Some(Outline { id, first_seen_ms, last_seen_ms, requests: requests.varint().ok()?, risk })
        })
    }

    /// The sessions at `wanted` (rising indices) without what postings and details add; they end early where the
    /// columns are damaged.
    pub fn sessions(&self, wanted: &[usize], dictionary: &mut Dictionary) -> Vec<Session> {
        let sources: Vec<_> = self.sources.iter().map(|source| dictionary.symbol(source)).collect();
        let [_, _, _, mut refused, mut flags] = self.columns;
        let mut source_of = self.source_of;
        let [attacks, marks, principals, _, admitted, ended] = self.sparse;
        let mut attacks = Sparse::new(attacks, Reader::varint);
        let mut marks = Sparse::new(marks, Reader::number::<u16>);
        let mut principals = Sparse::new(principals, |r| r.array().map(u64::from_le_bytes));
        let mut ended = Sparse::new(ended, Reader::varint);
        let mut admitted = Sparse::new(admitted, |r| {
            let first = r.varint()?;
            Ok((first, first.checked_add(r.varint()?).ok_or(Damaged)?))
        });
        let mut wanted = wanted.iter().copied().peekable();
        let mut sessions = Vec::new();
        for (index, outline) in self.outlines().enumerate() {
            if wanted.peek().is_none() {
                break;
            }
            let (Ok(refused), Ok(flags), Ok(source)) = (refused.varint(), flags.varint(), source_of.number()) else {
                break;
            };
            if wanted.next_if_eq(&index).is_none() {
                continue;
            }
            let key_source = |source: usize| sources.get(source).copied().unwrap_or_default();
            sessions.push(Session {
                id: outline.id,
                key_source: key_source(source),
                keyless: [Keyless::No, Keyless::Client, Keyless::Address]
                    .get((flags >> 4) as usize)
                    .copied()
                    .unwrap_or_default(),
                verified: flags & 1 == 1,
                first_seen_ms: outline.first_seen_ms,
                last_seen_ms: outline.last_seen_ms,
                requests: outline.requests,
                refused,
                attacks: attacks.at(index).unwrap_or(0),
                counts: Counts::default(),
                findings: Vec::new(),
                risk: outline.risk,
                users: Vec::new(),
                principal: principals.at(index).unwrap_or(0),
                predecessors: Vec::new(),
                successors: Vec::new(),
                proof: [Proof::Unproven, Proof::Used, Proof::Issued, Proof::Verified]
                    .get((flags >> 1 & 7) as usize)
                    .copied()
                    .unwrap_or_default(),
                admitted: admitted.at(index),
                ended_ms: ended.at(index),
                marks: Marks(marks.at(index).unwrap_or(0)),
                params: None,
            });
        }
        sessions
    }
}

/// A sparse column that is asked for rising indices.
struct Sparse<'a, T, R> {
    column: Reader<'a>,
    read: R,
    next: usize,
    entry: Option<(usize, T)>,
}

impl<'a, T: Copy, R: Fn(&mut Reader<'a>) -> Result<T, Damaged>> Sparse<'a, T, R> {
    fn new(column: Reader<'a>, read: R) -> Self {
        let mut sparse = Self { column, read, next: 0, entry: None };
        sparse.step();
        sparse
    }

    fn step(&mut self) {
        self.entry = self.read_entry();
    }

    fn read_entry(&mut self) -> Option<(usize, T)> {
        let index = self.next.checked_add(self.column.number().ok()?)?;
        self.next = index + 1;
        Some((index, (self.read)(&mut self.column).ok()?))
    }

    /// The entry at `index`, if there is one; those before it are passed over.
    fn at(&mut self, index: usize) -> Option<T> {
        while self.entry.is_some_and(|(at, _)| at < index) {
            self.step();
        }
        self.entry.filter(|(at, _)| *at == index).map(|(_, value)| value)
    }
}
