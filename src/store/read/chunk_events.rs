//! The events of one chunk that fit a filter.
//!
//! Which sessions met what is asked first: where no session of the chunk met what is looked for, its events are not
//! read at all, and else only those of the sessions that did.

use super::{Chunk, Dictionary, Event, Part, Session, SessionId, Sql, StoreError, chunk, with_user};
use crate::ordered::OrderedMap;
use crate::query::{Field, Filter, contains_ignore_case};
use crate::session::{Finding, Kind, Value};
use crate::store::chunk::{Posting, Postings, Summary};
use crate::store::columns::EventColumns;

/// A chunk, opened as far as a question needs it.
pub struct ChunkEvents {
    ids: Vec<SessionId>,
    events: Vec<u8>,
    /// Sessions with findings or users, by index.
    known: OrderedMap<usize, Session>,
    dictionary: Dictionary,
    candidates: Vec<bool>,
}

impl ChunkEvents {
    /// Opens a chunk for a filter; `None` if no event in it can fit.
    pub fn open(sql: &dyn Sql, chunk: &Chunk, filter: &Filter) -> Result<Option<Self>, StoreError> {
        let mut candidates = vec![true; chunk.sessions];
        let mut fields = filter.fields().filter(|(_, looks_for)| *looks_for).peekable();
        if fields.peek().is_some() {
            let postings = chunk::read(sql, chunk.id, Part::Postings)?;
            for (field, _) in fields {
                match field {
                    Field::Text => narrow_by_text(&mut candidates, &postings, filter),
                    field => narrow(&mut candidates, &postings, field, filter),
                }
            }
            if !candidates.contains(&true) {
                return Ok(None);
            }
        }
        let bytes = chunk::read(sql, chunk.id, Part::Summary)?;
        let summary = chunk::open_summary(&bytes)?;
        let ids: Vec<SessionId> = summary.ids().collect();
        if !filter.session.any.is_empty() {
            let wanted: Vec<usize> = filter.session.any.iter().filter_map(|id| summary.index_of(*id)).collect();
            candidates.iter_mut().enumerate().for_each(|(index, fits)| *fits &= wanted.contains(&index));
            if !candidates.contains(&true) {
                return Ok(None);
            }
        }
        let mut dictionary = Dictionary::default();
        let known = known_sessions(sql, chunk, &summary, &candidates, &mut dictionary)?;
        let events = chunk::read(sql, chunk.id, Part::Events)?;
        Ok(Some(Self { ids, events, known, dictionary, candidates }))
    }

    /// Shows every event that fits, with its index and the findings of its session, sorted by session.
    pub fn each(
        &self,
        filter: &Filter,
        mut visit: impl FnMut(usize, &Event<'_>, &[Finding]),
    ) -> Result<(), StoreError> {
        let columns = EventColumns::decode(&self.events)?;
        let rows = columns.rows(&self.ids)?;
        for (session, _) in self.candidates.iter().enumerate().filter(|(_, fits)| **fits) {
            let known = self.known.get(&session);
            for index in columns.range_of(session) {
                let Some(event) = rows.get(index) else { continue };
                let event = self.attributed(event, known);
                let findings = known.map_or(&[][..], |known| known.findings.as_slice());
                let detected = |detector| findings.iter().any(|f| f.request == event.id && f.detector == detector);
                if filter.fits_event(&event, detected) {
                    visit(index, &event, findings);
                }
            }
        }
        Ok(())
    }

    /// Shows the events with these indices.
    pub fn pick(&self, wanted: &[usize], mut visit: impl FnMut(&Event<'_>, &[Finding])) -> Result<(), StoreError> {
        let columns = EventColumns::decode(&self.events)?;
        let rows = columns.rows(&self.ids)?;
        for index in wanted {
            let Some(event) = rows.get(*index) else { continue };
            let known = columns.session_of(*index).and_then(|session| self.known.get(&session));
            let event = self.attributed(event, known);
            visit(&event, known.map_or(&[][..], |known| known.findings.as_slice()));
        }
        Ok(())
    }

    fn attributed<'a>(&'a self, event: Event<'a>, session: Option<&Session>) -> Event<'a> {
        with_user(event, |time_ms| Some(self.dictionary.text(session?.user_at(time_ms)?)))
    }
}

/// The sessions among the candidates that have findings or users.
fn known_sessions(
    sql: &dyn Sql,
    chunk: &Chunk,
    summary: &Summary<'_>,
    candidates: &[bool],
    dictionary: &mut Dictionary,
) -> Result<OrderedMap<usize, Session>, StoreError> {
    let bytes = chunk::read(sql, chunk.id, Part::Details)?;
    let is_candidate = |index: &usize| candidates.get(*index) == Some(&true);
    let indices: Vec<usize> = chunk::told_of(&bytes).map(|(index, _)| index).filter(is_candidate).collect();
    let mut sessions = summary.sessions(&indices, dictionary);
    for (index, packed) in chunk::told_of(&bytes) {
        let Some(session) = indices.binary_search(&index).ok().and_then(|at| sessions.get_mut(at)) else { continue };
        packed.open().ok_or(StoreError::Corrupt("chunk details"))?.complete(session, dictionary);
    }
    Ok(indices.into_iter().zip(sessions).collect())
}

/// Drops the candidates in whose paths no text can stand that is looked for. A path is made of what its endpoint's name
/// says and of what stands in its braces: a number, an id, or a text that the postings list.
fn narrow_by_text(candidates: &mut [bool], postings: &[u8], filter: &Filter) {
    let is_like_an_id = |part: &str| part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let holds = |text: &str| filter.text_parts().any(|part| contains_ignore_case(text, part));
    if filter.text_parts().any(is_like_an_id) || Postings(postings).may_be_in_paths(holds) {
        return;
    }
    keep_those_who_met(candidates, Postings(postings).of(Kind::Endpoint), |value| match value {
        Value::Text(name) => name.ends_with('…') || holds(name),
        _ => true,
    });
}

/// Drops the candidates that met nothing the field looks for, unless they met more than was kept apart.
fn narrow(candidates: &mut [bool], postings: &[u8], field: Field, filter: &Filter) {
    keep_those_who_met(candidates, Postings(postings).of(field.kind()), |value| match value {
        // Names of endpoints are cut; what stood beyond is not known here.
        Value::Text(name) if field.kind() == Kind::Endpoint && name.ends_with('…') => true,
        value => filter.hit(field, value).any,
    });
}

/// Keeps the candidates that met a value that may fit; what found no place among the values may be any.
fn keep_those_who_met<'p>(
    candidates: &mut [bool],
    postings: impl Iterator<Item = Posting<'p>>,
    may_fit: impl Fn(Value<'_>) -> bool,
) {
    let mut met = vec![false; candidates.len()];
    for posting in postings {
        if posting.value.is_none_or(&may_fit) {
            for (index, _) in posting.sessions() {
                if let Some(slot) = met.get_mut(index) {
                    *slot = true;
                }
            }
        }
    }
    candidates.iter_mut().zip(met).for_each(|(fits, met)| *fits &= met);
}
