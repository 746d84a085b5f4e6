//! Questions to one shard, answered over hot state and chunks together. No question changes anything.

mod as_of;
mod best;
mod chunk_events;
mod events;
mod sessions;
mod stats;
mod tail;

use serde::{Deserialize, Serialize};

use super::chunk::{self, Chunk, Part};
use super::sql::{Sql, Usage};
use super::{Counts, Store, StoreError};
use crate::backlog::Backlog;
use crate::query::{Resume, SessionAnswer};
use crate::session::{Dictionary, Event, Marks, Session, SessionId};
use crate::verdict::Subject;

/// The shard's condition in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    pub counts: Counts,
    pub hot_sessions: u64,
    /// About how much memory sessions and their texts take, bytes.
    pub hot_bytes: u64,
    pub journal_rows: u64,
    pub journal_bytes: u64,
    pub chunks: u64,
    pub chunk_bytes: u64,
    /// Bytes of chunks that are kept; the oldest go before their time when this is reached.
    pub chunk_bytes_limit: u64,
    pub blocks: u64,
    pub outbox: u64,
    /// Users, addresses and countries that watches and flows forgot for want of room.
    pub watched_forgotten: u64,
    /// What isolates hold for the shard, as they said; told by whoever holds the store.
    pub backlog: Backlog,
    /// Rows read and written since the object was loaded, as the platform bills them.
    pub usage: Usage,
    /// Requests to the object since then, alarms included: the platform bills those too.
    pub requests: u64,
}

impl<S: Sql> Store<S> {
    /// One session, if it is known here.
    pub fn session(&self, id: SessionId, now_ms: u64) -> Result<Option<SessionAnswer>, StoreError> {
        if let Some(tracked) = self.hot.get(id) {
            return Ok(Some(self.answer(&tracked.session, &self.hot.dictionary, now_ms)));
        }
        let mut dictionary = Dictionary::default();
        let found = self.folded_session(id, &mut dictionary)?;
        Ok(found.map(|session| self.answer(&session, &dictionary, now_ms)))
    }

    /// A session's newest folded state.
    fn folded_session(&self, id: SessionId, dictionary: &mut Dictionary) -> Result<Option<Session>, StoreError> {
        for chunk in self.chunks.iter().rev().filter(|chunk| chunk.may_hold(id)) {
            let bytes = chunk::read(&self.sql, chunk.id, Part::Summary)?;
            let summary = chunk::open_summary(&bytes)?;
            if let Some(index) = summary.index_of(id) {
                let mut found = chunk::sessions(&self.sql, chunk.id, &summary, &[index], dictionary)?;
                return Ok(found.pop().map(|(session, _)| session));
            }
        }
        Ok(None)
    }

    /// Whether some chunk holds the session.
    fn is_folded(&self, id: SessionId) -> Result<bool, StoreError> {
        for chunk in self.chunks.iter().rev().filter(|chunk| chunk.may_hold(id)) {
            let bytes = chunk::read(&self.sql, chunk.id, Part::Summary)?;
            if chunk::open_summary(&bytes)?.index_of(id).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of these sessions are known here.
    pub fn known_of(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, StoreError> {
        let mut known = Vec::new();
        for id in ids {
            if self.hot.has(*id) || self.is_folded(*id)? {
                known.push(*id);
            }
        }
        Ok(known)
    }

    /// The journaled events that no chunk holds yet, with position and index in their batch.
    fn unfolded(&self) -> impl Iterator<Item = (u64, u32, Event<'_>)> {
        self.hot.batches.iter().flat_map(|hot| {
            let events = (0u32..).zip(hot.batch.events()).map(|(index, event)| (hot.seq, index, event));
            events.filter(|(seq, _, event)| !self.marks.is_folded(event.session, *seq))
        })
    }

    /// The newest chunk and the number of the newest merge when the first slice of a question began.
    fn newest(&self, resume: Option<Resume>) -> (u64, u64) {
        let now = || (self.chunks.last().map_or(0, |chunk| chunk.id), self.merges);
        resume.map_or_else(now, |resume| (resume.newest, resume.merges))
    }

    fn answer(&self, session: &Session, dictionary: &Dictionary, now_ms: u64) -> SessionAnswer {
        let user = session.users.iter().max_by_key(|span| span.last_ms).map(|span| dictionary.text(span.user));
        let by_user = user.is_some_and(|user| {
            let subject = Subject::User(user.to_owned());
            !user.is_empty() && self.blocks.set().get(&subject, now_ms).is_some()
        });
        let blocked = by_user || self.is_blocked(session.id, now_ms);
        SessionAnswer::new(session, dictionary, self.settings.business.tags(), blocked, now_ms)
    }

    fn is_blocked(&self, id: SessionId, now_ms: u64) -> bool {
        self.blocks.set().get(&Subject::Session(id), now_ms).is_some()
    }

    /// What enforcing would have touched here since a moment, epoch ms.
    pub fn dry_run(&self, from_ms: u64) -> Vec<crate::detect::WouldTouch> {
        self.common.dry_run.report(from_ms)
    }

    /// The shard's condition.
    pub fn health(&self) -> Health {
        Health {
            counts: self.counts,
            hot_sessions: self.hot.len() as u64,
            hot_bytes: self.hot.bytes() as u64,
            journal_rows: self.hot.batches.len() as u64,
            journal_bytes: self.hot.journal_bytes as u64,
            chunks: self.chunks.len() as u64,
            chunk_bytes: self.chunk_bytes(),
            chunk_bytes_limit: self.settings.max_bytes,
            blocks: self.blocks.set().len() as u64,
            outbox: self.outbox.len() as u64,
            watched_forgotten: self.business.forgotten(),
            usage: self.sql.usage(),
            // Whoever is asked knows them.
            backlog: Backlog::default(),
            requests: 0,
        }
    }
}

/// Takes an answer from a chunk; one that cannot be read is missing from the whole, which then is partial.
fn or_partial<T: Default>(read: Result<T, StoreError>, partial: &mut bool) -> Result<T, StoreError> {
    match read {
        Err(error) if error.is_damage() => {
            *partial = true;
            Ok(T::default())
        }
        read => read,
    }
}

/// The event with its user: its own, or the one its session had at the time; nobody where its own was erased.
pub(super) fn with_user<'a>(event: Event<'a>, user_at: impl FnOnce(u64) -> Option<&'a str>) -> Event<'a> {
    if !event.user.is_empty() || event.marks.has(Marks::USER_ERASED) {
        return event;
    }
    Event { user: user_at(event.time_ms).unwrap_or(""), ..event }
}
