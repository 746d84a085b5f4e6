//! One key and what it may verify: the key decides about the algorithm, never the token (RFC 8725 section 3.1).

use core::fmt;

use ed25519_dalek as ed25519;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier;

use sha2::{Sha256, Sha384, Sha512};

use super::Algorithm;

/// Key material. Its type and nothing else says which signatures can be tried with it, so that a public key is never
/// taken for a shared secret.
#[derive(Clone, PartialEq)]
pub(super) enum Material {
    Secret(Box<[u8]>),
    Rsa(Box<rsa::PublicKey>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519::VerifyingKey),
}

impl Material {
    /// Whether signatures with this algorithm can be verified with this kind of key.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match self {
            Self::Secret(_) => matches!(algorithm, A::Hs256 | A::Hs384 | A::Hs512),
            Self::Rsa(_) => {
                matches!(algorithm, A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512)
            }
            Self::P256(_) => algorithm == A::Es256,
            Self::P384(_) => algorithm == A::Es384,
            Self::Ed25519(_) => algorithm == A::EdDsa,
        }
    }
}

/// A key that tokens may be signed with.
#[derive(Clone, PartialEq)]
pub(super) struct Key {
    pub kid: Option<String>,
    /// The only algorithm allowed, where the key names one (RFC 7517 section 4.4).
    pub pinned: Option<Algorithm>,
    pub material: Material,
}

impl Key {
    /// Whether a token with this algorithm may be verified with this key.
    pub(super) fn admits(&self, algorithm: Algorithm) -> bool {
        self.material.fits(algorithm) && self.pinned.is_none_or(|pinned| pinned == algorithm)
    }

    /// Whether a token that asks for this key id may be verified with this key. An id missing on either side leaves
    /// it open (RFC 7515 section 4.1.4).
    pub(super) fn answers_to(&self, kid: Option<&str>) -> bool {
        match (self.kid.as_deref(), kid) {
            (Some(own), Some(asked)) => own == asked,
            _ => true,
        }
    }

    /// Whether `signature` is this key's over `signed`. False as well for an algorithm the key does not admit.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        use Algorithm as A;
        if !self.admits(algorithm) {
            return false;
        }
        match (&self.material, algorithm) {
            (Material::Secret(secret), A::Hs256) => mac_matches::<Hmac<Sha256>>(secret, signed, signature),
            (Material::Secret(secret), A::Hs384) => mac_matches::<Hmac<Sha384>>(secret, signed, signature),
            (Material::Secret(secret), A::Hs512) => mac_matches::<Hmac<Sha512>>(secret, signed, signature),
            (Material::Rsa(key), A::Rs256) => key.pkcs1v15_verify::<Sha256>(signed, signature).is_ok(),
            (Material::Rsa(key), A::Rs384) => key.pkcs1v15_verify::<Sha384>(signed, signature).is_ok(),
            (Material::Rsa(key), A::Rs512) => key.pkcs1v15_verify::<Sha512>(signed, signature).is_ok(),
            // The salt has to be as long as the hash (RFC 7518 section 3.5); these three see to it.
            (Material::Rsa(key), A::Ps256) => key.pss_verify::<Sha256>(signed, signature).is_ok(),
            (Material::Rsa(key), A::Ps384) => key.pss_verify::<Sha384>(signed, signature).is_ok(),
            (Material::Rsa(key), A::Ps512) => key.pss_verify::<Sha512>(signed, signature).is_ok(),
            // r and s one after the other, each as long as the field (RFC 7518 section 3.4), not DER. Either of the
            // two values of s is right: JWS asks for no particular one.
            (Material::P256(key), A::Es256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            (Material::P384(key), A::Es384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            // Strict: no point of small order, so that a signature speaks for one key and one message only.
            (Material::Ed25519(key), A::EdDsa) => ed25519::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
            _ => false,
        }
    }
}

/// Compares in constant time, and only at full length.
fn mac_matches<M: Mac + KeyInit>(secret: &[u8], signed: &[u8], tag: &[u8]) -> bool {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return false };
    mac.update(signed);
    mac.verify_slice(tag).is_ok()
}

/// Shows which key it is, not what it is: some are secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.material {
            Material::Secret(_) => "secret",
            Material::Rsa(_) => "RSA",
            Material::P256(_) => "P-256",
            Material::P384(_) => "P-384",
            Material::Ed25519(_) => "Ed25519",
        };
        f.debug_struct("Key").field("kid", &self.kid).field("kind", &kind).field("pinned", &self.pinned).finish()
    }
}
