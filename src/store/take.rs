//! What a batch changes in memory: sessions, detectors, links, proofs. Replaying the journal repeats exactly this.

use core::net::IpAddr;

use super::Store;
use super::business::{business_of, user_hash};
use super::conclude::Completed;
use super::hot::Tracked;
use super::sql::Sql;
use crate::detect::{self, Memory, Response};
use crate::inventory::Tally;
use crate::session::{Arrival, Batch, Dictionary, Event, Finding, Proof, Session, SessionId, Stop};
use crate::verdict::{Block, Subject};
use crate::wire::{Flush, KnownSession};

/// What follows from a flush for whoever sent it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Blocks the flush brought about; they hold already.
    pub imposed: Vec<Block>,
    /// Of the sessions asked about, those whose key is proven.
    pub proven: Vec<SessionId>,
    /// What is known of the sessions in the batch, where that was asked for.
    pub known: Vec<KnownSession>,
    /// What the shards of successors have to be told.
    pub arrivals: Vec<Arrival>,
    /// Clients that start too many unproven sessions, and until when that counts, epoch ms.
    pub rotating: Vec<(IpAddr, u64)>,
}

/// A session that came into being with an event, and from where.
struct Newcomer {
    session: SessionId,
    client: IpAddr,
    time_ms: u64,
}

/// What a request was stopped for, where that is news; with what follows for its session.
fn stopped<'a>(
    stops: &'a [&'a Stop],
    memory: &mut Memory,
    event: &Event<'_>,
) -> impl Iterator<Item = (Finding, Option<Response>)> + use<'a> {
    let own = if stops.is_empty() { None } else { Some(memory.business.get_or_insert_default()) };
    let news = own.map_or_else(Vec::new, |own| {
        stops.iter().filter(|stop| own.tells_stop(stop.finding.detector, event.time_ms)).collect()
    });
    news.into_iter().map(|stop| {
        let response = Response::of_session(stop.finding.action, stop.for_ms);
        (stop.finding.clone(), Some(response))
    })
}

impl<S: Sql> Store<S> {
    /// Takes a journaled batch into memory; answers the blocks that follow, which are not imposed yet.
    pub(super) fn take(&mut self, seq: u64, batch: &Batch) -> Vec<Block> {
        let (mut imposed, mut newcomers) = (Vec::new(), Vec::new());
        let mut endpoint = String::new();
        for (index, event) in (0u32..).zip(batch.events()) {
            event.write_endpoint_key(&mut endpoint);
            newcomers.extend(self.take_event((seq, index), &event, batch, &endpoint, &mut imposed));
        }
        for (kinds, event) in batch.glimpses() {
            self.under_way.settle(event.id);
            self.common.crowd.glimpse(&event, kinds, &self.settings.subjects, &self.settings.detectors.behaviours);
        }
        self.take_links(seq, batch);
        self.settle_steps(seq, seq, &mut imposed);
        for Newcomer { session, client, time_ms } in newcomers {
            // By now it is known whether the origin issued the key.
            if !self.is_proven(session) {
                self.newcomers.count(seq, client, time_ms, self.settings.newcomers);
            }
        }
        imposed
    }

    fn take_event(
        &mut self,
        place: (u64, u32),
        event: &Event<'_>,
        batch: &Batch,
        endpoint: &str,
        imposed: &mut Vec<Block>,
    ) -> Option<Newcomer> {
        self.deltas.count(place.0, event, endpoint);
        self.under_way.settle(event.id);
        if Tally::counts(event, self.known.has(endpoint)) {
            let [session, user] = [event.session.hash(), self.settings.subjects.name(event.confirmed_user())];
            self.deltas.used(place.0, event, endpoint, session, user);
            if let Some(traits) = batch.traits(place.1) {
                self.deltas.shown(place.0, endpoint, traits);
            }
        }
        let hash = &self.settings.subjects;
        let mut suspicions = self.common.crowd.observe(event, endpoint, hash, &self.settings.detectors.behaviours);
        self.common.crowd.normal.observe(event, batch.carried(place.1), !suspicions.is_empty(), hash);
        if self.marks.is_folded(event.session, place.0) {
            // Replayed, and in the session's folded state already; what all sessions share is not.
            self.pending.take(event.session);
            self.known.learn(event, endpoint);
            self.repeat_business(event);
            if batch.objects(place.1).is_some() {
                self.await_objects(event.session, event.time_ms);
            }
            self.parted.repeat(place.0, event.session, &mut self.hot, &self.marks);
            return None;
        }
        self.counts.events += 1;
        self.reservations.release(event.id);
        let mut newcomer = None;
        let pending = &mut self.pending;
        let new = |dictionary: &mut Dictionary| {
            let mut session = Session::new(event, dictionary);
            if let Some(foretold) = pending.take(event.session) {
                session.proof = session.proof.max(if foretold.issued { Proof::Issued } else { Proof::Unproven });
                foretold.predecessors.iter().for_each(|link| session.arrived(link));
            }
            if session.proof == Proof::Unproven && !session.is_address_bound() {
                newcomer = event.ip.map(|ip| Newcomer {
                    session: event.session,
                    client: Subject::client(ip),
                    time_ms: event.time_ms,
                });
            }
            Tracked::new(session, Memory::default(), None)
        };
        let (tracked, dictionary) = self.hot.entry(event.session, new)?;
        tracked.dirty = true;
        tracked.events.push(place);
        tracked.session.observe(event, endpoint, dictionary);
        let told = business_of(tracked, dictionary, event, &mut self.business, &self.settings, self.installed_ms);
        tracked.session.observe_params(event, dictionary, &self.settings.subjects);
        let standing = self.known.learn(event, endpoint);
        if standing.admits {
            tracked.session.admit(event.time_ms);
        }
        if let Some(objects) = batch.objects(place.1) {
            let (hash, tuned) = (&self.settings.subjects, &self.settings.detectors.behaviours);
            let user = user_hash(&tracked.session, dictionary, event.time_ms, hash);
            let Tracked { session, memory, .. } = &mut *tracked;
            suspicions.extend(detect::own(memory, &mut self.common, tuned, (event, objects), (session, user)));
            if let Some(due_ms) = memory.objects_due_ms(event.time_ms) {
                self.business.wait(event.session, due_ms);
            }
        }
        let is_known = event.refused() && standing.exists;
        let tuned = &self.settings.detectors;
        let (normal, hash) = (&self.common.crowd.normal, &self.settings.subjects);
        let carried: Vec<_> = batch.carried(place.1).filter(|c| tracked.memory.tells(event, c)).collect();
        let carried = carried.into_iter().map(|carried| {
            let mut finding = detect::attacks::finding(carried, event, tuned.attacks.get(carried.attack));
            if let Some(sessions) = normal.sessions(event, carried, hash) {
                detect::normal::discount(&mut finding, sessions);
            }
            finding
        });
        let found = detect::observe(&mut tracked.memory, tuned, is_known, event, &tracked.session, suspicions);
        let found: Vec<Finding> = carried.chain(found).collect();
        let stops: Vec<&Stop> = batch.stops(event.id).collect();
        let stops: Vec<_> = stopped(&stops, &mut tracked.memory, event).collect();
        if !self.common.dry_run.is_idle() {
            let user = tracked.session.user_at(event.time_ms).map_or("", |user| dictionary.text(user));
            self.common.dry_run.observe(event, user, &self.settings.subjects);
        }
        let strangers = if event.principal == 0 { Vec::new() } else { tracked.session.part_from_strangers() };
        let told = told.into_iter().map(|(finding, response)| (finding, Some(response)));
        let told = found.into_iter().map(|finding| (finding, None)).chain(told).chain(stops);
        for (at, (finding, response)) in told.enumerate() {
            let completed = Completed { event: Some(event), endpoint, told_at: place.0, is_first: at == 0 };
            imposed.extend(self.conclude(finding, response, completed));
        }
        for stranger in strangers {
            self.parted.part(place.0, event.session, stranger, &mut self.hot, &self.marks);
        }
        newcomer
    }

    /// Links and proofs, after the events they came with. Of a session that is folded beyond them, its state says them
    /// already.
    fn take_links(&mut self, seq: u64, batch: &Batch) {
        for id in batch.issued() {
            match self.hot.get_mut(*id) {
                Some(_) if self.marks.is_folded(*id, seq) => {}
                Some(tracked) => {
                    tracked.session.proof = tracked.session.proof.max(Proof::Issued);
                    tracked.dirty = true;
                }
                None => self.pending.issue(*id),
            }
        }
        for issue in batch.issues() {
            let is_folded = self.marks.is_folded(issue.from, seq);
            let Some(from) = self.hot.get_mut(issue.from) else { continue };
            let goes_on = if is_folded {
                from.session.successors.iter().any(|l| l.session == issue.to && l.request == issue.request)
            } else {
                from.dirty = true;
                from.session.continues_in(issue)
            };
            if goes_on && issue.local {
                let arrival = from.session.arrival(issue);
                self.arrive(seq, &arrival);
            }
        }
        batch.arrivals().iter().for_each(|arrival| self.arrive(seq, arrival));
    }

    fn arrive(&mut self, seq: u64, arrival: &Arrival) {
        match self.hot.get_mut(arrival.to) {
            Some(_) if self.marks.is_folded(arrival.to, seq) => {}
            Some(tracked) => {
                tracked.session.arrived(&arrival.link);
                tracked.dirty = true;
            }
            None => self.pending.arrive(arrival.to, &arrival.link),
        }
    }

    /// What is said about a flush once it is applied, and again when it is repeated.
    pub(super) fn outcome(&self, flush: &Flush, batch: &Batch, imposed: Vec<Block>) -> Outcome {
        let abroad = batch.issues().iter().filter(|issue| !issue.local);
        let arrivals = abroad.filter_map(|issue| {
            let tracked = self.hot.get(issue.from)?;
            let from = &tracked.session;
            let linked = from.successors.iter().any(|l| l.session == issue.to && l.request == issue.request);
            linked.then(|| from.arrival(issue))
        });
        let mut known = Vec::new();
        if flush.wants_known {
            let mut ids: Vec<SessionId> = batch.events().map(|event| event.session).collect();
            ids.sort_unstable();
            ids.dedup();
            known.extend(ids.into_iter().filter_map(|id| self.known_session(id)));
        }
        let mut clients: Vec<IpAddr> = batch.events().filter_map(|e| e.ip).map(Subject::client).collect();
        clients.sort_unstable();
        clients.dedup();
        let rotating = |ip: IpAddr| Some((ip, self.newcomers.rotating(ip, flush.now_ms, self.settings.newcomers)?));
        Outcome {
            imposed,
            proven: flush.questions.iter().copied().filter(|id| self.is_proven(*id)).collect(),
            known,
            arrivals: arrivals.collect(),
            rotating: clients.into_iter().filter_map(rotating).collect(),
        }
    }

    /// Attack-like text that is ordinary where it stands, by what names it.
    pub fn normal(&self) -> Vec<u64> {
        self.common.crowd.normal.told()
    }

    /// Whether anything but the client's word stands for the session's key. The session has to be loaded.
    pub(super) fn is_proven(&self, id: SessionId) -> bool {
        match self.hot.get(id) {
            Some(tracked) => tracked.session.proof > Proof::Unproven,
            None => self.pending.is_issued(id),
        }
    }

    /// What the origin may be told of the session. The session has to be loaded.
    pub(super) fn known_session(&self, id: SessionId) -> Option<KnownSession> {
        let tracked = self.hot.get(id)?;
        let session = &tracked.session;
        let user = session.user_at(session.last_seen_ms).map_or("", |user| self.hot.dictionary.text(user));
        Some(KnownSession {
            session: id,
            risk: session.risk,
            user: user.to_owned(),
            findings: session.detected().collect(),
        })
    }
}
