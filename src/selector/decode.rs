//! Decoders of text: percent signs, base64, the scheme before a token.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

/// Padding or none, and whatever is in the bits that no byte needs: readers of tokens and cookies do not look.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Text with its `%XX` decoded, and whether all of that made sense. What does not stays as it is, and bytes that are no
/// UTF-8 become U+FFFD.
pub(super) fn percent(text: &str) -> (Cow<'_, str>, bool) {
    let escapes = text.split('%').skip(1);
    let sound = escapes.into_iter().all(|rest| {
        let mut digits = rest.bytes().take(2);
        digits.len() == 2 && digits.all(|b| b.is_ascii_hexdigit())
    });
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => (text, sound),
        Err(_) => (percent_decode_str(text).decode_utf8_lossy(), false),
    }
}

/// The text in base64 of either alphabet; `None` where it is none, or no UTF-8.
pub(super) fn base64(text: &str) -> Option<String> {
    let standard = text.bytes().map(|b| match b {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    });
    let bytes = LENIENT.decode(standard.collect::<Vec<u8>>()).ok()?;
    String::from_utf8(bytes).ok()
}

/// The token of `Bearer TOKEN` (RFC 6750), the scheme in any case.
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_decoded_and_plus_signs_are_not() {
        for (text, expected, sound) in [
            ("a+b", "a+b", true),
            ("a%20b%2Fc", "a b/c", true),
            ("%C3%BC", "ü", true),
            ("ü%2f", "ü/", true),
            ("%2", "%2", false),
            ("%", "%", false),
            ("%zz%41", "%zzA", false),
            ("%FF", "\u{fffd}", false),
        ] {
            assert_eq!(percent(text), (expected.into(), sound), "{text}");
        }
        assert!(matches!(percent("plain"), (Cow::Borrowed(_), true)));
    }

    #[test]
    fn both_alphabets_of_base64_are_read_with_padding_or_without() {
        for (text, expected) in [
            ("aGk=", Some("hi")),
            ("aGk", Some("hi")),
            ("8J+YgD8/", Some("😀??")),
            ("8J-YgD8_", Some("😀??")),
            ("", Some("")),
            ("aGl", Some("hi")),
            ("a", None),
            ("aG k", None),
            ("/w==", None),
            ("aGk=aGk=", None),
        ] {
            assert_eq!(base64(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_bearer_token_follows_its_scheme_in_any_case() {
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        for none in ["Bearer", "Bearer ", "Basic abc", "abc", ""] {
            assert_eq!(bearer_token(none), None, "{none}");
        }
    }
}
