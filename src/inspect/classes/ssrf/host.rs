//! Hosts of addresses: what they reach, in every spelling that programs take.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::inspect::classes::system::{begins, find, from, is_one_of, part};

/// What lies behind a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The service of a cloud that hands out its machines' credentials.
    Metadata,
    /// The server or its network, written so that a filter overlooks it.
    Disguised,
    Loopback,
    Private,
    /// A name that only a private network resolves.
    Name,
}

impl Reach {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Metadata => "reaches for the metadata service of a cloud",
            Self::Disguised => "reaches for a private address in disguise",
            Self::Loopback => "reaches for the server itself",
            Self::Private => "reaches for a private network",
            Self::Name => "reaches for a name of a private network",
        }
    }
}

/// Longest host that is looked at, bytes: what names may have.
const LONGEST_HOST: usize = 253;

/// User, host and port: what stands before the path.
pub(super) fn authority(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| b"/?#\\\"'<> \t\r\n`{}|^".contains(byte)).unwrap_or(rest.len());
    part(rest, 0..end)
}

/// The host, without user, port and the dot at its end.
pub(super) fn real(authority: &[u8]) -> &[u8] {
    let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or(authority);
    if let Some(address) = host.strip_prefix(b"[") {
        return address.split(|byte| matches!(byte, b']' | b'%')).next().unwrap_or(address);
    }
    let host = host.split(|byte| matches!(byte, b':' | b'&' | b',' | b';')).next().unwrap_or(host);
    host.strip_suffix(b".").unwrap_or(host)
}

pub(super) fn port(authority: &[u8]) -> Option<u16> {
    let digits = authority.rsplit(|byte| *byte == b':').next()?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// What the authority reaches, if it is nothing public.
pub(super) fn reach(authority: &[u8]) -> Option<Reach> {
    let host = real(authority);
    // An address of the sixth version without its brackets.
    if authority.iter().filter(|byte| **byte == b':').count() > 1
        && let Some(address) = core::str::from_utf8(authority).ok().and_then(|address| address.parse().ok())
    {
        return of_v6(address);
    }
    if host.is_empty() || host.len() > LONGEST_HOST {
        return None;
    }
    if host.contains(&b':') {
        return of_v6(core::str::from_utf8(host).ok()?.parse().ok()?);
    }
    // ① to ⓿ and the full stops of other scripts, where nothing has folded them.
    if host.windows(2).any(|two| matches!(two, [0xe2, 0x91..=0x93])) || find(host, "。".as_bytes()).is_some() {
        return Some(Reach::Disguised);
    }
    if let Some((address, is_plain)) = v4(host) {
        let reach = of_v4(address);
        return if is_plain || reach == Some(Reach::Metadata) { reach } else { reach.map(|_| Reach::Disguised) };
    }
    of_name(host)
}

fn of_v4(address: Ipv4Addr) -> Option<Reach> {
    match address.octets() {
        [169, 254, 169, 254]
        | [169, 254, 170, 2 | 23]
        | [100, 100, 100, 200]
        | [192, 0, 0, 192]
        | [168, 63, 129, 16] => Some(Reach::Metadata),
        [127 | 0, ..] => Some(Reach::Loopback),
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [169, 254, ..] | [100, 64..=127, ..] => Some(Reach::Private),
        _ => None,
    }
}

fn of_v6(address: Ipv6Addr) -> Option<Reach> {
    let parts = address.segments();
    let [.., high, low] = parts;
    let last = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some(Reach::Metadata),
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Some(Reach::Loopback),
        // v4 inside v6: mapped, compatible, translated (RFC 6052), 6to4.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            match of_v4(last)? {
                Reach::Metadata => Some(Reach::Metadata),
                _ => Some(Reach::Disguised),
            }
        }
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 => Some(Reach::Private),
        _ => None,
    }
}

/// An IPv4 address as `inet_aton` reads it: one to four numbers, decimal, octal or hexadecimal; and whether it is written as usual.
fn v4(host: &[u8]) -> Option<(Ipv4Addr, bool)> {
    if !host.first()?.is_ascii_digit() {
        return None;
    }
    let mut numbers = [0_u64; 4];
    let mut count = 0;
    let mut is_plain = true;
    for piece in host.split(|byte| *byte == b'.') {
        let (number, plain) = number(piece)?;
        *numbers.get_mut(count)? = number;
        is_plain &= plain;
        count += 1;
    }
    let last = numbers.get(count.checked_sub(1)?).copied()?;
    let before = numbers.iter().take(count - 1);
    // Numbers that are too large lose what does not fit, in some programs.
    is_plain &= count == 4 && numbers.iter().all(|number| *number < 256);
    let head = before.fold(0_u64, |sum, number| sum << 8 | number & 0xff) << (8 * (5 - count));
    let tail = last & (u64::MAX >> (64 - 8 * (5 - count)));
    Some((Ipv4Addr::from(u32::try_from(head | tail).ok()?), is_plain))
}

fn number(piece: &[u8]) -> Option<(u64, bool)> {
    let text = core::str::from_utf8(piece).ok()?;
    if text.is_empty() || text.len() > 24 || text.starts_with('+') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return Some((u64::from_str_radix(hex, 16).ok()?, false));
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => Some((u64::from_str_radix(octal, 8).ok()?, false)),
        _ => Some((text.parse().ok()?, true)),
    }
}

/// Names that lead to a private address: by everybody's agreement, and by services that answer with the address in the name.
fn of_name(host: &[u8]) -> Option<Reach> {
    const METADATA: &[&str] = &[
        "metadata.google.internal",
        "metadata",
        "metadata.tencentyun.com",
        "instance-data",
        "rancher-metadata",
        "instance-data.ec2.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.nicksplat.com",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    // `http://unix:/var/run/docker.sock:/…`
    const LOOPBACK: &[&str] =
        &["unix", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "localhost6"];
    const ANSWERS: &[&str] = &[".nip.io", ".sslip.io", ".xip.io", ".1u.ms", ".rbndr.us", ".traefik.me", ".ipq.co"];
    const LEADS: &[&str] = &[
        "localtest.me",
        "lvh.me",
        "vcap.me",
        "lacolhost.com",
        "localdomain.pw",
        "spoofed.burpcollaborator.net",
        "bugbounty.dod.network",
        "fuf.me",
        "localh.st",
        "yoogle.com",
        "127-0-0-1.org.uk",
        "l.gslin.com",
        "fbi.com.127.0.0.1.nip.io",
        "1ynrnhl.xip.io",
    ];
    const INSIDE: &[&str] = &[".internal", ".local", ".lan", ".corp", ".intranet", ".cluster.local", ".home.arpa"];
    let ends =
        |tail: &str| host.len().checked_sub(tail.len()).is_some_and(|start| begins(from(host, start), tail.as_bytes()));
    let is_under =
        |name: &&str| ends(name) && (host.len() == name.len() || host.get(host.len() - name.len() - 1) == Some(&b'.'));
    if is_one_of(host, METADATA) {
        return Some(Reach::Metadata);
    }
    if ends(".service.consul") || ends(".svc") || ends(".svc.cluster.local") {
        return Some(Reach::Private);
    }
    if is_one_of(host, LOOPBACK) || ends(".localhost") {
        return Some(Reach::Loopback);
    }
    if LEADS.iter().any(is_under) {
        return Some(Reach::Disguised);
    }
    if let Some(service) = ANSWERS.iter().find(|tail| ends(tail)) {
        return in_name(part(host, 0..host.len() - service.len()));
    }
    let is_single = !host.contains(&b'.') && host.first().is_some_and(u8::is_ascii_alphabetic);
    (is_single || INSIDE.iter().any(|tail| ends(tail))).then_some(Reach::Name)
}

/// The private address inside a name: `app.10.0.0.1`, `10-0-0-1`, `7f000001`.
fn in_name(name: &[u8]) -> Option<Reach> {
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'-' { b'.' } else { *byte }).collect();
    let found = |reach| if reach == Reach::Metadata { reach } else { Reach::Disguised };
    let mut start = 0;
    for piece in name.split(|byte| *byte == b'.') {
        let four = from(&name, start).splitn(5, |byte| *byte == b'.').take(4).map(<[u8]>::len).sum::<usize>() + 3;
        let quad = name.get(start..start + four).and_then(v4).and_then(|(address, _)| of_v4(address));
        let hex = core::str::from_utf8(piece)
            .ok()
            .filter(|piece| piece.len() == 8)
            .and_then(|piece| u32::from_str_radix(piece, 16).ok());
        let reach = quad.or(hex.and_then(|number| of_v4(Ipv4Addr::from(number))));
        if reach.is_some() {
            return reach.map(found);
        }
        start += piece.len() + 1;
    }
    None
}

/// Whether programs disagree on which host this is, read from behind the slashes: why.
pub(super) fn is_torn(rest: &[u8]) -> Option<&'static str> {
    let head = part(rest, 0..rest.len().min(LONGEST_HOST));
    let end = head.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(head.len());
    let head = part(head, 0..end);
    if head.windows(2).any(|two| two == b"\\@" || two == b"#@" || two == b"&@") {
        return Some("is an address that programs read differently");
    }
    let user = part(head, 0..head.iter().rposition(|byte| *byte == b'@')?);
    // A user that looks like a host is there to be taken for one.
    let name = user.split(|byte| *byte == b':').next().unwrap_or(user);
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or(name);
    let is_address = v4(name).is_some_and(|(address, _)| name.contains(&b'.') && of_v4(address).is_some());
    let is_host =
        is_address || name.contains(&b'.') && (2..=6).contains(&last.len()) && last.iter().all(u8::is_ascii_alphabetic);
    (is_host && !user.contains(&b'%') && !user.contains(&b'@')).then_some("hides its host behind another")
}
