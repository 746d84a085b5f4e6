//! Secrets derived per purpose, and the pseudonyms made with them.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::session::SessionId;

/// Shortest `SESSION_SECRET` accepted, bytes: 128 bits, if it is random.
pub const MIN_SECRET_BYTES: usize = 16;

/// Keys derived from `SESSION_SECRET` by HKDF-SHA-256 (RFC 5869), one per purpose.
#[derive(Clone)]
pub struct Keyring {
    session: Hmac<Sha256>,
}

impl Keyring {
    /// Derives the keys; the secret itself is not kept.
    pub fn new(secret: &[u8]) -> Self {
        Self { session: derived(secret, b"throughline/session-id/v1") }
    }

    /// The id of the session whose key has `value` in `namespace`.
    ///
    /// The namespace's length goes in first, so that no choice of value reaches into another namespace.
    pub fn session_id(&self, namespace: &str, value: &str) -> SessionId {
        let mut mac = self.session.clone();
        mac.update(&(namespace.len() as u64).to_be_bytes());
        mac.update(namespace.as_bytes());
        mac.update(value.as_bytes());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let mut id = [0u8; 16];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        SessionId(id)
    }
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keyring")
    }
}

fn derived(secret: &[u8], purpose: &[u8]) -> Hmac<Sha256> {
    let mut key = [0u8; 64];
    // 64 bytes (one block of SHA-256) are far below HKDF's limit of 255 hash lengths, the only way this can fail.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(purpose, &mut key);
    <Hmac<Sha256> as KeyInit>::new(&key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_secret_namespace_and_value_and_nothing_else() {
        let ring = Keyring::new(b"0123456789abcdef");
        let id = ring.session_id("request.cookie.sid", "abc");
        assert_eq!(id, Keyring::new(b"0123456789abcdef").session_id("request.cookie.sid", "abc"));
        assert_ne!(id, ring.session_id("request.cookie.sid", "abd"));
        assert_ne!(id, ring.session_id("request.cookie.sida", "bc"));
        assert_ne!(id, Keyring::new(b"0123456789abcdeg").session_id("request.cookie.sid", "abc"));
    }

    #[test]
    fn the_id_of_a_known_value_never_changes() {
        // Stored sessions are found by this value: if this test fails, every deployment loses its sessions.
        let ring = Keyring::new(b"golden-secret-golden-secret");
        assert_eq!(ring.session_id("request.cookie.sid", "golden").to_string(), "37207019e3fb56a2db00e5a6417ad68a");
    }
}
