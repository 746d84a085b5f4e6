//! The classes of attack, one room each.

pub mod command;
pub mod jwt;
pub mod path_traversal;
pub mod protocol;
pub mod scanner;
pub mod ssrf;
mod system;
