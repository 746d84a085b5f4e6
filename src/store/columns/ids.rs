//! The column of event ids: only what follows neither from an event's time nor from its session.
//!
//! That is the unique part: 16 bits name the isolate, of which a chunk knows few; above them is the isolate's counter
//! (24 bits), which rises with time. The few events that were moved to another session after they had their id are
//! listed with the rest of it.

use core::ops::Range;

use super::series::take_packed;
use super::tables::{Interner, read_u16};
use crate::session::{Event, EventId, SessionId};
use crate::store::bytes::{Damaged, Reader, Writer, unzigzag, zigzag};

const ISOLATE_BITS: u32 = 16;
const COUNTER_MASK: u32 = (1 << 24) - 1;

/// Which isolate made the id, and where its counter stood.
fn unique(id: EventId) -> (u16, u32) {
    (id.0 as u16, (id.0 >> ISOLATE_BITS) as u32 & COUNTER_MASK)
}

/// The id as it is for an event that stayed where it was.
fn located(time_ms: u64, prefix: u64, isolate: u16, counter: u32) -> EventId {
    EventId::located(time_ms, prefix, (u64::from(counter) << ISOLATE_BITS) | u64::from(isolate))
}

/// From where each isolate counts: from its last event in the same session, else from its lowest count in the chunk.
struct Counters {
    lowest: Vec<u32>,
    /// Session and count of each isolate's last event.
    last: Vec<(usize, u32)>,
}

impl Counters {
    fn new(lowest: Vec<u32>) -> Self {
        // No session has this number: sessions are counted from 0, and there is less memory.
        let last = vec![(usize::MAX, 0); lowest.len()];
        Self { lowest, last }
    }

    /// The count before the next event of `isolate`, to be replaced by that event's.
    fn last(&mut self, session: usize, isolate: u32) -> Option<&mut u32> {
        let isolate = isolate as usize;
        let (seen, count) = self.last.get_mut(isolate)?;
        if *seen != session {
            (*seen, *count) = (session, *self.lowest.get(isolate)?);
        }
        Some(count)
    }
}

/// Writes the column; `sessions` are the events of each session.
pub(super) fn write(out: &mut Writer, events: &[(u64, Event<'_>)], sessions: &[Range<usize>]) {
    let mut isolates = Interner::new();
    let mut lowest = Vec::new();
    let mut numbers = Vec::with_capacity(events.len());
    for (_, event) in events {
        let (isolate, counter) = unique(event.id);
        let number = isolates.number(isolate);
        match lowest.get_mut(number as usize) {
            Some(lowest) => *lowest = counter.min(*lowest),
            None => lowest.push(counter),
        }
        numbers.push(number);
    }
    out.varint(isolates.entries().len() as u64);
    for (isolate, lowest) in isolates.entries().iter().zip(&lowest) {
        out.varint((*isolate).into());
        out.varint((*lowest).into());
    }
    out.packed(&numbers);

    let mut counters = Counters::new(lowest);
    let mut moved = Writer::default();
    let mut next = 0;
    for (session, range) in sessions.iter().enumerate() {
        for index in range.clone() {
            let (Some((_, event)), Some(number)) = (events.get(index), numbers.get(index)) else { continue };
            let (isolate, counter) = unique(event.id);
            if let Some(last) = counters.last(session, *number) {
                out.varint((counter.wrapping_sub(*last) & COUNTER_MASK).into());
                *last = counter;
            }
            if event.id != located(event.time_ms, event.session.prefix(), isolate, counter) {
                moved.varint((index - next) as u64);
                moved.varint(zigzag(event.id.time_ms().wrapping_sub(event.time_ms)));
                moved.varint(event.id.session_prefix());
                next = index + 1;
            }
        }
    }
    // To the end of the column.
    out.raw(&moved.finish());
}

/// Reads the column of events at `times`; `sessions` are the ids and events of each session.
pub(super) fn read<'s>(
    bytes: &[u8],
    times: &[u64],
    sessions: impl Iterator<Item = (&'s SessionId, Range<usize>)>,
) -> Result<Vec<EventId>, Damaged> {
    let mut from = Reader::new(bytes);
    let count = from.count()?;
    let (mut isolates, mut lowest) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        isolates.push(read_u16(&mut from)?);
        lowest.push(from.varint32()?);
    }
    let numbers = take_packed(&mut from, times.len(), count)?;
    let mut counters = Counters::new(lowest);
    let mut ids = Vec::with_capacity(times.len());
    let mut events = times.iter().zip(&numbers);
    for (number, (id, range)) in sessions.enumerate() {
        let prefix = id.prefix();
        for (time_ms, isolate) in events.by_ref().take(range.len()) {
            let last = counters.last(number, *isolate).ok_or(Damaged)?;
            *last = last.wrapping_add(from.varint32()?) & COUNTER_MASK;
            let isolate = *isolates.get(*isolate as usize).ok_or(Damaged)?;
            ids.push(located(*time_ms, prefix, isolate, *last));
        }
    }
    let mut next = 0usize;
    while from.left() > 0 {
        let gap = usize::try_from(from.varint()?).map_err(|_| Damaged)?;
        let index = next.checked_add(gap).ok_or(Damaged)?;
        let (id, time_ms) = ids.get_mut(index).zip(times.get(index)).ok_or(Damaged)?;
        let (isolate, counter) = unique(*id);
        let located_ms = time_ms.wrapping_add(unzigzag(from.varint()?));
        *id = located(located_ms, from.varint()?, isolate, counter);
        next = index + 1;
    }
    Ok(ids)
}
