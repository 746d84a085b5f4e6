//! What the classes of systems and networks share: how a text is shaped, what a parameter is called, small searches.

use core::ops::Range;

use crate::inspect::{Part, Place, Sign};
use crate::session::Severity;

/// A text with this many words around what was found is prose, and prose may speak of everything.
pub(super) const PROSE_WORDS: usize = 5;
/// A text with this many lines is a document: a script, a log, a page of markdown.
const DOCUMENT_LINES: usize = 4;

/// A sign of high severity.
pub(super) fn high(confidence: u8, at: Range<usize>, what: &'static str) -> Sign {
    Sign { confidence, severity: Severity::High, at, what }
}

/// The surest sign so far.
#[derive(Default)]
pub(super) struct Best(pub Option<Sign>);

impl Best {
    pub(super) fn take(&mut self, sign: Sign) {
        if self.0.as_ref().is_none_or(|best| best.confidence < sign.confidence) {
            self.0 = Some(sign);
        }
    }
}

/// The part of a text from `start` to `end`; empty where there is none.
pub(super) fn part(text: &[u8], at: Range<usize>) -> &[u8] {
    text.get(at).unwrap_or_default()
}

/// The text from `start` on; empty behind its end.
pub(super) fn from(text: &[u8], start: usize) -> &[u8] {
    text.get(start..).unwrap_or_default()
}

/// Where `needle` (lower case) stands in the text, whatever its case.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut at = 0;
    while let Some(skip) = from(text, at).iter().position(|byte| byte.to_ascii_lowercase() == first) {
        at += skip;
        if begins(from(text, at), needle) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Whether the text begins with `word` (lower case), whatever its case.
pub(super) fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether one of the words is the text, whatever its case.
pub(super) fn is_one_of(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

/// Words of at least two letters, each between white space or punctuation, counted up to `most`.
pub(super) fn words(text: &[u8], most: usize) -> usize {
    let is_word = |word: &&[u8]| word.len() >= 2 && word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    let bare =
        |word: &'_ [u8]| -> usize { word.len() - word.iter().rev().take_while(|b| b",.:!?)".contains(b)).count() };
    text.split(u8::is_ascii_whitespace).filter_map(|word| word.get(..bare(word))).filter(is_word).take(most).count()
}

/// Whether a text has many lines, or marks code or tables as markdown does.
pub(super) fn is_document(text: &[u8]) -> bool {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| line.iter().any(u8::is_ascii_alphanumeric));
    let is_table =
        text.starts_with(b"| ") && text.ends_with(b"|") && text.windows(3).filter(|three| *three == b" | ").count() > 1;
    is_table || lines.take(DOCUMENT_LINES).count() >= DOCUMENT_LINES || text.windows(3).any(|three| three == b"```")
}

/// Whether what stands around `at` is prose or a document.
pub(super) fn is_spoken_of(text: &[u8], at: &Range<usize>) -> bool {
    let before = words(part(text, 0..at.start), PROSE_WORDS);
    before + words(from(text, at.end), PROSE_WORDS) >= PROSE_WORDS || is_document(text)
}

/// Whether blanks set what stands at `at` off from words before or behind it: `/etc/passwd explained`, `see /etc/hosts`.
pub(super) fn is_among_words(text: &[u8], at: &Range<usize>) -> bool {
    let is_blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let (before, behind) = (part(text, 0..at.start), from(text, at.end));
    let is_worded = |text: &[u8]| text.iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    let is_redirected = matches!(before.trim_ascii_end().last(), Some(b'<' | b'>'));
    is_blank(before.last()) && is_worded(before) && !is_redirected || is_blank(behind.first()) && is_worded(behind)
}

/// Names under which any letters may stand between any signs.
pub(super) const SECRET: &[&str] = &["password", "passwd", "pwd", "pass", "secret", "passphrase"];
/// Names under which code is text.
pub(super) const CODE: &[&str] =
    &["code", "snippet", "source", "script", "markdown", "md", "readme", "query", "log", "logs", "stack"];

/// Names of parameters that hold what a person looks for.
const SEARCHED: &[&str] = &[
    "q",
    "s",
    "query",
    "search",
    "term",
    "terms",
    "keyword",
    "keywords",
    "kw",
    "find",
    "lookup",
    "phrase",
    "input",
    "suche",
    "suchbegriff",
    "recherche",
    "buscar",
    "busca",
    "wd",
];

/// Whether a person looks for the text: words about an attack are as likely there as an attack.
pub(super) fn is_searched(place: Place<'_>) -> bool {
    is_named(place, SEARCHED)
}

/// The last name of a pointer, or the last of `a[b][c]`; the name itself elsewhere.
pub(super) fn last_name<'a>(place: Place<'a>) -> &'a str {
    let name = place.name.trim_end_matches("/*").trim_end_matches("[]").trim_end_matches(']');
    name.rsplit(['/', '[', '.']).next().unwrap_or(name)
}

/// Whether the last name of the place has one of these words in it: alone, or set off by `_`, `-` or a capital letter.
pub(super) fn is_named(place: Place<'_>, words: &[&str]) -> bool {
    let name = last_name(place).as_bytes();
    let mut start = 0;
    for end in 1..=name.len() {
        let here = name.get(end).copied();
        let last = name.get(end - 1).copied().unwrap_or(0);
        let is_edge = here.is_none_or(|byte| {
            !byte.is_ascii_alphanumeric() || byte.is_ascii_uppercase() && !last.is_ascii_uppercase()
        });
        if is_edge {
            let word = part(name, start..end);
            let word = word.strip_prefix(b"_").or(word.strip_prefix(b"-")).unwrap_or(word);
            if is_one_of(word, words) {
                return true;
            }
            start = end;
        }
    }
    is_one_of(name, words)
}

/// Whether values of this part are typed by people or programs as one value, not as a document.
pub(super) fn is_parameter(part: Part) -> bool {
    matches!(part, Part::Query | Part::Form | Part::Cookie | Part::Path | Part::QueryName | Part::FormName)
}
