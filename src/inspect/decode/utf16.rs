//! UTF-16, with its byte order mark or told by its NULs.

/// Bytes at the beginning among which there is a NUL.
const LOOK: usize = 64;
/// Bytes of the shortest text that is taken for UTF-16 without a mark.
const SHORTEST: usize = 8;

/// The text as UTF-8; `None` where it is no UTF-16.
pub fn utf16(text: &[u8]) -> Option<Vec<u8>> {
    let big = match text {
        [0xfe, 0xff, ..] => true,
        [0xff, 0xfe, ..] => false,
        _ if !text.iter().take(LOOK).any(|byte| *byte == 0) => return None,
        _ => big_endian(text)?,
    };
    let units = text
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    let mut out = Vec::with_capacity(text.len());
    for c in chars.filter(|c| *c != '\u{feff}') {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(out)
}

/// Whether the NULs of ASCII in UTF-16 stand first in each pair; `None` where they are not there.
fn big_endian(text: &[u8]) -> Option<bool> {
    let pairs = text.as_chunks::<2>().0;
    if text.len() < SHORTEST {
        return None;
    }
    let (mut first, mut second) = (0, 0);
    for [one, two] in pairs {
        first += usize::from(*one == 0 && *two != 0);
        second += usize::from(*one != 0 && *two == 0);
    }
    // Four of five characters, and next to none the other way round.
    let nearly_all = |count: usize, other: usize| count * 5 >= pairs.len() * 4 && other * 20 <= pairs.len();
    if nearly_all(first, second) { Some(true) } else { nearly_all(second, first).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_or_the_nuls_tell_the_order() {
        let little: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for text in
            [little.clone(), big.clone(), [&b"\xff\xfe"[..], &little].concat(), [&b"\xfe\xff"[..], &big].concat()]
        {
            assert_eq!(utf16(&text).as_deref(), Some("<a>é</a>".as_bytes()), "{text:x?}");
        }
        assert_eq!(utf16(b"\xff\xfe\x00\xd8").as_deref(), Some("\u{fffd}".as_bytes()));
    }

    #[test]
    fn other_text_is_none() {
        for text in [&b""[..], b"plain text", b"a\0b\0c\0", b"a\0b", b"\0\0\0\0\0\0\0\0\0\0", b"abcd\0\0\0\0ef"] {
            assert_eq!(utf16(text), None, "{text:x?}");
        }
    }
}
