//! Bodies by their content type.

use std::borrow::Cow;

use super::collect::Collector;
use super::found::ReadMarks;
use super::message::Body;
use super::parameters::essence;
use super::{form, json, multipart, xml};

/// The byte order mark that some programs put before UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How a body is structured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Form,
    Multipart,
    Xml,
    GraphQl,
    /// Anything else: it has no members.
    Text,
}

impl Format {
    /// What the content type says. Without one, what starts like JSON is taken for it.
    pub fn of(body: &Body<'_>) -> Self {
        let essence = essence(body.content_type).to_ascii_lowercase();
        let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
        match essence.as_str() {
            "" if looks_like_json(body.bytes) => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            "application/graphql" => Self::GraphQl,
            _ if subtype == "json" || subtype.ends_with("+json") => Self::Json,
            _ if subtype == "xml" || subtype.ends_with("+xml") => Self::Xml,
            _ => Self::Text,
        }
    }
}

/// Whether the body starts as an object or array does.
pub(crate) fn looks_like_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(BOM).unwrap_or(bytes);
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// The text of a body, read as UTF-8 whatever else it may be, and what had to be marked about that.
pub(super) fn text<'a>(body: &Body<'a>) -> (Cow<'a, str>, ReadMarks) {
    let bytes = body.bytes.strip_prefix(BOM).unwrap_or(body.bytes);
    match core::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), ReadMarks::default()),
        // The cut went through a character.
        Err(error) if body.cut && error.error_len().is_none() => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (String::from_utf8_lossy(whole), ReadMarks::default())
        }
        Err(_) => (String::from_utf8_lossy(bytes), ReadMarks::MALFORMED),
    }
}

/// Reads the members of a body into `to`, one pass for all that is wanted.
pub(super) fn read(body: &Body<'_>, format: Format, to: &mut Collector<'_>) {
    if body.is_nothing() {
        return;
    }
    match format {
        Format::Form => form::read(body.bytes, body.cut, to),
        Format::Multipart => multipart::read(body.content_type, body.bytes, body.cut, to),
        Format::Json | Format::Xml => {
            let (text, marks) = text(body);
            to.mark(marks);
            if format == Format::Json { json::read(&text, body.cut, to) } else { xml::read(&text, body.cut, to) }
        }
        Format::GraphQl | Format::Text => {}
    }
}

impl Body<'_> {
    /// Whether nothing was sent at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.bytes.is_empty() && !self.cut
    }
}
