//! What follows from a finding: its weight in its session, its verdict, and on whom that is put.

use super::Store;
use super::sql::Sql;
use super::subjects::Wanted;
use crate::detect::{self, At, Response, consequence};
use crate::session::{Detector, Event, Finding, Proof, Session};
use crate::subject::{Kind, Window};
use crate::verdict::{Action, Block, Subject};

/// Sessions of one address, or device, from which on it is many people's …
const MANY_SESSIONS: u64 = 4;
/// … where of its requests in the last day more than one in this many was answered.
const HEALTHY: u32 = 2;

/// What brought a finding about.
#[derive(Clone, Copy)]
pub struct Completed<'a, 'e> {
    /// The event that completed it; `None` where it was judged later.
    pub event: Option<&'a Event<'e>>,
    /// The key of its endpoint.
    pub endpoint: &'a str,
    /// Journal position that the fleet is told of it with.
    pub told_at: u64,
    /// Whether it is the first that the event completed.
    pub is_first: bool,
}

impl<S: Sql> Store<S> {
    /// Records a finding with its session; answers the block that follows. `response` is what its rule says; a detector's is
    /// looked up.
    pub(super) fn conclude(
        &mut self,
        mut finding: Finding,
        response: Option<Response>,
        completed: Completed<'_, '_>,
    ) -> Option<Block> {
        let detectors = &self.settings.detectors;
        let (response, enforced, would_stop, weights, user) = {
            let tracked = self.hot.get(finding.session)?;
            let session = &tracked.session;
            let user = session.user_at(finding.time_ms).map_or("", |user| self.hot.dictionary.text(user));
            let (configured, on_route) = match (completed.event, response) {
                (Some(event), None) => consequence::configured(detectors, &finding, event),
                (Some(event), Some(of)) => consequence::on_route(detectors, of, finding.detector, event),
                (None, of) => (of.unwrap_or(Response::TAG), true),
            };
            let would_stop = completed.event.is_some_and(|event| would_stop(detectors, &finding, event));
            let weights = completed.event.map(|event| {
                let hash = &self.settings.subjects;
                let usual = self.common.habits.meet(&finding, event, session, hash);
                detect::weigh(&finding, event, session, usual)
            });
            let enforced = on_route && self.settings.enforce;
            (consequence::spare(configured, session), enforced, would_stop, weights, user.to_owned())
        };
        // Where it holds for no time, the request alone was stopped.
        let holds = response.at != At::Request && response.for_ms > 0;
        let subject = if response.action >= Action::Throttle && holds {
            self.whom(&finding, response, completed.event, &user)
        } else {
            None
        };
        let acts = subject.is_some() || !holds;
        let action = if acts { response.action } else { response.action.min(Action::Tag) };
        finding.reasons = weights.unwrap_or_default();
        finding.would = if would_stop { action.max(Action::Block) } else { action };
        finding.action = finding.action.max(if enforced { action } else { action.min(Action::Tag) });
        let until_ms = finding.time_ms.saturating_add(response.for_ms);
        let dry_run = &mut self.common.dry_run;
        let held = subject.as_ref().map(|subject| (subject, until_ms));
        let hash = &self.settings.subjects;
        dry_run.found((finding.detector, finding.confidence, finding.would), held, finding.time_ms, hash);
        if let Some(event) = completed.event.filter(|_| would_stop || (acts && action >= Action::Throttle)) {
            dry_run.stopped(finding.detector, event, &user, &self.settings.subjects);
        }
        let block = subject.filter(|_| enforced).map(|subject| Block {
            subject,
            action,
            created_ms: finding.time_ms,
            until_ms,
            reason: format!("{}: {}", finding.detector.name(), finding.message),
            by: "detector".to_owned(),
        });
        self.counts.findings += 1;
        let tracked = self.hot.get_mut(finding.session)?;
        tracked.dirty = true;
        tracked.session.record(finding);
        // As recorded: with the risk it added.
        if let Some(finding) = tracked.session.findings.last() {
            let first_of = completed.event.filter(|_| completed.is_first).map(|event| (event, completed.endpoint));
            self.deltas.found(completed.told_at, first_of, finding);
        }
        block
    }

    /// On whom a verdict is put; `None` where nobody is to be acted on.
    fn whom(&self, finding: &Finding, response: Response, event: Option<&Event<'_>>, user: &str) -> Option<Subject> {
        let tracked = self.hot.get(finding.session)?;
        let session = &tracked.session;
        let own = || {
            // What the session is spared of, it is not to get for want of somebody else.
            let at_session = Response { at: At::Session, ..response };
            (consequence::spare(at_session, session).action >= Action::Throttle).then_some(Subject::Session(session.id))
        };
        let of_client = match response.at {
            At::Request => None,
            At::Session => own(),
            At::User => named(session, finding, event, user).map(|user| Subject::User(user.to_owned())).or_else(own),
            At::Device => match event.and_then(|e| Subject::device(e.ja4, e.user_agent, e.ip)) {
                Some(device) => self.unless_shared(device, Kind::Device, response),
                None => own(),
            },
            At::Ip => event.and_then(|e| e.ip).and_then(|ip| self.unless_shared(Subject::ip(ip), Kind::Ip, response)),
        }?;
        let is_allowed = event.is_some_and(|event| {
            let caller = detect::caller(event, user);
            self.settings.allow.iter().any(|allowed| allowed.covers(&caller))
        });
        (!is_allowed).then_some(of_client)
    }

    /// The subject, unless it is many people's and most of what they ask for is answered.
    fn unless_shared(&self, subject: Subject, kind: Kind, response: Response) -> Option<Subject> {
        if response.shared {
            return Some(subject);
        }
        let names = [subject.value()];
        // What cannot be read cannot be said to be healthy or not: nobody is acted on.
        let (known, _) = self.subject(Wanted { kind, names: &names }).ok()?;
        let is_shared = known.is_some_and(|known| {
            let day = known.windows.sum(Window::Day, known.last_seen_ms);
            let answered = day.requests.saturating_sub(day.refused);
            known.sessions.count() >= MANY_SESSIONS && answered > day.requests / HEALTHY
        });
        (!is_shared).then_some(subject)
    }
}

/// The user a verdict may be put on: who the session belongs to beyond a claim, and it alone; of guesses, who was guessed
/// at.
fn named<'a>(session: &Session, finding: &Finding, event: Option<&Event<'a>>, user: &'a str) -> Option<&'a str> {
    let is_guess =
        matches!(finding.detector, Detector::BruteForce | Detector::CredentialStuffing | Detector::PasswordSpraying);
    let attempted = event.map(|event| event.attempted_user()).filter(|user| is_guess && !user.is_empty());
    let is_sure = session.proof > Proof::Unproven && session.users.len() == 1 && !user.is_empty();
    attempted.or_else(|| is_sure.then_some(user))
}

/// Whether `enforce` would stop the request itself for the attack it carries.
fn would_stop(settings: &detect::Settings, finding: &Finding, event: &Event<'_>) -> bool {
    // Confidence is told in hundredths.
    let confidence = (finding.confidence * 100.0).round() as u8;
    let stops = |attack| consequence::stops(settings, attack, confidence, event.method, event.path);
    finding.detector.attack().is_some_and(stops)
}
