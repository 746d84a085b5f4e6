//! Why a call is not carried out, and how the caller is told.

use super::share;
use crate::inventory::openapi::Fault;
use crate::query::ParameterError;

/// Why a call is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Unauthorized,
    Forbidden,
    NotFound(&'static str),
    /// The path exists; these methods are for it.
    Method(&'static str),
    Parameter(ParameterError),
    Body(String),
    /// The value in the body at fault, and what is wrong with it.
    Member(String, String),
    TooLarge(usize),
    /// The block set holds as many as it may.
    Full,
    /// An OpenAPI document that cannot be read.
    Document(Vec<Fault>),
    Conflict(&'static str),
    /// As many shares hold as may.
    FullOfShares,
    /// As many streams are open here as may.
    TooManyStreams,
    /// A share link does not show this.
    Outside,
    Unavailable,
}

impl From<ParameterError> for Refusal {
    fn from(error: ParameterError) -> Self {
        Self::Parameter(error)
    }
}

impl Refusal {
    /// Status, title and detail of the problem document.
    pub fn describe(&self) -> (u16, &'static str, String) {
        let limit = crate::verdict::MAX_BLOCKS;
        match self {
            Self::Unauthorized => {
                (401, "Unauthorized", "Send `Authorization: Bearer` with an admin or viewer token.".into())
            }
            Self::Forbidden => (403, "Forbidden", "A viewer may look, not act; use the admin token.".into()),
            Self::NotFound(what) => (404, "Not found", (*what).into()),
            Self::Method(allow) => (405, "Method not allowed", format!("Use {allow}.")),
            Self::Parameter(error) => (400, "Bad parameter", format!("{error}.")),
            Self::Body(reason) => (400, "Bad body", format!("{reason}.")),
            Self::Member(path, reason) => (400, "Bad body", format!("`{path}` {reason}.")),
            Self::TooLarge(max) => (413, "Content too large", format!("A body has at most {max} bytes.")),
            Self::Full => (409, "Too many blocks", format!("{limit} blocks hold already; lift some first.")),
            Self::Document(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                (400, "Bad document", format!("{}.", faults.join("; ")))
            }
            Self::Conflict(why) => (409, "Conflict", (*why).into()),
            Self::FullOfShares => {
                (409, "Too many shares", format!("{} shares hold already; revoke some first.", share::MAX_SHARES))
            }
            Self::TooManyStreams => (429, "Too many streams", "Close another stream first, or try again soon.".into()),
            Self::Outside => (403, "Forbidden", "This link shows what was shared and nothing else.".into()),
            Self::Unavailable => (503, "Service unavailable", "The data could not be reached; try again.".into()),
        }
    }

    /// The parameter at fault, if it is one.
    pub fn parameter(&self) -> Option<String> {
        match self {
            Self::Parameter(error) => Some(error.name.clone()),
            Self::Member(path, _) => Some(path.clone()),
            _ => None,
        }
    }

    /// The value of the Allow header, where there must be one.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method(allow) => Some(allow),
            _ => None,
        }
    }
}
