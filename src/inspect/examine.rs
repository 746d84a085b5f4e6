//! One text after another: its readings, and what the classes see in them.

use super::attack::Attack;
use super::decode::{self, DECODERS, Encoded};
use super::inspector::{Cuts, Except, Hit, Inspection, Inspector};
use super::reading::{Layers, Part, Place, Reading, Scan, Sign};
use super::redact;
use super::scan::{DIGITS, LETTERS};
use super::walk;

use crate::session::Severity;
use crate::sorting;

/// Layers of encoding undone on top of each other.
const MAX_LAYERS: u8 = 4;
/// Readings of one text beside the first.
const MAX_READINGS: usize = 7;
/// Hits of one request.
const MAX_HITS: usize = 16;
/// Confidence below which a sign is only worth telling beside other findings, and so never grave.
const HINT: u8 = 50;
/// Bytes of a hit's name.
const MAX_NAME: usize = 128;
/// What a text costs beside its bytes, in bytes.
const TEXT_COST: usize = 32;
/// What a class costs that looks at a text, beside the text's bytes, in bytes.
const CLASS_COST: usize = 64;
/// Longest run of letters and digits that no class looks at when it holds no word.
const PLAIN: usize = 32;

/// How a text was come by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trail {
    pub layers: Layers,
    /// Layers undone.
    pub depth: u8,
    /// Documents inside texts that led here.
    pub nested: u8,
    /// A round of percent decoding was made already, as every server does where the text stands.
    pub percent: bool,
}

impl Trail {
    /// For where names and values are percent-decoded by all servers.
    pub fn decoded(self) -> Self {
        Self { percent: true, ..self }
    }

    /// With what is not noted by a decoder.
    pub fn with(self, layers: Layers) -> Self {
        Self { layers: Layers(self.layers.0 | layers.0), ..self }
    }

    /// For what is read out of a text that is a document.
    pub fn inside(self) -> Self {
        Self { nested: self.nested + 1, ..self.with(Layers::NESTED) }
    }

    /// Nothing more is to be decoded.
    pub fn as_is(self) -> Self {
        Self { depth: MAX_LAYERS + 1, ..self }
    }

    fn under(self, decoder: usize, found: Layers) -> Self {
        // The first round of percent decoding is no layer.
        let percent = decoder == 0;
        let twice = if percent && self.percent { Layers::PERCENT_TWICE } else { Layers::default() };
        let depth = self.depth + u8::from(!percent || self.percent);
        Self { depth, percent: self.percent || percent, ..self.with(found).with(twice) }
    }
}

/// A request being looked at.
pub struct Examination<'i> {
    inspector: &'i Inspector,
    except: &'i Except<'i>,
    hits: Vec<Hit>,
    pub cuts: Cuts,
    work: u32,
    decoded: usize,
    /// Signs seen, wanted or not.
    signs: u32,
}

impl<'i> Examination<'i> {
    pub fn new(inspector: &'i Inspector, except: &'i Except<'i>) -> Self {
        Self { inspector, except, hits: Vec::new(), cuts: Cuts::default(), work: 0, decoded: 0, signs: 0 }
    }

    pub fn finish(mut self) -> Inspection {
        sorting::sort_by_key(&mut self.hits, |hit| core::cmp::Reverse((hit.confidence, hit.severity)));
        Inspection { hits: self.hits, cuts: self.cuts, work: self.work }
    }

    /// Looks at a header by `look`, and by the classes that judge headers, unless the same one was found innocent before.
    pub fn header(&mut self, name: &str, value: &str, look: impl FnOnce(&mut Self)) {
        self.unless_met(name, value, |to| {
            to.judge_header(name, value);
            look(to);
        });
    }

    /// Looks at something by `look`, unless it was found innocent before under this name and text.
    pub fn unless_met(&mut self, name: &str, text: &str, look: impl FnOnce(&mut Self)) {
        let inspector = self.inspector;
        let (is_known, key) = inspector.memory.borrow_mut().knows(name, text);
        if is_known {
            return;
        }
        let (signs, cuts) = (self.signs, self.cuts);
        look(self);
        if let (true, Some(key)) = ((signs, cuts) == (self.signs, self.cuts), key) {
            inspector.memory.borrow_mut().keep(key, name, text);
        }
    }

    /// Shows a header to the classes that judge headers one by one.
    pub fn judge_header(&mut self, name: &str, value: &str) {
        let inspector = self.inspector;
        for class in &inspector.request_classes {
            if let Some(judge) = class.header {
                judge(name, value, &mut |place, text, sign| {
                    self.tell(class.attack, place, text, Layers::default(), &sign);
                });
            }
        }
    }

    /// Takes a text in, in all its readings.
    pub fn text(&mut self, place: Place<'_>, text: &[u8], trail: Trail) {
        if let Some(scan) = self.scan(text) {
            self.readings(place, text, scan, trail);
        }
    }

    /// Takes bytes in that are no text: an object may be built of them.
    pub fn binary(&mut self, place: Place<'_>, bytes: &[u8], trail: Trail) {
        if let Some(scan) = self.scan(bytes) {
            self.judge(place, bytes, trail, scan, Some(Attack::Deserialization));
        }
    }

    /// Looks whether there may be anything in a text; `None` for nearly all texts, and where no more work may be done.
    pub fn scan(&mut self, text: &[u8]) -> Option<Scan> {
        if text.is_empty() || !self.spend(TEXT_COST + text.len()) {
            return None;
        }
        self.inspector.words.scan(text)
    }

    /// Takes a text in that was looked at by [`Examination::scan`].
    pub fn readings(&mut self, place: Place<'_>, text: &[u8], scan: Scan, trail: Trail) {
        let mut queue = self.reading(place, text, scan, trail);
        let mut at = 0;
        while let Some((read, trail)) = queue.get(at) {
            at += 1;
            if !self.spend(TEXT_COST + read.bytes.len()) {
                return;
            }
            let Some(scan) = self.inspector.words.scan(&read.bytes) else { continue };
            let found = if read.binary {
                self.judge(place, &read.bytes, *trail, scan, Some(Attack::Deserialization));
                self.unpacked(&read.bytes, *trail)
            } else {
                self.reading(place, &read.bytes, scan, *trail)
            };
            for (found, trail) in found {
                if found.bytes == text || queue.iter().any(|(known, _)| known.bytes == found.bytes) {
                    continue;
                }
                if queue.len() >= MAX_READINGS {
                    self.cuts.set(Cuts::READINGS);
                    break;
                }
                queue.push((found, trail));
            }
        }
    }

    /// Looks at one reading; answers what it can be decoded to.
    fn reading(&mut self, place: Place<'_>, text: &[u8], scan: Scan, trail: Trail) -> Vec<(Encoded, Trail)> {
        let plain = scan.words == 0 && !scan.high && scan.ascii & !(LETTERS | DIGITS) == 0 && text.len() <= PLAIN;
        if !plain {
            // What is a document from end to end is judged, and decoded, by its members alone.
            if walk::nested(self, place, text, scan, trail) {
                return Vec::new();
            }
            self.judge(place, text, trail, scan, None);
        }
        if decode::may_decode(text, scan) { self.decode(text, scan, trail) } else { Vec::new() }
    }

    fn decode(&mut self, text: &[u8], scan: Scan, trail: Trail) -> Vec<(Encoded, Trail)> {
        let mut all = Vec::new();
        if trail.depth > MAX_LAYERS {
            return all;
        }
        for decoder in 0..DECODERS {
            let Some(found) = decode::decode(decoder, text, scan) else { continue };
            let next = trail.under(decoder, found.layer);
            if next.depth > MAX_LAYERS {
                self.cuts.set(Cuts::LAYERS);
            } else if self.decoded + found.bytes.len() > self.inspector.limits.decoded {
                self.cuts.set(Cuts::DECODED);
            } else {
                self.decoded += found.bytes.len();
                all.push((found, next));
            }
        }
        all
    }

    /// What was compressed with gzip before it was encoded.
    fn unpacked(&mut self, bytes: &[u8], trail: Trail) -> Vec<(Encoded, Trail)> {
        let left = self.inspector.limits.decoded.saturating_sub(self.decoded);
        let plain = bytes.starts_with(decode::GZIP).then(|| decode::inflate(bytes, left)).flatten();
        let Some(plain) = plain.filter(|_| trail.depth < MAX_LAYERS) else { return Vec::new() };
        if !plain.whole {
            self.cuts.set(Cuts::COMPRESSED);
        }
        self.decoded += plain.bytes.len();
        let binary = !decode::is_text(&plain.bytes);
        let trail = trail.under(DECODERS, Layers::GZIP);
        vec![(Encoded { bytes: plain.bytes, layer: Layers::GZIP, binary }, trail)]
    }

    fn judge(&mut self, place: Place<'_>, text: &[u8], trail: Trail, scan: Scan, only: Option<Attack>) {
        let inspector = self.inspector;
        let asked = inspector.words.asked(scan);
        if asked == 0 {
            return;
        }
        for class in inspector.classes.iter().filter(|class| asked >> class.attack as u32 & 1 != 0) {
            if only.is_some_and(|only| only != class.attack) || !(class.may_be)(scan, place) {
                continue;
            }
            if !self.spend(CLASS_COST + text.len()) {
                return;
            }
            let reading = Reading { place, text, layers: trail.layers, scan };
            if let Some(sign) = (class.judge)(&reading) {
                self.tell(class.attack, place, text, trail.layers, &sign);
            }
        }
    }

    /// Counts work; `false` where it is used up.
    fn spend(&mut self, bytes: usize) -> bool {
        let work = self.work.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if work > self.inspector.limits.work {
            self.cuts.set(Cuts::WORK);
            return false;
        }
        self.work = work;
        true
    }

    /// Takes a sign in: the best of a class at a place is kept, and of all the strongest.
    pub fn tell(&mut self, attack: Attack, place: Place<'_>, text: &[u8], layers: Layers, sign: &Sign) {
        self.signs += 1;
        if (self.except)(attack, place) {
            return;
        }
        let name = short(place.name);
        let known = self.hits.iter().position(|hit| hit.attack == attack && hit.part == place.part && hit.name == name);
        let weakest = (0..self.hits.len()).min_by_key(|at| self.hits.get(*at).map(|hit| hit.confidence));
        let at = match (known, weakest) {
            (Some(known), _) => Some(known),
            (None, Some(weakest)) if self.hits.len() >= MAX_HITS => {
                self.cuts.set(Cuts::HITS);
                Some(weakest)
            }
            _ => None,
        };
        let known = at.and_then(|at| self.hits.get_mut(at));
        if known.as_ref().is_some_and(|known| known.confidence >= sign.confidence) {
            return;
        }
        let hit = Hit {
            attack,
            severity: if sign.confidence < HINT { sign.severity.min(Severity::Low) } else { sign.severity },
            confidence: sign.confidence.min(100),
            part: place.part,
            name: name.to_owned(),
            snippet: redact::snippet(place, text, &sign.at),
            what: sign.what,
            layers,
        };
        match known {
            Some(known) => *known = hit,
            None => self.hits.push(hit),
        }
    }
}

/// A name as far as it is kept.
fn short(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

/// A place in the request.
pub fn place(part: Part, name: &str) -> Place<'_> {
    Place { part, name }
}
