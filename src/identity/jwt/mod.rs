//! Signed tokens: JSON Web Tokens in the compact serialization of JSON Web Signature, verified against configured
//! issuers (RFC 7515, 7517, 7518, 7519, 8037) by the rules of RFC 8725.
//!
//! Nothing a token says about its own verification is believed: not its algorithm, not its keys, not its extensions.

mod algorithm;
mod cache;
mod claims;
mod compact;
mod jwk;
mod jwks;
mod key;
mod object;
mod roca;
mod source;

use std::rc::Rc;

use claims::RegisteredClaims;
use compact::Compact;

pub use algorithm::Algorithm;
pub use cache::{MAX_ENTRIES, MAX_TEXT_BYTES, Reading, Tokens, TokensAt};
pub use compact::{MAX_HEADER_BYTES, MAX_TOKEN_BYTES};
pub use jwks::{JwksError, KeySet, MAX_JWKS_BYTES, MAX_KEYS, ReadKeys};
pub use source::{JwksSource, Want, max_age};

/// Most keys of one issuer that are tried on one token. A token without key id may be signed with any of them, and
/// each try costs a signature verification.
pub const MAX_TRIES: usize = 8;

/// One configured issuer of tokens. Two issuers may have the same `iss`: a token has to pass one of them.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The `iss` claim its tokens have (compared exactly, RFC 7519 section 4.1.1). `None` checks tokens of whatever
    /// `iss`, after the issuers that name theirs.
    pub iss: Option<String>,
    /// A token's `aud` has to hold one of these. Empty: not checked.
    pub aud: Vec<String>,
    /// How far the issuer's clock and ours may be apart, milliseconds; widens `exp` and `nbf`.
    pub leeway_ms: u64,
    /// Whether a token has to have an `exp`. Without one, a token once signed is good until its key is withdrawn.
    pub require_exp: bool,
    /// The `typ` headers its tokens may have, with or without `application/`, in any case; a token without `typ` is
    /// then refused (RFC 8725 section 3.11). Empty: not checked.
    pub typ: Vec<String>,
    /// What its tokens are signed with.
    pub keys: KeySet,
    /// Whether the keys are fetched, so that one which is not known may be there the next time.
    pub fetched: bool,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            iss: None,
            aud: Vec::new(),
            leeway_ms: 0,
            require_exp: true,
            typ: Vec::new(),
            keys: KeySet::default(),
            fetched: false,
        }
    }
}

/// A token that was signed by a configured issuer and is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Index among the configured issuers.
    pub issuer: usize,
    /// The payload as sent: the text of a JSON object without repeated members at its top level.
    pub json: Rc<str>,
    /// `exp`, milliseconds since 1970, without leeway.
    pub expires_ms: Option<u64>,
    /// `nbf`, milliseconds since 1970, without leeway.
    pub not_before_ms: Option<u64>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No compact JWS at all: not three parts, or no JSON object in front.
    NoToken,
    /// Meant as a token but against the rules in the way said, in plain English.
    Malformed(&'static str),
    /// No issuer is configured.
    NoIssuer,
    /// `none`, an algorithm that is not verified here, or one that the issuer's key is not for.
    Algorithm,
    /// An issuer has no key of that id (or no key at all), and no other issuer verified the token. Worth fetching that
    /// issuer's keys again.
    UnknownKey { kid: Option<String>, issuer: usize },
    /// No key of an issuer made this signature.
    Signature,
    /// `exp` and leeway are over.
    Expired,
    /// It has no `exp` and its issuer asks for one.
    NoExpiry,
    /// `nbf` is further ahead than the leeway.
    NotYet,
    /// No configured issuer has the token's `iss`.
    Issuer,
    /// It is meant for somebody else.
    Audience,
    /// Its header asks for an extension (`crit`, `b64`); none is known here.
    Critical,
    /// Its `typ` is none of those its issuer gives its tokens.
    Type,
    /// A member name stands twice in the header or in the payload.
    Duplicate,
}

impl Refusal {
    /// How much a refusal by one issuer says, where several were asked: that of an issuer whose signature the token
    /// has says more than the others, and most if that issuer will accept the token later.
    fn weight(&self) -> u8 {
        match self {
            Self::Algorithm => 0,
            Self::Signature => 1,
            Self::UnknownKey { .. } => 2,
            Self::NotYet => 4,
            _ => 3,
        }
    }
}

/// Verifies a JWT (RFC 7519 section 7.2) against the configured issuers.
///
/// Asked are the issuers whose `iss` is the token's, then those without one; the first that accepts the token counts.
/// An issuer with another `iss` is never asked, so its keys cannot speak for somebody else.
///
/// # Errors
///
/// The most telling refusal among the issuers that were asked; see [`Refusal`].
pub fn verify(token: &str, issuers: &[Issuer], now_ms: u64) -> Result<Verified, Refusal> {
    let jws = Compact::read(token)?;
    if jws.payload.is_empty() {
        return Err(Refusal::Malformed("there is no payload"));
    }
    let payload = core::str::from_utf8(&jws.payload).map_err(|_| Refusal::Malformed("the payload is not UTF-8"))?;
    let claims = RegisteredClaims::read(payload)?;
    let named = |issuer: &Issuer| issuer.iss.is_some() && issuer.iss == claims.iss;
    let by_name = issuers.iter().enumerate().filter(|(_, issuer)| named(issuer));
    let by_any = issuers.iter().enumerate().filter(|(_, issuer)| issuer.iss.is_none());
    let mut refused = if issuers.is_empty() { Refusal::NoIssuer } else { Refusal::Issuer };
    let mut asked = false;
    for (index, issuer) in by_name.chain(by_any) {
        match accepts(issuer, index, &jws, &claims, now_ms) {
            Ok(()) => {
                let RegisteredClaims { expires_ms, not_before_ms, .. } = claims;
                return Ok(Verified { issuer: index, json: payload.into(), expires_ms, not_before_ms });
            }
            Err(refusal) if !asked || refusal.weight() > refused.weight() => refused = refusal,
            Err(_) => {}
        }
        asked = true;
    }
    Err(refused)
}

/// Signature first: everything said about a refused token after that is said about a token the issuer did sign.
fn accepts(
    issuer: &Issuer,
    index: usize,
    jws: &Compact<'_>,
    claims: &RegisteredClaims,
    now_ms: u64,
) -> Result<(), Refusal> {
    check_signature(jws, &issuer.keys, index)?;
    if !issuer.typ.is_empty() {
        let typ = jws.header.typ.as_deref().ok_or(Refusal::Type)?;
        if !issuer.typ.iter().any(|allowed| media_type(allowed).eq_ignore_ascii_case(media_type(typ))) {
            return Err(Refusal::Type);
        }
    }
    claims.check(issuer, now_ms)
}

/// A `typ` without the `application/` that RFC 7515 section 4.1.9 lets senders leave out.
fn media_type(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((kind, rest)) if kind.eq_ignore_ascii_case("application") && !rest.contains('/') => rest,
        _ => typ,
    }
}

fn check_signature(jws: &Compact<'_>, keys: &KeySet, issuer: usize) -> Result<(), Refusal> {
    let kid = jws.header.kid.as_deref();
    let mut answering = keys.answering(kid).peekable();
    if answering.peek().is_none() {
        return Err(Refusal::UnknownKey { kid: jws.header.kid.clone(), issuer });
    }
    let mut refused = Refusal::Algorithm;
    for key in answering.filter(|key| key.admits(jws.header.algorithm)).take(MAX_TRIES) {
        if key.verifies(jws.header.algorithm, jws.signed, &jws.signature) {
            return Ok(());
        }
        refused = Refusal::Signature;
    }
    Err(refused)
}

/// Verifies a JWS (RFC 7515 section 5.2) of whatever payload with one set of keys, and returns the payload. No claim
/// is looked at. [`verify`] stands on the same steps.
///
/// # Errors
///
/// See [`Refusal`]; an unknown key is reported for issuer 0.
pub fn verify_signature(token: &str, keys: &KeySet) -> Result<Vec<u8>, Refusal> {
    let jws = Compact::read(token)?;
    check_signature(&jws, keys, 0)?;
    Ok(jws.payload)
}

/// The payload of something that looks like a JWS, unverified: header and payload are JSON objects. `None` for
/// everything else, and for tokens longer than [`MAX_TOKEN_BYTES`].
pub fn unverified(token: &str) -> Option<Rc<str>> {
    compact::payload_of(token).map(Rc::from)
}

#[cfg(test)]
mod tests;
