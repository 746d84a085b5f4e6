//! The tokens of SQL, as the union of what MySQL, PostgreSQL, SQL Server, Oracle and SQLite read.
//!
//! Where two of them differ, the reading is taken that makes more of a text into SQL. Comments are space; what stands in a
//! `/*! */` is code.

use super::words::{self, Word};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    /// A string that the text ends in.
    OpenText,
    /// `@name`, `@@name`.
    Variable,
    Name,
    Word(Word),
    Compares,
    /// `+ - ~ !`, before an operand or between two.
    Sign,
    /// `*`: times, or all columns.
    Star,
    /// `/ % ^ | & ->`.
    Arithmetic,
    /// `||` and `&&`.
    Bool,
    Comma,
    Dot,
    Open,
    Close,
    Semicolon,
    Brace,
    /// A comment up to the end of the text.
    Comment,
    /// Nothing that SQL knows.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Reads tokens from `at` on.
pub struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    /// An executable comment is open.
    in_code: bool,
    /// A dollar quote was looked for in vain; to look again would cost as much each time.
    no_dollars: bool,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t [u8], at: usize) -> Self {
        Self { text, at, in_code: false, no_dollars: false }
    }

    /// All tokens; a plus that stands for a space, as in forms, is left out.
    pub fn all(self) -> Vec<Token> {
        self.first(usize::MAX)
    }

    /// As many of them.
    pub fn first(mut self, most: usize) -> Vec<Token> {
        let mut tokens: Vec<Token> = Vec::new();
        while tokens.len() < most
            && let Some(token) = self.next()
        {
            let is_plus = |t: &Token| t.kind == Kind::Sign && self.text.get(t.start) == Some(&b'+');
            let parts = |t: &Token| t.kind == Kind::Comment || matches!(t.kind, Kind::Word(word) if !word.is_operand());
            if parts(&token) {
                tokens.pop_if(|last| is_plus(last));
            }
            if !(is_plus(&token) && tokens.last().is_some_and(parts)) {
                tokens.push(token);
            }
        }
        tokens
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Goes to the byte that `ends`, or the end of the text; answers whether it was there.
    fn skip_to(&mut self, ends: impl Fn(u8) -> bool) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| ends(*byte));
        self.at += length.unwrap_or(rest.len());
        length.is_some()
    }

    /// Goes behind the next `end`; answers whether there is one.
    fn skip_past(&mut self, end: &[u8]) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at += found.map_or(rest.len(), |at| at + end.len());
        found.is_some()
    }

    /// The next token; `None` at the end of the text.
    pub fn next(&mut self) -> Option<Token> {
        loop {
            let start = self.at;
            let byte = *self.text.get(start)?;
            if let Some(length) = space(self.text, start) {
                self.at += length;
                continue;
            }
            let kind = match byte {
                b'/' if self.peek(1) == b'*' => {
                    if self.comment() {
                        continue;
                    }
                    Kind::Comment
                }
                b'*' if self.in_code && self.peek(1) == b'/' => {
                    self.in_code = false;
                    self.at += 2;
                    continue;
                }
                b'-' if self.peek(1) == b'-' && self.peek(2) != b'>' => self.line(2)?,
                b'#' if self.peek(1) != b'>' => self.line(1)?,
                _ => self.token(byte),
            };
            // A comment that ended with its line is space.
            let rest = self.text.get(self.at..).unwrap_or_default();
            if kind == Kind::Comment && !rest.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(Token { kind, start, end: self.at });
        }
    }

    /// Answers whether the comment ended (or is code), so that it is space.
    fn comment(&mut self) -> bool {
        self.at += 2;
        let (marker, letter) = (self.peek(0), self.peek(1));
        if marker == b'!' || (marker == b'M' && letter == b'!') {
            self.at += if marker == b'!' { 1 } else { 2 };
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
            self.in_code = true;
            return true;
        }
        self.skip_past(b"*/")
    }

    fn line(&mut self, marker: usize) -> Option<Kind> {
        self.at += marker;
        self.skip_to(|byte| matches!(byte, b'\n' | b'\r'));
        Some(Kind::Comment)
    }

    fn token(&mut self, byte: u8) -> Kind {
        match byte {
            b'\'' | b'"' => self.string(byte),
            b'`' => {
                self.at += 1;
                let closed = self.skip_past(b"`");
                if closed { Kind::Name } else { Kind::OpenText }
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            b'@' => self.variable(),
            b'$' => self.dollars(),
            b'\\' if matches!(self.peek(1), b'N') => self.take(2, Kind::Number),
            b'[' => self.bracketed(),
            _ => self.operator(byte),
        }
    }

    fn take(&mut self, length: usize, kind: Kind) -> Kind {
        self.at += length;
        kind
    }

    fn operator(&mut self, byte: u8) -> Kind {
        let next = self.peek(1);
        match (byte, next) {
            (b'<', b'=') if self.peek(2) == b'>' => self.take(3, Kind::Compares),
            (b'-', b'>') => self.take(if self.peek(2) == b'>' { 3 } else { 2 }, Kind::Arithmetic),
            (b'#', b'>') => self.take(if self.peek(2) == b'>' { 3 } else { 2 }, Kind::Arithmetic),
            (b'=', b'=') if self.peek(2) == b'=' => self.take(3, Kind::Compares),
            (b'=' | b'<' | b'>' | b'!' | b':' | b'^', b'=') | (b'<', b'>' | b'@') | (b'!', b'~' | b'<' | b'>') => {
                self.take(2, Kind::Compares)
            }
            (b'=' | b'<' | b'>', _) => self.take(1, Kind::Compares),
            (b':', b':') => self.take(2, Kind::Dot),
            (b'|', b'|') | (b'&', b'&') => self.take(2, Kind::Bool),
            (b'+' | b'-' | b'~' | b'!', _) => self.take(1, Kind::Sign),
            (b'*', _) => self.take(1, Kind::Star),
            (b'/' | b'%' | b'^' | b'|' | b'&', _) => self.take(1, Kind::Arithmetic),
            (b',', _) => self.take(1, Kind::Comma),
            (b'.', _) => self.take(1, Kind::Dot),
            (b'(', _) => self.take(1, Kind::Open),
            (b')', _) => self.take(1, Kind::Close),
            (b';', _) => self.take(1, Kind::Semicolon),
            (b'{' | b'}', _) => self.take(1, Kind::Brace),
            _ => self.take(1, Kind::Other),
        }
    }

    /// A string that begins with `quote`; doubled and after a backslash the quote is text.
    fn string(&mut self, quote: u8) -> Kind {
        self.at += 1;
        while self.skip_to(|byte| byte == quote || byte == b'\\') {
            if self.peek(0) == b'\\' || self.peek(1) == quote {
                self.at = (self.at + 2).min(self.text.len());
            } else {
                self.at += 1;
                return Kind::Text;
            }
        }
        Kind::OpenText
    }

    /// `0x1f`, `0b01`, `1`, `1.5`, `.5`, `1e0`. What follows directly is a token of its own: `1e0union`.
    fn number(&mut self) -> Kind {
        let (is_digit, skip): (fn(u8) -> bool, usize) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'0', b'x' | b'X', digit) if digit.is_ascii_hexdigit() => (|byte| byte.is_ascii_hexdigit(), 2),
            (b'0', b'b' | b'B', b'0' | b'1') => (|byte| matches!(byte, b'0' | b'1'), 2),
            _ => (|byte| byte.is_ascii_digit(), 0),
        };
        self.at += skip;
        self.skip_to(|byte| !is_digit(byte));
        if skip == 0 {
            if self.peek(0) == b'.' {
                self.at += 1;
                self.skip_to(|byte| !byte.is_ascii_digit());
            }
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if matches!(self.peek(0), b'e' | b'E') && self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.skip_to(|byte| !byte.is_ascii_digit());
            }
        }
        Kind::Number
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        while let Some(byte) = self.text.get(self.at) {
            let in_word = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || *byte >= 0x80;
            if !in_word || (*byte >= 0x80 && !inside_letter(self.text, self.at) && space(self.text, self.at).is_some())
            {
                break;
            }
            self.at += 1;
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        if self.peek(0) == b'\'' {
            match word {
                [b'n' | b'N' | b'x' | b'X' | b'b' | b'B' | b'e' | b'E'] | [b'_', ..] => return self.string(b'\''),
                [b'q' | b'Q'] | [b'n' | b'N', b'q' | b'Q'] => return self.own_quotes(),
                _ => {}
            }
        }
        words::kind(word)
    }

    /// Oracle's `q'[…]'`.
    fn own_quotes(&mut self) -> Kind {
        let close = match self.peek(1) {
            b'[' => b']',
            b'(' => b')',
            b'{' => b'}',
            b'<' => b'>',
            other => other,
        };
        self.at = (self.at + 2).min(self.text.len());
        if self.skip_past(&[close, b'\'']) { Kind::Text } else { Kind::OpenText }
    }

    fn variable(&mut self) -> Kind {
        if self.peek(1) == b'>' {
            return self.take(2, Kind::Compares);
        }
        let start = self.at;
        self.skip_to(|byte| byte != b'@');
        let marks = self.at - start;
        self.skip_to(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')));
        if self.at - start > marks { Kind::Variable } else { Kind::Other }
    }

    /// PostgreSQL's `$$…$$` and `$tag$…$tag$`.
    fn dollars(&mut self) -> Kind {
        const MAX_TAG: usize = 16;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let tag = rest.iter().skip(1).take(MAX_TAG).position(|byte| !(byte.is_ascii_alphabetic() || *byte == b'_'));
        let tag = tag.and_then(|length| rest.get(..length + 2)).filter(|tag| tag.ends_with(b"$"));
        let Some(tag) = tag.filter(|_| !self.no_dollars) else { return self.take(1, Kind::Other) };
        let start = self.at;
        self.at += tag.len();
        if self.skip_past(tag) {
            return Kind::Text;
        }
        self.no_dollars = true;
        self.at = start + 1;
        Kind::Other
    }

    /// SQL Server's `[name]`.
    fn bracketed(&mut self) -> Kind {
        const MAX_NAME: usize = 64;
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = rest.iter().take(MAX_NAME).position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
        match length.filter(|length| *length > 0 && rest.get(*length) == Some(&b']')) {
            Some(length) => self.take(length + 2, Kind::Name),
            None => self.take(1, Kind::Other),
        }
    }
}

/// Whether the byte goes on a letter of UTF-8 that began before it.
fn inside_letter(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|byte| *byte >= 0x80)
}

/// Bytes of the space at `at`: what some database passes over, in one-byte alphabets and in UTF-8.
fn space(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [0..=0x20 | 0x7f | 0xa0, ..] => Some(1),
        [0xc2, 0xa0 | 0x85, ..] => Some(2),
        [0xe2, 0x80, 0x80..=0x8b | 0xa8..=0xaf, ..] | [0xe3, 0x80, 0x80, ..] | [0xef, 0xbb, 0xbf, ..] => Some(3),
        _ => None,
    }
}
