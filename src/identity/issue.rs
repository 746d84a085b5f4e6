//! What a response tells about sessions: the key it issues, the session that goes on in another, the one that ends.

use super::built_in::{COOKIES, is_address_bound, rank};
use super::jwt::TokensAt;
use super::keys::{BUILT_IN, is_on};
use super::{Identified, KeyPlan, identity_claims, principal};
use crate::context::Feedback;
use crate::selector::{Request, Response, SetCookie, Trust};
use crate::session::{Principal, Reason, SessionId};
use crate::sorting;

/// A key that a response issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub session: SessionId,
    /// The selector the client will be found by with it.
    pub source: String,
    /// Its place in the order of keys.
    pub place: usize,
    /// Whether it is a verified claim.
    pub verified: bool,
    /// Whether a request that came with no key belongs to the session from this response on.
    pub starts: bool,
    /// Verified identity it belongs to; 0 where it is none.
    pub principal: Principal,
}

/// Keys one response can issue; what is beyond is not looked at.
const MAX_ISSUED: usize = 4;

impl KeyPlan {
    /// The keys a response issues, best first. A refused request is issued nothing, whatever the response holds:
    /// origins hand cookies out with error pages too, and whoever asks for what is not there gets no fresh session.
    pub fn issued(
        &self,
        request: &Request<'_>,
        response: &Response<'_>,
        came_with: &Identified<'_>,
        tokens: &mut TokensAt<'_>,
    ) -> Vec<Issued> {
        let mut issued = Vec::new();
        if response.status >= 400 {
            return issued;
        }
        for (place, ready) in self.keys.iter().enumerate() {
            if place > came_with.place || !is_on(&ready.key, request.method, request.path) {
                continue;
            }
            let values = ready.key.issued_by.iter().filter_map(|s| s.read_response(response, tokens).values.pop());
            for value in values.collect::<Vec<_>>() {
                issued.extend(self.issued_value(place, &value.text, value.trust, tokens));
            }
        }
        for line in response.set_cookies {
            let Some(SetCookie { name, value, deleted: false, .. }) = SetCookie::parse(line) else { continue };
            let Some((place, source)) = rank(name).and_then(|at| Some((BUILT_IN + at, COOKIES.get(at)?.1))) else {
                continue;
            };
            let configured = self.keys.iter().any(|ready| ready.key.from.text() == source);
            if !configured && !value.is_empty() && place <= came_with.place {
                issued.push(Issued {
                    session: self.ring.session_id(source, value),
                    source: source.to_owned(),
                    place,
                    verified: false,
                    starts: false,
                    principal: 0,
                });
            }
        }
        sorting::sort_by_key(&mut issued, |i| i.place);
        issued.dedup_by_key(|i| i.session);
        issued.retain(|i| i.session != came_with.session);
        issued.truncate(MAX_ISSUED);
        issued
    }

    /// The session that the client will be in when it sends `text` back as the key at `place`.
    fn issued_value(
        &self,
        place: usize,
        text: &str,
        trust: Option<Trust>,
        tokens: &mut TokensAt<'_>,
    ) -> Option<Issued> {
        let ready = self.keys.get(place)?;
        let source = ready.key.from.text().to_owned();
        let claim = |iss: usize, value: &str| {
            let iss = self.issuers.get(iss).map_or("", String::as_str);
            self.ring.session_id(&format!("iss:{iss}\n{}", ready.key.from.claim().unwrap_or("")), value)
        };
        // The response may hold the claim itself, out of a verified token …
        if let (Some(Trust::Verified(issuer)), Some(_)) = (trust, &ready.token) {
            let (session, starts) = (claim(issuer, text), ready.starts);
            return Some(Issued { session, source, place, verified: true, starts, principal: 0 });
        }
        if trust == Some(Trust::Unverified) || text.is_empty() {
            return None;
        }
        // … or, as a rule, what the client sends back, to be read as the key reads it.
        let principal = match &ready.token {
            Some(_) => tokens.read(text).map_or(0, |verified| principal(&self.ring, &identity_claims(&verified.json))),
            None => 0,
        };
        let decoded = ready.key.from.decode_sent(text, tokens);
        let (session, verified) = match decoded {
            Some(first) => match (first.trust, &ready.token) {
                (Some(Trust::Verified(issuer)), _) => (claim(issuer, &first.text), true),
                (Some(Trust::Unverified), Some(_)) => (self.ring.session_id(&ready.namespace, text), false),
                _ => (self.ring.session_id(&ready.namespace, &first.text), false),
            },
            None if ready.token.is_some() => (self.ring.session_id(&ready.namespace, text), false),
            None => return None,
        };
        Some(Issued { session, source, place, verified, starts: ready.starts, principal })
    }

    /// Whether the response ends the session: the origin says so, the client is told to forget the key it came with,
    /// or it asked to be logged out and was not refused.
    pub fn is_ended(
        &self,
        request: &Request<'_>,
        response: &Response<'_>,
        came_with: &Identified<'_>,
        feedback: &Feedback,
    ) -> bool {
        if feedback.events.iter().any(|event| event.name == "logout") {
            return true;
        }
        if response.status >= 400 || is_address_bound(came_with.source) {
            return false;
        }
        let key_cookie = self.cookie_of(came_with);
        let forgotten = response.set_cookies.iter().filter_map(|line| SetCookie::parse(line));
        let of_key = |c: &SetCookie<'_>| key_cookie.is_some_and(|key| key == c.name);
        // A deletion beside a new value is of an older path or domain.
        let (mut deleted, mut set) = (false, false);
        for cookie in forgotten.filter(of_key) {
            deleted |= cookie.deleted;
            set |= !cookie.deleted;
        }
        // A page that asks whether one wants to log out ends nothing.
        let asked = !matches!(request.method, "GET" | "HEAD" | "OPTIONS");
        (deleted && !set) || (asked && stage(request.method, request.path) == Some(Stage::Logout))
    }

    /// Why a response in the session issued another key.
    pub fn reason(
        request: &Request<'_>,
        came_with: &Identified<'_>,
        issued: &Issued,
        feedback: &Feedback,
        logged_in: bool,
        ended: bool,
    ) -> Reason {
        let said = |names: &[&str]| feedback.events.iter().any(|event| names.contains(&event.name.as_str()));
        let stage = stage(request.method, request.path);
        let keyless = is_address_bound(came_with.source);
        if ended {
            Reason::Logout
        } else if said(&["login-success", "signup", "mfa-success"]) {
            Reason::Login
        } else if stage == Some(Stage::Refresh) && !keyless {
            Reason::Refresh
        } else if stage == Some(Stage::Token) {
            if keyless || came_with.source != issued.source { Reason::Login } else { Reason::Refresh }
        } else if logged_in || stage == Some(Stage::Login) {
            Reason::Login
        } else if keyless {
            Reason::Start
        } else if came_with.source == issued.source {
            // A token of the same kind replaces the one before it; a session id is rotated.
            let token = came_with.verified || issued.verified || issued.source.starts_with("request.jwt");
            if token { Reason::Refresh } else { Reason::Rotation }
        } else {
            Reason::Login
        }
    }
}

/// What a path is about, where its words say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Login,
    /// Tokens are given out, at login or for older ones.
    Token,
    Refresh,
    Logout,
}

/// The stage of a session that an endpoint serves, by the words of its last segments.
pub fn stage(method: &str, path: &str) -> Option<Stage> {
    let mut segments = path.trim_end_matches('/').rsplit('/').map(|segment| {
        let name = segment.split('.').next().unwrap_or("");
        name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase()
    });
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    match (last.as_str(), method) {
        ("logout" | "signout" | "logoff" | "signoff", _) | ("session", "DELETE") => Some(Stage::Logout),
        ("refresh" | "renew" | "refreshtoken" | "tokenrefresh", _) => Some(Stage::Refresh),
        ("token" | "tokens", _) => Some(Stage::Token),
        ("login" | "signin" | "logon" | "authenticate" | "auth" | "sso" | "callback" | "register" | "signup", _)
        | ("session" | "sessions", "POST") => Some(Stage::Login),
        // `/login/oauth`, `/logout/all`: what comes after narrows it down.
        _ => match before.as_str() {
            "login" | "signin" | "logon" => Some(Stage::Login),
            "logout" | "signout" => Some(Stage::Logout),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_its_stage_in_its_last_words() {
        for (method, path, expected) in [
            ("POST", "/api/login", Some(Stage::Login)),
            ("POST", "/api/v1/Sign-In/", Some(Stage::Login)),
            ("POST", "/login.php", Some(Stage::Login)),
            ("POST", "/sessions", Some(Stage::Login)),
            ("GET", "/sessions", None),
            ("DELETE", "/api/session", Some(Stage::Logout)),
            ("POST", "/oauth/token", Some(Stage::Token)),
            ("POST", "/auth/refresh", Some(Stage::Refresh)),
            ("POST", "/auth/token_refresh", Some(Stage::Refresh)),
            ("GET", "/auth/me", None),
            ("POST", "/users/log-out", Some(Stage::Logout)),
            ("DELETE", "/api/sessions", None),
            ("POST", "/api-keys/7/revoke", None),
            ("POST", "/logout/all", Some(Stage::Logout)),
            ("GET", "/login/oauth", Some(Stage::Login)),
            ("GET", "/blog/login-tips", None),
            ("GET", "/", None),
        ] {
            assert_eq!(stage(method, path), expected, "{method} {path}");
        }
    }
}
