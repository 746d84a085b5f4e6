//! Who the person behind a session is: from parameters with a role, verified claims, and what the origin reports.
//!
//! A name in a login request is only who somebody tries to be. It becomes the session's user when the origin let the
//! request pass, and not where the origin says otherwise.

use crate::context::Feedback;
use crate::inventory::Pattern;
use crate::selector::{Found, ReadTokens, Request, Response, Selector, Side, Trust};
use crate::session::Marks;

use super::Keyring;
use super::issue::{Stage, stage};
use super::oddities::marks_of;

/// Longest user or role kept, bytes; a longer one is no name.
const MAX_NAME_BYTES: usize = 256;
/// Roles kept of one event.
const MAX_ROLES: usize = 4;

/// What a business parameter says about who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Role,
}

/// How a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    Plain,
    /// As a keyed pseudonym, which only a search for the value finds again.
    Hashed,
    Drop,
}

/// A business parameter that says who is calling.
#[derive(Debug, Clone)]
pub struct Naming {
    pub name: String,
    pub from: Selector,
    /// Endpoints it is looked for on; `None` for all.
    pub on: Option<Pattern>,
    pub role: Role,
    pub store: Storing,
}

impl Exchange<'_, '_> {
    /// Whether a login was answered with its form again, as server-rendered sites answer a wrong password: with the page
    /// and no key, or by leading back to it.
    fn shows_the_form_again(&self) -> bool {
        let Request { method, path, .. } = self.request;
        if stage(method, path) != Some(Stage::Login) {
            return false;
        }
        let header = |name: &str| self.response.headers.get(name).unwrap_or("");
        let html = header("content-type").to_ascii_lowercase().starts_with("text/html");
        let target = header("location").split(['?', '#']).next().unwrap_or("");
        (html && !self.issued) || stage("GET", target) == Some(Stage::Login)
    }
}

/// Every way a deployment learns who is calling.
#[derive(Debug, Clone, Default)]
pub struct UserPlan {
    namings: Vec<Naming>,
}

/// Who is calling, as far as one exchange tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    /// In the form it is stored in; empty where unknown.
    pub user: String,
    /// The user is only who somebody tried to be.
    pub attempted: bool,
    /// Separated by commas.
    pub roles: String,
    /// What was out of the ordinary about reading the names.
    pub marks: Marks,
}

/// One exchange as names are looked for in it.
pub struct Exchange<'a, 'b> {
    pub request: &'b Request<'a>,
    pub response: &'b Response<'a>,
    pub feedback: &'b Feedback,
    /// The `sub` of a verified token that came with the request.
    pub subject: Option<&'b str>,
    /// Whether the response gave the client a key.
    pub issued: bool,
    /// Whether tokens are verified at all; where they are, what an unverified one claims is nothing.
    pub verifies: bool,
}

impl UserPlan {
    /// Namings in the order they are tried; the first that finds a name wins.
    pub fn new(namings: Vec<Naming>) -> Self {
        Self { namings }
    }

    /// The namings of the plan.
    pub fn namings(&self) -> &[Naming] {
        &self.namings
    }

    /// Whether the user is the `sub` of a verified token, because nothing else was configured.
    pub fn names_by_subject(&self) -> bool {
        !self.namings.iter().any(|naming| naming.role == Role::User)
    }

    /// The headers of this side that names are read from.
    pub fn headers(&self, side: Side) -> Vec<String> {
        {
            let on_side = self.namings.iter().filter(|n| n.from.side() == side);
            let mut names: Vec<String> = on_side.flat_map(|n| n.from.headers()).map(str::to_owned).collect();
            if side == Side::Response && !self.namings.is_empty() {
                names.extend(["content-type", "location"].map(str::to_owned));
            }
            names
        }
    }

    /// Whether a body of this side is needed to name the caller of this endpoint.
    pub fn needs_body(&self, side: Side, method: &str, path: &str) -> bool {
        self.namings.iter().any(|n| n.from.side() == side && n.from.needs_body() && is_on(n, method, path))
    }

    /// The subject of a token in the form users are stored in, where it is another than `user`; nothing where either is
    /// not known.
    pub fn told_subject(&self, subject: &str, user: &str, ring: &Keyring) -> Option<String> {
        let storing = self.namings.iter().find(|n| n.role == Role::User).map_or(Storing::Hashed, |n| n.store);
        let told = stored(subject, "user", storing, ring);
        (!user.is_empty() && !told.is_empty() && told != user).then_some(told)
    }

    /// Forms the raw name of a user may be stored in.
    pub fn forms(ring: &Keyring, raw: &str) -> Vec<String> {
        let mut forms = ring.pseudonyms("user", raw);
        forms.push(raw.to_owned());
        forms
    }

    /// Forms in which this plan stores the user of this raw name, the one of today first.
    pub fn stored_forms(&self, ring: &Keyring, raw: &str) -> Vec<String> {
        let mut storings = self.namings.iter().filter(|naming| naming.role == Role::User).map(|naming| naming.store);
        let plain = storings.clone().any(|storing| storing == Storing::Plain).then(|| raw.to_owned());
        // Without a naming users are told by the origin or by tokens, and are pseudonyms.
        let hashes = plain.is_none() || storings.any(|storing| storing != Storing::Plain);
        let hashed = if hashes { ring.pseudonyms("user", raw) } else { Vec::new() };
        plain.into_iter().chain(hashed).collect()
    }

    /// Who is calling.
    pub fn who(&self, exchange: &Exchange<'_, '_>, ring: &Keyring, tokens: &mut dyn ReadTokens) -> Who {
        let mut who = Who::default();
        if self.namings.is_empty() && exchange.feedback.events.is_empty() && exchange.subject.is_none() {
            return who;
        }
        let refused =
            exchange.feedback.events.iter().any(|event| matches!(event.name.as_str(), "login-failure" | "mfa-failure"));
        let let_pass = (200..300).contains(&exchange.response.status)
            || ((300..400).contains(&exchange.response.status) && exchange.issued);
        let let_pass = let_pass && !refused && !exchange.shows_the_form_again();
        let storing = self.namings.iter().find(|n| n.role == Role::User).map_or(Storing::Hashed, |n| n.store);
        if let Some((user, attempted)) = reported(exchange.feedback) {
            who.user = stored(user, "user", storing, ring);
            who.attempted = attempted;
        }
        for naming in &self.namings {
            if (naming.role == Role::User && !who.user.is_empty())
                || !is_on(naming, exchange.request.method, exchange.request.path)
            {
                continue;
            }
            let (names, marks) = self.names(naming, exchange, tokens);
            who.marks.set(marks);
            for (name, sure) in names {
                match naming.role {
                    Role::User if who.user.is_empty() => {
                        who.user = stored(&name, "user", naming.store, ring);
                        who.attempted = !(sure || let_pass);
                    }
                    Role::Role if sure || let_pass => {
                        add_role(&mut who.roles, &stored(&name, "role", naming.store, ring));
                    }
                    Role::User | Role::Role => {}
                }
            }
        }
        if who.user.is_empty() && self.names_by_subject() {
            who.user = exchange.subject.map_or_else(String::new, |sub| stored(sub, "user", Storing::Hashed, ring));
        }
        let storing = self.namings.iter().find(|n| n.role == Role::Role).map_or(Storing::Plain, |n| n.store);
        let reported = exchange.feedback.events.iter().filter_map(|event| event.role.as_deref());
        reported.filter(|_| !refused).for_each(|role| add_role(&mut who.roles, &stored(role, "role", storing, ring)));
        who
    }

    /// The values of a naming, each with whether it is beyond doubt, and what was odd about reading them.
    fn names(
        &self,
        naming: &Naming,
        exchange: &Exchange<'_, '_>,
        tokens: &mut dyn ReadTokens,
    ) -> (Vec<(String, bool)>, Marks) {
        let path = exchange.request.path;
        let captures = naming.on.as_ref().map_or_else(Vec::new, |on| on.captures(path));
        let found: Found = match naming.from.side() {
            Side::Request => {
                let request = Request { captures: &captures, ..*exchange.request };
                naming.from.read_request(&request, tokens)
            }
            Side::Response => naming.from.read_response(exchange.response, tokens),
        };
        let believed = |trust: Option<Trust>| match trust {
            None => Some(false),
            Some(Trust::Verified(_)) => Some(true),
            Some(Trust::Unverified) => (!exchange.verifies).then_some(false),
        };
        let named = found.values.into_iter().filter(|v| !v.text.is_empty() && v.text.len() <= MAX_NAME_BYTES);
        let names = named.filter_map(|value| Some((value.text, believed(value.trust)?))).take(MAX_ROLES);
        (names.collect(), marks_of(found.marks))
    }
}

/// The user the origin reports, and whether that is only who somebody tried to be. Some reports are about an account
/// rather than about who is calling: whoever asks for a password reset, or gets an account locked, need not be its owner.
fn reported(feedback: &Feedback) -> Option<(&str, bool)> {
    const ABOUT: [&str; 5] = ["login-failure", "mfa-failure", "account-lock", "account-unlock", "password-reset"];
    let named = || feedback.events.iter().filter_map(|event| Some((event.user.as_deref()?, event.name.as_str())));
    let attempt = named().find(|(_, name)| ABOUT.contains(name));
    attempt.map(|(user, _)| (user, true)).or_else(|| named().next().map(|(user, _)| (user, false)))
}

fn is_on(naming: &Naming, method: &str, path: &str) -> bool {
    naming.on.as_ref().is_none_or(|on| on.matches(method, path))
}

/// The value as it is kept; empty where it is not.
fn stored(value: &str, kind: &str, storing: Storing, ring: &Keyring) -> String {
    match storing {
        _ if value.is_empty() || value.len() > MAX_NAME_BYTES => String::new(),
        Storing::Plain => value.chars().filter(|c| !c.is_control()).collect(),
        Storing::Hashed => ring.pseudonym(kind, value),
        Storing::Drop => String::new(),
    }
}

fn add_role(roles: &mut String, role: &str) {
    let role: String = role.chars().filter(|c| *c != ',' && !c.is_control()).take(64).collect();
    if role.is_empty() || roles.split(',').any(|r| r == role) || roles.split(',').count() > MAX_ROLES {
        return;
    }
    if !roles.is_empty() {
        roles.push(',');
    }
    roles.push_str(&role);
}
