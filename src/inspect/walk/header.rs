//! Headers, and the cookies in theirs.

use super::{Cuts, Examination, Part, Trail, place};
use crate::inspect::reading::Layers;
use crate::inspect::scan::{is_all, kind};
use crate::selector::{MAX_COOKIES, cookies};

/// The texts of the headers.
pub fn headers(to: &mut Examination<'_>, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        match *name {
            "authorization" | "proxy-authorization" => authorization(to, name, value),
            _ => to.header(name, value, |to| header(to, name, value)),
        }
    }
}

fn header(to: &mut Examination<'_>, name: &str, value: &str) {
    match name {
        "cookie" => cookie(to, value),
        "if-match" | "if-none-match" | "if-range" if are_tags(value) => {
            for text in value.split('"') {
                to.text(place(Part::Header, name), text.as_bytes(), Trail::default());
            }
        }
        // Nobody reads more than tokens in these, and tokens are all that stands there.
        "connection" | "content-length" | "accept-encoding" | "content-type" | "upgrade" | "te"
            if is_all(value.as_bytes(), kind::LIST) => {}
        name => {
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                to.text(place(Part::HeaderName, name), name.as_bytes(), Trail::default());
            }
            to.text(place(Part::Header, name), value.as_bytes(), Trail::default());
        }
    }
}

/// Whether a value is a list of entity tags (RFC 9110, section 8.8.3), whose quotes are none of its text.
fn are_tags(value: &str) -> bool {
    value.split(',').all(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let text = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        text.is_some_and(|text| !text.contains('"'))
    })
}

/// A token is for `jwt_abuse` to judge; what is no token is a text, and so are user and password of `Basic`.
fn authorization(to: &mut Examination<'_>, name: &str, value: &str) {
    let token = value.split_once(' ').map_or(value, |(_, token)| token);
    if !is_all(token.as_bytes(), kind::TOKEN) {
        to.judge_header(name, value);
        to.text(place(Part::Header, name), value.as_bytes(), Trail::default());
    } else if !value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
        to.judge_header(name, value);
        to.text(place(Part::Header, name), token.as_bytes(), Trail::default());
    } else {
        // Credentials are remembered nowhere, but the head of a whole token is none: it says how all of them are signed.
        match value.split_once('.') {
            Some((head, rest))
                if rest.split_once('.').is_some_and(|(_, rest)| !rest.is_empty() && !rest.contains('.')) =>
            {
                to.unless_met(name, head, |to| to.judge_header(name, value));
            }
            _ => to.judge_header(name, value),
        }
    }
}

fn cookie(to: &mut Examination<'_>, header: &str) {
    let mut count = 0;
    for (name, value) in cookies(header) {
        count += 1;
        to.text(place(Part::CookieName, name), name.as_bytes(), Trail::default());
        to.text(place(Part::Cookie, name), value.as_bytes(), Trail::default());
    }
    if let Some((name, rest)) = torn(header) {
        to.text(place(Part::Cookie, name), rest.as_bytes(), Trail::default().with(Layers::JOINED));
    }
    if count >= MAX_COOKIES {
        to.cuts.set(Cuts::MEMBERS);
        to.text(place(Part::Cookie, ""), header.as_bytes(), Trail::default());
    }
}

/// The first value that a raw `;` may have torn apart, with all that follows it: what comes next is no cookie.
fn torn(header: &str) -> Option<(&str, &str)> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.[]$|".contains(&byte))
    };
    let (mut known, mut start) = (None, 0);
    for field in header.split(';') {
        let cookie = field.split_once('=').map(|(name, value)| (name.trim(), value)).filter(|(name, _)| is_name(name));
        let Some((name, value)) = cookie else { return known.filter(|_| !field.trim().is_empty()) };
        known = header.get(start + field.len() - value.len()..).map(|rest| (name, rest));
        start += field.len() + 1;
    }
    None
}
