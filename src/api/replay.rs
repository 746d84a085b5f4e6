//! `POST replay`: what would change under another policy, over sessions that are stored or exchanges that were uploaded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::identify::{Exchange, HarLog, exchanges_of};
use crate::context::parse_feedback;
use crate::identity::Outcome;
use crate::identity::jwt::{Tokens, TokensAt};
use crate::inventory::templated;
use crate::policy::Policy;
use crate::query::parse_time;
use crate::replay::{Exchanged, FindingsChange, Stopped, compare, play};
use crate::selector::Response;
use crate::session::{EventId, SessionId, limit_params};
use crate::verdict::Action;

/// Longest body of the order, bytes: a HAR, as for `identify`.
pub const MAX_REPLAY_BYTES: usize = 4 * 1024 * 1024;
/// Sessions played in one answer, and requests of them.
pub const MAX_SESSIONS: u32 = 50;
pub const MAX_EVENTS: usize = 10_000;
/// Sections that can be tried over what is stored …
const STORED: [&str; 5] = ["WATCHES", "FLOWS", "DETECTORS", "EXCEPTIONS", "ROUTES"];
/// … and those that read what is not stored, and so need a HAR.
const RAW: [&str; 2] = ["SESSION_KEYS", "PARAMETERS"];
/// Sessions named that would be split or joined.
const MAX_REGROUPED: usize = 50;

/// The order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayOrder {
    /// Sections as they would be configured; each replaces the one in force whole.
    policy: BTreeMap<String, serde_json::Value>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
    har: Option<Har>,
}

#[derive(Debug, Deserialize)]
struct Har {
    log: HarLog,
}

/// What is to be played.
pub enum Source {
    /// Stored sessions: the question for them, as in the query string of `GET sessions`.
    Stored(String),
    Har(HarLog),
}

/// What would change.
#[derive(Debug, Serialize)]
pub struct ReplayAnswer {
    pub sessions: usize,
    pub requests: usize,
    pub findings: FindingsChange,
    pub stopped: StoppedChange,
    /// For a HAR.
    pub grouping: Option<Grouping>,
    pub parameters: Option<Vec<ParameterChange>>,
    /// Cursor of the next sessions, if there are more.
    pub next: Option<String>,
    /// Whether something is missing from this part of it.
    pub partial: bool,
}

/// Requests that would have been stopped, under the policy in force and under the other one, both enforced.
#[derive(Debug, Serialize)]
pub struct StoppedChange {
    pub now: Stopped,
    pub then: Stopped,
}

/// How exchanges fall into sessions.
#[derive(Debug, Default, Serialize)]
pub struct Grouping {
    pub sessions_now: usize,
    pub sessions_then: usize,
    /// Sessions that would be several, and those that several would become.
    pub split: Vec<Regrouped>,
    pub joined: Vec<Regrouped>,
}

#[derive(Debug, Serialize)]
pub struct Regrouped {
    pub session: String,
    pub requests: usize,
    pub others: Vec<String>,
}

/// How often a parameter is found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ParameterChange {
    pub name: String,
    pub now: usize,
    pub then: usize,
    /// Of those found then, values that are none of their type.
    pub invalid: usize,
}

impl ReplayOrder {
    /// The policy to try and what to try it on. `bindings` answers what is configured.
    ///
    /// # Errors
    ///
    /// What is wrong with the order, or the policy, by its place in the body.
    pub fn resolve(self, bindings: &dyn Fn(&str) -> Option<String>, now_ms: u64) -> Result<(Policy, Source), Refusal> {
        let member = |path: String, reason: &str| Err(Refusal::Member(path, reason.to_owned()));
        if self.policy.is_empty() {
            return member("policy".into(), "is empty; name the sections to try");
        }
        for name in self.policy.keys() {
            if RAW.contains(&name.as_str()) && self.har.is_none() {
                return member(
                    format!("policy.{name}"),
                    "reads what is not stored; send the exchanges to try it on as `har`",
                );
            }
            if !STORED.contains(&name.as_str()) && !RAW.contains(&name.as_str()) {
                return member(format!("policy.{name}"), "is no section that can be tried");
            }
        }
        let policy = self.changed(bindings)?;
        for (name, time) in [("from", &self.from), ("to", &self.to)] {
            if time.as_deref().is_some_and(|time| parse_time(time, now_ms).is_none()) {
                return member(name.into(), "is no RFC 3339 time, and no duration back from now such as `-24h`");
            }
        }
        if let Some(Har { log }) = self.har {
            let others = [("from", self.from.is_some()), ("to", self.to.is_some()), ("cursor", self.cursor.is_some())];
            return match others.into_iter().find(|(_, set)| *set) {
                Some((name, _)) => member(name.into(), "is for stored sessions, not for a HAR"),
                None => Ok((policy, Source::Har(log))),
            };
        }
        let mut question = form_urlencoded::Serializer::new(String::new());
        question.append_pair("from", self.from.as_deref().unwrap_or("-24h"));
        let others = [("to", &self.to), ("cursor", &self.cursor)];
        for (name, value) in others.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
            question.append_pair(name, value);
        }
        question.append_pair("limit", &MAX_SESSIONS.to_string());
        Ok((policy, Source::Stored(question.finish())))
    }

    fn changed(&self, bindings: &dyn Fn(&str) -> Option<String>) -> Result<Policy, Refusal> {
        let get = |name: &str| {
            if let Some(section) = self.policy.get(name) {
                return Some(section.to_string());
            }
            // A section that is replaced does not go on in what was its next part.
            let is_part = |whole: &str| name.strip_prefix(whole).and_then(|rest| rest.strip_prefix('_'));
            let replaced = self.policy.keys().any(|whole| {
                is_part(whole).is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
            });
            if replaced { None } else { bindings(name) }
        };
        Policy::load(&get).map_err(|problems| {
            let problem = problems.into_iter().next();
            let (path, reason) = problem.map_or_else(Default::default, |problem| (problem.path, problem.reason));
            Refusal::Member(format!("policy.{path}"), reason)
        })
    }
}

impl ReplayAnswer {
    /// Plays stored exchanges, in the order of their times, under both policies.
    ///
    /// # Errors
    ///
    /// Exchanges that cannot be played.
    pub fn of_stored(now: &Policy, then: &Policy, exchanges: &[Exchanged], installed_ms: u64) -> Result<Self, Refusal> {
        let sessions: BTreeSet<SessionId> = exchanges.iter().map(|exchange| exchange.session).collect();
        let answer = Self::of(now, exchanges, then, exchanges, installed_ms)?;
        Ok(Self { sessions: sessions.len(), ..answer })
    }

    fn of(
        now: &Policy,
        as_now: &[Exchanged],
        then: &Policy,
        as_then: &[Exchanged],
        installed_ms: u64,
    ) -> Result<Self, Refusal> {
        let played = |policy, exchanges| play(policy, exchanges, installed_ms).map_err(|_| Refusal::Unavailable);
        let (before, after) = (played(now, as_now)?, played(then, as_then)?);
        Ok(Self {
            sessions: 0,
            requests: as_then.len(),
            findings: compare(&before, &after),
            stopped: StoppedChange { now: Stopped::of(&before), then: Stopped::of(&after) },
            grouping: None,
            parameters: None,
            next: None,
            partial: false,
        })
    }

    /// Reads and plays the exchanges of a HAR file under both policies. What a session did before is taken for known:
    /// the file is all there is.
    ///
    /// # Errors
    ///
    /// An exchange that cannot be read, by its place.
    pub fn of_har(now: &Policy, then: &Policy, log: HarLog, tokens: &mut Tokens, now_ms: u64) -> Result<Self, Refusal> {
        let (mut exchanges, partial) = exchanges_of(log, now_ms)?;
        exchanges.sort_by_key(Exchange::time_ms);
        let mut read = |policy: &Policy| -> Result<Vec<Exchanged>, Refusal> {
            (0..).zip(&exchanges).map(|(at, exchange)| recorded(exchange, at, policy, tokens)).collect()
        };
        let (as_now, as_then) = (read(now)?, read(then)?);
        let answer = Self::of(now, &as_now, then, &as_then, 0)?;
        let grouping = Grouping::of(&as_now, &as_then);
        Ok(Self {
            sessions: grouping.sessions_then,
            grouping: Some(grouping),
            parameters: Some(parameters_of(&as_now, &as_then)),
            partial,
            ..answer
        })
    }
}

/// The exchange as it would be recorded.
fn recorded(exchange: &Exchange, at: u64, policy: &Policy, tokens: &mut Tokens) -> Result<Exchanged, Refusal> {
    let time_ms = exchange.time_ms();
    let mut tokens = TokensAt { tokens, now_ms: time_ms };
    exchange.sampled(policy, |sampled| {
        let request = &sampled.request;
        let response = sampled.response.unwrap_or(Response { status: 200, ..Response::default() });
        let found = policy.keys.identify(request, &mut tokens);
        let feedback = parse_feedback(sampled.feedback);
        let outcome = Outcome::of(&policy.keys, &policy.users, request, &response, &feedback, &found, &mut tokens);
        let starts = outcome.issued.first().filter(|issued| {
            issued.starts && crate::identity::is_address_bound(found.source) && sampled.response.is_some()
        });
        let (session, key_source, verified) = match starts {
            Some(issued) => (issued.session, issued.source.clone(), issued.verified),
            None => (found.session, found.source.to_owned(), found.verified),
        };
        let pseudonym = |kind: &str, value: &str| policy.keys.ring().pseudonym(kind, value);
        let verifies = policy.keys.verifies();
        let asked = policy.parameters.read_request(request, verifies, &pseudonym, &mut tokens);
        let endpoint = (request.method, request.path);
        let answered = policy.parameters.read_response(endpoint, &response, verifies, &pseudonym, &mut tokens);
        let mut values: Vec<_> =
            asked.values.into_iter().chain(answered.values).map(|(id, value)| (u32::from(id.0), value)).collect();
        limit_params(&mut values);
        let named = |(id, value)| {
            let name = policy.value_names.get(id as usize).map_or_else(String::new, ToString::to_string);
            (name, value)
        };
        let path = templated(request.path, policy.limits.path_bytes as usize);
        let names: Vec<&str> = feedback.events.iter().map(|event| event.name.as_str()).collect();
        Exchanged {
            id: EventId::new(time_ms, session, at),
            session,
            key_source,
            verified,
            issued: starts.is_some(),
            method: request.method.to_owned(),
            host: request.host.to_owned(),
            template: path.template,
            path: path.path,
            status: response.status,
            duration_ms: 0,
            response_bytes: None,
            ip: request.client.ip,
            country: request.client.country.to_owned(),
            asn: request.client.asn,
            user_agent: request.client.user_agent.to_owned(),
            ja4: request.client.ja4.to_owned(),
            user: outcome.who.user,
            attempted: outcome.who.attempted,
            roles: outcome.who.roles,
            feedback: names.join(","),
            params: values.into_iter().map(named).collect(),
            action: Action::Allow,
            carried: Vec::new(),
        }
    })
}

impl Grouping {
    fn of(now: &[Exchanged], then: &[Exchanged]) -> Self {
        let mut into: BTreeMap<SessionId, (usize, BTreeSet<SessionId>)> = BTreeMap::new();
        let mut from: BTreeMap<SessionId, (usize, BTreeSet<SessionId>)> = BTreeMap::new();
        for (before, after) in now.iter().zip(then) {
            for (of, session, other) in
                [(&mut into, before.session, after.session), (&mut from, after.session, before.session)]
            {
                let (requests, others) = of.entry(session).or_default();
                *requests += 1;
                others.insert(other);
            }
        }
        let several = |of: &BTreeMap<SessionId, (usize, BTreeSet<SessionId>)>| {
            let several = of.iter().filter(|(_, (_, others))| others.len() > 1).take(MAX_REGROUPED);
            several
                .map(|(session, (requests, others))| Regrouped {
                    session: session.to_string(),
                    requests: *requests,
                    others: others.iter().take(MAX_REGROUPED).map(ToString::to_string).collect(),
                })
                .collect()
        };
        let (split, joined) = (several(&into), several(&from));
        Self { sessions_now: into.len(), sessions_then: from.len(), split, joined }
    }
}

fn parameters_of(now: &[Exchanged], then: &[Exchanged]) -> Vec<ParameterChange> {
    let mut all: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for (name, _) in now.iter().flat_map(|exchange| &exchange.params) {
        all.entry(name).or_default().0 += 1;
    }
    for (name, value) in then.iter().flat_map(|exchange| &exchange.params) {
        let (_, found, invalid) = all.entry(name).or_default();
        *found += 1;
        *invalid += usize::from(value.is_invalid());
    }
    let change = |(name, (now, then, invalid)): (&str, (usize, usize, usize))| ParameterChange {
        name: name.to_owned(),
        now,
        then,
        invalid,
    };
    all.into_iter().map(change).collect()
}
