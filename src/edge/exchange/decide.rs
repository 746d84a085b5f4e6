//! Whether a request may go on, where somebody has to be asked: the shards of its subjects, within a deadline.

use worker::Env;
use worker::worker_sys::web_sys::Response;

use super::{Exchange, FIRST_TIMEOUT_MS, REFRESH_TIMEOUT_MS, is_stale};
use crate::edge::attempt::Attempt;
use crate::edge::isolate::{self, Isolate};
use crate::edge::request::Described;
use crate::edge::{clock, inspection, object};
use crate::policy::{OnError, Policy};
use crate::session::{Kinds, Marks, Stop};
use crate::verdict::{Action, Verdict};
use crate::wire::{Ask, AskReply, Place, operation};
impl Exchange {
    /// Looks again at a request that carries an attack, where its shard has not said yet what is ordinary: an isolate that has just
    /// started does not stop what customers send every day.
    pub async fn reconsider(&mut self, described: &Described<'_>, policy: &Policy, env: &Env) {
        let shard = Place::of(self.found.session, policy.shards).index;
        if !self.is_attack() || isolate::with(|i| i.knows_normal(shard)) {
            return;
        }
        // Whoever does not answer knows nothing that would let it pass.
        if self.ask(described, policy, env, FIRST_TIMEOUT_MS, Attempt::default()).await.is_ok() {
            let look = |i: &mut Isolate| inspection::look(described, self.body.as_ref(), self.spared, policy, i);
            self.looked = Some(isolate::with(look));
        }
    }

    /// What stands against the request; asks the shard where the route says so or the block set is stale. The error is
    /// the answer of a route that fails closed.
    pub async fn decide(&mut self, described: &Described<'_>, policy: &Policy, env: &Env) -> Result<Verdict, Response> {
        let (cold, stale) = isolate::with(|i| (i.blocks_heard_ms == 0, is_stale(i, self.started_ms)));
        let (timeout, on_error) = match self.inline {
            Some(inline) => (inline.deadline_ms, inline.on_error),
            None if !stale => return Ok(isolate::with(|i| self.cached(described, i))),
            None if cold => (FIRST_TIMEOUT_MS, OnError::Open),
            None => (REFRESH_TIMEOUT_MS, OnError::Open),
        };
        if !cold {
            // One request asks; those that come meanwhile decide on what is known.
            isolate::with(|i| i.blocks_asked_ms = self.started_ms);
        }
        let attempt = match self.inline {
            Some(inline) => isolate::with(|i| self.attempt(described, policy, inline.judged, i)),
            None => Ok(Attempt::default()),
        };
        let asked = match attempt {
            Ok(attempt) => self.ask(described, policy, env, timeout, attempt).await,
            Err(()) => Err(()),
        };
        if let Ok(asked) = asked {
            self.stops = asked.stops;
            return Ok(asked.verdict.stricter(isolate::with(|i| self.cached(described, i))));
        }
        self.marks.set(Marks::UNDECIDED);
        isolate::with(|i| {
            i.buffers.counts.undecided += 1;
            // While nobody answers, not every request waits for the deadline.
            i.blocks_asked_ms = clock::real_now_ms();
        });
        match on_error {
            // What is known already decides.
            OnError::Open => Ok(isolate::with(|i| self.cached(described, i))),
            OnError::Closed => {
                Err(self.problem(503, "Service unavailable", "The request could not be checked in time.", &[]))
            }
        }
    }

    /// Asks the shard of the session, and of an inline decision those of its other subjects, side by side; their answers
    /// also bring the block set up to date.
    pub(super) async fn ask(
        &self,
        described: &Described<'_>,
        policy: &Policy,
        env: &Env,
        timeout_ms: u32,
        attempt: Attempt,
    ) -> Result<Asked, ()> {
        let own = self.found.session.shard(policy.shards);
        let ask = Ask {
            session: self.found.session,
            ip: described.client.ip,
            now_ms: self.time_ms,
            blocks_version: isolate::with(|i| i.blocks.version()),
            former: self.found.former,
            attempt: attempt.batch,
            user: self.user.clone(),
            ja4: described.client.ja4.to_owned(),
            user_agent: described.client.user_agent.to_owned(),
            kinds: Kinds(u8::MAX),
        };
        let asks = core::iter::once((own, ask.kinds)).chain(attempt.elsewhere).map(|(index, kinds)| {
            let (place, ask) = (Place { layout: policy.shards, index }, Ask { kinds, ..ask.clone() });
            async move {
                let reply: Result<AskReply, _> = object::tell_shard(env, place, operation::ASK, &ask, timeout_ms).await;
                let reply = reply.map(|reply| (place, reply));
                reply.map_err(|error| worker::console_error!("{} was asked in vain: {}", place.name(), error.text))
            }
        });
        let (mut all, mut undecided) = (None::<Asked>, false);
        for reply in futures_util::future::join_all(asks).await {
            let Ok((place, reply)) = reply else {
                undecided = true;
                continue;
            };
            isolate::with(|i| {
                i.blocks.take(reply.blocks);
                i.blocks_heard_ms = clock::real_now_ms();
                i.heard_installed(reply.installed_ms);
                i.heard_normal(place.index, reply.normal);
                if let Some(known) = reply.known {
                    i.known.insert(known.session, known);
                }
            });
            let asked = all.get_or_insert(Asked { verdict: Verdict::ALLOW, proven: false, stops: Vec::new() });
            asked.verdict = asked.verdict.stricter(reply.verdict);
            asked.proven |= reply.proven;
            asked.stops.extend(reply.stops);
        }
        match all {
            // What one of them says against it holds, whoever is silent.
            Some(asked) if !undecided || asked.verdict.action >= Action::Throttle => Ok(asked),
            _ => Err(()),
        }
    }
}

/// What a shard said of a request that wants to go on.
pub(super) struct Asked {
    pub(super) verdict: Verdict,
    pub(super) proven: bool,
    pub(super) stops: Vec<Stop>,
}
