//! Looking for pieces in bytes: without indexing, and whatever the case of ASCII letters.

use core::ops::Range;

/// Bytes that are compared at once.
const CHUNK: usize = 32;

/// The byte there; 0 past the end.
pub fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The byte before there; 0 at the start.
pub fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(0, |at| byte(text, at))
}

/// What stands from there on; empty past the end.
pub fn tail(text: &[u8], at: usize) -> &[u8] {
    text.get(at..).unwrap_or_default()
}

/// A piece of the text, as far as there is text.
pub fn piece(text: &[u8], range: Range<usize>) -> &[u8] {
    text.get(range.start..range.end.min(text.len())).unwrap_or_default()
}

/// Whether the lower-case `word` stands there, in any case.
pub fn starts(text: &[u8], at: usize, word: &str) -> bool {
    text.get(at..at + word.len()).is_some_and(|piece| piece.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the text is one of these lower-case words, in any case.
pub fn is_one_of(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

/// Where the lower-case `word` stands first, in any case, from there on.
pub fn find(text: &[u8], word: &str, from: usize) -> Option<usize> {
    // Bit 0x20 is what upper and lower case differ in; what else it makes equal is told apart by `starts`.
    let first = *word.as_bytes().first()? | 0x20;
    let mut at = from;
    for chunk in tail(text, from).chunks(CHUNK) {
        // Without leaving early, so that the compiler compares many bytes at once.
        if chunk.iter().fold(false, |found, byte| found | (byte | 0x20 == first)) {
            let mut candidates = chunk.iter().enumerate().filter(|(_, byte)| **byte | 0x20 == first);
            if let Some((step, _)) = candidates.find(|(step, _)| starts(text, at + step, word)) {
                return Some(at + step);
            }
        }
        at += chunk.len();
    }
    None
}

/// Whether the lower-case `word` stands anywhere in the text, in any case.
pub fn has(text: &[u8], word: &str) -> bool {
    find(text, word, 0).is_some()
}

/// The first of these lower-case words that is in the text, with its place.
pub fn find_any(text: &[u8], words: &[&'static str]) -> Option<Range<usize>> {
    words.iter().find_map(|word| find(text, word, 0).map(|at| at..at + word.len()))
}

/// The first place from there on whose byte is none of those.
pub fn skip(text: &[u8], at: usize, those: fn(u8) -> bool) -> usize {
    at + tail(text, at).iter().take_while(|byte| those(**byte)).count()
}

/// What the languages here take for space: ASCII's, the vertical tab and NUL among it.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9..=13 | b' ')
}

/// Of a name in most languages.
pub fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// The text without space at both ends, and where it starts.
pub fn trim(text: &[u8]) -> (usize, &[u8]) {
    let start = skip(text, 0, is_space);
    let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
    (start, piece(text, start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_up_to_the_last_byte() {
        assert_eq!(find(b"a SCRIPT", "script", 0), Some(2));
        assert_eq!(find(b"scriscript", "script", 0), Some(4));
        assert_eq!(find(b"scrip", "script", 0), None);
        assert_eq!(find(b"x", "x", 1), None);
        assert_eq!(trim(b" \0a b\n"), (2, &b"a b"[..]));
        assert_eq!(trim(b"  "), (2, &b""[..]));
    }
}
