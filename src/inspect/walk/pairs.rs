//! Names and values between `&` and `=`: queries, forms, and either inside another text.

use super::{Cuts, Examination, MAX_NESTED, Part, Place, Scan, Trail, name, place};
use crate::inspect::decode;
use crate::inspect::reading::Layers;
use crate::inspect::scan::{is_all, kind};

/// Pairs looked at one by one.
const MAX_PAIRS: usize = 1_024;
/// Names that are compared to find those sent more than once.
const MAX_NAMES: usize = 32;
/// Names sent more than once whose values are joined.
const MAX_JOINED: usize = 4;
/// Bytes of the name of a single pair inside a text.
const MAX_NAME: usize = 64;
/// Bytes of joined values.
const MAX_JOIN: usize = 8_192;

/// The parts of names and values; `None` for names nobody judges.
pub type Parts = (Option<Part>, Part);
pub const QUERY: Parts = (Some(Part::QueryName), Part::Query);
pub const FORM: Parts = (Some(Part::FormName), Part::Form);

/// The texts of a query or form as sent.
pub fn pairs(to: &mut Examination<'_>, text: &[u8], parts: &Parts, trail: Trail) {
    let trail = trail.decoded();
    let mut names: Vec<&[u8]> = Vec::new();
    let mut repeated: Vec<&[u8]> = Vec::new();
    // Where the first value starts that a raw `&` may have torn apart, and the name it stands under.
    let (mut torn, mut value_start, mut under) = (None, 0, &b""[..]);
    let mut start = 0;
    for (number, pair) in text.split(|byte| *byte == b'&').enumerate() {
        let (at, end) = (start, start + pair.len());
        start = end + 1;
        if pair.is_empty() {
            continue;
        }
        if number >= MAX_PAIRS {
            to.cuts.set(Cuts::MEMBERS);
            to.text(place(parts.1, ""), &decode::form(text.get(at..).unwrap_or_default()), trail);
            break;
        }
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (raw, value) = match equals {
            Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
            None => (&b""[..], pair),
        };
        let decoded = decode::form(raw);
        let as_name = name(&decoded);
        if number > 0 && torn.is_none() && (equals.is_none() || !is_all(&decoded, kind::NAME)) {
            torn = Some((value_start, under));
        }
        if torn.is_none() {
            (value_start, under) = (end - value.len(), raw);
        }
        if let (Some(part), false) = (parts.0, raw.is_empty()) {
            to.text(place(part, &as_name), &decoded, trail);
        }
        one(to, place(parts.1, &as_name), value, trail);
        if names.contains(&raw) {
            if !repeated.contains(&raw) && repeated.len() < MAX_JOINED {
                repeated.push(raw);
            }
        } else if names.len() < MAX_NAMES {
            names.push(raw);
        }
    }
    if let Some((from, under)) = torn {
        let whole = decode::form(text.get(from..).unwrap_or_default());
        let under = decode::form(under);
        to.text(place(parts.1, &name(&under)), &whole, trail.with(Layers::JOINED));
    }
    for repeated in repeated {
        joined(to, text, repeated, parts.1, trail);
    }
}

/// A value, and, where it may matter, once more with its `+` as they stand.
fn one(to: &mut Examination<'_>, at: Place<'_>, value: &[u8], trail: Trail) {
    let decoded = decode::form(value);
    to.text(at, &decoded, trail);
    // In a document a plus is a space, or its members are looked at already.
    if crate::selector::looks_like_json(&decoded) && serde_json::from_slice::<serde::de::IgnoredAny>(&decoded).is_ok() {
        return;
    }
    if value.contains(&b'+') && decoded.iter().any(|byte| b"'\"`()[]<".contains(byte)) && !are_spaces(value) {
        let text = decode::percent(value).map_or(value.into(), |(text, _)| std::borrow::Cow::Owned(text));
        to.text(at, &text, trail);
    }
}

/// Whether the `+` of a value can only be spaces: most stand between words. UTF-7 writes its signs so, too.
fn are_spaces(value: &[u8]) -> bool {
    let (mut gaps, mut others, mut last) = (0_usize, 0_usize, 0);
    for (at, byte) in value.iter().enumerate() {
        if *byte == b'+' {
            let rest = value.get(at + 1..).unwrap_or_default();
            // `)` is sent as `%29` as often as not.
            let is_closed = last == b')' || value.get(..at).is_some_and(|before| before.ends_with(b"%29"));
            // A word, or an option of a command.
            let is_word = matches!(rest, [b'-', b'-', ..])
                || rest.strip_prefix(b"-").unwrap_or(rest).first().is_some_and(u8::is_ascii_alphabetic);
            let is_gap = (is_closed || last.is_ascii_alphabetic() || last == b',') && is_word;
            if rest.starts_with(b"AD") {
                return false;
            }
            gaps += usize::from(is_gap);
            others += usize::from(!is_gap);
        }
        last = *byte;
    }
    gaps > 0 && gaps >= others
}

/// Some frameworks join the values of one name with a comma, some parsers with nothing.
fn joined(to: &mut Examination<'_>, text: &[u8], wanted: &[u8], part: Part, trail: Trail) {
    let values = || {
        let pairs = text.split(|byte| *byte == b'&').take(MAX_PAIRS);
        pairs.filter_map(|pair| pair.strip_prefix(wanted)?.strip_prefix(b"="))
    };
    // Words side by side are nothing new.
    if values().all(|value| value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))) {
        return;
    }
    let wanted = decode::form(wanted);
    for between in [&b","[..], b""] {
        let mut whole = Vec::new();
        for value in values() {
            if !whole.is_empty() {
                whole.extend_from_slice(between);
            }
            whole.extend_from_slice(&decode::form(value));
            if whole.len() > MAX_JOIN {
                to.cuts.set(Cuts::MEMBERS);
                break;
            }
        }
        to.text(place(part, &name(&wanted)), &whole, trail.with(Layers::JOINED));
    }
}

/// Whether pairs inside a text hold anything that is not seen in the text itself.
pub fn is_nested(text: &[u8], scan: Scan) -> bool {
    scan.any(b"=") && scan.any(b"%+") && !scan.any(b" \n<\"{") && (scan.any(b"&?") || is_pair(text))
}

/// Whether the text is a single pair: a name, and a value with something to decode.
fn is_pair(text: &[u8]) -> bool {
    let name = text.iter().take(MAX_NAME).take_while(|byte| is_all(core::slice::from_ref(*byte), kind::NAME)).count();
    name > 0 && matches!(text.get(name..), Some([b'=', value @ ..]) if value.contains(&b'%'))
}

/// Pairs inside a text: all of it, or the query of the URL it is.
pub fn nested(to: &mut Examination<'_>, text: &[u8], at: Place<'_>, trail: Trail) {
    let query = text.iter().position(|byte| *byte == b'?').and_then(|at| text.get(at + 1..)).unwrap_or(text);
    let query = query.split(|byte| *byte == b'#').next().unwrap_or(query);
    if trail.nested <= MAX_NESTED {
        pairs(to, query, &(None, at.part), trail);
    }
}
