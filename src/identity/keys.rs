//! Session keys in the order they are tried: from a request to the session it belongs to.

use std::borrow::Cow;

use super::built_in::{
    ADDRESS_AGENT_AND_JA4, ADDRESS_AND_AGENT, ADDRESS_ONLY, API_KEYS, AUTHORIZATION, BEARER, COOKIES, known_cookie,
};
use super::jwt::{Refusal, TokensAt, unverified};
use super::{Keyring, principal};
use crate::inventory::Pattern;
use crate::selector::{Client, ReadTokens, Request, Selector, Source, Trust, bearer_token};
use crate::session::{Marks, Principal, SessionId};
use crate::verdict::Subject;

/// Where a built-in key stands in the order of keys, after every configured one.
pub(super) const BUILT_IN: usize = 1_000;
/// … and where sessions without a key of their own stand.
pub const KEYLESS: usize = usize::MAX;

/// A configured session key.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionKey {
    pub from: Selector,
    /// Namespace shared by keys whose equal values are one session; the selector itself where there is none.
    pub join: Option<String>,
    /// Where a response issues the key's value, as the client sends it back afterwards. Where it is given, a request that
    /// came with no key belongs to the session it is issued the key of.
    pub issued_by: Vec<Selector>,
    /// Endpoints it is looked for on; `None` for all.
    pub on: Option<Pattern>,
}

impl SessionKey {
    /// The key alone: everywhere, unjoined, issued as a cookie if it is one.
    pub fn new(from: Selector) -> Self {
        Self { from, join: None, issued_by: Vec::new(), on: None }
    }
}

/// A key made ready.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub key: SessionKey,
    /// Namespace of values that no issuer vouches for.
    pub namespace: String,
    /// Whether a response that issues the key starts its session: only where the configuration says how it is issued.
    pub starts: bool,
    /// For a claim: the selector of the whole token, which is the value where the claim cannot be trusted.
    pub token: Option<Selector>,
}

/// The session a request belongs to, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified<'a> {
    pub session: SessionId,
    /// The id it had under the secret before this one.
    pub former: Option<SessionId>,
    /// The selector of the key.
    pub source: &'a str,
    /// The key's place in the order of keys.
    pub place: usize,
    /// Whether the key is a verified claim.
    pub verified: bool,
    /// Verified identity behind the request; 0 for none.
    pub principal: Principal,
    /// Names the token behind the request: by its `jti` where it was verified, else by the whole of it; 0 for none.
    pub token: u64,
    pub marks: Marks,
    /// The issuer that does not know the key of the request's token, where it may have to be fetched.
    pub wants_keys: Option<usize>,
}

/// The keys of one policy, ready to be tried.
#[derive(Debug, Clone)]
pub struct KeyPlan {
    pub(super) keys: Vec<Key>,
    pub(super) ring: Keyring,
    /// Namespace of the claims of each configured issuer.
    pub(super) issuers: Vec<String>,
    headers: Vec<String>,
    response_headers: Vec<String>,
}

/// What trying one key came to.
pub(super) enum Tried<'a> {
    NotHere,
    Absent,
    Found { value: Cow<'a, str>, namespace: Cow<'a, str>, verified: bool, token: Option<Cow<'a, str>> },
}

impl KeyPlan {
    /// A plan that tries `keys` in order, then the built-in ones. `issuers` are the namespaces of verified claims.
    pub fn new(keys: Vec<SessionKey>, ring: Keyring, issuers: Vec<String>) -> Self {
        let mut headers: Vec<String> = ["cookie", "authorization"].map(str::to_owned).to_vec();
        headers.extend(API_KEYS.map(|(name, _)| name.to_owned()));
        let mut response_headers = Vec::new();
        let mut ready = Vec::new();
        for mut key in keys {
            collect(&mut headers, &key.from);
            let starts = !key.issued_by.is_empty();
            if !starts {
                key.issued_by.extend(set_cookie_of(&key.from));
            }
            key.issued_by.iter().for_each(|s| collect(&mut response_headers, s));
            // `join:` keeps a join name apart from every selector, as `iss:` keeps an issuer.
            let namespace = key.join.as_ref().map_or_else(|| key.from.text().to_owned(), |join| format!("join:{join}"));
            let token = key.from.token();
            ready.push(Key { key, namespace, starts, token });
        }
        Self { keys: ready, ring, issuers, headers, response_headers }
    }

    /// The request headers the plan reads, in the order [`Request`] carries their values.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The response headers the plan reads, Set-Cookie aside.
    pub fn response_headers(&self) -> &[String] {
        &self.response_headers
    }

    /// The configured keys as written, in their order.
    pub fn sources(&self) -> Vec<&str> {
        self.keys.iter().map(|ready| ready.key.from.text()).collect()
    }

    /// The secrets that values are hashed under.
    pub fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// The place of the first key that stands in the body of a request to this endpoint.
    pub fn first_in_body(&self, method: &str, path: &str) -> Option<usize> {
        self.keys.iter().position(|k| k.key.from.needs_body() && is_on(&k.key, method, path))
    }

    /// Whether the body of a response of this endpoint may issue a session key.
    pub fn needs_response_body(&self, method: &str, path: &str) -> bool {
        let wanted = |k: &Key| is_on(&k.key, method, path) && k.key.issued_by.iter().any(Selector::needs_body);
        self.keys.iter().any(wanted)
    }

    /// The session of a request. There always is one: the address is the last resort, known or not.
    pub fn identify<'a>(&'a self, request: &Request<'_>, tokens: &mut TokensAt<'_>) -> Identified<'a> {
        for (place, ready) in self.keys.iter().enumerate() {
            if let Tried::Found { value, namespace, verified, token } = self.try_key(ready, request, tokens) {
                let mut found = self.identified(&namespace, &value, ready.key.from.text());
                (found.place, found.verified) = (place, verified);
                return self.with_token(found, token.as_deref(), request, tokens);
            }
        }
        let found = self.identify_built_in(request);
        let bearer = (found.source == BEARER).then(|| request.headers.get("authorization").and_then(bearer_token));
        self.with_token(found, bearer.flatten(), request, tokens)
    }

    pub(super) fn try_key<'a>(
        &'a self,
        ready: &'a Key,
        request: &Request<'a>,
        tokens: &mut dyn ReadTokens,
    ) -> Tried<'a> {
        if !is_on(&ready.key, request.method, request.path) {
            return Tried::NotHere;
        }
        let captures = ready.key.on.as_ref().map_or_else(Vec::new, |on| on.captures(request.path));
        let request = Request { captures: &captures, ..*request };
        let found = ready.key.from.first(&request, tokens);
        let (value, trust) = match found {
            Some(found) => (found.text, found.trust),
            // The claim is not there to be had, but the token may be.
            None => (Cow::Borrowed(""), Some(Trust::Unverified)),
        };
        match (trust, &ready.token) {
            (Some(Trust::Verified(issuer)), token) if !value.is_empty() => {
                let iss = self.issuers.get(issuer).map_or("", String::as_str);
                let namespace = format!("iss:{iss}\n{}", ready.key.from.claim().unwrap_or(""));
                let token = token.as_ref().and_then(|token| token.first(&request, tokens)).map(|first| first.text);
                let token = token.map(|token| Cow::Owned(token.into_owned()));
                Tried::Found {
                    value: Cow::Owned(value.into_owned()),
                    namespace: namespace.into(),
                    verified: true,
                    token,
                }
            }
            // What an unverified token claims is nobody's word: the whole token is the value.
            (Some(_), Some(token)) => match token.first(&request, tokens) {
                Some(whole) if !whole.text.is_empty() => {
                    let whole = whole.text.into_owned();
                    let namespace = Cow::Borrowed(ready.namespace.as_str());
                    Tried::Found { value: whole.clone().into(), namespace, verified: false, token: Some(whole.into()) }
                }
                _ => Tried::Absent,
            },
            (None, _) if !value.is_empty() => Tried::Found {
                value: Cow::Owned(value.into_owned()),
                namespace: Cow::Borrowed(&ready.namespace),
                verified: false,
                token: None,
            },
            _ => Tried::Absent,
        }
    }

    /// Adds what a token says about the request: the one its key stands in, or else the bearer token.
    fn with_token<'a>(
        &'a self,
        mut found: Identified<'a>,
        key_token: Option<&str>,
        request: &Request<'_>,
        tokens: &mut TokensAt<'_>,
    ) -> Identified<'a> {
        let bearer = || request.headers.get("authorization").and_then(bearer_token);
        let Some(token) = key_token.or_else(bearer) else { return found };
        let (names, _) = self.ring.subjects();
        if self.issuers.is_empty() {
            found.token = names.token(token);
            return found;
        }
        let read = tokens.read(token);
        let claims = read.as_ref().map(|verified| super::claims::identity_claims(&verified.json)).unwrap_or_default();
        found.token = names.token(if claims.jti.is_empty() { token } else { &claims.jti });
        match read {
            Ok(_) => found.principal = principal(&self.ring, &claims),
            Err(Refusal::UnknownKey { issuer, .. }) if tokens.is_fetched(issuer) => {
                found.marks.set(Marks::KEYS_MISSING);
                found.wants_keys = Some(issuer);
            }
            Err(_) if self.is_ours(token) => found.marks.set(Marks::TOKEN_REFUSED),
            // Somebody else's tokens, or none at all: nothing is wrong with that.
            Err(_) => {}
        }
        found
    }

    /// Whether the token says that it is of a configured issuer.
    fn is_ours(&self, token: &str) -> bool {
        let iss = unverified(token).map(|json| super::claims::identity_claims(&json).iss);
        iss.is_some_and(|iss| self.issuers.iter().any(|namespace| namespace.starts_with('?') || *namespace == iss))
    }

    /// Whether tokens are verified at all.
    pub fn verifies(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// The `sub` of the verified token behind the request.
    pub fn subject(&self, request: &Request<'_>, found: &Identified<'_>, tokens: &mut TokensAt<'_>) -> Option<String> {
        if found.principal == 0 {
            return None;
        }
        let ready = self.keys.get(found.place);
        let token = ready.and_then(|ready| ready.token.as_ref());
        let token = token.and_then(|token| Some(token.first(request, tokens)?.text.into_owned()));
        let bearer = || request.headers.get("authorization").and_then(bearer_token).map(str::to_owned);
        let token = token.or_else(bearer)?;
        let verified = tokens.read(&token).ok()?;
        Some(super::claims::identity_claims(&verified.json).sub).filter(|sub| !sub.is_empty())
    }

    fn identify_built_in<'a>(&'a self, request: &Request<'_>) -> Identified<'a> {
        let header = |name: &str| request.headers.get(name);
        if let Some((rank, source, value)) = header("cookie").and_then(known_cookie) {
            return Identified { place: BUILT_IN + rank, ..self.identified(source, value, source) };
        }
        if let Some(token) = header("authorization").and_then(bearer_token) {
            return Identified { place: BUILT_IN + COOKIES.len(), ..self.identified(BEARER, token, BEARER) };
        }
        for (name, source) in API_KEYS {
            if let Some(value) = header(name) {
                return Identified { place: BUILT_IN + COOKIES.len(), ..self.identified(source, value, source) };
            }
        }
        if let Some(value) = header("authorization") {
            let found = self.identified(AUTHORIZATION, value, AUTHORIZATION);
            return Identified { place: BUILT_IN + COOKIES.len(), ..found };
        }
        self.keyless(&request.client)
    }

    /// The client's own session, whatever keys it shows.
    pub fn keyless<'a>(&'a self, client: &Client<'_>) -> Identified<'a> {
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
        Identified {
            session: self.ring.session_id(namespace, value),
            former: self.ring.former_session_id(namespace, value),
            source,
            place: KEYLESS,
            verified: false,
            principal: 0,
            token: 0,
            marks: Marks::default(),
            wants_keys: None,
        }
    }
}

pub(super) fn is_on(key: &SessionKey, method: &str, path: &str) -> bool {
    key.on.as_ref().is_none_or(|on| on.matches(method, path))
}

fn collect(into: &mut Vec<String>, selector: &Selector) {
    for name in selector.headers() {
        if !into.iter().any(|known| known == name) {
            into.push(name.to_owned());
        }
    }
}

/// A cookie is issued by the Set-Cookie of its name, without being told so.
fn set_cookie_of(from: &Selector) -> Option<Selector> {
    let Source::Cookie(name) = from.source() else { return None };
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    Selector::parse_response(&format!("response.set-cookie.\"{name}\"")).ok()
}

#[cfg(test)]
mod tests;
