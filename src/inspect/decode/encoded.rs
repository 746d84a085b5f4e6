//! Base64 and hexadecimal digits, where what they stand for is text or begins as a serialized object does.
//!
//! Ids, tokens, images and hashes are written in them too: a look at the first bytes tells those, and costs next to nothing.

use crate::inspect::reading::{Layers, Scan};
use crate::inspect::scan::{BASE64, DIGITS, ENCODED, HEX, mask};

/// Bytes of the look at the beginning.
const SAMPLE: usize = 16;
/// Places in one text that `base64,` is looked at.
const MAX_URLS: usize = 4;

const UPPER: u128 = mask(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ");
const LOWER: u128 = mask(b"abcdefghijklmnopqrstuvwxyz");
/// What `data:…;base64,` is not written without.
const URL: u128 = mask(b",;:");
const HEX_LETTERS: u128 = mask(b"abcdefABCDEF");

/// How objects begin that some language builds from bytes, and what is compressed with gzip.
const MAGICS: [&[u8]; 11] = [
    b"\xac\xed\x00\x05",
    b"\x00\x01\x00\x00\x00\xff\xff\xff\xff",
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04\x95",
    b"\x80\x05\x95",
    b"\x04\x08o",
    b"\x04\x08[",
    b"\x04\x08{",
    b"\x04\x08I",
    GZIP,
];
/// How gzip begins (RFC 1952).
pub const GZIP: &[u8] = b"\x1f\x8b\x08";

/// What a text was decoded to.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub layer: Layers,
    /// Not text: an object, or compressed.
    pub binary: bool,
}

/// Whether a text looks like one in base64 or hexadecimal digits, or with a `data:` URL in it.
pub fn may_be_encoded(text: &[u8], scan: Scan) -> bool {
    if scan.high || text.len() < ENCODED {
        return false;
    }
    let is_run = scan.ascii & !BASE64 == 0 && scan.ascii & UPPER != 0 && scan.ascii & LOWER != 0;
    is_run || is_hex(scan) || scan.ascii & URL == URL
}

fn is_hex(scan: Scan) -> bool {
    scan.ascii & !HEX == 0 && scan.ascii & HEX_LETTERS != 0 && scan.ascii & DIGITS != 0
}

/// The text in base64 or hexadecimal digits decoded; `None` where it is neither, or no text.
pub fn encoded(text: &[u8], scan: Scan) -> Option<Encoded> {
    let of = |known: u128| scan.ascii & !known == 0;
    if is_hex(scan) {
        let digits = text.strip_prefix(b"0x").unwrap_or(text);
        if let Some(found) = accept(Layers::HEX, |limit| hex(digits, limit)) {
            return Some(found);
        }
    }
    if of(BASE64) && scan.ascii & UPPER != 0 && scan.ascii & LOWER != 0 {
        return accept(Layers::BASE64, |limit| base64(text, limit));
    }
    if scan.ascii & URL == URL { data_url(text) } else { None }
}

/// What follows `base64,`, in a `data:` URL or a piece of markup with one.
fn data_url(text: &[u8]) -> Option<Encoded> {
    let mut rest = text;
    for _ in 0..MAX_URLS {
        let at = rest.windows(7).position(|next| next.eq_ignore_ascii_case(b"base64,"))?;
        rest = rest.get(at + 7..)?;
        let (run, after) = rest.split_at_checked(rest.iter().take_while(|byte| digit(**byte).is_some()).count())?;
        if let Some(found) = accept(Layers::BASE64, |limit| base64(run, limit)) {
            return Some(found);
        }
        rest = after;
    }
    None
}

/// Decodes the beginning, and where it is worth it all.
fn accept(layer: Layers, decode: impl Fn(usize) -> Option<Vec<u8>>) -> Option<Encoded> {
    let sample = decode(SAMPLE)?;
    if MAGICS.iter().any(|magic| sample.starts_with(magic)) {
        return Some(Encoded { bytes: decode(usize::MAX)?, layer, binary: true });
    }
    if sample.len() < ENCODED / 2 || !is_text(&sample) {
        return None;
    }
    let bytes = decode(usize::MAX)?;
    is_text(&bytes).then_some(Encoded { bytes, layer, binary: false })
}

/// Whether nearly all of it could have been typed.
pub fn is_text(bytes: &[u8]) -> bool {
    let typed = |byte: &&u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    // Letters of other languages take two bytes and more; after a few, random bytes would have broken UTF-8.
    let (ascii, odd) = (bytes.iter().filter(typed).count(), bytes.iter().filter(|byte| **byte < b' ').count());
    ascii * 8 >= bytes.len() * 7 || odd == 0 && ascii * 2 >= bytes.len() && core::str::from_utf8(bytes).is_ok()
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// Base64 of either alphabet (RFC 4648), with line breaks and padding or without.
fn base64(text: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity((text.len() / 4 * 3 + 3).min(limit));
    let (mut bits, mut held, mut ended) = (0_u32, 0, false);
    for byte in text {
        if out.len() >= limit {
            return Some(out);
        }
        match digit(*byte) {
            Some(_) if ended => return None,
            Some(value) => {
                bits = bits << 6 | value;
                held += 6;
                if held >= 8 {
                    held -= 8;
                    out.push((bits >> held & 0xff) as u8);
                }
            }
            None => ended |= *byte == b'=',
        }
    }
    // A single digit left over is no base64.
    (held != 6).then_some(out)
}

fn hex(text: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let pairs = if rest.is_empty() { pairs.iter() } else { return None };
    pairs.take(limit).map(|pair| u8::try_from(super::digits(pair, 16)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::scan::Words;

    fn of(text: &str) -> Option<(String, Layers, bool)> {
        let scan = Words::new(&[]).scan(text.as_bytes()).unwrap_or_default();
        let found = encoded(text.as_bytes(), scan)?;
        Some((String::from_utf8_lossy(&found.bytes).into_owned(), found.layer, found.binary))
    }

    #[test]
    fn text_in_base64_is_read_in_either_alphabet() {
        for (text, expected) in [
            ("JyBvciAxPTEtLSAt", "' or 1=1-- -"),
            ("PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "<script>alert(1)</script>"),
            ("PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg", "<script>alert(1)</script>"),
            ("PHNjcmlw\r\ndD5hbGVydCgxKTwvc2NyaXB0Pg==", "<script>alert(1)</script>"),
            ("ZT0_Pz8-Pj4gw6kgb2theQ", "e=???>>> é okay"),
            ("data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "<script>alert(1)</script>"),
            ("<img src='data:image/png;base64,iVBORw0KGgo='><a href='data:;base64,PGI+aGVsbG88L2I+'>", "<b>hello</b>"),
        ] {
            assert_eq!(of(text), Some((expected.to_owned(), Layers::BASE64, false)), "{text}");
        }
    }

    #[test]
    fn text_in_hexadecimal_digits_is_read() {
        for text in ["3c7363726970743e", "0x3c7363726970743e", "3C7363726970743E"] {
            assert_eq!(of(text), Some(("<script>".to_owned(), Layers::HEX, false)), "{text}");
        }
    }

    #[test]
    fn objects_are_told_from_other_bytes() {
        for text in
            ["rO0ABXNyABFqYXZh", "gASVJAAAAAAAAACM", "H4sIAAAAAAAAA0vO", "BAhvOgtPYmplY3QG", "aced0005737200116a"]
        {
            assert!(of(text).is_some_and(|(_, _, binary)| binary), "{text}");
        }
    }

    #[test]
    fn ids_tokens_hashes_and_images_give_nothing() {
        for text in [
            "",
            "JyBvciAxPTE",
            "Administrator",
            "InternationalBusiness",
            "550e8400-e29b-41d4-a716-446655440000",
            "d41d8cd98f00b204e9800998ecf8427e",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
            "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgMCAgMD",
            "8vXQ2mZ1aB9kLpR4tYw7sD3fGh6JnC5e",
            "5f1a7c0e9b2d4f6a8c0e1d3b",
            "2024-01-01T12:00:00Z",
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAE",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
