//! May a request go on? What stands against it, and, of a login that is decided inline, whether it is one too many.

use super::sql::Sql;
use super::take::Answer;
use super::{Store, StoreError};
use crate::detect::{self, Response, consequence};
use crate::session::{Batch, Event};
use crate::verdict::{Action, Caller, Verdict};
use crate::wire::Ask;

/// How long a client is told to wait while its attempts are under way, ms.
const WAIT_MS: u64 = 5_000;

impl<S: Sql> Store<S> {
    /// What stands against a request that wants to go on (blocks, first-hand ones included), and what is known of its
    /// session. Writes nothing: an attempt that goes on is reserved in memory until its outcome comes.
    pub fn ask(&mut self, ask: &Ask) -> Result<Answer, StoreError> {
        self.counts.asks += 1;
        self.load(core::iter::once(ask.session))?;
        let known = self.known_session(ask.session);
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
        let attempt = Batch::decode(&ask.attempt).ok();
        if let Some(event) = attempt.as_ref().and_then(|batch| batch.events().next())
            && verdict.action < Action::Throttle
        {
            verdict = verdict.stricter(self.presume(&event, ask));
        }
        Ok(Answer { verdict, proven: self.is_proven(ask.session), known })
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
            None if crate::identity::is_address_bound(event.key_source) && configured.at == detect::At::Session => {
                Response::TAG
            }
            None => configured,
        };
        let is_allowed = self.settings.allow.iter().any(|allowed| allowed.covers(&detect::caller(event, event.user)));
        if !self.settings.enforce || !on_route || is_allowed || response.action < Action::Throttle {
            return Verdict::ALLOW;
        }
        Verdict { action: response.action, until_ms: ask.now_ms.saturating_add(WAIT_MS) }
    }
}
