//! Headers, and the cookies in theirs.

use super::{Cuts, Examination, Part, Trail, place};
use crate::selector::{MAX_COOKIES, cookies};

/// Headers that hold no text of a client's choice that any program reads as more than a token, or that are read elsewhere.
const SKIPPED: [&str; 6] = ["connection", "content-length", "accept-encoding", "content-type", "upgrade", "te"];

/// The texts of the headers.
pub fn headers(to: &mut Examination<'_>, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        match *name {
            "cookie" => cookie(to, value),
            "authorization" | "proxy-authorization" => authorization(to, name, value),
            name if SKIPPED.contains(&name) && is_token_list(value) => {}
            name => {
                if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                    to.text(place(Part::HeaderName, name), name.as_bytes(), Trail::default());
                }
                to.text(place(Part::Header, name), value.as_bytes(), Trail::default());
            }
        }
    }
}

/// A token is for `jwt_abuse` to judge; what is no token is a text, and so are user and password of `Basic`.
fn authorization(to: &mut Examination<'_>, name: &str, value: &str) {
    let token = value.split_once(' ').map_or(value, |(_, token)| token);
    if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
        to.text(place(Part::Header, name), value.as_bytes(), Trail::default());
    } else if !value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
        to.text(place(Part::Header, name), token.as_bytes(), Trail::default());
    }
}

fn cookie(to: &mut Examination<'_>, header: &str) {
    let mut count = 0;
    for (name, value) in cookies(header) {
        count += 1;
        to.text(place(Part::CookieName, name), name.as_bytes(), Trail::default());
        to.text(place(Part::Cookie, name), value.as_bytes(), Trail::default());
    }
    if count >= MAX_COOKIES {
        to.cuts.set(Cuts::MEMBERS);
        to.text(place(Part::Cookie, ""), header.as_bytes(), Trail::default());
    }
}

fn is_token_list(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/+.*,;= ".contains(&byte))
}
