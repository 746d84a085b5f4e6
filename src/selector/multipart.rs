//! The text fields of a multipart/form-data body (RFC 7578); files are passed over.

use super::collect::Collector;
use super::found::{Kind, ReadMarks};
use super::parameters::{essence, parameters};

/// Characters of the longest boundary (RFC 2046, section 5.1.1).
pub(crate) const MAX_BOUNDARY: usize = 70;
/// Parts looked at in one body.
pub(crate) const MAX_PARTS: usize = 64;
/// Bytes of one part's headers.
pub(crate) const MAX_HEADERS: usize = 8_192;

/// Reads the fields into `to`, split as the content type says.
pub(super) fn read(content_type: &str, bytes: &[u8], cut: bool, to: &mut Collector<'_>) {
    if cut {
        to.mark(ReadMarks::CUT);
    }
    let boundary = parameters(content_type).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let boundary = boundary.map(|(_, value)| value).filter(|value| matches!(value.len(), 1..=MAX_BOUNDARY));
    let Some(boundary) = boundary else {
        to.mark(ReadMarks::MALFORMED);
        return;
    };
    let mut lines = Delimiters::new(bytes, boundary.as_bytes());
    let form = to.open();
    let mut open = lines.next();
    for _ in 0..MAX_PARTS {
        let Some(Delimiter { end: start, last: false, .. }) = open else { break };
        // A part that does not end was cut, by us or on its way.
        open = lines.next();
        let Some(next) = &open else { break };
        field(bytes.get(start..next.start).unwrap_or_default(), form, to);
    }
    match open {
        Some(Delimiter { last: true, .. }) => {}
        Some(_) => to.mark(ReadMarks::CUT),
        None if cut => {}
        None => to.mark(ReadMarks::MALFORMED),
    }
}

fn field(part: &[u8], form: usize, to: &mut Collector<'_>) {
    let head = part.get(..part.len().min(MAX_HEADERS + 4)).unwrap_or_default();
    let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else {
        to.mark(ReadMarks::MALFORMED);
        return;
    };
    let headers = String::from_utf8_lossy(part.get(..end).unwrap_or_default());
    let disposition = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let disposition = disposition.filter(|value| essence(value).eq_ignore_ascii_case("form-data"));
    let mut name = None;
    for (key, value) in disposition.into_iter().flat_map(parameters) {
        if key.eq_ignore_ascii_case("filename") || key.eq_ignore_ascii_case("filename*") {
            return;
        }
        if key.eq_ignore_ascii_case("name") {
            name = name.or(Some(value));
        }
    }
    let Some(name) = name else {
        to.mark(ReadMarks::MALFORMED);
        return;
    };
    let value = part.get(end + 4..).unwrap_or_default();
    let field = to.element(to.root(), form, &name, !value.is_empty());
    if !field.is_unwanted() {
        let text = String::from_utf8_lossy(value);
        if text.contains(char::REPLACEMENT_CHARACTER) && core::str::from_utf8(value).is_err() {
            to.mark_at(field, ReadMarks::MALFORMED);
        }
        to.scalar(field, &text, Kind::String);
    }
    to.leave(field);
}

/// A line that separates parts: where it starts with the line break that belongs to it, and where the next part starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delimiter {
    pub start: usize,
    pub end: usize,
    /// It ends the body.
    pub last: bool,
}

/// The delimiters of a body, in their order.
pub(crate) struct Delimiters<'b> {
    bytes: &'b [u8],
    boundary: &'b [u8],
    at: usize,
}

impl<'b> Delimiters<'b> {
    pub fn new(bytes: &'b [u8], boundary: &'b [u8]) -> Self {
        Self { bytes, boundary, at: 0 }
    }
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        loop {
            // The body may start with a delimiter; any other follows a line break.
            let (start, line) = if self.at == 0 {
                (0, 0)
            } else {
                let rest = self.bytes.get(self.at..)?;
                let feed = self.at + rest.iter().position(|b| *b == b'\n')?;
                (feed.saturating_sub(1), feed + 1)
            };
            let broken = line == 0 || self.bytes.get(start) == Some(&b'\r');
            self.at = line.max(1);
            let after =
                broken.then(|| self.bytes.get(line..)?.strip_prefix(b"--")?.strip_prefix(self.boundary)).flatten();
            let Some(after) = after else { continue };
            if after.starts_with(b"--") {
                return Some(Delimiter { start, end: self.bytes.len(), last: true });
            }
            let padding = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            if after.get(padding..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
                let end = self.bytes.len() - after.len() + padding + 2;
                // The line break at its end may be the one the next delimiter starts with.
                self.at = end - 1;
                return Some(Delimiter { start, end, last: false });
            }
        }
    }
}

#[cfg(test)]
mod tests;
