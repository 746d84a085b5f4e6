//! The classes, one file each.

pub mod sqli;
