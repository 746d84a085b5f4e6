//! Filters in typed form, and whether an event or a session fits them.
//!
//! On events all filters hold on the same event. On sessions each holds if any event fits it, which the values a
//! session counts tell without reading its events: each value is tested once, for all sessions that met it.

use core::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::params::{ParamTerms, ParamTest};
use crate::flow::Tags;
use crate::inspect::Attack;
use crate::inventory::{Inventory, path_of};
use crate::parameter::ParamStats;
use crate::session::{Detector, Event, EventId, Judgement, Kind, SessionId, State, Value};

/// Alternatives that are looked for, and those that exclude.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms<T> {
    pub any: Vec<T>,
    pub none: Vec<T>,
}

impl<T> Default for Terms<T> {
    fn default() -> Self {
        Self { any: Vec::new(), none: Vec::new() }
    }
}

impl<T> Terms<T> {
    /// Whether anything is asked.
    fn is_asked(&self) -> bool {
        !self.any.is_empty() || !self.none.is_empty()
    }

    /// Which terms a value fits.
    pub(super) fn hit(&self, fits: impl Fn(&T) -> bool) -> Hit {
        Hit { any: self.any.iter().any(&fits), none: self.none.iter().any(&fits) }
    }

    /// `fits` says whether one term holds.
    fn hold(&self, fits: impl Fn(&T) -> bool) -> bool {
        (self.any.is_empty() || self.any.iter().any(&fits)) && !self.none.iter().any(&fits)
    }
}

/// `404` or `4xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusTerm {
    Code(u16),
    Class(u16),
}

impl StatusTerm {
    fn fits(self, status: u16) -> bool {
        match self {
            Self::Code(code) => status == code,
            Self::Class(class) => status / 100 == class,
        }
    }
}

/// An endpoint, by template, with or without method, host and operation; `{…}` stands for any segment, `*` at the end for
/// any rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointTerm {
    pub method: Option<String>,
    pub host: Option<String>,
    pub path: String,
    /// Whether `path` is the template itself and nothing in it stands for something else.
    #[serde(default)]
    pub exact: bool,
}

impl EndpointTerm {
    /// Parses `/path`, `METHOD /path` or `METHOD host/path`.
    pub fn parse(text: &str) -> Option<Self> {
        let (method, rest) = match text.split_once(' ') {
            Some((method, rest)) if !method.contains('/') => (Some(method).filter(|m| *m != "*"), rest),
            // What follows the space is of an operation.
            _ => (None, text),
        };
        let slash = rest.find('/')?;
        let (host, path) = rest.split_at(slash);
        let owned = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        Some(Self { method: method.and_then(owned), host: owned(host), path: path.to_owned(), exact: false })
    }

    /// The endpoint of this name and no other.
    pub fn exactly(method: &str, host: &str, template: &str) -> Self {
        let (method, host) = (Some(method.to_owned()), Some(host.to_owned()));
        Self { method, host, path: template.to_owned(), exact: true }
    }

    fn fits(&self, method: &str, host: &str, template: &str) -> bool {
        self.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
            && self.host.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(host))
            && self.path_fits(template)
    }

    fn path_fits(&self, template: &str) -> bool {
        if self.exact {
            return self.path == template;
        }
        if let Some(start) = self.path.strip_suffix('*') {
            return template.starts_with(start);
        }
        // Without an operation it stands for all of them.
        let template = if self.path.contains('#') { template } else { path_of(template) };
        let (mut wanted, mut found) = (self.path.split('/'), template.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(w), Some(f)) if w == f || (w.starts_with('{') && w.ends_with('}') && !f.is_empty()) => {}
                _ => return false,
            }
        }
    }
}

/// Method, host and template of the name `METHOD host/template` that sessions count endpoints by.
pub(super) fn parts(name: &str) -> (&str, &str, &str) {
    let (method, rest) = name.split_once(' ').unwrap_or(("", name));
    let (host, template) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
    (method, host, template)
}

/// Whether `text`, which is lower case, stands in `name`.
pub(crate) fn contains_ignore_case(name: &str, text: &str) -> bool {
    let (name, text) = (name.as_bytes(), text.as_bytes());
    text.is_empty() || name.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}

/// A user by the raw value: every form it may be stored in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTerm(pub Vec<String>);

impl UserTerm {
    fn fits(&self, user: &str) -> bool {
        self.0.iter().any(|form| form == user)
    }
}

/// What a value says about a session that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hit {
    /// It is one of those looked for.
    pub any: bool,
    /// It excludes the session.
    pub none: bool,
}

/// A filter on values that sessions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Ip,
    Country,
    Asn,
    Host,
    Endpoint,
    Text,
    Method,
    Status,
    Detector,
    Attack,
    Inventory,
    User,
    AttemptedUser,
    Role,
    Flow,
    /// The parameter at this place of [`Filter::params`].
    Param(usize),
}

impl Field {
    const ALL: [Self; 15] = [
        Self::Ip,
        Self::Country,
        Self::Asn,
        Self::Host,
        Self::Endpoint,
        Self::Text,
        Self::Method,
        Self::Status,
        Self::Detector,
        Self::Attack,
        Self::Inventory,
        Self::User,
        Self::AttemptedUser,
        Self::Role,
        Self::Flow,
    ];

    /// The kind of the values it is about.
    pub fn kind(self) -> Kind {
        match self {
            Self::Ip | Self::Country | Self::Asn => Kind::Address,
            Self::Host | Self::Endpoint | Self::Text | Self::Flow => Kind::Endpoint,
            Self::Method => Kind::Method,
            Self::Status => Kind::Status,
            Self::Detector | Self::Attack => Kind::Detector,
            Self::Inventory => Kind::Inventory,
            Self::User => Kind::User,
            Self::AttemptedUser => Kind::Attempted,
            Self::Role => Kind::Role,
            Self::Param(_) => Kind::Param,
        }
    }
}

/// Everything that can be asked of sessions and events; absent fields ask nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub from_ms: Option<u64>,
    pub to_ms: Option<u64>,
    pub ip: Terms<IpNet>,
    pub country: Terms<String>,
    pub asn: Terms<u32>,
    pub host: Terms<String>,
    pub endpoint: Terms<EndpointTerm>,
    pub method: Terms<String>,
    pub status: Terms<StatusTerm>,
    pub detector: Terms<Detector>,
    /// As `detector`, of those that judge single requests.
    pub attack: Terms<Attack>,
    pub state: Terms<State>,
    pub inventory: Terms<Inventory>,
    pub user: Terms<UserTerm>,
    /// Users somebody tried to be in vain.
    pub attempted_user: Terms<UserTerm>,
    pub role: Terms<String>,
    pub flow: Terms<String>,
    /// By name, each once.
    pub params: Vec<ParamTerms>,
    /// What tells flows; whoever answers puts it here.
    #[serde(skip)]
    pub tags: Rc<Tags>,
    pub session: Terms<SessionId>,
    pub request: Terms<EventId>,
    /// Substring of the path (events) or of an endpoint (sessions), lower case.
    pub text: Terms<String>,
    pub min_risk: Option<u8>,
    pub min_requests: Option<u64>,
    /// Of sessions; who asks resolves it to the sessions that have it.
    pub label: Terms<Judgement>,
}

impl Filter {
    /// Whether the event itself fits. `state`, `min_risk` and `min_requests` are about its session and not looked at.
    pub fn fits_event(&self, event: &Event<'_>, detected: impl Fn(Detector) -> bool) -> bool {
        self.from_ms.is_none_or(|from| event.time_ms >= from)
            && self.to_ms.is_none_or(|to| event.time_ms <= to)
            && self.session.hold(|id| *id == event.session)
            && self.request.hold(|id| *id == event.id)
            && self.status.hold(|term| term.fits(event.status))
            && self.method.hold(|method| method.eq_ignore_ascii_case(event.method))
            && self.ip.hold(|net| event.ip.is_some_and(|ip| contains(net, ip)))
            && self.country.hold(|country| country.eq_ignore_ascii_case(event.country))
            && self.asn.hold(|asn| *asn == event.asn)
            && self.host.hold(|host| host.eq_ignore_ascii_case(event.host))
            && self.endpoint.hold(|term| term.fits(event.method, event.host, event.template))
            && self.text.hold(|text| contains_ignore_case(event.path, text))
            && self.user.hold(|user| user.fits(event.confirmed_user()))
            && self.attempted_user.hold(|user| user.fits(event.attempted_user()))
            && self.role.hold(|role| event.roles().any(|r| r == role))
            && self.inventory.hold(|state| event.inventory == Some(*state))
            && self.flow.hold(|flow| self.is_of(flow, event.method, event.template))
            && self
                .params
                .iter()
                .all(|asked| asked.terms.hold(|test| event.params.of(&asked.name).any(|v| test.fits(v))))
            && self.detector.hold(|detector| detected(*detector))
            && self.attack.hold(|attack| detected(Detector::Attack(*attack)))
    }

    fn is_of(&self, flow: &str, method: &str, template: &str) -> bool {
        self.tags.names_of(method, template).any(|name| name == flow)
    }

    /// For each text that is looked for in paths, its longest part without a slash: that stands in one segment of a path.
    pub fn text_parts(&self) -> impl Iterator<Item = &str> {
        self.text.any.iter().filter_map(|text| text.split('/').max_by_key(|part| part.len()))
    }

    /// Adds a test of a parameter.
    pub fn add_param(&mut self, name: &str, excluded: bool, test: ParamTest) {
        let at = self.params.iter().position(|asked| asked.name == name).unwrap_or_else(|| {
            self.params.push(ParamTerms { name: name.to_owned(), terms: Terms::default() });
            self.params.len() - 1
        });
        if let Some(ParamTerms { terms, .. }) = self.params.get_mut(at) {
            if excluded { &mut terms.none } else { &mut terms.any }.push(test);
        }
    }

    /// Says as what the values of hashed parameters may be stored: `forms` answers that for a name and a value.
    pub fn resolve_params(&mut self, forms: impl Fn(&str, &str) -> Vec<String>) {
        for ParamTerms { name, terms } in &mut self.params {
            terms.any.iter_mut().chain(&mut terms.none).for_each(|test| test.resolve(|raw| forms(name, raw)));
        }
    }

    /// Replaces users as they were asked for by the forms they are stored in.
    pub fn resolve_users(&mut self, forms: impl Fn(&str) -> Vec<String>) {
        let all = [&mut self.user, &mut self.attempted_user];
        for term in all.into_iter().flat_map(|terms| terms.any.iter_mut().chain(&mut terms.none)) {
            term.0 = term.0.iter().flat_map(|raw| forms(raw)).collect();
        }
    }

    /// The fields that something is asked of, and whether something is looked for rather than only excluded.
    pub fn fields(&self) -> impl Iterator<Item = (Field, bool)> {
        let params = (0..self.params.len()).map(Field::Param);
        Field::ALL.into_iter().chain(params).filter_map(|field| {
            let (is_asked, looks_for) = match field {
                Field::Ip => (self.ip.is_asked(), !self.ip.any.is_empty()),
                Field::Country => (self.country.is_asked(), !self.country.any.is_empty()),
                Field::Asn => (self.asn.is_asked(), !self.asn.any.is_empty()),
                Field::Host => (self.host.is_asked(), !self.host.any.is_empty()),
                Field::Endpoint => (self.endpoint.is_asked(), !self.endpoint.any.is_empty()),
                Field::Text => (self.text.is_asked(), !self.text.any.is_empty()),
                Field::Method => (self.method.is_asked(), !self.method.any.is_empty()),
                Field::Status => (self.status.is_asked(), !self.status.any.is_empty()),
                Field::Detector => (self.detector.is_asked(), !self.detector.any.is_empty()),
                Field::Attack => (self.attack.is_asked(), !self.attack.any.is_empty()),
                Field::Inventory => (self.inventory.is_asked(), !self.inventory.any.is_empty()),
                Field::User => (self.user.is_asked(), !self.user.any.is_empty()),
                Field::AttemptedUser => (self.attempted_user.is_asked(), !self.attempted_user.any.is_empty()),
                Field::Role => (self.role.is_asked(), !self.role.any.is_empty()),
                Field::Flow => (self.flow.is_asked(), !self.flow.any.is_empty()),
                Field::Param(at) => (true, self.params.get(at).is_some_and(|asked| !asked.terms.any.is_empty())),
            };
            is_asked.then_some((field, looks_for))
        })
    }

    /// What a value of a field's kind says about a session that met it.
    pub fn hit(&self, field: Field, value: Value<'_>) -> Hit {
        match (field, value) {
            (Field::Ip, Value::Address(a)) => self.ip.hit(|net| contains(net, a.ip)),
            (Field::Country, Value::Address(a)) => self.country.hit(|country| country.eq_ignore_ascii_case(a.country)),
            (Field::Asn, Value::Address(a)) => self.asn.hit(|asn| *asn == a.asn),
            (Field::Host, Value::Text(name)) => self.host.hit(|host| host.eq_ignore_ascii_case(parts(name).1)),
            (Field::Endpoint, Value::Text(name)) => {
                let (method, host, template) = parts(name);
                self.endpoint.hit(|term| term.fits(method, host, template))
            }
            (Field::Text, Value::Text(name)) => self.text.hit(|text| contains_ignore_case(name, text)),
            (Field::Method, Value::Text(name)) => self.method.hit(|method| method.eq_ignore_ascii_case(name)),
            (Field::Status, Value::Status(status)) => self.status.hit(|term| term.fits(status)),
            (Field::Detector, Value::Detector(detector)) => self.detector.hit(|d| *d == detector),
            (Field::Attack, Value::Detector(Detector::Attack(attack))) => self.attack.hit(|a| *a == attack),
            (Field::Inventory, Value::Inventory(state)) => self.inventory.hit(|asked| *asked == state),
            (Field::User, Value::Text(name)) => self.user.hit(|user| user.fits(name)),
            (Field::AttemptedUser, Value::Text(name)) => self.attempted_user.hit(|user| user.fits(name)),
            (Field::Role, Value::Text(name)) => self.role.hit(|role| role == name),
            (Field::Flow, Value::Text(name)) => {
                let (method, _, template) = parts(name);
                self.flow.hit(|flow| self.is_of(flow, method, template))
            }
            (Field::Param(at), Value::Text(key)) => self.params.get(at).map_or(Hit::default(), |asked| asked.hit(key)),
            _ => Hit::default(),
        }
    }

    /// What the extremes of a parameter say about a session that sent more values than it counts one by one.
    pub fn hit_extremes<'a>(&self, field: Field, mut stats: impl Iterator<Item = (&'a str, &'a ParamStats)>) -> Hit {
        let Field::Param(at) = field else { return Hit::default() };
        let Some(asked) = self.params.get(at) else { return Hit::default() };
        stats.find(|(name, _)| *name == asked.name).map_or(Hit::default(), |(_, stats)| asked.hit_extremes(stats))
    }

    /// Whether a session with this id and these times and requests fits what is asked of them. `request` is about single
    /// events: its session prefix is what is compared.
    pub fn fits_outline(&self, id: SessionId, first_seen_ms: u64, last_seen_ms: u64, requests: u64) -> bool {
        self.from_ms.is_none_or(|from| last_seen_ms >= from)
            && self.to_ms.is_none_or(|to| first_seen_ms <= to)
            && self.min_requests.is_none_or(|min| requests >= min)
            && self.session.hold(|session| *session == id)
            && self.request.hold(|request| request.session_prefix() == id.prefix())
    }

    /// Whether a session with this risk and state fits what is asked of them; both are worked out only if they are.
    pub fn fits_risk(&self, risk: impl Fn() -> u8, state: impl Fn() -> State) -> bool {
        self.min_risk.is_none_or(|min| risk() >= min)
            && (!self.state.is_asked() || {
                let state = state();
                self.state.hold(|asked| *asked == state)
            })
    }

    /// The first thing asked that only the session, not the event, can answer.
    pub fn asks_of_session(&self) -> Option<&'static str> {
        if !self.state.any.is_empty() || !self.state.none.is_empty() {
            Some("state")
        } else if self.label.is_asked() {
            Some("label")
        } else if self.min_risk.is_some() {
            Some("min_risk")
        } else {
            self.min_requests.map(|_| "min_requests")
        }
    }
}

/// A v4 address mapped into v6 counts as v4.
fn contains(net: &IpNet, ip: IpAddr) -> bool {
    net.contains(&ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_by_template_method_host_and_glob() {
        let name = "GET shop.test/api/orders/{integer}";
        for (text, fits) in [
            ("/api/orders/{integer}", true),
            ("/api/orders/{id}", true),
            ("GET /api/orders/{id}", true),
            ("get shop.test/api/orders/{id}", true),
            ("* /api/orders/{id}", true),
            ("/api/*", true),
            ("POST /api/orders/{id}", false),
            ("GET other.test/api/orders/{id}", false),
            ("/api/orders", false),
            ("/api/orders/{id}/items", false),
        ] {
            let (method, host, template) = parts(name);
            assert_eq!(EndpointTerm::parse(text).unwrap().fits(method, host, template), fits, "{text}");
        }
        assert_eq!(EndpointTerm::parse("orders"), None);
        for (text, fits) in [
            ("/graphql", true),
            ("POST shop.test/graphql", true),
            ("POST shop.test/graphql#mutation Pay", true),
            ("/graphql#mutation Pay", true),
            ("/graphql#mutation*", true),
            ("/graphql#query Pay", false),
            ("/graph", false),
        ] {
            let fitting = EndpointTerm::parse(text).unwrap().fits("POST", "shop.test", "/graphql#mutation Pay");
            assert_eq!(fitting, fits, "{text}");
        }
    }

    #[test]
    fn terms_are_alternatives_and_exclusions_win() {
        let terms = Terms { any: vec![1, 2], none: vec![2] };
        assert!(terms.hold(|t| *t == 1) && !terms.hold(|t| *t == 2) && !terms.hold(|t| *t == 3));
        assert!(Terms::<u8>::default().hold(|_| false));
    }
}
