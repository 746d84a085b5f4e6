//! JSON (RFC 8259) read once, for what is wanted of it.
//!
//! A scanner of its own, because a deserializer gives up too much here: the digits a number was sent with, what stands
//! before a fault, and everything after a number out of range or half a surrogate pair, which `JSON.parse` of an origin
//! reads without complaint. What is valid is compared with `serde_json` in the tests.

mod scan;
mod stream;
mod string;

use super::collect::{Collector, Place};
use super::found::{Kind, ReadMarks};
use scan::{Read, Scanner, Stop};

pub(crate) use stream::{Item, Visitor, stream, visit};

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

impl Scanner<'_> {
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
}

#[cfg(test)]
mod tests;
