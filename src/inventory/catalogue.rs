//! All documents together, as requests are compared with them.
//!
//! Documents of one title are versions of one API, the newest first: what an older one has below a base path that the
//! newest serves, and the newest has not, was **removed**. Where documents contradict each other, the one that lets a
//! request be documented wins. A path is compared as it was sent; then with or without a slash at its end, without
//! empty segments, and at last without regard to case. The host decides only between documents that claim one path: a
//! deployment answers under more names than its documents list.

use std::borrow::Cow;
use std::collections::HashSet;

use super::openapi::{Base, Document, Segment, Template, host_of};
use super::state::{Inventory, is_asset, shows_existence};
use super::template::Shape;
use super::trie::Trie;

/// How a document speaks of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Current,
    Deprecated,
    /// An older version of the document has it, the newest has not.
    Removed,
}

/// An operation below one base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub method: Box<str>,
    /// Base path and path, as written.
    pub template: Box<str>,
    /// `None` for any.
    pub host: Option<Box<str>>,
    pub standing: Standing,
    pub secured: bool,
    /// Which of the documents says so, and at which place among its operations.
    pub document: usize,
    pub operation: usize,
}

/// Documents to compare with, the newest of each title first.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    trie: Trie<Vec<u32>>,
    known: Vec<Known>,
    covered: Vec<Base>,
    /// Templates beyond documents, found by template: typed segments stand for themselves.
    templates: Trie<Option<Box<str>>>,
    count: usize,
}

/// How a path that fits differs from what is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    Exact,
    /// A slash at the end, or an empty segment, too much or too little.
    Slash,
    Case,
}

/// What a request is compared by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen<'a> {
    pub method: &'a str,
    /// The method that a header puts in the place of POST; empty for none.
    pub overriding: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub status: u16,
    /// The response says that the endpoint is deprecated or has an end.
    pub retiring: bool,
}

/// What the comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared<'a> {
    /// The documented template, where the path has one, whether or not the method is documented.
    pub template: Option<&'a str>,
    /// The operation, where a document has it.
    pub known: Option<&'a Known>,
    /// `None` where no document speaks about it, or the answer does not show that there is anything.
    pub inventory: Option<Inventory>,
}

impl Catalogue {
    /// Puts documents together.
    pub fn new<'d>(documents: impl IntoIterator<Item = &'d Document>) -> Self {
        let documents: Vec<&Document> = documents.into_iter().collect();
        let mut catalogue = Self { count: documents.len(), ..Self::default() };
        let newest =
            |at: usize, document: &Document| documents.iter().position(|d| d.title == document.title) == Some(at);
        for (at, document) in documents.iter().enumerate().filter(|(at, document)| newest(*at, document)) {
            catalogue.take(at, document, &HashSet::new());
        }
        for (at, document) in documents.iter().enumerate().filter(|(at, document)| !newest(*at, document)) {
            let successor = documents.iter().find(|d| d.title == document.title);
            let served = successor.into_iter().flat_map(|d| d.located()).map(|(_, base)| base.path.as_str());
            let own = successor.into_iter().flat_map(|d| &d.bases).map(|base| base.path.as_str());
            catalogue.take(at, document, &served.chain(own).collect());
        }
        let bases = documents.iter().flat_map(|d| d.bases.iter().chain(d.located().map(|(_, base)| base)));
        catalogue.covered = bases.cloned().collect();
        catalogue.covered.sort();
        catalogue.covered.dedup();
        catalogue
    }

    /// The same with templates that no document has: hints of the configuration, and what was learned.
    pub fn with_templates<'t>(mut self, templates: impl IntoIterator<Item = &'t str>) -> Self {
        for text in templates {
            let Ok(mut template) = Template::parse(text) else { continue };
            for (segment, text) in template.segments.iter_mut().zip(text.split('/').skip(1)) {
                if Shape::is_placeholder(text) {
                    *segment = Segment::Literal(text.to_owned());
                }
            }
            if let Some(here) = self.templates.at(&template) {
                *here = Some(text.into());
            }
        }
        self
    }

    /// The template that a template by form is an instance of.
    pub fn template_of(&self, by_form: &str) -> Option<&str> {
        self.templates.find(by_form, false, |here| here.is_some())?.as_deref()
    }

    /// Takes a document in; `replaced` are the base paths that a newer version of it serves.
    fn take(&mut self, at: usize, document: &Document, replaced: &HashSet<&str>) {
        for (place, operation, base) in document.numbered() {
            let text = [base.path.as_str(), operation.path.as_str()].concat();
            let (Ok(template), Ok(number)) = (Template::parse(&text), u32::try_from(self.known.len())) else {
                continue;
            };
            let Some(here) = self.trie.at(&template) else { continue };
            let is_older = replaced.contains(base.path.as_str());
            let is_there =
                here.iter().filter_map(|n| self.known.get(*n as usize)).any(|k| *k.method == *operation.method);
            if is_older && is_there {
                continue;
            }
            let standing = match operation.deprecated {
                _ if is_older => Standing::Removed,
                true => Standing::Deprecated,
                false => Standing::Current,
            };
            here.push(number);
            self.known.push(Known {
                method: operation.method.as_str().into(),
                template: text.into(),
                host: base.host.as_deref().map(Into::into),
                standing,
                secured: operation.secured,
                document: at,
                operation: place,
            });
        }
    }

    /// Whether there is nothing to compare with.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every operation.
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// Compares a request and its answer with the documents.
    pub fn compare(&self, seen: &Seen<'_>) -> Compared<'_> {
        let retiring = || seen.retiring.then_some(Inventory::Zombie);
        if self.is_empty() {
            return Compared { inventory: retiring(), ..Compared::default() };
        }
        let path = plain(seen.path);
        if let Some((known, _)) = self.find(seen.method, seen.host, &path).or_else(|| self.overridden(seen, &path)) {
            let is_zombie = seen.retiring || known.standing > Standing::Current;
            let inventory = if is_zombie { Inventory::Zombie } else { Inventory::Documented };
            return Compared { template: Some(&known.template), known: Some(known), inventory: Some(inventory) };
        }
        let template = self.path(&path).map(|known| &*known.template);
        // A preflight or a question about methods is answered by frameworks, whatever is there.
        if seen.method == "OPTIONS" {
            let inventory = template.map(|_| Inventory::Documented);
            return Compared { template, known: None, inventory };
        }
        let is_shadow = shows_existence(seen.status) && self.covers(&path) && !is_asset(seen.method, &path);
        Compared { template, known: None, inventory: retiring().or(is_shadow.then_some(Inventory::Shadow)) }
    }

    fn overridden(&self, seen: &Seen<'_>, path: &str) -> Option<(&Known, Variant)> {
        if seen.method != "POST" || seen.overriding.is_empty() || seen.overriding.len() > 16 {
            return None;
        }
        self.find(&seen.overriding.to_ascii_uppercase(), seen.host, path)
    }

    /// The operation that a request of this method to this path is; HEAD is answered wherever GET is.
    pub fn find(&self, method: &str, host: &str, path: &str) -> Option<(&Known, Variant)> {
        let of = |method: &str| {
            let has = |numbers: &Vec<u32>| self.of_method(numbers, method).next().is_some();
            self.look_up(path, &has).and_then(|(numbers, variant)| Some((self.best(numbers, method, host)?, variant)))
        };
        of(method).or_else(|| if method == "HEAD" { of("GET") } else { None })
    }

    /// What documents claim the operation: all that say something about the same method and template.
    pub fn claims<'c>(&'c self, known: &'c Known) -> impl Iterator<Item = &'c Known> {
        let here = self.trie.find(&known.template, false, |numbers| self.has(numbers, known));
        here.into_iter()
            .flatten()
            .filter_map(|number| self.known.get(*number as usize))
            .filter(|other| other.method == known.method)
    }

    fn has(&self, numbers: &[u32], known: &Known) -> bool {
        numbers.iter().filter_map(|number| self.known.get(*number as usize)).any(|other| core::ptr::eq(other, known))
    }

    /// Whether a document has this path, with whatever method.
    pub fn has_path(&self, path: &str) -> bool {
        self.path(path).is_some()
    }

    /// Any operation on this path.
    fn path(&self, path: &str) -> Option<&Known> {
        let (numbers, _) = self.look_up(path, &|_| true)?;
        numbers.first().and_then(|number| self.known.get(*number as usize))
    }

    fn of_method<'s, 'm>(
        &'s self,
        numbers: &'m [u32],
        method: &'m str,
    ) -> impl Iterator<Item = &'s Known> + use<'s, 'm> {
        numbers
            .iter()
            .filter_map(|number| self.known.get(*number as usize))
            .filter(move |known| *known.method == *method)
    }

    fn best(&self, numbers: &[u32], method: &str, host: &str) -> Option<&Known> {
        let first = self.of_method(numbers, method).next()?;
        if numbers.len() == 1 {
            return Some(first);
        }
        let host = host_of(host);
        let is_of_host = |known: &Known| known.host.as_deref().is_none_or(|of| of == host);
        let best = |known: &&Known| (!is_of_host(known), known.standing);
        self.of_method(numbers, method).min_by_key(best)
    }

    fn look_up(&self, path: &str, wanted: &dyn Fn(&Vec<u32>) -> bool) -> Option<(&Vec<u32>, Variant)> {
        if let Some(found) = self.trie.find(path, false, wanted) {
            return Some((found, Variant::Exact));
        }
        let collapsed = collapsed(path);
        let other = match collapsed.strip_suffix('/') {
            Some(without) if !without.is_empty() => Cow::Borrowed(without),
            _ => Cow::Owned([&*collapsed, "/"].concat()),
        };
        let variants = [(&*collapsed, Variant::Slash), (&*other, Variant::Slash)];
        for ignore_case in [false, true] {
            for (path, variant) in variants {
                if let Some(found) = self.trie.find(path, ignore_case, wanted) {
                    return Some((found, if ignore_case { Variant::Case } else { variant }));
                }
            }
        }
        None
    }

    /// Whether a document speaks about paths like this one: below a base of it, or below the same with another version.
    pub fn covers(&self, path: &str) -> bool {
        self.covered.iter().any(|base| {
            let mut segments = path.split('/');
            base.path.split('/').all(|of_base| {
                segments.next().is_some_and(|of_path| {
                    of_base.eq_ignore_ascii_case(of_path) || (is_version(of_base) && is_version(of_path))
                })
            })
        })
    }
}

/// `v1`, `v2.1`, `2024-10-01`.
fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix(['v', 'V']).unwrap_or(segment);
    digits.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
}

/// A path without matrix parameters and with characters that need no encoding decoded (RFC 3986, section 6.2.2.2): an
/// encoded slash stays part of its segment.
pub fn plain(path: &str) -> Cow<'_, str> {
    if !path.bytes().any(|b| matches!(b, b'%' | b';')) {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let bytes = path.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b';' => at += bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|b| **b != b'/').count()),
            b'%' => {
                let hex = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16));
                let decoded = hex(0).zip(hex(1)).map(|(high, low)| (high * 16 + low) as u8);
                match decoded.filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')) {
                    Some(decoded) => {
                        out.push(decoded);
                        at += 2;
                    }
                    None => out.push(byte),
                }
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// A path without empty segments, but for one at its end.
fn collapsed(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
