//! What `entry.mjs` calls on the path of a request. See there for the order of the calls.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::Env;
use worker::worker_sys::web_sys::{Request, Response};

use super::due::Due;
use super::exchange::{self, Exchange};
use super::isolate::{self, Isolate, Setup};
use super::outcome::{self, Answered};
use super::problem::Problem;
use super::request::{self, Described, Start, Told};
use super::{admin, clock, jwks};
use crate::policy::{OnError, Policy};
use crate::session::SessionId;
use crate::verdict::{Action, Verdict};

/// The prefix under which everything but traffic lives.
const ADMIN_PREFIX: &str = "/_throughline";
/// Answers of [`Gateway::begin`] that are no token.
const DECIDE: i32 = -1;
const ANSWER: i32 = -2;
const UNLOADED: i32 = -3;
/// The session key may stand in the body, which has to be read first.
const BODY: i32 = -4;
/// The keys of a token issuer have to be fetched first: this less its index.
const KEYS: i32 = -16;
/// Beside a token: there are headers to strip …
const STRIP: i32 = 1;
/// … the body of the request, or of the response, has to be read …
const REQUEST_BODY: i32 = 2;
const RESPONSE_BODY: i32 = 4;
/// … and the outcome has to be flushed before the answer goes out.
const SYNCHRONOUS: i32 = 8;
const FLAG_BITS: u32 = 4;

/// The Wasm side as `entry.mjs` sees it.
#[wasm_bindgen]
pub struct Gateway;

/// What `entry.mjs` has to know of the policy.
#[derive(serde::Serialize)]
struct EntrySetup<'a> {
    names: Vec<&'a str>,
    strip: &'a [&'a str],
    origin: Option<&'a str>,
    timeout: u32,
    /// Response headers to read, and whether any key may be issued at all.
    told: &'a [String],
    /// How much of a body is read, bytes, and how long a request waits for its own, ms.
    body: u32,
    body_ms: u32,
    /// Whether the origin is told of the session.
    signs: bool,
    /// Whether the keys of any token issuer are fetched.
    learns: bool,
    /// Whether all headers are looked at.
    inspects: bool,
}

#[wasm_bindgen]
impl Gateway {
    /// Constructing one lets the shim start the Wasm side anew after a failure.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default, reason = "it is only ever called from JavaScript")]
    pub fn new() -> Self {
        Self
    }

    /// Counts a failure after which this instance was started.
    pub fn incident() {
        isolate::with(|isolate| isolate.buffers.counts.incidents += 1);
    }

    /// Loads the policy; answers what the entry needs of it, as JSON.
    pub fn setup(env: &Env) -> String {
        let bound = isolate::binding(env, "ORIGIN_URL").map(|url| url.trim().trim_end_matches('/').to_owned());
        let setup = isolate::load(env);
        let entry = match &setup {
            Setup::Ready(policy) => EntrySetup {
                names: request::names(policy),
                strip: request::stripped(policy),
                origin: policy.origin.as_deref(),
                timeout: policy.limits.origin_timeout_ms,
                told: &policy.response_headers,
                body: policy.limits.body_bytes,
                body_ms: policy.limits.body_ms,
                signs: policy.signer.is_some(),
                learns: policy.access.is_some() || policy.issuers.iter().any(|issuer| issuer.source.is_some()),
                inspects: policy.detectors.attacks.any(),
            },
            Setup::Refused { .. } | Setup::Unloaded => EntrySetup {
                names: Vec::new(),
                strip: &request::STRIPPED,
                origin: bound.as_deref().filter(|url| !url.is_empty()),
                timeout: 0,
                told: &[],
                body: 0,
                body_ms: 0,
                signs: false,
                learns: false,
                inspects: false,
            },
        };
        serde_json::to_string(&entry).unwrap_or_default()
    }

    /// Takes a request in. Answers a token with its flags if it can go on at once. `body` is the start of its body
    /// where that was asked for, `cut` whether there is more of it.
    pub fn begin(text: &str, now: f64, body: Option<Vec<u8>>, cut: bool) -> i32 {
        let now_ms = now as u64;
        isolate::with(|isolate| {
            let policy = match &isolate.setup {
                Setup::Ready(policy) => policy.clone(),
                Setup::Refused { .. } => return ANSWER,
                Setup::Unloaded => return UNLOADED,
            };
            let described = Described::read(text, &policy);
            if described.malformed || !matches!(classify(&described, &policy), Class::Traffic) {
                return ANSWER;
            }
            if body.is_none() && exchange::wants_body(&described, &policy, isolate) {
                return BODY;
            }
            outcome::sweep(&policy, now_ms, isolate);
            let body = body.map(|bytes| Start { bytes, cut });
            let (exchange, wants_keys) = Exchange::new(text, &described, body, &policy, now_ms, isolate);
            if let Some(issuer) = wants_keys.and_then(|issuer| jwks::worth_waiting(issuer, &policy, isolate)) {
                return KEYS - i32::try_from(issuer).unwrap_or(0);
            }
            if !exchange.is_beyond() && exchange.is_clear(&described, &policy, isolate) {
                kept(exchange, &described, &policy, isolate)
            } else {
                DECIDE
            }
        })
    }

    /// What the origin is told of the session of an exchange: values of `Session-Context`, `Signature-Input` and
    /// `Signature`, each on its line. `url` is what is sent; `input` and `signature` are the client's own fields.
    pub fn context(token: u32, url: &str, input: &str, signature: &str) -> Option<String> {
        isolate::with(|isolate| {
            let Setup::Ready(policy) = isolate.setup.clone() else { return None };
            let exchange = isolate.exchanges.get(token)?;
            let signed = exchange.context(url, [input, signature], &policy, isolate)?;
            Some([signed.session_context, signed.signature_input, signed.signature].join("\n"))
        })
    }

    /// Decides a request that could not go on at once: a token like [`Gateway::begin`]'s, or the answer to it.
    pub async fn decide(text: String, body: Option<Vec<u8>>, cut: bool, env: Env) -> Result<JsValue, JsValue> {
        let policy = policy()?;
        let described = Described::read(&text, &policy);
        let now_ms = clock::real_now_ms();
        let body = body.map(|bytes| Start { bytes, cut });
        let new = |isolate: &mut Isolate| Exchange::new(&text, &described, body, &policy, now_ms, isolate).0;
        let mut exchange = isolate::with(new);
        exchange.settle(&described, &policy, &env).await;
        exchange.reconsider(&described, &policy, &env).await;
        let clear = isolate::with(|isolate| exchange.is_clear(&described, &policy, isolate));
        let verdict = match clear {
            true => Ok(Verdict::ALLOW),
            false if exchange.is_attack() => Ok(exchange.attack_verdict()),
            false => exchange.decide(&described, &policy, &env).await,
        };
        let (status, response) = match verdict {
            Ok(verdict) if verdict.action >= Action::Throttle => {
                isolate::with(|i| i.buffers.counts.stopped += 1);
                exchange.stop(verdict)
            }
            Ok(_) => {
                return Ok(isolate::with(|isolate| kept(exchange, &described, &policy, isolate)).into());
            }
            Err(refusal) => (503, refusal),
        };
        isolate::with(|isolate| {
            let due = exchange.record(&Answered::by_us(status), &policy, clock::real_now_ms(), isolate);
            isolate.due = isolate.buffers.more_urgent(isolate.due, due);
        });
        Ok(response.into())
    }

    /// What is due after [`Gateway::decide`], [`Gateway::fail`] or [`Gateway::answer`] gave an answer of their own; what
    /// was left lying goes along.
    pub fn due() -> u32 {
        isolate::with(|isolate| match core::mem::replace(&mut isolate.due, Due::Nothing) {
            Due::Nothing if isolate.buffers.is_abandoned(clock::real_now_ms()) => Due::Now,
            due => due,
        })
        .code()
    }

    /// Takes in how the origin answered; `length` is negative where none was announced, `told` describes the response
    /// where there is something to describe. Answers what is due.
    pub fn finish(token: u32, status: u16, length: f64, now: f64, told: &str) -> u32 {
        finish(token, status, length, now, told, None, None)
    }

    /// The same where bodies had to be read; `None` for one that had not.
    #[allow(clippy::too_many_arguments, reason = "each is a value JavaScript hands over")]
    #[wasm_bindgen(js_name = finishWithBodies)]
    pub fn finish_with_bodies(
        token: u32,
        status: u16,
        length: f64,
        now: f64,
        told: &str,
        request: Option<Vec<u8>>,
        request_cut: bool,
        response: Option<Vec<u8>>,
        response_cut: bool,
    ) -> u32 {
        let request = request.map(|bytes| Start { bytes, cut: request_cut });
        let response = response.map(|bytes| Start { bytes, cut: response_cut });
        finish(token, status, length, now, told, request, response)
    }

    /// Takes in that the origin did not answer; gives the answer the client gets.
    pub fn fail(token: u32, reason: &str, timed_out: bool, now: f64) -> Response {
        let unknown =
            || Problem::new(502, "Bad gateway", "The origin could not be reached.", String::new()).response(&[]);
        isolate::with(|isolate| {
            let Setup::Ready(policy) = isolate.setup.clone() else { return unknown() };
            let Some(mut exchange) = isolate.exchanges.take(token) else { return unknown() };
            isolate.buffers.counts.origin_failures += 1;
            worker::console_error!("origin failed for {}: {reason}", exchange.id);
            let (status, response) = exchange.origin_failed(timed_out);
            let due = exchange.record(&Answered::by_us(status), &policy, now as u64, isolate);
            isolate.due = isolate.buffers.more_urgent(isolate.due, due);
            response
        })
    }

    /// After the outcome of an exchange decided inline has reached its shards: the answer in place of the origin's, where
    /// there is to be another.
    pub fn withheld(token: u32) -> Option<Response> {
        isolate::with(|isolate| {
            let answer = isolate.released.get(&token)?.withheld(isolate)?;
            isolate.buffers.counts.stopped += 1;
            Some(answer)
        })
    }

    /// Answers what is no traffic; nothing where the configuration is refused and traffic is to pass.
    pub async fn answer(request: Request, text: String, env: Env) -> Option<Response> {
        match isolate::load(&env) {
            Setup::Ready(policy) => {
                let described = Described::read(&text, &policy);
                Some(match classify(&described, &policy) {
                    _ if described.malformed => bad_request(),
                    Class::Admin(path) => admin::answer(&request, &described, path, &policy, &env).await,
                    Class::Nowhere | Class::Traffic => nowhere(),
                })
            }
            Setup::Refused { problems, on_error } => {
                let (host, path) = target_of(&text);
                let admin_host = isolate::binding(&env, "ADMIN_HOST").map(|host| host.trim().to_owned());
                let is_admin = admin_host.filter(|h| !h.is_empty()).is_none_or(|configured| is_host(host, &configured));
                let below = path.strip_prefix(ADMIN_PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/'));
                let configured = isolate::binding(&env, "ADMIN_HOST").is_some_and(|host| !host.trim().is_empty());
                match (below.filter(|_| is_admin), on_error) {
                    (None, _) if configured && is_admin => Some(nowhere()),
                    (Some(rest), _) => Some(admin::answer_without_policy(&request, rest, &env, &problems)),
                    (None, OnError::Closed) => Some(unconfigured()),
                    (None, OnError::Open) => None,
                }
            }
            Setup::Unloaded => Some(unconfigured()),
        }
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
        (Some(host), below) if is_host(described.host, host) => below.map_or(Class::Nowhere, Class::Admin),
        (None, Some(rest)) => Class::Admin(rest),
        _ => Class::Traffic,
    }
}

/// Whether `host` (with or without a port) is the configured one; a port counts only where it is configured.
fn is_host(host: &str, configured: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map(|(name, _)| name);
    host.eq_ignore_ascii_case(configured) || name.is_some_and(|name| name.eq_ignore_ascii_case(configured))
}

/// Keeps an exchange until its outcome is known; the answer to `entry.mjs` is its token with what has to be done.
fn kept(exchange: Exchange, described: &Described<'_>, policy: &Policy, isolate: &mut Isolate) -> i32 {
    let (request_body, response_body) = exchange.needs_bodies(described, policy);
    let flags = [
        (described.spoofed || described.played, STRIP),
        (request_body, REQUEST_BODY),
        (response_body, RESPONSE_BODY),
        (exchange.is_synchronous(), SYNCHRONOUS),
    ];
    let flags = flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
    isolate.exchanges.keep(exchange).cast_signed() << FLAG_BITS | flags
}

fn finish(
    token: u32,
    status: u16,
    length: f64,
    now: f64,
    told: &str,
    request_body: Option<Start>,
    response_body: Option<Start>,
) -> u32 {
    let response_bytes = (length >= 0.0).then_some(length as u64);
    isolate::with(|isolate| {
        let Setup::Ready(policy) = isolate.setup.clone() else { return 0 };
        let Some(exchange) = isolate.exchanges.take(token) else { return 0 };
        let told = Told::read(told, &policy);
        let answered = Answered { status, response_bytes, told, request_body, response_body };
        if let Some(released) = exchange.released(&Described::read(&exchange.text, &policy)) {
            isolate.released.insert(token, released);
        }
        let due = exchange.record(&answered, &policy, now as u64, isolate);
        let pending = core::mem::replace(&mut isolate.due, Due::Nothing);
        isolate.buffers.more_urgent(due, pending).code()
    })
}

fn policy() -> Result<Rc<Policy>, JsValue> {
    match isolate::with(|isolate| isolate.setup.clone()) {
        Setup::Ready(policy) => Ok(policy),
        Setup::Refused { .. } | Setup::Unloaded => Err(js_sys::Error::new("no policy is loaded").into()),
    }
}

/// Host and path in a description.
fn target_of(text: &str) -> (&str, &str) {
    let url = text.split('\n').nth(1).unwrap_or("");
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (host, target.split('?').next().unwrap_or("/"))
}

/// A name for the log and the client where there is no event.
pub fn reference() -> String {
    isolate::with(|isolate| isolate.event_id(clock::real_now_ms(), SessionId([0; 16]))).to_string()
}

fn nowhere() -> Response {
    Problem::new(404, "Not found", "This host serves the console and API only.", reference()).response(&[])
}

fn bad_request() -> Response {
    Problem::new(400, "Bad request", "The request names no valid host and path.", reference()).response(&[])
}

fn unconfigured() -> Response {
    Problem::new(503, "Service unavailable", "The gateway is not configured.", reference()).response(&[])
}
