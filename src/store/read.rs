//! Questions to one shard, answered over hot state and chunks together.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::chunk::{self, Snapshot};
use super::hot::Tracked;
use super::sql::Sql;
use super::{Counts, Store, StoreError};
use crate::query::{
    EventAnswer, EventQuery, GroupBy, Order, Page, SessionAnswer, SessionQuery, SortBy, StatsAnswer, StatsBucket,
    StatsCount, StatsQuery, is_after, rfc3339,
};
use crate::session::{Event, EventId, Session, SessionId};
use crate::verdict::Subject;

/// Chunks read for one page; a page that needs more is cut there and says so.
const MAX_CHUNKS: usize = 128;
/// Chunks whose sessions are read for one page of sessions; an answer that would need more is partial.
const MAX_SNAPSHOT_CHUNKS: usize = 4_096;

/// The shard's condition in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    pub counts: Counts,
    pub hot_sessions: u64,
    pub journal_rows: u64,
    pub journal_bytes: u64,
    pub chunks: u64,
    pub blocks: u64,
    pub outbox: u64,
}

impl<S: Sql> Store<S> {
    /// A page of sessions.
    pub fn sessions(&self, query: &SessionQuery, now_ms: u64) -> Result<Page<SessionAnswer>, StoreError> {
        let mut found = Vec::new();
        let mut keep = |session: &Session, at: (u64, u64, u64)| {
            let (first_seen_ms, last_seen_ms, requests) = at;
            let blocked = self.is_blocked(session.id, now_ms);
            if requests == 0 || !query.filter.fits_session(session, blocked, now_ms) {
                return;
            }
            let value = match query.sort {
                SortBy::LastSeen => last_seen_ms,
                SortBy::FirstSeen => first_seen_ms,
                SortBy::Risk => u64::from(session.risk_as_of(query.as_of_ms)),
                SortBy::Requests => requests,
                SortBy::Duration => last_seen_ms.saturating_sub(first_seen_ms),
            };
            let position = (value, u128::from_be_bytes(session.id.0));
            if query.after.is_none_or(|after| is_after(position, after, query.order)) {
                found.push((position.0, position.1, SessionAnswer::new(session, blocked, now_ms)));
            }
        };
        let since = self.since(query.as_of_ms)?;
        for tracked in self.hot.sessions.values() {
            keep(&tracked.session, self.as_of(&tracked.session, Some(tracked), query.as_of_ms, &since)?);
        }
        let mut seen: HashSet<u64> = self.hot.sessions.keys().map(|id| chunk::prefix(*id)).collect();
        let from_ms = query.filter.from_ms.unwrap_or(0);
        let mut read = 0;
        let mut cut = false;
        for info in self.chunks.iter().rev().filter(|info| info.to_ms >= from_ms) {
            if info.prefixes.iter().all(|prefix| seen.contains(prefix)) {
                continue;
            }
            if read == MAX_SNAPSHOT_CHUNKS {
                cut = true;
                break;
            }
            read += 1;
            for Snapshot { session, .. } in chunk::snapshots(&self.sql, info.id)? {
                if seen.insert(chunk::prefix(session.id)) {
                    keep(&session, self.as_of(&session, None, query.as_of_ms, &since)?);
                }
            }
        }
        let mut page = Page::of(found, query.order, query.limit);
        // Sessions lie in no order that a cut could point into: what was found is answered, and called partial.
        page.partial = cut;
        Ok(page)
    }

    /// What the chunks that reach beyond `as_of_ms` hold of each session: events after it, and the last one before.
    fn since(&self, as_of_ms: u64) -> Result<Since, StoreError> {
        let mut since = Since::new();
        for info in self.chunks.iter().filter(|info| info.to_ms > as_of_ms) {
            for event in chunk::events(&self.sql, info.id)?.events() {
                note(since.entry(event.session).or_default(), event.time_ms, as_of_ms);
            }
        }
        Ok(since)
    }

    /// First seen, last seen and requests as they were at `as_of_ms`; no requests where the session came later.
    fn as_of(
        &self,
        session: &Session,
        hot: Option<&Tracked>,
        as_of_ms: u64,
        since: &Since,
    ) -> Result<(u64, u64, u64), StoreError> {
        if session.last_seen_ms <= as_of_ms {
            return Ok((session.first_seen_ms, session.last_seen_ms, session.requests));
        }
        let mut seen = since.get(&session.id).copied().unwrap_or_default();
        for event in hot.into_iter().flat_map(|tracked| self.hot.events_of(tracked)) {
            note(&mut seen, event.time_ms, as_of_ms);
        }
        let (later, mut last) = seen;
        if last.is_none() {
            let before = |info: &&chunk::ChunkInfo| info.to_ms <= as_of_ms && info.holds(session.id);
            if let Some(info) = self.chunks.iter().rev().find(before) {
                let snapshots = chunk::snapshots(&self.sql, info.id)?;
                last = snapshots.iter().find(|s| s.session.id == session.id).map(|s| s.session.last_seen_ms);
            }
        }
        let requests = session.requests.saturating_sub(later);
        Ok((session.first_seen_ms, last.unwrap_or(session.first_seen_ms), requests))
    }

    fn is_blocked(&self, id: SessionId, now_ms: u64) -> bool {
        self.blocks.set().get(Subject::Session(id), now_ms).is_some()
    }

    /// One session, if it is known here.
    pub fn session(&self, id: SessionId, now_ms: u64) -> Result<Option<SessionAnswer>, StoreError> {
        let answer = |session: &Session| SessionAnswer::new(session, self.is_blocked(id, now_ms), now_ms);
        self.with_session(id, answer)
    }

    fn with_session<T>(&self, id: SessionId, map: impl FnOnce(&Session) -> T) -> Result<Option<T>, StoreError> {
        if let Some(tracked) = self.hot.sessions.get(&id) {
            return Ok(Some(map(&tracked.session)));
        }
        let Some(info) = self.chunks.iter().rev().find(|info| info.holds(id)) else { return Ok(None) };
        let snapshots = chunk::snapshots(&self.sql, info.id)?;
        Ok(snapshots.iter().find(|s| s.session.id == id).map(|s| map(&s.session)))
    }

    /// Which of these sessions are known here.
    pub fn known_of(&self, ids: &[SessionId]) -> Vec<SessionId> {
        let known = |id: &&SessionId| self.hot.sessions.contains_key(id) || self.chunks.iter().any(|c| c.holds(**id));
        ids.iter().filter(known).copied().collect()
    }

    /// A page of events.
    pub fn events(&self, query: &EventQuery) -> Result<Page<EventAnswer>, StoreError> {
        let mut scan = EventScan { query, found: Vec::new() };
        for hot in &self.hot.batches {
            for event in hot.batch.events() {
                scan.offer(event, self.hot.sessions.get(&event.session).map(|t| &t.session));
            }
        }
        let chunks = self.chunks_for(query);
        let mut cut = None;
        for (read, info) in chunks.iter().enumerate() {
            // Nothing in this chunk, nor in any later one, can come before what fills the page already.
            let bound = match query.order {
                Order::Desc => info.to_ms,
                Order::Asc => info.from_ms,
            };
            if scan.is_full_before(bound) {
                break;
            }
            if read == MAX_CHUNKS {
                cut = Some((bound, EventId::bound(bound, query.order == Order::Desc).0));
                break;
            }
            let snapshots = chunk::snapshots(&self.sql, info.id)?;
            let sessions = by_id(&snapshots);
            for event in chunk::events(&self.sql, info.id)?.events() {
                scan.offer(event, sessions.get(&event.session).copied());
            }
        }
        let mut page = Page::of(scan.found, query.order, query.limit);
        page.cut = cut;
        Ok(page)
    }

    /// The chunks that can hold what is asked for, in the order the question wants its events.
    fn chunks_for(&self, query: &EventQuery) -> Vec<&chunk::ChunkInfo> {
        let filter = &query.filter;
        let after_ms = query.after.map(|id| EventId(id).time_ms());
        let mut chunks: Vec<_> = self
            .chunks
            .iter()
            .filter(|c| {
                filter.from_ms.is_none_or(|from| c.to_ms >= from) && filter.to_ms.is_none_or(|to| c.from_ms <= to)
            })
            .filter(|c| filter.session.any.is_empty() || filter.session.any.iter().any(|id| c.holds(*id)))
            .filter(|c| match (after_ms, query.order) {
                (Some(ms), Order::Desc) => c.from_ms <= ms,
                (Some(ms), Order::Asc) => c.to_ms >= ms,
                (None, _) => true,
            })
            .filter(|c| {
                let times = filter.request.any.iter().map(|id| id.time_ms());
                filter.request.any.is_empty() || times.into_iter().any(|ms| (c.from_ms..=c.to_ms).contains(&ms))
            })
            .collect();
        match query.order {
            Order::Desc => chunks.sort_by_key(|c| core::cmp::Reverse(c.to_ms)),
            Order::Asc => chunks.sort_by_key(|c| c.from_ms),
        }
        chunks
    }

    /// Counts over all events that fit.
    pub fn stats(&self, query: &StatsQuery) -> Result<(StatsAnswer, bool), StoreError> {
        let mut tally = StatsTally::default();
        for hot in &self.hot.batches {
            for event in hot.batch.events() {
                tally.offer(query, event, self.hot.sessions.get(&event.session).map(|t| &t.session));
            }
        }
        let everything = EventQuery { filter: query.filter.clone(), order: Order::Desc, limit: 0, after: None };
        let chunks = self.chunks_for(&everything);
        for info in chunks.iter().take(MAX_CHUNKS) {
            let snapshots = chunk::snapshots(&self.sql, info.id)?;
            let sessions = by_id(&snapshots);
            for event in chunk::events(&self.sql, info.id)?.events() {
                tally.offer(query, event, sessions.get(&event.session).copied());
            }
        }
        Ok((tally.answer(), chunks.len() > MAX_CHUNKS))
    }

    /// The shard's condition.
    pub fn health(&self) -> Health {
        Health {
            counts: self.counts,
            hot_sessions: self.hot.sessions.len() as u64,
            journal_rows: self.hot.batches.len() as u64,
            journal_bytes: self.hot.journal_bytes as u64,
            chunks: self.chunks.len() as u64,
            blocks: self.blocks.set().len() as u64,
            outbox: self.outbox.len() as u64,
        }
    }
}

/// Per session: events after a moment, and the time of the last one before it.
type Since = HashMap<SessionId, (u64, Option<u64>)>;

fn note(seen: &mut (u64, Option<u64>), time_ms: u64, as_of_ms: u64) {
    if time_ms > as_of_ms {
        seen.0 += 1;
    } else {
        seen.1 = seen.1.max(Some(time_ms));
    }
}

fn by_id(snapshots: &[Snapshot]) -> BTreeMap<SessionId, &Session> {
    snapshots.iter().map(|s| (s.session.id, &s.session)).collect()
}

/// The event with its user: its own, or the one its session had at the time.
fn with_user<'a>(event: Event<'a>, session: Option<&'a Session>) -> Event<'a> {
    if !event.user.is_empty() {
        return event;
    }
    Event { user: session.and_then(|session| session.user_at(event.time_ms)).unwrap_or(""), ..event }
}

struct EventScan<'q> {
    query: &'q EventQuery,
    found: Vec<(u64, u128, EventAnswer)>,
}

impl EventScan<'_> {
    fn offer(&mut self, event: Event<'_>, session: Option<&Session>) {
        let event = &with_user(event, session);
        let position = (event.time_ms, event.id.0);
        let after = self.query.after.map(|id| (EventId(id).time_ms(), id));
        if after.is_some_and(|after| !is_after(position, after, self.query.order)) {
            return;
        }
        let findings = session.map_or(&[][..], |session| session.findings.as_slice());
        let detected = |detector| findings.iter().any(|f| f.request == event.id && f.detector == detector);
        if !self.query.filter.fits_event(event, detected) {
            return;
        }
        self.found.push((position.0, position.1, EventAnswer::new(event, findings.iter())));
        // Far more than a page is never kept: the rest of it could not be answered anyway.
        let limit = self.query.limit as usize;
        if self.found.len() >= (limit + 1) * 4 {
            let page = Page::of(core::mem::take(&mut self.found), self.query.order, self.query.limit + 1);
            self.found = page.items;
        }
    }

    fn is_full_before(&mut self, bound_ms: u64) -> bool {
        if self.found.len() <= self.query.limit as usize {
            return false;
        }
        let page = Page::of(core::mem::take(&mut self.found), self.query.order, self.query.limit + 1);
        self.found = page.items;
        match (self.found.last(), self.query.order) {
            (Some((time, ..)), Order::Desc) => *time > bound_ms,
            (Some((time, ..)), Order::Asc) => *time < bound_ms,
            (None, _) => false,
        }
    }
}

#[derive(Default)]
struct StatsTally {
    total: StatsCount,
    sessions: HashSet<SessionId>,
    buckets: BTreeMap<(u64, String), (StatsCount, HashSet<SessionId>)>,
}

impl StatsTally {
    fn offer(&mut self, query: &StatsQuery, event: Event<'_>, session: Option<&Session>) {
        let event = &with_user(event, session);
        let findings = session.map_or(&[][..], |session| session.findings.as_slice());
        let of_event = || findings.iter().filter(|f| f.request == event.id);
        if !query.filter.fits_event(event, |detector| of_event().any(|f| f.detector == detector)) {
            return;
        }
        let attack = u64::from(of_event().next().is_some());
        add(&mut self.total, attack);
        self.sessions.insert(event.session);
        if query.bucket_ms == 0 && query.group_by.is_none() {
            return;
        }
        let time = event.time_ms.checked_rem(query.bucket_ms).map_or(0, |rest| event.time_ms - rest);
        let group = match query.group_by {
            None => String::new(),
            Some(GroupBy::Country) => event.country.to_owned(),
            Some(GroupBy::Endpoint) => event.endpoint(),
            Some(GroupBy::Status) => event.status.to_string(),
        };
        let (count, sessions) = self.buckets.entry((time, group)).or_default();
        add(count, attack);
        sessions.insert(event.session);
    }

    fn answer(self) -> StatsAnswer {
        let count =
            |count: StatsCount, sessions: &HashSet<SessionId>| StatsCount { sessions: sessions.len() as u64, ..count };
        let bucket = |((time, group), (c, sessions)): ((u64, String), (StatsCount, HashSet<SessionId>))| StatsBucket {
            time: (time > 0).then(|| rfc3339(time)),
            group: (!group.is_empty()).then_some(group),
            count: count(c, &sessions),
        };
        StatsAnswer {
            total: count(self.total, &self.sessions),
            buckets: self.buckets.into_iter().map(bucket).collect(),
        }
    }
}

fn add(count: &mut StatsCount, attack: u64) {
    count.requests += 1;
    count.attacks += attack;
}
