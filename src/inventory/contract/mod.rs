//! Contracts: what a document says of the messages of an operation, and whether a request and its answer keep to it.
//!
//! The subset of JSON Schema that OpenAPI 3.0 and 3.1 share and that says something about a single message. What a
//! document leaves open is open, and what is not read here (`pattern`, `not`, `if`, formats that are unknown) asks for
//! nothing: a contract is never stricter than its document. Schemas lie in one list, so that a circle of references is
//! a number that comes again.

mod check;
mod read;
mod text;

pub use check::{Answered, Asked, Fault, Side, answer, request, told};
pub use read::Reader;

use serde::{Deserialize, Serialize};

/// Schemas of one document; what lies beyond is open.
pub const MAX_SCHEMAS: usize = 20_000;
/// Longest body that is compared, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// The number of a schema in its document; [`ANYTHING`] asks for nothing.
pub type Node = u32;
pub const ANYTHING: Node = 0;

/// What a document says of the messages of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contract {
    pub parameters: Vec<Parameter>,
    /// Whether query parameters may have names that are not listed.
    pub open_query: bool,
    pub body: Vec<Media>,
    pub body_required: bool,
    pub answers: Vec<Answer>,
}

/// Where a parameter stands. Cookies are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Path,
    Query,
    Header,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub place: Place,
    /// Of a header in lower case.
    pub name: Box<str>,
    pub required: bool,
    pub schema: Node,
    /// What stands between the values of a list in one text; `None` where each stands by itself.
    pub separator: Option<char>,
}

/// A body of a media type or range of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Lower case, without parameters.
    pub range: Box<str>,
    pub schema: Node,
}

/// What is answered with a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// A code, the first digit of a class, or 0 for all others.
    pub status: u16,
    pub media: Vec<Media>,
}

/// Types, a bit each.
pub mod types {
    pub const NULL: u8 = 1;
    pub const BOOLEAN: u8 = 1 << 1;
    pub const OBJECT: u8 = 1 << 2;
    pub const ARRAY: u8 = 1 << 3;
    pub const NUMBER: u8 = 1 << 4;
    pub const STRING: u8 = 1 << 5;
    pub const INTEGER: u8 = 1 << 6;
}

/// What a value has to be. The default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// Bits of [`types`]; 0 for any.
    pub types: u8,
    /// What it may be; empty for anything.
    pub values: Vec<Scalar>,
    pub format: Format,
    pub least: Option<Bound>,
    pub most: Option<Bound>,
    /// Characters of a text, items of a list, members of an object.
    pub length: Size,
    pub items: Size,
    pub size: Size,
    /// Of each item.
    pub item: Node,
    /// Sorted by name.
    pub members: Vec<Member>,
    pub required: Vec<Box<str>>,
    pub others: Others,
    /// All of these hold, and of each of the lists one at least.
    pub all: Vec<Node>,
    pub choices: Vec<Vec<Node>>,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub name: Box<str>,
    pub schema: Node,
    /// It is in answers alone, or in requests alone.
    pub read_only: bool,
    pub write_only: bool,
}

/// Members that have no schema of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Others {
    #[default]
    Open,
    Closed,
    Like(Node),
}

/// A value that a schema lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
}

/// A finite number by its bits, so that equal ones are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number(u64);

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl Number {
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    pub value: Number,
    pub exclusive: bool,
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    pub least: u32,
    pub most: Option<u32>,
}

/// Formats that are compared; all others are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Format {
    #[default]
    None,
    Int32,
    Int64,
    Uuid,
    Date,
    DateTime,
    Email,
}

/// Whether a media type is of a range.
fn fits_range(range: &str, essence: &str) -> bool {
    let of_type = range.strip_suffix('*').filter(|start| start.ends_with('/'));
    range == "*/*" || range == essence || of_type.is_some_and(|start| essence.starts_with(start))
}

/// A media type without its parameters, lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// Whether bodies of a media type are JSON.
fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

#[cfg(test)]
mod tests;
