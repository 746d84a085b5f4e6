//! One request on its way to the origin and back: identified, decided, remembered until its outcome, recorded.

use std::collections::HashMap;

use super::buffer::Due;
use super::isolate::{self, Isolate};
use super::problem::Problem;
use super::request::Described;
use super::{clock, object};
use crate::inventory::templated;
use crate::policy::{Mode, OnError, Policy, Route};
use crate::session::{Event, EventId, Marks, SessionId};
use crate::verdict::{Action, Verdict};
use crate::wire::{Ask, AskReply, operation};
use worker::Env;
use worker::worker_sys::web_sys::Response;

/// An enforcing isolate that has not heard of the block set for this long asks before it decides, ms.
const BLOCKS_STALE_MS: u64 = 2_000;
/// How long that may take, ms; and at the isolate's first decision, when there is nothing to fall back on.
const REFRESH_TIMEOUT_MS: u32 = 250;
const FIRST_TIMEOUT_MS: u32 = 2_000;
/// How often requests without an answer are looked for, at the most, ms.
const SWEEP_EVERY_MS: u64 = 1_000;
/// Longest user agent kept with an event, bytes.
const USER_AGENT_BYTES: usize = 512;

/// A request whose outcome is awaited.
pub struct Exchange {
    /// The request as it was described; read again when it is recorded.
    text: String,
    pub id: EventId,
    session: SessionId,
    key_source: String,
    verified: bool,
    /// Platform time of arrival, for the duration; event time, for everything else.
    started_ms: u64,
    time_ms: u64,
    marks: Marks,
    action: Action,
    recorded: bool,
    /// The outcome is flushed before the answer goes out.
    synchronous: bool,
}

/// Requests whose outcome is awaited, by token. A token is not given twice within a billion requests.
#[derive(Default)]
pub struct Exchanges {
    awaited: HashMap<u32, Exchange>,
    next: u32,
    swept_ms: u64,
}

/// Tokens fit beside a flag in the number `entry.mjs` is answered.
const TOKEN_MASK: u32 = (1 << 30) - 1;

impl Exchanges {
    /// Keeps an exchange and names it.
    pub fn keep(&mut self, exchange: Exchange) -> u32 {
        self.next = (self.next + 1) & TOKEN_MASK;
        self.awaited.insert(self.next, exchange);
        self.next
    }

    /// Gives an exchange back, once.
    pub fn take(&mut self, token: u32) -> Option<Exchange> {
        self.awaited.remove(&token)
    }

    /// Takes out the exchanges that began before `horizon_ms`: their requests died without a word.
    fn abandoned(&mut self, now_ms: u64, horizon_ms: u64) -> Vec<Exchange> {
        if now_ms.saturating_sub(self.swept_ms) < SWEEP_EVERY_MS {
            return Vec::new();
        }
        self.swept_ms = now_ms;
        let old = self.awaited.iter().filter(|(_, exchange)| exchange.started_ms < horizon_ms);
        let old: Vec<u32> = old.map(|(token, _)| *token).collect();
        old.into_iter().filter_map(|token| self.take(token)).collect()
    }
}

impl Exchange {
    /// Identifies a request. `now_ms` is the platform's time.
    pub fn new(text: &str, described: &Described<'_>, policy: &Policy, now_ms: u64, isolate: &mut Isolate) -> Self {
        if let Some(played) = described.time_ms {
            clock::play(played);
        }
        if described.development_refused {
            worker::console_warn!(
                "DEV_CLIENT_HEADERS and DEV_CLOCK are ignored for requests from the network; remove them"
            );
        }
        let identified = policy.keys.identify(&described.parts(policy));
        let time_ms = match described.time_ms {
            Some(played) => played,
            None if policy.development.clock => clock::now_ms(true),
            None => now_ms,
        };
        let mut marks = Marks::default();
        if described.spoofed {
            marks.set(Marks::SPOOFED);
        }
        let route = policy.route(described.method, described.path);
        Self {
            text: text.to_owned(),
            id: isolate.event_id(time_ms, identified.session),
            session: identified.session,
            key_source: identified.source.to_owned(),
            verified: identified.verified,
            started_ms: now_ms,
            time_ms,
            marks,
            action: Action::Allow,
            recorded: !described.preflight && route.is_none_or(|route| route.record),
            synchronous: route.is_some_and(|route| route.inline) && policy.mode == Mode::Enforce,
        }
    }

    /// Whether the request can go on as it is, or somebody has to be asked, or it is stopped.
    pub fn is_clear(&self, described: &Described<'_>, policy: &Policy, isolate: &Isolate) -> bool {
        policy.mode == Mode::Monitor
            // A preflight carries nothing and decides nothing; without it the browser could not even show the refusal.
            || described.preflight
            || (!self.synchronous
                && !is_stale(isolate, self.started_ms)
                && self.cached(described, isolate) == Verdict::ALLOW)
    }

    fn cached(&self, described: &Described<'_>, isolate: &Isolate) -> Verdict {
        isolate.blocks.verdict(self.session, described.client.ip, self.time_ms)
    }

    /// What stands against the request; asks the shard where the route says so or the block set is stale. The error is
    /// the answer of a route that fails closed.
    pub async fn decide(&mut self, described: &Described<'_>, policy: &Policy, env: &Env) -> Result<Verdict, Response> {
        let route: Option<&Route> = policy.route(described.method, described.path).filter(|_| self.synchronous);
        let (cold, stale) = isolate::with(|i| (i.blocks_heard_ms == 0, is_stale(i, self.started_ms)));
        let (timeout, on_error) = match route {
            Some(route) => (route.deadline_ms, route.on_error),
            None if !stale => return Ok(isolate::with(|i| self.cached(described, i))),
            None if cold => (FIRST_TIMEOUT_MS, OnError::Open),
            None => (REFRESH_TIMEOUT_MS, OnError::Open),
        };
        if !cold {
            // One request asks; those that come meanwhile decide on what is known.
            isolate::with(|i| i.blocks_asked_ms = self.started_ms);
        }
        if let Ok(asked) = self.ask(described, policy, env, timeout).await {
            return Ok(asked.stricter(isolate::with(|i| self.cached(described, i))));
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

    /// Asks the shard of the session; its answer also brings the block set up to date.
    async fn ask(&self, described: &Described<'_>, policy: &Policy, env: &Env, timeout_ms: u32) -> Result<Verdict, ()> {
        let ask = Ask {
            session: self.session,
            ip: described.client.ip,
            now_ms: self.time_ms,
            blocks_version: isolate::with(|i| i.blocks.version()),
        };
        let shard = self.session.shard(policy.shards);
        let reply: Result<AskReply, _> = object::tell_shard(env, shard, operation::ASK, &ask, timeout_ms).await;
        let reply = reply.map_err(|error| worker::console_error!("shard {shard} was asked in vain: {}", error.0))?;
        isolate::with(|i| {
            i.blocks.take(reply.blocks);
            i.blocks_heard_ms = clock::real_now_ms();
        });
        Ok(reply.verdict)
    }

    /// The answer to a stopped request: nothing about why, only until when.
    pub fn stop(&mut self, verdict: Verdict) -> (u16, Response) {
        self.action = verdict.action;
        let left = verdict.until_ms.saturating_sub(self.time_ms).div_ceil(1_000).max(1).to_string();
        match verdict.action {
            Action::Throttle => {
                (429, self.problem(429, "Too many requests", "Try again later.", &[("retry-after", left.as_str())]))
            }
            _ => (403, self.problem(403, "Forbidden", "The request was refused.", &[])),
        }
    }

    /// The answer where the origin gave none.
    pub fn origin_failed(&mut self, timed_out: bool) -> (u16, Response) {
        self.marks.set(Marks::ORIGIN_FAILED);
        if timed_out {
            (504, self.problem(504, "Gateway timeout", "The origin did not answer in time.", &[]))
        } else {
            (502, self.problem(502, "Bad gateway", "The origin could not be reached.", &[]))
        }
    }

    fn problem(&self, status: u16, title: &'static str, detail: &str, extra: &[(&str, &str)]) -> Response {
        Problem::new(status, title, detail, self.id.to_string()).response(extra)
    }

    /// Records the outcome and says what is due. `now_ms` is the platform's time.
    pub fn record(
        mut self,
        status: u16,
        response_bytes: Option<u64>,
        policy: &Policy,
        now_ms: u64,
        isolate: &mut Isolate,
    ) -> Due {
        if !self.recorded {
            return Due::Nothing;
        }
        let described = Described::read(&self.text, policy);
        let client = described.client;
        let path = templated(described.path, policy.limits.path_bytes as usize);
        let user_agent = cut(client.user_agent, USER_AGENT_BYTES);
        if path.cut || user_agent.len() < client.user_agent.len() {
            self.marks.set(Marks::CUT);
        }
        let event = Event {
            id: self.id,
            session: self.session,
            key_source: &self.key_source,
            verified: self.verified,
            time_ms: self.time_ms,
            duration_ms: u32::try_from(now_ms.saturating_sub(self.started_ms)).unwrap_or(u32::MAX),
            method: described.method,
            host: cut(described.host, 255),
            path: &path.path,
            template: &path.template,
            status,
            request_bytes: described.request_bytes,
            response_bytes,
            ip: client.ip,
            country: cut(client.country, 8),
            asn: client.asn,
            colo: cut(client.colo, 8),
            user_agent,
            ja4: cut(client.ja4, 64),
            action: self.action,
            marks: self.marks,
        };
        let due = isolate.buffers.record(&event, policy.shards, &policy.limits, now_ms);
        if self.synchronous { isolate.buffers.more_urgent(due, Due::BeforeAnswer) } else { due }
    }
}

/// Whether the block set has to be asked for: not heard of for too long, and nobody set out to ask just now.
fn is_stale(isolate: &Isolate, now_ms: u64) -> bool {
    now_ms.saturating_sub(isolate.blocks_heard_ms.max(isolate.blocks_asked_ms)) >= BLOCKS_STALE_MS
}

/// Records the requests that died without an answer.
pub fn sweep(policy: &Policy, now_ms: u64, isolate: &mut Isolate) {
    let horizon = now_ms.saturating_sub(u64::from(policy.limits.abandon_ms));
    for mut exchange in isolate.exchanges.abandoned(now_ms, horizon) {
        exchange.marks.set(Marks::ABANDONED);
        exchange.synchronous = false;
        // 499 is what proxies note for a client that closed its request. Whoever records next carries out what is due.
        let due = exchange.record(499, None, policy, now_ms, isolate);
        isolate.due = isolate.buffers.more_urgent(isolate.due, due);
    }
}

/// The longest start of at most `max` bytes that cuts no character.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}
