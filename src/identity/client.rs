//! What the platform says about the client, whatever the client says.

use core::net::IpAddr;

/// Address and what goes with it; text is empty and numbers 0 where unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client<'a> {
    pub ip: Option<IpAddr>,
    pub country: &'a str,
    pub asn: u32,
    pub colo: &'a str,
    pub ja4: &'a str,
    pub user_agent: &'a str,
}
