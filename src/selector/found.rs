//! What reading a selector yields: values, and what was out of the ordinary about reading them.

use core::fmt;
use std::borrow::Cow;

use super::message::Trust;

/// Values one selector yields at most.
pub const MAX_VALUES: usize = 64;
/// Bytes of the longest value. A longer one is left out whole: a part of it as a key would join strangers.
pub const MAX_VALUE: usize = 4_096;

/// What a value is where it stands; everything that is not JSON is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    #[default]
    String,
    Number,
    Bool,
}

/// One value: never empty, and a number with the very digits it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub kind: Kind,
    /// `Some` where the value came out of the claims of a token.
    pub trust: Option<Trust>,
}

/// Everything a selector found in one message, in the order it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub values: Vec<Value>,
    pub marks: ReadMarks,
}

impl Found {
    /// Takes a value in unless it is empty, too long or one too many; the latter two are marked.
    pub(super) fn push(&mut self, value: Value) {
        if value.text.len() > MAX_VALUE || self.values.len() >= MAX_VALUES {
            self.marks.set(ReadMarks::CUT);
        } else if !value.text.is_empty() {
            self.values.push(value);
        }
    }

    /// Leaves out what is too long; for values that were let through at any length.
    pub(super) fn limited(mut self) -> Self {
        let all = self.values.len();
        self.values.retain(|value| value.text.len() <= MAX_VALUE);
        if self.values.len() < all {
            self.marks.set(ReadMarks::CUT);
        }
        self
    }

    /// Nothing but marks.
    pub(super) fn marked(marks: ReadMarks) -> Self {
        Self { values: Vec::new(), marks }
    }
}

/// The first value of a selector, borrowed from the request where nothing had to be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstValue<'a> {
    pub text: Cow<'a, str>,
    /// `Some` where the value came out of the claims of a token.
    pub trust: Option<Trust>,
}

/// What was out of the ordinary about reading a selector; a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadMarks(u8);

impl ReadMarks {
    /// There may be more than was found: the body was cut, nested too deep, or held too many or too long values.
    pub const CUT: Self = Self(1);
    /// The text is not what it is read as: a body that breaks its content type, base64 that is none, and the like.
    pub const MALFORMED: Self = Self(1 << 1);
    /// A wanted cookie, parameter, field or member stands more than once, so that readers may differ on its value.
    pub const DUPLICATE: Self = Self(1 << 2);

    const NAMES: [(Self, &'static str); 3] =
        [(Self::CUT, "cut"), (Self::MALFORMED, "malformed"), (Self::DUPLICATE, "duplicate")];

    /// Adds every mark of `other`.
    pub fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether every mark of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is marked.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The marks by name.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(mark, _)| self.has(*mark)).map(|(_, name)| name)
    }
}

impl fmt::Debug for ReadMarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
