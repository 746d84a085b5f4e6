//! Filters in typed form, and whether an event or a session fits them.
//!
//! On events all filters hold on the same event. On sessions each holds if any event fits it, which the session's
//! tallies tell without reading its events.

use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::session::{Detector, Event, EventId, Session, SessionId, State};

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

/// An endpoint, by template, with or without method and host; `{…}` stands for any segment, `*` at the end for any rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointTerm {
    pub method: Option<String>,
    pub host: Option<String>,
    pub path: String,
}

impl EndpointTerm {
    /// Parses `/path`, `METHOD /path` or `METHOD host/path`.
    pub fn parse(text: &str) -> Option<Self> {
        let (method, rest) = match text.split_once(' ') {
            Some((method, rest)) => (Some(method).filter(|m| *m != "*"), rest),
            None => (None, text),
        };
        let slash = rest.find('/')?;
        let (host, path) = rest.split_at(slash);
        let owned = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        Some(Self { method: method.and_then(owned), host: owned(host), path: path.to_owned() })
    }

    fn fits(&self, method: &str, host: &str, template: &str) -> bool {
        self.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
            && self.host.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(host))
            && self.path_fits(template)
    }

    fn path_fits(&self, template: &str) -> bool {
        if let Some(start) = self.path.strip_suffix('*') {
            return template.starts_with(start);
        }
        let (mut wanted, mut found) = (self.path.split('/'), template.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(w), Some(f)) if w == f || (w.starts_with('{') && w.ends_with('}') && !f.is_empty()) => {}
                _ => return false,
            }
        }
    }

    /// Fits the name `METHOD host/template` that a session counts its endpoints by.
    fn fits_name(&self, name: &str) -> bool {
        let Some((method, rest)) = name.split_once(' ') else { return false };
        let slash = rest.find('/').unwrap_or(rest.len());
        let (host, template) = rest.split_at(slash);
        self.fits(method, host, template)
    }
}

/// A user by the raw value: every form it may be stored in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTerm(pub Vec<String>);

impl UserTerm {
    fn fits(&self, user: &str) -> bool {
        self.0.iter().any(|form| form == user)
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
    pub state: Terms<State>,
    pub user: Terms<UserTerm>,
    /// Users somebody tried to be in vain.
    pub attempted_user: Terms<UserTerm>,
    pub role: Terms<String>,
    pub session: Terms<SessionId>,
    pub request: Terms<EventId>,
    /// Substring of the path (events) or of an endpoint (sessions), lower case.
    pub text: Terms<String>,
    pub min_risk: Option<u8>,
    pub min_requests: Option<u64>,
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
            && self.text.hold(|text| event.path.to_ascii_lowercase().contains(text.as_str()))
            && self.user.hold(|user| user.fits(event.confirmed_user()))
            && self.attempted_user.hold(|user| user.fits(event.attempted_user()))
            && self.role.hold(|role| event.roles().any(|r| r == role))
            && self.detector.hold(|detector| detected(*detector))
    }

    /// Replaces users as they were asked for by the forms they are stored in.
    pub fn resolve_users(&mut self, forms: impl Fn(&str) -> Vec<String>) {
        let all = [&mut self.user, &mut self.attempted_user];
        for term in all.into_iter().flat_map(|terms| terms.any.iter_mut().chain(&mut terms.none)) {
            term.0 = term.0.iter().flat_map(|raw| forms(raw)).collect();
        }
    }

    /// Whether the session fits at `now_ms`. `request` is about single events: its session prefix is what is compared.
    pub fn fits_session(&self, session: &Session, blocked: bool, now_ms: u64) -> bool {
        self.from_ms.is_none_or(|from| session.last_seen_ms >= from)
            && self.to_ms.is_none_or(|to| session.first_seen_ms <= to)
            && self.min_requests.is_none_or(|min| session.requests >= min)
            && self.min_risk.is_none_or(|min| session.risk.score(now_ms) >= min)
            && self.state.hold(|state| *state == session.state(blocked, now_ms))
            && self.session.hold(|id| *id == session.id)
            && self.request.hold(|id| id.session_prefix() == session.id.prefix())
            && self.status.hold(|term| session.statuses.iter().any(|(status, _)| term.fits(*status)))
            && self.method.hold(|method| session.methods.iter().any(|(m, _)| m.eq_ignore_ascii_case(method)))
            && self.ip.hold(|net| session.addresses.iter().any(|a| contains(net, a.ip)))
            && self.country.hold(|country| session.addresses.iter().any(|a| a.country.eq_ignore_ascii_case(country)))
            && self.asn.hold(|asn| session.addresses.iter().any(|a| a.asn == *asn))
            && self.detector.hold(|detector| session.detected.contains_key(detector))
            && self.user.hold(|user| session.users.iter().any(|span| user.fits(&span.user)))
            && self.attempted_user.hold(|user| session.attempted.iter().any(|(name, _)| user.fits(name)))
            && self.role.hold(|role| session.roles.has(role.as_str()))
            && self.fits_endpoints(session)
    }

    fn fits_endpoints(&self, session: &Session) -> bool {
        let any = |fits: &dyn Fn(&str) -> bool| session.endpoints.iter().any(|(name, _)| fits(name));
        self.endpoint.hold(|term| any(&|name| term.fits_name(name)))
            && self.text.hold(|text| any(&|name| name.to_ascii_lowercase().contains(text.as_str())))
            && self.host.hold(|host| {
                let term = EndpointTerm { method: None, host: Some(host.clone()), path: "/*".to_owned() };
                any(&|name| term.fits_name(name))
            })
    }

    /// The first thing asked that only the session, not the event, can answer.
    pub fn asks_of_session(&self) -> Option<&'static str> {
        if !self.state.any.is_empty() || !self.state.none.is_empty() {
            Some("state")
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
            assert_eq!(EndpointTerm::parse(text).unwrap().fits_name(name), fits, "{text}");
        }
        assert_eq!(EndpointTerm::parse("orders"), None);
    }

    #[test]
    fn terms_are_alternatives_and_exclusions_win() {
        let terms = Terms { any: vec![1, 2], none: vec![2] };
        assert!(terms.hold(|t| *t == 1) && !terms.hold(|t| *t == 2) && !terms.hold(|t| *t == 3));
        assert!(Terms::<u8>::default().hold(|_| false));
    }
}
