//! From the text of a selector to what it means. An error points at the character that is wrong.

use core::fmt;

use super::cookie::is_token;
use super::plan::{End, Route};
use super::pointer::Pointer;
use super::source::{GraphQl, Meta, Side, Source};
use super::text::Step;
use super::trie::Trie;

/// Bytes of the longest selector.
const MAX_SELECTOR: usize = 1_024;
/// Bytes of the longest name; longer ones match nothing that is sent.
const MAX_NAME: usize = 256;
/// Decoders in one selector.
const MAX_DECODERS: usize = 4;

const DECODERS: [&str; 4] = ["jwt", "base64", "json", "url"];

const REQUEST_PARTS: &str = "expected `cookie.NAME`, `header.NAME`, `query.NAME`, `path`, `path.NAME`, `jwt`, \
     `jwt.CLAIM`, `body`, `form.NAME`, `graphql.FIELD` or `meta.FIELD` here";
const RESPONSE_PARTS: &str = "expected `status`, `header.NAME`, `set-cookie.NAME` or `body` here";
const GRAPHQL_FIELDS: &str = "expected `operation`, `type`, `query` or `variables#/NAME` here";
const META_FIELDS: &str = "expected `ip`, `country`, `asn`, `colo`, `ja4`, `user_agent`, `host` or `method` here";

/// What is wrong with a selector, and at which character (0-based).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    pub at: usize,
    pub reason: &'static str,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.reason, self.at)
    }
}

impl core::error::Error for SelectorError {}

/// What a selector says.
pub(super) struct Meaning {
    pub side: Side,
    pub route: Route,
    /// The last claim on the way, as it is written.
    pub claim: Option<String>,
}

/// Parses a selector.
pub(super) fn parse(text: &str) -> Result<Meaning, SelectorError> {
    let mut parser = Parser { text, at: 0, steps: Vec::new(), tail: Tail::Text, claim: None };
    if text.len() > MAX_SELECTOR {
        return parser.fail(MAX_SELECTOR, "a selector has at most 1,024 bytes");
    }
    let side = match parser.word() {
        "request" => Side::Request,
        "response" => Side::Response,
        _ => return parser.fail(0, "a selector starts with `request.` or `response.`"),
    };
    if !parser.eat('.') {
        return parser.fail(parser.at, "expected `.` and a part of the message here");
    }
    let source = match side {
        Side::Request => parser.request_part()?,
        Side::Response => parser.response_part()?,
    };
    parser.decoders()?;
    let (source, end) = parser.pointer(source)?;
    Ok(Meaning { side, route: Route { source, steps: parser.steps, end }, claim: parser.claim })
}

/// What a pointer at this place would point into.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tail {
    /// Nothing: a text has no members.
    Text,
    Body,
    Variables,
    Json,
    /// The claims of a token, or one of them.
    Claims(Option<String>),
}

/// What a name may hold beside what every name may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Any,
    Cookie,
    Header,
}

struct Parser<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
    steps: Vec<Step>,
    tail: Tail,
    claim: Option<String>,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The error at the character that holds this byte.
    fn fail<T>(&self, at: usize, reason: &'static str) -> Result<T, SelectorError> {
        let at = self.text.char_indices().take_while(|(start, c)| start + c.len_utf8() <= at).count();
        Err(SelectorError { at, reason })
    }

    fn eat(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        self.at += if there { c.len_utf8() } else { 0 };
        there
    }

    /// Everything up to the next `.` or `#`.
    fn word(&mut self) -> &'t str {
        let word = first_word(self.rest());
        self.at += word.len();
        word
    }

    fn request_part(&mut self) -> Result<Source, SelectorError> {
        let at = self.at;
        Ok(match self.word() {
            "cookie" => Source::Cookie(self.name(Name::Cookie)?),
            "header" => Source::Header(self.name(Name::Header)?.to_ascii_lowercase()),
            "query" => Source::Query(self.name(Name::Any)?),
            "form" => Source::Form(self.name(Name::Any)?),
            "path" if self.rest().starts_with('.') => Source::Capture(self.name(Name::Any)?),
            "path" => Source::Path,
            "jwt" => {
                self.claim()?;
                Source::Token
            }
            "body" => {
                self.tail = Tail::Body;
                Source::Body
            }
            "graphql" => Source::GraphQl(self.graphql()?),
            "meta" => Source::Meta(self.meta()?),
            _ => return self.fail(at, REQUEST_PARTS),
        })
    }

    fn response_part(&mut self) -> Result<Source, SelectorError> {
        let at = self.at;
        Ok(match self.word() {
            "status" => Source::Status,
            "header" => Source::Header(self.name(Name::Header)?.to_ascii_lowercase()),
            "set-cookie" => Source::SetCookie(self.name(Name::Cookie)?),
            "body" => {
                self.tail = Tail::Body;
                Source::Body
            }
            _ => return self.fail(at, RESPONSE_PARTS),
        })
    }

    fn graphql(&mut self) -> Result<GraphQl, SelectorError> {
        let (_, at) = (self.eat('.'), self.at);
        Ok(match self.word() {
            "operation" => GraphQl::Operation,
            "type" => GraphQl::Type,
            "query" => GraphQl::Query,
            "variables" if self.rest().starts_with('#') => {
                self.tail = Tail::Variables;
                GraphQl::Variable(Pointer::default())
            }
            "variables" => return self.fail(self.at, "the variables are no value; point at one: `variables#/NAME`"),
            _ => return self.fail(at, GRAPHQL_FIELDS),
        })
    }

    fn meta(&mut self) -> Result<Meta, SelectorError> {
        let (_, at) = (self.eat('.'), self.at);
        Ok(match self.word() {
            "ip" => Meta::Ip,
            "country" => Meta::Country,
            "asn" => Meta::Asn,
            "colo" => Meta::Colo,
            "ja4" => Meta::Ja4,
            "user_agent" => Meta::UserAgent,
            "host" => Meta::Host,
            "method" => Meta::Method,
            _ => return self.fail(at, META_FIELDS),
        })
    }

    /// What may follow `jwt`: a claim, even one that is called like a decoder.
    fn claim(&mut self) -> Result<(), SelectorError> {
        let name = if self.rest().starts_with('.') { Some(self.name(Name::Any)?) } else { None };
        if let Some(name) = &name {
            self.claim = Some(name.clone());
        }
        self.tail = Tail::Claims(name);
        Ok(())
    }

    fn decoders(&mut self) -> Result<(), SelectorError> {
        for count in 1.. {
            if !self.eat('.') {
                break;
            }
            let at = self.at;
            let word = self.word();
            if !DECODERS.contains(&word) {
                return self.fail(at, "expected a decoder here: `jwt`, `base64`, `json` or `url`");
            }
            if count > MAX_DECODERS {
                return self.fail(at, "a selector has at most 4 decoders");
            }
            match core::mem::replace(&mut self.tail, Tail::Text) {
                Tail::Json => self.steps.push(Step::Json(Trie::new([&Pointer::default()]))),
                Tail::Claims(Some(claim)) => self.steps.push(Step::Claims(Trie::new([&Pointer::member(claim)]))),
                Tail::Text | Tail::Body | Tail::Variables | Tail::Claims(None) => {}
            }
            match word {
                "jwt" => self.claim()?,
                "base64" => self.steps.push(Step::Base64),
                "url" => self.steps.push(Step::Url),
                _ => self.tail = Tail::Json,
            }
        }
        Ok(())
    }

    fn pointer(&mut self, source: Source) -> Result<(Source, End), SelectorError> {
        let (at, there) = (self.at, self.eat('#'));
        if !there && at < self.text.len() {
            return self.fail(at, "expected `.`, `#` or the end here");
        }
        let tail = core::mem::replace(&mut self.tail, Tail::Text);
        if !there {
            return Ok(match tail {
                Tail::Json => (source, End::Json(Pointer::default())),
                Tail::Claims(Some(claim)) => (source, End::Claims(Pointer::member(claim))),
                // The body or the token itself.
                Tail::Text | Tail::Body | Tail::Variables | Tail::Claims(None) => (source, End::Text),
            });
        }
        if tail == Tail::Text {
            return self
                .fail(at, "a pointer follows `body`, `variables`, `json` or `jwt`; a name with `#` needs quotes");
        }
        let pointer = match Pointer::parse(self.rest()) {
            Ok(pointer) => pointer,
            Err((offset, reason)) => return self.fail(self.at + offset, reason),
        };
        if let Tail::Claims(name) = &tail {
            self.claim = Some([name.as_deref().unwrap_or_default(), "#", self.rest()].concat());
        }
        Ok(match tail {
            Tail::Body => (Source::Member(pointer), End::Text),
            Tail::Variables => (Source::GraphQl(GraphQl::Variable(pointer)), End::Text),
            Tail::Claims(Some(claim)) => (source, End::Claims(pointer.under(&claim))),
            Tail::Claims(None) => (source, End::Claims(pointer)),
            Tail::Json | Tail::Text => (source, End::Json(pointer)),
        })
    }

    /// A name after its `.`, in quotes or up to the next decoder, `#` or the end.
    fn name(&mut self, kind: Name) -> Result<String, SelectorError> {
        self.eat('.');
        let start = self.at;
        let quoted = self.eat('"');
        let bare = if quoted { self.rest() } else { bare_name(self.rest()) };
        let (mut name, mut chars, mut closed) = (String::new(), bare.char_indices(), !quoted);
        let from = self.at;
        while let Some((offset, mut c)) = chars.next() {
            let mut at = from + offset;
            if quoted && c == '"' {
                closed = true;
                self.at = at + 1;
                break;
            }
            if quoted && c == '\\' {
                match chars.next() {
                    Some((next, escaped @ ('"' | '\\'))) => (at, c) = (from + next, escaped),
                    Some((next, _)) => return self.fail(from + next, "in quotes `\\` stands before `\"` or `\\` only"),
                    None => break,
                }
            }
            if let Some(reason) = kind.refuses(c, quoted) {
                return self.fail(at, reason);
            }
            if name.len() + c.len_utf8() > MAX_NAME {
                return self.fail(at, "a name has at most 256 bytes");
            }
            name.push(c);
        }
        if !closed {
            return self.fail(self.text.len(), "the quote is not closed");
        }
        if name.is_empty() {
            return self.fail(start, "a name is missing here");
        }
        if !quoted {
            self.at += bare.len();
        }
        Ok(name)
    }
}

impl Name {
    fn refuses(self, c: char, quoted: bool) -> Option<&'static str> {
        let is_header = |c: char| u8::try_from(c).is_ok_and(is_token);
        if c.is_control() || c == ' ' && !quoted {
            return Some("a name holds no control characters, and no spaces outside quotes");
        }
        match self {
            Self::Cookie if matches!(c, '=' | ';') => Some("a cookie's name holds no `=` or `;`"),
            Self::Header if !is_header(c) => Some("a header's name holds only letters, digits and !#$%&'*+-.^_`|~"),
            _ => None,
        }
    }
}

fn first_word(text: &str) -> &str {
    text.split(['.', '#']).next().unwrap_or_default()
}

/// The start of `text` up to a `#` or a `.` with a decoder after it.
fn bare_name(text: &str) -> &str {
    let ends = |(at, c): (usize, char)| {
        let decoder = || text.get(at + 1..).is_some_and(|after| DECODERS.contains(&first_word(after)));
        (c == '#' || c == '.' && decoder()).then_some(at)
    };
    let end = text.char_indices().find_map(ends).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests;
