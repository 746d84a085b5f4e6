//! Paths inside a text: their segments, how far they climb, and by which tricks.

use core::ops::Range;

use super::target::{self, Target};
use crate::inspect::classes::system::{begins, from, part};

/// How far a path goes up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Climb {
    /// Levels above where the path begins.
    pub out: u32,
    /// Steps up in all.
    pub count: u32,
    /// Steps up that are written so that a filter overlooks them.
    pub tricks: u32,
}

/// A path that climbs or names a known file.
pub(super) struct Token {
    pub at: Range<usize>,
    pub climb: Climb,
    pub target: Option<Target>,
    /// Segments with a name.
    pub segments: u32,
}

/// Paths told of one text, at most.
const MOST_TOKENS: usize = 8;

/// The paths of the text that are worth a word. Known files are looked for only where `targets` says so.
pub(super) fn tokens(text: &[u8], targets: bool) -> Vec<Token> {
    let mut found = Vec::new();
    if !targets && !may_climb(text) {
        return found;
    }
    let mut path = Path::new(0);
    let mut at = 0;
    while at < text.len() && found.len() < MOST_TOKENS {
        let (kind, length) = unit(from(text, at));
        match kind {
            Unit::Edge => {
                path.end_segment(text, at, targets);
                found.extend(path.told(at));
                path = Path::new(at + length);
            }
            Unit::Slash(hidden) => {
                path.hidden |= hidden;
                path.end_segment(text, at, targets);
                path.slashes += 1;
                path.segment = at + length;
            }
            Unit::Dot(hidden) => {
                path.hidden |= hidden && path.others == 0;
                path.dots += 1;
            }
            Unit::Parameter if path.others == 0 && path.dots >= 2 => path.parameter = true,
            Unit::Parameter => path.others += 1,
            Unit::Filler if path.dots >= 2 && path.others == 0 => path.hidden = true,
            Unit::Filler | Unit::Other => path.others += 1,
        }
        at += length;
    }
    path.end_segment(text, text.len(), targets);
    found.extend(path.told(text.len()));
    found
}

/// Two dots in a row, or what may stand for them.
fn may_climb(text: &[u8]) -> bool {
    let mut last = 0;
    text.iter().any(|byte| {
        let is_one = *byte == b'.' && last == b'.' || last == 0xc0 || last == b'%' || *byte == b'x' && last == b'0';
        last = *byte;
        is_one
    })
}

enum Unit {
    Slash(bool),
    Dot(bool),
    /// `;` inside a path.
    Parameter,
    /// What programs drop: NUL, white space in front of a slash.
    Filler,
    Other,
    /// The path ends.
    Edge,
}

/// Spellings of slash and dot that are left over when all decoding is done.
const LEFT_OVER: &[(&str, bool)] = &[
    ("0x2f", true),
    ("0x5c", true),
    ("0x2e", false),
    ("%2f", true),
    ("%5c", true),
    ("%2e", false),
    ("%c0%af", true),
    ("%c1%9c", true),
    ("%c0%ae", false),
    ("%u2215", true),
    ("%u2216", true),
    ("%uefc8", true),
    ("%uf025", true),
];

fn unit(rest: &[u8]) -> (Unit, usize) {
    let left_over = || LEFT_OVER.iter().find(|(spelling, _)| begins(rest, spelling.as_bytes()));
    match rest {
        [b'/' | b'\\', ..] => (Unit::Slash(false), 1),
        [b'.', ..] => (Unit::Dot(false), 1),
        [0xc0, 0xaf, ..] | [0xc1, 0x9c, ..] => (Unit::Slash(true), 2),
        [0xc0, 0xae, ..] => (Unit::Dot(true), 2),
        [b';', b'/' | b'\\' | b'.', ..] => (Unit::Parameter, 1),
        [0, ..] => (Unit::Filler, 1),
        [b'0' | b'%', ..] => match left_over() {
            Some((spelling, true)) => (Unit::Slash(true), spelling.len()),
            Some((spelling, false)) => (Unit::Dot(true), spelling.len()),
            None => (Unit::Other, 1),
        },
        [b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'{' | b'}', ..]
        | [b',' | b'|' | b'&' | b'=' | b'#' | b'?' | b';' | b'`' | b':', ..] => (Unit::Edge, 1),
        _ => (Unit::Other, 1),
    }
}

/// A path that is being read.
struct Path {
    start: usize,
    /// Where the segment begins.
    segment: usize,
    dots: u32,
    others: u32,
    parameter: bool,
    hidden: bool,
    slashes: u32,
    depth: i32,
    climb: Climb,
    segments: u32,
    /// Dots of the segment before, if it was nothing but dots.
    last_dots: u32,
    names: target::Names,
    target: Option<Target>,
}

impl Path {
    fn new(start: usize) -> Self {
        Self {
            start,
            segment: start,
            dots: 0,
            others: 0,
            parameter: false,
            hidden: false,
            slashes: 0,
            depth: 0,
            climb: Climb::default(),
            segments: 0,
            last_dots: 0,
            names: target::Names::default(),
            target: None,
        }
    }

    fn up(&mut self, is_trick: bool) {
        self.climb.count += 1;
        self.climb.tricks += u32::from(is_trick);
        self.depth -= 1;
        self.climb.out = self.climb.out.max(u32::try_from(-self.depth).unwrap_or(0));
    }

    fn end_segment(&mut self, text: &[u8], end: usize, targets: bool) {
        let next_is_slash = matches!(unit(from(text, end)).0, Unit::Slash(_));
        let is_between = self.slashes > 0 || next_is_slash;
        if self.others > 0 {
            self.depth += 1;
            self.segments += 1;
            // A name without a slash before it and without a dot in it is a word.
            if targets && (is_between || self.dots > 0) {
                self.names.push(self.segment..end);
                self.target = self.target.max(target::of(text, &self.names));
            }
            self.last_dots = 0;
        } else if self.dots > 0 && is_between {
            // `....//` is `../` to a program that takes `../` out once, and so is `..././`.
            match (self.dots, self.last_dots) {
                (1, 3) => self.up(true),
                (2, _) => self.up(self.hidden || self.parameter),
                (4, _) if matches!(from(text, end), [b'/' | b'\\', b'/' | b'\\', ..]) => self.up(true),
                _ => {}
            }
            self.last_dots = self.dots;
        } else if self.dots == 0 {
            // `..//` and `..\/`; the first slash of a path is none.
            self.climb.tricks += u32::from(self.last_dots == 2 && self.slashes > 0 && next_is_slash);
            self.last_dots = 0;
        }
        (self.dots, self.others, self.parameter, self.hidden) = (0, 0, false, false);
    }

    fn told(&mut self, end: usize) -> Option<Token> {
        (self.climb.count > 0 || self.target.is_some()).then(|| Token {
            at: self.start..end,
            climb: self.climb,
            target: self.target,
            segments: self.segments + self.slashes.min(1),
        })
    }
}

/// The name of a segment as a file system takes it: up to a NUL, without dots, blanks and stream names at its end.
pub(super) fn name(text: &[u8], at: Range<usize>) -> &[u8] {
    let raw = part(text, at);
    let end = raw.iter().position(|byte| matches!(byte, 0 | b'%' | b';')).unwrap_or(raw.len());
    let raw = part(raw, 0..end);
    let tail = raw.iter().rev().take_while(|byte| matches!(byte, b'.' | b' ' | b'~')).count();
    part(raw, 0..raw.len() - tail)
}
