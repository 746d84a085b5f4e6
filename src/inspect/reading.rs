//! A text of the request as some program behind us could read it.

use core::ops::Range;

use super::attack::Attack;
use super::scan::{SAFE, mask};
use crate::session::Severity;

/// Where in a request a text stands. It decides which attacks make sense there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The whole path, percent signs decoded once; and each segment of it that holds more than letters, digits and `-_.~`.
    Path,
    /// Name and value of a parameter in the query. What has no `=` is a value without a name.
    QueryName,
    Query,
    HeaderName,
    Header,
    CookieName,
    Cookie,
    /// Member names and string values of a JSON body (also of JSON inside another text).
    JsonName,
    Json,
    FormName,
    Form,
    /// File name, and the start of the content, of an uploaded file.
    FileName,
    File,
    /// Text and attribute values of an XML body; the body as a whole, with its document type, is `XmlDocument`.
    Xml,
    XmlDocument,
    /// Strings inside a GraphQL document, and its variables. The document itself is judged by `graphql_abuse`.
    GraphqlArgument,
    /// A body of a type that is not taken apart.
    Raw,
}

/// A place in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub part: Part,
    /// Name of the parameter, header (lower case) or cookie; pointer (RFC 6901, items as `*`) of a JSON or GraphQL value,
    /// inside another text after the name of that (`filter/price/$gt`); empty where there is none. With a name as the text
    /// it is what stands with the name's value: `/user/$ne` for the member `$ne`. The client chose it.
    pub name: &'a str,
}

/// What was undone to get from what was sent to a reading; a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layers(pub u16);

impl Layers {
    /// One round of percent decoding is what every server does with path, query and forms, and is not noted.
    pub const PERCENT_TWICE: Self = Self(1);
    /// `%u0027`.
    pub const PERCENT_U: Self = Self(1 << 1);
    /// UTF-8 with more bytes than needed.
    pub const OVERLONG: Self = Self(1 << 2);
    pub const HTML: Self = Self(1 << 3);
    /// `\x27`, `\u0027`, `\047` and the like outside JSON's own.
    pub const ESCAPES: Self = Self(1 << 4);
    pub const BASE64: Self = Self(1 << 5);
    pub const HEX: Self = Self(1 << 6);
    pub const UTF16: Self = Self(1 << 7);
    /// Characters that programs fold to ASCII: full width forms and the like.
    pub const FOLDED: Self = Self(1 << 8);
    /// JSON, XML or a form inside a text.
    pub const NESTED: Self = Self(1 << 9);
    /// Values of one name joined, as some frameworks do.
    pub const JOINED: Self = Self(1 << 10);
    pub const GZIP: Self = Self(1 << 11);

    /// Whether every bit of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One text in one reading.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    pub place: Place<'a>,
    /// Decoded; not always UTF-8.
    pub text: &'a [u8],
    pub layers: Layers,
    pub scan: Scan,
}

impl Reading<'_> {
    /// Whether the text is a parameter of an address in a header: what was looked for or read elsewhere, before.
    pub fn is_in_address(&self) -> bool {
        self.place.part == Part::Header && self.layers.has(Layers::NESTED)
    }
}

/// What one pass over a text tells: enough to know that nothing is there for most classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    /// Which ASCII characters stand in the text, by number.
    pub ascii: u128,
    /// Whether there are bytes above 0x7f.
    pub high: bool,
    /// Which classes have one of their words in it ([`Class::words`]), bit by [`Attack`] as a number.
    pub words: u32,
}

impl Scan {
    /// Whether any of these ASCII characters stands in the text.
    pub fn any(self, characters: &[u8]) -> bool {
        characters.iter().any(|byte| *byte < 128 && self.ascii & (1 << *byte) != 0)
    }

    /// Whether all of these ASCII characters stand in the text.
    pub fn all(self, characters: &[u8]) -> bool {
        characters.iter().all(|byte| *byte < 128 && self.ascii & (1 << *byte) != 0)
    }

    /// Whether the text is words, numbers and paths joined by `-_./:`, as in addresses: nothing sets tokens of a language apart.
    pub fn is_slug(self) -> bool {
        !self.high && self.ascii & !(SAFE | mask(b"/")) == 0
    }

    /// Whether a word of the class stands in the text.
    pub fn word(self, attack: Attack) -> bool {
        self.words & (1 << attack as u32) != 0
    }
}

/// A class that judges one text at a time.
pub struct Class {
    pub attack: Attack,
    /// Lower-case ASCII words without which (or without the characters `may_be` asks for) the class has nothing to say. A word is found
    /// anywhere in the text, whatever its case, if no letter stands directly before or behind it. It may hold any ASCII
    /// characters (`xp_cmdshell`, `<script`, `document.cookie`), a letter among them. Texts of nothing but letters, digits and
    /// `-_.:` with a digit among them (ids, dates, tokens) are not searched for words.
    pub words: &'static [&'static str],
    /// Characters of which one has to stand in a text that holds no word of the class, or [`Class::may_be`] is not asked; `\x80`
    /// stands for all bytes above 0x7f.
    pub chars: &'static [u8],
    /// Whether to look closer. Has to be false for ordinary words, numbers, ids, dates and tokens.
    pub may_be: fn(Scan, Place<'_>) -> bool,
    /// Looks closer: linear in the text, without allocation that grows faster than it.
    pub judge: fn(&Reading<'_>) -> Option<Sign>,
}

impl Class {
    /// [`Class::chars`] of a class that is asked about every text.
    #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
    pub const EVERY: &'static [u8] = &{
        let mut all = [0; 129];
        let mut byte = 0;
        while byte < all.len() {
            all[byte] = byte as u8;
            byte += 1;
        }
        all
    };
}

/// What a class saw in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// 0–100, by how much of the attack's grammar is there: 80 and more blocks a request in `enforce`, so it needs a
    /// structure that no customer types; below 50 is only worth telling beside other findings.
    pub confidence: u8,
    pub severity: Severity,
    /// The telling piece of the text, as short as it can be.
    pub at: Range<usize>,
    /// What was recognised, for an analyst: one clause without the client's text.
    pub what: &'static str,
}
