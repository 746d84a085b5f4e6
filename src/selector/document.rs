//! The operations of a GraphQL document (GraphQL specification, section 2), without a look into their fields.

/// An operation as the document names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation<'d> {
    /// `query`, `mutation` or `subscription`.
    pub kind: &'static str,
    pub name: Option<&'d str>,
}

/// The text is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault;

/// Where the document is read.
#[derive(Clone, Copy)]
enum At {
    /// Between definitions.
    Start,
    /// Right after the keyword of an operation.
    Keyword(&'static str),
    /// Before the braces of a definition.
    Head,
    /// In them.
    Body,
}

/// The operation named `wanted`, or the first where none is wanted; the document is read as far as that takes.
pub(super) fn operation<'d>(document: &'d str, wanted: Option<&str>) -> Result<Option<Operation<'d>>, Fault> {
    let mut lexer = Lexer { rest: document.strip_prefix('\u{feff}').unwrap_or(document) };
    let (mut at, mut depth) = (At::Start, 0_usize);
    let is_wanted = |operation: &Operation<'_>| wanted.is_none() || operation.name == wanted;
    while let Some(token) = lexer.next()? {
        let found = match (at, token) {
            (At::Start, Token::Open('{')) => Some(Operation { kind: "query", name: None }),
            (At::Keyword(kind), Token::Name(name)) => Some(Operation { kind, name: Some(name) }),
            (At::Keyword(kind), _) => Some(Operation { kind, name: None }),
            _ => None,
        };
        if found.as_ref().is_some_and(is_wanted) {
            return Ok(found);
        }
        match token {
            Token::Open(c) => {
                if depth == 0 && c == '{' {
                    at = At::Body;
                } else if matches!(at, At::Start) {
                    return Err(Fault);
                } else if matches!(at, At::Keyword(_)) {
                    at = At::Head;
                }
                depth += 1;
            }
            Token::Close => {
                depth = depth.checked_sub(1).ok_or(Fault)?;
                if depth == 0 && matches!(at, At::Body) {
                    at = At::Start;
                }
            }
            Token::Name(word) if matches!(at, At::Start) => {
                at = match word {
                    "query" => At::Keyword("query"),
                    "mutation" => At::Keyword("mutation"),
                    "subscription" => At::Keyword("subscription"),
                    "fragment" => At::Head,
                    _ => return Err(Fault),
                };
            }
            Token::Other if matches!(at, At::Start) => return Err(Fault),
            Token::Name(_) | Token::Other if matches!(at, At::Keyword(_)) => at = At::Head,
            Token::Name(_) | Token::Other => {}
        }
    }
    if matches!(at, At::Start) { Ok(None) } else { Err(Fault) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'d> {
    Name(&'d str),
    Open(char),
    Close,
    Other,
}

struct Lexer<'d> {
    rest: &'d str,
}

impl<'d> Lexer<'d> {
    /// The next token that is no string: strings are values and descriptions, and hold anything.
    fn next(&mut self) -> Result<Option<Token<'d>>, Fault> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
            if let Some(comment) = self.rest.strip_prefix('#') {
                self.rest = comment.trim_start_matches(|c| !matches!(c, '\n' | '\r'));
            } else if let Some(block) = self.rest.strip_prefix("\"\"\"") {
                self.rest = after_block(block).ok_or(Fault)?;
            } else if let Some(string) = self.rest.strip_prefix('"') {
                self.rest = after_string(string).ok_or(Fault)?;
            } else {
                break;
            }
        }
        let Some(c) = self.rest.chars().next() else { return Ok(None) };
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let length = if is_name(c) { self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len()) } else { c.len_utf8() };
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Fault)?;
        self.rest = rest;
        Ok(Some(match c {
            '{' | '(' | '[' => Token::Open(c),
            '}' | ')' | ']' => Token::Close,
            c if is_name(c) && !c.is_ascii_digit() => Token::Name(text),
            _ => Token::Other,
        }))
    }
}

/// What follows a string, after its opening quote.
pub(crate) fn after_string(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.bytes().position(|b| {
        let ends = matches!(b, b'"' | b'\n' | b'\r') && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    text.get(end..)?.strip_prefix('"')
}

/// What follows a block string, after its opening quotes; `\"""` in it is text.
pub(crate) fn after_block(mut text: &str) -> Option<&str> {
    loop {
        let (before, after) = text.split_once("\"\"\"")?;
        if !before.ends_with('\\') {
            return Some(after);
        }
        text = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_operation_is_found_or_the_one_that_is_wanted() {
        let op = |kind, name| Ok(Some(Operation { kind, name }));
        let several =
            "fragment F on T { a { b } } query A { a } mutation B($x: In = {a: [1, \"}\"]}) @d(x: {y: 1}) { b }";
        for (document, wanted, expected) in [
            ("{ me { id } }", None, op("query", None)),
            ("query { me }", None, op("query", None)),
            ("query Me { me }", None, op("query", Some("Me"))),
            ("query($id: ID!) { me }", None, op("query", None)),
            ("query @live { me }", None, op("query", None)),
            ("subscription,S{s}", None, op("subscription", Some("S"))),
            ("\u{feff}# query No { x }\n mutation\tDo_1 { x }", None, op("mutation", Some("Do_1"))),
            ("\"\"\"mutation M { \\\"\"\" } \"\"\" query Q { x }", None, op("query", Some("Q"))),
            ("\"says \\\" {\" query Q { x }", None, op("query", Some("Q"))),
            (several, None, op("query", Some("A"))),
            (several, Some("B"), op("mutation", Some("B"))),
            (several, Some("C"), Ok(None)),
            ("{ a } query B { b }", Some("B"), op("query", Some("B"))),
            ("query query { a }", None, op("query", Some("query"))),
            ("fragment query on T { a } mutation M { a }", None, op("mutation", Some("M"))),
            ("", None, Ok(None)),
            (" # nothing", None, Ok(None)),
            ("fragment F on T { a }", None, Ok(None)),
        ] {
            assert_eq!(operation(document, wanted), expected, "{document}");
        }
    }

    #[test]
    fn what_is_no_document_is_told() {
        for document in
            ["me { id }", "42", "}", "( query Q { a }", "query A { a } }", "\"open", "\"\"\"open\"\"", "\"a\nb\" {a}"]
        {
            assert_eq!(operation(document, Some("Q")), Err(Fault), "{document}");
        }
        for document in ["query", "fragment F on T", "query A { a", "query A { a ) ("] {
            assert_eq!(operation(document, Some("Q")), Err(Fault), "{document}");
        }
    }
}
