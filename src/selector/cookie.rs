//! The Cookie header as it is really sent (RFC 6265bis, section 5.7, read liberally).

/// Pairs looked at in one header; browsers send at most a few hundred.
const MAX_COOKIES: usize = 256;

/// Names and values in the order sent: split at `;`, trimmed, quotes around a value removed, empty values left out.
pub fn cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').take(MAX_COOKIES).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim_matches([' ', '\t']);
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        let name = name.trim_matches([' ', '\t']);
        (!name.is_empty() && !value.is_empty()).then_some((name, value))
    })
}

/// The first value of the cookie of that name; servers differ on duplicates, most take the first.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    cookies(header).find(|(n, _)| *n == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_as_browsers_and_scripts_write_them() {
        let header = "a=1; sid=\"quoted\";nospace=x;  b = 2 ; empty=; =noname; flag; sid=second; eq=a=b==";
        let get = |name| cookie(header, name);
        assert_eq!(get("a"), Some("1"));
        assert_eq!(get("sid"), Some("quoted"));
        assert_eq!(get("nospace"), Some("x"));
        assert_eq!(get("b"), Some("2"));
        assert_eq!(get("eq"), Some("a=b=="));
        for absent in ["empty", "", "flag", "SID"] {
            assert_eq!(get(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_cookie_past_the_limit_is_not_seen() {
        let many = |n: usize| format!("{}sid=x", "a=b;".repeat(n));
        assert_eq!(cookie(&many(MAX_COOKIES - 1), "sid"), Some("x"));
        assert_eq!(cookie(&many(MAX_COOKIES), "sid"), None);
    }
}
