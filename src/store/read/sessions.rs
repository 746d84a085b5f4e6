//! Pages of sessions.
//!
//! A session is looked at once, where its newest state lies: in memory if something happened to it since the last fold,
//! else in the one chunk where it is not superseded. Chunks are visited best first, by the highest sort value they can
//! hold, until none can better a full page; one slice of that work reads a bounded number of them.

use super::as_of::AsOf;
use super::best::{Best, Wanted, ranked};
use super::{Chunk, Dictionary, Part, Session, SessionAnswer, SessionId, Sql, Store, StoreError, chunk, or_partial};
use crate::ordered::OrderedMap;
use crate::query::{Field, Hit, Order, Page, Resume, SessionQuery};
use crate::session::{Kind, Risk};
use crate::store::chunk::{Outline, Postings, Summary};
use crate::store::hot::Tracked;

/// Chunks one slice of a question reads: some ten milliseconds of work, between which traffic is served.
const SLICE_CHUNKS: usize = 256;

/// Where a session that was found lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Hot,
    Chunk(u64, usize),
}

impl<S: Sql> Store<S> {
    /// A page of sessions, or a slice of one.
    pub fn sessions(&self, query: &SessionQuery, now_ms: u64) -> Result<Page<SessionAnswer>, StoreError> {
        let mut query = query.clone();
        query.filter.tags = self.settings.business.tags().clone();
        let query = &query;
        let position = query.position.unwrap_or(self.next_seq - 1);
        let as_of = self.since(position)?;
        let (newest, merges) = self.newest(query.resume);
        let wanted = Wanted { order: query.order, limit: query.limit, after: query.after, floor: query.floor };
        let (mut best, mut partial) = (Best::new(wanted), false);
        for tracked in self.hot.dirty() {
            self.offer_hot(tracked, &as_of, now_ms, query, &mut best)?;
        }
        // What was folded since the position, or folded or merged since the first slice, is looked at whatever its values promise.
        let is_new = |chunk: &Chunk| chunk.journal_to > position || chunk.id > newest || chunk.merged > merges;
        for chunk in self.chunks.iter().filter(|chunk| is_new(chunk)) {
            or_partial(self.offer_chunk(chunk, &as_of, now_ms, query, &mut best), &mut partial)?;
        }
        let old = self.chunks.iter().filter(|chunk| !is_new(chunk) && self.is_worth_reading(chunk, query));
        let old = old.map(|chunk| (best_value(chunk, query), chunk)).collect();
        let mut resume = None;
        for (read, (bound, chunk)) in ranked(old, query.order, query.resume).into_iter().enumerate() {
            if best.is_beyond(bound) {
                break;
            }
            if read == SLICE_CHUNKS {
                resume = Some(Resume { bound, chunk: chunk.id, newest, merges });
                break;
            }
            or_partial(self.offer_chunk(chunk, &as_of, now_ms, query, &mut best), &mut partial)?;
        }
        let page = best.into_page();
        let items = self.answers(page.items, now_ms, &mut partial)?;
        Ok(Page { items, more: page.more, cut: None, partial, position, resume })
    }

    /// Whether a chunk can hold a session that fits.
    fn is_worth_reading(&self, chunk: &Chunk, query: &SessionQuery) -> bool {
        use crate::query::SortBy::{FirstSeen, LastSeen};
        let filter = &query.filter;
        !chunk.is_all_superseded()
            && filter.from_ms.is_none_or(|from| chunk.bounds(LastSeen).max >= from)
            && filter.to_ms.is_none_or(|to| chunk.bounds(FirstSeen).min <= to)
            && (filter.session.any.is_empty() || filter.session.any.iter().any(|id| chunk.may_hold(*id)))
    }

    fn offer_hot(
        &self,
        tracked: &Tracked,
        as_of: &AsOf,
        now_ms: u64,
        query: &SessionQuery,
        best: &mut Best<Source>,
    ) -> Result<(), StoreError> {
        let session = &tracked.session;
        let extent = self.extent(as_of, session.id, (session.first_seen_ms, session.last_seen_ms, session.requests))?;
        let Some((first, last, requests)) = extent else { return Ok(()) };
        let fits = query.filter.fits_outline(session.id, session.first_seen_ms, session.last_seen_ms, session.requests)
            && self.fits_state(session.id, &session.risk, query, now_ms)
            && self.fits_values(session, query);
        if fits {
            let value = query.sort.value(first, last, requests, session.risk_as_of(query.as_of_ms));
            best.offer(value, u128::from_be_bytes(session.id.0), Source::Hot);
        }
        Ok(())
    }

    /// Whether what the session met fits; `state` and numbers are others' to look at.
    fn fits_values(&self, session: &Session, query: &SessionQuery) -> bool {
        query.filter.fields().all(|(field, looks_for)| {
            let mut found = !looks_for;
            for (number, _) in session.counts.of(field.kind()) {
                let value = field.kind().value(number, &self.hot.dictionary);
                let hit = value.map(|value| query.filter.hit(field, value)).unwrap_or_default();
                if hit.none {
                    return false;
                }
                found |= hit.any;
            }
            if session.counts.rest(field.kind()) > 0 {
                let stats = session.params.iter().flat_map(|book| book.iter());
                let stats = stats.map(|(name, stats)| (self.hot.dictionary.text(name), stats));
                let hit = query.filter.hit_extremes(field, stats);
                if hit.none {
                    return false;
                }
                found |= hit.any;
            }
            found
        })
    }

    fn fits_state(&self, id: SessionId, risk: &Risk, query: &SessionQuery, now_ms: u64) -> bool {
        let state = || crate::session::State::of(risk, self.is_blocked(id, now_ms), now_ms);
        query.filter.fits_risk(|| risk.score(now_ms), state)
    }

    fn offer_chunk(
        &self,
        chunk: &Chunk,
        as_of: &AsOf,
        now_ms: u64,
        query: &SessionQuery,
        best: &mut Best<Source>,
    ) -> Result<(), StoreError> {
        let mut fitting = None;
        if query.filter.fields().next().is_some() {
            let postings = chunk::read(&self.sql, chunk.id, Part::Postings)?;
            let details = || chunk::read(&self.sql, chunk.id, Part::Details);
            let Some(found) = fitting_sessions(&postings, chunk.sessions, query, &details)? else { return Ok(()) };
            fitting = Some(found);
        }
        let bytes = chunk::read(&self.sql, chunk.id, Part::Summary)?;
        let summary = chunk::open_summary(&bytes)?;
        let mut late_risks = None;
        for (index, outline) in summary.outlines().enumerate() {
            let Outline { id, first_seen_ms, last_seen_ms, requests, risk } = outline;
            if fitting.as_ref().is_some_and(|fits| fits.get(index) != Some(&true)) || chunk.is_superseded(index) {
                continue;
            }
            if !query.filter.fits_outline(id, first_seen_ms, last_seen_ms, requests)
                || !self.fits_state(id, &risk, query, now_ms)
                || self.hot.is_dirty(id)
            {
                continue;
            }
            let Some((first, last, requests)) = self.extent(as_of, id, (first_seen_ms, last_seen_ms, requests))? else {
                continue;
            };
            if requests == 0 {
                continue;
            }
            let (_, risk_at_ms) = risk.parts();
            let score = if risk_at_ms <= query.as_of_ms {
                risk.score(query.as_of_ms)
            } else {
                // Something was found since the first page: the findings tell what there was before.
                let risks = match &mut late_risks {
                    Some(risks) => risks,
                    none => none.insert(self.risks_as_of(chunk, &summary, query.as_of_ms)?),
                };
                risks.get(&index).copied().unwrap_or(0)
            };
            let value = query.sort.value(first, last, requests, score);
            best.offer(value, u128::from_be_bytes(id.0), Source::Chunk(chunk.id, index));
        }
        Ok(())
    }

    /// The risk of every session of the chunk about which something was found, as it was.
    fn risks_as_of(
        &self,
        chunk: &Chunk,
        summary: &Summary<'_>,
        as_of_ms: u64,
    ) -> Result<OrderedMap<usize, u8>, StoreError> {
        let bytes = chunk::read(&self.sql, chunk.id, Part::Details)?;
        let indices: Vec<usize> = chunk::told_of(&bytes).map(|(index, _)| index).collect();
        let sessions = chunk::sessions(&self.sql, chunk.id, summary, &indices, &mut Dictionary::default())?;
        Ok(indices
            .into_iter()
            .zip(sessions)
            .map(|(index, (session, _))| (index, session.risk_as_of(as_of_ms)))
            .collect())
    }

    /// The answers about what was found, chunk by chunk, in the order they came.
    fn answers(
        &self,
        found: Vec<(u64, u128, Source)>,
        now_ms: u64,
        partial: &mut bool,
    ) -> Result<Vec<(u64, u128, SessionAnswer)>, StoreError> {
        let mut by_chunk: OrderedMap<u64, Vec<usize>> = OrderedMap::new();
        for (_, _, source) in &found {
            if let Source::Chunk(chunk, index) = source {
                by_chunk.entry(*chunk).or_default().push(*index);
            }
        }
        let mut answers: OrderedMap<SessionId, SessionAnswer> = OrderedMap::new();
        for (id, mut indices) in by_chunk {
            indices.sort_unstable();
            let bytes = chunk::read(&self.sql, id, Part::Summary)?;
            let summary = chunk::open_summary(&bytes)?;
            let mut dictionary = Dictionary::default();
            let read = chunk::sessions(&self.sql, id, &summary, &indices, &mut dictionary);
            for (session, _) in or_partial(read, partial)? {
                answers.insert(session.id, self.answer(&session, &dictionary, now_ms));
            }
        }
        let answer = |(value, id, source): (u64, u128, Source)| {
            let session = SessionId(id.to_be_bytes());
            let answer = match source {
                Source::Hot => {
                    let tracked = self.hot.get(session);
                    tracked.map(|tracked| self.answer(&tracked.session, &self.hot.dictionary, now_ms))
                }
                Source::Chunk(..) => answers.remove(&session),
            };
            answer.map(|answer| (value, id, answer))
        };
        Ok(found.into_iter().filter_map(answer).collect())
    }
}

fn best_value(chunk: &Chunk, query: &SessionQuery) -> u64 {
    let bounds = chunk.bounds(query.sort);
    match query.order {
        Order::Desc => bounds.max,
        Order::Asc => bounds.min,
    }
}

/// Which sessions of a chunk fit every field that is asked about; `None` where none does.
fn fitting_sessions(
    postings: &[u8],
    sessions: usize,
    query: &SessionQuery,
    details: &dyn Fn() -> Result<Vec<u8>, StoreError>,
) -> Result<Option<Vec<bool>>, StoreError> {
    let mut fitting = vec![true; sessions];
    for (field, looks_for) in query.filter.fields() {
        let mut found = vec![!looks_for; sessions];
        let mut any = !looks_for;
        let kind: Kind = field.kind();
        for posting in Postings(postings).of(kind) {
            let mut take = |index: usize, hit: Hit| {
                if let Some(slot) = found.get_mut(index).filter(|_| hit.any) {
                    *slot = true;
                    any = true;
                }
                if let Some(slot) = fitting.get_mut(index).filter(|_| hit.none) {
                    *slot = false;
                }
            };
            let Some(value) = posting.value else {
                if matches!(field, Field::Param(_)) {
                    let rest: Vec<usize> = posting.sessions().map(|(index, _)| index).collect();
                    for (index, packed) in
                        chunk::kept_of(&details()?).filter(|(index, _)| rest.binary_search(index).is_ok())
                    {
                        let kept = packed.open().ok_or(StoreError::Corrupt("chunk details"))?;
                        take(index, query.filter.hit_extremes(field, kept.params()));
                    }
                }
                continue;
            };
            let hit = query.filter.hit(field, value);
            if hit.any || hit.none {
                posting.sessions().for_each(|(index, _)| take(index, hit));
            }
        }
        if !any {
            return Ok(None);
        }
        fitting.iter_mut().zip(found).for_each(|(fits, found)| *fits &= found);
    }
    Ok(fitting.contains(&true).then_some(fitting))
}
