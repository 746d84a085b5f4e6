//! The one pass over a text that tells which classes look closer: its characters, and the words of the classes in it.

use super::reading::{Class, Scan};

use crate::sorting;

/// Letters, digits and what stands between them in ids, dates, tokens and names.
const SAFE: u128 = LETTERS | DIGITS | mask(b"-_.:");
pub(super) const DIGITS: u128 = mask(b"0123456789");
pub(super) const LETTERS: u128 = mask(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
/// Longest run of letters and digits that is nothing to anybody if it holds no word: what is longer could be encoded.
const PLAIN: usize = 11;
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
        sorting::sort_by_key(&mut entries, |entry| entry.slot);
        let start = |slot| u16::try_from(entries.partition_point(|entry| entry.slot < slot)).unwrap_or(u16::MAX);
        Self { lengths, starts: (0..=slots).map(start).collect(), entries }
    }

    /// Looks at a text. `None` where it is short, and nothing but letters and digits without a word of any class: there is nothing
    /// in it for anybody.
    pub fn scan(&self, text: &[u8]) -> Option<Scan> {
        let mut words = None;
        if text.len() <= PLAIN {
            let kinds = kinds(text);
            if kinds & LETTER == kinds {
                words = Some(self.find(text));
            }
            if kinds & (LETTER | DIGIT) == kinds && words.unwrap_or_default() == 0 {
                return None;
            }
        }
        let (ascii, high) = characters(text);
        let id = !high && ascii & !SAFE == 0 && ascii & DIGITS != 0;
        let words = words.unwrap_or_else(|| if id || ascii & LETTERS == 0 { 0 } else { self.find(text) });
        Some(Scan { ascii, high, words })
    }

    /// The classes that have a word in the text.
    fn find(&self, text: &[u8]) -> u32 {
        let (mut found, mut at) = (0, 0);
        for run in text.split(|byte| !byte.is_ascii_alphabetic()) {
            if let Some(first) = run.first() {
                let lengths = self.lengths.get(usize::from((first | 0x20) - b'a'));
                if lengths.is_some_and(|lengths| lengths >> run.len().min(LENGTHS) & 1 != 0) {
                    found |= self.known(text, at, run);
                }
            }
            at += run.len() + 1;
        }
        found
    }

    /// The classes of the words whose first run of letters is the one at `at`.
    fn known(&self, text: &[u8], at: usize, run: &[u8]) -> u32 {
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

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
/// What each byte is: [`LETTER`], [`DIGIT`] or anything else.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static KINDS: [u8; 256] = {
    let (mut kinds, mut byte) = ([4; 256], 0_u8);
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            kinds[byte as usize] = if byte.is_ascii_digit() { DIGIT } else { LETTER };
        }
        byte += 1;
    }
    kinds
};

/// The kinds of bytes in a text.
fn kinds(text: &[u8]) -> u8 {
    text.iter().fold(0, |kinds, byte| kinds | KINDS.get(usize::from(*byte)).copied().unwrap_or_default())
}

/// The characters of a text as bits, and whether there are bytes above 0x7f. A store for each byte, and the bits are put together
/// at the end: cheaper than a shift for each.
fn characters(text: &[u8]) -> (u128, bool) {
    let (mut seen, mut above) = ([0_u8; 128], 0);
    for byte in text {
        above |= byte;
        // There are as many as that: the compiler leaves the check out.
        if let Some(seen) = seen.get_mut(usize::from(byte & 0x7f)) {
            *seen = 1;
        }
    }
    if above >= 0x80 {
        // Bytes above 0x7f were taken for others.
        seen = [0; 128];
        for byte in text.iter().filter(|byte| byte.is_ascii()) {
            if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                *seen = 1;
            }
        }
    }
    let (low, high) = seen.split_at(64);
    (u128::from(bits(high)) << 64 | u128::from(bits(low)), above >= 0x80)
}

/// One bit for each byte, which is 0 or 1: the product brings those of eight side by side into its highest byte.
fn bits(seen: &[u8]) -> u64 {
    let eight = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    seen.as_chunks::<8>().0.iter().rev().fold(0, |bits, bytes| bits << 8 | eight(bytes))
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
        let scan = Words::new(&[&ONE, &TWO]).scan(text.as_bytes()).unwrap_or_default();
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
            let Some(scan) = words.scan(&[b'x', byte, b'x']) else { continue };
            assert!(scan.all(&[byte, b'x']) && !scan.high, "{byte}");
            assert_eq!(scan.ascii.count_ones(), if byte == b'x' { 1 } else { 2 });
        }
        for byte in 128..=255 {
            let scan = words.scan(&[b'x', byte, b'<']).unwrap();
            assert_eq!((scan.ascii, scan.high), (mask(b"x<"), true), "{byte}");
        }
        assert_eq!(words.scan(b"short11word"), None);
        assert!(words.scan(b"longer12word").is_some_and(|scan| scan.all(b"longer12wd") && scan.words == 0));
    }
}
