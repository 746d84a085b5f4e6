//! The body by its content type, and as what it is where the type is wrong.

use super::multipart::{self, FILE_START};
use super::{Cuts, Examination, Part, Trail, graphql, json, name, pairs, place, xml};
use crate::inspect::decode;
use crate::inspect::reading::Layers;
use crate::inspect::request::Body;
use crate::selector::{self, Format, essence};

/// The byte order mark that some programs put before UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// Shortest run of printable characters in a body that is not text.
const SHORTEST_RUN: usize = 8;

/// The texts of a body; `path` is that of its request.
pub fn body(to: &mut Examination<'_>, body: &Body<'_>, path: &str, trail: Trail) {
    match decode::utf16(body.bytes) {
        Some(text) => plain(to, &Body { bytes: &text, ..*body }, path, trail.with(Layers::UTF16)),
        None => plain(to, body, path, trail),
    }
}

fn plain(to: &mut Examination<'_>, body: &Body<'_>, path: &str, trail: Trail) {
    let bytes = body.bytes.strip_prefix(BOM).unwrap_or(body.bytes);
    if bytes.is_empty() {
        return;
    }
    let start = bytes.trim_ascii_start();
    let format = Format::of(&selector::Body { content_type: body.content_type, bytes, cut: body.cut });
    match format {
        Format::Json => json(to, bytes, body.cut, path, trail),
        Format::Form if !matches!(start.first(), Some(b'{' | b'[' | b'<')) => {
            pairs::pairs(to, bytes, &pairs::FORM, trail);
        }
        // What clients send without a type of their own is called a form.
        Format::Form => {
            let json = selector::looks_like_json(bytes);
            let told =
                json && core::str::from_utf8(bytes).is_ok_and(|text| json::body(to, text, false, trail) == text.len());
            if !told {
                raw(to, bytes, trail);
                pairs::pairs(to, bytes, &pairs::FORM, trail);
            }
        }
        Format::Multipart => {
            if !multipart::body(to, body.content_type, bytes, trail) {
                to.cuts.set(Cuts::UNREAD);
                raw(to, bytes, trail);
            }
        }
        Format::Xml if start.starts_with(b"<") => xml::document(to, bytes, "", trail),
        Format::GraphQl => match core::str::from_utf8(bytes) {
            Ok(text) if graphql::is_document(text) => graphql::arguments(to, text, "", trail),
            _ => raw(to, bytes, trail),
        },
        Format::Text if !is_textual(body.content_type, bytes) => binary(to, body.content_type, bytes, trail),
        Format::Xml | Format::Text => raw(to, bytes, trail),
    }
}

fn json(to: &mut Examination<'_>, bytes: &[u8], cut: bool, path: &str, trail: Trail) {
    let text = name(bytes);
    let path = path.as_bytes();
    let graphql = path.windows(7).any(|next| next.eq_ignore_ascii_case(b"graphql")) || path.ends_with(b"/gql");
    let read = json::body(to, &text, graphql, trail);
    let rest = text.get(read..).unwrap_or_default();
    if !rest.is_empty() {
        if !cut {
            to.cuts.set(Cuts::UNREAD);
        }
        raw(to, rest.as_bytes(), trail);
    }
}

fn raw(to: &mut Examination<'_>, bytes: &[u8], trail: Trail) {
    to.text(place(Part::Raw, ""), bytes, trail);
}

/// How a body begins that is not text, and what in it could be text: messages of other encodings hold their strings as they are.
fn binary(to: &mut Examination<'_>, content_type: &str, bytes: &[u8], trail: Trail) {
    let media = ["image/", "video/", "audio/", "font/"]
        .iter()
        .any(|kind| content_type.trim_start().get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind)));
    let packed = ["application/pdf", "application/zip", "application/gzip"];
    if media || packed.iter().any(|kind| essence(content_type).eq_ignore_ascii_case(kind)) {
        multipart::file(to, "", bytes, trail);
        return;
    }
    to.binary(place(Part::Raw, ""), bytes.get(..FILE_START).unwrap_or(bytes), trail.as_is());
    // What is no UTF-8 is no text either: bytes of numbers and pictures.
    for run in bytes.utf8_chunks().flat_map(|chunk| chunk.valid().split(|c: char| c.is_control() && !c.is_whitespace()))
    {
        if run.len() >= SHORTEST_RUN && run.len() < bytes.len() {
            raw(to, run.as_bytes(), trail);
        }
    }
}

/// Whether a body is text: by its type, or as it looks.
fn is_textual(content_type: &str, bytes: &[u8]) -> bool {
    let start = bytes.get(..512).unwrap_or(bytes);
    let text = content_type.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    text || !start.contains(&0) && decode::is_text(start)
}
