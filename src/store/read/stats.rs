//! Counts over all events that fit, in slices.

use super::chunk_events::ChunkEvents;
use super::{Sql, Store, StoreError, or_partial};
use crate::query::{EventQuery, Order, StatsPart, StatsQuery, StatsResume};
use crate::sorting;

/// Chunks whose events one slice counts: some tens of milliseconds of work.
const SLICE_CHUNKS: usize = 48;

impl<S: Sql> Store<S> {
    /// Counts the events that fit, or a slice of them.
    pub fn stats(&self, query: &StatsQuery) -> Result<StatsPart, StoreError> {
        let mut query = query.clone();
        query.filter.tags = self.settings.business.tags().clone();
        let query = &query;
        let mut part = StatsPart::new(query);
        if query.resume.is_none() {
            for (_, _, event) in self.unfolded() {
                self.with_session(event, |event, findings| {
                    let of_event = || findings.iter().filter(|f| f.request == event.id);
                    if query.filter.fits_event(event, |detector| of_event().any(|f| f.detector == detector)) {
                        part.count(query, event, of_event().next().is_some());
                    }
                });
            }
        }
        let newest = query.resume.map_or_else(|| self.chunks.last().map_or(0, |c| c.id), |resume| resume.newest);
        let everything = EventQuery::first(query.filter.clone(), Order::Asc, 0);
        let mut chunks = self.chunks_for(&everything);
        // What was folded since the first slice was counted by it while it was hot.
        chunks.retain(|chunk| chunk.id <= newest && query.resume.is_none_or(|resume| chunk.id >= resume.chunk));
        sorting::sort_by_key(&mut chunks, |chunk| chunk.id);
        for (read, chunk) in chunks.into_iter().enumerate() {
            if read == SLICE_CHUNKS {
                part.resume = Some(StatsResume { chunk: chunk.id, newest });
                break;
            }
            let counted = ChunkEvents::open(&self.sql, chunk, &query.filter).and_then(|events| {
                let Some(events) = events else { return Ok(()) };
                events.each(&query.filter, |_, event, findings| {
                    part.count(query, event, findings.iter().any(|f| f.request == event.id));
                })
            });
            or_partial(counted, &mut part.cut)?;
        }
        Ok(part)
    }
}
