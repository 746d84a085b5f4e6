//! Line ends that get a value into a protocol: headers, a second message, commands to a mail server, lines of a log.

use super::seek::{byte, find, is_one_of, is_space, piece, skip, starts, tail, trim};
use super::system::is_named;
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// Lines of protocols inside a value.
pub static CRLF_INJECTION: Class =
    Class { attack: Attack::CrlfInjection, words: &[], chars: b"\r\n\x80", may_be, judge };

/// Headers that nobody writes down as a line of a text.
const HEADERS: [&str; 30] = [
    "set-cookie",
    "set-cookie2",
    "content-type",
    "content-length",
    "content-encoding",
    "content-disposition",
    "content-security-policy",
    "transfer-encoding",
    "cache-control",
    "www-authenticate",
    "proxy-authenticate",
    "proxy-connection",
    "strict-transport-security",
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "if-modified-since",
    "if-none-match",
    "last-modified",
    "etag",
    "authorization",
    "p3p",
    "keep-alive",
    "referer",
    "x-xss-protection",
    "expires",
    "pragma",
    "connection",
    "clear-site-data",
];
/// Headers that are words of ordinary texts too.
const WORDS: [&str; 12] =
    ["location", "refresh", "link", "host", "cookie", "server", "via", "from", "to", "subject", "date", "reply-to"];
/// Names of fields that hold a single line.
const SINGLE: &[&str] = &[
    "redirect",
    "url",
    "uri",
    "next",
    "return",
    "to",
    "from",
    "dest",
    "target",
    "lang",
    "language",
    "locale",
    "location",
    "path",
    "file",
    "filename",
    "user",
    "username",
    "login",
    "name",
    "email",
    "mail",
    "subject",
    "id",
    "ref",
    "callback",
    "page",
    "host",
    "cc",
    "bcc",
    "reply",
    "sender",
    "recipient",
    "u",
    "href",
    "link",
    "feed",
    "endpoint",
    "src",
    "target",
    "webhook",
    "hook",
];
/// Levels of log lines behind a time.
const LEVELS: [&str; 9] =
    [" info ", " warn ", " warning ", " error ", " debug ", " notice ", " critical ", " trace ", " fatal "];
/// Methods of a second request.
const METHODS: [&str; 8] = ["get ", "post ", "put ", "delete ", "head ", "options ", "connect ", "trace "];
/// Most lines that are looked at.
const LINES: usize = 64;
/// How much of a line is looked at, bytes.
const LINE: usize = 200;

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    // In other parts lines are ordinary; `嘊` and `嘍` end in the bytes of line ends where a server cuts characters off.
    (scan.any(b"\r\n") || (scan.high && !in_body(place.part)))
        && scan.any(b":/[<")
        && !matches!(place.part, Part::XmlDocument | Part::File | Part::Raw)
}

fn in_body(part: Part) -> bool {
    matches!(part, Part::Json | Part::Form | Part::GraphqlArgument | Part::Xml)
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let is_body = in_body(reading.place.part);
    let mut best: Option<(u8, usize, &'static str)> = None;
    let (mut from, mut lines) = (0, 0);
    while let Some((end, next)) = line_end(text, from)
        && lines < LINES
    {
        lines += 1;
        let start = skip(text, next, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let seen = if is_body { in_a_field(reading, end, start) } else { line(text, start) };
        if let Some((sure, what)) = seen
            && best.is_none_or(|(known, ..)| sure > known)
        {
            best = Some((sure, end, what));
        }
        from = start.max(next);
    }
    let (mut sure, at, what) = best?;
    // A text of many lines in a body is a text, whatever one of them looks like.
    if is_body && lines > 3 {
        sure = sure.min(45);
    }
    let length = skip(text, at + 2, |byte| !matches!(byte, b'\r' | b'\n')) - at;
    let severity = if sure >= 80 { Severity::High } else { Severity::Low };
    Some(Sign { confidence: sure, severity, at: at..(at + length.min(80)).min(text.len()), what })
}

/// The next end of a line from there on: where it stands, and what follows it.
fn line_end(text: &[u8], from: usize) -> Option<(usize, usize)> {
    for (step, byte_there) in tail(text, from).iter().enumerate() {
        let at = from + step;
        match byte_there {
            b'\r' | b'\n' => return Some((at, at + 1)),
            // U+560A, U+560D
            0xe5 if byte(text, at + 1) == 0x98 && matches!(byte(text, at + 2), 0x8a | 0x8d) => {
                return Some((at, at + 3));
            }
            _ => {}
        }
    }
    None
}

/// What a line of a value outside bodies is.
fn line(text: &[u8], at: usize) -> Option<(u8, &'static str)> {
    // The second of two characters that stand for a line end.
    let at = if byte(text, at) == 0xe5 && byte(text, at + 1) == 0x98 { at + 3 } else { at };
    let rest = piece(text, at..at + LINE);
    let rest = piece(rest, 0..rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len()));
    if starts(rest, 0, "http/1.") || starts(rest, 0, "http/2 ") || starts(rest, 0, "http/0.9") {
        return Some((95, "a second response"));
    }
    if METHODS.iter().any(|method| starts(rest, 0, method)) && find(rest, " http/", 0).is_some() {
        return Some((95, "a second request"));
    }
    if starts(rest, 0, "rcpt to:") || starts(rest, 0, "mail from:") {
        return Some((90, "commands to a mail server"));
    }
    if is_log(rest) {
        return Some((82, "a line of a log"));
    }
    if let Some(seen) = header(rest) {
        return Some(seen);
    }
    let is_page =
        starts(rest, 0, "<html") || starts(rest, 0, "<script") || starts(rest, 0, "<svg") || starts(rest, 0, "<img");
    // A value that begins with the end of the headers goes on with the page.
    let is_at_start = text.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) && doubled(text, at);
    if is_at_start && byte(rest, 0) == b'<' && byte(rest, 1).is_ascii_alphabetic() {
        return Some((82, "a page behind the end of the headers"));
    }
    is_page.then_some((if doubled(text, at) { 84 } else { 50 }, "a page behind the end of the headers"))
}

/// Whether an empty line stands before `at`.
fn doubled(text: &[u8], at: usize) -> bool {
    let ahead = piece(text, at.saturating_sub(6)..at);
    ahead.iter().filter(|byte| **byte == b'\n').count() > 1 || ahead.iter().filter(|byte| **byte == b'\r').count() > 1
}

/// A line of the shape of a header.
fn header(line: &[u8]) -> Option<(u8, &'static str)> {
    let end = skip(line, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let name = piece(line, 0..end);
    let (_, value) = trim(tail(line, end + 1));
    if name.is_empty() || byte(line, end) != b':' || starts(line, end, "://") {
        return None;
    }
    let what = "a header behind a line end";
    let is_address =
        starts(value, 0, "http") || starts(value, 0, "//") || starts(value, 0, "/") || starts(value, 0, "javascript");
    let has_family = ["access-control-", "x-", "sec-", "proxy-", "cf-"]
        .iter()
        .any(|family| starts(name, 0, family) && name.len() > family.len() + 1);
    Some(match () {
        () if is_one_of(name, &HEADERS) => {
            (if is_one_of(name, &["expires", "accept", "connection", "authorization"]) { 80 } else { 93 }, what)
        }
        () if has_family => (88, what),
        () if is_one_of(name, &["location", "refresh"]) && is_address => (90, what),
        () if is_one_of(name, &["refresh"]) && byte(value, 0).is_ascii_digit() => (90, what),
        () if is_one_of(name, &["bcc", "cc"]) && value.contains(&b'@') => (84, "a recipient behind a line end"),
        () if is_one_of(name, &WORDS) => (50, what),
        () if name.contains(&b'-') => (55, what),
        () => (35, what),
    })
}

/// A line as servers log it: an address with a request, or a time or level in brackets before words.
fn is_log(line: &[u8]) -> bool {
    if find(line, " - - [", 0).is_some_and(|at| at < 60) {
        return true;
    }
    let levels = [
        "[info]",
        "[error]",
        "[warn]",
        "[warning]",
        "[debug]",
        "[critical]",
        "info:root:",
        "info: ",
        "error: ",
        "warn: ",
        "warning: ",
    ];
    let level = levels.iter().find_map(|level| find(line, level, 0)).filter(|at| *at < 40);
    let digits = piece(line, 0..19).iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_timed = digits >= 12 && LEVELS.iter().any(|level| find(piece(line, 0..44), level, 0).is_some());
    is_timed || level.is_some_and(|at| (at == 0 && byte(line, 0) == b'[') || digits >= 8)
}

/// What a line of a field of a body is: only what shows that the field was to be a single line.
fn in_a_field(reading: &Reading<'_>, end: usize, start: usize) -> Option<(u8, &'static str)> {
    let text = reading.text;
    let (_, first) = trim(piece(text, 0..text.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?));
    let rest = piece(text, start..start + LINE);
    let rest = piece(rest, 0..rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len()));
    let is_email = first.contains(&b'@') && !first.iter().any(|byte| is_space(*byte));
    let (sure, what) = line(text, start)?;
    // Where one line is all that anybody enters.
    if sure > 80 && is_named(reading.place, SINGLE) {
        return Some((sure, what));
    }
    let name = piece(rest, 0..rest.iter().position(|byte| *byte == b':').unwrap_or(0));
    let is_mail = is_one_of(name, &["bcc", "cc", "to", "from", "subject", "content-type", "reply-to", "mime-version"]);
    if is_email && (is_mail || what == "commands to a mail server") {
        return Some((84, "a mail header behind an address"));
    }
    let is_sent = is_one_of(name, &["set-cookie", "content-length", "transfer-encoding"]) || starts(rest, 0, "http/1.");
    let is_value = end <= 64
        && first.iter().filter(|byte| **byte == b' ').count() <= 1
        && !first.contains(&b':')
        && !starts(first, 0, "http/");
    if is_sent && is_value && sure > 80 {
        return Some((82, what));
    }
    Some((sure.min(45), what))
}
