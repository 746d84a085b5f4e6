//! The classes of attack, one room each.

pub mod command;
pub mod path_traversal;
mod system;
