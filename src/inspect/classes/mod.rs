//! The classes, one file each.

mod names;

pub mod ldap;
pub mod nosqli;
pub mod prototype_pollution;
pub mod sqli;
pub mod xpath;
