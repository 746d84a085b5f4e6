//! multipart/form-data: fields, file names, and how files begin.

use super::{Cuts, Examination, Part, Trail, place, xml};
use crate::inspect::decode;
use crate::selector::{Delimiter, Delimiters, MAX_BOUNDARY, MAX_HEADERS, MAX_PARTS, parameters};

/// Bytes of a file that are looked at.
pub const FILE_START: usize = 8_192;

/// The texts of a body; `false` where the content type does not say how it is split.
pub fn body(to: &mut Examination<'_>, content_type: &str, bytes: &[u8], trail: Trail) -> bool {
    let boundary = parameters(content_type).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let Some((_, boundary)) = boundary.filter(|(_, value)| matches!(value.len(), 1..=MAX_BOUNDARY)) else {
        return false;
    };
    let mut lines = Delimiters::new(bytes, boundary.as_bytes());
    let mut open = lines.next();
    let Some(first) = open else { return false };
    if first.start > 0 {
        to.text(place(Part::Raw, ""), bytes.get(..first.start).unwrap_or_default(), trail);
    }
    for count in 0.. {
        let Some(Delimiter { end: start, last: false, .. }) = open else { break };
        open = lines.next();
        // A part that does not end is read as far as it goes, and so is what comes after too many.
        if count == MAX_PARTS {
            to.cuts.set(Cuts::MEMBERS);
            to.text(place(Part::Raw, ""), bytes.get(start..).unwrap_or_default(), trail);
            break;
        }
        let end = open.map_or(bytes.len(), |next| next.start);
        field(to, bytes.get(start..end).unwrap_or_default(), trail);
    }
    true
}

fn field(to: &mut Examination<'_>, part: &[u8], trail: Trail) {
    let head = part.get(..part.len().min(MAX_HEADERS + 4)).unwrap_or_default();
    let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else {
        to.cuts.set(Cuts::UNREAD);
        to.text(place(Part::Raw, ""), part, trail);
        return;
    };
    let headers = String::from_utf8_lossy(part.get(..end).unwrap_or_default());
    let value = part.get(end + 4..).unwrap_or_default();
    let dispositions = headers.split("\r\n").filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let torn = headers.split("\r\n").find_map(torn_name);
    let (mut field, mut is_file) = (None, false);
    for (key, value) in dispositions.flat_map(parameters) {
        if key.eq_ignore_ascii_case("name") {
            to.text(place(Part::FormName, &value), value.as_bytes(), trail);
            field = field.or(Some(value));
        } else if key.eq_ignore_ascii_case("filename") || key.eq_ignore_ascii_case("filename*") {
            is_file = true;
            to.text(place(Part::FileName, field.as_deref().unwrap_or_default()), value.as_bytes(), trail);
        }
    }
    let field = field.unwrap_or_default();
    if let Some(name) = torn {
        to.text(place(Part::FileName, &field), name.as_bytes(), trail);
    }
    if is_file { file(to, &field, value, trail) } else { to.text(place(Part::Form, &field), value, trail) }
}

/// A file name with quotes of its own, which programs read up to one of them: all of it.
fn torn_name(line: &str) -> Option<&str> {
    const START: &str = "filename=\"";
    let start = line.find(START)? + START.len();
    let name = line.get(start..line.rfind('"')?)?;
    (name.contains('"') && !name.contains("\"; ")).then_some(name)
}

/// How a file begins; where it is XML, also as a document.
pub fn file(to: &mut Examination<'_>, under: &str, bytes: &[u8], trail: Trail) {
    let start = bytes.get(..FILE_START).unwrap_or(bytes);
    if start.len() < bytes.len() {
        to.cuts.set(Cuts::FILE);
    }
    let trail = if decode::is_text(start) { trail } else { trail.as_is() };
    if xml::is_document(start.trim_ascii_start()) {
        to.text(place(Part::XmlDocument, under), start, trail.as_is());
    }
    to.text(place(Part::File, under), start, trail);
}
