//! Secrets derived per purpose, and the pseudonyms made with them.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::session::{Principal, SessionId};
use crate::subject::SubjectHash;

/// Shortest `SESSION_SECRET` accepted, bytes: 128 bits, if it is random.
pub const MIN_SECRET_BYTES: usize = 16;

/// Keys derived from `SESSION_SECRET` by HKDF-SHA-256 (RFC 5869), one per purpose, and those of the secret before it,
/// under which what was stored earlier is still found.
#[derive(Clone)]
pub struct Keyring {
    current: Keys,
    former: Option<Keys>,
}

#[derive(Clone)]
struct Keys {
    session: Hmac<Sha256>,
    pseudonym: Hmac<Sha256>,
    /// Names the key in what is made with it: 16 bits, enough to tell the few secrets of a deployment apart.
    key_id: [u8; 2],
    subjects: SubjectHash,
    share: Hmac<Sha256>,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        let mut key_id = [0u8; 2];
        let _ = Hkdf::<Sha256>::new(None, secret).expand(b"throughline/key-id/v1", &mut key_id);
        Self {
            session: derived(secret, b"throughline/session-id/v1"),
            pseudonym: derived(secret, b"throughline/pseudonym/v1"),
            key_id,
            subjects: SubjectHash::derive(secret),
            share: derived(secret, b"throughline/share/v1"),
        }
    }

    fn session_id(&self, namespace: &str, value: &str) -> SessionId {
        SessionId(digest(&self.session, namespace, value))
    }

    fn pseudonym(&self, kind: &str, value: &str) -> String {
        let [a, b] = self.key_id;
        format!("h:{a:02x}{b:02x}:{}", SessionId(digest(&self.pseudonym, kind, value)))
    }
}

impl Keyring {
    /// Derives the keys; the secrets themselves are not kept.
    pub fn new(secret: &[u8], former: Option<&[u8]>) -> Self {
        Self { current: Keys::new(secret), former: former.map(Keys::new) }
    }

    /// The id of the session whose key has `value` in `namespace`.
    pub fn session_id(&self, namespace: &str, value: &str) -> SessionId {
        self.current.session_id(namespace, value)
    }

    /// The id the session had under the secret before this one.
    pub fn former_session_id(&self, namespace: &str, value: &str) -> Option<SessionId> {
        Some(self.former.as_ref()?.session_id(namespace, value))
    }

    /// A name for `value` that only holders of the secret can find again: `h:`, the key's id, 128 bits in hex.
    ///
    /// `kind` keeps equal values of different meaning apart.
    pub fn pseudonym(&self, kind: &str, value: &str) -> String {
        self.current.pseudonym(kind, value)
    }

    /// Every pseudonym `value` may be stored under.
    pub fn pseudonyms(&self, kind: &str, value: &str) -> Vec<String> {
        let keys = core::iter::once(&self.current).chain(&self.former);
        keys.map(|keys| keys.pseudonym(kind, value)).collect()
    }

    /// What subjects are named by, and what they were named by under the secret before this one.
    pub fn subjects(&self) -> (SubjectHash, Option<SubjectHash>) {
        (self.current.subjects, self.former.as_ref().map(|former| former.subjects))
    }

    /// Signs what a share link says.
    pub fn sign_share(&self, said: &[u8]) -> [u8; 32] {
        let mut mac = self.current.share.clone();
        mac.update(said);
        mac.finalize().into_bytes().into()
    }

    /// Whether that was signed here, under this secret or the one before it; in constant time.
    pub fn has_signed_share(&self, said: &[u8], signature: &[u8]) -> bool {
        core::iter::once(&self.current).chain(&self.former).any(|keys| {
            let mut mac = keys.share.clone();
            mac.update(said);
            mac.verify_slice(signature).is_ok()
        })
    }

    /// A verified identity as a number that is never 0.
    pub fn principal(&self, iss: &str, sub: &str) -> Principal {
        let [a, b, c, d, e, f, g, h, ..] = digest(&self.current.pseudonym, iss, sub);
        u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1)
    }
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keyring")
    }
}

/// 128 bits of the keyed hash over `value` in `namespace`. The namespace's length goes in first, so that no choice of
/// value reaches into another namespace.
fn digest(key: &Hmac<Sha256>, namespace: &str, value: &str) -> [u8; 16] {
    let mut mac = key.clone();
    mac.update(&(namespace.len() as u64).to_be_bytes());
    mac.update(namespace.as_bytes());
    mac.update(value.as_bytes());
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let mut half = [0u8; 16];
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    half
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

    const SECRET: &[u8] = b"0123456789abcdef";

    #[test]
    fn ids_depend_on_secret_namespace_and_value_and_nothing_else() {
        let ring = Keyring::new(SECRET, None);
        let id = ring.session_id("request.cookie.sid", "abc");
        assert_eq!(id, Keyring::new(SECRET, None).session_id("request.cookie.sid", "abc"));
        assert_ne!(id, ring.session_id("request.cookie.sid", "abd"));
        assert_ne!(id, ring.session_id("request.cookie.sida", "bc"));
        assert_ne!(id, Keyring::new(b"0123456789abcdeg", None).session_id("request.cookie.sid", "abc"));
    }

    #[test]
    fn the_id_of_a_known_value_never_changes() {
        // Stored sessions are found by this value: if this test fails, every deployment loses its sessions.
        let ring = Keyring::new(b"golden-secret-golden-secret", None);
        assert_eq!(ring.session_id("request.cookie.sid", "golden").to_string(), "37207019e3fb56a2db00e5a6417ad68a");
        assert_eq!(ring.pseudonym("user", "golden"), "h:3d97:af6ff0a9b59417105056b316d1cdfda1");
    }

    #[test]
    fn while_a_secret_rotates_both_ids_and_both_pseudonyms_are_known() {
        let (old, new) = (Keyring::new(SECRET, None), Keyring::new(b"fedcba9876543210", Some(SECRET)));
        assert_eq!(new.former_session_id("n", "v"), Some(old.session_id("n", "v")));
        assert_ne!(new.session_id("n", "v"), old.session_id("n", "v"));
        assert_eq!(new.pseudonyms("user", "alice"), [new.pseudonym("user", "alice"), old.pseudonym("user", "alice")]);
        assert_ne!(new.pseudonym("user", "alice"), old.pseudonym("user", "alice"));
        assert_ne!(new.pseudonym("user", "alice"), new.pseudonym("role", "alice"));
    }
}
