//! Inputs made by zlib: dynamic, fixed and stored blocks, the three wrappings, and what breaks them.

use super::*;

const TEXT: &str = r#"{"user":"ann","note":"delta select beta x1 zz9 gamma beta beta alpha x1 select alpha delta union select gamma beta select delta alpha select select delta gamma select select union beta union x1 delta gamma delta zz9 select beta select alpha select select delta x1 x1 select x1 zz9 gamma delta select select alpha beta alpha zz9 select zz9 union gamma delta beta"}"#;
const DYNAMIC: &[u8] = b"\x6d\x50\x41\x0a\xc3\x30\x0c\xfb\x4a\xf0\x79\x97\x1e\xdb\xdf\x78\x9d\x59\x07\xa9\x3b\xd6\x14\x4a\xc7\xfe\xbe\x24\xca\xa8\x0d\xbb\x04\xd9\x96\x64\x39\x6f\xda\x56\x79\xd1\x40\xac\x4a\x17\xd2\x25\x49\x2e\x6e\x12\x13\x87\x55\xa2\x8c\x29\x5c\x25\xe3\xbd\x0b\xc7\xd1\x87\x3b\xcf\x33\xa3\x53\x1f\x8e\xcf\xa9\x0e\x1b\x17\x35\xe4\x9b\x3e\x16\xfd\x0d\x8c\xb0\x75\x40\x82\xa0\xb5\xdc\x04\x0a\x3f\x81\x65\x75\x01\xcc\x9b\x2d\x1b\xb8\x04\xb5\xd9\x5d\xb6\x7f\xab\xb2\xcb\x79\x82\xbb\xd4\x7d\x84\xf3\x31\xe7\x9b\x7d\x05\x22\x99\xd5\x17\x2e\x7d\xbe";
const FIXED: &[u8] = b"\x53\x57\xc8\x2f\x52\x30\xb4\x35\xd4\xd5\x55\x50\x27\x8f\x09\x00";
const STORED: &[u8] = b"\x01\x19\x00\xe6\xff\x3c\x73\x63\x72\x69\x70\x74\x3e\x61\x6c\x65\x72\x74\x28\x31\x29\x3c\x2f\x73\x63\x72\x69\x70\x74\x3e";
const GZIP: &[u8] = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x02\xff\x6e\x61\x6d\x65\x2e\x6a\x73\x6f\x6e\x00\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x22\xd3\xab\x32\x0b\x00\x47\x3a\x59\x1c\x16\x00\x00\x00";
const ZLIB: &[u8] = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xa8\xca\xc9\x4c\x02\x00\x15\x95\x03\xe6";
/// 100,000 NULs.
const BOMB: &[u8] = b"\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5\x4f\x6d\x0d\x0f\xa0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x57\x03";

fn all(input: &[u8]) -> Option<(String, bool)> {
    inflate(input, 1 << 17).map(|found| (String::from_utf8_lossy(&found.bytes).into_owned(), found.whole))
}

#[test]
fn every_kind_of_block_is_read() {
    assert_eq!(all(DYNAMIC), Some((TEXT.to_owned(), true)));
    assert_eq!(all(FIXED), Some(("' or 1=1-- ' or 1=1-- ".repeat(3), true)));
    assert_eq!(all(STORED), Some(("<script>alert(1)</script>".to_owned(), true)));
}

#[test]
fn gzip_and_zlib_are_unwrapped() {
    assert_eq!(all(GZIP), Some(("hello hello hello gzip".to_owned(), true)));
    assert_eq!(all(ZLIB), Some(("hello zlib".to_owned(), true)));
}

#[test]
fn output_is_bounded_at_the_limit_and_one_past_it() {
    let read = |limit| inflate(BOMB, limit).map(|found| (found.bytes.len(), found.whole));
    assert_eq!(read(100_000), Some((100_000, true)));
    assert_eq!(read(99_999), Some((99_999, false)));
    assert_eq!(read(0), None);
}

#[test]
fn empty_blocks_are_read_up_to_their_limit() {
    // A stored block of no bytes, then at last one that ends.
    let blocks = |n: usize| [b"\x00\x00\x00\xff\xff".repeat(n), STORED.to_vec()].concat();
    assert!(all(&blocks(MAX_BLOCKS - 1)).is_some_and(|(_, whole)| whole));
    assert_eq!(all(&blocks(MAX_BLOCKS)), None);
}

#[test]
fn a_cut_or_broken_input_gives_what_was_read() {
    for end in 0..DYNAMIC.len() {
        if let Some((text, whole)) = all(&DYNAMIC[..end]) {
            assert!(!whole && TEXT.starts_with(&text), "cut at {end}");
        }
    }
    for input in [&b""[..], b"\x1f\x8b\x08", b"\x1f\x8b\x08\xff\0\0\0\0\0\0\0", b"\xff\xff\xff", b"plain text"] {
        let _ = all(input);
    }
    for at in 0..DYNAMIC.len() {
        for flip in [1, 8, 128] {
            let mut broken = DYNAMIC.to_vec();
            broken[at] ^= flip;
            assert!(inflate(&broken, 1 << 12).is_none_or(|found| found.bytes.len() <= 1 << 12));
        }
    }
}
