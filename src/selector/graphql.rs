//! GraphQL over HTTP: the operation of a request and its variables, and the document's text.

use std::borrow::Cow;

use super::body::{self, Format};
use super::collect::Collector;
use super::found::{Found, ReadMarks};
use super::message::{Body, Request};
use super::pointer::Pointer;
use super::source::GraphQl;
use super::text::Text;
use super::trie::Trie;
use super::{document, form, json};

/// Slots of document and operation name in the trie of the envelope, both of any length; the variables follow.
const OWN: [usize; 2] = [0, 1];

/// What is wanted of a GraphQL request, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    fields: Vec<GraphQl>,
    /// `{"query": …, "operationName": …, "variables": …}`.
    envelope: Trie,
    /// The variables alone, as a query parameter holds them.
    variables: Trie,
}

/// A request before its document is looked into.
struct Parts<'r> {
    query: Text<'r>,
    operation_name: Text<'r>,
    variables: Vec<Found>,
}

/// The type and name of the operation that a request asks for. The type is missing where there is no document, or one
/// that is not `sound`.
pub(crate) fn operation(
    request: &Request<'_>,
    sound: impl Fn(&str) -> bool,
) -> (Option<&'static str>, Option<String>, bool) {
    let Parts { query, operation_name, .. } = Envelope::new(Vec::new()).parts(request);
    let wanted = operation_name.text.as_deref().filter(|name| !name.is_empty());
    let document = query.text.as_deref().filter(|text| !query.cut && !text.is_empty());
    let found = document.filter(|text| sound(text)).and_then(|text| document::operation(text, wanted).ok().flatten());
    let name = wanted.or(found.and_then(|operation| operation.name)).map(str::to_owned);
    (found.map(|operation| operation.kind), name, document.is_some())
}

impl Envelope {
    /// Compiles what is wanted.
    pub fn new(fields: Vec<GraphQl>) -> Self {
        let variables: Vec<&Pointer> = fields
            .iter()
            .filter_map(|field| if let GraphQl::Variable(pointer) = field { Some(pointer) } else { None })
            .collect();
        let own = [Pointer::member("query"), Pointer::member("operationName")];
        let all: Vec<Pointer> =
            own.into_iter().chain(variables.iter().map(|pointer| pointer.under("variables"))).collect();
        Self { envelope: Trie::new(&all), variables: Trie::new(variables), fields }
    }

    /// What was found, in the order of the fields.
    pub fn read(&self, request: &Request<'_>) -> Vec<Found> {
        self.resolve(self.parts(request))
    }

    fn parts<'r>(&self, request: &Request<'r>) -> Parts<'r> {
        // A GET has its request in the URL, whatever body comes with it.
        let body = request.body.filter(|body| !matches!(request.method, "GET" | "HEAD") && !body.is_nothing());
        match body {
            Some(body) => self.in_body(&body),
            None => self.in_form(request.query),
        }
    }

    fn in_body(&self, body: &Body<'_>) -> Parts<'static> {
        let (text, marks) = body::text(body);
        let format = Format::of(body);
        let mut parts = match format {
            Format::Form => {
                // Where the body was cut, so was its last field.
                let whole = if body.cut { text.rsplit_once('&').map_or("", |(whole, _)| whole) } else { &text };
                let parts = self.in_form(whole);
                Parts { query: parts.query.into_owned(), operation_name: parts.operation_name.into_owned(), ..parts }
            }
            Format::GraphQl => {
                // Where the document was cut, so may have been the name at its end.
                let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
                let text = if body.cut { text.trim_end_matches(is_name) } else { &text };
                let query = Text { cut: body.cut, ..Text::owned(text.to_owned()) };
                Parts { query, ..self.nothing() }
            }
            _ if body::looks_like_json(body.bytes) => {
                let mut to = Collector::new(&self.envelope, None).unlimited(&OWN);
                json::read_first(&text, body.cut, &mut to);
                let mut found = to.finish().into_iter();
                let mut next = || found.next().map(Text::only).unwrap_or_default();
                // The document is whole where it was found at all.
                Parts { query: next(), operation_name: next(), variables: found.collect() }
            }
            Format::Json => {
                let mut parts = self.nothing();
                parts.mark(ReadMarks::MALFORMED);
                parts
            }
            _ => self.nothing(),
        };
        parts.mark(marks);
        if body.cut {
            parts.mark(ReadMarks::CUT);
        }
        parts
    }

    /// Urlencoded fields, of a URL or a body.
    fn in_form<'f>(&self, fields: &'f str) -> Parts<'f> {
        let json = form::parameter(fields, "variables");
        let mut to = Collector::new(&self.variables, None);
        to.mark(json.marks);
        if let Some(json) = json.text.filter(|json| !json.is_empty()) {
            json::read(&json, false, &mut to);
        }
        let (query, operation_name) = (form::parameter(fields, "query"), form::parameter(fields, "operationName"));
        Parts { query, operation_name, variables: to.finish() }
    }

    fn nothing(&self) -> Parts<'static> {
        let variables = vec![Found::default(); self.variables.slots()];
        Parts { query: Text::default(), operation_name: Text::default(), variables }
    }

    fn resolve(&self, parts: Parts<'_>) -> Vec<Found> {
        let Parts { query, operation_name, variables } = parts;
        let wanted = operation_name.text.as_deref().filter(|name| !name.is_empty());
        let mut marks = query.marks;
        marks.set(operation_name.marks);
        let operation = query.text.as_deref().map(|text| document::operation(text, wanted));
        let operation = operation.unwrap_or(Ok(None)).unwrap_or_else(|document::Fault| {
            marks.set(if query.cut { ReadMarks::CUT } else { ReadMarks::MALFORMED });
            None
        });
        let name = wanted.or(operation.and_then(|operation| operation.name));
        let kind = operation.map(|operation| operation.kind);
        let given = |text: Option<&str>| Text { text: text.map(Cow::Borrowed), marks, ..Text::default() }.into_found();
        let mut variables = variables.into_iter();
        let field = |field: &GraphQl| match field {
            GraphQl::Operation => given(name),
            GraphQl::Type => given(kind),
            GraphQl::Query => query.clone().into_found(),
            GraphQl::Variable(_) => variables.next().unwrap_or_default(),
        };
        self.fields.iter().map(field).collect()
    }
}

impl Parts<'_> {
    fn mark(&mut self, marks: ReadMarks) {
        let variables = self.variables.iter_mut().map(|found| &mut found.marks);
        let own = [&mut self.query.marks, &mut self.operation_name.marks];
        own.into_iter().chain(variables).for_each(|known| known.set(marks));
    }
}
