//! The classes of attack, one file each.

mod names;
mod seek;
mod shown;
mod system;

pub mod command;
pub mod crlf;
pub mod deserialization;
pub mod graphql;
pub mod jndi;
pub mod jwt;
pub mod ldap;
pub mod mass_assignment;
pub mod nosqli;
pub mod path_traversal;
pub mod prompt;
pub mod protocol;
pub mod prototype_pollution;
pub mod scanner;
pub mod sqli;
pub mod ssi;
pub mod ssrf;
pub mod ssti;
pub mod xpath;
pub mod xss;
pub mod xxe;

use super::reading::Class;
use super::request::RequestClass;

/// Those that judge one text at a time.
pub static TEXT: &[&Class] = &[
    &sqli::SQLI,
    &nosqli::NOSQLI,
    &ldap::LDAP_INJECTION,
    &xpath::XPATH_INJECTION,
    &prototype_pollution::PROTOTYPE_POLLUTION,
    &xss::XSS,
    &ssti::SSTI,
    &ssi::SSI_INJECTION,
    &crlf::CRLF_INJECTION,
    &xxe::XXE,
    &jndi::JNDI,
    &deserialization::DESERIALIZATION,
    &prompt::PROMPT_INJECTION,
    &path_traversal::PATH_TRAVERSAL,
    &command::COMMAND_INJECTION,
    &ssrf::SSRF,
    &jwt::JWT_ABUSE,
    &scanner::SCANNER_HOST,
];

/// Those that judge a request as a whole.
pub static REQUEST: &[&RequestClass] = &[
    &mass_assignment::MASS_ASSIGNMENT,
    &graphql::GRAPHQL_ABUSE,
    &jwt::JWT_ABUSE_BEARER,
    &scanner::SCANNER,
    &protocol::PROTOCOL_ANOMALY,
];
