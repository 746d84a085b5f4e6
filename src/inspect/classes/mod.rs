//! The classes, one file each.

mod names;

pub mod graphql;
pub mod ldap;
pub mod mass_assignment;
pub mod nosqli;
pub mod prototype_pollution;
pub mod sqli;
pub mod xpath;
