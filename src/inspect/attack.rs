//! The classes of attack a single request can carry.

use serde::{Deserialize, Serialize};

/// What a request was found to carry. The names are those of configuration and API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    Sqli,
    Xss,
    PathTraversal,
    CommandInjection,
    Ssti,
    Ssrf,
    Nosqli,
    LdapInjection,
    XpathInjection,
    Xxe,
    Jndi,
    CrlfInjection,
    SsiInjection,
    Deserialization,
    PrototypePollution,
    MassAssignment,
    GraphqlAbuse,
    JwtAbuse,
    Scanner,
    ProtocolAnomaly,
    PromptInjection,
}
