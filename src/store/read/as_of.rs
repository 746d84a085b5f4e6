//! Sessions as they were at a position of the journal, so that pages of a list neither repeat nor skip any while events
//! arrive: what came later is taken off again.

use std::collections::HashMap;

use super::{Chunk, Part, SessionId, Sql, Store, StoreError, chunk};
use crate::store::columns::EventColumns;

/// What the events since the position, and those folded or journaled along with them, say of one session.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    /// Events after the position.
    later: u64,
    /// First and last time of the events before it, epoch ms.
    earlier: Option<(u64, u64)>,
}

/// Sessions that changed since a position.
#[derive(Debug, Default)]
pub struct AsOf {
    position: u64,
    changed: HashMap<SessionId, Change>,
}

/// First seen, last seen (epoch ms) and requests of a session.
pub type Extent = (u64, u64, u64);

impl AsOf {
    fn note(&mut self, session: SessionId, position: u64, time_ms: u64) {
        let change = self.changed.entry(session).or_default();
        if position > self.position {
            change.later += 1;
        } else {
            let (first, last) = change.earlier.unwrap_or((time_ms, time_ms));
            change.earlier = Some((first.min(time_ms), last.max(time_ms)));
        }
    }
}

impl<S: Sql> Store<S> {
    /// What changed since `position`.
    pub(super) fn since(&self, position: u64) -> Result<AsOf, StoreError> {
        let mut as_of = AsOf { position, changed: HashMap::new() };
        if position + 1 >= self.next_seq {
            return Ok(as_of);
        }
        for chunk in self.tail(position) {
            let bytes = chunk::read(&self.sql, chunk.id, Part::Summary)?;
            let ids: Vec<SessionId> = chunk::open_summary(&bytes)?.ids().collect();
            let bytes = chunk::read(&self.sql, chunk.id, Part::Events)?;
            let columns = EventColumns::decode(&bytes)?;
            let (times, positions) = (columns.times()?, columns.positions()?);
            for (index, id) in ids.iter().enumerate() {
                let range = columns.range_of(index);
                let of_session =
                    times.get(range.clone()).into_iter().flatten().zip(positions.get(range).into_iter().flatten());
                of_session.for_each(|(time_ms, at)| as_of.note(*id, *at, *time_ms));
            }
        }
        self.unfolded().for_each(|(seq, _, event)| as_of.note(event.session, seq, event.time_ms));
        Ok(as_of)
    }

    /// The chunks with events after `position`.
    pub(super) fn tail(&self, position: u64) -> impl Iterator<Item = &Chunk> {
        let first = self.chunks.partition_point(|chunk| chunk.journal_to <= position);
        self.chunks.iter().skip(first)
    }

    /// The session's extent as it was, given what it is; `None` where it came later.
    pub(super) fn extent(&self, as_of: &AsOf, id: SessionId, now: Extent) -> Result<Option<Extent>, StoreError> {
        let Some(change) = as_of.changed.get(&id).filter(|change| change.later > 0) else { return Ok(Some(now)) };
        let (first, last, requests) = now;
        let requests = requests.saturating_sub(change.later);
        if requests == 0 {
            return Ok(None);
        }
        let before = self.extent_before(as_of.position, id)?;
        Ok(Some(match (before, change.earlier) {
            (Some((a, b)), Some((c, d))) => (a.min(c), b.max(d), requests),
            (Some((a, b)), None) | (None, Some((a, b))) => (a, b, requests),
            (None, None) => (first, last, requests),
        }))
    }

    /// First and last seen by the newest chunk that lies wholly before the position.
    fn extent_before(&self, position: u64, id: SessionId) -> Result<Option<(u64, u64)>, StoreError> {
        let older = self.chunks.partition_point(|chunk| chunk.journal_to <= position);
        for chunk in self.chunks.iter().take(older).rev().filter(|chunk| chunk.may_hold(id)) {
            let bytes = chunk::read(&self.sql, chunk.id, Part::Summary)?;
            let summary = chunk::open_summary(&bytes)?;
            if let Some(index) = summary.index_of(id) {
                return Ok(summary.outlines().nth(index).map(|o| (o.first_seen_ms, o.last_seen_ms)));
            }
        }
        Ok(None)
    }
}
