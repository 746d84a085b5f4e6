//! What is out of the ordinary about how a request says who is calling; the event is marked with it.

use super::keys::is_on;
use super::{Identified, KeyPlan};
use crate::selector::{NoTokens, ReadMarks, Request, Source, cookies};
use crate::session::Marks;

/// Cookies one browser sends to one host at most, by a wide margin.
const MANY_COOKIES: usize = 180;

impl KeyPlan {
    /// What is out of the ordinary about how the request says who is calling.
    pub fn oddities(&self, request: &Request<'_>, found: &Identified<'_>) -> Marks {
        let name = self.cookie_of(found);
        let mut marks = Marks::default();
        let cookie_header = request.headers.get("cookie").unwrap_or("");
        let authorization = request.headers.get("authorization").unwrap_or("");
        // The platform puts this character where bytes are not UTF-8.
        if cookie_header.contains('\u{fffd}') || authorization.contains('\u{fffd}') {
            marks.set(Marks::MALFORMED);
        }
        if authorization.contains(", ") && authorization.to_ascii_lowercase().contains(", bearer ") {
            marks.set(Marks::DUPLICATE);
        }
        for ready in self.keys.iter().filter(|k| k.key.from.needs_body() && is_on(&k.key, request.method, request.path))
        {
            marks.set(marks_of(ready.key.from.read_request(request, &mut NoTokens).marks));
        }
        if let Some(name) = name {
            let mut sent = 0;
            let mut values = cookies(cookie_header).inspect(|_| sent += 1).filter(|(n, _)| *n == name);
            let first = values.next().map(|(_, value)| value);
            if values.any(|(_, value)| Some(value) != first) {
                marks.set(Marks::DUPLICATE);
            }
            if sent > MANY_COOKIES {
                marks.set(Marks::MALFORMED);
            }
        }
        marks
    }

    /// The cookie that the key stands in.
    pub(super) fn cookie_of<'a>(&'a self, found: &'a Identified<'_>) -> Option<&'a str> {
        match self.keys.get(found.place).map(|ready| ready.key.from.source()) {
            Some(Source::Cookie(name)) => Some(name),
            Some(_) => None,
            None => found.source.strip_prefix("request.cookie."),
        }
    }
}

/// What was out of the ordinary about reading a selector, as the event is marked with it.
pub fn marks_of(read: ReadMarks) -> Marks {
    let all = [
        (ReadMarks::CUT, Marks::BODY_CUT),
        (ReadMarks::MALFORMED, Marks::MALFORMED),
        (ReadMarks::DUPLICATE, Marks::DUPLICATE),
    ];
    let mut marks = Marks::default();
    all.into_iter().filter(|(mark, _)| read.has(*mark)).for_each(|(_, mark)| marks.set(mark));
    marks
}
