//! OpenAPI documents: what an API says of itself. Text → [`Document`], 3.0 and 3.1, as JSON or YAML.
//!
//! A document keeps what requests are compared with (paths, methods, servers, what is deprecated, contracts) and nothing
//! of its prose. Every problem is found in one go and named by its JSON pointer; what does not stand in the way of
//! comparing is a warning. References outside the document are not followed.

mod path;
mod read;
mod servers;
mod source;

pub use path::{Segment, Template, fits};
pub use read::resolve;
pub use servers::host_of;
pub use source::MAX_VALUES;

use serde::{Deserialize, Serialize};

use super::contract::{Contract, Schema};

/// Longest text of a document, bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Paths of one document.
pub const MAX_PATHS: usize = 10_000;
/// Problems told of one document.
const MAX_FAULTS: usize = 20;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub title: String,
    pub version: String,
    /// Where its paths begin; never empty.
    pub bases: Vec<Base>,
    pub operations: Vec<Operation>,
    /// What the contracts of operations refer to.
    pub schemas: Vec<Schema>,
}

/// Where paths begin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Base {
    /// Lower case, without a port; `None` for any.
    pub host: Option<String>,
    /// Starts with `/` and does not end with it; empty for the root.
    pub path: String,
}

/// One method on one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Upper case.
    pub method: String,
    /// As written in the document, below a base.
    pub path: String,
    pub deprecated: bool,
    /// Whether it says that callers have to authenticate.
    pub secured: bool,
    /// Bases of its own; empty for those of the document.
    pub bases: Vec<Base>,
    pub contract: Contract,
}

/// Something about a document, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// RFC 6901; empty for the whole document.
    pub pointer: String,
    pub reason: String,
}

impl Fault {
    fn at(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let pointer = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{pointer}: {}", self.reason)
    }
}

impl Document {
    /// Reads a document; answers it with what is odd about it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, up to twenty problems.
    pub fn parse(text: &str) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let value = source::parse(text).map_err(|fault| vec![fault])?;
        read::document(&value)
    }

    /// The same of a document that is JSON already.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`].
    pub fn from_value(value: &serde_json::Value) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        read::document(value)
    }

    /// Every operation with the bases it has.
    pub fn located(&self) -> impl Iterator<Item = (&Operation, &Base)> {
        self.numbered().map(|(_, operation, base)| (operation, base))
    }

    /// The same with the place of each operation.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Operation, &Base)> {
        self.operations.iter().enumerate().flat_map(|(place, operation)| {
            let bases = if operation.bases.is_empty() { &self.bases } else { &operation.bases };
            bases.iter().map(move |base| (place, operation, base))
        })
    }
}

#[cfg(test)]
mod tests;
