//! The selector language: where in a request or response a value is found.
//!
//! `side.part[.name]`, for example `request.cookie.sid`. This is the part of the language that session keys need; a
//! selector is parsed once, when the policy is loaded, and an error points at the character that is wrong.

mod cookie;
mod message;

pub use cookie::{cookie, cookies};
pub use message::{Body, Claims, Client, HeaderView, ReadTokens, Request, Response, Trust};

use core::fmt;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A request cookie by its name.
    Cookie(String),
    /// A request header by its lower-case name.
    Header(String),
    /// A query parameter by its decoded name.
    Query(String),
    /// The whole bearer token of the Authorization header.
    Token,
}

/// A parsed selector with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    source: Source,
}

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

/// Names longer than this match nothing that is sent.
const MAX_NAME: usize = 256;

impl Selector {
    /// Parses a selector on the request side.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let fail = |at, reason| Err(SelectorError { at, reason });
        let Some(rest) = text.strip_prefix("request.") else {
            return fail(0, "a session key starts with `request.`");
        };
        let part_at = text.len() - rest.len();
        let (part, name) = rest.split_once('.').map_or((rest, None), |(part, name)| (part, Some(name)));
        let name_at = part_at + part.len() + 1;
        let named = || match name {
            Some("") | None => Err(SelectorError { at: name_at.min(text.len()), reason: "a name is missing here" }),
            Some(name) if name.len() > MAX_NAME => {
                Err(SelectorError { at: name_at + MAX_NAME, reason: "a name has at most 256 bytes" })
            }
            Some(name) => match name.find(|c: char| c.is_ascii_control() || c == ' ') {
                Some(i) => {
                    Err(SelectorError { at: name_at + i, reason: "a name holds no spaces or control characters" })
                }
                None => Ok(name.to_owned()),
            },
        };
        let source = match (part, name) {
            ("cookie", _) => Source::Cookie(named()?),
            ("header", _) => Source::Header(named()?.to_ascii_lowercase()),
            ("query", _) => Source::Query(named()?),
            ("jwt", None) => Source::Token,
            ("jwt", Some(_)) => {
                return fail(name_at, "claims are not read by this version; use `request.jwt`, the whole token");
            }
            _ => return fail(part_at, "expected `cookie.NAME`, `header.NAME`, `query.NAME` or `jwt` here"),
        };
        Ok(Self { text: text.to_owned(), source })
    }

    /// The selector as written: the name of the key in answers, and its namespace where it has no `join`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the value stands.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_to_its_source() {
        for (text, source) in [
            ("request.cookie.connect.sid", Source::Cookie("connect.sid".into())),
            ("request.header.X-API-Key", Source::Header("x-api-key".into())),
            ("request.query.session", Source::Query("session".into())),
            ("request.jwt", Source::Token),
        ] {
            assert_eq!(Selector::parse(text).map(|s| s.source), Ok(source), "{text}");
        }
    }

    #[test]
    fn an_error_points_at_the_character() {
        for (text, at) in [
            ("", 0),
            ("response.cookie.sid", 0),
            ("request.", 8),
            ("request.cokie.sid", 8),
            ("request.cookie", 14),
            ("request.cookie.", 15),
            ("request.cookie.a b", 16),
            ("request.jwt.sub", 12),
        ] {
            assert_eq!(Selector::parse(text).map_err(|e| e.at), Err(at), "{text}");
        }
        let longest = format!("request.query.{}", "n".repeat(MAX_NAME));
        assert!(Selector::parse(&longest).is_ok());
        assert_eq!(Selector::parse(&(longest + "n")).map_err(|e| e.at), Err(14 + MAX_NAME));
    }
}
