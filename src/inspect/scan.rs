//! The one pass over a text that tells which classes look closer: its characters, and the words of the classes in it.

use super::reading::{Class, Scan};

/// Letters, digits and what stands between them in ids, dates, tokens and names.
const SAFE: u128 = LETTERS | DIGITS | mask(b"-_.:");
pub(super) const DIGITS: u128 = mask(b"0123456789");
pub(super) const LETTERS: u128 = mask(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
/// Letters of a run that are hashed: a longer word is told by its beginning, and then compared.
const HASHED: usize = 12;
/// Longest run of letters that [`Words`] tells from longer ones before it looks.
const LENGTHS: usize = 31;

/// The characters as bits of [`Scan::ascii`].
pub(super) const fn mask(characters: &[u8]) -> u128 {
    let (mut bits, mut rest) = (0, characters);
    while let [first, others @ ..] = rest {
        bits |= 1 << *first;
        rest = others;
    }
    bits
}

/// The words of all classes, by their first run of letters.
pub(super) struct Words {
    /// By first letter of the run: bit n says that a run of n letters is known (31: of 31 and more).
    lengths: [u32; 26],
    /// Entry numbers where each slot begins, and the end of the last.
    starts: Vec<u16>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    slot: usize,
    word: &'static str,
    /// Bytes before its first letter.
    lead: usize,
    classes: u32,
}

impl Words {
    /// The words of these classes. A word without a letter is never found.
    pub fn new(classes: &[&'static Class]) -> Self {
        let words = classes.iter().flat_map(|class| class.words.iter().map(|word| (*word, 1 << class.attack as u32)));
        let words: Vec<(&'static str, u32)> = words.collect();
        let slots = (2 * words.len()).next_power_of_two();
        let mut lengths = [0; 26];
        let mut entries = Vec::with_capacity(words.len());
        for (word, classes) in words {
            let Some(lead) = word.bytes().position(|byte| byte.is_ascii_alphabetic()) else { continue };
            let run = word.get(lead..).unwrap_or_default().bytes();
            let (hash, length, first) = hash(run.take_while(u8::is_ascii_alphabetic));
            if let Some(known) = lengths.get_mut(first) {
                *known |= 1 << length.min(LENGTHS);
            }
            entries.push(Entry { slot: hash & (slots - 1), word, lead, classes });
        }
        entries.sort_by_key(|entry| entry.slot);
        let start = |slot| u16::try_from(entries.partition_point(|entry| entry.slot < slot)).unwrap_or(u16::MAX);
        Self { lengths, starts: (0..=slots).map(start).collect(), entries }
    }

    /// Looks at a text once, or, where words may matter in it, twice.
    pub fn scan(&self, text: &[u8]) -> Scan {
        let (low, high, above) = characters(text);
        let ascii = u128::from(high) << 64 | u128::from(low);
        let id = above == 0 && ascii & !SAFE == 0 && ascii & DIGITS != 0;
        let words = if id || ascii & LETTERS == 0 { 0 } else { self.find(text) };
        Scan { ascii, high: above != 0, words }
    }

    /// The classes that have a word in the text.
    fn find(&self, text: &[u8]) -> u32 {
        let (mut found, mut at) = (0, 0);
        while let Some(byte) = text.get(at) {
            if !byte.is_ascii_alphabetic() {
                at += 1;
                continue;
            }
            let run = text.get(at..).unwrap_or_default();
            let first = usize::from((byte | 0x20) - b'a');
            let length = run.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(run.len());
            if self.lengths.get(first).is_some_and(|lengths| lengths >> length.min(LENGTHS) & 1 != 0) {
                found |= self.known(text, at, length);
            }
            at += length;
        }
        found
    }

    /// The classes of the words whose first run of letters is the one at `at`.
    fn known(&self, text: &[u8], at: usize, length: usize) -> u32 {
        let run = text.get(at..at + length).unwrap_or_default();
        let slot = hash(run.iter().copied()).0 & (self.starts.len() - 2);
        let (Some(from), Some(to)) = (self.starts.get(slot), self.starts.get(slot + 1)) else { return 0 };
        let entries = self.entries.get(usize::from(*from)..usize::from(*to)).unwrap_or_default();
        let stands = |entry: &&Entry| {
            let start = at.checked_sub(entry.lead)?;
            let end = start + entry.word.len();
            let there = text.get(start..end)?.eq_ignore_ascii_case(entry.word.as_bytes());
            let ends_open = entry.word.ends_with(|c: char| c.is_ascii_alphabetic());
            Some(there && !(ends_open && text.get(end).is_some_and(u8::is_ascii_alphabetic)))
        };
        entries.iter().filter(|entry| stands(entry) == Some(true)).fold(0, |found, entry| found | entry.classes)
    }
}

/// A bit for each character below 64 and below 128, and every bit of those above.
fn characters(text: &[u8]) -> (u64, u64, u8) {
    let (mut low, mut high, mut above) = (0, 0, 0);
    for byte in text {
        let bit = 1_u64 << (byte & 63);
        // Which half, without a branch: bytes are as random as a client wants them to be.
        let upper = u64::from(byte >> 6 & 1).wrapping_neg();
        low |= bit & !upper;
        high |= bit & upper;
        above |= byte & 0x80;
    }
    if above != 0 {
        // Bytes above 0x7f left bits of their own.
        (low, high) = (0, 0);
        for byte in text.iter().filter(|byte| byte.is_ascii()) {
            let bit = 1_u64 << (byte & 63);
            let upper = u64::from(byte >> 6 & 1).wrapping_neg();
            low |= bit & !upper;
            high |= bit & upper;
        }
    }
    (low, high, above)
}

/// Hash and length of a run of letters, whatever their case, and the number of the first.
fn hash(run: impl Iterator<Item = u8>) -> (usize, usize, usize) {
    let (mut hash, mut length, mut first) = (0_u32, 0, 0);
    for byte in run {
        let letter = u32::from(byte | 0x20);
        if length == 0 {
            first = (letter - u32::from(b'a')) as usize;
        }
        if length < HASHED {
            hash = (hash ^ letter).wrapping_mul(0x0100_0193);
        }
        length += 1;
    }
    ((hash ^ hash >> 15) as usize, length, first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Attack;

    static ONE: Class = Class {
        attack: Attack::Sqli,
        words: &["union", "pg_sleep", "or", "information_schema", "x1"],
        may_be: |_, _| false,
        judge: |_| None,
    };
    static TWO: Class = Class {
        attack: Attack::Xss,
        words: &["__proto__", "<script", "document.cookie", "${", "or"],
        may_be: |_, _| false,
        judge: |_| None,
    };

    fn found(text: &str) -> (bool, bool) {
        let scan = Words::new(&[&ONE, &TWO]).scan(text.as_bytes());
        (scan.word(Attack::Sqli), scan.word(Attack::Xss))
    }

    #[test]
    fn words_are_found_where_no_letter_stands_beside_them() {
        for (text, expected) in [
            ("union", (true, false)),
            ("1 UniOn/**/select", (true, false)),
            ("1union(", (true, false)),
            ("reunion unions", (false, false)),
            ("select PG_sleep(5)", (true, false)),
            ("pg_sleeps(5)", (false, false)),
            ("pg sleep", (false, false)),
            ("information_schem", (false, false)),
            ("a or b", (true, true)),
            ("a_or_b", (true, true)),
            ("a x1 b", (true, false)),
            ("a x12 b", (true, false)),
            ("__proto__", (false, true)),
            ("_proto__", (false, false)),
            ("<SCRIPT src", (false, true)),
            ("<scripts", (false, false)),
            ("script", (false, false)),
            ("x=document.cookie;", (false, true)),
            ("document.cookies", (false, false)),
            ("${", (false, false)),
            ("", (false, false)),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn ids_are_not_searched_for_words() {
        assert_eq!(found("or-1"), (false, false));
        assert_eq!(found("or-x"), (true, true));
        assert_eq!(found("or 1"), (true, true));
    }

    #[test]
    fn every_character_is_told_and_bytes_above_are_not_taken_for_others() {
        let words = Words::new(&[]);
        for byte in 0..128 {
            let scan = words.scan(&[b'x', byte, b'x']);
            assert!(scan.all(&[byte, b'x']) && !scan.high, "{byte}");
            assert_eq!(scan.ascii.count_ones(), if byte == b'x' { 1 } else { 2 });
        }
        for byte in 128..=255 {
            let scan = words.scan(&[b'x', byte, b'<']);
            assert_eq!((scan.ascii, scan.high), (mask(b"x<"), true), "{byte}");
        }
        assert_eq!(words.scan(b""), Scan::default());
    }
}
