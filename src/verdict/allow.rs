//! Subjects that are never acted on, whoever they are found doing what.

use ipnet::IpNet;

use super::{Caller, Subject};

/// One entry of `ALLOW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Addresses of a network.
    Network(IpNet),
    Subject(Subject),
}

impl Allowed {
    /// Whether a request of this caller is not to be acted on.
    pub fn covers(&self, caller: &Caller<'_>) -> bool {
        match self {
            Self::Network(network) => caller.ip.is_some_and(|ip| network.contains(&ip.to_canonical())),
            Self::Subject(allowed) => caller.subjects().any(|subject| subject == *allowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_covers_its_addresses_and_a_user_its_requests() {
        let of = |ip: &str, user: &'static str| Caller { ip: ip.parse().ok(), user, ..Caller::default() };
        let network = Allowed::Network("198.51.100.0/24".parse().unwrap());
        assert!(network.covers(&of("198.51.100.7", "")) && network.covers(&of("::ffff:198.51.100.7", "")));
        assert!(!network.covers(&of("198.51.101.7", "")) && !network.covers(&Caller::default()));
        let ann = Allowed::Subject(Subject::User("ann".to_owned()));
        assert!(ann.covers(&of("192.0.2.1", "ann")) && !ann.covers(&of("192.0.2.1", "bob")));
    }
}
