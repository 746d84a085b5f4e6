//! Whether a piece of a long text is shown rather than sent: tickets, reviews and articles quote code, in fences, between
//! backticks, or in the middle of sentences. What is shown is told, and stops nothing.

use super::seek::{byte, piece, tail};
use crate::inspect::{Part, Reading};

/// Most confidence in something that is shown.
pub const MOST: u8 = 60;
/// From how many bytes, lines and words on a text is an article in which code is quoted.
const LONG: (usize, usize, usize) = (200, 4, 20);
/// How many words have to stand around a piece between backticks on its line.
const WORDS_AROUND_TICKS: usize = 4;
/// How many words a text has to have in which a block of code is shown.
const WORDS_AROUND_FENCES: usize = 3;

/// `confidence` for what stands at `at`, less if it is shown there.
pub fn less(reading: &Reading<'_>, at: usize, confidence: u8) -> u8 {
    if confidence > MOST && is_shown(reading, at) { MOST } else { confidence }
}

/// Only where long texts are at home anything is shown: in bodies.
fn is_body(part: Part) -> bool {
    matches!(part, Part::Json | Part::Form | Part::GraphqlArgument | Part::Xml | Part::Raw | Part::File)
}

/// Whether what stands at `at` is shown.
pub fn is_shown(reading: &Reading<'_>, at: usize) -> bool {
    is_body(reading.place.part) && is_ticked(reading.text, at) || is_in_document(reading, at)
}

/// Whether what stands at `at` is shown by more than backticks: in a block of code, or in an article.
pub fn is_in_document(reading: &Reading<'_>, at: usize) -> bool {
    let text = reading.text;
    let before = piece(text, 0..at);
    let is_fenced = || before.contains(&b'\n') && fences(before) % 2 == 1 && words(text) >= WORDS_AROUND_FENCES;
    is_body(reading.place.part) && (is_request_line(text) || is_fenced() || is_long(text))
}

/// Whether what stands at `at` is between backticks, in a sentence.
fn is_ticked(text: &[u8], at: usize) -> bool {
    let before = piece(text, 0..at);
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let on_line = tail(before, line);
    let behind = tail(text, at);
    let behind = piece(behind, 0..behind.iter().position(|byte| *byte == b'\n').unwrap_or(behind.len()));
    on_line.iter().filter(|byte| **byte == b'`').count() % 2 == 1
        && behind.iter().position(|byte| *byte == b'`').is_some_and(|close| {
            let before = words(on_line);
            before > 0 && before + words(tail(behind, close + 1)) >= WORDS_AROUND_TICKS
        })
}

/// Whether the text is the first line of a request, as logs and reports quote them: `GET /a?b=c HTTP/1.1`.
fn is_request_line(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    [&b"GET /"[..], b"POST /", b"PUT /", b"HEAD /", b"DELETE /", b"PATCH /"].iter().any(|start| text.starts_with(start))
}

/// Whether the text is an article: many lines, and many words in sentences.
pub fn is_long(text: &[u8]) -> bool {
    text.len() >= LONG.0 && text.iter().filter(|byte| **byte == b'\n').count() + 1 >= LONG.1 && words(text) >= LONG.2
}

/// Lines that open or close a block of code.
fn fences(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').filter(|line| line.trim_ascii_start().starts_with(b"```")).count()
}

/// Words of a sentence: letters only, with space before and space or punctuation behind.
pub fn words(text: &[u8]) -> usize {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
    let is_word = |word: &[u8]| {
        let end = word.iter().rposition(is_letter).map_or(0, |last| last + 1);
        let letters = piece(word, 0..end);
        !letters.is_empty()
            && letters.iter().all(|byte| is_letter(byte) || *byte == b'\'')
            && end + 1 >= word.len()
            && (end == word.len() || matches!(byte(word, end), b',' | b'.' | b':' | b'?' | b'!'))
    };
    text.split(u8::is_ascii_whitespace).filter(|word| is_word(word)).count()
}
