//! A request as it is inspected, and the classes that judge it as a whole.

use super::attack::Attack;
use super::reading::{Place, Sign};

/// What is inspected of a request; borrowed, and as sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    pub method: &'a str,
    /// With the port, where it was sent.
    pub host: &'a str,
    /// Starts with `/`; not decoded.
    pub path: &'a str,
    /// Without the leading `?`; not decoded.
    pub query: &'a str,
    /// Lower-case names and values, in the order sent; those that are inspected, `cookie`, `authorization` and
    /// `content-type` among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The start of the body. To request classes it is handed with its compression undone.
    pub body: Option<Body<'a>>,
}

/// The start of a body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Body<'a> {
    /// Value of the Content-Type header; empty where there is none.
    pub content_type: &'a str,
    /// Value of the Content-Encoding header; empty where there is none.
    pub content_encoding: &'a str,
    pub bytes: &'a [u8],
    /// Whether the body went on past `bytes`.
    pub cut: bool,
}

impl<'a> Request<'a> {
    /// The first header of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Takes a sign in: where, the text that [`Sign::at`] points into, and what was seen.
pub type Tell<'t> = dyn FnMut(Place<'_>, &[u8], Sign) + 't;

/// A class that judges a request as a whole: its agent, its headers together, its token, the shape of its body.
pub struct RequestClass {
    pub attack: Attack,
    /// Tells every sign: at most a few, in time linear in the request, and next to none for an ordinary one.
    pub judge: fn(&Request<'_>, &mut Tell<'_>),
    /// Judges one header by its name (lower case) and value alone: what is found innocent is remembered, and not shown again.
    pub header: Option<fn(&str, &str, &mut Tell<'_>)>,
}
