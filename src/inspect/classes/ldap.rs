//! LDAP injection: text that closes the parenthesis of a search filter and opens another one (RFC 4515).

use super::names::unspaced;
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// LDAP injection.
pub static LDAP_INJECTION: Class = Class { attack: Attack::LdapInjection, words: &[], chars: b")", may_be, judge };

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    let filter = scan.all(b"()") && scan.any(b"=|&!");
    let ended = scan.all(b")*\0");
    (filter || ended) && !matches!(place.part, Part::XmlDocument | Part::File)
}

/// Attributes of people and directories.
const ATTRIBUTES: &[&str] = &[
    "uid",
    "cn",
    "sn",
    "mail",
    "objectclass",
    "userpassword",
    "password",
    "samaccountname",
    "ou",
    "dc",
    "givenname",
    "member",
    "memberof",
    "user",
    "username",
    "name",
    "userprincipalname",
    "telephonenumber",
    "department",
    "admin",
    "accountstatus",
    "homedirectory",
    "security",
    "role",
    "group",
];
/// Longer texts are documents, formulas and code.
const VALUE_BYTES: usize = 300;

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    // Parentheses open so far; below zero, something outside of the text is closed.
    let mut depth = 0_i32;
    let mut best: Option<(u8, usize)> = None;
    let mut before = b' ';
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let confidence = if depth < 0 && before == b')' { behind_closed(rest) } else { inside(rest, before) };
                if confidence > best.map_or(0, |(confidence, _)| confidence) {
                    best = Some((confidence, at.saturating_sub(1)));
                }
                depth += 1;
            }
            b')' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let cuts = rest.iter().find(|byte| **byte != b')') == Some(&0);
                if cuts && text.contains(&b'*') && best.is_none() {
                    best = Some((82, at));
                }
                depth -= 1;
            }
            _ => {}
        }
        before = *byte;
    }
    let (confidence, at) = best?;
    let is_told = text.len() > VALUE_BYTES || reading.is_in_address();
    let confidence = if is_told { confidence.min(60) } else { confidence };
    let severity = if confidence >= 80 { Severity::High } else { Severity::Low };
    let end = text.len().min(at + 32);
    Some(Sign { confidence, severity, at: at..end, what: "closes a search filter and opens another" })
}

/// What follows `)(`, where nothing was open.
fn behind_closed(rest: &[u8]) -> u8 {
    let inner = unspaced(rest);
    match inner.first() {
        Some(b'|' | b'&' | b'!') => {
            let next = unspaced(inner.get(1..).unwrap_or_default()).first();
            if matches!(next, None | Some(b'(' | b')')) || attribute(inner.get(1..).unwrap_or_default()).is_some() {
                88
            } else {
                50
            }
        }
        Some(b'(') => {
            if matches!(inner.get(1), Some(b'|' | b'&' | b'!')) {
                85
            } else {
                50
            }
        }
        _ => match attribute(inner) {
            Some((true, _)) => 90,
            Some((false, true)) => 85,
            Some((false, false)) => 60,
            None => 0,
        },
    }
}

/// A filter that stands open in the text: `*(|(mail=*))`, `(&(uid=*)(…`.
fn inside(rest: &[u8], before: u8) -> u8 {
    let Some((b'|' | b'&', inner)) = rest.split_first().map(|(first, inner)| (*first, inner)) else { return 0 };
    let Some(filter) = inner.strip_prefix(b"(") else { return 0 };
    match attribute(filter) {
        Some((known, any)) if before == b'*' && (known || any) => 85,
        // All of a filter, as directories ask for.
        Some(_) => 55,
        None => 0,
    }
}

/// An attribute with its comparison: whether it is known, and whether any value will do.
fn attribute(text: &[u8]) -> Option<(bool, bool)> {
    const LONGEST: usize = 40;
    let length = text
        .iter()
        .take(LONGEST)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b';'))
        .count();
    let (name, rest) = text.split_at_checked(length)?;
    let value = [&b">="[..], b"<=", b"~=", b"="].into_iter().find_map(|sign| rest.strip_prefix(sign))?;
    if length == 0 {
        return None;
    }
    let known = ATTRIBUTES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    Some((known, value.first() == Some(&b'*')))
}
