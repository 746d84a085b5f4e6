//! One request on its way to the origin: identified, weighed, decided, remembered until its outcome.

mod decide;

use self::decide::Asked;
use super::attempt;
use super::clock;
use super::inspection::{self, Looked};
use super::isolate::{self, Isolate};
use super::problem::Problem;
use super::request::{Described, Start};
use core::net::IpAddr;

use crate::context::{Context, Feedback, Signed, Target, merge};
use crate::identity::jwt::TokensAt;
use crate::identity::{Identified, Outcome, Standing, Who, is_address_bound};
use crate::policy::{Inline, Mode, Policy};
use crate::selector::{self, Client, Request, Side};
use crate::session::{EventId, FLAGGED, Marks, Principal, SessionId, Stop};
use crate::verdict::{Action, Caller, Verdict};
use worker::Env;
use worker::worker_sys::web_sys::Response;

/// An enforcing isolate that has not heard of the block set for this long asks before it decides, ms.
const BLOCKS_STALE_MS: u64 = 2_000;
/// How long that may take, ms; and at the isolate's first decision, when there is nothing to fall back on.
const REFRESH_TIMEOUT_MS: u32 = 250;
const FIRST_TIMEOUT_MS: u32 = 2_000;

/// A request whose outcome is awaited.
pub struct Exchange {
    /// The request as it was described; read again when it is recorded.
    pub(super) text: String,
    pub id: EventId,
    pub(super) found: Found,
    /// The start of the body, where a session key was looked for in it.
    pub(super) body: Option<Start>,
    /// The key is one too many that nothing vouches for; its shard may.
    beyond: bool,
    /// The session whose key the request showed, where it was set aside: what stands against that one still counts.
    shown: Option<Found>,
    /// What its shard said of it.
    settled: Verdict,
    /// Platform time of arrival, for the duration; event time, for everything else.
    pub(super) started_ms: u64,
    pub(super) time_ms: u64,
    pub(super) marks: Marks,
    pub(super) action: Action,
    pub(super) recorded: bool,
    /// How the shard decides, where it does; then the outcome is flushed before the answer goes out.
    inline: Option<Inline>,
    /// The rules it is stopped for.
    pub(super) stops: Vec<Stop>,
    /// The outcome is flushed before the answer goes out.
    pub(super) at_once: bool,
    /// What the request carries, once it was looked at.
    pub(super) looked: Option<Looked>,
    /// Who the request says it is of, or tries to be, as stored; empty where nobody asked.
    pub(super) user: String,
    /// It only tries to be.
    pub(super) is_user_attempted: bool,
    /// Nothing is ever done about it: its route is watched only, or its caller is on the list of those never acted on.
    spared: bool,
}

/// [`Identified`], kept.
#[derive(Debug, Clone)]
pub struct Found {
    pub session: SessionId,
    pub former: Option<SessionId>,
    pub source: String,
    pub place: usize,
    pub verified: bool,
    pub principal: Principal,
    pub token: u64,
}

impl Found {
    fn of(identified: &Identified<'_>) -> Self {
        let Identified { session, former, source, place, verified, principal, token, .. } = *identified;
        Self { session, former, source: source.to_owned(), place, verified, principal, token }
    }

    pub fn view(&self) -> Identified<'_> {
        let Self { session, former, ref source, place, verified, principal, token } = *self;
        let (marks, wants_keys) = (Marks::default(), None);
        Identified { session, former, source, place, verified, principal, token, marks, wants_keys }
    }
}

/// Requests that wait at one time for a shard to vouch for their key; further ones are set aside unasked, so that a
/// flood of made-up keys does not become a flood of questions.
const MAX_STANDING_QUESTIONS: u32 = 32;
/// … and how long, ms.
const STANDING_TIMEOUT_MS: u32 = 250;

impl Exchange {
    /// Identifies a request. `now_ms` is the platform's time.
    pub fn new(
        text: &str,
        described: &Described<'_>,
        body: Option<Start>,
        policy: &Policy,
        now_ms: u64,
        isolate: &mut Isolate,
    ) -> (Self, Option<usize>) {
        if let Some(played) = described.time_ms {
            clock::play(played);
        }
        if described.development_refused {
            worker::console_warn!(
                "DEV_CLIENT_HEADERS and DEV_CLOCK are ignored for requests from the network; remove them"
            );
        }
        let time_ms = match described.time_ms {
            Some(played) => played,
            None if policy.development.clock => clock::now_ms(true),
            None => now_ms,
        };
        let request = with_body(described, policy, body.as_ref());
        let mut tokens = TokensAt { tokens: &mut isolate.tokens, now_ms: time_ms };
        let identified = policy.keys.identify(&request, &mut tokens);
        let mut marks = identified.marks;
        if described.spoofed {
            marks.set(Marks::SPOOFED);
        }
        let route = policy.route(described.method, described.path);
        let recorded = !described.preflight && route.is_none_or(|route| route.record);
        let inline = policy.inline(described.method, described.path).filter(|_| recorded);
        let is_user_asked = inline.is_some() || isolate.blocks.has_users() || !policy.allow.is_empty();
        let who = if policy.mode == Mode::Enforce && recorded && is_user_asked {
            user_named(&request, &identified, policy, isolate, time_ms)
        } else {
            Who::default()
        };
        let mut exchange = Self {
            text: text.to_owned(),
            id: isolate.event_id(time_ms, identified.session),
            found: Found::of(&identified),
            body,
            beyond: false,
            shown: None,
            settled: Verdict::ALLOW,
            started_ms: now_ms,
            time_ms,
            marks,
            action: Action::Allow,
            recorded,
            inline,
            stops: Vec::new(),
            at_once: inline.is_some() || (recorded && policy.is_step_at_once(described.method, described.path)),
            looked: None,
            user: who.user,
            is_user_attempted: who.attempted,
            spared: route.is_some_and(|route| route.monitor),
        };
        if policy.mode == Mode::Enforce && recorded {
            exchange.spared |= policy.allows(&exchange.caller(described, &exchange.user));
            let (body, spared) = (exchange.body.as_ref(), exchange.spared);
            exchange.looked = Some(inspection::look(described, body, spared, policy, isolate));
        }
        // Without any key of its issuer a real token cannot be told from a made-up one; one key id more proves nothing.
        let in_the_dark = identified
            .wants_keys
            .is_some_and(|issuer| isolate.tokens.issuers().get(issuer).is_some_and(|issuer| issuer.keys.is_empty()));
        if !identified.verified && !in_the_dark && recorded {
            exchange.weigh(&described.client, policy, isolate);
            if exchange.found.session != identified.session {
                exchange.id = isolate.event_id(time_ms, exchange.found.session);
            }
        }
        (exchange, identified.wants_keys)
    }

    /// Counts a key that nothing vouches for yet. While the deployment is new, one too many is only marked.
    fn weigh(&mut self, client: &Client<'_>, policy: &Policy, isolate: &mut Isolate) {
        let allowances = policy.allowances();
        if is_address_bound(&self.found.source) {
            self.found = own_session(&self.found, client, policy, self.time_ms, isolate);
            return;
        }
        if isolate.standings.meet(self.found.session, client, self.time_ms, allowances) == Standing::Within {
            return;
        }
        // While a secret rotates, nothing vouches for the new ids of old keys.
        if is_settled(policy, self.time_ms, isolate) && self.found.former.is_none() {
            self.beyond = true;
        } else {
            self.marks.set(Marks::SESSION_ROTATION);
        }
    }

    /// What it takes in memory, roughly.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.body.as_ref().map_or(0, |start| start.bytes.len())
    }

    /// Whether somebody has to be asked whether the request's key is more than its client's word.
    pub fn is_beyond(&self) -> bool {
        self.beyond
    }

    /// Asks the shard of the session to vouch for its key; where it does not, the request belongs to the client's own
    /// session.
    pub async fn settle(&mut self, described: &Described<'_>, policy: &Policy, env: &Env) {
        if !self.beyond {
            return;
        }
        self.beyond = false;
        let room = isolate::with(|i| {
            let (client, allowances) = (&described.client, policy.allowances());
            let room = i.standing_questions < MAX_STANDING_QUESTIONS
                && i.standings.may_ask(self.found.session, client, self.time_ms, allowances);
            i.standing_questions += u32::from(room);
            room
        });
        if room {
            let asked = self.ask(described, policy, env, STANDING_TIMEOUT_MS, attempt::Attempt::default()).await;
            isolate::with(|i| i.standing_questions = i.standing_questions.saturating_sub(1));
            match asked {
                Ok(Asked { verdict, proven: false, .. }) => self.settled = verdict,
                Ok(Asked { proven: true, .. }) => {
                    isolate::with(|i| i.standings.prove(self.found.session));
                    return;
                }
                // A shard that does not answer is no reason to take a customer's session away.
                Err(()) => return,
            }
        }
        let keyless = Found::of(&policy.keys.keyless(&described.client));
        let own = isolate::with(|i| own_session(&keyless, &described.client, policy, self.time_ms, i));
        self.shown = Some(core::mem::replace(&mut self.found, own));
        self.marks.set(Marks::SESSION_ROTATION);
        isolate::with(|i| {
            i.buffers.counts.set_aside += 1;
            self.id = i.event_id(self.time_ms, self.found.session);
        });
    }

    /// Whether the request can go on as it is, or somebody has to be asked, or it is stopped.
    pub fn is_clear(&self, described: &Described<'_>, policy: &Policy, isolate: &Isolate) -> bool {
        policy.mode == Mode::Monitor
            || self.spared
            // A preflight carries nothing and decides nothing; without it the browser could not even show the refusal.
            || described.preflight
            || (self.inline.is_none()
                && !is_stale(isolate, self.started_ms)
                && !self.is_attack()
                && self.cached(described, isolate) == Verdict::ALLOW)
    }

    /// Whether the request carries what it is to be stopped for.
    pub fn is_attack(&self) -> bool {
        self.looked.as_ref().is_some_and(|looked| looked.stops)
    }

    /// The verdict about a request that carries an attack.
    pub fn attack_verdict(&self) -> Verdict {
        Verdict { action: Action::Block, until_ms: self.time_ms }
    }

    /// Who the request is of, if it is this user's.
    fn caller<'a>(&self, described: &Described<'a>, user: &'a str) -> Caller<'a> {
        Caller { session: self.found.session, user, ..described.caller() }
    }

    fn cached(&self, described: &Described<'_>, isolate: &Isolate) -> Verdict {
        if isolate.blocks.is_empty() {
            return self.settled;
        }
        // The request may name another user than its session has.
        let of_session = isolate.known.get(&self.found.session).map_or("", |known| known.user.as_str());
        let users = [of_session, self.user.as_str()];
        let verdicts = users.map(|user| isolate.blocks.verdict(&self.caller(described, user), self.time_ms));
        let shown = self.shown.iter().flat_map(|shown| [Some(shown.session), shown.former]);
        let others = shown
            .chain([self.found.former])
            .flatten()
            .map(|session| isolate.blocks.verdict(&Caller { session, ..Caller::default() }, self.time_ms));
        others.chain(verdicts).chain([self.settled]).fold(Verdict::ALLOW, Verdict::stricter)
    }

    /// What is needed to withhold the answer, where the outcome brings about a verdict.
    pub fn released(&self, described: &Described<'_>) -> Option<Released> {
        let (ja4, user_agent) = (described.client.ja4.to_owned(), described.client.user_agent.to_owned());
        let (id, time_ms, session, user) = (self.id, self.time_ms, self.found.session, self.user.clone());
        let released = Released { id, time_ms, session, ip: described.client.ip, user, ja4, user_agent };
        (self.inline.is_some() && !self.spared).then_some(released)
    }

    /// The answer to a stopped request: nothing about why, only until when.
    pub fn stop(&mut self, verdict: Verdict) -> (u16, Response) {
        self.action = verdict.action;
        stopped(verdict, self.time_ms, self.id)
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

    /// What the origin is told of the session, signed for the request to `url`, which is what is sent. The client's own
    /// signature fields are kept beside ours.
    pub fn context(&self, url: &str, existing: [&str; 2], policy: &Policy, isolate: &Isolate) -> Option<Signed> {
        let signer = policy.signer.as_ref()?;
        let described = Described::read(&self.text, policy);
        let known = isolate.known.get(&self.found.session);
        let risk = known.map_or(0, |known| known.risk.score(self.time_ms));
        let findings: Vec<&str> = known.map_or_else(Vec::new, |k| k.findings.iter().map(|d| d.name()).collect());
        let cached = self.cached(&described, isolate).action;
        let context = Context {
            id: self.found.session,
            risk,
            known: known.is_some(),
            verdict: if risk >= FLAGGED { cached.max(Action::Tag) } else { cached },
            user: known.map(|known| known.user.as_str()).filter(|user| !user.is_empty()),
            verified: self.found.verified,
            findings: &findings,
        };
        let (scheme, rest) = url.split_once("://")?;
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let target = Target {
            method: described.method,
            authority,
            is_https: scheme.eq_ignore_ascii_case("https"),
            path,
            query,
            has_query: target.contains('?'),
        };
        let mut signed = signer.sign(context.header(), &target, self.time_ms / 1_000, &self.id.to_string());
        let [input, signature] = existing;
        (signed.signature_input, signed.signature) = merge(input, signature, &signed);
        Some(signed)
    }

    /// Which bodies `entry.mjs` has to read of this exchange: the request's, the response's.
    pub fn needs_bodies(&self, described: &Described<'_>, policy: &Policy) -> (bool, bool) {
        let (method, path) = (described.method, described.path);
        let read =
            policy.needs_body(method, path) || (self.looked.is_none() && inspection::wants_body(described, policy));
        let request = self.recorded && self.body.is_none() && read;
        (request, self.recorded && policy.needs_response_body(method, path))
    }

    /// Whether the outcome has to be flushed before the answer goes out.
    pub fn is_synchronous(&self) -> bool {
        self.at_once
    }
}

/// An exchange decided inline whose outcome is on its way to the shards, while its answer waits.
pub struct Released {
    id: EventId,
    time_ms: u64,
    session: SessionId,
    ip: Option<IpAddr>,
    user: String,
    ja4: String,
    user_agent: String,
}

impl Released {
    /// The answer in place of the origin's, where the request's own outcome, or one that came before it, brought about a
    /// verdict: whoever completes a pattern does not get what they asked for.
    pub fn withheld(&self, isolate: &Isolate) -> Option<Response> {
        let of_session = isolate.known.get(&self.session).map_or("", |known| known.user.as_str());
        let Self { id, time_ms, session, ip, ref user, ref ja4, ref user_agent } = *self;
        let caller = |user| Caller { session, ip, user, ja4, user_agent };
        let verdict = [of_session, user.as_str()].map(|user| isolate.blocks.verdict(&caller(user), time_ms));
        let verdict = verdict.into_iter().fold(Verdict::ALLOW, Verdict::stricter);
        (verdict.action >= Action::Throttle).then(|| stopped(verdict, time_ms, id).1)
    }
}

/// The answer to a request that is stopped: until when, and nothing about why.
fn stopped(verdict: Verdict, time_ms: u64, id: EventId) -> (u16, Response) {
    let problem = |status, title, detail: &str, extra: &[(&str, &str)]| {
        (status, Problem::new(status, title, detail, id.to_string()).response(extra))
    };
    if verdict.action != Action::Throttle {
        return problem(403, "Forbidden", "The request was refused.", &[]);
    }
    let left = verdict.until_ms.saturating_sub(time_ms).div_ceil(1_000).max(1).to_string();
    // draft-ietf-httpapi-ratelimit-headers: no request is left, and until when.
    let (limit, policy) = (format!("\"throughline\";r=0;t={left}"), format!("\"throughline\";q=0;w={left}"));
    let headers = [("retry-after", left.as_str()), ("ratelimit", &limit), ("ratelimit-policy", &policy)];
    problem(429, "Too many requests", "Try again later.", &headers)
}

/// Who a request says it is of, or tries to be, as stored.
fn user_named(
    request: &Request<'_>,
    found: &Identified<'_>,
    policy: &Policy,
    isolate: &mut Isolate,
    now_ms: u64,
) -> Who {
    let mut tokens = TokensAt { tokens: &mut isolate.tokens, now_ms };
    let (response, feedback) = (selector::Response::default(), Feedback::default());
    Outcome::of(&policy.keys, &policy.users, request, &response, &feedback, found, &mut tokens).who
}

/// Whether the body has to be read before the request is forwarded: it may carry an attack that is stopped, or a session
/// key while none before that one is there.
pub fn wants_body(described: &Described<'_>, policy: &Policy, isolate: &mut Isolate) -> bool {
    let (method, path) = (described.method, described.path);
    let names_user = policy.mode == Mode::Enforce
        && policy.users.needs_body(Side::Request, method, path)
        && policy.inline(method, path).is_some();
    if names_user || attempt::wants_body(described, policy) || inspection::wants_body_first(described, policy) {
        return true;
    }
    let Some(place) = policy.keys.first_in_body(described.method, described.path) else { return false };
    if described.preflight || policy.route(described.method, described.path).is_some_and(|route| !route.record) {
        return false;
    }
    let mut tokens =
        TokensAt { tokens: &mut isolate.tokens, now_ms: described.time_ms.unwrap_or_else(clock::real_now_ms) };
    policy.keys.identify(&described.parts(policy), &mut tokens).place > place
}

/// Whether the deployment is old enough for made-up keys to be told from those from before it.
fn is_settled(policy: &Policy, time_ms: u64, isolate: &Isolate) -> bool {
    let grace_ms = u64::from(policy.limits.unproven_grace_ms);
    grace_ms == 0 || isolate.installed_ms.is_some_and(|installed_ms| time_ms.saturating_sub(installed_ms) >= grace_ms)
}

/// The client's own session: by address and agent, or, for a client that shows too many agents, by address alone.
fn own_session(keyless: &Found, client: &Client<'_>, policy: &Policy, time_ms: u64, isolate: &mut Isolate) -> Found {
    let within = isolate.standings.meet_agent(keyless.session, client, time_ms, policy.allowances());
    if within == Standing::Within || !is_settled(policy, time_ms, isolate) {
        return keyless.clone();
    }
    Found::of(&policy.keys.keyless(&Client { user_agent: "", ..*client }))
}

/// The request with the start of its body, where that was read.
pub fn with_body<'a>(described: &'a Described<'_>, policy: &'a Policy, body: Option<&'a Start>) -> Request<'a> {
    let content_type = described.content_type(policy);
    Request { body: body.map(|start| start.body(content_type)), ..described.parts(policy) }
}

/// Whether the block set has to be asked for: not heard of for too long, and nobody set out to ask just now.
fn is_stale(isolate: &Isolate, now_ms: u64) -> bool {
    now_ms.saturating_sub(isolate.blocks_heard_ms.max(isolate.blocks_asked_ms)) >= BLOCKS_STALE_MS
}
