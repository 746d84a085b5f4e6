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
    /// Nothing of an attacker's: what the API's document does not let a request or its answer have.
    SchemaViolation,
}

impl Attack {
    /// Every class, for configuration and filters.
    pub const ALL: [Self; 22] = [
        Self::Sqli,
        Self::Xss,
        Self::PathTraversal,
        Self::CommandInjection,
        Self::Ssti,
        Self::Ssrf,
        Self::Nosqli,
        Self::LdapInjection,
        Self::XpathInjection,
        Self::Xxe,
        Self::Jndi,
        Self::CrlfInjection,
        Self::SsiInjection,
        Self::Deserialization,
        Self::PrototypePollution,
        Self::MassAssignment,
        Self::GraphqlAbuse,
        Self::JwtAbuse,
        Self::Scanner,
        Self::ProtocolAnomaly,
        Self::PromptInjection,
        Self::SchemaViolation,
    ];

    /// The name the API and the configuration use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqli => "sqli",
            Self::Xss => "xss",
            Self::PathTraversal => "path_traversal",
            Self::CommandInjection => "command_injection",
            Self::Ssti => "ssti",
            Self::Ssrf => "ssrf",
            Self::Nosqli => "nosqli",
            Self::LdapInjection => "ldap_injection",
            Self::XpathInjection => "xpath_injection",
            Self::Xxe => "xxe",
            Self::Jndi => "jndi",
            Self::CrlfInjection => "crlf_injection",
            Self::SsiInjection => "ssi_injection",
            Self::Deserialization => "deserialization",
            Self::PrototypePollution => "prototype_pollution",
            Self::MassAssignment => "mass_assignment",
            Self::GraphqlAbuse => "graphql_abuse",
            Self::JwtAbuse => "jwt_abuse",
            Self::Scanner => "scanner",
            Self::ProtocolAnomaly => "protocol_anomaly",
            Self::PromptInjection => "prompt_injection",
            Self::SchemaViolation => "schema_violation",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attack| attack.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_serialized_and_numbers_fit_a_scan() {
        for (number, attack) in (0..).zip(Attack::ALL) {
            assert_eq!(serde_json::to_value(attack).unwrap(), attack.name());
            assert_eq!(Attack::from_name(attack.name()), Some(attack));
            assert_eq!(attack as u32, number);
            assert!(number < 32);
        }
    }
}
