//! Percent signs: `%27`, and `%u0027` as old script engines and servers read it.

use std::borrow::Cow;

use super::digits;
use crate::inspect::reading::Layers;

/// One round of percent decoding, and whether a `%u` was among it; `None` where there is nothing to decode. What makes no
/// sense stays as it is.
pub fn percent(text: &[u8]) -> Option<(Vec<u8>, Layers)> {
    let mut at = text.windows(3).position(|next| escape(next).is_some() || is_unicode(next))?;
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(text.get(..at)?);
    let mut layers = Layers::default();
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(decoded) = escape(rest) {
            out.push(decoded);
            at += 3;
        } else if let Some(c) = unicode(rest) {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            layers.0 |= Layers::PERCENT_U.0;
            at += 6;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    (out.len() < text.len()).then_some((out, layers))
}

/// A name or value of a form or query: `+` stands for a space, and percent signs are decoded.
pub fn form(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent(&spaced).map_or(spaced, |(decoded, _)| decoded))
}

fn escape(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"%")?.get(..2)?;
    u8::try_from(self::digits(digits, 16)?).ok()
}

fn is_unicode(text: &[u8]) -> bool {
    matches!(text, [b'%', b'u' | b'U', digit, ..] if digit.is_ascii_hexdigit())
}

fn unicode(text: &[u8]) -> Option<char> {
    let [b'%', b'u' | b'U', rest @ ..] = text else { return None };
    char::from_u32(digits(rest.get(..4)?, 16)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_is_undone_and_what_makes_no_sense_stays() {
        for (text, expected, layers) in [
            ("%27", "'", Layers::default()),
            ("a%2Fb%2fc", "a/b/c", Layers::default()),
            ("%2527", "%27", Layers::default()),
            ("100% %41", "100% A", Layers::default()),
            ("%%41%4", "%A%4", Layers::default()),
            ("%u0027", "'", Layers::PERCENT_U),
            ("%U003cx", "<x", Layers::PERCENT_U),
            ("%u00e9%u20ac", "é€", Layers::PERCENT_U),
            ("%41%u00", "A%u00", Layers::default()),
            ("%41%ud800", "A%ud800", Layers::default()),
        ] {
            assert_eq!(percent(text.as_bytes()), Some((expected.into(), layers)), "{text}");
        }
        for text in ["", "%", "%4", "100%", "a%zzb", "%u", "%u12", "%u12g4", "plain"] {
            assert_eq!(percent(text.as_bytes()), None, "{text}");
        }
        assert_eq!(percent(b"%c0%af"), Some((b"\xc0\xaf".into(), Layers::default())));
    }

    #[test]
    fn a_plus_is_a_space_unless_it_was_encoded() {
        assert_eq!(form(b"a+b%2Bc").as_ref(), b"a b+c");
        assert_eq!(form(b"a+b").as_ref(), b"a b");
        assert!(matches!(form(b"plain"), Cow::Borrowed(_)));
    }
}
