//! Watches, flows and surges over the events a batch brings.

use super::conclude::Completed;
use super::sql::Sql;
use super::{Settings, Store, StoreError};
use crate::detect;
use crate::detect::business::{Known, Seen, Shared, Told};
use crate::session::{Batch, Detector, Dictionary, Event, Proof, Session, SessionId};
use crate::store::hot::Tracked;
use crate::subject::SubjectHash;
use crate::verdict::Block;

/// Shows an event, which its session has taken in but for its values, to all rules of the business.
pub fn business_of(
    tracked: &mut Tracked,
    dictionary: &Dictionary,
    event: &Event<'_>,
    shared: &mut Shared,
    settings: &Settings,
    installed_ms: u64,
) -> Vec<Told> {
    let rules = &settings.business;
    shared.tick(event.time_ms);
    if rules.passes_over(event) {
        return Vec::new();
    }
    let Tracked { session, memory, .. } = tracked;
    let seen = Seen::new(event, user_of(session, dictionary, event), rules, &settings.subjects);
    let book = session.params.as_deref();
    let stats = |name: &str| book?.iter().find(|(of, _)| dictionary.text(*of) == name).map(|(_, stats)| stats);
    // Since the installation nothing a session did was missed; one whose key we saw issued did nothing before.
    let since_ms = (session.proof != Proof::Issued).then_some(installed_ms);
    let mut own = memory.business.take().unwrap_or_default();
    let mut told = own.observe(shared, rules, &seen, Known { stats: &stats, since_ms });
    told.extend(shared.observe(rules, &seen));
    told.retain(|(found, _)| found.detector != Detector::RegionSurge || own.joins_surge(event.time_ms));
    if own.is_waiting() {
        shared.wait(event.session, event.time_ms + rules.grace_ms());
    }
    memory.business = Some(own).filter(|own| **own != detect::business::Memory::default());
    told
}

pub fn user_of<'a>(session: &Session, dictionary: &'a Dictionary, event: &Event<'_>) -> &'a str {
    session.user_at(event.time_ms).map_or("", |user| dictionary.text(user))
}

/// The session's user at that time as a hash; 0 where it is not known.
pub fn user_hash(session: &Session, dictionary: &Dictionary, time_ms: u64, hash: &SubjectHash) -> u64 {
    let user = session.user_at(time_ms).map(|user| dictionary.text(user));
    user.filter(|user| !user.is_empty()).map_or(0, |user| hash.of_texts(&[user]))
}

impl<S: Sql> Store<S> {
    /// Notes that openings of objects wait in a session that is in its folded state already.
    pub(super) fn await_objects(&mut self, id: SessionId, time_ms: u64) {
        let due_ms = self.hot.get(id).and_then(|tracked| tracked.memory.objects_due_ms(time_ms));
        due_ms.into_iter().for_each(|due_ms| self.business.wait(id, due_ms));
    }

    /// Repeats for what is known across sessions an event that is replayed and in its session's folded state already.
    pub(super) fn repeat_business(&mut self, event: &Event<'_>) {
        let rules = &self.settings.business;
        self.business.tick(event.time_ms);
        if rules.passes_over(event) {
            return;
        }
        let tracked = self.hot.get(event.session);
        let user = tracked.as_deref().map_or("", |tracked| user_of(&tracked.session, &self.hot.dictionary, event));
        self.business.observe(rules, &Seen::new(event, user, rules, &self.settings.subjects));
        if tracked.is_some_and(|tracked| is_waiting(&tracked)) {
            self.business.wait(event.session, event.time_ms + rules.grace_ms());
        }
    }

    /// Brings back the sessions whose steps are to be judged by the end of a batch.
    pub(super) fn load_waiting(&mut self, batch: &Batch) {
        let until = batch.events().map(|event| event.time_ms).max().unwrap_or(0);
        let waiting: Vec<SessionId> = self.business.due_at(until).collect();
        if !waiting.is_empty() && self.load(waiting.into_iter()).is_err() {
            // Durable it is already; only those steps are not judged.
            self.counts.corrupt_rows += 1;
        }
    }

    /// Judges the steps that waited while nothing came, before the journal up to `end` is folded with them.
    pub(super) fn settle_before_fold(&mut self, end: u64, now_ms: u64) -> Result<(), StoreError> {
        self.business.tick(now_ms);
        let waiting: Vec<SessionId> = self.business.due_at(now_ms).collect();
        self.load(waiting.into_iter())?;
        let mut imposed = Vec::new();
        // What is told of it goes with what the next flush brings.
        self.settle_steps(end, end + 1, &mut imposed);
        imposed.into_iter().try_for_each(|block| self.impose(block))
    }

    /// Judges the steps that have waited long enough, by the clock of the events. `seq` is the newest position, `told_at`
    /// the one that the fleet is told of it with.
    pub(super) fn settle_steps(&mut self, seq: u64, told_at: u64, imposed: &mut Vec<Block>) {
        for id in self.business.due() {
            let is_folded = self.marks.is_folded(id, seq);
            let clock_ms = self.business.clock_ms();
            let Some(tracked) = self.hot.get_mut(id) else { continue };
            if !is_folded && let Some(own) = &mut tracked.memory.business {
                let told = own.settle(&self.settings.business, id, clock_ms);
                tracked.dirty = true;
                for (finding, configured) in told {
                    let completed = Completed { event: None, endpoint: "", told_at, is_first: false };
                    imposed.extend(self.conclude(finding, Some(configured), completed));
                }
            }
            if !is_folded {
                self.settle_objects(id, clock_ms, told_at, imposed);
            }
            if self.hot.get_mut(id).is_some_and(|tracked| is_waiting(tracked)) {
                self.business.wait(id, clock_ms + self.settings.business.grace_ms());
            }
        }
    }
}

impl<S: Sql> Store<S> {
    /// Judges the openings of objects that have waited long enough.
    fn settle_objects(&mut self, id: SessionId, clock_ms: u64, told_at: u64, imposed: &mut Vec<Block>) {
        let (dictionary, hash) = (&self.hot.dictionary, &self.settings.subjects);
        let waiting = self.hot.get(id).filter(|tracked| tracked.memory.objects_due_ms(clock_ms).is_some());
        let Some(user) = waiting.map(|tracked| user_hash(&tracked.session, dictionary, clock_ms, hash)) else { return };
        let Some(tracked) = self.hot.get_mut(id) else { return };
        tracked.dirty = true;
        let Tracked { session, memory, .. } = tracked;
        let found =
            detect::settle_objects(memory, &mut self.common, &self.settings.detectors, clock_ms, (session, user));
        let mut endpoint = String::new();
        for (batch, findings) in &found {
            let Some(event) = batch.event(0) else { continue };
            event.write_endpoint_key(&mut endpoint);
            for finding in findings {
                let completed = Completed { event: Some(&event), endpoint: &endpoint, told_at, is_first: false };
                imposed.extend(self.conclude(finding.clone(), None, completed));
            }
        }
    }
}

fn is_waiting(tracked: &Tracked) -> bool {
    tracked.memory.objects_due_ms(0).is_some() || tracked.memory.business.as_ref().is_some_and(|own| own.is_waiting())
}
