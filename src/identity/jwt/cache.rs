//! What was found out about tokens, kept for their next request: a signature costs milliseconds, a look-up next to
//! nothing. Entries are found by the token's whole text, so no two tokens can be taken for one another.

use core::fmt;
use std::collections::HashMap;
use std::rc::Rc;

use super::{Issuer, KeySet, MAX_TOKEN_BYTES, Refusal, Verified, unverified, verify};
use crate::selector::{Claims, ReadTokens, Trust};

/// Most tokens in each of the two generations.
pub const MAX_ENTRIES: usize = 2_048;

/// Most text held in both generations together, bytes: tokens and their payloads.
pub const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// What [`verify`] says about a token, now.
pub type Reading = Result<Verified, Refusal>;

/// The configured issuers with a memory of the tokens seen.
#[derive(Default)]
pub struct Tokens {
    issuers: Vec<Issuer>,
    current: Generation,
    /// What was current before; whatever of it is asked for moves on, the rest is dropped with the next change.
    previous: Generation,
}

#[derive(Default)]
struct Generation {
    entries: HashMap<Box<str>, Entry>,
    text_bytes: usize,
}

#[derive(Clone)]
struct Entry {
    reading: Reading,
    /// The payload, verified or not; `None` where the token has none to show.
    json: Option<Rc<str>>,
    /// The reading is right from this time on …
    from_ms: u64,
    /// … until this one, exclusive.
    until_ms: u64,
}

impl Entry {
    fn text_bytes(&self, token: &str) -> usize {
        token.len() + self.json.as_ref().map_or(0, |json| json.len())
    }
}

impl Tokens {
    /// Nothing is remembered yet.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self { issuers, ..Self::default() }
    }

    /// The issuers, in the order in which [`Verified::issuer`] counts.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Gives an issuer other keys. Everything remembered is forgotten then: a key that is gone must not go on vouching,
    /// and a token refused for want of a key may be good now. Does nothing where there is no such issuer, or where it
    /// has these keys already, as after most refreshes.
    pub fn set_keys(&mut self, issuer: usize, keys: KeySet) {
        if let Some(issuer) = self.issuers.get_mut(issuer)
            && issuer.keys != keys
        {
            issuer.keys = keys;
            self.current = Generation::default();
            self.previous = Generation::default();
        }
    }

    /// As [`verify`] does, from memory where possible. What was verified is never reused after `exp` or before `nbf`.
    ///
    /// # Errors
    ///
    /// Those of [`verify`].
    pub fn read(&mut self, token: &str, now_ms: u64) -> Reading {
        self.look(token, now_ms).reading
    }

    fn look(&mut self, token: &str, now_ms: u64) -> Entry {
        let in_force = |entry: &&Entry| (entry.from_ms..entry.until_ms).contains(&now_ms);
        if let Some(entry) = self.current.entries.get(token).filter(in_force) {
            return entry.clone();
        }
        let kept = self.previous.take(token).filter(|entry| in_force(&entry));
        let entry = kept.unwrap_or_else(|| self.find_out(token, now_ms));
        self.keep(token, &entry);
        entry
    }

    fn find_out(&self, token: &str, now_ms: u64) -> Entry {
        let reading = verify(token, &self.issuers, now_ms);
        let json = match &reading {
            Ok(verified) => Some(verified.json.clone()),
            Err(Refusal::NoToken) => None,
            Err(_) => unverified(token),
        };
        let (from_ms, until_ms) = self.in_force(&reading, now_ms);
        Entry { reading, json, from_ms, until_ms }
    }

    /// The time in which a reading made now stays right.
    fn in_force(&self, reading: &Reading, now_ms: u64) -> (u64, u64) {
        match reading {
            Ok(verified) => {
                let leeway_ms = self.issuers.get(verified.issuer).map_or(0, |issuer| issuer.leeway_ms);
                (
                    verified.not_before_ms.map_or(0, |not_before| not_before.saturating_sub(leeway_ms)),
                    verified.expires_ms.map_or(u64::MAX, |expires| expires.saturating_add(leeway_ms)),
                )
            }
            // Over is over.
            Err(Refusal::Expired) => (now_ms, u64::MAX),
            // Good sooner or later, so asked again each time; only the issuer itself can cause the work.
            Err(Refusal::NotYet) => (0, 0),
            Err(_) => (0, u64::MAX),
        }
    }

    fn keep(&mut self, token: &str, entry: &Entry) {
        let of_use = entry.from_ms < entry.until_ms && !matches!(entry.reading, Err(Refusal::NoToken));
        // What is too long is told at once each time, and would take the room of many others.
        if !of_use || token.len() > MAX_TOKEN_BYTES {
            return;
        }
        if self.current.is_full(entry.text_bytes(token)) {
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.put(token, entry.clone());
    }
}

impl Generation {
    fn is_full(&self, more_bytes: usize) -> bool {
        self.entries.len() >= MAX_ENTRIES || self.text_bytes + more_bytes > MAX_TEXT_BYTES / 2
    }

    fn put(&mut self, token: &str, entry: Entry) {
        self.take(token);
        self.text_bytes += entry.text_bytes(token);
        self.entries.insert(token.into(), entry);
    }

    fn take(&mut self, token: &str) -> Option<Entry> {
        let entry = self.entries.remove(token)?;
        self.text_bytes -= entry.text_bytes(token);
        Some(entry)
    }
}

/// Shows how many tokens are remembered and none of them: each is somebody's credential.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.current.entries.len() + self.previous.entries.len();
        f.debug_struct("Tokens").field("issuers", &self.issuers).field("entries", &entries).finish_non_exhaustive()
    }
}

/// Tokens as selectors read them, at one moment.
pub struct TokensAt<'a> {
    pub tokens: &'a mut Tokens,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

impl TokensAt<'_> {
    /// [`Tokens::read`] at this moment.
    ///
    /// # Errors
    ///
    /// Those of [`super::verify`].
    pub fn read(&mut self, token: &str) -> Reading {
        self.tokens.read(token, self.now_ms)
    }

    /// Whether the keys of this issuer are fetched.
    pub fn is_fetched(&self, issuer: usize) -> bool {
        self.tokens.issuers().get(issuer).is_some_and(|issuer| issuer.fetched)
    }
}

impl ReadTokens for TokensAt<'_> {
    /// Claims of a refused token are there as well, but as what they are: [`Trust::Unverified`].
    fn claims(&mut self, token: &str) -> Option<Claims> {
        let entry = self.tokens.look(token, self.now_ms);
        let trust = entry.reading.map_or(Trust::Unverified, |verified| Trust::Verified(verified.issuer));
        entry.json.map(|json| Claims { json, trust })
    }
}

#[cfg(test)]
mod tests;
