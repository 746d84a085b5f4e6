//! One Set-Cookie field as browsers read it (RFC 6265bis, sections 5.1.1 and 5.6).

use super::cookie::unquoted;

/// Bytes of name and value together; browsers ignore a cookie with more.
const MAX_COOKIE: usize = 4_096;
/// Bytes of an attribute's value; browsers ignore an attribute with more.
const MAX_ATTRIBUTE: usize = 1_024;
/// Years before this one were over when this was written, so they are in the past without a look at a clock.
const PRESENT: u32 = 2025;

/// A cookie that a response sets or deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetCookie<'a> {
    pub name: &'a str,
    /// Without the quotes around it, as [`super::cookies`] will read it when it comes back.
    pub value: &'a str,
    /// The browser drops the cookie: there is no value, no age left, or it expired in a year long past.
    pub deleted: bool,
    /// Seconds, as sent; at most what fits.
    pub max_age: Option<i64>,
    /// The date as sent.
    pub expires: Option<&'a str>,
    pub domain: Option<&'a str>,
    pub path: Option<&'a str>,
    pub secure: bool,
    pub http_only: bool,
}

impl<'a> SetCookie<'a> {
    /// Parses one field; `None` where a browser would ignore it or the cookie has no name.
    pub fn parse(field: &'a str) -> Option<Self> {
        if field.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return None;
        }
        let mut parts = field.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, raw) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
        if name.is_empty() || name.len() + raw.len() > MAX_COOKIE {
            return None;
        }
        let mut cookie = Self {
            name,
            value: unquoted(raw),
            deleted: false,
            max_age: None,
            expires: None,
            domain: None,
            path: None,
            secure: false,
            http_only: false,
        };
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            // Of an attribute that is repeated the last holds; one that cannot be read changes nothing.
            match name.to_ascii_lowercase().as_str() {
                "max-age" => cookie.max_age = age(value).or(cookie.max_age),
                "expires" => cookie.expires = Some(value).filter(|v| year(v).is_some()).or(cookie.expires),
                "domain" => cookie.domain = Some(value).filter(|v| !v.is_empty()),
                "path" => cookie.path = Some(value).filter(|v| v.starts_with('/')),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                _ => {}
            }
        }
        let expired = || cookie.expires.and_then(year).is_some_and(|year| year < PRESENT);
        cookie.deleted = cookie.value.is_empty() || cookie.max_age.map_or_else(expired, |age| age <= 0);
        Some(cookie)
    }
}

/// Seconds of a Max-Age: digits with or without a minus sign.
fn age(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(beyond))
}

/// The year of a cookie date in any of the forms that are in use: the number after the day's, or the first where that
/// is too long for a day.
fn year(date: &str) -> Option<u32> {
    let words = date.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
    let mut numbers = words.filter(|w| matches!(w.len(), 1..=4) && w.bytes().all(|b| b.is_ascii_digit()));
    let first = numbers.next()?;
    let year = if first.len() > 2 { first } else { numbers.next()? };
    let number = year.parse().ok()?;
    Some(match (year.len(), number) {
        (..=2, 70..) => 1900 + number,
        (..=2, _) => 2000 + number,
        _ => number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(field: &str) -> SetCookie<'_> {
        SetCookie::parse(field).unwrap_or_else(|| panic!("ignored: {field}"))
    }

    #[test]
    fn name_value_and_attributes_are_read_in_any_case_and_spacing() {
        let cookie =
            parse("__Host-sid = \"a=b\" ;path=/; SECURE;HttpOnly ; Domain=shop.test; max-AGE=60; SameSite=Lax");
        assert_eq!((cookie.name, cookie.value, cookie.deleted), ("__Host-sid", "a=b", false));
        assert_eq!((cookie.path, cookie.domain, cookie.max_age), (Some("/"), Some("shop.test"), Some(60)));
        assert!(cookie.secure && cookie.http_only);
        let plain = parse("a=1");
        assert_eq!((plain.path, plain.domain, plain.max_age, plain.expires), (None, None, None, None));
        assert!(!plain.secure && !plain.http_only);
    }

    #[test]
    fn a_cookie_is_deleted_without_a_value_an_age_or_a_date_to_come() {
        for (field, deleted) in [
            ("a=", true),
            ("a=\"\"", true),
            ("a=1; Max-Age=0", true),
            ("a=1; Max-Age=-1", true),
            ("a=1; Max-Age=-99999999999999999999", true),
            ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("a=1; expires=Thursday, 01-Jan-70 00:00:01 GMT", true),
            ("a=1; expires=Thu Jan  1 00:00:00 1970", true),
            ("a=1; expires=Mon, 01 Jan 0001 00:00:00 GMT", true),
            ("a=1; expires=Tue, 12-Oct-1999 00:00:00 GMT", true),
            ("a=1; expires=Fri, 31 Dec 2021 23:59:59 GMT", true),
            ("a=1; expires=Fri, 31 Dec 2100 23:59:59 GMT", false),
            ("a=1; expires=Friday, 31-Dec-68 23:59:59 GMT", false),
            ("a=1; expires=never", false),
            ("a=1; expires=0", false),
            ("a=1; Max-Age=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", false),
            ("a=1; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("a=1; Max-Age=0; Max-Age=5", false),
            ("a=1; Max-Age=99999999999999999999", false),
            ("a=1", false),
        ] {
            assert_eq!(parse(field).deleted, deleted, "{field}");
        }
    }

    #[test]
    fn what_browsers_ignore_is_ignored() {
        for field in ["", "flag", "=v", " =v", "a\u{0}=1", "a=1\r\nSet-Cookie: b=2", "; a=1"] {
            assert_eq!(SetCookie::parse(field), None, "{field:?}");
        }
        let long = |n: usize| format!("a={}", "v".repeat(n - 1));
        assert!(SetCookie::parse(&long(MAX_COOKIE)).is_some());
        assert!(SetCookie::parse(&long(MAX_COOKIE + 1)).is_none());
        let path = |n: usize| format!("a=1; path=/{}", "p".repeat(n - 1));
        assert!(parse(&path(MAX_ATTRIBUTE)).path.is_some());
        assert!(parse(&path(MAX_ATTRIBUTE + 1)).path.is_none());
    }
}
