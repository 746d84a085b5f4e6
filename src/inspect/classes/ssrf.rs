//! Server-side request forgery: addresses that only the origin itself, its network or its cloud would reach, schemes that no
//! client has fetched for it, and addresses that two programs read differently.

mod host;

use super::system::{
    Best, begins, from, high, is_among_words, is_document, is_named, is_searched, is_spoken_of, last_name, part,
};
use crate::inspect::scan::DIGITS;
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use host::Reach;

/// Names of parameters that hold what the origin is to fetch.
const FETCHED: &[&str] = &[
    "url",
    "uri",
    "webhook",
    "callback",
    "dest",
    "destination",
    "target",
    "fetch",
    "proxy",
    "src",
    "source",
    "feed",
    "image",
    "img",
    "avatar",
    "link",
    "host",
    "site",
    "domain",
    "page",
    "load",
    "endpoint",
    "remote",
    "upload",
    "import",
    "open",
    "file",
    "path",
    "document",
    "doc",
    "view",
    "redirect",
    "continue",
    "go",
    "to",
    "out",
    "data",
    "href",
    "u",
    "hook",
    "server",
    "address",
    "preview",
    "download",
    "resource",
    "location",
    "api",
    "service",
    "icon",
    "logo",
    "pdf",
    "html",
    "reference",
    "val",
    "validate",
    "return",
];
/// Of these, the names that a list of an office's machines does not have.
const CALLED: &[&str] = &[
    "url",
    "uri",
    "webhook",
    "callback",
    "dest",
    "destination",
    "target",
    "fetch",
    "proxy",
    "feed",
    "source",
    "import",
    "href",
    "hook",
    "preview",
    "endpoint",
    "u",
];
/// Names under which a browser is sent somewhere: on a developer's machine, to itself.
const RETURNED: &[&str] = &[
    "redirect", "return", "next", "origin", "referrer", "referer", "success", "cancel", "logout", "continue",
    "callback", "back",
];
/// Names under which OAuth (RFC 8252) sends a program on the user's own machine back to itself.
const LOOPED: &[&str] = &[
    "redirect_uri",
    "redirect_uris",
    "redirecturi",
    "redirecturis",
    "redirecturl",
    "redirect_url",
    "post_logout_redirect_uri",
];
/// Names under which addresses inside a network are told, not fetched.
const TOLD: &[&str] = &[
    "management",
    "base",
    "device",
    "dev",
    "local",
    "internal",
    "health",
    "gateway",
    "broker",
    "database",
    "db",
    "redis",
    "cors",
    "allowed",
    "generator",
    "external",
    "silence",
    "dashboard",
    "panel",
    "runbook",
    "blocked",
    "self",
];

/// Addresses of a server's own network.
pub static SSRF: Class = Class {
    attack: Attack::Ssrf,
    words: &[
        "http",
        "https",
        "ftp",
        "ftps",
        "gopher",
        "dict",
        "file",
        "ldap",
        "ldaps",
        "tftp",
        "sftp",
        "jar",
        "netdoc",
        "localhost",
        "metadata",
        "169",
        "100",
        "latest",
        "url",
        "ws",
        "wss",
        "ssh2",
        "local_file",
        "imap",
        "smb",
        "127",
    ],
    chars: b"@.",
    may_be: |scan: Scan, place: Place<'_>| {
        // `//127.0.0.1/`, `10.0.0.1:80`: numbers are no words.
        let is_numbers = || scan.any(b"/:") && scan.any(b".") && scan.ascii & DIGITS != 0 && is_named(place, FETCHED);
        scan.any(b":/") && scan.word(Attack::Ssrf) || scan.all(b"//:") && scan.any(b"@") || is_numbers()
    },
    judge,
};

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text.trim_ascii();
    let place = reading.place;
    let start = reading.text.len() - reading.text.trim_ascii_start().len();
    let mut best = Best::default();
    let mut whole = true;
    let mut at = 0;
    // The address that the text is, and those that stand inside it.
    let mut left = 16;
    let mut is_framed = false;
    while let Some(colon) = find_scheme(from(text, at)).map(|found| found + at) {
        let letters = part(text, 0..colon)
            .iter()
            .rev()
            .take(16)
            .take_while(|b| b.is_ascii_alphanumeric() || b"+.".contains(b))
            .count();
        let scheme = part(text, colon - letters..colon);
        whole = colon == letters || begins(text, b"url:") || begins(text, b"jar:");
        if let Some((confidence, length, what)) = address(place, scheme, from(text, colon + 1), whole) {
            // What turns pages into pictures and documents fetches what they embed.
            let embeds = !whole && (55..80).contains(&confidence) && is_embedded(part(text, 0..colon - letters));
            let confidence = if embeds { 82 } else { confidence };
            is_framed |= embeds;
            best.take(high(confidence, start + colon - letters..start + colon + 1 + length, what));
        }
        at = colon + 1;
        left -= 1;
        if left == 0 {
            break;
        }
    }
    if begins(text, b"jar:") && text.windows(2).any(|two| two == b"!/") {
        best.take(high(90, start..start + 4, "asks for a file inside an archive elsewhere"));
    }
    if at == 0 {
        let rest = text.strip_prefix(b"//");
        whole = rest.is_some();
        if let Some((confidence, length, what)) = bare(place, rest.unwrap_or(text), whole) {
            best.take(high(confidence, start..start + length + if whole { 2 } else { 0 }, what));
        }
    }
    let mut sign = best.0?;
    let is_set_off = !whole && !is_framed && is_among_words(reading.text, &sign.at);
    if is_document(text)
        || is_set_off && reading.scan.any(b" ")
        || is_searched(place) && sign.confidence < 90
        || !whole && is_spoken_of(reading.text, &sign.at)
        || matches!(place.part, Part::File | Part::XmlDocument)
    {
        sign.confidence = sign.confidence.min(60);
    }
    if place.part == Part::Header && matches!(place.name, "referer" | "origin" | "host" | "user-agent") {
        sign.confidence = sign.confidence.min(30);
    }
    Some(sign)
}

/// Whether what stands before an address is the attribute of a tag that embeds what is there.
fn is_embedded(before: &[u8]) -> bool {
    const TAGS: &[&[u8]] = &[b"<iframe", b"<embed", b"<object", b"<script", b"<link", b"<frame", b"<portal"];
    let start = before.len().saturating_sub(160);
    let near = from(before, start);
    let Some(open) = near.iter().rposition(|byte| *byte == b'<') else { return false };
    let tag = from(near, open);
    let value = tag.strip_suffix(b"\"").or(tag.strip_suffix(b"'")).unwrap_or(tag);
    value.ends_with(b"=") && !tag.contains(&b'>') && TAGS.iter().any(|name| begins(tag, name))
}

/// Where the colon of an address stands: before `//`, and `:/` or `:\` as a path that was tidied up leaves it.
fn find_scheme(text: &[u8]) -> Option<usize> {
    let is_start = |window: &[u8]| matches!(window, [before, b':', b'/' | b'\\'] if before.is_ascii_alphanumeric());
    // A drive letter is no scheme: two characters at least.
    let found = from(text, 1).windows(3).position(is_start)?;
    Some(found + 2)
}

/// What an address says: how sure, how long it is from behind the colon on, and why.
fn address(place: Place<'_>, scheme: &[u8], rest: &[u8], whole: bool) -> Option<(u8, usize, &'static str)> {
    let slashes = rest.iter().take(4).take_while(|byte| matches!(byte, b'/' | b'\\')).count();
    let behind = from(rest, slashes);
    let authority = host::authority(behind);
    let length = slashes + authority.len();
    let fetched = is_named(place, FETCHED);
    let is_open = matches!(place.part, Part::Query | Part::Form | Part::Cookie | Part::Path | Part::Header);
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_slice() {
        b"gopher" | b"dict" | b"netdoc" | b"local_file" if whole && slashes > 0 => {
            return Some((92, length, "asks for a protocol that only reaches other servers"));
        }
        b"file" if slashes > 0 && !behind.is_empty() => {
            let confidence = match (whole, is_open, fetched) {
                (false, ..) => 50,
                (_, true, _) => 86,
                (_, _, true) if place.part != Part::Json || !behind.contains(&b'.') => 82,
                _ => 50,
            };
            return Some((confidence, length, "asks for a file of the server"));
        }
        b"tftp" | b"sftp" | b"ldap" | b"ldaps" | b"smb" | b"imap" | b"ssh2" if whole && slashes > 0 => {
            let is_inside = host::reach(authority).is_some();
            let is_rare = !matches!(scheme.as_slice(), b"sftp" | b"ldap" | b"ldaps");
            let confidence = if is_inside || fetched && (is_open || is_rare) { 82 } else { 45 };
            return Some((confidence, length, "asks for a protocol of servers"));
        }
        b"http" | b"https" | b"ftp" | b"ftps" | b"ws" | b"wss" => {}
        _ => return None,
    }
    if let Some(what) = host::is_torn(behind) {
        let (host, reach) = (host::real(authority), host::reach(authority));
        if !host.is_empty() && whole && (reach.is_some() || fetched || is_open) {
            return Some((if reach.is_some() { 92 } else { 82 }, length, what));
        }
    }
    let reach = host::reach(authority)?;
    Some((confidence(place, reach, authority, whole), length, reach.what()))
}

/// An address without a scheme: `//host/…`, `169.254.169.254/latest`, `localhost:6379`.
fn bare(place: Place<'_>, text: &[u8], slashed: bool) -> Option<(u8, usize, &'static str)> {
    let authority = host::authority(text);
    let reach = host::reach(authority)?;
    let path = from(text, authority.len());
    let named =
        is_named(place, &["url", "uri", "webhook", "callback", "dest", "target", "fetch", "proxy", "link", "endpoint"]);
    // `169.254.169.254/32` is a network.
    let is_network = path.len() > 1 && path.len() <= 3 && from(path, 1).iter().all(u8::is_ascii_digit);
    let confidence = match reach {
        _ if is_network => 30,
        Reach::Metadata if path.len() > 1 || named => 92,
        Reach::Metadata => 60,
        // A number is an address only where it looks like one.
        Reach::Disguised if named && (begins(authority, b"127.") || begins(authority, b"0")) && authority.len() > 4 => {
            82
        }
        Reach::Disguised => 30,
        _ if slashed && named => 80,
        Reach::Loopback if named && authority.contains(&b':') && place.part != Part::Json => 80,
        _ if named => 60,
        _ => 30,
    };
    Some((confidence, authority.len(), reach.what()))
}

fn confidence(place: Place<'_>, reach: Reach, authority: &[u8], whole: bool) -> u8 {
    let is_json = matches!(place.part, Part::Json | Part::GraphqlArgument | Part::Xml | Part::Raw);
    let fetched = is_named(place, FETCHED) && !is_named(place, TOLD);
    let is_local_name = [&b"localhost"[..], b"127.0.0.1", b"::1"].contains(&host::real(authority));
    // OpenAPI's list of where an API is served (section 4.8.5), for those who try it at home.
    let is_served = place.name.ends_with("servers/*/url");
    let is_looped = super::names::ends_with_one(place.name.trim_end_matches("/*"), LOOPED);
    let is_development = is_local_name && host::port(authority).is_some_and(|port| DEVELOPMENT.contains(&port));
    match reach {
        Reach::Metadata => 93,
        Reach::Disguised => 90,
        Reach::Loopback if is_looped || is_served => 45,
        Reach::Loopback
            if is_named(place, RETURNED)
                && (is_development || is_local_name && is_json && host::port(authority).is_none()) =>
        {
            45
        }
        // A browser is sent there, or a program on the user's own machine: the origin asks for nothing.
        Reach::Private if is_named(place, RETURNED) && !is_named(place, &["callback", "redirect"]) || is_looped => 55,
        // What a developer registers for a program that is just being written.
        Reach::Loopback
            if is_json
                && is_local_name
                && host::port(authority)
                    .is_some_and(|port| DEVELOPMENT.contains(&port) && !SERVICES.contains(&port)) =>
        {
            60
        }
        Reach::Loopback | Reach::Private if !whole => {
            if place.part == Part::Path {
                82
            } else {
                55
            }
        }
        // A developer's own pages: an image or a site they are just building.
        Reach::Loopback if is_development && !fetched => 45,
        Reach::Loopback | Reach::Private if !is_json => {
            if fetched || reach == Reach::Loopback {
                84
            } else {
                60
            }
        }
        Reach::Private if is_json && !is_called(place) => 55,
        Reach::Loopback | Reach::Private if fetched => 82,
        Reach::Loopback | Reach::Private => 55,
        Reach::Name => {
            if fetched {
                60
            } else {
                40
            }
        }
    }
}

/// Whether a member says that its address is to be called, and not only where something is: `url`, `feedUrl`, but not `imageUrl`.
fn is_called(place: Place<'_>) -> bool {
    let name = last_name(place);
    let stem = name.len().checked_sub(3).and_then(|end| name.get(..end)).filter(|stem| {
        name.get(stem.len()..).is_some_and(|end| end.eq_ignore_ascii_case("url") || end.eq_ignore_ascii_case("uri"))
    });
    match stem.map(|stem| stem.trim_end_matches(['_', '-'])) {
        Some(stem) => stem.is_empty() || is_named(Place { name: stem, ..place }, CALLED),
        None => is_named(place, CALLED),
    }
}

/// Of these, the ports on which programs of an origin listen as well.
const SERVICES: &[u16] = &[5000, 5001, 8000, 8080, 8081, 8100, 8888, 9000];
/// Ports on which programs of developers listen.
const DEVELOPMENT: &[u16] = &[
    1313, 3000, 3001, 3002, 3003, 4000, 4200, 4321, 5000, 5001, 5173, 5174, 8000, 8080, 8081, 8100, 8787, 8888, 9000,
    19006,
];
