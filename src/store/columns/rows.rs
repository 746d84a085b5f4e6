//! Whole events, put together from all columns of a chunk.

use core::ops::Range;

use super::bytes::Damaged;
use super::params::ReadParams;
use super::paths::Paths;
use super::{EventColumns, ids};
use crate::session::{Event, EventId, SessionId};

/// All columns of a chunk, decoded and checked: from here on nothing fails. Takes about 100 bytes an event.
#[derive(Debug)]
pub struct Rows<'r> {
    columns: &'r EventColumns<'r>,
    sessions: &'r [SessionId],
    times: Vec<u64>,
    positions: Vec<u64>,
    ids: Vec<EventId>,
    clients: Vec<u32>,
    callers: Vec<u32>,
    endpoints: Vec<u32>,
    notes: Vec<u32>,
    statuses: Vec<u32>,
    durations: Vec<u32>,
    request_bytes: Vec<Option<u64>>,
    response_bytes: Vec<Option<u64>>,
    paths: Paths<'r>,
    params: ReadParams,
}

impl<'r> Rows<'r> {
    pub(super) fn read(columns: &'r EventColumns<'r>, sessions: &'r [SessionId]) -> Result<Self, Damaged> {
        if sessions.len() != columns.sessions() {
            return Err(Damaged);
        }
        let times = columns.times()?;
        let endpoints = columns.endpoint_numbers()?;
        Ok(Self {
            columns,
            sessions,
            positions: columns.positions()?,
            ids: ids::read(columns.columns.ids, &times, sessions.iter().zip(columns.ranges()))?,
            times,
            clients: columns.client_numbers()?,
            callers: columns.caller_numbers()?,
            notes: columns.note_numbers()?,
            statuses: columns.status_numbers()?,
            durations: columns.durations()?,
            request_bytes: columns.request_bytes()?,
            response_bytes: columns.response_bytes()?,
            paths: Paths::read(columns.columns.paths, columns.endpoints(), &endpoints)?,
            endpoints,
            params: columns.params()?,
        })
    }

    /// The event at `index`, in the order they were encoded in; `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<Event<'_>> {
        self.view(index, self.columns.session_of(index)?)
    }

    /// The journal position of the event at `index`.
    pub fn position(&self, index: usize) -> Option<u64> {
        self.positions.get(index).copied()
    }

    /// All events with their journal positions, in the order they were encoded in.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Event<'_>)> {
        let in_session = move |(session, range): (usize, Range<usize>)| {
            range.filter_map(move |index| Some((self.position(index)?, self.view(index, session)?)))
        };
        self.columns.ranges().enumerate().flat_map(in_session)
    }

    fn view(&self, index: usize, session: usize) -> Option<Event<'_>> {
        let tables = &self.columns.tables;
        let client = tables.clients.get(number(&self.clients, index)?)?;
        let caller = tables.callers.get(number(&self.callers, index)?)?;
        let endpoint = tables.endpoints.get(number(&self.endpoints, index)?)?;
        let note = tables.notes.get(number(&self.notes, index)?)?;
        Some(Event {
            id: *self.ids.get(index)?,
            session: *self.sessions.get(session)?,
            key_source: caller.key_source,
            verified: caller.verified,
            time_ms: *self.times.get(index)?,
            duration_ms: *self.durations.get(index)?,
            method: endpoint.method,
            host: endpoint.host,
            path: self.paths.get(index, endpoint.template)?,
            template: endpoint.template,
            status: *tables.statuses.get(number(&self.statuses, index)?)?,
            request_bytes: *self.request_bytes.get(index)?,
            response_bytes: *self.response_bytes.get(index)?,
            ip: client.ip,
            country: client.country,
            asn: client.asn,
            colo: client.colo,
            user_agent: client.user_agent,
            ja4: client.ja4,
            user: caller.user,
            roles: caller.roles,
            principal: caller.principal,
            token: 0,
            feedback: note.feedback,
            params: self.params.of(index),
            action: note.action,
            inventory: note.inventory,
            marks: note.marks,
        })
    }
}

fn number(column: &[u32], index: usize) -> Option<usize> {
    column.get(index).map(|number| *number as usize)
}
