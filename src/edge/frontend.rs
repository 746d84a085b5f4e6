//! The path of a request: classify, identify, decide, forward, observe, record.

use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys::{Request, Response};
use worker::{Context, Env};

use super::isolate::{Loaded, Setup};
use super::problem::Problem;
use super::request::{self, Described};
use super::{admin, buffer, clock, glue, isolate, object};
use crate::identity::Identified;
use crate::inventory::templated;
use crate::policy::{Mode, OnError, Policy, Route};
use crate::session::{Event, EventId, Marks};
use crate::verdict::{Action, Verdict};
use crate::wire::{Ask, AskReply, operation};

/// The prefix under which everything but traffic lives.
const ADMIN_PREFIX: &str = "/_throughline";
/// An enforcing isolate that has not heard of the block set for this long asks before it decides, ms.
const BLOCKS_STALE_MS: u64 = 2_000;
/// How long that may take, ms; and at the isolate's first decision, when there is nothing to fall back on.
const REFRESH_TIMEOUT_MS: u32 = 250;
const FIRST_TIMEOUT_MS: u32 = 2_000;
/// Requests with a longer or unannounced body are not timed: the origin may answer only after reading all of it.
const TIMED_BODY_BYTES: u64 = 1024 * 1024;

/// Answers a request.
pub async fn handle(request: Request, env: Env, context: Context) -> Response {
    match isolate::setup(&env) {
        Setup::Ready(loaded) => {
            let text = glue::describe(&request, &loaded.names);
            let described = Described::read(&text, &loaded.policy);
            match classify(&described, &loaded.policy) {
                Class::Traffic => Exchange::new(&loaded, &described, &env, &context).run(&request).await,
                Class::Admin(path) => admin::answer(&request, &described, path, &loaded, &env).await,
                Class::Nowhere => {
                    Problem::new(404, "Not found", "This host serves the console and API only.", String::new())
                        .response(&[])
                }
            }
        }
        Setup::Refused { problems, on_error } => without_policy(&request, &env, &problems, on_error).await,
    }
}

enum Class<'a> {
    Traffic,
    /// The rest of the path after the admin prefix.
    Admin(&'a str),
    /// On the admin host, but not for it.
    Nowhere,
}

fn classify<'a>(described: &Described<'a>, policy: &Policy) -> Class<'a> {
    let below = described.path.strip_prefix(ADMIN_PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (&policy.admin_host, below) {
        (Some(host), Some(rest)) if described.host.eq_ignore_ascii_case(host) => Class::Admin(rest),
        (Some(host), None) if described.host.eq_ignore_ascii_case(host) => Class::Nowhere,
        (None, Some(rest)) => Class::Admin(rest),
        _ => Class::Traffic,
    }
}

/// Traffic while the configuration is refused: passed on unseen, or refused, as `ON_ERROR` says.
async fn without_policy(
    request: &Request,
    env: &Env,
    problems: &Rc<Vec<crate::policy::Problem>>,
    on_error: OnError,
) -> Response {
    let url = request.url();
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|i| rest.get(i..))).unwrap_or("/");
    if let Some(rest) = path.strip_prefix(ADMIN_PREFIX) {
        return admin::answer_without_policy(request, rest, env, problems).await;
    }
    if on_error == OnError::Closed {
        return Problem::new(503, "Service unavailable", "The gateway is not configured.", String::new()).response(&[]);
    }
    let origin = isolate::binding(env, "ORIGIN_URL")
        .map(|o| o.trim().trim_end_matches('/').to_owned())
        .filter(|o| !o.is_empty());
    let strip = names(request::OURS.iter().chain(&request::PLAYED));
    let sent = glue::forward(request, origin.map(|o| o + path).as_deref(), &origin_binding(env), &strip, 0);
    match settle(sent).await {
        Ok(response) => response,
        Err(_) => Problem::new(502, "Bad gateway", "The origin did not answer.", String::new()).response(&[]),
    }
}

/// One request on its way to the origin and back.
struct Exchange<'a> {
    loaded: &'a Loaded,
    described: &'a Described<'a>,
    env: &'a Env,
    context: &'a Context,
    identified: Identified<'a>,
    id: EventId,
    started_ms: u64,
    time_ms: u64,
    route: Option<&'a Route>,
    marks: Marks,
}

impl<'a> Exchange<'a> {
    fn new(loaded: &'a Loaded, described: &'a Described<'a>, env: &'a Env, context: &'a Context) -> Self {
        let policy = &loaded.policy;
        if let Some(played) = described.time_ms {
            clock::play(played);
        }
        if described.development_refused {
            worker::console_warn!(
                "DEV_CLIENT_HEADERS and DEV_CLOCK are ignored for requests from the network; remove them"
            );
        }
        let identified = policy.keys.identify(&described.parts(policy));
        let started_ms = clock::real_now_ms();
        let time_ms = described.time_ms.unwrap_or_else(|| clock::now_ms(policy.development.clock));
        let mut marks = Marks::default();
        if described.spoofed {
            marks.set(Marks::SPOOFED);
        }
        Self {
            loaded,
            described,
            env,
            context,
            identified,
            id: isolate::event_id(env, time_ms, identified.session),
            started_ms,
            time_ms,
            route: policy.route(described.method, described.path),
            marks,
        }
    }

    fn policy(&self) -> &'a Policy {
        &self.loaded.policy
    }

    async fn run(mut self, request: &Request) -> Response {
        let verdict = match self.decide().await {
            Ok(verdict) => verdict,
            Err(refusal) => {
                self.record(503, None, Action::Allow).await;
                return refusal;
            }
        };
        if verdict.action >= Action::Throttle {
            let (status, response) = self.stop(verdict);
            isolate::with(self.env, |i| i.buffers.counts.stopped += 1);
            self.record(status, None, verdict.action).await;
            return response;
        }
        let answered = settle(self.forward(request)).await;
        let response = match answered {
            Ok(response) => response,
            Err(failure) => return self.origin_failed(&failure).await,
        };
        let outcome = glue::outcome(&response);
        let mut fields = outcome.split('\n');
        let mut next = || fields.next().unwrap_or("");
        let (status, length, feedback) = (next().parse().unwrap_or(0), next().parse().ok(), !next().is_empty());
        let preflight = self.described.method == "OPTIONS" && glue::is_preflight(request);
        if !preflight && self.route.is_none_or(|route| route.record) {
            self.record(status, length, verdict.action).await;
        }
        if feedback { glue::without_header(&response, "session-event").unwrap_or(response) } else { response }
    }

    /// What stands against the request. The error is the answer of a route that fails closed.
    async fn decide(&mut self) -> Result<Verdict, Response> {
        if self.policy().mode == Mode::Monitor {
            return Ok(Verdict::ALLOW);
        }
        match self.route.filter(|route| route.inline) {
            Some(route) => match self.ask(route.deadline_ms).await {
                Ok(verdict) => Ok(verdict.stricter(self.cached())),
                Err(_) => self.undecided(route.on_error),
            },
            None => {
                let heard = isolate::with(self.env, |i| i.blocks_heard_ms);
                if self.started_ms.saturating_sub(heard) >= BLOCKS_STALE_MS {
                    let timeout = if heard == 0 { FIRST_TIMEOUT_MS } else { REFRESH_TIMEOUT_MS };
                    // What is known already decides if this fails; it is counted.
                    if self.ask(timeout).await.is_err() {
                        return self.undecided(OnError::Open);
                    }
                }
                Ok(self.cached())
            }
        }
    }

    fn undecided(&mut self, on_error: OnError) -> Result<Verdict, Response> {
        self.marks.set(Marks::UNDECIDED);
        isolate::with(self.env, |i| i.buffers.counts.undecided += 1);
        match on_error {
            OnError::Open => Ok(self.cached()),
            OnError::Closed => {
                Err(self.problem(503, "Service unavailable", "The request could not be checked in time.", &[]))
            }
        }
    }

    fn cached(&self) -> Verdict {
        isolate::with(self.env, |i| i.blocks.verdict(self.identified.session, self.described.client.ip, self.time_ms))
    }

    /// Asks the shard of the session; its answer also brings the block set up to date.
    async fn ask(&self, timeout_ms: u32) -> Result<Verdict, ()> {
        let session = self.identified.session;
        let ask = Ask {
            session,
            ip: self.described.client.ip,
            now_ms: self.time_ms,
            blocks_version: isolate::with(self.env, |i| i.blocks.version()),
        };
        let shard = session.shard(self.policy().shards);
        let reply: Result<AskReply, _> = object::tell_shard(self.env, shard, operation::ASK, &ask, timeout_ms).await;
        let reply = reply.map_err(|error| worker::console_error!("shard {shard} was asked in vain: {}", error.0))?;
        isolate::with(self.env, |i| {
            i.blocks.take(reply.blocks);
            i.blocks_heard_ms = clock::real_now_ms();
        });
        Ok(reply.verdict)
    }

    fn forward(&self, request: &Request) -> Result<js_sys::Promise, JsValue> {
        let policy = self.policy();
        let described = self.described;
        let url = policy.origin.as_ref().map(|origin| [origin.as_str(), described.target].concat());
        let strip = match (described.spoofed, described.played) {
            (false, false) => JsValue::UNDEFINED,
            _ => names(request::OURS.iter().chain(&request::PLAYED)),
        };
        // The platform says how long a body is; without a length it is either none or of unknown size.
        let timed = match described.request_bytes {
            Some(bytes) => bytes <= TIMED_BODY_BYTES,
            None => matches!(described.method, "GET" | "HEAD" | "OPTIONS" | "DELETE"),
        };
        let timeout = if timed { policy.limits.origin_timeout_ms } else { 0 };
        let binding = if url.is_some() { JsValue::UNDEFINED } else { origin_binding(self.env) };
        glue::forward(request, url.as_deref(), &binding, &strip, timeout)
    }

    async fn origin_failed(mut self, failure: &str) -> Response {
        self.marks.set(Marks::ORIGIN_FAILED);
        isolate::with(self.env, |i| i.buffers.counts.origin_failures += 1);
        worker::console_error!("origin failed for {}: {failure}", self.id);
        let (status, response) = if failure == "timeout" {
            (504, self.problem(504, "Gateway timeout", "The origin did not answer in time.", &[]))
        } else {
            (502, self.problem(502, "Bad gateway", "The origin could not be reached.", &[]))
        };
        self.record(status, None, Action::Allow).await;
        response
    }

    /// The answer to a stopped request: nothing about why, only until when.
    fn stop(&self, verdict: Verdict) -> (u16, Response) {
        let left = verdict.until_ms.saturating_sub(self.time_ms).div_ceil(1_000).max(1).to_string();
        match verdict.action {
            Action::Throttle => {
                (429, self.problem(429, "Too many requests", "Try again later.", &[("retry-after", left.as_str())]))
            }
            _ => (403, self.problem(403, "Forbidden", "The request was refused.", &[])),
        }
    }

    fn problem(&self, status: u16, title: &'static str, detail: &str, extra: &[(&str, &str)]) -> Response {
        Problem::new(status, title, detail, self.id.to_string()).response(extra)
    }

    /// Records the event. On an inline route it is with the shard before this returns.
    async fn record(&mut self, status: u16, response_bytes: Option<u64>, action: Action) {
        let (policy, described) = (self.policy(), self.described);
        let client = described.client;
        let path = templated(described.path, policy.limits.path_bytes as usize);
        let user_agent = cut(client.user_agent, 512);
        if path.cut || user_agent.len() < client.user_agent.len() {
            self.marks.set(Marks::CUT);
        }
        let duration = clock::real_now_ms().saturating_sub(self.started_ms);
        let event = Event {
            id: self.id,
            session: self.identified.session,
            key_source: self.identified.source,
            verified: self.identified.verified,
            time_ms: self.time_ms,
            duration_ms: u32::try_from(duration).unwrap_or(u32::MAX),
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
            action,
            marks: self.marks,
        };
        let due = isolate::with(self.env, |i| i.buffers.record(&event, policy.shards, &policy.limits));
        let clock = policy.development.clock;
        match self.route.filter(|route| route.inline && policy.mode == Mode::Enforce) {
            // Parallel attempts on such a route must find each other's outcome.
            Some(_) if buffer::flush(self.env, clock).await => {}
            Some(_) => buffer::arrange(buffer::Due::Now, self.env, self.context, &policy.limits, clock),
            None => buffer::arrange(due, self.env, self.context, &policy.limits, clock),
        }
    }
}

/// The longest start of at most `max` bytes that cuts no character.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

fn names<'a>(list: impl Iterator<Item = &'a &'a str>) -> JsValue {
    list.map(|name| js_sys::JsString::from(*name)).collect::<js_sys::Array>().into()
}

fn origin_binding(env: &Env) -> JsValue {
    js_sys::Reflect::get(env, &JsValue::from_str("ORIGIN")).unwrap_or(JsValue::UNDEFINED)
}

async fn settle(sent: Result<js_sys::Promise, JsValue>) -> Result<Response, String> {
    let text = |error: JsValue| object::CallError::from(error).0;
    let answer = JsFuture::from(sent.map_err(text)?).await.map_err(text)?;
    answer.dyn_into::<Response>().map_err(|_| "the origin answered with something that is no response".to_owned())
}
