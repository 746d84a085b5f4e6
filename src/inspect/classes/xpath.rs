//! XPath injection: conditions with axes and functions of XPath behind a value, or a path joined to the one it stood in.
//!
//! `' or '1'='1` is the same in SQL and told there; this is about what only XPath has.

use super::names::{begins, find, unspaced};
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// XPath injection.
pub static XPATH_INJECTION: Class = Class {
    attack: Attack::XpathInjection,
    words: &[
        "or",
        "and",
        "count",
        "name",
        "position",
        "last",
        "text",
        "node",
        "doc",
        "length",
        "contains",
        "substring",
        "with",
        "parent",
        "child",
        "self",
        "sibling",
        "ancestor",
        "descendant",
        "comment",
        "document",
        "unparsed",
    ],
    chars: b"|",
    may_be,
    judge,
};

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    let ends = scan.any(b"'\"])");
    let goes_on = scan.word(Attack::XpathInjection) && scan.any(b"(:[") || scan.all(b"|/");
    ends && goes_on && !matches!(place.part, Part::XmlDocument | Part::File)
}

/// Functions no other language has under this name and in this place, up to their parenthesis.
const FUNCTIONS: &[&[u8]] = &[
    b"string-length(",
    b"local-name(",
    b"namespace-uri(",
    b"starts-with(",
    b"ends-with(",
    b"substring-before(",
    b"substring-after(",
    b"position()",
    b"last()",
    b"text()",
    b"node()",
    b"name()",
    b"name(",
    b"doc(",
    b"doc-available(",
    b"count(/",
    b"count(*",
    b"count(parent",
    b"count(child",
    b"count(.",
    b"string-to-codepoints(",
    b"unparsed-text(",
    b"environment-variable(",
    b"normalize-space(",
    b"comment()",
];
const AXES: &[&[u8]] = &[
    b"parent::",
    b"child::",
    b"self::",
    b"ancestor::",
    b"descendant::",
    b"following::",
    b"preceding::",
    b"following-sibling::",
    b"preceding-sibling::",
    b"descendant-or-self::",
    b"ancestor-or-self::",
    b"attribute::",
];
/// Longer texts are documents.
const VALUE_BYTES: usize = 400;
/// How far behind a value is looked.
const REACH: usize = 256;
/// Places looked behind.
const MAX_ENDS: usize = 16;

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let quotes = text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'\'' | b'"')).map(|(at, _)| at + 1);
    let starts = (digits > 0).then_some(digits);
    let mut best = (0, 0);
    for at in starts.into_iter().chain(quotes.take(MAX_ENDS)) {
        let rest = text.get(at..text.len().min(at + REACH)).unwrap_or_default();
        let opened = text.iter().take(at).any(|byte| *byte == b'(');
        let confidence = behind(rest, !opened);
        if confidence > best.0 {
            best = (confidence, at);
        }
    }
    let (confidence, at) = best;
    if confidence == 0 {
        return None;
    }
    let confidence = if text.len() > VALUE_BYTES { confidence.min(60) } else { confidence };
    let severity = if confidence >= 80 { Severity::High } else { Severity::Low };
    Some(Sign { confidence, severity, at: at - 1..text.len().min(at + 48), what: "goes on in XPath behind the value" })
}

/// What goes on behind a value; `bare` says that no call stands before it, as filters of other languages have.
fn behind(rest: &[u8], bare: bool) -> u8 {
    let closed = rest.iter().take_while(|byte| matches!(byte, b')' | b']' | b' ')).count();
    let (closers, rest) = rest.split_at_checked(closed).unwrap_or((&[], rest));
    let brackets = closers.contains(&b']');
    if brackets {
        // `'] | //user/*[…`, `']/../*`.
        let path = rest.strip_prefix(b"|").map(unspaced).unwrap_or(rest);
        let joined = path.len() < rest.len();
        // A comment of a program stands off.
        if !joined && closers.last() == Some(&b' ') {
            return 0;
        }
        return match path {
            [b'/', b'/' | b'.' | b'*' | b'@', ..] => 88,
            [b'/', ..] => {
                if begins_axis(path.get(1..).unwrap_or_default()) || joined {
                    85
                } else {
                    0
                }
            }
            _ => {
                if joined && begins_axis(path) {
                    85
                } else {
                    0
                }
            }
        };
    }
    let Some(condition) = operator(rest) else {
        // `'|//user`
        let path = rest.strip_prefix(b"|").map(unspaced);
        return if path.is_some_and(|path| path.starts_with(b"//") || path.starts_with(b"/*")) { 82 } else { 0 };
    };
    let condition = unspaced(condition);
    let called = FUNCTIONS.iter().any(|word| holds(condition, word)) || bare && begins(condition, b"contains(");
    let walked = AXES.iter().any(|word| find(condition, word).is_some());
    let path = condition.starts_with(b"//")
        || condition.starts_with(b"/*")
        || condition.starts_with(b"/@")
        || find(condition, b"(//").is_some();
    let compares = condition.iter().any(|byte| matches!(byte, b'=' | b'<' | b'>'));
    match (called || walked, path, compares) {
        (true, _, true) | (true, true, _) => 88,
        (true, ..) => {
            let ends = bare && operator(condition.rsplit(|byte| *byte == b')').next().unwrap_or_default()).is_some();
            if closers.iter().all(|byte| *byte == b' ') && (ends || !condition.contains(&b' ')) { 82 } else { 60 }
        }
        (_, true, true) => 80,
        (_, true, false) => 60,
        _ => 0,
    }
}

fn begins_axis(path: &[u8]) -> bool {
    AXES.iter().any(|axis| begins(path, axis)) || FUNCTIONS.iter().any(|function| begins(path, function))
}

/// Behind `or`, `and`.
fn operator(rest: &[u8]) -> Option<&[u8]> {
    let rest = unspaced(rest);
    [&b"or"[..], b"and"].into_iter().find_map(|word| {
        let behind = if begins(rest, word) { rest.get(word.len()..) } else { None };
        behind.filter(|behind| behind.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()))
    })
}

/// Whether a call of the function stands in the text as a word of its own.
fn holds(text: &[u8], function: &[u8]) -> bool {
    find(text, function).is_some_and(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        before.is_none_or(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')))
    })
}
