//! The Cookie header as it is really sent (RFC 6265bis, section 5.7, read liberally).

/// Pairs looked at in one header; browsers send at most a few hundred.
pub(crate) const MAX_COOKIES: usize = 256;

/// Names and values in the order sent: split at `;`, trimmed, quotes around a value removed, empty values left out.
///
/// Fields sent apart arrive joined with `, `. What follows such a comma is a cookie of its own where it starts with a
/// cookie's name and `=`; any other comma belongs to the value.
pub fn cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    pairs(header).filter(|(_, value)| !value.is_empty())
}

/// The first value of the cookie of that name; servers differ on duplicates, most take the first.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    cookies(header).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// The same as [`cookie`], and whether the name stands more than once.
pub(super) fn cookie_and_repeated<'a>(header: &'a str, name: &str) -> (Option<&'a str>, bool) {
    let mut values = pairs(header).filter(|(n, _)| *n == name).map(|(_, value)| value);
    let first = values.next();
    let value = first.filter(|value| !value.is_empty());
    values.fold((value, false), |(value, _), next| (value.or(Some(next).filter(|next| !next.is_empty())), true))
}

/// The cookies of [`cookies`] with those that are empty.
fn pairs(header: &str) -> impl Iterator<Item = (&str, &str)> {
    fields(header).take(MAX_COOKIES).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim_ascii();
        (!name.is_empty()).then(|| (name, unquoted(value)))
    })
}

/// The value of a cookie without the space and the quotes around it.
pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim_ascii();
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}

/// What stands between semicolons, and between header fields that were joined.
fn fields(header: &str) -> impl Iterator<Item = &str> {
    let joined = header.as_bytes().contains(&b',');
    let (mut between, mut rest) = (header.split(';'), None);
    core::iter::from_fn(move || {
        let text = rest.take().or_else(|| between.next())?;
        let joint = if joined { joint(text) } else { None };
        let Some((field, after)) = joint else { return Some(text) };
        rest = Some(after);
        Some(field)
    })
}

/// What stands before and after the first comma that joins two fields.
fn joint(text: &str) -> Option<(&str, &str)> {
    let parts = |(at, comma): (usize, &str)| Some((text.get(..at)?, text.get(at + comma.len()..)?));
    text.match_indices(", ").filter_map(parts).find(|(_, after)| starts_with_cookie(after))
}

/// Whether `text` starts with a name and `=`.
fn starts_with_cookie(text: &str) -> bool {
    let name = text.bytes().take_while(|b| is_token(*b)).count();
    name > 0 && text.as_bytes().get(name) == Some(&b'=')
}

/// A character of a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_as_browsers_and_scripts_write_them() {
        let header =
            "a=1; sid=\"quoted\";nospace=x;  b = 2 ; empty=; =noname; flag; sid=second; eq=a=b==; \u{e9}t\u{e9}=\u{fc}";
        let get = |name| cookie(header, name);
        assert_eq!(get("a"), Some("1"));
        assert_eq!(get("sid"), Some("quoted"));
        assert_eq!(get("nospace"), Some("x"));
        assert_eq!(get("b"), Some("2"));
        assert_eq!(get("eq"), Some("a=b=="));
        assert_eq!(get("\u{e9}t\u{e9}"), Some("\u{fc}"));
        for absent in ["empty", "", "flag", "SID"] {
            assert_eq!(get(absent), None, "{absent}");
        }
    }

    #[test]
    fn fields_sent_apart_and_joined_with_a_comma_are_cookies_of_their_own() {
        for (header, expected) in [
            ("a=1, b=2", vec![("a", "1"), ("b", "2")]),
            ("a=1; b=2, c=3; d=4", vec![("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]),
            ("a=1, b=2, c=3", vec![("a", "1"), ("b", "2"), ("c", "3")]),
            ("flag, sid=x", vec![("sid", "x")]),
            ("a=1, __Host-b.c=2", vec![("a", "1"), ("__Host-b.c", "2")]),
            ("a=1,b=2", vec![("a", "1,b=2")]),
            ("a=1,2", vec![("a", "1,2")]),
            ("d=Tue, 01 Jan", vec![("d", "Tue, 01 Jan")]),
            ("d=Tue, 01 Jan=x", vec![("d", "Tue, 01 Jan=x")]),
            ("a=1, =2", vec![("a", "1, =2")]),
            ("a=1, ", vec![("a", "1,")]),
            ("a={\"x\":1, \"y\":2}", vec![("a", "{\"x\":1, \"y\":2}")]),
        ] {
            assert_eq!(cookies(header).collect::<Vec<_>>(), expected, "{header}");
        }
    }

    #[test]
    fn a_repeated_name_is_told_and_the_first_value_that_is_not_empty_wins() {
        for (header, expected) in [
            ("a=1", (Some("1"), false)),
            ("a=1; b=2; a=3", (Some("1"), true)),
            ("a=; a=3", (Some("3"), true)),
            ("a=; a=3; a=4; a=", (Some("3"), true)),
            ("a=1, a=1", (Some("1"), true)),
            ("a=", (None, false)),
            ("b=1", (None, false)),
        ] {
            assert_eq!(cookie_and_repeated(header, "a"), expected, "{header}");
        }
    }

    #[test]
    fn a_cookie_past_the_limit_is_not_seen() {
        for separator in [";", ", "] {
            let many = |n: usize| format!("{}sid=x", format!("a=b{separator}").repeat(n));
            assert_eq!(cookie(&many(MAX_COOKIES - 1), "sid"), Some("x"));
            assert_eq!(cookie(&many(MAX_COOKIES), "sid"), None);
        }
    }
}
