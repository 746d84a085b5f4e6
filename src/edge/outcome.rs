//! The outcome of an exchange: who it turned out to be, which sessions it links, and its record.

use std::borrow::Cow;

use super::buffer::Beside;
use super::contract;
use super::due::Due;
use super::exchange::{Exchange, Found, with_body};
use super::inspection;
use super::isolate::Isolate;
use super::request::{Described, Start, Told};
use crate::context::{Feedback, parse_feedback};
use crate::detect::object_of;
use crate::identity::jwt::TokensAt;
use crate::identity::{Issued, Outcome, Standing, Who, is_address_bound, marks_of};
use crate::inventory::{Seen, Traits, endpoint_hash, issued, operation, shows_existence, templated, with_operation};
use crate::parameter::{Reading, Value};
use crate::policy::Policy;
use crate::session::{Event, Issue, Marks, Objects, Params, are_strangers, limit_params};
use crate::verdict::Action;

/// Longest user agent kept with an event, bytes.
pub(super) const USER_AGENT_BYTES: usize = 512;

/// What became of a request, for its record.
#[derive(Debug, Default)]
pub struct Answered<'a> {
    pub status: u16,
    pub response_bytes: Option<u64>,
    pub told: Told<'a>,
    pub request_body: Option<Start>,
    pub response_body: Option<Start>,
}

impl Answered<'_> {
    /// An answer that is ours.
    pub fn by_us(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

impl Exchange {
    /// Records the outcome and says what is due. `now_ms` is the platform's time.
    pub fn record(mut self, answered: &Answered<'_>, policy: &Policy, now_ms: u64, isolate: &mut Isolate) -> Due {
        if !self.recorded {
            return Due::Nothing;
        }
        let text = core::mem::take(&mut self.text);
        let described = Described::read(&text, policy);
        let client = described.client;
        let feedback = parse_feedback(answered.told.event);
        let looked = match self.looked.take() {
            Some(looked) => looked,
            None => {
                let body = self.body.as_ref().or(answered.request_body.as_ref());
                inspection::look(&described, body, true, policy, isolate)
            }
        };
        if looked.cut {
            self.marks.set(Marks::INSPECTION_CUT);
        }
        let body = self.body.as_ref().or(answered.request_body.as_ref());
        let asked_for = operation(&with_body(&described, policy, body));
        let catalogue = isolate.documents.catalogue.clone();
        let compared = catalogue.compare(&Seen {
            method: described.method,
            overriding: described.header(policy, "x-http-method-override"),
            host: described.host,
            path: described.path,
            status: answered.status,
            retiring: answered.told.retires(self.time_ms),
        });
        let path = templated(described.path, policy.limits.path_bytes as usize);
        let template = compared.template.or_else(|| catalogue.template_of(&path.template)).unwrap_or(&path.template);
        let answers = shows_existence(answered.status);
        let named = asked_for.filter(|name| isolate.operations.admits(template, name, answers));
        let template = &*named.map_or(Cow::Borrowed(template), |name| with_operation(template, &name).into());
        let traits = self.traits(&described, template, body, answered, policy, isolate);
        let reached = !self.marks.has(Marks::ORIGIN_FAILED) && !self.marks.has(Marks::ABANDONED);
        let mut carried = looked.carried;
        if let Some(known) = compared.known.filter(|_| self.action < Action::Throttle) {
            let answered = Some(answered).filter(|_| reached);
            carried.extend(contract::look(&described, body, answered, known, policy, isolate));
        }
        let mut values = Vec::new();
        let who = self.identify_outcome(&described, answered, &feedback, policy, isolate, &mut values);
        if limit_params(&mut values) {
            self.marks.set(Marks::BODY_CUT);
        }
        let user_agent = cut(client.user_agent, USER_AGENT_BYTES);
        if path.cut || user_agent.len() < client.user_agent.len() {
            self.marks.set(Marks::CUT);
        }
        let names: Vec<&str> = feedback.events.iter().map(|event| event.name.as_str()).collect();
        let event = Event {
            id: self.id,
            session: self.found.session,
            key_source: &self.found.source,
            verified: self.found.verified,
            time_ms: self.time_ms,
            duration_ms: u32::try_from(now_ms.saturating_sub(self.started_ms)).unwrap_or(u32::MAX),
            method: described.method,
            host: cut(described.host, 255),
            path: &path.path,
            template,
            status: answered.status,
            request_bytes: described.request_bytes,
            response_bytes: answered.response_bytes,
            ip: client.ip,
            country: cut(client.country, 8),
            asn: client.asn,
            colo: cut(client.colo, 8),
            user_agent,
            ja4: cut(client.ja4, 64),
            user: &who.user,
            roles: &who.roles,
            principal: self.found.principal,
            token: self.found.token,
            feedback: &names.join(","),
            params: Params::new(&policy.value_names, &values),
            action: self.action,
            inventory: compared.inventory,
            marks: self.marks,
        };
        let objects = self.objects(&described, &path.template, answered, policy);
        let due = isolate.buffers.record(&event, Beside { carried, objects, traits }, policy, now_ms);
        isolate.buffers.stopped(event.session, core::mem::take(&mut self.stops), policy.shards);
        if self.at_once { isolate.buffers.more_urgent(due, Due::BeforeAnswer) } else { due }
    }

    /// What the exchange shows of its endpoint that this isolate has not told yet.
    fn traits(
        &self,
        described: &Described<'_>,
        template: &str,
        body: Option<&Start>,
        answered: &Answered<'_>,
        policy: &Policy,
        isolate: &mut Isolate,
    ) -> Option<Traits> {
        let is_use = (200..300).contains(&answered.status) && self.action < Action::Throttle;
        let endpoint = endpoint_hash(described.method, described.host, template);
        if !is_use || !isolate.sample.is_due(endpoint) {
            return None;
        }
        let answer = answered.response_body.as_ref().map(|start| start.bytes.as_slice());
        isolate.sample.news(endpoint, Traits::of(&with_body(described, policy, body), answer))
    }

    /// The objects that the request named and the answer hands out, where the route learns them.
    fn objects(
        &self,
        described: &Described<'_>,
        template: &str,
        answered: &Answered<'_>,
        policy: &Policy,
    ) -> Option<Objects> {
        let names = policy.learned_ids(described.method, described.path)?;
        let hash = policy.keys.ring().subjects().0;
        let part = |texts: &[&str]| hash.of_texts(texts) as u32;
        let object = object_of(template, described.path);
        let collection = object.map_or(template.trim_end_matches('/'), |(collection, _)| collection);
        let body = answered.response_body.as_ref();
        let handed = body.map(|start| issued(&start.bytes, start.cut, names)).unwrap_or_default();
        // A page of a list says nothing about the others.
        let is_page = described.query.split('&').any(|pair| {
            let name = pair.split('=').next().unwrap_or("");
            ["page", "offset", "cursor", "after", "before", "skip", "start"]
                .iter()
                .any(|of| name.eq_ignore_ascii_case(of))
        });
        let decoded = |id: &str| percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned();
        Some(Objects {
            endpoint: part(&[described.method, template]),
            collection: part(&[collection]),
            asked: object.map(|(_, id)| part(&[&decoded(id)])),
            issued: handed.ids.iter().map(|id| part(&[id])).collect(),
            more: handed.more || (is_page && object.is_none()),
        })
    }

    /// Reads request and response together: whom they name, which sessions they start, continue and end, and which
    /// business values they hold.
    fn identify_outcome(
        &mut self,
        described: &Described<'_>,
        answered: &Answered<'_>,
        feedback: &Feedback,
        policy: &Policy,
        isolate: &mut Isolate,
        values: &mut Vec<(u32, Value)>,
    ) -> Who {
        let body = self.body.take().or_else(|| answered.request_body.clone());
        let request = with_body(described, policy, body.as_ref());
        self.marks.set(policy.keys.oddities(&request, &self.found.view()));
        if feedback.malformed || feedback.cut {
            self.marks.set(Marks::FEEDBACK_MALFORMED);
        }
        if [&body, &answered.response_body].into_iter().flatten().any(|start| start.cut) {
            self.marks.set(Marks::BODY_CUT);
        }
        let mut tokens = TokensAt { tokens: &mut isolate.tokens, now_ms: self.time_ms };
        let (parameters, verifies) = (&policy.parameters, policy.keys.verifies());
        let pseudonym = |kind: &str, value: &str| policy.keys.ring().pseudonym(kind, value);
        self.take_values(values, parameters.read_request(&request, verifies, &pseudonym, &mut tokens));
        if self.action >= Action::Throttle {
            return Who::default();
        }
        let response = answered.told.parts(policy, answered.status, answered.response_body.as_ref());
        let endpoint = (described.method, described.path);
        let read = parameters.read_response(endpoint, &response, verifies, &pseudonym, &mut tokens);
        self.take_values(values, read);
        let came_with = self.found.clone();
        let found = came_with.view();
        let outcome = Outcome::of(&policy.keys, &policy.users, &request, &response, feedback, &found, &mut tokens);
        if outcome.ended {
            self.marks.set(Marks::ENDED);
        }
        self.marks.set(outcome.who.marks);
        if policy.value_names.len() > parameters.names().len() && !outcome.who.attempted {
            let subject = policy.keys.subject(&request, &found, &mut tokens).unwrap_or_default();
            // It is told where the user is somebody else, in the form the user is stored in.
            let subject = policy.users.told_subject(&subject, &outcome.who.user, policy.keys.ring());
            values.extend(subject.map(|subject| (parameters.names().len() as u32, Value::Text(subject.into()))));
        }
        if outcome.who.attempted {
            self.marks.set(Marks::USER_ATTEMPTED);
        }
        for issued in &outcome.issued {
            isolate.standings.prove(issued.session);
            isolate.buffers.issued(issued.session, policy.shards);
            if are_strangers(found.principal, issued.principal) {
                continue;
            }
            let issue = Issue {
                from: found.session,
                to: issued.session,
                reason: outcome.reason(&request, &found, issued, feedback),
                time_ms: self.time_ms,
                request: self.id,
                principal: issued.principal,
                local: found.session.shard(policy.shards) == issued.session.shard(policy.shards),
            };
            isolate.buffers.issue(issue, policy.shards);
        }
        // A request that came with no key belongs to the session it starts.
        if let Some(first) = outcome.issued.first().filter(|issued| issued.starts)
            && is_address_bound(&came_with.source)
        {
            if isolate.standings.start(&described.client, self.time_ms, policy.allowances()) == Standing::Within {
                let Issued { session, ref source, place, verified, principal, .. } = *first;
                let token = self.found.token;
                self.found = Found { session, former: None, source: source.clone(), place, verified, principal, token };
                // What was said of the key it came with is not true of this one.
                self.marks.clear(Marks::SESSION_ROTATION);
            } else {
                self.marks.set(Marks::SESSION_ROTATION);
            }
        }
        outcome.who
    }

    fn take_values(&mut self, values: &mut Vec<(u32, Value)>, read: Reading) {
        values.extend(read.values.into_iter().map(|(id, value)| (u32::from(id.0), value)));
        self.marks.set(marks_of(read.marks));
    }
}

/// Records the requests that died without an answer.
pub fn sweep(policy: &Policy, now_ms: u64, isolate: &mut Isolate) {
    let horizon = now_ms.saturating_sub(u64::from(policy.limits.abandon_ms));
    for mut exchange in isolate.exchanges.abandoned(now_ms, horizon) {
        exchange.marks.set(Marks::ABANDONED);
        exchange.at_once = false;
        // 499 is what proxies note for a client that closed its request. Whoever records next carries out what is due.
        let due = exchange.record(&Answered::by_us(499), policy, now_ms, isolate);
        isolate.due = isolate.buffers.more_urgent(isolate.due, due);
    }
}

/// The longest start of at most `max` bytes that cuts no character.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}
