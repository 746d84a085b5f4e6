//! The classes of attack, one file each.

mod names;

pub mod graphql;
pub mod ldap;
pub mod mass_assignment;
pub mod nosqli;
pub mod prototype_pollution;
pub mod sqli;
pub mod xpath;

use super::reading::Class;
use super::request::RequestClass;

/// Those that judge one text at a time.
pub static TEXT: &[&Class] = &[
    &sqli::SQLI,
    &nosqli::NOSQLI,
    &ldap::LDAP_INJECTION,
    &xpath::XPATH_INJECTION,
    &prototype_pollution::PROTOTYPE_POLLUTION,
];

/// Those that judge a request as a whole.
pub static REQUEST: &[&RequestClass] = &[&mass_assignment::MASS_ASSIGNMENT, &graphql::GRAPHQL_ABUSE];
