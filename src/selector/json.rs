//! JSON (RFC 8259) read once, for what is wanted of it.
//!
//! A scanner of its own, because a deserializer gives up too much here: the digits a number was sent with, what stands
//! before a fault, and everything after a number out of range or half a surrogate pair, which `JSON.parse` of an origin
//! reads without complaint. What is valid is compared with `serde_json` in the tests.

use core::str::Chars;
use std::borrow::Cow;

use super::collect::{Collector, Place};
use super::found::{Kind, ReadMarks};

/// Objects and arrays inside each other that are followed; a bit for each is all that a skipped value costs.
const MAX_DEPTH: u32 = 128;

/// Reads a document into `to`. `cut` says that it goes on past `text`.
pub(super) fn read(text: &str, cut: bool, to: &mut Collector<'_>) {
    run(text, cut, to, |scanner, to| {
        let root = to.root();
        scanner.value(to, root)
    });
}

/// Reads a document that may be an array of which only the first item counts; more are a [`ReadMarks::CUT`].
pub(super) fn read_first(text: &str, cut: bool, to: &mut Collector<'_>) {
    run(text, cut, to, |scanner, to| {
        let root = to.root();
        if !scanner.eat(b'[') {
            return scanner.value(to, root);
        }
        scanner.depth += 1;
        scanner.space();
        if scanner.eat(b']') {
            return Ok(());
        }
        scanner.value(to, root)?;
        scanner.space();
        match scanner.next()? {
            b']' => Ok(()),
            b',' => Err(Stop::More),
            _ => Err(Stop::Fault),
        }
    });
}

fn run(
    text: &str,
    cut: bool,
    to: &mut Collector<'_>,
    value: impl FnOnce(&mut Scanner<'_>, &mut Collector<'_>) -> Read,
) {
    let mut scanner = Scanner { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, depth: 0, cut };
    if cut {
        to.mark(ReadMarks::CUT);
    }
    scanner.space();
    let read = value(&mut scanner, to).and_then(|()| {
        scanner.space();
        if scanner.at == scanner.text.len() { Ok(()) } else { Err(Stop::Fault) }
    });
    match read {
        Ok(()) => {}
        Err(Stop::End) if cut => {}
        Err(Stop::End | Stop::Fault) => to.mark(ReadMarks::MALFORMED),
        Err(Stop::More) => to.mark(ReadMarks::CUT),
    }
}

/// Why a document was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The text ends inside a value.
    End,
    /// The next character cannot stand where it does.
    Fault,
    /// Enough was read: the rest is too deep, or not looked at.
    More,
}

type Read = Result<(), Stop>;

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
    cut: bool,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Result<u8, Stop> {
        self.text.as_bytes().get(self.at).copied().ok_or(Stop::End)
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Ok(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Read {
        if self.next()? == byte { Ok(()) } else { Err(Stop::Fault) }
    }

    fn space(&mut self) {
        while let Ok(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads the value that starts here.
    fn value(&mut self, to: &mut Collector<'_>, at: Place) -> Read {
        if at.is_unwanted() {
            return self.skip();
        }
        match self.peek()? {
            b'{' if to.leads_on(at) => self.object(to, at),
            b'[' if to.leads_on(at) => self.array(to, at),
            b'"' if to.ends(at) => {
                let (text, whole) = self.string()?.decode();
                to.scalar(at, &text, Kind::String);
                if !whole {
                    to.mark_at(at, ReadMarks::MALFORMED);
                }
                Ok(())
            }
            b'-' | b'0'..=b'9' => {
                let text = self.number()?;
                to.scalar(at, text, Kind::Number);
                Ok(())
            }
            b't' => self.literal("true").map(|()| to.scalar(at, "true", Kind::Bool)),
            b'f' => self.literal("false").map(|()| to.scalar(at, "false", Kind::Bool)),
            _ => self.skip(),
        }
    }

    /// Recursion follows pointers only, so that it is as deep as the longest of them.
    fn object(&mut self, to: &mut Collector<'_>, at: Place) -> Read {
        self.enter()?;
        let object = to.open();
        self.space();
        if !self.eat(b'}') {
            loop {
                let name = self.name()?;
                let child = to.member(at, object, &name.decode().0);
                let read = self.value(to, child);
                to.leave(child);
                read?;
                self.space();
                match self.next()? {
                    b',' => self.space(),
                    b'}' => break,
                    _ => return Err(Stop::Fault),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, to: &mut Collector<'_>, at: Place) -> Read {
        self.enter()?;
        self.space();
        if !self.eat(b']') {
            for index in 0.. {
                let child = to.item(at, index);
                let read = self.value(to, child);
                to.leave(child);
                read?;
                self.space();
                match self.next()? {
                    b',' => self.space(),
                    b']' => break,
                    _ => return Err(Stop::Fault),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Read {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Stop::More) } else { Ok(()) }
    }

    /// A member's name with the colon and the space after it.
    fn name(&mut self) -> Result<Text<'t>, Stop> {
        if self.peek()? != b'"' {
            return Err(Stop::Fault);
        }
        let name = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(name)
    }

    /// Passes over the value that starts here, without recursion.
    fn skip(&mut self) -> Read {
        // Bit n: whether the nth container around the current value is an object; the lowest is the innermost.
        let (mut objects, outer) = (0_u128, self.depth);
        loop {
            let mut opened = false;
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'-' | b'0'..=b'9' => drop(self.number()?),
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                open @ (b'{' | b'[') => {
                    self.enter()?;
                    objects = objects << 1 | u128::from(open == b'{');
                    self.space();
                    opened = !matches!(self.peek()?, b'}' | b']');
                    if opened && open == b'{' {
                        self.name()?;
                    }
                }
                _ => return Err(Stop::Fault),
            }
            while !opened && self.depth > outer {
                self.space();
                let object = objects & 1 == 1;
                match self.next()? {
                    b',' => {
                        self.space();
                        if object {
                            self.name()?;
                        }
                        opened = true;
                    }
                    close if close == if object { b'}' } else { b']' } => {
                        objects >>= 1;
                        self.depth -= 1;
                    }
                    _ => return Err(Stop::Fault),
                }
            }
            if self.depth == outer {
                return Ok(());
            }
        }
    }

    fn literal(&mut self, word: &str) -> Read {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'t str, Stop> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        // Where the text was cut, more digits may have followed.
        if self.cut && self.at == self.text.len() {
            return Err(Stop::End);
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// One digit or more.
    fn digits(&mut self) -> Read {
        if !self.next()?.is_ascii_digit() {
            return Err(Stop::Fault);
        }
        while self.peek().is_ok_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    /// The string whose quote is next.
    fn string(&mut self) -> Result<Text<'t>, Stop> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            let rest = self.text.as_bytes().get(at..).unwrap_or_default();
            at += rest.iter().position(|b| matches!(b, b'"' | b'\\' | ..b' ')).ok_or(Stop::End)?;
            self.at = at;
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                    at = self.at;
                }
                _ => return Err(Stop::Fault),
            }
        }
        Ok(Text { inner: self.text.get(start..at).unwrap_or_default(), escaped })
    }

    fn escape(&mut self) -> Read {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    if !self.next()?.is_ascii_hexdigit() {
                        return Err(Stop::Fault);
                    }
                }
                Ok(())
            }
            _ => Err(Stop::Fault),
        }
    }
}

/// A string as it stands between its quotes, known to be valid.
#[derive(Debug, Clone, Copy)]
struct Text<'t> {
    inner: &'t str,
    escaped: bool,
}

impl<'t> Text<'t> {
    /// The text, and whether all of it is text: half a surrogate pair becomes U+FFFD.
    fn decode(self) -> (Cow<'t, str>, bool) {
        if !self.escaped {
            return (Cow::Borrowed(self.inner), true);
        }
        let (mut out, mut whole) = (String::with_capacity(self.inner.len()), true);
        let mut chars = self.inner.chars();
        while let Some(c) = chars.next() {
            out.push(if c != '\\' {
                c
            } else {
                match chars.next() {
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some('u') => unicode(&mut chars).unwrap_or_else(|| {
                        whole = false;
                        char::REPLACEMENT_CHARACTER
                    }),
                    Some(other) => other,
                    None => break,
                }
            });
        }
        (Cow::Owned(out), whole)
    }
}

/// The character of `\uXXXX`, or of a pair of them, after the first `\u`.
fn unicode(chars: &mut Chars<'_>) -> Option<char> {
    let hex = |chars: &mut Chars<'_>| {
        let digits = chars.as_str().get(..4)?;
        *chars = chars.as_str().get(4..)?.chars();
        u32::from_str_radix(digits, 16).ok()
    };
    let first = hex(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    let mut ahead = chars.clone();
    let second = if ahead.next() == Some('\\') && ahead.next() == Some('u') { hex(&mut ahead)? } else { return None };
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    *chars = ahead;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

#[cfg(test)]
mod tests;
