//! The way back: from a raw value to the sessions it may be the key of.

use super::KeyPlan;
use super::built_in::{ADDRESS_ONLY, API_KEYS, AUTHORIZATION, BEARER, COOKIES};
use super::jwt::{TokensAt, unverified};
use crate::selector::Trust;
use crate::session::SessionId;
use crate::verdict::Subject;

/// A session that a raw key value may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub session: SessionId,
    pub source: String,
}

impl KeyPlan {
    /// Every session that a raw value may be the key of, in the order the keys are tried.
    pub fn candidates(&self, value: &str, tokens: &mut TokensAt<'_>) -> Vec<Candidate> {
        // A token that is over by now was good when its session was there.
        let now_ms =
            unverified(value).and_then(|json| expiry_ms(&json)).map_or(tokens.now_ms, |e| e.min(tokens.now_ms));
        let tokens = &mut TokensAt { tokens: &mut *tokens.tokens, now_ms };
        let mut found: Vec<Candidate> = Vec::new();
        let mut add = |namespace: &str, value: &str, source: &str| {
            let ids = core::iter::once(self.ring.session_id(namespace, value));
            for session in ids.chain(self.ring.former_session_id(namespace, value)) {
                if !found.iter().any(|c| c.session == session) {
                    found.push(Candidate { session, source: source.to_owned() });
                }
            }
        };
        for ready in &self.keys {
            let source = ready.key.from.text();
            if let Some(claim) = ready.key.from.claim() {
                for iss in &self.issuers {
                    add(&format!("iss:{iss}\n{claim}"), value, source);
                }
                if let Some(sent) = ready.key.from.decode_sent(value, tokens)
                    && let Some(Trust::Verified(issuer)) = sent.trust
                {
                    let iss = self.issuers.get(issuer).map_or("", String::as_str);
                    add(&format!("iss:{iss}\n{claim}"), &sent.text, source);
                }
            }
            add(&ready.namespace, value, source);
        }
        let built_in = COOKIES.iter().chain(&API_KEYS).map(|(_, source)| *source);
        for source in built_in.chain([BEARER, AUTHORIZATION]) {
            add(source, value, source);
        }
        if let Ok(ip) = value.parse() {
            add(ADDRESS_ONLY, &Subject::ip(ip).value(), ADDRESS_ONLY);
        }
        found
    }
}

/// The last moment at which a token with these claims is in force.
fn expiry_ms(json: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Expiry {
        exp: f64,
    }
    let exp = serde_json::from_str::<Expiry>(json).ok()?.exp;
    // A float cast saturates.
    Some(((exp * 1_000.0) as u64).saturating_sub(1))
}
