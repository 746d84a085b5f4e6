//! Session keys in the order they are tried.

use super::Keyring;
use crate::selector::{Client, Request, Selector, Source, cookie, cookies};
use crate::session::SessionId;
use crate::verdict::Subject;

/// Key source of sessions known by address and agent.
const ADDRESS_AND_AGENT: &str = "client.ip+ua";
/// Key source of sessions known by address, agent and TLS fingerprint.
const ADDRESS_AGENT_AND_JA4: &str = "client.ip+ua+ja4";
/// Key source of sessions known by nothing but an address.
pub const ADDRESS_ONLY: &str = "client.ip";

/// Whether a key source is an address, alone or with what many people share.
pub fn is_address_bound(source: &str) -> bool {
    source.starts_with("client.")
}

/// Session cookies of widespread frameworks, the most specific first, with the name each has as a key source.
const COOKIES: [(&str, &str); 18] = [
    ("__Host-session", "request.cookie.__Host-session"),
    ("__Secure-session", "request.cookie.__Secure-session"),
    ("__Secure-next-auth.session-token", "request.cookie.__Secure-next-auth.session-token"),
    ("next-auth.session-token", "request.cookie.next-auth.session-token"),
    ("PHPSESSID", "request.cookie.PHPSESSID"),
    ("JSESSIONID", "request.cookie.JSESSIONID"),
    ("connect.sid", "request.cookie.connect.sid"),
    ("ASP.NET_SessionId", "request.cookie.ASP.NET_SessionId"),
    (".AspNetCore.Session", "request.cookie..AspNetCore.Session"),
    ("laravel_session", "request.cookie.laravel_session"),
    ("ci_session", "request.cookie.ci_session"),
    ("_session_id", "request.cookie._session_id"),
    ("sessionid", "request.cookie.sessionid"),
    ("session_id", "request.cookie.session_id"),
    ("sessid", "request.cookie.sessid"),
    ("sid", "request.cookie.sid"),
    ("session", "request.cookie.session"),
    ("auth_token", "request.cookie.auth_token"),
];

/// Headers that carry an API key, with the name each has as a key source.
const API_KEYS: [(&str, &str); 4] = [
    ("x-api-key", "request.header.x-api-key"),
    ("api-key", "request.header.api-key"),
    ("x-auth-token", "request.header.x-auth-token"),
    ("x-access-token", "request.header.x-access-token"),
];
const BEARER: &str = "request.jwt";
const AUTHORIZATION: &str = "request.header.authorization";

/// A configured session key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey {
    pub from: Selector,
    /// Namespace shared by keys whose equal values are one session; the selector itself where there is none.
    pub join: Option<String>,
}

impl SessionKey {
    fn namespace(&self) -> String {
        // `join:` keeps a join name apart from every selector.
        self.join.as_ref().map_or_else(|| self.from.text().to_owned(), |join| format!("join:{join}"))
    }
}

/// The session a request belongs to, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified<'a> {
    pub session: SessionId,
    /// The selector of the key.
    pub source: &'a str,
    /// Whether the key is a verified claim.
    pub verified: bool,
}

/// A session that a raw key value may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub session: SessionId,
    pub source: String,
}

/// The keys of one policy, ready to be tried.
#[derive(Debug, Clone)]
pub struct KeyPlan {
    keys: Vec<(SessionKey, String)>,
    ring: Keyring,
    headers: Vec<String>,
}

impl KeyPlan {
    /// A plan that tries `keys` in order, then the built-in ones.
    pub fn new(keys: Vec<SessionKey>, ring: Keyring) -> Self {
        let built_in = ["cookie", "authorization"].into_iter().chain(API_KEYS.map(|(name, _)| name));
        let mut headers: Vec<String> = built_in.map(str::to_owned).collect();
        for key in &keys {
            if let Source::Header(name) = key.from.source()
                && !headers.contains(name)
            {
                headers.push(name.clone());
            }
        }
        let keys =
            keys.into_iter().map(|key| (key.namespace(), key)).map(|(namespace, key)| (key, namespace)).collect();
        Self { keys, ring, headers }
    }

    /// The headers the plan reads, in the order [`Request`] carries their values.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The configured keys as written, in their order.
    pub fn sources(&self) -> Vec<&str> {
        self.keys.iter().map(|(key, _)| key.from.text()).collect()
    }

    /// The session of a request. There always is one: the address is the last resort, known or not.
    pub fn identify<'a>(&'a self, parts: &Request<'_>) -> Identified<'a> {
        let cookie_header = parts.headers.get("cookie").unwrap_or("");
        let bearer = parts.headers.get("authorization").and_then(bearer_token);
        for (key, namespace) in &self.keys {
            let value = match key.from.source() {
                Source::Cookie(name) => cookie(cookie_header, name).map(Value::Sent),
                Source::Header(name) => parts.headers.get(name).map(Value::Sent),
                Source::Token => bearer.map(Value::Sent),
                Source::Query(name) => query_value(parts.query, name).map(Value::Decoded),
            };
            if let Some(value) = value {
                return self.identified(namespace, value.as_str(), key.from.text());
            }
        }
        self.identify_built_in(parts, cookie_header, bearer)
    }

    fn identify_built_in<'a>(&'a self, parts: &Request<'_>, cookies: &str, bearer: Option<&str>) -> Identified<'a> {
        if let Some((source, value)) = known_cookie(cookies) {
            return self.identified(source, value, source);
        }
        if let Some(token) = bearer {
            return self.identified(BEARER, token, BEARER);
        }
        for (name, source) in API_KEYS {
            if let Some(value) = parts.headers.get(name) {
                return self.identified(source, value, source);
            }
        }
        if let Some(value) = parts.headers.get("authorization") {
            return self.identified(AUTHORIZATION, value, AUTHORIZATION);
        }
        self.identify_client(&parts.client)
    }

    fn identify_client<'a>(&'a self, client: &Client<'_>) -> Identified<'a> {
        let ip = client.ip.map_or_else(String::new, |ip| Subject::ip(ip).value());
        if client.user_agent.is_empty() {
            return self.identified(ADDRESS_ONLY, &ip, ADDRESS_ONLY);
        }
        // None of the three can hold a line feed: two are headers and one is an address.
        let value = [ip.as_str(), "\n", client.user_agent, "\n", client.ja4].concat();
        let source = if client.ja4.is_empty() { ADDRESS_AND_AGENT } else { ADDRESS_AGENT_AND_JA4 };
        self.identified(source, &value, source)
    }

    fn identified<'a>(&'a self, namespace: &str, value: &str, source: &'a str) -> Identified<'a> {
        Identified { session: self.ring.session_id(namespace, value), source, verified: false }
    }

    /// Every session that a raw value may be the key of, in the order the keys are tried.
    pub fn candidates(&self, value: &str) -> Vec<Candidate> {
        let configured = self.keys.iter().map(|(key, namespace)| (namespace.as_str(), key.from.text()));
        let built_in = COOKIES.iter().chain(&API_KEYS).map(|(_, source)| (*source, *source));
        let rest = [BEARER, AUTHORIZATION].map(|source| (source, source));
        let mut found: Vec<Candidate> = Vec::new();
        for (namespace, source) in configured.chain(built_in).chain(rest) {
            let session = self.ring.session_id(namespace, value);
            if !found.iter().any(|c| c.session == session) {
                found.push(Candidate { session, source: source.to_owned() });
            }
        }
        if let Ok(ip) = value.parse() {
            let session = self.ring.session_id(ADDRESS_ONLY, &Subject::ip(ip).value());
            found.push(Candidate { session, source: ADDRESS_ONLY.to_owned() });
        }
        found
    }
}

enum Value<'a> {
    Sent(&'a str),
    Decoded(String),
}

impl Value<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Sent(value) => value,
            Self::Decoded(value) => value,
        }
    }
}

/// The cookie that stands first in [`COOKIES`] among those sent; one pass over the header.
fn known_cookie(header: &str) -> Option<(&'static str, &str)> {
    cookies(header)
        .filter_map(|(name, value)| {
            let rank = COOKIES.iter().position(|(known, _)| *known == name)?;
            Some((rank, COOKIES.get(rank)?.1, value))
        })
        .min_by_key(|(rank, ..)| *rank)
        .map(|(_, source, value)| (source, value))
}

/// The token of `Bearer TOKEN` (RFC 6750), the scheme in any case.
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn query_value(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(n, value)| n == name && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests;
