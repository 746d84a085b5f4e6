//! What the origin is told about the session of a request: the header `Session-Context`.

mod header;

pub use header::{Context, MAX_FINDINGS, MAX_USER_BYTES};
