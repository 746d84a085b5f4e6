//! The classes of attack, one room each.

pub mod path_traversal;
mod system;
