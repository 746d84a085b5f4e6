//! A finding in its context, and what sessions share, as the API shows them.

use serde::Serialize;

use crate::query::{EventAnswer, FindingAnswer};
use crate::subject::{CountAnswer, Kind, SeenAnswer, SetAnswer};

/// Requests shown before a finding, and after it.
pub const MAX_AROUND: u32 = 10;
/// Addresses, and users, of a session whose other sessions are looked for.
pub const MAX_SHARED: usize = 4;

/// `GET findings/{finding}`.
#[derive(Debug, Serialize)]
pub struct FindingContext {
    pub finding: FindingAnswer,
    /// Requests of the session before the one that completed it, and after it, oldest first.
    pub before: Vec<EventAnswer>,
    pub after: Vec<EventAnswer>,
    pub neighbours: Vec<Shared>,
    pub partial: bool,
}

/// Something that sessions share.
#[derive(Debug, Serialize)]
pub struct Shared {
    kind: Kind,
    value: String,
    /// Other sessions of it, the one asked about not counted, and those seen last.
    sessions: SetAnswer,
}

impl Shared {
    /// Other sessions than `own` of a subject.
    pub fn new(kind: Kind, value: String, sessions: SetAnswer, own: &str) -> Self {
        let SetAnswer { count: CountAnswer { count, exact }, items } = sessions;
        let others: Vec<SeenAnswer> = items.into_iter().filter(|seen| seen.value != own).collect();
        let count = CountAnswer { count: count.saturating_sub(1).max(others.len() as u64), exact };
        Self { kind, value, sessions: SetAnswer { count, items: others } }
    }
}
