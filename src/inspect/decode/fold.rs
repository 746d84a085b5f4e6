//! Characters that programs behind us take for ASCII: UTF-8 with more bytes than needed, full width and other look-alikes.

use crate::inspect::reading::Layers;

/// The text folded to ASCII, and what was folded; `None` where that tells nothing new. Full width punctuation is how Chinese
/// and Japanese are written: by itself, without full width letters or brackets of markup, it is left alone.
pub fn fold(text: &[u8]) -> Option<(Vec<u8>, Layers)> {
    let first = text.iter().position(|byte| *byte >= 0x80)?;
    let (mut layers, mut telling, mut at) = (Layers::default(), false, first);
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(text.get(..first)?);
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        if byte.is_ascii() {
            out.push(*byte);
            at += 1;
        } else if let Some((c, length)) = overlong(rest) {
            out.push(c);
            layers.0 |= Layers::OVERLONG.0;
            telling = true;
            at += length;
        } else {
            let (number, length) = character(rest);
            match look_alike(number) {
                Some(c) => {
                    out.push(c);
                    layers.0 |= Layers::FOLDED.0;
                    telling |= c.is_ascii_alphanumeric() && number != 0x130 || b"<>'\"/\\$`{}".contains(&c);
                }
                None => out.extend_from_slice(rest.get(..length).unwrap_or_default()),
            }
            at += length;
        }
    }
    telling.then_some((out, layers))
}

/// An ASCII character in two to four bytes, and how many.
fn overlong(text: &[u8]) -> Option<(u8, usize)> {
    let low = |byte: u8| (byte & 0xc0 == 0x80).then_some(byte & 0x3f);
    match *text {
        [lead @ (0xc0 | 0xc1), next, ..] => Some(((lead & 1) << 6 | low(next)?, 2)),
        [0xe0, middle @ (0x80 | 0x81), next, ..] => Some(((middle & 1) << 6 | low(next)?, 3)),
        [0xf0, 0x80, middle @ (0x80 | 0x81), next, ..] => Some(((middle & 1) << 6 | low(next)?, 4)),
        _ => None,
    }
}

/// The number of the character that starts here, and its bytes; 0 for what is no UTF-8.
fn character(text: &[u8]) -> (u32, usize) {
    let low = |at: usize| text.get(at).filter(|byte| *byte & 0xc0 == 0x80).map(|byte| u32::from(byte & 0x3f));
    let read = |lead: u32, length: usize| {
        let number = (1..length).try_fold(lead, |number, at| Some(number << 6 | low(at)?));
        number.map_or((0, 1), |number| (number, length))
    };
    match text.first() {
        Some(byte @ 0xc2..=0xdf) => read(u32::from(byte & 0x1f), 2),
        Some(byte @ 0xe0..=0xef) => read(u32::from(byte & 0x0f), 3),
        Some(byte @ 0xf0..=0xf4) => read(u32::from(byte & 0x07), 4),
        _ => (0, 1),
    }
}

/// What compatibility forms (Unicode, NFKC) and best fits of old code pages come down to.
fn look_alike(number: u32) -> Option<u8> {
    let from = |base: u8, offset: u32| u8::try_from(u32::from(base) + offset).ok();
    match number {
        0xff01..=0xff5e => from(b'!', number - 0xff01),
        // `<` and `>` with their highest bit set, as servers that knew seven bits took them; the dotted I is an i when it is lowered.
        0xbc => Some(b'<'),
        0xbe => Some(b'>'),
        0x130 => Some(b'i'),
        0x2460..=0x2468 => from(b'1', number - 0x2460),
        0x24b6..=0x24cf => from(b'A', number - 0x24b6),
        0x24d0..=0x24e9 => from(b'a', number - 0x24d0),
        // Mathematical letters and digits, in their alphabets of 52 and 10.
        0x1d400..=0x1d6a3 => {
            let letter = (number - 0x1d400) % 52;
            if letter < 26 { from(b'A', letter) } else { from(b'a', letter - 26) }
        }
        0x1d7ce..=0x1d7ff => from(b'0', (number - 0x1d7ce) % 10),
        0x24ea => Some(b'0'),
        0x3000 => Some(b' '),
        0x3002 | 0xff61 | 0x2024 | 0xfe52 => Some(b'.'),
        0xfe64 => Some(b'<'),
        0xfe65 => Some(b'>'),
        0xfe68 => Some(b'\\'),
        0x2044 | 0x2215 => Some(b'/'),
        0x02bc => Some(b'\''),
        0x02ba => Some(b'"'),
        0x017f => Some(b's'),
        0x212a => Some(b'K'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_more_than_needed_are_undone() {
        for text in [&b"\xc0\xaf"[..], b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf"] {
            assert_eq!(fold(text), Some((b"/".into(), Layers::OVERLONG)), "{text:x?}");
        }
        assert_eq!(fold(b"..\xc1\x9c.."), Some((b"..\\..".into(), Layers::OVERLONG)));
        for text in [&b"\xc0"[..], b"\xc0\x2f", b"\xe0\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80", b"\xff\xfe"] {
            assert_eq!(fold(text), None, "{text:x?}");
        }
    }

    #[test]
    fn look_alikes_are_folded() {
        for (text, expected) in [
            ("＜ｓｃｒｉｐｔ＞", "<script>"),
            ("＇ or 1", "' or 1"),
            ("ⓛⓞⓒⓐⓛ①②⓪", "local120"),
            ("𝐚𝒃𝟎𝟗", "ab09"),
            ("ſcript", "script"),
            ("é／x", "é/x"),
        ] {
            assert_eq!(fold(text.as_bytes()), Some((expected.into(), Layers::FOLDED)), "{text}");
        }
    }

    #[test]
    fn ordinary_languages_are_left_alone() {
        for text in
            ["", "plain", "größe", "这是，一个（测试）；好吗？", "これは、テストです。", "it’s “fine”", "naïve €5"]
        {
            assert_eq!(fold(text.as_bytes()), None, "{text}");
        }
    }
}
