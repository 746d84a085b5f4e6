//! Headers that are told apart by name, and what their values may not be.

use super::{Say, Verdict, is_own, is_token, overridden};
use crate::inspect::classes::system::is_one_of;
use crate::inspect::{Part, Request};

/// More headers than any browser, agent and chain of proxies send together.
const MANY_HEADERS: usize = 100;
/// More ranges than a viewer of documents asks for at once.
const MANY_RANGES: usize = 20;
/// This many headers with an address of the machine itself are not a proxy's doing.
const MANY_OWN: u32 = 3;

/// Headers in which proxies tell the client's address.
const ADDRESSES: &[&str] = &[
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "client-ip",
    "true-client-ip",
    "x-forwarded",
    "forwarded-for",
    "x-cluster-client-ip",
    "cluster-client-ip",
    "x-proxyuser-ip",
    "x-forwarded-by",
];
/// Headers that `Connection` may name: those of one connection only.
const OF_CONNECTIONS: &[&str] = &[
    "close",
    "keep-alive",
    "upgrade",
    "te",
    "http2-settings",
    "trailer",
    "trailers",
    "transfer-encoding",
    "proxy-connection",
    "proxy-authenticate",
];

/// Headers beside each other, and beside the request.
pub(super) fn judge(request: &Request<'_>, say: &mut Say<'_>) {
    let (mut own, mut types, mut lengths, mut codings) = (0_u32, 0_u32, 0_u32, 0_u32);
    for (name, value) in request.headers {
        match *name {
            "content-type" => types += 1,
            "content-length" => lengths += 1,
            "transfer-encoding" => codings += 1,
            _ => {}
        }
        if name.starts_with("x-") {
            say(Part::Header, name, value, beside(request, name, value));
        }
        if is_own(value) {
            own += u32::from(is_address_header(name));
            // Told once, by the header that makes it certain.
            if own == MANY_OWN {
                let verdict = (82, "claims in many headers to be the server itself");
                say(Part::Header, name, value, Some(verdict));
            }
        }
    }
    if types > 1 || lengths > 1 || codings > 1 {
        say(Part::Header, "content-type", "", Some((82, "says twice what a body is")));
    }
    if lengths > 0 && codings > 0 {
        say(Part::Header, "transfer-encoding", "", Some((82, "says in two ways how long a body is")));
    }
    if request.headers.len() > MANY_HEADERS {
        say(Part::HeaderName, "", "", Some((60, "has more headers than programs send")));
    }
    if let Some(body) = request.body {
        say(Part::Header, "content-type", body.content_type, other_body(body.content_type, body.bytes));
    }
}

fn is_address_header(name: &str) -> bool {
    ADDRESSES.contains(&name) || matches!(name, "x-custom-ip-authorization" | "x-host" | "x-forwarded-host")
}

/// What a header says against the request it stands in.
fn beside(request: &Request<'_>, name: &str, value: &str) -> Option<Verdict> {
    let value = value.trim();
    match name {
        "x-http-method-override" | "x-http-method" | "x-method-override" => overridden(request.method, value),
        "x-original-url" | "x-rewrite-url" | "x-override-url" | "x-original-uri" | "x-rewrite-uri" => {
            let path = value.split('?').next().unwrap_or(value);
            (value.starts_with('/') && path != request.path).then_some((84, "has the request taken for another path"))
        }
        _ => None,
    }
}

/// A header by itself.
pub(super) fn alone(name: &str, value: &str, say: &mut Say<'_>) {
    if value.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7f) {
        say(Part::Header, name, value, Some((82, "has a control character in a header")));
    }
    if !is_token(name) {
        say(Part::HeaderName, name, name, Some((82, "has characters in a header's name that no name has")));
    }
    say(Part::Header, name, value, header(name, value));
}

fn header(name: &str, value: &str) -> Option<Verdict> {
    let value = value.trim();
    match name {
        "x-middleware-subrequest" => Some((90, "has a framework skip its own checks")),
        "proxy" => Some((84, "sets the proxy of programs behind the server")),
        "x-custom-ip-authorization" => is_own(value).then_some((84, "claims to be the server itself")),
        "x-forwarded-host" | "x-host" | "x-forwarded-server" | "x-http-host-override" => {
            if value.bytes().any(|byte| b"/@?#<>\"' \\".contains(&byte)) && !value.contains(", ") {
                return Some((82, "has characters in a host that no name has"));
            }
            is_own(value).then_some((50, "claims to be asked for as the server itself"))
        }
        "connection" => {
            let is_bad = |token: &str| {
                is_one_of(
                    token.as_bytes(),
                    &["authorization", "cookie", "content-length", "host", "forwarded", "origin", "referer"],
                ) || token.len() > 2 && token.as_bytes().get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"x-"))
            };
            let mut tokens = value.split(',').map(str::trim).filter(|token| !token.is_empty());
            if tokens.clone().any(is_bad) {
                return Some((84, "has a proxy take out a header that others rely on"));
            }
            tokens
                .any(|token| !is_one_of(token.as_bytes(), OF_CONNECTIONS))
                .then_some((45, "names headers for a proxy to take out"))
        }
        "transfer-encoding" => {
            let is_usual = value.split(',').all(|coding| {
                is_one_of(coding.trim().as_bytes(), &["chunked", "gzip", "deflate", "compress", "trailers"])
            });
            let ends_chunked = value.len().checked_sub(7).and_then(|at| value.as_bytes().get(at..));
            let is_framed =
                ends_chunked.is_some_and(|end| end.eq_ignore_ascii_case(b"chunked")) && value.matches(',').count() < 2;
            (!is_usual || !is_framed).then_some((82, "frames a body as no program does"))
        }
        "content-length" => {
            (!value.bytes().all(|byte| byte.is_ascii_digit())).then_some((82, "has a length that is no number"))
        }
        "content-type" => {
            let head = value.split(';').next().unwrap_or(value);
            if head.contains(',') || value.matches("boundary=").count() > 1 {
                return Some((82, "says twice what a body is"));
            }
            let charset =
                value.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset=")).unwrap_or_default();
            let charset = charset.trim_matches('"');
            let is_disguise = ["ibm", "cp037", "utf-7", "utf7", "cp500", "cp875", "cp1026"]
                .iter()
                .any(|odd| charset.get(..odd.len()).is_some_and(|start| start.eq_ignore_ascii_case(odd)));
            is_disguise.then_some((84, "has a body in an alphabet that hides what it says"))
        }
        "range" | "request-range" => range(value),
        "expect" => (!value.eq_ignore_ascii_case("100-continue")).then_some((50, "expects what no server does")),
        _ if ADDRESSES.contains(&name) => {
            is_own(value.split(',').next().unwrap_or(value)).then_some((50, "claims to be the server itself"))
        }
        _ => None,
    }
}

/// Many ranges, or one that ends where numbers do.
fn range(value: &str) -> Option<Verdict> {
    if value.split(',').count() > MANY_RANGES {
        return Some((84, "asks for very many ranges at once"));
    }
    let is_vast = |number: &str| number.len() > 18 && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_any_vast = value.split(|c: char| !c.is_ascii_digit()).any(is_vast);
    is_any_vast.then_some((86, "asks for a range that no number holds"))
}

/// A body that is plainly of another kind than its type says.
fn other_body(content_type: &str, bytes: &[u8]) -> Option<Verdict> {
    let body = bytes.trim_ascii_start();
    let kind = content_type.split(';').next().unwrap_or(content_type).trim().as_bytes();
    let is_xml = body.starts_with(b"<?xml") || body.starts_with(b"<!DOCTYPE");
    if is_one_of(kind, &["application/json", "application/x-www-form-urlencoded"]) && is_xml {
        return Some((60, "sends XML under another name"));
    }
    let is_json = matches!(
        body,
        [] | [b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | 0xef | 0xfe | 0xff | 0x1f, ..]
    );
    (is_one_of(kind, &["application/json"]) && !is_json).then_some((30, "sends what is no JSON as JSON"))
}
