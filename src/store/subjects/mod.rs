//! Subjects of a shard: users, addresses, tokens and devices, beside its sessions.
//!
//! Nothing is kept in memory for them. What the journal says of subjects is summed up when it is folded, a sixteenth of
//! its batches with each slice of a fold, into rows of [`Subject`] states that only know their own stretch of the
//! journal. Asking for one merges the rows that hold it with what the journal says since. Rows that lie next to each
//! other are merged while they are small, so that there are tens of them rather than thousands.

mod erase;
mod merge;
mod row;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::hot::Tracked;
use super::read::with_user;
use super::sql::Sql;
use super::{Store, StoreError};
use crate::session::{Batch, Event, SessionId};
use crate::subject::{Family, Identity, Kind, Subject, SubjectKey, subjects_with};
pub(super) use row::Row;

/// States with their keys, in order.
type States = BTreeMap<SubjectKey, Subject>;

/// Sessions met already, unpacked: what they know of their users.
type Met<'a> = HashMap<SessionId, Option<Cow<'a, Tracked>>>;

/// A row is full at this size, bytes.
const ROW_BYTES: usize = 1024 * 1024;

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
        for hot in self.hot.batches.iter().filter(|hot| hot.seq > self.marks.subjects) {
            self.each_event(&hot.batch, &mut met, |event, agent, is_here| {
                if !identities.iter().any(|identity| may_be_about(&event, identity)) {
                    return;
                }
                for (_, seen) in subjects_with(&event, agent, hash).filter(|(key, _)| is_here(key)) {
                    if identities.contains(&seen.of) {
                        found.get_or_insert_with(|| Subject::new(&seen)).observe(&seen, hash);
                    }
                }
            });
        }
        Ok((found, partial))
    }

    /// Writes what the journal says of subjects after the last slice up to this position.
    pub(super) fn write_subjects(&self, upto: u64, first_row: u64) -> Result<Vec<Row>, StoreError> {
        let hash = &self.settings.subjects;
        let (mut rows, mut states, mut bytes, mut met) = (Vec::new(), States::new(), 0, Met::new());
        let from = self.marks.subjects;
        for hot in self.hot.batches.iter().filter(|hot| hot.seq > from && hot.seq <= upto) {
            self.each_event(&hot.batch, &mut met, |event, agent, is_here| {
                for (key, seen) in subjects_with(&event, agent, hash).filter(|(key, _)| is_here(key)) {
                    let state = states.entry(key).or_insert_with(|| {
                        bytes += row::STATE_BYTES;
                        Subject::new(&seen)
                    });
                    state.observe(&seen, hash);
                }
            });
            if bytes >= ROW_BYTES {
                rows.push(Row::insert(&self.sql, first_row + rows.len() as u64, &core::mem::take(&mut states))?);
                bytes = 0;
            }
        }
        if !states.is_empty() {
            rows.push(Row::insert(&self.sql, first_row + rows.len() as u64, &states)?);
        }
        Ok(rows)
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
            let user_at = |time_ms| {
                let tracked = met.entry(event.session).or_insert_with(|| self.hot.get(event.session));
                let user = tracked.as_deref()?.session.user_at(time_ms)?;
                Some(self.hot.dictionary.text(user))
            };
            let agent = agents.of(event.user_agent);
            take(with_user(event, user_at), agent, &|key| key.shard(layout) == here);
        }
        for (kinds, event) in batch.glimpses() {
            let agent = agents.of(event.user_agent);
            take(event, agent, &|key| key.kind.is_in(kinds));
        }
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
