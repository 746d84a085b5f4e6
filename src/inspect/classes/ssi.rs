//! Includes that a server or a cache would follow: SSI and ESI.

use super::seek::{byte, find, has, is_space, piece, skip, starts};
use super::shown;
use crate::inspect::{Attack, Class, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// Server-side and edge-side includes.
pub static SSI_INJECTION: Class = Class { attack: Attack::SsiInjection, words: &["esi"], chars: b"<", may_be, judge };

/// Directives, and how sure each is to be an attack with an attribute behind it.
const DIRECTIVES: [(&str, u8); 9] = [
    ("exec", 95),
    ("include", 92),
    ("echo", 88),
    ("printenv", 88),
    ("set", 84),
    ("config", 84),
    ("fsize", 84),
    ("flastmod", 84),
    ("if", 82),
];
/// Tags of ESI that load, tell or set something.
const ESI: [&str; 9] = ["include", "inline", "eval", "debug", "vars", "assign", "text", "try", "when"];
/// Longest piece that is shown of what was found, bytes.
const SHOWN: usize = 80;

fn may_be(scan: Scan, _place: Place<'_>) -> bool {
    scan.all(b"<!-#") || (scan.all(b"<") && scan.word(Attack::SsiInjection))
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let (sure, at, what) = ssi(text).or_else(|| esi(text))?;
    let confidence = shown::less(reading, at, sure);
    let severity = if sure >= 95 { Severity::Critical } else { Severity::High };
    Some(Sign { confidence, severity, at: at..(at + SHOWN).min(text.len()), what })
}

fn ssi(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    let mut from = 0;
    while let Some(at) = find(text, "<!--", from) {
        from = at + 4;
        let mark = skip(text, from, is_space);
        if byte(text, mark) != b'#' {
            continue;
        }
        let name = skip(text, mark + 1, is_space);
        let directive = DIRECTIVES
            .iter()
            .find(|(word, _)| starts(text, name, word) && !byte(text, name + word.len()).is_ascii_alphanumeric());
        if let Some((word, sure)) = directive {
            let rest = piece(text, name + word.len()..name + SHOWN);
            let is_whole = rest.contains(&b'=') || *word == "printenv";
            return Some((if is_whole { *sure } else { 60 }, at, "a server-side include"));
        }
    }
    None
}

fn esi(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    if let Some(at) = find(text, "<!--esi", 0) {
        return Some((88, at, "an edge-side include in a comment"));
    }
    let at = find(text, "<esi:", 0)?;
    let is_known = ESI.iter().any(|word| starts(text, at + 5, word));
    let is_whole = has(piece(text, at..at + 200), ">") || has(piece(text, at..at + 200), "=");
    Some((if is_known && is_whole { 90 } else { 50 }, at, "an edge-side include"))
}
