//! The one entry: a request in, what it carries out.

use core::cell::RefCell;
use std::borrow::Cow;

use super::attack::Attack;
use super::classes;
use super::decode;
use super::examine::{Examination, Trail};
use super::memory::Memory;
use super::reading::{Class, Layers, Part, Place};
use super::request::{Body, Request, RequestClass};
use super::scan::Words;
use super::walk;
use crate::session::Severity;

/// Compressed bodies that grow more than this are taken for bombs.
const BOMB: usize = 100;

/// How much of one request is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body, compressed and not.
    pub body: usize,
    /// Bytes that all decoders together may put out for one request.
    pub decoded: usize,
    /// Bytes looked at, each counted for every class that looks; it bounds the time a request takes.
    pub work: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let body = 128 * 1_024;
        Self { body, decoded: 2 * body, work: 2_000_000 }
    }
}

/// What was not looked at, or not as what it may be; a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cuts(pub u16);

impl Cuts {
    /// The body goes on past what was read of it.
    pub const BODY: Self = Self(1);
    /// A text was encoded in more layers than are undone.
    pub const LAYERS: Self = Self(1 << 1);
    /// A text can be read in more ways than are looked at.
    pub const READINGS: Self = Self(1 << 2);
    /// The decoders put out as much as they may.
    pub const DECODED: Self = Self(1 << 3);
    /// Documents inside texts inside documents, deeper than is followed.
    pub const NESTING: Self = Self(1 << 4);
    /// [`Limits::work`] was spent.
    pub const WORK: Self = Self(1 << 5);
    /// There was more than [`Inspection::hits`] holds.
    pub const HITS: Self = Self(1 << 6);
    /// More parameters, cookies, segments or parts than are looked at one by one.
    pub const MEMBERS: Self = Self(1 << 7);
    /// The body is not what its type says: what could not be read as that was looked at as plain text.
    pub const UNREAD: Self = Self(1 << 8);
    /// A compressed body that could not be read to its end.
    pub const COMPRESSED: Self = Self(1 << 9);
    /// It grows as only a bomb does.
    pub const BOMB: Self = Self(1 << 10);
    /// An encoding that is not read here.
    pub const ENCODING: Self = Self(1 << 11);
    /// Only the start of a file, or of a body that is not text.
    pub const FILE: Self = Self(1 << 12);

    /// Adds what `other` marks.
    pub fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether every bit of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An attack at a place of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub attack: Attack,
    pub severity: Severity,
    /// 0–100, as in [`Sign`](super::Sign).
    pub confidence: u8,
    pub part: Part,
    /// As in [`Place::name`]; 128 bytes at most.
    pub name: String,
    /// The telling piece, redacted; 80 bytes at most.
    pub snippet: String,
    /// What was recognised: one clause without the client's text.
    pub what: &'static str,
    pub layers: Layers,
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// The best sign of each class at each place, the strongest first; 16 at most.
    pub hits: Vec<Hit>,
    pub cuts: Cuts,
    /// How much of [`Limits::work`] it took.
    pub work: u32,
}

/// Whether signs of a class at a place are not wanted: the exceptions of the endpoint that was asked for.
pub type Except<'e> = dyn Fn(Attack, Place<'_>) -> bool + 'e;

/// Inspects requests. Built once: it compiles the words of its classes.
pub struct Inspector {
    pub(super) classes: Vec<&'static Class>,
    pub(super) request_classes: Vec<&'static RequestClass>,
    pub(super) words: Words,
    pub(super) limits: Limits,
    /// What is remembered changes no answer, only what it costs.
    pub(super) memory: RefCell<Memory>,
}

impl Inspector {
    /// An inspector with those of all classes that are `on`.
    pub fn new(on: impl Fn(Attack) -> bool, limits: Limits) -> Self {
        let classes = classes::TEXT.iter().copied().filter(|class| on(class.attack)).collect();
        let request_classes = classes::REQUEST.iter().copied().filter(|class| on(class.attack)).collect();
        Self::of(classes, request_classes, limits)
    }

    /// An inspector with these classes.
    pub fn of(classes: Vec<&'static Class>, request_classes: Vec<&'static RequestClass>, limits: Limits) -> Self {
        let words = Words::new(&classes);
        Self { classes, request_classes, words, limits, memory: RefCell::default() }
    }

    /// Looks at all of a request within the limits. The same request gets the same answer.
    pub fn inspect(&self, request: &Request<'_>, except: &Except<'_>) -> Inspection {
        let mut to = Examination::new(self, except);
        let mut trail = Trail::default();
        let body = request.body.map(|body| {
            let (bytes, cut) = self.plain(&body, &mut to, &mut trail);
            (bytes, Body { bytes: &[], cut, ..body })
        });
        let body = body.as_ref().map(|(bytes, body)| Body { bytes, ..*body });
        let request = Request { body, ..*request };
        for class in &self.request_classes {
            (class.judge)(&request, &mut |place, text, sign| {
                to.tell(class.attack, place, text, Layers::default(), &sign);
            });
        }
        walk::request(&mut to, &request, trail);
        to.finish()
    }

    /// The body's start with its compression undone, and whether there is more of it.
    fn plain<'b>(&self, body: &Body<'b>, to: &mut Examination<'_>, trail: &mut Trail) -> (Cow<'b, [u8]>, bool) {
        let start = body.bytes.get(..self.limits.body).unwrap_or(body.bytes);
        let mut cut = body.cut || start.len() < body.bytes.len();
        let encoding = body.content_encoding.trim();
        let known = ["gzip", "x-gzip", "deflate"].iter().any(|known| encoding.eq_ignore_ascii_case(known));
        let mut bytes = Cow::Borrowed(start);
        if known || encoding.is_empty() && start.starts_with(decode::GZIP) {
            if let Some(plain) = decode::inflate(start, self.limits.body) {
                if plain.bytes.len() / BOMB > start.len() {
                    to.cuts.set(Cuts::BOMB);
                }
                if !plain.whole {
                    to.cuts.set(Cuts::COMPRESSED);
                    cut = true;
                }
                trail.layers.0 |= Layers::GZIP.0;
                bytes = Cow::Owned(plain.bytes);
            } else if !start.is_empty() {
                to.cuts.set(Cuts::COMPRESSED);
            }
        } else if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
            to.cuts.set(Cuts::ENCODING);
        }
        if cut {
            to.cuts.set(Cuts::BODY);
        }
        (bytes, cut)
    }
}
