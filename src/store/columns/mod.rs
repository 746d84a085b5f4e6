//! Events of a folded chunk, column by column: small to store, and a filter reads only the columns it asks about.
//!
//! Events lie sorted by session, then id. The ids of the sessions are not in here: a chunk has them anyway and hands
//! them in. What events share stands once in a table (`tables.rs`) and is referred to by number; numbers are differences,
//! runs or packed bits (`series.rs`); ids and paths keep only what does not follow from the rest (`ids.rs`, `paths.rs`).
//!
//! A version byte, then sections, each with its length before it, in the order of [`EventColumns::decode`]. Golden tests
//! pin the bytes. All integers are varints unless a column says otherwise (`bytes.rs`).

pub(crate) mod bytes;
mod ids;
mod params;
mod paths;
mod rows;
mod series;
mod tables;

pub use bytes::Damaged;
pub use params::ReadParams;
pub use rows::Rows;
pub use tables::{Caller, Client, Endpoint, Note};

use core::ops::Range;

use crate::session::{Event, SessionId};
use bytes::{Reader, Writer};
use series::{
    Difference, read_differences, read_optional, read_packed, read_runs, write_differences, write_optional, write_runs,
};
use tables::{ReadTables, Tables};

/// First byte of encoded events.
pub const VERSION: u8 = 2;

/// The events are not in the order of the sessions, or belong to one that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("events are not sorted by the sessions they are encoded with")]
pub struct Unsorted;

/// Encodes events with their journal positions.
///
/// `sessions` are distinct and in the order of the events; a session may have no event. Events of a session keep their
/// order, whatever it is; sorted by id they are smallest.
pub fn encode(sessions: &[SessionId], events: &[(u64, Event<'_>)]) -> Result<Vec<u8>, Unsorted> {
    let ranges = ranges(sessions, events)?;
    let mut tables = Tables::new();
    let clients: Vec<u32> = events.iter().map(|(_, event)| tables.client(event)).collect();
    let callers: Vec<u32> = events.iter().map(|(_, event)| tables.caller(event)).collect();
    let endpoints: Vec<u32> = events.iter().map(|(_, event)| tables.endpoint(event)).collect();
    let notes: Vec<u32> = events.iter().map(|(_, event)| tables.note(event)).collect();
    let statuses: Vec<u32> = events.iter().map(|(_, event)| tables.statuses.number(event.status)).collect();
    let times: Vec<u64> = events.iter().map(|(_, event)| event.time_ms).collect();
    let positions: Vec<u64> = events.iter().map(|(position, _)| *position).collect();
    let request_bytes: Vec<_> = events.iter().map(|(_, event)| event.request_bytes).collect();
    let response_bytes: Vec<_> = events.iter().map(|(_, event)| event.response_bytes).collect();

    let mut out = Writer::default();
    out.byte(VERSION);
    out.section(|out| {
        out.varint(ranges.len() as u64);
        ranges.iter().for_each(|range| out.varint(range.len() as u64));
    });
    tables.write(&mut out);
    out.section(|out| write_differences(out, Difference::Rising, &times, ranges.iter().cloned()));
    out.section(|out| write_differences(out, Difference::Signed, &positions, ranges.iter().cloned()));
    out.section(|out| ids::write(out, events, &ranges));
    out.section(|out| write_runs(out, &clients));
    out.section(|out| write_runs(out, &callers));
    out.section(|out| out.packed(&endpoints));
    out.section(|out| paths::write(out, events));
    out.section(|out| out.packed(&statuses));
    out.section(|out| write_runs(out, &notes));
    out.section(|out| events.iter().for_each(|(_, event)| out.varint(event.duration_ms.into())));
    out.section(|out| write_optional(out, &request_bytes));
    out.section(|out| write_optional(out, &response_bytes));
    out.section(|out| params::write(out, events));
    Ok(out.finish())
}

/// The events of each session.
fn ranges(sessions: &[SessionId], events: &[(u64, Event<'_>)]) -> Result<Vec<Range<usize>>, Unsorted> {
    let mut rest = events.iter().map(|(_, event)| event.session).peekable();
    let mut end = 0;
    let of = |session: &SessionId| {
        let start = end;
        while rest.next_if_eq(session).is_some() {
            end += 1;
        }
        start..end
    };
    let ranges = sessions.iter().map(of).collect();
    if end == events.len() { Ok(ranges) } else { Err(Unsorted) }
}

/// The encoded columns, each still as it is stored.
#[derive(Debug, Clone, Copy)]
struct Columns<'a> {
    times: &'a [u8],
    positions: &'a [u8],
    ids: &'a [u8],
    clients: &'a [u8],
    callers: &'a [u8],
    endpoints: &'a [u8],
    paths: &'a [u8],
    statuses: &'a [u8],
    notes: &'a [u8],
    durations: &'a [u8],
    request_bytes: &'a [u8],
    response_bytes: &'a [u8],
    params: &'a [u8],
}

/// Events of a chunk, borrowed from the bytes that [`encode`] made.
///
/// Tables are read with [`EventColumns::decode`]; a column is decoded and checked when it is asked for, anew each time,
/// so callers keep what they get. Columns have one entry for each event. Those called numbers hold indices into the
/// table of that name and none beyond it.
#[derive(Debug)]
pub struct EventColumns<'a> {
    /// Where the events of each session end.
    ends: Vec<usize>,
    tables: ReadTables<'a>,
    columns: Columns<'a>,
}

impl<'a> EventColumns<'a> {
    /// Reads the tables and finds the columns.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes);
        if from.byte()? != VERSION {
            return Err(Damaged);
        }
        let ends = read_ends(from.section()?)?;
        let tables = ReadTables::read(&mut from)?;
        let columns = Columns {
            times: from.bytes()?,
            positions: from.bytes()?,
            ids: from.bytes()?,
            clients: from.bytes()?,
            callers: from.bytes()?,
            endpoints: from.bytes()?,
            paths: from.bytes()?,
            statuses: from.bytes()?,
            notes: from.bytes()?,
            durations: from.bytes()?,
            request_bytes: from.bytes()?,
            response_bytes: from.bytes()?,
            params: from.bytes()?,
        };
        from.end()?;
        // Every event has at least a byte of time. Runs and packed numbers may take none, so that the memory they are
        // decoded into is vouched for here.
        if ends.last().is_some_and(|events| *events > columns.times.len()) {
            return Err(Damaged);
        }
        Ok(Self { ends, tables, columns })
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many sessions the events are of, those without any included.
    pub fn sessions(&self) -> usize {
        self.ends.len()
    }

    /// The events of the session with this index; none for a session that is not there.
    pub fn range_of(&self, session: usize) -> Range<usize> {
        let end_of = |session: usize| self.ends.get(session).copied().unwrap_or(self.len());
        session.checked_sub(1).map_or(0, end_of)..end_of(session)
    }

    /// The index of the session of the event at `index`.
    pub fn session_of(&self, index: usize) -> Option<usize> {
        (index < self.len()).then(|| self.ends.partition_point(|end| *end <= index))
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }

    /// Every distinct client.
    pub fn clients(&self) -> &[Client<'a>] {
        &self.tables.clients
    }

    /// Every distinct caller.
    pub fn callers(&self) -> &[Caller<'a>] {
        &self.tables.callers
    }

    /// Every distinct endpoint.
    pub fn endpoints(&self) -> &[Endpoint<'a>] {
        &self.tables.endpoints
    }

    /// Every distinct note.
    pub fn notes(&self) -> &[Note<'a>] {
        &self.tables.notes
    }

    /// Every distinct status.
    pub fn statuses(&self) -> &[u16] {
        &self.tables.statuses
    }

    /// Times, epoch ms.
    pub fn times(&self) -> Result<Vec<u64>, Damaged> {
        read_differences(self.columns.times, Difference::Rising, self.ranges())
    }

    /// Positions in the journal.
    pub fn positions(&self) -> Result<Vec<u64>, Damaged> {
        read_differences(self.columns.positions, Difference::Signed, self.ranges())
    }

    /// Indices into [`EventColumns::clients`].
    pub fn client_numbers(&self) -> Result<Vec<u32>, Damaged> {
        read_runs(self.columns.clients, self.len(), self.tables.clients.len())
    }

    /// Indices into [`EventColumns::callers`].
    pub fn caller_numbers(&self) -> Result<Vec<u32>, Damaged> {
        read_runs(self.columns.callers, self.len(), self.tables.callers.len())
    }

    /// Indices into [`EventColumns::endpoints`].
    pub fn endpoint_numbers(&self) -> Result<Vec<u32>, Damaged> {
        read_packed(self.columns.endpoints, self.len(), self.tables.endpoints.len())
    }

    /// Indices into [`EventColumns::statuses`].
    pub fn status_numbers(&self) -> Result<Vec<u32>, Damaged> {
        read_packed(self.columns.statuses, self.len(), self.tables.statuses.len())
    }

    /// Indices into [`EventColumns::notes`].
    pub fn note_numbers(&self) -> Result<Vec<u32>, Damaged> {
        read_runs(self.columns.notes, self.len(), self.tables.notes.len())
    }

    /// Durations, ms.
    pub fn durations(&self) -> Result<Vec<u32>, Damaged> {
        let mut from = Reader::new(self.columns.durations);
        let durations = (0..self.len()).map(|_| from.varint32()).collect::<Result<_, _>>()?;
        from.end()?;
        Ok(durations)
    }

    /// Announced sizes of requests.
    pub fn request_bytes(&self) -> Result<Vec<Option<u64>>, Damaged> {
        read_optional(self.columns.request_bytes, self.len())
    }

    /// Announced sizes of responses.
    pub fn response_bytes(&self) -> Result<Vec<Option<u64>>, Damaged> {
        read_optional(self.columns.response_bytes, self.len())
    }

    /// Business values of the events that have some.
    pub fn params(&self) -> Result<ReadParams, Damaged> {
        ReadParams::read(self.columns.params, self.len())
    }

    /// What the tables and each column take, bytes: where the size of a chunk comes from.
    pub fn sizes(&self) -> [(&'static str, usize); 14] {
        let columns = &self.columns;
        [
            ("tables", self.tables.bytes),
            ("times", columns.times.len()),
            ("positions", columns.positions.len()),
            ("ids", columns.ids.len()),
            ("clients", columns.clients.len()),
            ("callers", columns.callers.len()),
            ("endpoints", columns.endpoints.len()),
            ("paths", columns.paths.len()),
            ("statuses", columns.statuses.len()),
            ("notes", columns.notes.len()),
            ("durations", columns.durations.len()),
            ("request_bytes", columns.request_bytes.len()),
            ("response_bytes", columns.response_bytes.len()),
            ("params", columns.params.len()),
        ]
    }

    /// Whole events, from all columns; `sessions` are those the events were encoded with.
    pub fn rows<'r>(&'r self, sessions: &'r [SessionId]) -> Result<Rows<'r>, Damaged> {
        Rows::read(self, sessions)
    }
}

/// How many events each session has, as where they end.
fn read_ends(mut from: Reader<'_>) -> Result<Vec<usize>, Damaged> {
    let count = from.count()?;
    let mut end = 0usize;
    let mut read = || {
        let events = usize::try_from(from.varint()?).map_err(|_| Damaged)?;
        end = end.checked_add(events).ok_or(Damaged)?;
        Ok(end)
    };
    let ends = (0..count).map(|_| read()).collect::<Result<_, _>>()?;
    from.end()?;
    Ok(ends)
}
