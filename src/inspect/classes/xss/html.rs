//! Tags and attributes, the way browsers read them: broken ones too.

use core::ops::Range;

use crate::inspect::classes::seek::{byte, is_space, piece, skip, tail};

/// Longest name that is told apart, bytes; of a longer one the start is kept.
const NAME_BYTES: usize = 28;

/// The name of a tag or an attribute: lower case, without NULs and the quotes of the attribute before it.
#[derive(Clone, Copy, Default)]
pub struct Name {
    bytes: [u8; NAME_BYTES],
    length: usize,
}

impl Name {
    fn of(raw: &[u8]) -> Self {
        let mut name = Self::default();
        let kept = raw.iter().filter(|byte| **byte != 0).skip_while(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        for (slot, byte) in name.bytes.iter_mut().zip(kept) {
            *slot = byte.to_ascii_lowercase();
            name.length += 1;
        }
        name
    }

    pub fn text(&self) -> &[u8] {
        piece(&self.bytes, 0..self.length)
    }

    /// Whether it is one of these, by itself or behind a namespace prefix.
    pub fn is(&self, names: &[&str]) -> bool {
        let local = self.text().rsplit(|byte| *byte == b':').next().unwrap_or_default();
        names.iter().any(|name| name.as_bytes() == self.text() || name.as_bytes() == local)
    }
}

/// An opening tag.
pub struct Tag {
    /// Where its `<` stands, and where it ends: behind `>`, or with the text.
    pub range: Range<usize>,
    /// Where its name stands.
    pub named: Range<usize>,
    pub name: Name,
}

/// An attribute of a tag.
pub struct Attribute {
    pub name: Name,
    /// Where its name starts, and its value ends.
    pub range: Range<usize>,
    /// Without the quotes.
    pub value: Range<usize>,
    pub is_quoted: bool,
}

/// The tag whose `<` stands at `at`.
pub fn tag(text: &[u8], at: usize) -> Option<Tag> {
    let start = skip(text, at + 1, |byte| byte == 0);
    if byte(text, at) != b'<' || !byte(text, start).is_ascii_alphabetic() {
        return None;
    }
    let is_in_name = |byte: u8| byte == 0 || !(is_space(byte) || matches!(byte, b'/' | b'>' | b'<'));
    let named = start..skip(text, start, is_in_name);
    let name = Name::of(piece(text, named.clone()));
    let mut tag = Tag { range: at..named.end, named, name };
    while let Some(attribute) = attribute(text, tag.range.end) {
        tag.range.end = attribute.range.end;
    }
    tag.range.end = skip(text, tag.range.end, between);
    if byte(text, tag.range.end) == b'>' {
        tag.range.end += 1;
    }
    Some(tag)
}

/// The attributes of a tag.
pub fn attributes<'a>(text: &'a [u8], tag: &Tag) -> impl Iterator<Item = Attribute> + 'a {
    let mut at = tag.named.end;
    core::iter::from_fn(move || {
        let found = attribute(text, at)?;
        at = found.range.end;
        Some(found)
    })
}

/// What may stand between attributes.
fn between(byte: u8) -> bool {
    is_space(byte) || byte == b'/'
}

/// The attribute that follows, if the tag does not end.
fn attribute(text: &[u8], at: usize) -> Option<Attribute> {
    let start = skip(text, at, between);
    if start >= text.len() || byte(text, start) == b'>' {
        return None;
    }
    let is_in_name = |byte: u8| byte == 0 || !(between(byte) || matches!(byte, b'>' | b'='));
    let end = skip(text, start + 1, is_in_name);
    let name = Name::of(piece(text, start..end));
    let equals = skip(text, end, is_space);
    if byte(text, equals) != b'=' {
        return Some(Attribute { name, range: start..end, value: end..end, is_quoted: false });
    }
    let value = skip(text, equals + 1, is_space);
    let quote = byte(text, value);
    if matches!(quote, b'"' | b'\'') {
        let length = tail(text, value + 1).iter().position(|byte| *byte == quote);
        let inside = value + 1..length.map_or(text.len(), |length| value + 1 + length);
        return Some(Attribute {
            name,
            range: start..(inside.end + 1).min(text.len()),
            value: inside,
            is_quoted: true,
        });
    }
    let end = skip(text, value, |byte| byte == 0 || !(is_space(byte) || byte == b'>'));
    Some(Attribute { name, range: start..end, value: value..end, is_quoted: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let text = text.as_bytes();
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let tag = tag(text, 0).unwrap();
        let mut read = vec![(show(tag.name.text()), show(piece(text, tag.range.clone())))];
        read.extend(attributes(text, &tag).map(|a| (show(a.name.text()), show(piece(text, a.value)))));
        read
    }

    fn pairs(read: &[(String, String)]) -> Vec<(&str, &str)> {
        read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn tags_end_where_browsers_end_them() {
        assert_eq!(pairs(&read("<b>x")), [("b", "<b>")]);
        assert_eq!(pairs(&read("<svg/onload=a>")), [("svg", "<svg/onload=a>"), ("onload", "a")]);
        assert_eq!(pairs(&read("<a t='>' U = x>y")), [("a", "<a t='>' U = x>"), ("t", ">"), ("u", "x")]);
        assert_eq!(pairs(&read("<i a=\"b\"c=d")), [("i", "<i a=\"b\"c=d"), ("a", "b"), ("c", "d")]);
        assert_eq!(pairs(&read("<I\x0cA='b")), [("i", "<I\x0cA='b"), ("a", "b")]);
        assert_eq!(pairs(&read("<s\0vg o\0n=1>")).first().map(|pair| pair.0), Some("svg"));
        assert!(tag(b"< b>", 0).is_none() && tag(b"<3", 0).is_none() && tag(b"<", 0).is_none());
    }
}
