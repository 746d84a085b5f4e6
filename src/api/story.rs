//! `GET sessions/{id}/story`: the sessions that lead to one another, from the first anonymous request to the logout.
//!
//! Links are followed in both directions, but never across a logout, where another story begins, and never out of a
//! session that is known by an address: it may be many people, each with a story of their own.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::identity::is_address_bound;
use crate::ordered::OrderedMap;
use crate::query::{LinkAnswer, SessionAnswer};
use crate::session::SessionId;
use crate::sorting;

/// Sessions of one story; a longer one is told as far as that and called partial.
const MAX_SESSIONS: usize = 200;
/// Steps away from the session asked for.
const MAX_WAVES: usize = 64;

/// Sessions that follow from one another, oldest first.
#[derive(Debug, Serialize)]
pub struct StoryAnswer {
    pub items: Vec<SessionAnswer>,
    pub links: Vec<StoryLink>,
    /// Whether the story goes on beyond what was followed.
    pub partial: bool,
}

/// One step of a story.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StoryLink {
    pub time: String,
    pub from: String,
    pub to: String,
    pub reason: String,
    pub request: String,
}

/// A story as far as it is known.
#[derive(Debug, Default)]
pub struct Story {
    sessions: OrderedMap<SessionId, SessionAnswer>,
    links: BTreeSet<StoryLink>,
    asked: BTreeSet<SessionId>,
    open: Vec<SessionId>,
    /// Sessions that only a predecessor's word leads to, with those predecessors: they have to say so themselves.
    claimed: OrderedMap<SessionId, BTreeSet<String>>,
    waves: usize,
    partial: bool,
}

impl From<SessionId> for Story {
    fn from(id: SessionId) -> Self {
        Self { open: vec![id], ..Self::default() }
    }
}

impl Story {
    /// The sessions to be read next.
    pub fn next_wave(&mut self) -> Vec<SessionId> {
        let mut wave: Vec<SessionId> = core::mem::take(&mut self.open);
        sorting::sort(&mut wave);
        wave.dedup();
        wave.retain(|id| !self.asked.contains(id));
        let room = MAX_SESSIONS.saturating_sub(self.asked.len());
        if wave.len() > room || (self.waves >= MAX_WAVES && !wave.is_empty()) {
            self.partial = true;
            wave.truncate(if self.waves >= MAX_WAVES { 0 } else { room });
        }
        self.waves += 1;
        self.asked.extend(&wave);
        wave
    }

    /// Takes in a session of the story.
    pub fn take(&mut self, session: SessionAnswer) {
        let Some(id) = SessionId::parse(&session.id) else { return };
        if let Some(claimants) = self.claimed.remove(&id)
            && !session.predecessors.iter().any(|link| claimants.contains(&link.session))
        {
            // It parted from them: it turned out to be somebody else's.
            self.links.retain(|link| link.to != session.id || !claimants.contains(&link.from));
            return;
        }
        self.partial |= session.partial;
        let shared = is_address_bound(&session.key.source);
        // The first one asked for tells of its own links, whatever it is known by.
        let follows = !shared || self.asked.len() == 1;
        for (link, back) in
            session.predecessors.iter().map(|l| (l, true)).chain(session.successors.iter().map(|l| (l, false)))
        {
            if !follows || link.reason == "logout" {
                continue;
            }
            self.links.insert(StoryLink::of(&session.id, link, back));
            let Some(other) = SessionId::parse(&link.session) else { continue };
            if !back && !self.sessions.contains_key(&other) {
                self.claimed.entry(other).or_default().insert(session.id.clone());
            }
            self.open.push(other);
        }
        self.sessions.insert(id, session);
    }

    /// A session could not be read.
    pub fn is_missing(&mut self) {
        self.partial = true;
    }

    /// The story, or nothing where there is no such session.
    pub fn tell(self) -> Option<StoryAnswer> {
        if self.sessions.is_empty() {
            return None;
        }
        let mut items: Vec<SessionAnswer> = self.sessions.into_values().collect();
        sorting::sort_by(&mut items, |a, b| (&a.first_seen, &a.id).cmp(&(&b.first_seen, &b.id)));
        Some(StoryAnswer { items, links: self.links.into_iter().collect(), partial: self.partial })
    }
}

impl StoryLink {
    fn of(id: &str, link: &LinkAnswer, back: bool) -> Self {
        let (from, to) = if back { (&*link.session, id) } else { (id, &*link.session) };
        Self {
            time: link.time.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            reason: link.reason.clone(),
            request: link.request.clone(),
        }
    }
}
