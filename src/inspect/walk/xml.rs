//! XML: the document as a whole, and the texts and attributes in it, read tolerantly: what is broken is read all the same.

use std::borrow::Cow;

use super::{Examination, Part, Trail, name, place};
use crate::inspect::decode;

/// Whether a text starts as an XML document does.
pub fn is_document(start: &[u8]) -> bool {
    let starts = |word: &[u8]| start.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
    starts(b"<?xml") || starts(b"<!DOCTYPE") && !starts(b"<!DOCTYPE html") || starts(b"<soap") || starts(b"<!ENTITY")
}

/// The texts of a document that stands under the name `under`.
pub fn document(to: &mut Examination<'_>, text: &[u8], under: &str, trail: Trail) {
    to.text(place(Part::XmlDocument, under), text, trail.as_is());
    let mut element: &[u8] = b"";
    let mut rest = text;
    loop {
        let tag = rest.iter().position(|byte| *byte == b'<');
        let (between, markup) = rest.split_at_checked(tag.unwrap_or(rest.len())).unwrap_or_default();
        told(to, element, "", between, trail);
        let Some(markup) = markup.strip_prefix(b"<") else { return };
        if let Some(comment) = markup.strip_prefix(b"!--") {
            let (text, after) = before(comment, b"-->");
            told(to, element, "", text, trail);
            rest = after;
        } else if let Some(raw) = markup.strip_prefix(b"![CDATA[") {
            let (text, after) = before(raw, b"]]>");
            to.text(place(Part::Xml, &name(element)), text, trail);
            rest = after;
        } else if markup.starts_with(b"?") {
            rest = before(markup, b"?>").1;
        } else if markup.starts_with(b"!") {
            rest = doctype(markup);
        } else {
            let length = markup.iter().take_while(|byte| !is_end_of_name(**byte)).count();
            let (found, after) = markup.split_at_checked(length).unwrap_or_default();
            if !found.is_empty() {
                element = local(found);
            }
            rest = attributes(to, after, trail);
        }
    }
}

/// Takes the attributes of a tag in; answers what follows the tag.
fn attributes<'t>(to: &mut Examination<'_>, mut rest: &'t [u8], trail: Trail) -> &'t [u8] {
    loop {
        let skipped =
            rest.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'/' || **byte == b'=').count();
        rest = rest.get(skipped..).unwrap_or_default();
        match rest.first() {
            None | Some(b'<') => return rest,
            Some(b'>') => return rest.get(1..).unwrap_or_default(),
            Some(quote @ (b'"' | b'\'')) => {
                let (value, after) = before(rest.get(1..).unwrap_or_default(), &[*quote]);
                told(to, b"@", "", value, trail);
                rest = after;
            }
            Some(_) => {
                let length = rest.iter().take_while(|byte| !is_end_of_name(**byte)).count();
                let (found, after) = rest.split_at_checked(length.max(1)).unwrap_or_default();
                let value = after.trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
                rest = match value {
                    Some([quote @ (b'"' | b'\''), value @ ..]) => {
                        let (value, after) = before(value, &[*quote]);
                        told(to, local(found), "@", value, trail);
                        after
                    }
                    _ => after,
                };
            }
        }
    }
}

/// A text with its references resolved, under the name of its element or attribute.
fn told(to: &mut Examination<'_>, under: &[u8], prefix: &str, text: &[u8], trail: Trail) {
    let text = text.trim_ascii();
    if text.is_empty() {
        return;
    }
    let under = name(under);
    let under = if prefix.is_empty() { under } else { Cow::Owned([prefix, &under].concat()) };
    match decode::html(text) {
        Some(resolved) => to.text(place(Part::Xml, &under), &resolved, trail),
        None => to.text(place(Part::Xml, &under), text, trail),
    }
}

/// What stands before `end` and after it; all and nothing where it is missing.
fn before<'t>(text: &'t [u8], end: &[u8]) -> (&'t [u8], &'t [u8]) {
    match text.windows(end.len()).position(|next| next == end) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + end.len()..).unwrap_or_default()),
        None => (text, b""),
    }
}

/// What follows a document type, with what it declares in brackets.
fn doctype(text: &[u8]) -> &[u8] {
    let (mut brackets, mut quote) = (0_usize, None);
    let end = text.iter().position(|byte| {
        match (quote, *byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'[') => brackets += 1,
            (None, b']') => brackets = brackets.saturating_sub(1),
            (None, b'>') => return brackets == 0,
            _ => {}
        }
        false
    });
    end.and_then(|end| text.get(end + 1..)).unwrap_or_default()
}

fn is_end_of_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'<' | b'=')
}

/// A name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}
