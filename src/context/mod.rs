//! What the origin is told about the session of a request, and what it tells back about its user.
//!
//! Outbound, [`Context`] becomes the header `Session-Context` (an RFC 9651 Dictionary) and [`Signer`] signs it together
//! with the request it goes with (RFC 9421), so that an origin that verifies cannot be deceived by a client that writes
//! the header itself, nor by one that reaches the origin past the Worker. Inbound, [`parse_feedback`] reads
//! `Session-Event`: what only the origin knows, such as that a login failed. `examples/verify-context/` is the
//! origin's half of the first.

mod feedback;
mod header;
mod merge;
mod sign;
mod signature_base;

pub use feedback::{
    Feedback, KNOWN_EVENTS, KnownEvent, MAX_EVENTS, MAX_FEEDBACK_BYTES, MAX_NAME_BYTES, MAX_PARAMETERS,
    MAX_VALUE_BYTES, OriginEvent, parse_feedback,
};
pub use header::{Context, MAX_FINDINGS, MAX_USER_BYTES};
pub use merge::merge;
pub use sign::{LABEL, LIFETIME_S, MIN_KEY_BYTES, Signed, Signer, Target};
