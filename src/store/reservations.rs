//! Requests that were let through and whose outcome is not known yet: each counts for the decision about the next.
//!
//! In memory alone: an ask writes nothing. One is released when its outcome is recorded, whatever it was, or when that
//! does not come in time. An object that loses its memory forgets who is under way; what is recorded counts again.

use std::collections::VecDeque;

use crate::session::{Batch, Event, EventId};

/// Requests under way; of more than that the oldest is forgotten.
const MAX_UNDER_WAY: usize = 4_096;

#[derive(Debug)]
struct Reserved {
    request: EventId,
    /// When it was let through, epoch ms.
    since_ms: u64,
    /// Holds the one event.
    batch: Batch,
    /// The user its session had.
    user: String,
}

/// Requests under way, oldest first.
#[derive(Debug, Default)]
pub struct Reservations(VecDeque<Reserved>);

impl Reservations {
    /// Notes that a request is let through; one that asks again counts once.
    pub fn hold(&mut self, request: EventId, batch: Batch, user: &str, now_ms: u64) {
        self.release(request);
        if self.0.len() >= MAX_UNDER_WAY {
            self.0.pop_front();
        }
        self.0.push_back(Reserved { request, since_ms: now_ms, batch, user: user.to_owned() });
    }

    /// Notes that the outcome of a request is known.
    pub fn release(&mut self, request: EventId) {
        if !self.0.is_empty() {
            self.0.retain(|reserved| reserved.request != request);
        }
    }

    /// Forgets those that did not come back within `patience_ms`.
    pub fn expire(&mut self, now_ms: u64, patience_ms: u64) {
        self.0.retain(|reserved| now_ms.saturating_sub(reserved.since_ms) < patience_ms);
    }

    /// The events under way, each with the user its session had.
    pub fn events(&self) -> impl Iterator<Item = (Event<'_>, &str)> {
        self.0.iter().filter_map(|reserved| Some((reserved.batch.event(0)?, reserved.user.as_str())))
    }
}
