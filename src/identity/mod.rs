//! Who is calling: from the parts of a request and its response to sessions, users and links.
//!
//! Session keys are tried in order: the configured ones, then the built-in ones, then what the client cannot help
//! showing (address with agent, address). The value of a key is hashed under a secret at once and goes no further.

mod built_in;
mod claims;
mod issue;
pub mod jwt;
mod keyring;
mod keys;
mod lookup;
mod oddities;
mod outcome;
mod preview;
mod standing;
mod users;

pub use built_in::{ADDRESS_ONLY, is_address_bound};
pub use issue::{Issued, Stage, stage};
pub use keyring::{Keyring, MIN_SECRET_BYTES};
pub use keys::{Identified, KEYLESS, KeyPlan, SessionKey};
pub use lookup::Candidate;
pub use oddities::marks_of;
pub use outcome::Outcome;
pub use preview::{Preview, Sampled, preview};
pub use standing::{Allowances, Standing, Standings};
pub use users::{Exchange, Naming, Role, Storing, UserPlan, Who};

use crate::session::Principal;
use claims::{TokenClaims, identity_claims};

/// The verified identity behind a token's claims; 0 where it names no subject.
fn principal(ring: &Keyring, claims: &TokenClaims) -> Principal {
    if claims.sub.is_empty() { 0 } else { ring.principal(&claims.iss, &claims.sub) }
}
