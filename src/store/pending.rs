//! What is known of sessions before their first request: that the origin issued their key, and where they come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::session::{Link, SessionId};

/// Sessions waited for; most keys are used at once, and of those that never are the oldest goes first.
const MAX_PENDING: usize = 5_000;
/// Predecessors kept of a session that has not been seen.
const MAX_LINKS: usize = 2;

/// Sessions that were foretold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pending {
    sessions: BTreeMap<SessionId, Foretold>,
    /// The order they were foretold in.
    order: BTreeMap<u64, SessionId>,
    next: u64,
}

/// What was foretold of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Foretold {
    number: u64,
    pub issued: bool,
    pub predecessors: Vec<Link>,
}

impl Pending {
    /// The origin issued the session's key.
    pub fn issue(&mut self, id: SessionId) {
        self.entry(id).issued = true;
    }

    /// The session goes on from another one.
    pub fn arrive(&mut self, id: SessionId, link: &Link) {
        let foretold = self.entry(id);
        let known = foretold.predecessors.iter().any(|l| l.session == link.session && l.request == link.request);
        if !known && foretold.predecessors.len() < MAX_LINKS {
            foretold.predecessors.push(link.clone());
        }
    }

    fn entry(&mut self, id: SessionId) -> &mut Foretold {
        if !self.sessions.contains_key(&id) {
            while self.sessions.len() >= MAX_PENDING
                && let Some((_, oldest)) = self.order.pop_first()
            {
                self.sessions.remove(&oldest);
            }
            self.next += 1;
            self.order.insert(self.next, id);
        }
        let number = self.next;
        self.sessions.entry(id).or_insert(Foretold { number, ..Foretold::default() })
    }

    /// The session has come: what was foretold of it, once.
    pub fn take(&mut self, id: SessionId) -> Option<Foretold> {
        let foretold = self.sessions.remove(&id)?;
        self.order.remove(&foretold.number);
        Some(foretold)
    }

    /// Whether the origin was seen issuing the session's key.
    pub fn is_issued(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|foretold| foretold.issued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> SessionId {
        SessionId((n as u128).to_be_bytes())
    }

    #[test]
    fn of_too_many_sessions_waited_for_the_oldest_is_forgotten() {
        let mut pending = Pending::default();
        (0..=MAX_PENDING).for_each(|n| pending.issue(id(n)));
        assert_eq!(pending.sessions.len(), MAX_PENDING);
        assert_eq!(pending.order.len(), MAX_PENDING);
        assert!(!pending.is_issued(id(0)) && pending.is_issued(id(1)));
        assert!(pending.take(id(1)).is_some_and(|f| f.issued));
        assert!(pending.take(id(1)).is_none());
        assert_eq!(pending.order.len(), MAX_PENDING - 1);
    }
}
