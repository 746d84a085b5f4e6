//! Signatures in the way of Standard Webhooks (standardwebhooks.com, version 1.0.0): HMAC-SHA-256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Shortest secret, bytes.
const MIN_BYTES: usize = 16;

/// What messages are signed with.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// Reads `WEBHOOK_SECRET`: `whsec_` and base64, or any text, whose bytes are then the key.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let key = match text.strip_prefix("whsec_") {
            Some(base64) => STANDARD.decode(base64).map_err(|_| "begins with whsec_ and goes on with no base64")?,
            None => text.as_bytes().to_vec(),
        };
        if key.len() < MIN_BYTES {
            return Err("is shorter than 16 bytes; use a long random value");
        }
        <Hmac<Sha256> as KeyInit>::new_from_slice(&key).map(Self).map_err(|_| "is no key")
    }

    /// The headers of a message sent now.
    pub fn sign(&self, id: &str, time_s: u64, body: &str) -> Headers {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{time_s}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        Headers { id: id.to_owned(), timestamp: time_s.to_string(), signature }
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

/// `webhook-id`, `webhook-timestamp` and `webhook-signature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
}
