//! Who is calling: from the parts of a request to a session id.
//!
//! Session keys are tried in order: the configured ones, then the built-in ones, then what the client cannot help
//! showing (address with agent, address). The value of a key is hashed under a secret at once and goes no further.

mod keyring;
mod keys;
mod standing;

pub use crate::selector::{Client, HeaderView, Request};
pub use keyring::{Keyring, MIN_SECRET_BYTES};
pub use keys::{ADDRESS_ONLY, Candidate, Identified, KeyPlan, SessionKey, is_address_bound};
pub use standing::{Allowances, Standing, Standings};
