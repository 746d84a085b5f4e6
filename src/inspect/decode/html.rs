//! Character references of HTML, as browsers read them: with or without the semicolon.

use super::digits;

/// Bytes of the longest reference that is looked at: zeros before a number are a way around filters.
const MAX_REFERENCE: usize = 24;

/// Names of characters that attacks are made of. Those from `amp` to `quot` need no semicolon.
const NAMES: [(&str, u8); 27] = [
    ("amp", b'&'),
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("colon", b':'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("sol", b'/'),
    ("bsol", b'\\'),
    ("semi", b';'),
    ("equals", b'='),
    ("period", b'.'),
    ("comma", b','),
    ("num", b'#'),
    ("dollar", b'$'),
    ("grave", b'`'),
    ("lbrace", b'{'),
    ("lcub", b'{'),
    ("rbrace", b'}'),
    ("rcub", b'}'),
    ("lsqb", b'['),
    ("rsqb", b']'),
    ("excl", b'!'),
    ("plus", b'+'),
    ("tab", b'\t'),
    ("newline", b'\n'),
];
/// How many of them need no semicolon.
const LEGACY: usize = 4;

/// The text with its references resolved; `None` where there are none.
pub fn html(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'&') {
        let (before, reference) = rest.split_at_checked(at)?;
        match resolve(reference.get(1..)?) {
            Some((c, length)) => {
                out.reserve(text.len() - out.len());
                out.extend_from_slice(before);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = reference.get(1 + length..)?;
            }
            None => {
                out.extend_from_slice(rest.get(..=at)?);
                rest = reference.get(1..)?;
            }
        }
    }
    if rest.len() == text.len() || out.len() + rest.len() == text.len() {
        return None;
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// The character of a reference, after its `&`, and how many bytes it took.
fn resolve(text: &[u8]) -> Option<(char, usize)> {
    let text = text.get(..MAX_REFERENCE.min(text.len()))?;
    let semicolon = |end: usize| end + usize::from(text.get(end) == Some(&b';'));
    if let Some(number) = text.strip_prefix(b"#") {
        let (radix, start) = if matches!(number, [b'x' | b'X', ..]) { (16, 2) } else { (10, 1) };
        let number = text.get(start..)?;
        let length = number.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
        let c = char::from_u32(digits(number.get(..length)?, radix)?)?;
        return Some((c, semicolon(start + length)));
    }
    let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let named = text.get(..length)?;
    if text.get(length) == Some(&b';') {
        let (_, c) = NAMES.iter().find(|(name, _)| named.eq_ignore_ascii_case(name.as_bytes()))?;
        return Some((char::from(*c), length + 1));
    }
    let starts = |name: &str| named.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
    let (name, c) = NAMES.iter().take(LEGACY).find(|(name, _)| starts(name))?;
    Some((char::from(*c), name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_browsers_do() {
        for (text, expected) in [
            ("&lt;script&gt;", "<script>"),
            ("&#60;&#x3c;&#X3C;&#0000060", "<<<<"),
            ("&ltx&LT;", "<x<"),
            ("java&Tab;script&colon;", "java\tscript:"),
            ("a&amp;lt;b", "a&lt;b"),
            ("x & y &quot;z", "x & y \"z"),
            ("&&#39;", "&'"),
            ("&#8364;", "€"),
            ("&#60;&#9999999999;", "<&#9999999999;"),
        ] {
            assert_eq!(html(text.as_bytes()).as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for text in ["", "&", "a & b", "&#", "&#x;", "&nosuch;", "AT&T", "x=1&y=2", "&colon", "&#xd800;", "&#\u{e9};"] {
            assert_eq!(html(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_reference_is_read_up_to_its_limit() {
        let padded = |zeros: usize| format!("&#{}60;", "0".repeat(zeros));
        assert_eq!(html(padded(MAX_REFERENCE - 4).as_bytes()).as_deref(), Some(&b"<"[..]));
        assert_ne!(html(padded(MAX_REFERENCE).as_bytes()).as_deref(), Some(&b"<"[..]));
    }
}
