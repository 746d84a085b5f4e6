//! Subjects of a shard: users, addresses, tokens and devices, beside its sessions.
//!
//! Nothing is kept in memory for them but who is seen in the journal, during a fold (`sightings.rs`). What it says of the
//! subjects of a part is summed up by the slice of the fold that is about this part, into rows of [`Subject`] states that only know their own stretch of the journal. Asking for
//! one merges the rows that hold it with what the journal says since.
//!
//! A row is about one part, or, where there is little to say, about all parts of its slice. Rows about the same are
//! merged while they are small: whoever comes back is in one of them rather than in each.

mod erase;
mod merge;
mod row;
mod sightings;

use std::borrow::Cow;
use std::collections::HashMap;

use super::hot::Tracked;
use super::partition::partition_of;
use super::sql::Sql;
use super::{Store, StoreError};
use crate::session::{Batch, Event, Marks, SessionId, Symbol};
use crate::subject::{Family, Identity, Kind, Subject, SubjectKey, subjects_with};
pub(super) use row::Row;
pub(super) use sightings::Sightings;

/// Sessions met already, unpacked: what they know of their users.
type Met<'a> = HashMap<SessionId, Option<Cow<'a, Tracked>>>;

/// What is asked for: a subject under each of its names, users for example under those of two secrets.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub kind: Kind,
    pub names: &'a [String],
}

impl<S: Sql> Store<S> {
    /// What this shard knows of a subject; and whether something that may hold more could not be read.
    pub fn subject(&self, wanted: Wanted<'_>) -> Result<(Option<Subject>, bool), StoreError> {
        let identities: Vec<Identity<'_>> =
            wanted.names.iter().filter_map(|name| Identity::parse(wanted.kind, name)).collect();
        let hashes = core::iter::once(&self.settings.subjects).chain(&self.settings.former_subjects);
        let keys: Vec<SubjectKey> =
            hashes.flat_map(|hash| identities.iter().map(|identity| identity.key(hash))).collect();
        let (hash, mut partial) = (&self.settings.subjects, false);
        let mut found: Option<Subject> = None;
        for row in &self.subjects {
            let keys: Vec<SubjectKey> = keys.iter().filter(|key| row.is_about(partition_of(key))).copied().collect();
            let states = match row.find(&self.sql, &keys) {
                Ok(states) => states,
                Err(error) if error.is_damage() => {
                    partial = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for state in states {
                match &mut found {
                    Some(found) => found.merge(&state, hash),
                    None => found = Some(state),
                }
            }
        }
        let mut met = Met::new();
        for hot in &self.hot.batches {
            self.each_event(&hot.batch, &mut met, |event, agent, is_here| {
                if !identities.iter().any(|identity| may_be_about(&event, identity)) {
                    return;
                }
                for (key, seen) in subjects_with(&event, agent, hash).filter(|(key, _)| is_here(key)) {
                    let is_folded = self.marks.is_part_folded(partition_of(&key), hot.seq);
                    if !is_folded && identities.contains(&seen.of) {
                        found.get_or_insert_with(|| Subject::new(&seen)).observe(&seen, hash);
                    }
                }
            });
        }
        Ok((found, partial))
    }

    /// Every event of a batch with its user, the family of its agent, and which of its subjects belong here.
    fn each_event<'a, 'b>(
        &'a self,
        batch: &'b Batch,
        met: &mut Met<'a>,
        mut take: impl FnMut(Event<'_>, Family<'b>, &dyn Fn(&SubjectKey) -> bool),
    ) {
        let layout = batch.layout();
        let mut agents = Agents::default();
        for event in batch.events() {
            let here = event.session.shard(layout);
            let user = self.user_met(&event, met).map_or(event.user, |user| self.hot.dictionary.text(user));
            let agent = agents.of(event.user_agent);
            take(Event { user, ..event }, agent, &|key| key.shard(layout) == here);
        }
        for (kinds, event) in batch.glimpses() {
            let agent = agents.of(event.user_agent);
            take(event, agent, &|key| key.kind.is_in(kinds));
        }
    }

    /// The user the event's session had at the time, where the event does not name one and none was erased from it.
    fn user_met<'a>(&'a self, event: &Event<'_>, met: &mut Met<'a>) -> Option<Symbol> {
        if !event.user.is_empty() || event.marks.has(Marks::USER_ERASED) {
            return None;
        }
        let tracked = met.entry(event.session).or_insert_with(|| self.hot.get(event.session));
        tracked.as_deref()?.session.user_at(event.time_ms)
    }
}

/// Families of the agents of a batch, which has each text once: few agents make most of its requests.
#[derive(Default)]
struct Agents<'b>(Vec<(&'b str, Family<'b>)>);

impl<'b> Agents<'b> {
    fn of(&mut self, agent: &'b str) -> Family<'b> {
        const MOST: usize = 32;
        match self.0.iter().find(|(known, _)| core::ptr::eq(*known, agent)) {
            Some((_, family)) => *family,
            None => {
                let family = Family::of(agent);
                if self.0.len() < MOST {
                    self.0.push((agent, family));
                }
                family
            }
        }
    }
}

/// Whether a cheap look at an event leaves it open that it is about a subject.
fn may_be_about(event: &Event<'_>, identity: &Identity<'_>) -> bool {
    match *identity {
        Identity::User(user) => event.user == user,
        Identity::Ip(address) => event.ip.is_some_and(|ip| Identity::ip(ip) == Identity::Ip(address)),
        Identity::Token(token) => event.token == token,
        Identity::Device(device) => event.ja4 == device.ja4,
    }
}
