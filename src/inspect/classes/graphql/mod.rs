//! GraphQL abuse: documents that cost a server far more than they cost their sender, and questions for the schema.
//!
//! Strings in a document are judged by the other classes; here it is the shape: depth, aliases, directives, repetition,
//! circles of fragments, size, and how many operations come at once.

mod document;

pub use document::{Shape, measure};

use crate::inspect::classes::names::has_pair;
use crate::inspect::{Attack, Part, Place, Request, RequestClass, Sign, Tell};
use crate::selector::{Item, stream_json};
use crate::session::Severity;

/// GraphQL abuse.
pub static GRAPHQL_ABUSE: RequestClass = RequestClass { attack: Attack::GraphqlAbuse, judge, header: None };

/// What a document may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fields inside each other.
    pub depth: u32,
    /// Times that one field stands in one selection under other names.
    pub aliases: u32,
    /// Times that one field stands in one selection under its own name.
    pub repeats: u32,
    /// Directives on one field, and on average of all fields.
    pub directives: u32,
    /// Operations in one request.
    pub batch: u32,
    /// Bytes of a document.
    pub bytes: usize,
}

impl Limits {
    pub const DEFAULT: Self = Self { depth: 10, aliases: 5, repeats: 20, directives: 5, batch: 10, bytes: 100 * 1_024 };
}

fn judge(request: &Request<'_>, tell: &mut Tell<'_>) {
    judge_with(request, &Limits::DEFAULT, tell);
}

/// Tells what goes beyond the limits.
pub fn judge_with(request: &Request<'_>, limits: &Limits, tell: &mut Tell<'_>) {
    if has_pair(request.query.as_bytes(), b"query=") {
        for (name, document) in form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name == "query") {
            one(Place { part: Part::Query, name: &name }, &document, limits, tell);
        }
    }
    let Some(text) = request.body.and_then(|body| core::str::from_utf8(body.bytes).ok()) else { return };
    let content_type = request.body.map_or("", |body| body.content_type);
    if content_type.trim_start().starts_with("application/graphql") && !text.trim_start().starts_with(['{', '['])
        || content_type == "application/graphql"
    {
        one(Place { part: Part::Raw, name: "" }, text, limits, tell);
        return;
    }
    if !text.trim_start().starts_with(['{', '[']) || !text.contains("\"query\"") {
        return;
    }
    let mut operations = 0;
    stream_json(text, "", &mut |pointer, item| {
        if let Item::Text(document) = item
            && matches!(pointer, "/query" | "/*/query")
            && is_document(document)
        {
            operations += 1;
            one(Place { part: Part::GraphqlArgument, name: pointer }, document, limits, tell);
        }
    });
    if operations > limits.batch {
        let sign = Sign {
            confidence: 82,
            severity: Severity::Medium,
            at: 0..1,
            what: "more operations at once than a client batches",
        };
        tell(Place { part: Part::Raw, name: "" }, text.as_bytes(), sign);
    }
}

/// Whether a text begins as a document.
fn is_document(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let words = ["query", "mutation", "subscription", "fragment", "#", "{"];
    words.iter().any(|word| text.starts_with(word)) && text.contains('{')
}

/// Tells the worst of one document.
fn one(place: Place<'_>, document: &str, limits: &Limits, tell: &mut Tell<'_>) {
    if !is_document(document) {
        return;
    }
    let shape = measure(document);
    let high = |over: bool, what| over.then_some((82, Severity::Medium, what));
    let worst = shape
        .circle
        .then_some((90, Severity::High, "fragments that contain themselves"))
        .or_else(|| high(shape.depth > limits.depth, "fields nested deeper than clients ask for"))
        .or_else(|| high(shape.aliases > limits.aliases, "one field under many other names"))
        .or_else(|| high(shape.repeats > limits.repeats, "one field again and again"))
        .or_else(|| high(shape.directives > limits.directives, "more directives than a field can use"))
        .or_else(|| high(document.len() > limits.bytes, "a document larger than clients send"))
        .or_else(|| high(shape.unread, "more fragments than are followed"))
        .or_else(|| shape.whole_schema.then_some((80, Severity::Medium, "asks for the whole schema")))
        .or_else(|| shape.introspection.then_some((40, Severity::Low, "asks for the schema")));
    if let Some((confidence, severity, what)) = worst {
        tell(place, document.as_bytes(), Sign { confidence, severity, at: 0..document.len().min(80), what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Body;

    fn told(request: &Request<'_>) -> Vec<(u8, &'static str)> {
        let mut told = Vec::new();
        judge(request, &mut |_, _, sign| told.push((sign.confidence, sign.what)));
        told
    }

    fn json(body: &str) -> Vec<(u8, &'static str)> {
        let body = Body { content_type: "application/json", bytes: body.as_bytes(), ..Body::default() };
        told(&Request { method: "POST", path: "/graphql", body: Some(body), ..Request::default() })
    }

    fn document(text: &str) -> Option<u8> {
        let body = Body { content_type: "application/graphql", bytes: text.as_bytes(), ..Body::default() };
        let told = told(&Request { method: "POST", path: "/graphql", body: Some(body), ..Request::default() });
        told.first().map(|(confidence, _)| *confidence)
    }

    fn nested(depth: usize) -> String {
        format!("query {}id{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth))
    }

    #[test]
    fn limits_hold_and_one_past_them_is_told() {
        let aliases = |n: usize| {
            format!("{{ {} }}", (0..n).map(|i| format!("a{i}: login(pin: {i}) {{ token }} ")).collect::<String>())
        };
        let repeats = |n: usize| format!("{{ {} }}", "__typename ".repeat(n));
        let directives = |n: usize| format!("{{ a {} b c d e }}", "@skip(if: true) ".repeat(n));
        for (make, limit) in
            [(&nested as &dyn Fn(usize) -> String, 10), (&aliases, 5), (&repeats, 20), (&directives, 5)]
        {
            assert_eq!(document(&make(limit)), None, "{}", make(limit));
            assert_eq!(document(&make(limit + 1)), Some(82), "{}", make(limit + 1));
        }
        let batch = |n: usize| format!("[{}]", vec![r#"{"query":"{ me { id } }"}"#; n].join(","));
        assert_eq!(json(&batch(10)), []);
        assert_eq!(json(&batch(11)).len(), 1);
        let large = |n: usize| format!("{{ a(x: \"{}\") }}", "x".repeat(n - 12));
        assert_eq!(document(&large(100 * 1_024)), None);
        assert_eq!(document(&large(100 * 1_024 + 1)), Some(82));
    }

    #[test]
    fn what_clients_of_large_screens_send_is_nothing() {
        let fields: String = (0..60).map(|i| format!("field{i} ")).collect();
        for text in [
            &format!(
                "query Screen($id: ID!) {{ node(id: $id) {{ ...F __typename }} }} fragment F on User {{ {fields} __typename }}"
            ),
            "query { small: image(size: 1) { url } medium: image(size: 2) { url } large: image(size: 3) { url } }",
            "query { a { b { c { d { e { f { g { h { i } } } } } } } } }",
            "mutation Add($in: In = {a: [1, {b: \"}{\"}]}) { add(input: $in) @client { id } }",
            "{ a(x: \"{{{{{{{{{{{{{{\", y: \"\"\" { \" { \"\"\") { id } }",
        ] {
            assert_eq!(document(text), None, "{text}");
        }
        assert_eq!(json(r#"{"query":"shoes","page":1}"#), []);
        assert_eq!(json(r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}},"variables":{}}"#), []);
    }

    #[test]
    fn depth_counts_through_fragments_and_circles_are_found() {
        let deep = "{ a { b { c { d { e { ...F } } } } } } fragment F on T { f { g { h { i { ...G } } } } } fragment G on T { j { k } }";
        assert_eq!(measure(deep).depth, 11);
        assert_eq!(document(deep), Some(82));
        assert_eq!(document("{ ...A } fragment A on T { b { ...B } } fragment B on T { ...A }"), Some(90));
        assert_eq!(document("{ a ...on T { b } ... { c } }"), None);
    }

    #[test]
    fn a_question_for_a_type_is_a_hint_and_one_for_the_whole_schema_is_told_however_deep() {
        let ide = "query IntrospectionQuery { __schema { types { fields { type { ofType { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } }";
        assert_eq!(document(ide), Some(80));
        assert_eq!(document("{ __type(name: \"User\") { name } }"), Some(40));
        assert_eq!(
            told(&Request { method: "GET", query: "query=%7B__schema%7Btypes%7Bname%7D%7D%7D", ..Request::default() })
                .len(),
            1
        );
    }

    #[test]
    fn broken_documents_are_measured_as_far_as_they_go() {
        for text in ["{", "query {{{{", "}}}}{", "{ a(", "{ \"", "fragment", "{ ... }", "query ) ( }"] {
            measure(text);
        }
        assert!(measure(&"{a".repeat(50_000)).depth > 10);
    }
}
