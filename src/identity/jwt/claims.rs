//! The registered claims that decide whether a genuine token is in force for us (RFC 7519 section 4.1).

use super::object::{Member, NotText, Object};
use super::{Issuer, Refusal};

/// Last second of the year 9999, the last that RFC 3339 can write. A date beyond is a mistake, in most cases one in
/// milliseconds, and would make a token last for ever.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// `iss`, `aud`, `exp` and `nbf` of one token.
#[derive(Debug)]
pub(super) struct RegisteredClaims {
    pub iss: Option<String>,
    /// Empty where there is none.
    pub aud: Vec<String>,
    /// Milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// Milliseconds since 1970.
    pub not_before_ms: Option<u64>,
}

impl RegisteredClaims {
    /// Reads them off a payload. Refuses payloads that are no JSON object, and claims of the wrong type even where
    /// nobody asks for them: who writes those cannot be relied on.
    pub(super) fn read(payload: &str) -> Result<Self, Refusal> {
        let object = Object::read(payload, &["iss", "aud", "exp", "nbf"])
            .ok_or(Refusal::Malformed("the payload is not a JSON object"))?;
        if object.repeated {
            return Err(Refusal::Duplicate);
        }
        let iss = object.text("iss").map_err(|NotText| Refusal::Malformed("iss is not a string"))?;
        let aud = match object.get("aud") {
            None => Vec::new(),
            Some(Member::Text(aud)) => vec![aud.clone()],
            Some(Member::Texts(aud)) => aud.clone(),
            Some(_) => return Err(Refusal::Malformed("aud is neither a string nor an array of strings")),
        };
        Ok(Self {
            iss: iss.map(str::to_owned),
            aud,
            expires_ms: date(object.get("exp"), "exp is not a date")?,
            not_before_ms: date(object.get("nbf"), "nbf is not a date")?,
        })
    }

    /// Checks what an issuer's configuration asks for, but not its name. The time comes last, so that a token which
    /// is refused for its time would otherwise be accepted.
    pub(super) fn check(&self, issuer: &Issuer, now_ms: u64) -> Result<(), Refusal> {
        if !issuer.aud.is_empty() && !self.aud.iter().any(|aud| issuer.aud.contains(aud)) {
            return Err(Refusal::Audience);
        }
        if self.expires_ms.is_none() && issuer.require_exp {
            return Err(Refusal::NoExpiry);
        }
        // "On or after" is too late (RFC 7519 section 4.1.4), "on or after" is early enough (section 4.1.5).
        if self.expires_ms.is_some_and(|expires| now_ms >= expires.saturating_add(issuer.leeway_ms)) {
            return Err(Refusal::Expired);
        }
        if self.not_before_ms.is_some_and(|not_before| now_ms < not_before.saturating_sub(issuer.leeway_ms)) {
            return Err(Refusal::NotYet);
        }
        Ok(())
    }
}

/// A NumericDate (RFC 7519 section 2) in milliseconds: seconds since 1970, with or without a fraction.
fn date(member: Option<&Member>, otherwise: &'static str) -> Result<Option<u64>, Refusal> {
    match member {
        None => Ok(None),
        // Not negative and far below 2^53, so the cast loses nothing.
        Some(Member::Number(seconds)) if (0.0..=LAST_SECOND).contains(seconds) => {
            Ok(Some((seconds * 1000.0).round() as u64))
        }
        Some(_) => Err(Refusal::Malformed(otherwise)),
    }
}
