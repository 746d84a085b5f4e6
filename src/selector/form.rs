//! Form fields: urlencoded (the URL standard's `application/x-www-form-urlencoded`), and those of a query.

use super::collect::Collector;
use super::found::{Kind, ReadMarks};
use super::text::Text;

/// Reads the fields of a form body into `to`.
pub(super) fn read(bytes: &[u8], cut: bool, to: &mut Collector<'_>) {
    // Where the body was cut, so was its last field.
    let end = if cut { bytes.iter().rposition(|b| *b == b'&').unwrap_or(0) } else { bytes.len() };
    if cut {
        to.mark(ReadMarks::CUT);
    }
    let (root, form) = (to.root(), to.open());
    for (name, value) in form_urlencoded::parse(bytes.get(..end).unwrap_or_default()) {
        let field = to.element(root, form, &name, !value.is_empty());
        to.scalar(field, &value, Kind::String);
        to.leave(field);
    }
}

/// The first parameter of that name which is not empty, marked where there are several of the name.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Text<'q> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(n, _)| n == name).map(|(_, value)| value);
    let mut found = Text { text: values.next(), ..Text::default() };
    for value in values {
        found.marks.set(ReadMarks::DUPLICATE);
        if found.text.as_ref().is_some_and(|first| first.is_empty()) {
            found.text = Some(value);
        }
    }
    found
}
