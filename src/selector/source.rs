//! Where a text stands in a request or a response, before any decoder.

use super::pointer::Pointer;

/// Which of the two messages of an exchange a selector reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Request,
    Response,
}

/// Where a text stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A request cookie by its name.
    Cookie(String),
    /// A header of either side by its lower-case name.
    Header(String),
    /// A query parameter by its decoded name.
    Query(String),
    /// The whole path.
    Path,
    /// A placeholder of the endpoint pattern by its name.
    Capture(String),
    /// The bearer token of the Authorization header.
    Token,
    /// The text of the whole body.
    Body,
    /// Members of the body, read by its content type.
    Member(Pointer),
    /// A field of a form body by its name.
    Form(String),
    /// Part of a GraphQL request.
    GraphQl(GraphQl),
    /// What the platform knows about the request.
    Meta(Meta),
    /// The status code of the response.
    Status,
    /// The cookie of that name which the response sets.
    SetCookie(String),
}

impl Source {
    /// Whether it is found by reading the structure of a body, all such sources in one pass.
    pub(super) fn is_structured(&self) -> bool {
        matches!(self, Self::Member(_) | Self::Form(_) | Self::GraphQl(_))
    }

    /// Whether it may stand in the body.
    pub(super) fn is_body(&self) -> bool {
        self.is_structured() || *self == Self::Body
    }
}

/// A part of a GraphQL request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphQl {
    /// The name of the operation that is run.
    Operation,
    /// `query`, `mutation` or `subscription`.
    Type,
    /// The text of the document.
    Query,
    /// Members of the variables.
    Variable(Pointer),
}

/// What the platform knows about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    Ip,
    Country,
    Asn,
    Colo,
    Ja4,
    UserAgent,
    Host,
    Method,
}
