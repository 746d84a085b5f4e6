//! The classes of attack, one file each.

pub mod crlf;
pub mod deserialization;
pub mod jndi;
pub mod prompt;
mod seek;
mod shown;
pub mod ssi;
pub mod ssti;
pub mod xss;
pub mod xxe;
