//! The parts of a parameter's name or of a pointer: `user[name][$ne]`, `user.name`, `/user/name/$ne`.

use crate::inspect::{Part, Place};

/// The segments of the name a text stands under, outermost first; items of arrays and empty ones are left out.
pub fn segments<'p>(place: Place<'p>) -> impl DoubleEndedIterator<Item = &'p str> {
    place.name.split(['/', '[', ']', '.']).filter(|segment| !segment.is_empty() && *segment != "*")
}

/// Whether the text is a name.
pub fn is_name(part: Part) -> bool {
    matches!(part, Part::QueryName | Part::FormName | Part::JsonName | Part::CookieName)
}

/// Whether `text` is one of the words, or ends with one, in whatever case.
pub fn ends_with_one(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        let start = text.len().checked_sub(word.len());
        start
            .and_then(|start| text.as_bytes().get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// Whether any pair of a query begins so.
pub fn has_pair(query: &[u8], start: &[u8]) -> bool {
    let mut is_start = true;
    query.iter().enumerate().any(|(at, byte)| {
        let found = is_start && query.get(at..).is_some_and(|rest| rest.starts_with(start));
        is_start = *byte == b'&';
        found
    })
}

/// What stands behind the spaces at the start.
pub fn unspaced(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

/// Whether the text begins with the lower-case word, in whatever case.
pub fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Where the lower-case word stands in the text, in whatever case.
pub fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}
