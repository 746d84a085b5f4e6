//! Where alerts may be sent: to public hosts by https, and in development to this machine by http.
//!
//! The host is read strictly: an address in any but its plain form, a name that names no public host, credentials, all are
//! refused. A public name that resolves to a private address is the platform's to refuse, which does not route there.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names and ends of names that are not public.
const PRIVATE_ENDS: [&str; 12] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
    "test",
    "invalid",
    "onion",
];
const MAX_URL: usize = 1_024;

/// Checks the URL of a receiver. The error does not repeat it: such URLs are secrets.
pub fn check(url: &str, development: bool) -> Result<(), &'static str> {
    if url.len() > MAX_URL {
        return Err("is longer than 1,024 bytes");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("holds a space, backslash or control character");
    }
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err("does not start with https://"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.contains('@') {
        return Err("holds credentials");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("has no host")?,
        None => authority
            .split_once(':')
            .map_or((authority, ""), |(host, _)| (host, authority.get(host.len()..).unwrap_or(""))),
    };
    if !port.is_empty() && port.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()).is_none() {
        return Err("has no port where one is said to be");
    }
    let address = host.parse::<IpAddr>().ok();
    let loopback = address.is_some_and(|ip| ip.is_loopback()) || host.eq_ignore_ascii_case("localhost");
    if loopback && development {
        return Ok(());
    }
    if !secure {
        return Err("does not start with https://");
    }
    match address {
        Some(ip) if is_private(ip) => Err("is a private address"),
        Some(_) => Ok(()),
        None => name(host),
    }
}

fn name(host: &str) -> Result<(), &'static str> {
    let lower = host.to_ascii_lowercase();
    let host = lower.strip_suffix('.').unwrap_or(&lower);
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or("");
    if !host.split('.').all(is_label) || host.len() > 253 {
        return Err("has no host, or one that is no name; write international names in their xn-- form");
    }
    // What ends in a number is an address to whoever resolves it.
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        return Err("has an address in an unusual form");
    }
    let is_private =
        PRIVATE_ENDS.iter().any(|end| host == *end || host.strip_suffix(end).is_some_and(|h| h.ends_with('.')));
    if is_private || !host.contains('.') { Err("is no public host") } else { Ok(()) }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => is_private_v6(ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let [.., high, low] = ip.segments();
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    // Addresses that hold a v4 one: mapped, compatible, NAT64, 6to4 are judged as what they hold, or refused.
    let holds_v4 = ip.to_ipv4_mapped().is_some() || (first == 0x64 && second == 0xff9b) || ip.to_ipv4().is_some();
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || (first & 0xfe00) == 0xfc00
        || (first & 0xffc0) == 0xfe80
        || (first & 0xffc0) == 0xfec0
        || (first == 0x2001 && (second == 0xdb8 || second == 0))
        || first == 0x2002
        || first == 0x100
        || (holds_v4 && is_private_v4(Ipv4Addr::new(a, b, c, d)))
}
