//! `JWT`: whose tokens are verified, and with which keys.

use serde::Deserialize;

use super::sections::OneOrMany;
use crate::identity::jwt::{Issuer, JwksSource, KeySet};

/// The field at fault and what is wrong with it.
type Fault = (String, String);

/// Issuers a deployment may have.
pub const MAX_ISSUERS: usize = 16;
const DEFAULT_LEEWAY_S: u32 = 60;
const MAX_LEEWAY_S: u32 = 600;

/// An issuer with where its keys come from.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    pub issuer: Issuer,
    /// `None` where the keys are in the configuration.
    pub source: Option<KeySource>,
    /// What verified claims of it are kept apart by: its `iss`, or else where its keys come from.
    pub namespace: String,
    /// Keys that cannot be used, and why; to be logged.
    pub skipped: Vec<String>,
}

/// Where keys are fetched from.
#[derive(Debug, Clone)]
pub struct KeySource {
    pub schedule: JwksSource,
    /// Whether it is an asset of the Worker rather than a URL.
    pub asset: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawIssuer {
    iss: Option<String>,
    aud: Option<OneOrMany>,
    typ: Option<OneOrMany>,
    leeway_seconds: Option<u32>,
    require_exp: Option<bool>,
    jwks_url: Option<String>,
    jwks_asset: Option<String>,
    jwks: Option<serde_json::Value>,
    jwks_binding: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    secret: Option<String>,
    secret_binding: Option<String>,
}

impl RawIssuer {
    /// An issuer whose keys are fetched from a URL.
    pub fn fetched(iss: String, aud: OneOrMany, jwks_url: String) -> Self {
        Self {
            iss: Some(iss),
            aud: Some(aud),
            jwks_url: Some(jwks_url),
            typ: None,
            leeway_seconds: None,
            require_exp: None,
            jwks_asset: None,
            jwks: None,
            jwks_binding: None,
            kid: None,
            alg: None,
            secret: None,
            secret_binding: None,
        }
    }

    /// `get` answers the text of another binding.
    pub fn resolve(self, get: &dyn Fn(&str) -> Option<String>) -> Result<TokenIssuer, Fault> {
        let fault = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
        let named = [
            ("jwks_url", self.jwks_url.is_some()),
            ("jwks_asset", self.jwks_asset.is_some()),
            ("jwks", self.jwks.is_some()),
            ("jwks_binding", self.jwks_binding.is_some()),
            ("secret", self.secret.is_some()),
            ("secret_binding", self.secret_binding.is_some()),
        ];
        let given: Vec<&str> = named.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        let [origin] = given.as_slice() else {
            let reason = "give exactly one of: jwks_url, jwks_asset, jwks, jwks_binding, secret, secret_binding";
            return Err(fault(given.get(1).unwrap_or(&"jwks_url"), reason));
        };
        let leeway_s = self.leeway_seconds.unwrap_or(DEFAULT_LEEWAY_S);
        if leeway_s > MAX_LEEWAY_S {
            return Err(fault("leeway_seconds", &format!("is {leeway_s}; use 0 to {MAX_LEEWAY_S}")));
        }
        if self.iss.as_deref() == Some("") {
            return Err(fault("iss", "is empty; leave it out to take tokens of any issuer"));
        }
        let bound = |name: &str| get(name).filter(|text| !text.trim().is_empty());
        let hmac = |secret: &str, field: &str| {
            let alg = self.alg.as_deref().ok_or_else(|| fault("alg", "is missing: HS256, HS384 or HS512"))?;
            KeySet::hmac(self.kid.as_deref(), alg, secret.as_bytes()).map_err(|reason| fault(field, &reason))
        };
        let (mut skipped, mut source) = (Vec::new(), None);
        let mut read = |json: &str, field: &str| {
            let read = KeySet::from_jwks(json).map_err(|error| fault(field, &error.to_string()))?;
            if read.keys.is_empty() {
                let reasons: Vec<&str> = read.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
                return Err(fault(field, &format!("holds no key that can be used; {}", reasons.join("; "))));
            }
            skipped.extend(read.skipped.iter().map(|(at, reason)| format!("{field}.keys[{at}] is not used: {reason}")));
            Ok::<KeySet, Fault>(read.keys)
        };
        let (keys, origin_name) = match (*origin, &self.jwks_url, &self.jwks_asset) {
            ("jwks_url", Some(url), _) => {
                check_url(url).map_err(|reason| fault("jwks_url", reason))?;
                source = Some(KeySource { schedule: JwksSource::new(url.clone()), asset: false });
                (KeySet::default(), url.clone())
            }
            ("jwks_asset", _, Some(path)) => {
                if !path.starts_with('/') {
                    return Err(fault("jwks_asset", "is no path: it starts with `/`"));
                }
                source = Some(KeySource { schedule: JwksSource::new(path.clone()), asset: true });
                (KeySet::default(), path.clone())
            }
            ("jwks", ..) => {
                let jwks = self.jwks.unwrap_or_default();
                let text = jwks.as_str().map_or_else(|| jwks.to_string(), str::to_owned);
                (read(&text, "jwks")?, "jwks".to_owned())
            }
            ("jwks_binding", ..) => {
                let name = self.jwks_binding.unwrap_or_default();
                let text = bound(&name).ok_or_else(|| fault("jwks_binding", &format!("`{name}` is not set")))?;
                (read(&text, "jwks_binding")?, format!("binding {name}"))
            }
            ("secret_binding", ..) => {
                let name = self.secret_binding.as_deref().unwrap_or("");
                let secret = bound(name).ok_or_else(|| fault("secret_binding", &format!("`{name}` is not set")))?;
                (hmac(&secret, "secret_binding")?, format!("binding {name}"))
            }
            _ => (hmac(self.secret.as_deref().unwrap_or(""), "secret")?, "secret".to_owned()),
        };
        let issuer = Issuer {
            aud: self.aud.map(Into::into).unwrap_or_default(),
            leeway_ms: u64::from(leeway_s) * 1_000,
            require_exp: self.require_exp.unwrap_or(true),
            typ: self.typ.map(Into::into).unwrap_or_default(),
            keys,
            fetched: source.is_some(),
            iss: self.iss.clone(),
        };
        // Whoever holds these keys may write any `iss` where none is pinned; what keeps them apart is the keys.
        let namespace = self.iss.unwrap_or_else(|| format!("?{origin_name}"));
        Ok(TokenIssuer { issuer, source, namespace, skipped })
    }
}

/// Keys decide who is believed: they come over TLS, or from the same machine.
fn check_url(url: &str) -> Result<(), &'static str> {
    const WRONG: &str = "is no URL of the form https://host/path";
    if url.contains('#') || url.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("holds a fragment, a space or a backslash");
    }
    let (scheme, rest) = url.split_once("://").ok_or(WRONG)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("holds credentials");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, port),
        _ => (authority, "443"),
    };
    if host.is_empty() || path.len() < 2 || port.parse::<u16>().is_err() {
        return Err(WRONG);
    }
    match (scheme.to_ascii_lowercase().as_str(), host) {
        ("https", _) | ("http", "localhost" | "127.0.0.1" | "[::1]") => Ok(()),
        ("http", _) => Err("is not https://; plain http is for this machine alone"),
        _ => Err(WRONG),
    }
}
