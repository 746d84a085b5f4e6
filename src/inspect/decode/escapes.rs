//! Escapes of string literals: `\x27`, `\u0027`, `\u{27}`, `\047`, and beside them the short ones.

use super::digits;

/// The text with its escapes resolved; `None` where there is none that stands for a character by its number, or, in text
/// that looks like JSON inside a string, none at all.
pub fn escapes(text: &[u8]) -> Option<Vec<u8>> {
    let quoted = matches!(text, [b'{' | b'[', b'\\', b'"', ..]);
    let mut out = Vec::new();
    let (mut at, mut numbered) = (0, false);
    while let Some(byte) = text.get(at) {
        let after = text.get(at + 1..).unwrap_or_default();
        if *byte != b'\\' {
            out.push(*byte);
            at += 1;
        } else if let Some((number, length)) = number(after) {
            if out.is_empty() {
                out.reserve(text.len());
            }
            match char::from_u32(number) {
                Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => out.extend_from_slice("\u{fffd}".as_bytes()),
            }
            numbered = true;
            at += 1 + length;
        } else if let Some(plain) = after.first().and_then(|byte| short(*byte)) {
            out.push(plain);
            at += 2;
        } else {
            out.push(b'\\');
            at += 1;
        }
    }
    (numbered || quoted).then_some(out)
}

/// The character of an escape by number, after its backslash, and the bytes it took.
fn number(text: &[u8]) -> Option<(u32, usize)> {
    match text {
        [b'x', rest @ ..] => Some((digits(rest.get(..2)?, 16)?, 3)),
        [b'u', b'{', rest @ ..] => {
            let length = rest.iter().take(7).position(|byte| *byte == b'}')?;
            Some((digits(rest.get(..length)?, 16)?, length + 3))
        }
        [b'u', rest @ ..] => Some((digits(rest.get(..4)?, 16)?, 5)),
        [b'0'..=b'3', ..] => Some((digits(text.get(..3)?, 8)?, 3)),
        _ => None,
    }
}

fn short(byte: u8) -> Option<u8> {
    Some(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'"' | b'\'' | b'\\' | b'/' => byte,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_by_number_are_resolved_and_with_them_the_short_escapes() {
        for (text, expected) in [
            (r"\x27 or 1", "' or 1"),
            (r"\u003cscript\u{3e}", "<script>"),
            (r"\u{00003c}", "<"),
            (r"\047\057", "'/"),
            (r"\x41\n\/\\\'", "A\n/\\'"),
            (r"\x41\q\x4", r"A\q\x4"),
            (r#"{\"a\":\"b\"}"#, r#"{"a":"b"}"#),
        ] {
            assert_eq!(escapes(text.as_bytes()).as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for text in ["", r"\", r"C:\new\table", r"a\nb", r"\x4g", r"\u12", r"\u{}", r"\400", r"\12", r#"say \"hi\""#] {
            assert_eq!(escapes(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn braces_hold_six_digits_at_most() {
        assert!(escapes(br"\u{00003c}").is_some());
        assert!(escapes(br"\u{000003c}").is_none());
    }
}
