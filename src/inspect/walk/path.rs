//! The path: as a whole, and segment by segment where a segment may be a value of its own.

use std::borrow::Cow;

use super::{Cuts, Examination, Part, Trail, place};
use crate::inspect::decode;
use crate::inspect::reading::Layers;
use crate::inspect::scan::{is_all, kind};

/// Segments looked at one by one.
const MAX_SEGMENTS: usize = 64;

/// The texts of a path as sent.
pub fn path(to: &mut Examination<'_>, path: &str) {
    let trail = Trail::default().decoded();
    let here = place(Part::Path, "");
    let (whole, layers) = decoded(path.as_bytes());
    to.text(here, &whole, trail.with(layers));
    let is_worth = |segment: &str| !is_plain(segment.as_bytes()) || may_be_encoded(segment.as_bytes());
    let mut telling = path
        .split('/')
        .filter(|segment| is_worth(segment) && (segment.len() + 1 < path.len() || may_be_encoded(segment.as_bytes())));
    for segment in telling.by_ref().take(MAX_SEGMENTS) {
        let (text, layers) = decoded(segment.as_bytes());
        if !is_plain(&text) || may_be_encoded(&text) {
            to.text(here, &text, trail.with(layers));
        }
    }
    if telling.next().is_some() {
        to.cuts.set(Cuts::MEMBERS);
    }
}

fn decoded(text: &[u8]) -> (Cow<'_, [u8]>, Layers) {
    match decode::percent(text) {
        Some((bytes, layers)) => (Cow::Owned(bytes), layers),
        None => (Cow::Borrowed(text), Layers::default()),
    }
}

/// Shortest segment that is looked at for what it may be encoded to.
const ENCODED: usize = 24;

/// Whether a segment has the letters of base64: ids, names and dates have not all of them.
fn may_be_encoded(text: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| text.iter().any(is);
    text.starts_with(b"aced0005")
        || text.len() >= ENCODED
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
}

fn is_plain(text: &[u8]) -> bool {
    is_all(text, kind::SEGMENT)
}
