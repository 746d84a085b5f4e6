//! XML read once, for what is wanted of it: elements and attributes by their local names.
//!
//! A scanner of its own: no entities but the five that are always there and characters by number, no document type,
//! so nothing can expand or be fetched. It is a quarter of the size of a general reader (9 KB of Wasm for 34).

use std::borrow::Cow;

use super::collect::{Collector, Place};
use super::found::{Kind, ReadMarks};

/// Elements inside each other that are followed.
const MAX_DEPTH: usize = 64;
/// Characters of the longest reference between `&` and `;`: `#x0010FFFF`.
const MAX_REFERENCE: usize = 10;
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Reads a document into `to`. `cut` says that it goes on past `text`.
///
/// The first token of a pointer is the root element, `@name` an attribute, and an index or `*` after an element's name
/// tells those of that name apart. The value of an element is the text right in it, without space around it.
pub(super) fn read(text: &str, cut: bool, to: &mut Collector<'_>) {
    if cut {
        to.mark(ReadMarks::CUT);
    }
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    match (Scanner { rest, open: Vec::new(), rooted: false }).document(to) {
        Ok(()) => {}
        Err(Stop::End) if cut => {}
        Err(Stop::End | Stop::Fault) => to.mark(ReadMarks::MALFORMED),
        Err(Stop::Deep) => to.mark(ReadMarks::CUT),
        Err(Stop::Doctype) => {
            to.clear();
            to.mark(ReadMarks::MALFORMED);
        }
    }
}

/// Why a document was not read to its end.
enum Stop {
    End,
    Fault,
    Deep,
    Doctype,
}

type Read = Result<(), Stop>;

/// An element whose end tag is still to come.
struct Element<'t> {
    /// With its prefix, as the end tag has to repeat it.
    name: &'t str,
    at: Place,
    number: usize,
    /// The text found so far, where it is wanted.
    text: Option<String>,
}

struct Scanner<'t> {
    rest: &'t str,
    open: Vec<Element<'t>>,
    rooted: bool,
}

impl<'t> Scanner<'t> {
    fn document(&mut self, to: &mut Collector<'_>) -> Read {
        let number = to.open();
        while let Some((text, markup)) = self.rest.split_once('<') {
            self.characters(text, to)?;
            self.rest = markup;
            if self.eat("!--") {
                self.until("-->")?;
            } else if self.eat("![CDATA[") {
                let text = self.until("]]>")?;
                let element = self.open.last_mut().ok_or(Stop::Fault)?;
                element.text.iter_mut().for_each(|known| known.push_str(text));
            } else if self.eat("?") {
                self.until("?>")?;
            } else if self.eat("!") {
                // The start of a comment or of CDATA may have been cut.
                return Err(if self.rest.len() < 7 && !self.rest.starts_with('D') { Stop::End } else { Stop::Doctype });
            } else if self.eat("/") {
                let name = self.until(">")?.trim_end_matches(SPACE);
                let element = self.open.pop().filter(|element| element.name == name).ok_or(Stop::Fault)?;
                close(element, to);
            } else {
                self.start_tag(number, to)?;
            }
        }
        let rest = core::mem::take(&mut self.rest);
        if !self.open.is_empty() {
            return Err(Stop::End);
        }
        self.characters(rest, to)?;
        if self.rooted { Ok(()) } else { Err(Stop::End) }
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let after = self.rest.strip_prefix(prefix);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// What stands before the next `end`, and goes on after it.
    fn until(&mut self, end: &str) -> Result<&'t str, Stop> {
        let (before, after) = self.rest.split_once(end).ok_or(Stop::End)?;
        self.rest = after;
        Ok(before)
    }

    /// What stands before the first of `ends`, and goes on there.
    fn before(&mut self, ends: &[char]) -> Result<&'t str, Stop> {
        let (before, rest) = self.rest.find(ends).and_then(|at| self.rest.split_at_checked(at)).ok_or(Stop::End)?;
        self.rest = rest;
        Ok(before)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches(SPACE);
    }

    /// Text between tags; outside the root element there is none but space.
    fn characters(&mut self, text: &str, to: &mut Collector<'_>) -> Read {
        match self.open.last_mut() {
            Some(Element { text: Some(known), at, .. }) => {
                let (text, sound) = resolved(text);
                known.push_str(&text);
                if !sound {
                    to.mark_at(*at, ReadMarks::MALFORMED);
                }
                Ok(())
            }
            Some(_) => Ok(()),
            None if text.trim_matches(SPACE).is_empty() => Ok(()),
            None => Err(Stop::Fault),
        }
    }

    fn start_tag(&mut self, document: usize, to: &mut Collector<'_>) -> Read {
        let name = self.before(&[' ', '\t', '\n', '\r', '/', '>'])?;
        let (at, parent) = match self.open.last() {
            Some(parent) => (parent.at, parent.number),
            None if self.rooted => return Err(Stop::Fault),
            None => (to.root(), document),
        };
        if name.is_empty() || name.contains('<') {
            return Err(Stop::Fault);
        }
        if self.open.len() == MAX_DEPTH {
            return Err(Stop::Deep);
        }
        self.rooted = true;
        let at = to.element(at, parent, local(name), true);
        let element = Element { name, at, number: to.open(), text: to.ends(at).then(String::new) };
        loop {
            self.space();
            if self.eat(">") {
                self.open.push(element);
                return Ok(());
            }
            if self.eat("/>") {
                close(element, to);
                return Ok(());
            }
            self.attribute(&element, to)?;
        }
    }

    fn attribute(&mut self, element: &Element<'_>, to: &mut Collector<'_>) -> Read {
        let name = self.before(&['=', ' ', '\t', '\n', '\r', '/', '>', '<'])?;
        self.space();
        let assigned = self.eat("=");
        self.space();
        let quote = if self.eat("\"") { "\"" } else { "'" };
        if name.is_empty() || !assigned || quote == "'" && !self.eat("'") {
            return Err(if self.rest.is_empty() { Stop::End } else { Stop::Fault });
        }
        let value = self.until(quote)?;
        if value.contains('<') {
            return Err(Stop::Fault);
        }
        // What names a namespace is no attribute of the element.
        if to.leads_on(element.at) && name != "xmlns" && !name.starts_with("xmlns:") {
            let at = to.element(element.at, element.number, &["@", local(name)].concat(), true);
            let (value, sound) = resolved(value);
            to.scalar(at, &value, Kind::String);
            if !sound {
                to.mark_at(at, ReadMarks::MALFORMED);
            }
            to.leave(at);
        }
        Ok(())
    }
}

fn close(element: Element<'_>, to: &mut Collector<'_>) {
    if let Some(text) = element.text {
        to.scalar(element.at, text.trim_matches(SPACE), Kind::String);
    }
    to.leave(element.at);
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Text with its references resolved, and whether all of them could be; those that could not stay as they are.
fn resolved(text: &str) -> (Cow<'_, str>, bool) {
    let Some((before, mut rest)) = text.split_once('&') else { return (Cow::Borrowed(text), true) };
    let (mut out, mut sound) = (before.to_owned(), true);
    loop {
        let end = rest.bytes().take(MAX_REFERENCE + 1).position(|b| b == b';');
        let reference = end.and_then(|end| Some((character(rest.get(..end)?)?, rest.get(end + 1..)?)));
        match reference {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                sound = false;
            }
        }
        let Some((text, next)) = rest.split_once('&') else { break };
        out.push_str(text);
        rest = next;
    }
    out.push_str(rest);
    (Cow::Owned(out), sound)
}

/// The character a reference stands for.
fn character(reference: &str) -> Option<char> {
    Some(match reference {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = reference.strip_prefix('#')?;
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
            let valid = digits.bytes().all(|b| char::from(b).is_digit(radix));
            let c = valid.then(|| u32::from_str_radix(digits, radix).ok()).flatten().and_then(char::from_u32)?;
            (!c.is_control() || SPACE.contains(&c)).then_some(c)?
        }
    })
}

#[cfg(test)]
mod tests;
