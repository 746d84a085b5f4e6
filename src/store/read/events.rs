//! Pages of events.
//!
//! Chunks are visited in the order of the page, until none can hold what would come before the end of a full page. A
//! page that needs more chunks than a slice reads goes on with the next slice.

use super::best::{Best, Wanted, ranked};
use super::chunk_events::ChunkEvents;
use super::{Chunk, Event, Sql, Store, StoreError, or_partial, with_user};
use crate::ordered::OrderedMap;
use crate::query::{EventAnswer, EventQuery, Order, Page, Resume};
use crate::session::{EventId, Finding};
use crate::store::hot::Tracked;

/// Chunks whose events one slice of a question reads: some ten milliseconds of work.
const SLICE_CHUNKS: usize = 32;
/// Chunks one slice looks into for sessions that met what is asked for.
const SLICE_LOOKS: usize = 512;

/// Where an event that was found lies.
#[derive(Debug, Clone, Copy)]
enum Source {
    Hot(u64, u32),
    Chunk(u64, usize),
}

impl<S: Sql> Store<S> {
    /// A page of events, or a slice of one.
    pub fn events(&self, query: &EventQuery) -> Result<Page<EventAnswer>, StoreError> {
        let mut query = query.clone();
        query.filter.tags = self.settings.business.tags().clone();
        let query = &query;
        let after = query.after.map(|id| (EventId(id).time_ms(), id));
        let wanted = Wanted { order: query.order, limit: query.limit, after, floor: query.floor };
        let (mut best, mut partial) = (Best::new(wanted), false);
        for (seq, index, event) in self.unfolded() {
            self.with_session(event, |event, findings| {
                let detected = |detector| findings.iter().any(|f| f.request == event.id && f.detector == detector);
                if query.filter.fits_event(event, detected) {
                    best.offer(event.time_ms, event.id.0, Source::Hot(seq, index));
                }
            });
        }
        let newest = query.resume.map_or_else(|| self.chunks.last().map_or(0, |c| c.id), |resume| resume.newest);
        let chunks = self.chunks_for(query).into_iter().map(|chunk| match query.order {
            Order::Desc => (chunk.to_ms, chunk),
            Order::Asc => (chunk.from_ms, chunk),
        });
        // What was folded since the first slice was hot then, and is looked at by every slice.
        let (old, new): (Vec<_>, Vec<_>) = chunks.partition(|(_, chunk)| chunk.id <= newest);
        for (_, chunk) in new {
            or_partial(self.offer_events(chunk, query, &mut best), &mut partial)?;
        }
        let (mut resume, mut opened) = (None, 0);
        for (looked, (bound, chunk)) in ranked(old, query.order, query.resume).into_iter().enumerate() {
            if best.is_beyond(bound) {
                break;
            }
            if opened == SLICE_CHUNKS || looked == SLICE_LOOKS {
                resume = Some(Resume { bound, chunk: chunk.id, newest });
                break;
            }
            opened += usize::from(or_partial(self.offer_events(chunk, query, &mut best), &mut partial)?);
        }
        let page = best.into_page();
        let items = self.event_answers(page.items, query)?;
        Ok(Page { items, more: page.more, cut: None, partial, position: self.next_seq - 1, resume })
    }

    /// Offers the events of a chunk that fit; answers whether there could be any.
    fn offer_events(&self, chunk: &Chunk, query: &EventQuery, best: &mut Best<Source>) -> Result<bool, StoreError> {
        let Some(events) = ChunkEvents::open(&self.sql, chunk, &query.filter)? else { return Ok(false) };
        let source = |index| Source::Chunk(chunk.id, index);
        events.each(&query.filter, |index, event, _| best.offer(event.time_ms, event.id.0, source(index)))?;
        Ok(true)
    }

    /// Shows a journaled event with its user and the findings of its session.
    pub(super) fn with_session(&self, event: Event<'_>, show: impl FnOnce(&Event<'_>, &[Finding])) {
        let tracked = self.hot.get(event.session);
        let session = tracked.as_deref().map(|Tracked { session, .. }| session);
        let user = session.and_then(|session| session.user_at(event.time_ms));
        let event = with_user(event, |_| user.map(|user| self.hot.dictionary.text(user)));
        show(&event, session.map_or(&[][..], |session| session.findings.as_slice()));
    }

    /// The chunks that can hold what is asked for.
    pub(super) fn chunks_for(&self, query: &EventQuery) -> Vec<&Chunk> {
        let filter = &query.filter;
        let after_ms = query.after.map(|id| EventId(id).time_ms());
        self.chunks
            .iter()
            .filter(|c| {
                filter.from_ms.is_none_or(|from| c.to_ms >= from) && filter.to_ms.is_none_or(|to| c.from_ms <= to)
            })
            .filter(|c| filter.session.any.is_empty() || filter.session.any.iter().any(|id| c.may_hold(*id)))
            .filter(|c| match (after_ms, query.order) {
                (Some(ms), Order::Desc) => c.from_ms <= ms,
                (Some(ms), Order::Asc) => c.to_ms >= ms,
                (None, _) => true,
            })
            .filter(|c| {
                let times = filter.request.any.iter().map(|id| id.time_ms());
                filter.request.any.is_empty() || times.into_iter().any(|ms| (c.from_ms..=c.to_ms).contains(&ms))
            })
            .filter(|c| c.events > 0)
            .collect()
    }

    /// The answers about what was found, in the order it was found.
    fn event_answers(
        &self,
        found: Vec<(u64, u128, Source)>,
        query: &EventQuery,
    ) -> Result<Vec<(u64, u128, EventAnswer)>, StoreError> {
        let tags = self.settings.business.tags();
        let mut by_chunk: OrderedMap<u64, Vec<usize>> = OrderedMap::new();
        let mut answers: OrderedMap<u128, EventAnswer> = OrderedMap::new();
        for (_, _, source) in &found {
            match source {
                Source::Chunk(chunk, index) => by_chunk.entry(*chunk).or_default().push(*index),
                Source::Hot(seq, index) => {
                    let event = self.hot.batch(*seq).and_then(|batch| batch.event(*index as usize));
                    if let Some(event) = event {
                        self.with_session(event, |event, findings| {
                            answers.insert(event.id.0, EventAnswer::new(event, tags, findings.iter()));
                        });
                    }
                }
            }
        }
        for (id, indices) in by_chunk {
            let at = self.chunks.binary_search_by_key(&id, |chunk| chunk.id);
            let chunk = at.ok().and_then(|at| self.chunks.get(at)).ok_or(StoreError::Corrupt("missing chunk"))?;
            let Some(events) = ChunkEvents::open(&self.sql, chunk, &query.filter)? else { continue };
            events.pick(&indices, |event, findings| {
                answers.insert(event.id.0, EventAnswer::new(event, tags, findings.iter()));
            })?;
        }
        Ok(found.into_iter().filter_map(|(time, id, _)| Some((time, id, answers.remove(&id)?))).collect())
    }
}
