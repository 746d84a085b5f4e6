//! Sets of keys: from the JSON an issuer publishes (RFC 7517), or from one shared secret. A key that may not verify
//! signatures, or is not sound, is left out with a reason; the others stay usable.

use serde_json::Value;
use thiserror::Error;

use super::Algorithm;
use super::jwk::{Label, shared_secret};
use super::key::{Key, Material};

/// Longest JWK set that is read, bytes: a hundred keys with their certificates.
pub const MAX_JWKS_BYTES: usize = 512 * 1024;

/// Most keys of a set that are looked at; the first one beyond is named among the skipped.
pub const MAX_KEYS: usize = 100;

/// The keys one issuer signs with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// A JWK set as far as it is usable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadKeys {
    pub keys: KeySet,
    /// Index in the set's `keys` and why that key is not used, in plain English. Nothing of the key but its declared
    /// type and algorithm is in there.
    pub skipped: Vec<(usize, String)>,
}

/// Why a text is no JWK set at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JwksError {
    #[error("longer than {MAX_JWKS_BYTES} bytes")]
    TooLong,
    #[error("not JSON")]
    NotJson,
    #[error("not a JWK set: it has no array named \"keys\"")]
    NoKeys,
}

impl KeySet {
    /// Reads a JWK set (RFC 7517 section 5).
    ///
    /// Used are RSA keys of 2048 to 8192 bits, EC keys on P-256 and P-384, Ed25519 keys, and `oct` secrets that name
    /// their algorithm, as long as `use` and `key_ops` allow verification. Left out are: public keys next to which a
    /// private part stands, secrets next to public keys, and different keys that cannot be told apart by `kid` and
    /// algorithm (RFC 7517 section 4.5).
    ///
    /// # Errors
    ///
    /// When the text is no JWK set. A set of which no key is usable is not an error.
    pub fn from_jwks(json: &str) -> Result<ReadKeys, JwksError> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLong);
        }
        let set: Value = serde_json::from_slice(json.as_bytes()).map_err(|_| JwksError::NotJson)?;
        let entries = set.get("keys").and_then(Value::as_array).ok_or(JwksError::NoKeys)?;
        let labelled: Vec<Result<Labelled<'_>, String>> = entries
            .iter()
            .take(MAX_KEYS)
            .map(|jwk| Label::of(jwk).map(|label| Labelled { material: label.material(jwk), label }))
            .collect();
        let mut read = ReadKeys::default();
        for (index, entry) in labelled.iter().enumerate() {
            match entry.as_ref().map_err(Clone::clone).and_then(|entry| entry.key(&labelled)) {
                Ok(key) => read.keys.keys.push(key),
                Err(reason) => read.skipped.push((index, reason)),
            }
        }
        if entries.len() > MAX_KEYS {
            read.skipped.push((MAX_KEYS, format!("the set has more than {MAX_KEYS} keys")));
        }
        Ok(read)
    }

    /// One shared secret, for HS256, HS384 or HS512. With a `kid`, tokens that name another one are refused.
    ///
    /// # Errors
    ///
    /// The reason, when the algorithm is none of the three or the secret is shorter than its hash.
    pub fn hmac(kid: Option<&str>, alg: &str, secret: &[u8]) -> Result<Self, String> {
        let pinned = Algorithm::named(alg);
        let material = shared_secret(pinned, secret)?;
        Ok(Self { keys: vec![Key { kid: kid.map(str::to_owned), pinned, material }] })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key, so that no token can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that answer to a key id, in the order of the set.
    pub(super) fn answering<'k>(&'k self, kid: Option<&'k str>) -> impl Iterator<Item = &'k Key> {
        self.keys.iter().filter(move |key| key.answers_to(kid))
    }
}

impl ReadKeys {
    /// What of a set that was fetched from a URL can be believed: a secret that anybody can fetch vouches for nothing.
    pub fn published(mut self) -> Self {
        let all = self.keys.len();
        self.keys.keys.retain(|key| !matches!(key.material, Material::Secret(_)));
        if self.keys.len() < all {
            self.skipped.push((0, "it holds secrets, and is there for everybody".to_owned()));
        }
        self
    }
}

/// A JWK with its key, or with the reason why it is of no use.
struct Labelled<'j> {
    label: Label<'j>,
    material: Result<Material, String>,
}

impl Labelled<'_> {
    /// The key as it stands in its set, or why it cannot stay there.
    fn key(&self, set: &[Result<Labelled<'_>, String>]) -> Result<Key, String> {
        let material = self.material.clone()?;
        let mut others = set.iter().flatten();
        // Whoever may read the public keys has read the secret as well.
        if self.label.kty == "oct" && others.clone().any(|other| other.label.kty != "oct") {
            return Err("it is a secret in a set of public keys".to_owned());
        }
        // The same key listed twice is harmless. Two keys of one name mean that somebody is wrong about one of them,
        // also where only one of the two can be read.
        if others.any(|other| self.label.means_the_same(&other.label) && self.material != other.material) {
            return Err("another key of the set has the same kid and algorithm".to_owned());
        }
        Ok(Key { kid: self.label.kid.clone(), pinned: self.label.pinned, material })
    }
}

#[cfg(test)]
mod tests;
