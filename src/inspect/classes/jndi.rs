//! Lookups of Log4j and Commons Text, read as those libraries read them: nested lookups are evaluated first.

use super::seek::{byte, find, is_one_of, piece, skip, starts};
use super::shown;
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// Lookups that load code from elsewhere or tell secrets.
pub static JNDI: Class = Class { attack: Attack::Jndi, words: &["jndi"], chars: b"$", may_be, judge };

/// Most lookups inside each other that are evaluated.
const DEPTH: usize = 16;
/// Nested lookups that make up a single character each, from which on somebody hides a word.
const DISGUISES: usize = 3;
/// Lookups that a value never needs: what they tell is the server's.
const SOURCES: [&str; 14] =
    ["env", "sys", "ctx", "java", "main", "bundle", "k8s", "docker", "web", "spring", "event", "marker", "log4j", "sd"];
/// Schemes behind `jndi:`.
const SCHEMES: [&str; 9] = ["ldap", "ldaps", "rmi", "dns", "iiop", "corba", "nis", "nds", "http"];
/// Engines behind Commons Text's `script:`.
const ENGINES: [&str; 7] = ["javascript", "js", "nashorn", "groovy", "jexl", "ecmascript", "rhino"];

fn may_be(scan: Scan, _place: Place<'_>) -> bool {
    scan.all(b"${:") || (scan.word(Attack::Jndi) && scan.all(b":"))
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let (sure, at, what) = lookups(text).or_else(|| bare(text))?;
    let confidence = shown::less(reading, at, sure);
    // In what is configured variables are ordinary.
    let is_plain = sure < 80 && matches!(reading.place.part, Part::Json | Part::Form | Part::GraphqlArgument);
    let severity = if sure >= 80 { Severity::Critical } else { Severity::Low };
    let confidence = if is_plain { confidence.min(45) } else { confidence };
    // Where nothing is configured a value that is a lookup, and nothing else, is somebody's question.
    let is_question = matches!(reading.place.part, Part::Query | Part::Path | Part::Header | Part::Cookie);
    let is_whole = text.starts_with(b"${") && text.ends_with(b"}") && !text.contains(&b' ');
    let confidence = if sure < 80 && is_question && is_whole { 82 } else { confidence };
    Some(Sign { confidence, severity, at: at..(at + 100).min(text.len()), what })
}

/// Evaluates the lookups of the text and tells the worst of them.
fn lookups(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    // Evaluated text, and of each open lookup where it starts in it and in the text.
    let mut out: Vec<u8> = Vec::with_capacity(text.len().min(256));
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut best: Option<(u8, usize, &'static str)> = None;
    let (mut disguises, mut at) = (0, 0);
    while at < text.len() {
        if starts(text, at, "${") && open.len() < DEPTH {
            open.push((out.len(), at));
            at += 2;
            continue;
        }
        let there = byte(text, at);
        at += 1;
        let Some((start, from)) = open.last().copied() else { continue };
        // A line that is not closed by its end was no lookup, unless it says what it is.
        if there != b'}' {
            out.push(there);
            continue;
        }
        open.pop();
        let content = out.split_off(start);
        let seen = judged(&content);
        let (value, is_disguise) = value(&content);
        disguises += usize::from(is_disguise);
        let seen = if disguises >= DISGUISES && open.len() + disguises > DISGUISES {
            Some((90, "lookups that hide a word"))
        } else {
            seen
        };
        if let Some((sure, what)) = seen
            && best.is_none_or(|(known, ..)| sure > known)
        {
            best = Some((sure, from, what));
        }
        if open.is_empty() {
            out.clear();
        } else {
            out.extend(value);
        }
    }
    for (start, from) in open {
        if let Some((sure, what)) = judged(piece(&out, start..out.len()))
            && best.is_none_or(|(known, ..)| sure > known)
            && sure >= 80
        {
            best = Some((sure, from, what));
        }
    }
    best
}

/// What a lookup is, its nested ones evaluated.
fn judged(content: &[u8]) -> Option<(u8, &'static str)> {
    let colon = content.iter().position(|byte| *byte == b':')?;
    let name = piece(content, 0..colon).trim_ascii();
    let rest = piece(content, colon + 1..content.len());
    if name.eq_ignore_ascii_case(b"jndi") {
        return Some((if rest.is_empty() { 82 } else { 98 }, "a lookup that loads an object from elsewhere"));
    }
    if name.eq_ignore_ascii_case(b"script") && ENGINES.iter().any(|engine| starts(rest, 0, engine)) {
        return Some((95, "a lookup that runs a script"));
    }
    let reaches = (name.eq_ignore_ascii_case(b"dns") && starts(rest, 0, "address"))
        || (is_one_of(name, &["url", "file", "xml", "properties"]) && starts(rest, 0, "utf-8:"));
    if reaches {
        return Some((90, "a lookup that reads an address or a file"));
    }
    if !is_one_of(name, &SOURCES) || rest.is_empty() || byte(rest, 0) == b' ' {
        return None;
    }
    let is_secret =
        ["secret", "password", "token", "aws_", "api_key", "private"].iter().any(|word| find(rest, word, 0).is_some());
    Some((if is_secret { 60 } else { 45 }, "a lookup that tells about the server"))
}

/// What a lookup turns into, and whether it is there to hide a character or two.
fn value(content: &[u8]) -> (Vec<u8>, bool) {
    if let Some(at) = find(content, ":-", 0) {
        let default = piece(content, at + 2..content.len()).to_vec();
        let is_short = default.len() <= 2;
        return (default, is_short);
    }
    for (name, is_upper) in [("lower:", false), ("upper:", true)] {
        if starts(content, 0, name) {
            let rest = piece(content, name.len()..content.len());
            // The dotless i, which has I as its capital.
            let mut value = if rest == "ı".as_bytes() { b"i".to_vec() } else { rest.to_vec() };
            if is_upper {
                value.make_ascii_uppercase();
            } else {
                value.make_ascii_lowercase();
            }
            let is_short = value.len() <= 2;
            return (value, is_short);
        }
    }
    if starts(content, 0, "date:") {
        let inside = content.iter().copied().skip(5).filter(|byte| *byte != b'\'').collect::<Vec<_>>();
        let is_short = inside.len() <= 2;
        return (inside, is_short);
    }
    (Vec::new(), false)
}

/// `jndi:ldap://…` without the lookup around it, as a template would be handed.
fn bare(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    let at = find(text, "jndi:", 0)?;
    let scheme = skip(text, at + 5, |byte| byte == b' ');
    let known = SCHEMES.iter().find(|known| starts(text, scheme, known) && byte(text, scheme + known.len()) == b':')?;
    let is_address = starts(text, scheme + known.len(), ":/");
    Some((if is_address { 84 } else { 60 }, at, "an address for a lookup that loads an object from elsewhere"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lookups_are_evaluated_before_the_outer_one_is_judged() {
        for text in [
            "${${::-j}${::-n}di:ldap://x}",
            "${${lower:J}ndi:x}",
            "${j${upper:n}d${upper:ı}:x}",
            "${jn${date:'d'}i:x}",
            "${j${env:NOPE:-n}di:x}",
            "${${lower:${upper:jndi}}:x}",
        ] {
            assert_eq!(lookups(text.as_bytes()).map(|(sure, ..)| sure), Some(98), "{text}");
        }
        assert_eq!(lookups("${".repeat(1000).as_bytes()), None);
    }
}
