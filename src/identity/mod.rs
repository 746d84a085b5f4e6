//! Who is calling: from the parts of a request to a session id.
//!
//! Session keys are tried in order: the configured ones, then the built-in ones, then what the client cannot help
//! showing (address with agent, address). The value of a key is hashed under a secret at once and goes no further.

mod client;
mod cookies;
mod keyring;
mod keys;

pub use client::Client;
pub use keyring::{Keyring, MIN_SECRET_BYTES};
pub use keys::{ADDRESS_ONLY, Candidate, Identified, KeyPlan, SessionKey};

/// The parts of a request that identity and recording read. Headers are those of [`KeyPlan::headers`].
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Without the leading `?`.
    pub query: &'a str,
    pub headers: HeaderView<'a>,
    pub client: Client<'a>,
}

/// Selected headers: lower-case names and, at the same index, values; an absent header has an empty value.
#[derive(Debug, Clone, Copy)]
pub struct HeaderView<'a> {
    pub names: &'a [String],
    pub values: &'a [&'a str],
}

impl<'a> HeaderView<'a> {
    /// The value of the header, if it was sent and is not empty.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let index = self.names.iter().position(|n| n == name)?;
        self.values.get(index).copied().filter(|value| !value.is_empty())
    }
}
