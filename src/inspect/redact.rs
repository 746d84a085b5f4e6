//! The piece of a text that is shown to an analyst: short, harmless to display, and never a credential.

use core::ops::Range;

use super::reading::Place;

/// Bytes of the longest snippet.
const MAX_SNIPPET: usize = 80;
/// Characters of a run that looks random from which on it may be a key.
const MAX_RUN: usize = 20;
/// Characters of such a run that are shown: they tell its kind, not its secret.
const SHOWN: usize = 4;

/// What names of secrets contain, in lower case without `_` and `-`.
const SECRET: [&str; 13] = [
    "passw",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "apikey",
    "credential",
    "session",
    "otp",
    "pincode",
    "cvv",
    "privatekey",
];

/// The piece at `at`.
pub fn snippet(place: Place<'_>, text: &[u8], at: &Range<usize>) -> String {
    if is_secret(place.name) {
        return "[masked]".to_owned();
    }
    let start = at.start.min(text.len());
    let piece = text.get(start..at.end.clamp(start, text.len())).unwrap_or_default();
    // What is hidden may be longer than what is shown, but a run is judged whole: more of it is read than shown.
    let piece = piece.get(..4 * MAX_SNIPPET).unwrap_or(piece);
    shown(&masked(&String::from_utf8_lossy(piece)))
}

/// Whether a name is that of a secret.
fn is_secret(name: &str) -> bool {
    // The last names of a pointer tell what the value is.
    let tail = name.char_indices().rev().nth(64).and_then(|(at, _)| name.get(at..)).unwrap_or(name);
    let plain: String = tail.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    SECRET.iter().any(|secret| plain.contains(secret))
}

/// The text with runs that look like keys, values after names of secrets, addresses of mail and card numbers hidden.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut secret) = (text, false);
    while !rest.is_empty() {
        let run = rest.find(|c| !is_of_run(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(run).unwrap_or_default();
        if word.is_empty() {
            let digits = card(rest);
            if digits > 0 {
                out.push_str("[card]");
                rest = rest.get(digits..).unwrap_or_default();
                continue;
            }
            let mut chars = rest.chars();
            // The name of a secret reaches to its value: `password":"…`, `token=…`, `Bearer …`.
            if let Some(c) = chars.next() {
                secret &= matches!(c, '"' | '\'' | ' ' | ':' | '=' | '\\');
                out.push(c);
            }
            rest = chars.as_str();
            continue;
        }
        let digits = card(rest);
        if digits > 0 {
            out.push_str("[card]");
            rest = rest.get(digits..).unwrap_or_default();
            continue;
        }
        if let Some(domain) =
            after.strip_prefix('@').filter(|domain| domain.starts_with(|c: char| c.is_ascii_alphanumeric()))
        {
            out.push_str("[email]");
            rest = domain.trim_start_matches(is_of_run);
            continue;
        }
        // `=` belongs to a run of base64, and stands between a name and a value.
        match word.split_once('=').filter(|(name, value)| is_secret(name) && !value.is_empty()) {
            Some((name, _)) => {
                out.push_str(name);
                out.push_str("=…");
                secret = false;
            }
            None if secret => {
                out.push('…');
                secret = false;
            }
            None => {
                push(&mut out, word);
                secret = is_secret(word) || word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic");
            }
        }
        rest = after;
    }
    out
}

/// A run, or its beginning where it looks random: long, and letters and digits mixed.
fn push(out: &mut String, word: &str) {
    let is = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    if word.len() >= MAX_RUN && is(u8::is_ascii_digit) && is(u8::is_ascii_alphabetic) && !word.contains('.') {
        out.extend(word.chars().take(SHOWN));
        out.push('…');
    } else {
        out.push_str(word);
    }
}

fn is_of_run(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '=' | '-' | '.')
}

/// Bytes of the card number the text starts with: 13 to 19 digits, in groups or not, with a sound check digit (ISO/IEC 7812); else 0.
fn card(text: &str) -> usize {
    let (mut digits, mut end) = (Vec::new(), 0);
    for (at, byte) in text.bytes().enumerate().take(24) {
        match byte {
            b'0'..=b'9' => {
                digits.push(u32::from(byte - b'0'));
                end = at + 1;
            }
            b' ' | b'-' if !digits.is_empty() => {}
            _ => break,
        }
    }
    let doubled = |(place, digit): (usize, &u32)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    if (13..=19).contains(&digits.len()) && sum.is_multiple_of(10) { end } else { 0 }
}

/// Cut to its length, with characters that are not seen, or that change how others are, as escapes.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(MAX_SNIPPET);
    for c in text.chars() {
        let before = out.len();
        if is_unseen(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > MAX_SNIPPET {
            out.truncate(before);
            break;
        }
    }
    out
}

/// Controls, and format characters such as those that turn the direction of text.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::reading::Part;

    fn of(name: &str, text: &str) -> String {
        snippet(Place { part: Part::Query, name }, text.as_bytes(), &(0..text.len()))
    }

    #[test]
    fn credentials_are_never_shown() {
        for (name, text, expected) in [
            ("password", "' or 1=1--", "[masked]"),
            ("/user/newPassword", "x", "[masked]"),
            ("x-api-key", "x", "[masked]"),
            ("authorization", "x", "[masked]"),
            ("q", "' or 1=1--", "' or 1=1--"),
            ("q", "password=hunter2' or 1", "password=…' or 1"),
            ("q", "{\"password\":\"hunter2\"}", "{\"password\":\"…\"}"),
            ("q", "Bearer abc.def", "Bearer …"),
            ("q", "AKIAIOSFODNN7EXAMPLE1' --", "AKIA…' --"),
            ("q", "ann@example.com' or 1", "[email]' or 1"),
            ("q", "4111 1111 1111 1111' or 1", "[card]' or 1"),
            ("q", "4111111111111111;ls", "[card];ls"),
            ("q", "4111111111111112;ls", "4111111111111112;ls"),
        ] {
            assert_eq!(of(name, text), expected, "{name}: {text}");
        }
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(of("q", "a\r\n\0b\u{202e}c\u{200b}é"), "a\\r\\n\\u{0}b\\u{202e}c\\u{200b}é");
    }

    #[test]
    fn a_snippet_has_80_bytes_at_most() {
        assert_eq!(of("q", &"<".repeat(80)).len(), 80);
        assert_eq!(of("q", &"<".repeat(81)).len(), 80);
        assert_eq!(of("q", &"é".repeat(41)).len(), 80);
        assert_eq!(of("q", &("<".repeat(78) + "\n\n")).len(), 80);
        assert_eq!(of("q", &("<".repeat(79) + "\n")).len(), 79);
    }

    #[test]
    fn a_range_beyond_the_text_is_no_trouble() {
        let at = |range| snippet(Place { part: Part::Query, name: "" }, b"abc", &range);
        assert_eq!(at(1..9), "bc");
        assert_eq!(at(5..9), "");
        #[expect(clippy::reversed_empty_ranges, reason = "what a class could get wrong")]
        let reversed = 2..1;
        assert_eq!(at(reversed), "");
    }
}
