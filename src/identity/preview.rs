//! What would be made of a sample exchange: which key matches, what was tried and why not, whom it names, what it links.
//!
//! The same code decides as for traffic; only what it says on the way is kept here.

use serde::Serialize;

use super::issue::Issued;
use super::jwt::TokensAt;
use super::keys::{KEYLESS, Tried};
use super::outcome::Outcome;
use super::{Identified, KeyPlan, UserPlan, is_address_bound};
use crate::context::parse_feedback;
use crate::selector::{Request, Response};
use crate::session::Marks;

/// A sample and what there is to know to read it.
#[derive(Debug, Clone, Copy)]
pub struct Sampled<'a> {
    pub request: Request<'a>,
    /// `None` where only a request is given: then nothing is said about links, and names are taken for let in.
    pub response: Option<Response<'a>>,
    /// Value of the response's `Session-Event` header.
    pub feedback: &'a str,
}

/// What would be made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The session the event would belong to.
    pub session: String,
    pub key: PreviewedKey,
    /// Every configured key and, where none matched, what was found in their place.
    pub tried: Vec<Attempt>,
    pub user: Option<String>,
    /// Whether the user is only who somebody tried to be.
    pub user_attempted: bool,
    pub roles: Vec<String>,
    /// Sessions the response would lead to.
    pub links: Vec<PreviewedLink>,
    /// Whether the response would end the session.
    pub ended: bool,
    /// Names in the response's `Session-Event`.
    pub feedback: Vec<String>,
    pub marks: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewedKey {
    pub source: String,
    pub verified: bool,
}

/// One key that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    pub source: String,
    /// `matched`, `unverified` (the whole token stands in for a claim), `absent`, `elsewhere` (not on this endpoint).
    pub outcome: &'static str,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewedLink {
    pub session: String,
    pub source: String,
    pub verified: bool,
    pub reason: &'static str,
    /// Whether the event itself would belong to that session: its request came with no key.
    pub starts: bool,
}

/// Reads a sample.
pub fn preview(keys: &KeyPlan, users: &UserPlan, sample: &Sampled<'_>, tokens: &mut TokensAt<'_>) -> Preview {
    let request = &sample.request;
    let found = keys.identify(request, tokens);
    let mut tried = keys.attempts(request, &found, tokens);
    if found.place >= super::keys::BUILT_IN {
        let reason = match found.place {
            KEYLESS => "no key at all: the client's own address and agent",
            _ => "built in: tried after the configured keys",
        };
        tried.push(Attempt { source: found.source.to_owned(), outcome: "matched", reason: reason.to_owned() });
    }
    let mut marks = found.marks;
    marks.set(keys.oddities(request, &found));
    let feedback = parse_feedback(sample.feedback);
    if feedback.malformed || feedback.cut {
        marks.set(Marks::FEEDBACK_MALFORMED);
    }
    let response = sample.response.unwrap_or(Response { status: 200, ..Response::default() });
    let outcome = Outcome::of(keys, users, request, &response, &feedback, &found, tokens);
    let starts =
        |issued: &Issued| issued.starts && is_address_bound(found.source) && outcome.issued.first() == Some(issued);
    let links: Vec<PreviewedLink> = outcome
        .issued
        .iter()
        .filter(|_| sample.response.is_some())
        .map(|issued| PreviewedLink {
            session: issued.session.to_string(),
            source: issued.source.clone(),
            verified: issued.verified,
            reason: outcome.reason(request, &found, issued, &feedback).name(),
            starts: starts(issued),
        })
        .collect();
    let session =
        links.iter().find(|link| link.starts).map_or_else(|| found.session.to_string(), |l| l.session.clone());
    Preview {
        session,
        key: PreviewedKey { source: found.source.to_owned(), verified: found.verified },
        tried,
        user: Some(outcome.who.user.clone()).filter(|user| !user.is_empty()),
        user_attempted: outcome.who.attempted,
        roles: outcome.who.roles.split(',').filter(|r| !r.is_empty()).map(str::to_owned).collect(),
        ended: outcome.ended && sample.response.is_some(),
        feedback: feedback.events.iter().map(|event| event.name.clone()).collect(),
        marks: marks.names().collect(),
        links,
    }
}

impl KeyPlan {
    /// What trying each configured key came to, up to the one that matched.
    fn attempts(&self, request: &Request<'_>, found: &Identified<'_>, tokens: &mut TokensAt<'_>) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for (place, ready) in self.keys.iter().enumerate() {
            let source = ready.key.from.text().to_owned();
            let attempt =
                |outcome, reason: &str| Attempt { source: source.clone(), outcome, reason: reason.to_owned() };
            attempts.push(match self.try_key(ready, request, tokens) {
                Tried::NotHere => attempt("elsewhere", "its `on` does not fit this endpoint"),
                Tried::Absent => attempt("absent", "the request has no value there"),
                Tried::Found { .. } if place > found.place => attempt("absent", "a key before it matched"),
                Tried::Found { verified: true, .. } => attempt("matched", "a claim of a verified token"),
                Tried::Found { verified: false, token: None, .. } => attempt("matched", "the value as sent"),
                Tried::Found { verified: false, token: Some(token), .. } => {
                    let why = match tokens.tokens.read(&token, tokens.now_ms) {
                        Ok(_) => "the token is verified but has no such claim: the whole token is the value".to_owned(),
                        Err(refusal) => {
                            format!("the token is not verified ({refusal:?}): the whole token is the value")
                        }
                    };
                    attempt("unverified", &why)
                }
            });
            if place == found.place {
                break;
            }
        }
        attempts
    }
}
