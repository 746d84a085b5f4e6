//! The selector language: where in a request or response a value is found.
//!
//! `side.part[.name][.decoder…][#pointer]`, for example `request.cookie.sid`, `request.jwt.sub`,
//! `request.header.x-context.base64.json#/tenant/id`, `request.body#/items/*/id`, `response.set-cookie.sid`.
//!
//! - Parts of a request: `cookie.NAME`, `header.NAME`, `query.NAME`, `path`, `path.NAME` (a placeholder of the endpoint
//!   pattern), `jwt` and `jwt.CLAIM` (the bearer token), `body`, `form.NAME`, `graphql.operation|type|query|variables`,
//!   `meta.ip|country|asn|colo|ja4|user_agent|host|method`.
//! - Parts of a response: `status`, `header.NAME`, `set-cookie.NAME`, `body`.
//! - A name goes up to the next decoder, `#` or the end, so it may hold dots; what comes right after the `.` of a part
//!   is always its name. In double quotes a name is taken literally, with `\"` and `\\` for those two characters.
//! - Decoders: `jwt`, `jwt.CLAIM`, `base64`, `json`, `url`.
//! - A pointer (RFC 6901) leads into a `body` as its content type says, into `variables`, `json`, `jwt` or a claim; `*`
//!   stands for every item of an array.
//!
//! A selector is parsed once, when the policy is loaded, and an error points at the character that is wrong. What a
//! client sends is read in linear time with bounded memory, and whatever it is ends in values and marks, never in an
//! error. An empty text is no value; neither are `null`, objects and arrays.

mod body;
mod collect;
mod cookie;
mod decode;
mod document;
mod form;
mod found;
mod graphql;
mod json;
mod message;
mod multipart;
mod parameters;
mod plan;
mod pointer;
mod sent;
mod set;
mod set_cookie;
mod source;
mod syntax;
mod text;
mod trie;
mod xml;

pub(crate) use body::{Format, looks_like_json};
pub(crate) use cookie::MAX_COOKIES;
pub use cookie::{cookie, cookies};
pub use decode::bearer_token;
pub(crate) use document::{after_block, after_string};
pub use found::{FirstValue, Found, Kind, MAX_VALUE, MAX_VALUES, ReadMarks, Value};
pub(crate) use graphql::operation as graphql_operation;
pub(crate) use json::{Item, Visitor, stream as stream_json, visit as visit_json};
pub use message::{Body, Claims, Client, HeaderView, NoTokens, ReadTokens, Request, Response, Trust};
pub(crate) use multipart::{Delimiter, Delimiters, MAX_BOUNDARY, MAX_HEADERS, MAX_PARTS};
pub(crate) use parameters::{essence, parameters};
pub use pointer::Pointer;
pub use set::SelectorSet;
pub use set_cookie::SetCookie;
pub use source::{GraphQl, Meta, Side, Source};
pub use syntax::SelectorError;

use std::borrow::Cow;

use plan::{End, Plan, Route};
use syntax::Meaning;
use text::Message;

/// A parsed selector with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    side: Side,
    route: Route,
    claim: Option<String>,
    /// The selector alone, ready to be read.
    plan: Plan,
}

impl Selector {
    /// Parses a selector of either side.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let Meaning { side, route, claim } = syntax::parse(text)?;
        let plan = Plan::new([(0, &route)], 1);
        Ok(Self { text: text.to_owned(), side, route, claim, plan })
    }

    /// Parses a selector where only the request can be meant.
    pub fn parse_request(text: &str) -> Result<Self, SelectorError> {
        Self::parse_side(text, Side::Request, "expected a selector that starts with `request.`")
    }

    /// Parses a selector where only the response can be meant.
    pub fn parse_response(text: &str) -> Result<Self, SelectorError> {
        Self::parse_side(text, Side::Response, "expected a selector that starts with `response.`")
    }

    fn parse_side(text: &str, side: Side, reason: &'static str) -> Result<Self, SelectorError> {
        let start = if side == Side::Request { "request." } else { "response." };
        if !text.starts_with(start) {
            return Err(SelectorError { at: 0, reason });
        }
        Self::parse(text)
    }

    /// The selector as written: the name of the key in answers, and its namespace where it has no `join`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The message it reads.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where the text stands that the decoders start with.
    pub fn source(&self) -> &Source {
        &self.route.source
    }

    /// Lower-case names of the headers it needs of its side.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let name = match &self.route.source {
            Source::Cookie(_) => Some("cookie"),
            Source::SetCookie(_) => Some("set-cookie"),
            Source::Header(name) => Some(name.as_str()),
            Source::Token => Some("authorization"),
            source if source.is_body() => Some("content-type"),
            _ => None,
        };
        name.into_iter()
    }

    /// Whether it needs the body of its side.
    pub fn needs_body(&self) -> bool {
        self.route.source.is_body()
    }

    /// The claim that the value comes out of: its name, `#` and a pointer, or both; `None` where the value is not out of
    /// a token's claims.
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }

    /// The placeholder of the endpoint pattern that it reads.
    pub fn path_name(&self) -> Option<&str> {
        if let Source::Capture(name) = &self.route.source { Some(name) } else { None }
    }

    /// Everything it finds in a request; nothing if it is about the response.
    pub fn read_request(&self, request: &Request<'_>, tokens: &mut dyn ReadTokens) -> Found {
        self.read(Side::Request, Message::Request(request), tokens)
    }

    /// Everything it finds in a response; nothing if it is about the request.
    pub fn read_response(&self, response: &Response<'_>, tokens: &mut dyn ReadTokens) -> Found {
        self.read(Side::Response, Message::Response(response), tokens)
    }

    fn read(&self, side: Side, message: Message<'_, '_>, tokens: &mut dyn ReadTokens) -> Found {
        if side != self.side {
            return Found::default();
        }
        self.plan.read(message, tokens).pop().unwrap_or_default()
    }

    /// The first value in a request. Without decoders, a cookie, header, parameter or token is borrowed if it is sent
    /// as it is meant, whatever its length: it is there to be hashed, not kept.
    pub fn first<'a>(&self, request: &Request<'a>, tokens: &mut dyn ReadTokens) -> Option<FirstValue<'a>> {
        if self.side != Side::Request {
            return None;
        }
        let plain = self.route.steps.is_empty() && self.route.end == End::Text;
        let text = match &self.route.source {
            Source::Cookie(name) if plain => {
                // Without a look for duplicates, which would go through the whole header.
                request.headers.get("cookie").and_then(|header| cookie(header, name)).map(Cow::Borrowed)
            }
            source if plain && !source.is_body() => text::at(source, Message::Request(request)).text,
            _ => {
                let value = self.read_request(request, tokens).values.into_iter().next();
                return value.map(|value| FirstValue { text: Cow::Owned(value.text), trust: value.trust });
            }
        };
        text.filter(|text| !text.is_empty()).map(|text| FirstValue { text, trust: None })
    }
}
