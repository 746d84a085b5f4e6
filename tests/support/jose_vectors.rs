//! Test vectors in the formats of Project Wycheproof: `json_web_signature`, `json_web_key` and `json_web_crypto`, of
//! which the last mixes signatures with encryption.
//!
//! The verdict that is checked is about signature, key and structure; payloads are any bytes. A group's key is its
//! `public` member, or `private` where there is none (shared secrets); it is a JWK or a set of them. A key that lacks
//! `alg` allows every algorithm of its type.
//!
//! In these cases another verdict than the stated one is expected, or both are right; [`Expected::of`] finds them by
//! what they are, not by number, because numbers change between versions:
//!
//! - `acceptable`: either.
//! - The same token with the same key is stated to be both valid and invalid (C2SP/wycheproof issue 236: padding that
//!   was to be tested got lost): either.
//! - "Valid" although a part has characters outside base64url in it (`InvalidCharacterInserted…`): refused here, as
//!   RFC 7515 section 2 says.
//! - "Valid" although the key names another algorithm than the token (the PS384 example of RFC 7520 with a key for
//!   PS256): refused here, as other vectors flagged `WrongPrimitive` want it.
//! - "Valid" with an algorithm that is not implemented here (ES512, with keys that call it ES521): refused.
//! - `jwe` instead of `jws`: refused, whatever is stated, because nothing is decrypted here.

use serde_json::Value;
use throughline::identity::jwt::{Algorithm, KeySet, verify_signature};

/// What became of the vectors of one file.
#[derive(Debug, Default)]
pub struct Outcome {
    pub checked: usize,
    /// Vectors whose stated verdict is not the expected one, each with the reason.
    pub special: Vec<String>,
    /// Vectors with the wrong verdict.
    pub wrong: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Accepted,
    Refused,
    Either,
}

/// Runs all vectors of a file.
pub fn run(name: &str, text: &str) -> Outcome {
    let file: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name} is not JSON: {error}"));
    let mut outcome = Outcome::default();
    for group in file["testGroups"].as_array().unwrap_or_else(|| panic!("{name} has no testGroups")) {
        let key = group.get("public").or(group.get("private")).unwrap_or(&Value::Null);
        let set = if key.get("keys").is_some() { key.clone() } else { serde_json::json!({ "keys": [key] }) };
        let keys = KeySet::from_jwks(&set.to_string()).expect("a set").keys;
        for test in group["tests"].as_array().into_iter().flatten() {
            let (expected, special) = Expected::of(test, group, &set);
            let token = token(test);
            let verdict = verify_signature(&token, &keys);
            let id = format!(
                "{name} tcId {} ({}: {})",
                test["tcId"],
                group["comment"].as_str().unwrap_or(""),
                test["comment"].as_str().unwrap_or("")
            );
            outcome.checked += 1;
            if let Some(reason) = special {
                outcome.special.push(format!("{id}: {reason}"));
            }
            let right = match expected {
                Expected::Accepted => verdict.is_ok(),
                Expected::Refused => verdict.is_err(),
                Expected::Either => true,
            };
            if !right {
                let reason = verdict.map_or_else(|refusal| format!("{refusal:?}"), |_| "accepted".to_owned());
                outcome.wrong.push(format!("{id}: stated {}, expected {expected:?}, but {reason}", test["result"]));
            }
        }
    }
    outcome
}

impl Expected {
    fn of(test: &Value, group: &Value, set: &Value) -> (Self, Option<&'static str>) {
        if test.get("jwe").is_some() {
            return (Self::Refused, (test["result"] == "valid").then_some("nothing is decrypted here"));
        }
        match test["result"].as_str() {
            Some("invalid" | "valid") if contradicted(test, group) => {
                (Self::Either, Some("the file contradicts itself"))
            }
            Some("invalid") => (Self::Refused, None),
            Some("valid") => match excused(&token(test), set) {
                Some(reason) => (Self::Refused, Some(reason)),
                None => (Self::Accepted, None),
            },
            Some("acceptable") => (Self::Either, None),
            other => panic!("tcId {} has the result {other:?}", test["tcId"]),
        }
    }
}

/// Whether the group has the same token with the other result.
fn contradicted(test: &Value, group: &Value) -> bool {
    let tests = group["tests"].as_array().into_iter().flatten();
    tests.into_iter().any(|other| other["jws"] == test["jws"] && other["result"] != test["result"])
}

/// Why a token is refused here that is stated to be valid.
fn excused(token: &str, set: &Value) -> Option<&'static str> {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !token.bytes().all(base64url) {
        return Some("characters outside base64url");
    }
    let header: Value = serde_json::from_slice(&super::jose::decode(token.split('.').next()?)?).ok()?;
    let alg = header["alg"].as_str()?;
    if Algorithm::named(alg).is_none() {
        return Some("the algorithm is not implemented here");
    }
    let named: Vec<&str> = set["keys"].as_array()?.iter().filter_map(|key| key["alg"].as_str()).collect();
    (!named.is_empty() && !named.contains(&alg)).then_some("the key is for another algorithm")
}

/// The token as text; one in JSON serialization is a JSON object in some files and its text in others.
fn token(test: &Value) -> String {
    let jws = test.get("jws").or(test.get("jwe")).expect("a token");
    jws.as_str().map_or_else(|| jws.to_string(), str::to_owned)
}
