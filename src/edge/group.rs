//! Flushes that arrive close together share a journal row: rows are what a deployment pays for.
//!
//! A flush that comes alone is written at once. One that comes within [`GROUP_MS`] of the last row waits until that time is
//! over, and with it all that came meanwhile; one that a client's answer waits for takes everybody along at once. Nothing
//! is acknowledged before it is written, so what waits when the object goes is sent again.

use core::cell::{Cell, RefCell};

use crate::ordered::OrderedMap;
use crate::wire::Flush;

/// Flushes within this long share a row, ms.
const GROUP_MS: u64 = 100;
/// An answer that nobody fetches for this long is dropped, ms: whoever waited for it is gone.
const UNFETCHED_MS: u64 = 5_000;

/// Flushes that wait to be written, and the answers to those that were.
pub struct Group<T> {
    waiting: RefCell<Vec<(u64, Flush)>>,
    answers: RefCell<OrderedMap<u64, (u64, T)>>,
    next_ticket: Cell<u64>,
    written_ms: Cell<u64>,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self {
            waiting: RefCell::new(Vec::new()),
            answers: RefCell::new(OrderedMap::new()),
            next_ticket: Cell::new(0),
            written_ms: Cell::new(0),
        }
    }
}

impl<T> Group<T> {
    /// Lets a flush join; answers its ticket, and how long it may wait for others, ms.
    pub fn join(&self, flush: Flush, now_ms: u64) -> (u64, u64) {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        let since = now_ms.saturating_sub(self.written_ms.get());
        let wait_ms = if flush.urgent { 0 } else { GROUP_MS.saturating_sub(since) };
        self.waiting.borrow_mut().push((ticket, flush));
        (ticket, wait_ms)
    }

    /// Writes all that wait, if this ticket's flush is among them; `write` answers each.
    pub fn write(&self, ticket: u64, now_ms: u64, write: impl FnOnce(&[Flush]) -> Vec<T>) {
        if !self.waiting.borrow().iter().any(|(waiting, _)| *waiting == ticket) {
            return;
        }
        let (tickets, flushes): (Vec<u64>, Vec<Flush>) = self.waiting.take().into_iter().unzip();
        self.written_ms.set(now_ms);
        let mut answers = self.answers.borrow_mut();
        answers.retain(|_, (at_ms, _)| *at_ms + UNFETCHED_MS > now_ms);
        answers.extend(tickets.into_iter().zip(write(&flushes).into_iter().map(|answer| (now_ms, answer))));
    }

    /// The answer to a ticket, once.
    pub fn fetch(&self, ticket: u64) -> Option<T> {
        self.answers.borrow_mut().remove(&ticket).map(|(_, answer)| answer)
    }
}
