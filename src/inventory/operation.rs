//! Operations behind one path: of GraphQL (over HTTP) and of JSON-RPC 2.0. Each is an endpoint of its own, named behind
//! the path's template and a `#`, which no path holds: `/graphql#mutation AddToCart`, `/rpc#orders.create`.
//!
//! The names are the client's to choose, so a name counts only once an answer showed that there is something, and only
//! so many of one path and of all. What finds no room is the path itself.

use crate::inspect::is_graphql;
use crate::selector::{Format, Item, Request, graphql_operation, looks_like_json, stream_json};

/// Longest name, bytes.
const MAX_NAME: usize = 64;
/// Names of one path that are told apart, by an isolate and by the fleet …
pub const MAX_OF_PATH: usize = 200;
/// … and all that one isolate tells apart, at eight bytes each.
const MAX_NAMES: usize = 2_000;

/// A template without the operation.
pub fn path_of(template: &str) -> &str {
    template.split_once('#').map_or(template, |(path, _)| path)
}

/// The template with the operation behind it, where there is one.
pub fn with_operation(path: &str, operation: &str) -> String {
    if operation.is_empty() { path.to_owned() } else { [path, "#", operation].concat() }
}

/// The operation that a request asks for: `query Name`, `query` for one without a name, the name alone of one that the
/// server knows by its hash, `method` of JSON-RPC, or `batch` for several at once.
pub fn operation(request: &Request<'_>) -> Option<String> {
    let text = request.body.and_then(|body| core::str::from_utf8(body.bytes).ok()).unwrap_or("");
    let is_json = request.method == "POST" && looks_like_json(text.as_bytes());
    if is_json && text.contains("\"jsonrpc\"") {
        return call(text);
    }
    let is_document = request.body.is_some_and(|body| Format::of(&body) == Format::GraphQl);
    let may_be = match request.method {
        "GET" => request.query.contains("query=") || request.query.contains("persistedQuery"),
        "POST" => is_document || text.contains("\"query\"") || text.contains("persistedQuery"),
        _ => false,
    };
    if !may_be {
        return None;
    }
    if is_json && text.trim_start().starts_with('[') {
        let mut documents = 0;
        stream_json(text, "", &mut |pointer, item| {
            documents += usize::from(matches!(item, Item::Text(text) if pointer == "/*/query" && is_graphql(text)));
        });
        return (documents > 0).then(|| "batch".to_owned());
    }
    let (kind, name, has_document) = graphql_operation(request, is_graphql);
    if name.as_ref().is_some_and(|name| !is_name(name, false)) {
        return None;
    }
    match (kind, name) {
        (Some(kind), None) => Some(kind.to_owned()),
        (Some(kind), Some(name)) => Some([kind, " ", &name].concat()),
        // The server knows the document by its hash.
        (None, name) => name.filter(|_| !has_document && (text.contains("persistedQuery") || !is_json)),
    }
}

/// The method of a JSON-RPC call.
fn call(text: &str) -> Option<String> {
    let (mut version, mut name, mut calls) = (false, None, 0);
    stream_json(text, "", &mut |pointer, item| match (pointer, item) {
        ("/jsonrpc" | "/*/jsonrpc", Item::Text("2.0")) => version = true,
        ("/method", Item::Text(method)) => name = Some(method.to_owned()),
        ("/*/method", Item::Text(_)) => calls += 1,
        _ => {}
    });
    match name {
        _ if !version => None,
        Some(name) => Some(name).filter(|name| is_name(name, true)),
        None => (calls > 0).then(|| "batch".to_owned()),
    }
}

fn is_name(name: &str, of_method: bool) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (of_method && b"./:-$".contains(&b));
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) && super::Shape::of(name) == super::Shape::Literal
}

/// The names an isolate tells apart.
#[derive(Debug, Default)]
pub struct Operations {
    /// Hashes of path and name, sorted.
    known: Vec<(u32, u32)>,
}

impl Operations {
    /// How much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.known.capacity() * size_of::<(u32, u32)>()
    }

    /// Whether a name of this path is told apart; `answered` says that an answer showed it.
    pub fn admits(&mut self, path: &str, name: &str, answered: bool) -> bool {
        let entry = (hash(path), hash(name));
        let Err(at) = self.known.binary_search(&entry) else { return true };
        let (first, last) = ((entry.0, 0), (entry.0, u32::MAX));
        let of_path = self.known.partition_point(|known| *known <= last) - self.known.partition_point(|k| *k < first);
        let room = answered && of_path < MAX_OF_PATH && self.known.len() < MAX_NAMES;
        if room {
            self.known.insert(at, entry);
        }
        room
    }
}

/// FNV-1a.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::Body;

    fn posted(content_type: &str, body: &str) -> Option<String> {
        let body = Body { content_type, bytes: body.as_bytes(), cut: false };
        operation(&Request { method: "POST", path: "/x", body: Some(body), ..Request::default() })
    }

    fn asked(query: &str) -> Option<String> {
        operation(&Request { method: "GET", path: "/x", query, ..Request::default() })
    }

    #[test]
    fn operations_of_graphql_are_named_by_type_and_name() {
        let json = |body| posted("application/json", body);
        for (body, expected) in [
            (
                r#"{"query":"mutation AddToCart($id: ID!) { add(id: $id) { id } }","variables":{"id":"7"}}"#,
                "mutation AddToCart",
            ),
            (r#"{"query":"{ me { id } }"}"#, "query"),
            (r#"{"operationName":"B","query":"query A { a } subscription B { b }"}"#, "subscription B"),
            (r#"{"operationName":"Cart","extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#, "Cart"),
            (r#"[{"query":"{ a }"},{"query":"{ b }"}]"#, "batch"),
        ] {
            assert_eq!(json(body).as_deref(), Some(expected), "{body}");
        }
        assert_eq!(posted("application/graphql", "query Q { a }").as_deref(), Some("query Q"));
        assert_eq!(asked("query=query%20Q%7Ba%7D").as_deref(), Some("query Q"));
        assert_eq!(asked("query=query+A%7Ba%7D+query+B%7Bb%7D&operationName=B").as_deref(), Some("query B"));
    }

    #[test]
    fn methods_of_json_rpc_are_operations() {
        let json = |body| posted("application/json", body);
        assert_eq!(
            json(r#"{"jsonrpc":"2.0","method":"orders.create","params":[1],"id":1}"#).as_deref(),
            Some("orders.create")
        );
        assert_eq!(
            json(r#"{"id":1,"method":"tools/call","params":{"method":"no"},"jsonrpc":"2.0"}"#).as_deref(),
            Some("tools/call")
        );
        assert_eq!(
            json(r#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]"#).as_deref(),
            Some("batch")
        );
    }

    #[test]
    fn what_only_looks_like_an_operation_is_none() {
        for body in [
            r#"{"query":"shoes","page":1}"#,
            r#"{"query":"query this {please"}"#,
            r#"{"query":"{\"term\":{\"user\":\"ann\"}}"}"#,
            r#"{"query":{"match_all":{}}}"#,
            r#"{"operationName":"Search","query":"shoes"}"#,
            r#"{"method":"orders.create","id":1}"#,
            r#"{"jsonrpc":"1.0","method":"a"}"#,
            r#"{"note":"\"jsonrpc\" 2.0","method":"a"}"#,
            r#"{"jsonrpc":"2.0","result":1,"id":1}"#,
            r#"[1,2,3]"#,
            "",
        ] {
            assert_eq!(posted("application/json", body), None, "{body}");
        }
        assert_eq!(asked("query=shoes"), None);
        assert_eq!(posted("text/plain", "query Q { a }"), None);
    }

    #[test]
    fn names_that_are_values_or_no_names_are_left_out() {
        let call = |name: &str| posted("application/json", &format!(r#"{{"jsonrpc":"2.0","method":"{name}"}}"#));
        for name in
            ["", "a b", "42", "018f2f6e-7c1a-7cc0-9f5e-0123456789ab", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "é", "a#b"]
        {
            assert_eq!(call(name), None, "{name}");
        }
        let long = |n| "name".repeat(n / 4);
        assert_eq!((call(&long(MAX_NAME)), call(&format!("{}s", long(MAX_NAME)))), (Some(long(MAX_NAME)), None));
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_takes_no_known_one_away() {
        let mut operations = Operations::default();
        assert!(!operations.admits("/graphql", "query Honest", false));
        assert!(operations.admits("/graphql", "query Honest", true));
        let admitted = (0..10_000).filter(|n| operations.admits("/graphql", &format!("query Q{n}"), true)).count();
        assert_eq!(admitted, MAX_OF_PATH - 1);
        assert!(operations.admits("/graphql", "query Honest", false) && operations.admits("/rpc", "sum", true));
        let mut admits = |path: usize, n: usize| operations.admits(&format!("/{path}"), &format!("q{n}"), true);
        let admitted = (0..100).map(|path| (0..MAX_OF_PATH).filter(|n| admits(path, *n)).count()).sum::<usize>();
        assert_eq!(admitted, MAX_NAMES - MAX_OF_PATH - 1);
        assert_eq!(operations.known.len(), MAX_NAMES);
    }

    #[test]
    fn a_template_is_told_from_its_operation() {
        assert_eq!(with_operation("/graphql", "query Q"), "/graphql#query Q");
        assert_eq!(
            (path_of("/mcp#tools/call"), path_of("/a/{id}"), with_operation("/a", "").as_str()),
            ("/mcp", "/a/{id}", "/a")
        );
    }
}
