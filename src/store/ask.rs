//! May this request go on? What stands against it, and which rules about the business it would break.

use super::business::user_of;
use super::sql::Sql;
use super::{Store, StoreError};
use crate::detect::business::{Known, Seen, judge};
use crate::detect::{self, Response, consequence};
use crate::identity::is_address_bound;
use crate::session::{Batch, Event, Kinds, Proof, Stop};
use crate::verdict::{Action, Caller, Verdict};
use crate::wire::{Ask, KnownSession};

/// How long whoever is throttled for one request is asked to wait, ms.
const RETRY_MS: u64 = 60_000;
/// … and who has logins under way, ms.
const WAIT_MS: u64 = 5_000;
/// Every subject of a request.
const ALL: Kinds = Kinds(u8::MAX);

/// The answer to a request that wants to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub verdict: Verdict,
    pub proven: bool,
    pub known: Option<KnownSession>,
    /// What it is stopped for, where that is a rule about the business.
    pub stops: Vec<Stop>,
}

impl<S: Sql> Store<S> {
    /// What stands against a request that wants to go on (blocks, first-hand ones included, and what it would break),
    /// and what is known of its session. Writes nothing; one that is let through counts until its outcome is recorded.
    ///
    /// # Errors
    ///
    /// Storage that fails, or an attempt that cannot be read.
    pub fn ask(&mut self, ask: &Ask) -> Result<Answer, StoreError> {
        self.counts.asks += 1;
        self.load(core::iter::once(ask.session))?;
        let of_session = self.hot.get(ask.session);
        let of_session = of_session.as_deref().and_then(|tracked| tracked.session.user_at(ask.now_ms));
        let of_session = of_session.map_or("", |user| self.hot.dictionary.text(user));
        let caller =
            |user| Caller { session: ask.session, ip: ask.ip, user, ja4: &ask.ja4, user_agent: &ask.user_agent };
        let blocks = self.blocks.set();
        let former =
            ask.former.map(|former| blocks.verdict(&Caller { session: former, ..Caller::default() }, ask.now_ms));
        let mut verdict = [&ask.user, of_session]
            .into_iter()
            .map(|user| blocks.verdict(&caller(user), ask.now_ms))
            .chain(former)
            .fold(Verdict::ALLOW, Verdict::stricter);
        let mut stops = Vec::new();
        let attempt = if ask.attempt.is_empty() { None } else { Some(Batch::decode(&ask.attempt)?) };
        let is_open = |verdict: Verdict| verdict.action < Action::Throttle;
        if is_open(verdict)
            && self.settings.enforce
            && ask.kinds == ALL
            && let Some(attempt) = &attempt
        {
            stops = self.attempt(attempt, ask.now_ms);
            for stop in &stops {
                let retry_ms = if stop.for_ms > 0 { stop.for_ms } else { RETRY_MS };
                let until_ms = ask.now_ms.saturating_add(retry_ms);
                verdict = verdict.stricter(Verdict { action: stop.finding.action, until_ms });
            }
        }
        if is_open(verdict)
            && let Some(event) = attempt.as_ref().and_then(|batch| batch.event(0))
        {
            verdict = verdict.stricter(self.presume(&event, ask));
        }
        Ok(Answer { verdict, proven: self.is_proven(ask.session), known: self.known_session(ask.session), stops })
    }

    /// What is done about an attempt that would be one too many should it fail.
    fn presume(&mut self, event: &Event<'_>, ask: &Ask) -> Verdict {
        let (hash, detectors) = (&self.settings.subjects, &self.settings.detectors);
        let crowd = &self.common.crowd;
        let Some(detector) = crowd.presume(event, ask.kinds, &mut self.under_way, hash, &detectors.behaviours) else {
            return Verdict::ALLOW;
        };
        let configured = detectors.behaviours.get(detector).map_or(Response::TAG, |tuned| tuned.response);
        let (configured, on_route) = consequence::on_route(detectors, configured, detector, event);
        let response = match self.hot.get(event.session) {
            Some(tracked) => consequence::spare(configured, &tracked.session),
            // Nothing is known of it but what it is known by.
            None if is_address_bound(event.key_source) && configured.at == detect::At::Session => Response::TAG,
            None => configured,
        };
        let is_allowed = self.settings.allow.iter().any(|allowed| allowed.covers(&detect::caller(event, event.user)));
        if !self.settings.enforce || !on_route || is_allowed || response.action < Action::Throttle {
            return Verdict::ALLOW;
        }
        Verdict { action: response.action, until_ms: ask.now_ms.saturating_add(WAIT_MS) }
    }

    /// What the request would break; where that is nothing, it is under way from now on.
    fn attempt(&mut self, batch: &Batch, now_ms: u64) -> Vec<Stop> {
        let rules = &self.settings.business;
        self.reservations.expire(now_ms, rules.patience_ms());
        let Some(event) = batch.event(0).filter(|event| !rules.passes_over(event)) else { return Vec::new() };
        let stops = self.judge(&event);
        if stops.is_empty() {
            let user = self.user_at(&event);
            self.reservations.hold(event.id, batch.clone(), &user, now_ms);
        }
        stops
    }

    fn user_at(&self, event: &Event<'_>) -> String {
        let tracked = self.hot.get(event.session);
        tracked.map_or_else(String::new, |t| user_of(&t.session, &self.hot.dictionary, event).to_owned())
    }

    fn judge(&self, event: &Event<'_>) -> Vec<Stop> {
        let rules = &self.settings.business;
        let tracked = self.hot.get(event.session);
        // Who is known by an address alone may be many people, as in `spare`.
        if tracked.is_none() && is_address_bound(event.key_source) {
            return Vec::new();
        }
        let hash = &self.settings.subjects;
        let user = self.user_at(event);
        let seen = Seen::new(event, &user, rules, hash);
        let under_way: Vec<(Event<'_>, &str)> = self
            .reservations
            .events()
            .filter(|(other, _)| rules.is_shared() || other.session == event.session)
            .collect();
        let under_way: Vec<Seen<'_>> =
            under_way.iter().map(|(other, user)| Seen::new(other, user, rules, hash)).collect();
        let session = tracked.as_deref().map(|tracked| &tracked.session);
        let book = session.and_then(|session| session.params.as_deref());
        let dictionary = &self.hot.dictionary;
        let stats = |name: &str| book?.iter().find(|(of, _)| dictionary.text(*of) == name).map(|(_, stats)| stats);
        let is_issued = session.map_or(self.pending.is_issued(event.session), |s| s.proof == Proof::Issued);
        let known = Known { stats: &stats, since_ms: (!is_issued).then_some(self.installed_ms) };
        let memory = tracked.as_deref().and_then(|tracked| tracked.memory.business.as_deref());
        let broken = judge(rules, memory, &self.business, &seen, &under_way, known);
        let stops = broken.into_iter().filter_map(|(mut finding, response)| {
            let response = session.map_or(response, |session| consequence::spare(response, session));
            finding.action = response.action;
            (response.action >= Action::Throttle).then_some(Stop { finding, for_ms: response.for_ms })
        });
        stops.collect()
    }
}
