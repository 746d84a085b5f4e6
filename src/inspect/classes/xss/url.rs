//! Addresses that run what they hold: `javascript:` and its kin, documents in `data:`.

use super::script::power;
use crate::inspect::classes::seek::{before, byte, find, has, is_space, piece, skip, starts, tail, trim};

/// Longest scheme with what browsers drop from it, bytes.
const SCHEME_BYTES: usize = 40;
/// Scripts in addresses of ordinary pages.
const HARMLESS: [&str; 5] = ["void(0", "void 0", "history.back(", "history.go(", "window.print("];

/// How sure it is that an attribute's value is an address that runs.
pub fn in_attribute(value: &[u8]) -> Option<u8> {
    let (scheme, end) = scheme(value, 0)?;
    let rest = tail(value, end);
    match scheme {
        Scheme::Script => {
            let (_, code) = trim(rest);
            let is_harmless = code.iter().all(|byte| matches!(byte, b';' | b'/'))
                || HARMLESS.iter().any(|word| starts(code, 0, word));
            Some(if is_harmless && !has(code, "alert") { 40 } else { 92 })
        }
        Scheme::Data => data(rest).map(|confidence| confidence.max(85)),
    }
}

/// How sure it is that the text, as a whole or behind a mark as in `](javascript:…)`, is an address that runs, and where.
pub fn in_text(text: &[u8]) -> Option<(u8, usize)> {
    let (start, whole) = trim(text);
    if let Some((scheme, end)) = scheme(whole, 0) {
        let rest = tail(whole, end);
        let confidence = match scheme {
            Scheme::Data => data(rest),
            Scheme::Script if HARMLESS.iter().any(|word| starts(rest, 0, word)) => Some(40),
            Scheme::Script => code(rest),
        };
        return confidence.map(|confidence| (confidence, start));
    }
    let mut from = 0;
    while let Some(at) = find(text, "script", from) {
        let near = at.saturating_sub(SCHEME_BYTES);
        let first = piece(text, near..at).iter().rposition(|byte| !(byte.is_ascii_alphabetic() || *byte < b' '));
        let word = first.map_or(near, |first| near + first + 1);
        if matches!(before(text, word), b'(' | b'"' | b'\'' | b'=' | b' ' | b'>' | b'`' | b',')
            && let Some((Scheme::Script, end)) = scheme(text, word)
            && matches!(power(piece(text, end..end + 80)), Some((super::script::Power::Strikes, _)))
        {
            return Some((84, word));
        }
        from = at + 6;
    }
    None
}

#[derive(Clone, Copy, PartialEq)]
enum Scheme {
    Script,
    Data,
}

/// The scheme that stands there with what browsers drop (control characters), and where what follows `:` starts.
fn scheme(text: &[u8], at: usize) -> Option<(Scheme, usize)> {
    let mut at = skip(text, at, |byte| byte <= b' ' || matches!(byte, 0xa0 | 0xc2));
    // Addresses wrapped in another scheme.
    for wrap in ["view-source:", "feed:", "url:", "jar:"] {
        if starts(text, at, wrap) {
            at += wrap.len();
        }
    }
    let mut name = [0_u8; 12];
    let mut length = 0;
    for (offset, byte) in piece(text, at..at + SCHEME_BYTES).iter().enumerate() {
        match byte {
            b':' => {
                let scheme = match piece(&name, 0..length) {
                    b"javascript" | b"vbscript" | b"livescript" | b"jscript" | b"mocha" => Scheme::Script,
                    b"data" => Scheme::Data,
                    _ => return None,
                };
                return Some((scheme, at + offset + 1));
            }
            0..=b' ' | b'\\' => {}
            _ => {
                *name.get_mut(length)? = byte.to_ascii_lowercase();
                length += 1;
            }
        }
    }
    None
}

/// Whether what stands behind `javascript:` is code: the book of that name goes on with words.
fn code(rest: &[u8]) -> Option<u8> {
    match power(piece(rest, 0..400)) {
        Some((super::script::Power::Strikes, _)) => Some(94),
        Some(_) => Some(84),
        None => {
            // `javascript:'…'`, `javascript://…`, `javascript:/*…`: an address that goes on without space.
            let is_address = matches!(byte(rest, 0), b'/' | b'"' | b'\'' | b'`' | b'[' | b'(' | b'%');
            Some(if is_address {
                82
            } else if is_space(byte(rest, 0)) || rest.is_empty() {
                return None;
            } else {
                45
            })
        }
    }
}

/// What stands behind `data:`: documents and scripts run, images do not.
fn data(rest: &[u8]) -> Option<u8> {
    let kind = piece(rest, 0..rest.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(rest.len()));
    let (_, kind) = trim(kind);
    let is_document = ["text/html", "application/xhtml+xml", "text/xml", "application/xml"]
        .iter()
        .any(|known| starts(kind, 0, known));
    let is_script = has(kind, "javascript") || has(kind, "ecmascript");
    let comma = rest.iter().position(|byte| *byte == b',')?;
    if is_script {
        return Some(82);
    }
    let content = trim(tail(rest, comma + 1)).1;
    if is_document {
        return Some(if content.is_empty() { 30 } else { 84 });
    }
    let is_svg = starts(kind, 0, "image/svg");
    ((is_svg || kind.is_empty()) && (has(content, "<script") || has(content, "onload=") || has(content, "alert(")))
        .then_some(84)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_run_are_told_from_titles_and_images() {
        let sure = |text: &str| in_text(text.as_bytes()).is_some_and(|(confidence, _)| confidence >= 80);
        for text in [
            "javascript:alert(1)",
            " java\tscript:alert(1)",
            "JaVaScRiPt://%0aalert(1)",
            "[x](javascript:alert(1))",
            "data:text/html;base64,PHN2Zz4",
        ] {
            assert!(sure(text), "{text}");
        }
        for text in [
            "javascript: the good parts (2008)",
            "javascript:void(0)",
            "data:image/png;base64,iVBOR",
            "typescript: a tour",
            "javascript:",
        ] {
            assert!(!sure(text), "{text}");
        }
    }
}
