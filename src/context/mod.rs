//! What the origin is told about the session of a request.
//!
//! [`Context`] becomes the header `Session-Context` (an RFC 9651 Dictionary) and [`Signer`] signs it together
//! with the request it goes with (RFC 9421), so that an origin that verifies cannot be deceived by a client that writes
//! the header itself, nor by one that reaches the origin past the Worker.

mod header;
mod merge;
mod sign;
mod signature_base;

pub use header::{Context, MAX_FINDINGS, MAX_USER_BYTES};
pub use merge::merge;
pub use sign::{LABEL, LIFETIME_S, MIN_KEY_BYTES, Signed, Signer, Target};
