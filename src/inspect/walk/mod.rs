//! A request taken apart into texts, each with its place; one file a format.

mod body;
mod graphql;
mod header;
mod json;
mod multipart;
mod pairs;
mod path;
mod xml;

pub use graphql::is_document as is_graphql;

use std::borrow::Cow;

use super::examine::{Examination, Trail, place};
use super::inspector::Cuts;
use super::reading::{Part, Place, Scan};
use super::request::Request;
use super::scan::DOCUMENT;

/// The name that HTTP/2 gives the path among the headers (RFC 9113, section 8.3.1); no header that is sent has it.
pub const PATH: &str = ":path";
/// Documents inside texts inside documents.
const MAX_NESTED: u8 = 3;

/// Every text of a request. `body` is how the bytes of its body were come by.
pub fn request(to: &mut Examination<'_>, request: &Request<'_>, body: Trail) {
    to.header(PATH, request.path, |to| path::path(to, request.path));
    pairs::pairs(to, request.query.as_bytes(), &pairs::QUERY, Trail::default());
    header::headers(to, request.headers);
    if let Some(found) = &request.body {
        body::body(to, found, request.path, body);
    }
}

/// Looks for a document in a text, and takes its texts in. Answers whether that was all of the text, so that nobody has to look at
/// it as a whole.
pub fn nested(to: &mut Examination<'_>, at: Place<'_>, text: &[u8], scan: Scan, trail: Trail) -> bool {
    // The document of an XML body comes here as a text of its own, and files hold anything.
    if matches!(at.part, Part::XmlDocument | Part::File) {
        return false;
    }
    if scan.ascii & DOCUMENT == 0 {
        return false;
    }
    let start = text.trim_ascii();
    let json = matches!(start, [b'{', .., b'}'] | [b'[', .., b']']) && scan.any(b"\"");
    let xml = !json && xml::is_document(start);
    let form = !json && !xml && pairs::is_nested(text, scan);
    if !(json || xml || form) {
        return false;
    }
    if trail.nested >= MAX_NESTED {
        to.cuts.set(Cuts::NESTING);
        return false;
    }
    let trail = trail.inside();
    if json {
        return core::str::from_utf8(start).is_ok_and(|text| json::nested(to, text, at, trail));
    }
    if xml {
        xml::document(to, start, at.name, trail);
        return true;
    }
    pairs::nested(to, text, at, trail);
    false
}

/// Bytes as text, for a name: what is no UTF-8 becomes U+FFFD.
fn name(bytes: &[u8]) -> Cow<'_, str> {
    // Checking is a few times faster than looking for what to replace.
    core::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
