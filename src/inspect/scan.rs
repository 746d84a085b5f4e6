//! The one pass over a text that tells which classes look closer: its characters, and the words of the classes in it.

use super::reading::{Class, Scan};

use crate::sorting;

/// Letters, digits and what stands between them in ids, dates, tokens and names.
pub(super) const SAFE: u128 = LETTERS | DIGITS | mask(b"-_.:");
pub(super) const DIGITS: u128 = mask(b"0123456789");
pub(super) const LETTERS: u128 = mask(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
/// What text in base64 and in hexadecimal digits is made of.
pub(super) const BASE64: u128 = LETTERS | DIGITS | mask(b"+/-_=\r\n");
pub(super) const HEX: u128 = DIGITS | mask(b"abcdefABCDEFx");
/// Bytes of the shortest of those that is decoded: what is shorter holds no attack, and is too often a word.
pub(super) const ENCODED: usize = 12;
/// Without one of these, or bytes above 0x7f, or a run of the above, no decoder has anything to do …
pub(super) const DECODED: u128 = mask(b"%&\\\0;");
/// … and without one of these no text is a document.
pub(super) const DOCUMENT: u128 = mask(b"{[<=");
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
    /// By [`beginning`] of the run: bit n says that a run of n letters is known (31: of 31 and more).
    beginnings: Vec<u32>,
    /// The same by [`ends`].
    ends: Vec<u32>,
    /// Entry numbers where each slot begins, and the end of the last.
    starts: Vec<u16>,
    entries: Vec<Entry>,
    chars: Chars,
    /// What each byte says of the text it stands in.
    telling: [u8; 256],
}

const UPPER: u8 = 1;
const LOWER: u8 = 1 << 1;
const DIGIT: u8 = 1 << 2;
/// None of letters, digits and `-_.:`.
const NO_ID: u8 = 1 << 3;
/// None of hexadecimal digits, or of base64's.
const NO_HEX: u8 = 1 << 4;
const NO_BASE64: u8 = 1 << 5;
/// Some class, some decoder or some document asks for it.
const TELLING: u8 = 1 << 6;
const NO_LETTER: u8 = 1 << 7;

fn telling(chars: &Chars) -> [u8; 256] {
    let mut table = [TELLING | NO_ID | NO_HEX | NO_BASE64 | NO_LETTER; 256];
    for (byte, seen) in (0_u8..128).zip(&mut table) {
        let bit = 1 << byte;
        let kinds = [
            (UPPER, byte.is_ascii_uppercase()),
            (LOWER, byte.is_ascii_lowercase()),
            (DIGIT, byte.is_ascii_digit()),
            (NO_ID, SAFE & bit == 0),
            (NO_HEX, HEX & bit == 0),
            (NO_BASE64, BASE64 & bit == 0),
            (NO_LETTER, LETTERS & bit == 0),
            (TELLING, (chars.any | DECODED | DOCUMENT) & bit != 0),
        ];
        *seen = kinds.into_iter().filter(|(_, is)| *is).fold(0, |seen, (kind, _)| seen | kind);
    }
    table
}

/// Which classes ask for which characters.
struct Chars {
    /// By ASCII character, the classes bit by bit.
    classes: [u32; 128],
    high: u32,
    /// Those that any class asks for.
    any: u128,
}

impl Chars {
    fn new(classes: &[&'static Class]) -> Self {
        let mut chars = Self { classes: [0; 128], high: 0, any: 0 };
        for class in classes {
            for char in class.chars {
                match chars.classes.get_mut(usize::from(*char)) {
                    Some(classes) => {
                        *classes |= 1 << class.attack as u32;
                        chars.any |= 1 << *char;
                    }
                    None => chars.high |= 1 << class.attack as u32,
                }
            }
        }
        chars
    }
}

#[derive(Clone, Copy)]
struct Entry {
    slot: usize,
    word: &'static str,
    /// Bytes before its first letter.
    lead: usize,
    /// Whether it ends with a letter, so that none may follow.
    ends_open: bool,
    classes: u32,
}

impl Words {
    /// The words of these classes. A word without a letter is never found.
    pub fn new(classes: &[&'static Class]) -> Self {
        let chars = Chars::new(classes);
        let words = classes.iter().flat_map(|class| class.words.iter().map(|word| (*word, 1 << class.attack as u32)));
        let found: Vec<(&'static str, u32)> = words.collect();
        let slots = (2 * found.len()).next_power_of_two();
        let (mut beginnings, mut ends) = (vec![0; PAIRS], vec![0; PAIRS]);
        let mut entries = Vec::with_capacity(found.len());
        for (word, classes) in found {
            let Some(lead) = word.bytes().position(|byte| byte.is_ascii_alphabetic()) else { continue };
            let run = word.as_bytes().get(lead..).unwrap_or_default();
            let run = run.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
            for (table, place) in [(&mut beginnings, beginning(run)), (&mut ends, self::ends(run))] {
                if let Some(lengths) = table.get_mut(place) {
                    *lengths |= 1 << run.len().min(LENGTHS);
                }
            }
            let hash = hash(run);
            let ends_open = word.ends_with(|c: char| c.is_ascii_alphabetic());
            entries.push(Entry { slot: hash & (slots - 1), word, lead, ends_open, classes });
        }
        sorting::sort_by_key(&mut entries, |entry| entry.slot);
        let start = |slot| u16::try_from(entries.partition_point(|entry| entry.slot < slot)).unwrap_or(u16::MAX);
        Self { beginnings, ends, starts: (0..=slots).map(start).collect(), entries, telling: telling(&chars), chars }
    }

    /// Looks at a text. `None` where there is nothing in it for anybody: no word of any class, no character that one asks for, and
    /// nothing to decode or take apart. Most texts are like that, and cost one look-up for each byte.
    pub fn scan(&self, text: &[u8]) -> Option<Scan> {
        let seen = text.iter().fold(0, |seen, byte| seen | self.telling.get(usize::from(*byte)).copied().unwrap_or(0));
        let is_word = seen & NO_LETTER == 0;
        // Ids, dates and tokens are not searched for words.
        let is_id = seen & NO_ID == 0 && seen & DIGIT != 0;
        let words = match () {
            () if is_id || seen & (UPPER | LOWER) == 0 => 0,
            () if is_word => self.run(text, 0, text),
            () => self.find(text),
        };
        let has_case = seen & UPPER != 0 && seen & LOWER != 0;
        let is_run = seen & NO_BASE64 == 0 && has_case || seen & NO_HEX == 0 && seen & DIGIT != 0;
        if words == 0 && seen & TELLING == 0 && !(is_run && text.len() >= ENCODED) {
            return None;
        }
        let (ascii, high) = characters(text);
        Some(Scan { ascii, high, words })
    }

    /// The classes that are to be asked about a text, bit by bit: for nearly all texts none.
    pub fn asked(&self, scan: Scan) -> u32 {
        let mut asked = scan.words | if scan.high { self.chars.high } else { 0 };
        let mut left = scan.ascii & self.chars.any;
        while left != 0 {
            asked |= self.chars.classes.get(left.trailing_zeros() as usize).copied().unwrap_or_default();
            left &= left - 1;
        }
        asked
    }

    /// The classes that have a word in the text.
    fn find(&self, text: &[u8]) -> u32 {
        let is_letter = |at: usize| text.get(at).is_some_and(|byte| is(*byte, kind::LETTER));
        let (mut found, mut at) = (0, 0);
        while at < text.len() {
            let start = at;
            while is_letter(at) {
                at += 1;
            }
            if at > start {
                found |= self.run(text, start, text.get(start..at).unwrap_or_default());
            }
            at += 1;
        }
        found
    }

    /// The classes of the words whose first run of letters this is, if any word begins with two letters like it, and is as long.
    fn run(&self, text: &[u8], at: usize, run: &[u8]) -> u32 {
        let lengths = self.beginnings.get(beginning(run)).copied().unwrap_or_default()
            & self.ends.get(ends(run)).copied().unwrap_or_default();
        if lengths >> run.len().min(LENGTHS) & 1 == 0 { 0 } else { self.known(text, at, run) }
    }

    /// The classes of the words whose first run of letters is the one at `at`.
    fn known(&self, text: &[u8], at: usize, run: &[u8]) -> u32 {
        let slot = hash(run) & (self.starts.len() - 2);
        let (Some(from), Some(to)) = (self.starts.get(slot), self.starts.get(slot + 1)) else { return 0 };
        let entries = self.entries.get(usize::from(*from)..usize::from(*to)).unwrap_or_default();
        let stands = |entry: &&Entry| {
            let start = at.checked_sub(entry.lead)?;
            let end = start + entry.word.len();
            let there = text.get(start..end)?.eq_ignore_ascii_case(entry.word.as_bytes());
            Some(there && !(entry.ends_open && text.get(end).is_some_and(u8::is_ascii_alphabetic)))
        };
        entries.iter().filter(|entry| stands(entry) == Some(true)).fold(0, |found, entry| found | entry.classes)
    }
}

/// What a byte is, bit by bit.
pub(super) mod kind {
    pub const LETTER: u8 = 1;
    pub const DIGIT: u8 = 1 << 1;
    /// Letters, digits and `-_.~`: what stands in a segment of a path unencoded.
    pub const SEGMENT: u8 = 1 << 2;
    /// What names of parameters are made of; anything else looks like a value torn apart.
    pub const NAME: u8 = 1 << 3;
    /// Letters, digits and `-._~+/=`: tokens, and base64.
    pub const TOKEN: u8 = 1 << 4;
    /// Letters, digits and `-/+.*,;= `: lists of media types and codings.
    pub const LIST: u8 = 1 << 5;
    pub const ALPHANUMERIC: u8 = 1 << 6;
    /// Controls but for the tab.
    pub const CONTROL: u8 = 1 << 7;
}

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static KINDS: [u8; 256] = {
    let (mut kinds, mut byte) = ([0; 256], 0_usize);
    while byte < 256 {
        let char = byte as u8;
        if char.is_ascii_alphanumeric() {
            let letter = if char.is_ascii_digit() { kind::DIGIT } else { kind::LETTER };
            kinds[byte] = letter | kind::SEGMENT | kind::NAME | kind::TOKEN | kind::LIST | kind::ALPHANUMERIC;
        } else if byte >= 0x80 {
            kinds[byte] = kind::NAME;
        } else if char < 0x20 && char != b'\t' || char == 0x7f {
            kinds[byte] = kind::CONTROL;
        }
        byte += 1;
    }
    let others: [(&[u8], u8); 4] = [
        (b"-_.~", kind::SEGMENT),
        (b"_-.[]$:@~*/!,", kind::NAME),
        (b"-._~+/=", kind::TOKEN),
        (b"-/+.*,;= ", kind::LIST),
    ];
    let mut each = 0;
    while each < others.len() {
        let (chars, kind) = others[each];
        let mut at = 0;
        while at < chars.len() {
            kinds[chars[at] as usize] |= kind;
            at += 1;
        }
        each += 1;
    }
    kinds
};

/// Whether a byte is of one of these kinds.
fn is(byte: u8, kind: u8) -> bool {
    KINDS.get(usize::from(byte)).is_some_and(|kinds| kinds & kind != 0)
}

/// What all bytes of a text are.
pub(super) fn common(text: &[u8]) -> u8 {
    text.iter().fold(u8::MAX, |kinds, byte| kinds & KINDS.get(usize::from(*byte)).copied().unwrap_or_default())
}

/// Whether all bytes of a text are of one of these kinds.
pub(super) fn is_all(text: &[u8], kind: u8) -> bool {
    common(text) & kind != 0
}

/// Bytes up to which the characters of a text are put together bit by bit.
const SHORT: usize = 40;

/// The characters of a text as bits, and whether there are bytes above 0x7f.
fn characters(text: &[u8]) -> (u128, bool) {
    if text.len() > SHORT { many(text) } else { few(text) }
}

fn few(text: &[u8]) -> (u128, bool) {
    let (mut low, mut high, mut above) = (0_u64, 0_u64, 0_u8);
    for byte in text {
        let bit = 1_u64 << (byte & 63);
        // All ones for the half the byte belongs to.
        let is_high = u64::from(byte >> 6 & 1).wrapping_neg();
        let is_ascii = u64::from(byte >> 7).wrapping_sub(1);
        low |= bit & !is_high & is_ascii;
        high |= bit & is_high & is_ascii;
        above |= byte;
    }
    (u128::from(high) << 64 | u128::from(low), above >= 0x80)
}

/// A store for each byte, and the bits are put together at the end: cheaper than a shift for each.
fn many(text: &[u8]) -> (u128, bool) {
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

/// The first two letters of a run as a number, whatever their case.
fn beginning(run: &[u8]) -> usize {
    match run {
        [first, second, ..] => pair(*first, *second),
        _ => pair(0, 0),
    }
}

/// Its first and its last.
fn ends(run: &[u8]) -> usize {
    match run {
        [first, .., last] => pair(*first, *last),
        _ => pair(0, 0),
    }
}

fn pair(one: u8, other: u8) -> usize {
    usize::from(one & 0x1f) << 5 | usize::from(other & 0x1f)
}
const PAIRS: usize = 1 << 10;

/// Hash of a run of letters, whatever their case.
fn hash(run: &[u8]) -> usize {
    let run = run.get(..HASHED).unwrap_or(run);
    let hash = run.iter().fold(0_u32, |hash, byte| (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 15) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Attack;

    static ONE: Class = Class {
        attack: Attack::Sqli,
        chars: b"",
        words: &["union", "pg_sleep", "or", "information_schema", "x1"],
        may_be: |_, _| false,
        judge: |_| None,
    };
    static TWO: Class = Class {
        attack: Attack::Xss,
        chars: b"",
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
    }

    #[test]
    fn what_is_nothing_to_anybody_is_told_at_once() {
        let words = Words::new(&[&ONE, &TWO]);
        for text in [
            "",
            "short11word",
            "longer12word",
            "2026-01-01T12:00:00Z",
            "+49 221 1234567",
            "Erika Mustermann",
            "a, b! c?",
        ] {
            assert_eq!(words.scan(text.as_bytes()), None, "{text}");
        }
        for text in
            ["union", "Longer12Word", "0123456789ab", "a%b", "a&b", "a\\b", "a=b", "<", "{", "[", "\u{e9}", "a;b", "\0"]
        {
            assert!(words.scan(text.as_bytes()).is_some(), "{text}");
        }
    }
}
