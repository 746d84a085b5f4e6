//! A text as the programs behind us could read it: one decoder a file, each undoing one layer, and each answering `None` where it
//! has nothing to undo.
//!
//! Which decoder may have something to do is told by the characters in the text, so that an ordinary text costs a few
//! comparisons.

mod encoded;
mod escapes;
mod fold;
mod html;
mod inflate;
mod percent;
mod utf16;

pub(super) use encoded::{Encoded, GZIP, is_text};

pub(super) use html::html;
pub(super) use inflate::inflate;
pub(super) use percent::{form, percent};
pub(super) use utf16::utf16;

use super::reading::{Layers, Scan};
use super::scan::mask;

/// Decoders in the order they are tried.
pub(super) const DECODERS: usize = 6;

/// Whether any decoder may have something to do; `false` for nearly all texts.
pub(super) fn may_decode(text: &[u8], scan: Scan) -> bool {
    const MARKS: u128 = mask(b"%&\\\0");
    scan.high || scan.ascii & MARKS != 0 || encoded::may_be_encoded(text, scan)
}

/// What one decoder makes of a text; `None` where it has nothing to undo.
pub(super) fn decode(decoder: usize, text: &[u8], scan: Scan) -> Option<Encoded> {
    let read = |bytes: Vec<u8>, layer: Layers| Encoded { bytes, layer, binary: false };
    match decoder {
        0 if scan.any(b"%") => percent(text).map(|(bytes, layers)| read(bytes, layers)),
        1 if scan.any(b"&") => html(text).map(|bytes| read(bytes, Layers::HTML)),
        2 if scan.any(b"\\") => escapes::escapes(text).map(|bytes| read(bytes, Layers::ESCAPES)),
        3 if encoded::may_be_encoded(text, scan) => encoded::encoded(text, scan),
        4 if scan.high => fold::fold(text).map(|(bytes, layers)| read(bytes, layers)),
        5 if scan.high || scan.any(b"\0") => utf16(text).map(|bytes| read(bytes, Layers::UTF16)),
        _ => None,
    }
}

/// Digits as a number; `None` where there are none, or the number is too large.
fn digits(text: &[u8], radix: u32) -> Option<u32> {
    let mut number = text.first().map(|_| 0_u32)?;
    for byte in text {
        number = number.checked_mul(radix)?.checked_add(char::from(*byte).to_digit(radix)?)?;
    }
    Some(number)
}
