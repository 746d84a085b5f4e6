//! The text that a JSON string stands for.

use core::str::Chars;
use std::borrow::Cow;

/// A string as it stands between its quotes, known to be valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t> {
    pub inner: &'t str,
    /// Whether there is a backslash in it.
    pub escaped: bool,
}

impl<'t> Text<'t> {
    pub const EMPTY: Self = Self { inner: "", escaped: false };

    /// The text, and whether all of it is text: half a surrogate pair becomes U+FFFD.
    #[inline]
    pub fn decode(self) -> (Cow<'t, str>, bool) {
        if !self.escaped {
            return (Cow::Borrowed(self.inner), true);
        }
        self.unescape()
    }

    fn unescape(self) -> (Cow<'t, str>, bool) {
        let (mut out, mut whole) = (String::with_capacity(self.inner.len()), true);
        let mut chars = self.inner.chars();
        while let Some(c) = chars.next() {
            out.push(if c != '\\' {
                c
            } else {
                match chars.next() {
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some('u') => unicode(&mut chars).unwrap_or_else(|| {
                        whole = false;
                        char::REPLACEMENT_CHARACTER
                    }),
                    Some(other) => other,
                    None => break,
                }
            });
        }
        (Cow::Owned(out), whole)
    }
}

/// The character of `\uXXXX`, or of a pair of them, after the first `\u`.
fn unicode(chars: &mut Chars<'_>) -> Option<char> {
    let hex = |chars: &mut Chars<'_>| {
        let digits = chars.as_str().get(..4)?;
        *chars = chars.as_str().get(4..)?.chars();
        u32::from_str_radix(digits, 16).ok()
    };
    let first = hex(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    let mut ahead = chars.clone();
    let second = if ahead.next() == Some('\\') && ahead.next() == Some('u') { hex(&mut ahead)? } else { return None };
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    *chars = ahead;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}
