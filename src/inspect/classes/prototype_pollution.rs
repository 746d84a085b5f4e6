//! Prototype pollution: names that reach the prototype all objects of a JavaScript program share.
//!
//! A name does that wherever it is assigned. A text that mentions it does not.

use super::names::{find, is_name, segments, unspaced};
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// Prototype pollution.
pub static PROTOTYPE_POLLUTION: Class = Class {
    attack: Attack::PrototypePollution,
    words: &["__proto__", "proto", "prototype", "constructor"],
    chars: b"_",
    may_be,
    judge,
};

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    // `__pro__proto__to__`, for programs that take the word out once, is found too: a letter stands before none of its parts.
    let named = is_name(place.part) && (scan.any(b"_") || scan.word(Attack::PrototypePollution));
    let inside = scan.word(Attack::PrototypePollution)
        && scan.any(b"[:.{")
        && matches!(
            place.part,
            Part::Query | Part::Form | Part::Json | Part::Cookie | Part::Raw | Part::GraphqlArgument
        );
    let pointed = scan.word(Attack::PrototypePollution) && place.part == Part::Json && place.name.ends_with("/path");
    named || inside || pointed
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let proto = find(text, b"__proto__");
    let sign = |confidence, at: usize, length: usize, what| {
        let severity = if confidence >= 80 { Severity::High } else { Severity::Low };
        Some(Sign { confidence, severity, at: at..text.len().min(at + length), what })
    };
    let what = "a name that reaches the prototype of objects";
    if is_name(reading.place.part) {
        if let Some(at) = proto {
            return sign(90, at, 9, what);
        }
        let mut inner_first = segments(reading.place).rev();
        let reaches = if reading.place.part == Part::JsonName {
            inner_first.next() == Some("prototype") && inner_first.next() == Some("constructor")
                || find(text, b"constructor.prototype").is_some()
        } else {
            let mut last = "";
            inner_first.any(|name| core::mem::replace(&mut last, name) == "prototype" && name == "constructor")
        };
        return if reaches { sign(90, 0, text.len(), what) } else { None };
    }
    // The pointer of a JSON Patch (RFC 6902).
    if reading.place.name.ends_with("/path") && text.starts_with(b"/") {
        let mut last: &[u8] = b"";
        let reaches = text.split(|byte| *byte == b'/').any(|name| {
            let before = core::mem::replace(&mut last, name);
            name == b"__proto__" || name == b"prototype" && before == b"constructor"
        });
        return if reaches { sign(88, 0, text.len(), what) } else { None };
    }
    // An assignment without a name of its own, or an object that is no JSON.
    let start = unspaced(text);
    let assigned = [&b"__proto__["[..], b"__proto__.", b"constructor[prototype]", b"constructor.prototype."]
        .into_iter()
        .any(|path| start.starts_with(path) && (start.contains(&b'=') || reading.place.name.is_empty()));
    if assigned && !start.contains(&b' ') {
        return sign(85, 0, 24, what);
    }
    let at = proto?;
    let behind = text.get(at + 9..).unwrap_or_default();
    let member = matches!(behind, [b'"' | b'\'', rest @ ..] if unspaced(rest).starts_with(b":"))
        || unspaced(behind).starts_with(b":");
    match (start.first(), member) {
        (Some(b'{' | b'['), true) => sign(82, at, 9, "an object with a member that reaches the prototype of objects"),
        (_, true) => sign(50, at, 9, "an object with a member that reaches the prototype of objects"),
        _ => None,
    }
}
