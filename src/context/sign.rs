//! Signing a request together with its `Session-Context`: HTTP Message Signatures (RFC 9421) with hmac-sha256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::signature_base::signature_base;

/// The label of our signature in `Signature-Input` and `Signature`.
pub const LABEL: &str = "throughline";
/// How long a signature holds, seconds: what a request takes to reach the origin, with room for clocks that differ.
pub const LIFETIME_S: u64 = 60;
/// Shortest `CONTEXT_SIGNING_KEY` accepted, bytes: as long as what HMAC-SHA-256 gives (RFC 2104 §3).
pub const MIN_KEY_BYTES: usize = 32;

/// Keeps the id of a key apart from every other use of SHA-256 over the same bytes.
const KEY_ID_PURPOSE: &[u8] = b"throughline/context-key-id\0";
/// The largest Integer of RFC 9651 §3.3.1.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// The key that context is signed with, ready for use; its text is not kept.
#[derive(Clone)]
pub struct Signer {
    mac: Hmac<Sha256>,
    key_id: String,
}

/// What of a request is signed besides its context: the request as the *origin* receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// As sent, with its case: methods are case-sensitive (RFC 9421 §2.2.1).
    pub method: &'a str,
    /// Host, and port if one was given, of any case.
    pub authority: &'a str,
    /// Whether the scheme is `https`, which says which port is the default one.
    pub is_https: bool,
    /// The path as sent, still encoded; empty stands for `/` (§2.2.6).
    pub path: &'a str,
    /// The query as sent, still encoded, without its `?`.
    pub query: &'a str,
    /// Whether there was a `?` at all. `query` is not read without it; §2.2.7 signs an absent and an empty query alike.
    pub has_query: bool,
}

/// The three fields that go to the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Value of `Session-Context`, which replaces whatever the client sent under that name.
    pub session_context: String,
    /// Our member of `Signature-Input`: `throughline=("@method" …);created=…`. [`merge`](super::merge) adds the others.
    pub signature_input: String,
    /// Our member of `Signature`: `throughline=:…:`.
    pub signature: String,
}

impl Signer {
    /// A signer from the text of `CONTEXT_SIGNING_KEY`, whose UTF-8 bytes are the HMAC key as they are.
    ///
    /// # Errors
    /// The reason, for the operator, when the text has fewer than [`MIN_KEY_BYTES`].
    pub fn new(key: &str) -> Result<Self, &'static str> {
        if key.len() < MIN_KEY_BYTES {
            return Err("a key that signs context has at least 32 bytes");
        }
        Self::from_bytes(key.as_bytes())
    }

    fn from_bytes(key: &[u8]) -> Result<Self, &'static str> {
        let mac = Hmac::new_from_slice(key).map_err(|_| "HMAC does not take this key")?;
        let digest = Sha256::new().chain_update(KEY_ID_PURPOSE).chain_update(key).finalize();
        let key_id = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { mac, key_id })
    }

    /// The parameter `keyid`: the first 16 hex digits of `SHA-256("throughline/context-key-id" ‖ 0 ‖ key)`.
    ///
    /// It tells the origin which of its keys to use while they are changed, and nothing about the key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Signs a context with the request it goes with.
    ///
    /// `context_header` is what [`Context::header`](super::Context::header) gave, `created_s` the time in epoch seconds,
    /// `nonce` the id of the request. Of the nonce only letters, digits, `-`, `_` and `.` are used. The components are
    /// `"@method" "@authority" "@path" "@query" "session-context"`; the body is not signed.
    pub fn sign(&self, context_header: String, target: &Target<'_>, created_s: u64, nonce: &str) -> Signed {
        let parameters = self.parameters(created_s, nonce);
        let query = if target.has_query { format!("?{}", target.query) } else { "?".to_owned() };
        let base = signature_base(
            &[
                ("@method", target.method),
                ("@authority", &normal_authority(target.authority, target.is_https)),
                ("@path", if target.path.is_empty() { "/" } else { target.path }),
                ("@query", &query),
                // §2.1: a field's value without the white space around it.
                ("session-context", context_header.trim_matches([' ', '\t'])),
            ],
            &parameters,
        );
        Signed {
            session_context: context_header,
            signature_input: format!("{LABEL}={parameters}"),
            signature: format!("{LABEL}=:{}:", self.tag(&base)),
        }
    }

    /// The signature parameters (§2.3) in the one form that both `Signature-Input` and the base hold.
    fn parameters(&self, created_s: u64, nonce: &str) -> String {
        let created = created_s.min(MAX_INTEGER - LIFETIME_S);
        let expires = created + LIFETIME_S;
        let nonce: String = nonce.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        let key_id = &self.key_id;
        format!(
            "(\"@method\" \"@authority\" \"@path\" \"@query\" \"session-context\");created={created};\
             expires={expires};nonce=\"{nonce}\";keyid=\"{key_id}\";alg=\"hmac-sha256\""
        )
    }

    fn tag(&self, base: &str) -> String {
        STANDARD.encode(self.mac.clone().chain_update(base).finalize().into_bytes())
    }
}

impl core::fmt::Debug for Signer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// §2.2.3: lower case, and no port where it is the scheme's own (RFC 9110 §4.2.3).
fn normal_authority(authority: &str, is_https: bool) -> String {
    let default_port = if is_https { ":443" } else { ":80" };
    authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a key of thirty-two bytes, or so";
    const TARGET: Target<'_> = Target {
        method: "GET",
        authority: "shop.example",
        is_https: true,
        path: "/api/orders",
        query: "page=2",
        has_query: true,
    };

    fn signature(target: Target<'_>) -> String {
        Signer::new(KEY).unwrap().sign("id=\"0\"".to_owned(), &target, 1_700_000_000, "N1").signature
    }

    #[test]
    fn the_signature_of_rfc_9421_b_2_5_is_reproduced() {
        let key = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
        let base = signature_base(
            &[
                ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
                ("@authority", "example.com"),
                ("content-type", "application/json"),
            ],
            r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        );
        let signer = Signer::from_bytes(&STANDARD.decode(key).unwrap()).unwrap();
        assert_eq!(signer.tag(&base), "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(Signer::new(&"k".repeat(MIN_KEY_BYTES - 1)).is_err());
        assert!(Signer::new("").is_err());
        assert!(Signer::new(&"k".repeat(MIN_KEY_BYTES)).is_ok());
        // Counted in bytes, as HMAC does.
        assert!(Signer::new(&"é".repeat(MIN_KEY_BYTES / 2)).is_ok());
    }

    #[test]
    fn the_signature_says_what_it_covers_and_until_when() {
        let signer = Signer::new(KEY).unwrap();
        let signed = signer.sign("id=\"0\"".to_owned(), &TARGET, 1_700_000_000, "01HF7YAT00000000000000000N");
        assert_eq!(signed.session_context, "id=\"0\"");
        assert_eq!(
            signed.signature_input,
            format!(
                "throughline=(\"@method\" \"@authority\" \"@path\" \"@query\" \"session-context\");created=1700000000;\
                 expires=1700000060;nonce=\"01HF7YAT00000000000000000N\";keyid=\"{}\";alg=\"hmac-sha256\"",
                signer.key_id()
            )
        );
        assert!(signed.signature.starts_with("throughline=:") && signed.signature.ends_with("=:"));
    }

    #[test]
    fn equal_requests_sign_alike_however_they_are_written() {
        let expected = signature(TARGET);
        assert_eq!(signature(Target { authority: "Shop.EXAMPLE:443", ..TARGET }), expected);
        let bare = signature(Target { path: "", query: "", ..TARGET });
        assert_eq!(signature(Target { path: "/", query: "ignored", has_query: false, ..TARGET }), bare);
        let plain = signature(Target { is_https: false, ..TARGET });
        assert_eq!(signature(Target { is_https: false, authority: "shop.example:80", ..TARGET }), plain);
    }

    #[test]
    fn every_part_of_the_target_is_signed() {
        let changed = [
            Target { method: "get", ..TARGET },
            Target { authority: "shop.example:80", ..TARGET },
            Target { authority: "shop.example:8443", ..TARGET },
            Target { path: "/api/Orders", ..TARGET },
            Target { query: "page=3", ..TARGET },
            Target { has_query: false, ..TARGET },
        ];
        for target in changed {
            assert_ne!(signature(target), signature(TARGET), "{target:?}");
        }
    }

    #[test]
    fn a_nonce_or_time_that_no_field_can_hold_is_cut_to_what_it_can() {
        let signed = Signer::new(KEY).unwrap().sign(String::new(), &TARGET, u64::MAX, "a\";alg=\"none\r\n\\é-_.b");
        let input = &signed.signature_input;
        assert!(input.contains(";created=999999999999939;expires=999999999999999;nonce=\"aalgnone-_.b\";"), "{input}");
    }

    #[test]
    fn a_signer_does_not_show_its_key() {
        let shown = format!("{:?}", Signer::new(KEY).unwrap());
        assert_eq!(shown, format!("Signer {{ key_id: {:?}, .. }}", Signer::new(KEY).unwrap().key_id()));
    }
}
