//! What HTTP allows nobody to say, or lets say two things at once: headers that change the method, the path or the route behind
//! the back of whoever checks them, framing that two servers read differently, bytes that no URL holds.

mod headers;

use super::names::has_pair;
use super::system::{begins, find, from, high, part};
use crate::inspect::walk::PATH;
use crate::inspect::{Attack, Part, Place, Request, RequestClass, Tell};
use crate::session::Severity;

/// Requests that no client library makes.
pub static PROTOCOL_ANOMALY: RequestClass =
    RequestClass { attack: Attack::ProtocolAnomaly, judge, header: Some(judge_header) };

/// How sure, and why.
type Verdict = (u8, &'static str);
/// Takes a verdict in: part, name and text it is about.
type Say<'s> = dyn FnMut(Part, &str, &str, Option<Verdict>) + 's;

fn judge(request: &Request<'_>, tell: &mut Tell<'_>) {
    let mut say = |part: Part, name: &str, text: &str, verdict| told(part, name, text, verdict, tell);
    say(Part::Path, "", request.method, method(request.method));
    say(Part::Header, "host", request.host, host(request.host));
    if has_pair(request.query.as_bytes(), b"_method=")
        && let Some(wanted) = request.query.split('&').take(64).find_map(|pair| pair.strip_prefix("_method="))
    {
        say(Part::Query, "_method", wanted, overridden(request.method, wanted));
    }
    if find_nul(request.query.as_bytes()) {
        say(Part::Query, "", request.query, Some((50, "has a NUL byte in the query")));
    }
    headers::judge(request, &mut say);
}

fn judge_header(name: &str, value: &str, tell: &mut Tell<'_>) {
    if name == PATH {
        return told(Part::Path, "", value, path(value.as_bytes()), tell);
    }
    headers::alone(name, value, &mut |part, name, text, verdict| told(part, name, text, verdict, tell));
}

fn told(part: Part, name: &str, text: &str, verdict: Option<Verdict>, tell: &mut Tell<'_>) {
    if let Some((confidence, what)) = verdict {
        let mut sign = high(confidence, 0..text.len(), what);
        sign.severity = if confidence >= 80 { Severity::Medium } else { Severity::Low };
        tell(Place { part, name }, text.as_bytes(), sign);
    }
}

fn method(method: &str) -> Option<Verdict> {
    match method {
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" => None,
        "TRACE" | "TRACK" | "DEBUG" | "CONNECT" => Some((84, "asks the server to show itself")),
        _ => Some((30, "is a method that few servers know")),
    }
}

/// A method that is to be taken for another one. Old frameworks let forms say PUT and DELETE so, over POST.
fn overridden(method: &str, wanted: &str) -> Option<Verdict> {
    let wanted = wanted.trim();
    let is = |name: &str| wanted.eq_ignore_ascii_case(name);
    let is_unsafe = ["POST", "PUT", "PATCH", "DELETE"].into_iter().any(is);
    match method {
        _ if wanted.eq_ignore_ascii_case(method) || wanted.is_empty() => None,
        _ if ["TRACE", "TRACK", "CONNECT", "DEBUG"].into_iter().any(is) => {
            Some((82, "changes the method into one that is refused"))
        }
        "GET" | "HEAD" | "OPTIONS" if is_unsafe => Some((82, "changes a reading method into a writing one")),
        "POST" if is_unsafe || is("GET") || is("HEAD") => Some((25, "changes the method")),
        _ if !wanted.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            Some((70, "changes the method into what is none"))
        }
        _ => Some((50, "changes the method")),
    }
}

fn host(host: &str) -> Option<Verdict> {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (!host.bytes().all(is_usual)).then_some((82, "has characters in the host that no name has"))
}

/// Bytes and segments of a path that are there for one of two readers only.
fn path(path: &[u8]) -> Option<Verdict> {
    // All that is looked for holds one of these.
    if !begins(path, b"//") && !path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';' | ..=0x20 | 0x7f)) {
        return None;
    }
    let mut found: Option<Verdict> = None;
    let mut take = |confidence, what| {
        if found.is_none_or(|(known, _)| known < confidence) {
            found = Some((confidence, what));
        }
    };
    for (at, byte) in path.iter().enumerate() {
        let rest = from(path, at + 1);
        match byte {
            b'%' if begins(rest, b"00") => take(86, "has a NUL byte in the path"),
            b'%' if begins(rest, b"0d") || begins(rest, b"0a") => take(82, "has a line break in the path"),
            b'%' if begins(rest, b"c0%") || begins(rest, b"c1%") => {
                take(86, "has bytes in the path that UTF-8 forbids");
            }
            b'%' if matches!(rest, [b'0' | b'1', ..]) || begins(rest, b"7f") => {
                take(60, "has a control character in the path");
            }
            b'%' if begins(rest, b"fe") || begins(rest, b"ff") => take(60, "has bytes in the path that no text has"),
            0..=0x20 | 0x7f => take(82, "has a control character in the path"),
            b'\\' => take(50, "has a backslash in the path"),
            _ => {}
        }
    }
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            [b'.', b'.', b';', ..] => take(90, "hides a step up behind a parameter"),
            [b';', ..] | [b'.', b';', ..] => take(80, "hides a segment behind a parameter"),
            [.., b';'] if segment.len() > 1 => take(60, "hides a segment behind a parameter"),
            _ if begins(segment, b"%2e%2e") || begins(segment, b"..%2f") || begins(segment, b"..%5c") => {
                take(84, "hides a step up behind an encoding");
            }
            _ => {}
        }
    }
    if begins(path, b"//") {
        take(30, "begins with two slashes");
    }
    found
}

fn find_nul(text: &[u8]) -> bool {
    text.contains(&b'%') && find(text, b"%00").is_some() || text.contains(&0)
}

/// Whether the text is a token of HTTP (RFC 9110 section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether an address is the machine's own.
fn is_own(address: &str) -> bool {
    let is_start = |byte: &u8| matches!(byte, b'0'..=b'9' | b'l' | b'L' | b':' | b'[' | b'"' | ..=b' ' | 0x80..);
    if !address.as_bytes().first().is_some_and(is_start) {
        return false;
    }
    let address = address.trim().trim_matches('"');
    let bytes = address.as_bytes();
    begins(bytes, b"127.")
        || begins(bytes, b"localhost")
        || begins(bytes, b"0.0.0.0")
        || matches!(address, "::1" | "[::1]")
        || part(bytes, 0..4) == b"0x7f"
}

#[cfg(test)]
mod tests;
