//! Documents as they are read, and what is wrong with others.

use serde_json::{Value, json};

use super::*;

fn parsed(value: &Value) -> Document {
    Document::from_value(value).unwrap().0
}

fn pointers(value: &Value) -> Vec<String> {
    Document::from_value(value).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
}

fn minimal(paths: &Value) -> Value {
    json!({ "openapi": "3.0.3", "info": { "title": "T", "version": "1" }, "paths": paths })
}

#[test]
fn operations_are_read_with_their_bases_and_what_they_say_of_callers() {
    let document = parsed(&json!({
        "openapi": "3.1.0",
        "info": { "title": " Shop ", "version": "2" },
        "servers": [{ "url": "https://api.shop.test/v2" }],
        "security": [{ "bearer": [] }],
        "paths": {
            "/a/{id}": {
                "parameters": [{ "$ref": "#/components/parameters/Id" }],
                "get": { "deprecated": true, "responses": {} },
                "post": { "security": [{}, { "bearer": [] }], "servers": [{ "url": "/other" }], "responses": {} },
            },
            "/b": { "$ref": "#/components/pathItems/B" },
            "x-note": 1,
        },
        "components": {
            "parameters": { "Id": { "in": "path", "name": "id", "required": true, "schema": {} } },
            "pathItems": { "B": { "get": { "security": [], "responses": {} } } },
        },
    }));
    assert_eq!((document.title.as_str(), document.operations.len()), ("Shop", 3));
    let told: Vec<_> = document
        .located()
        .map(|(op, base)| (op.method.as_str(), [&base.path, op.path.as_str()].concat(), op.deprecated, op.secured))
        .collect();
    assert_eq!(
        told,
        [
            ("GET", "/v2/a/{id}".to_owned(), true, true),
            ("POST", "/other/a/{id}".to_owned(), false, false),
            ("GET", "/v2/b".to_owned(), false, false),
        ]
    );
}

#[test]
fn what_is_wrong_is_told_by_its_pointer_all_at_once() {
    assert_eq!(pointers(&json!([])), [""]);
    assert_eq!(pointers(&json!({})), ["/openapi", "/info/title", "/paths"]);
    assert_eq!(pointers(&json!({ "swagger": "2.0", "info": { "title": "T" }, "paths": {} })), ["/swagger"]);
    assert_eq!(pointers(&json!({ "openapi": "4.0", "info": { "title": "T" }, "paths": {} })), ["/openapi"]);
    let wrong = minimal(&json!({
        "a": { "get": {} },
        "/{": { "get": {} },
        "/b/c": { "get": 1, "put": { "deprecated": "yes" } },
        "/d": { "$ref": "#/nowhere" },
        "/e": { "$ref": "other.yaml#/e" },
        "/f": { "$ref": "#/paths/~1f" },
        "/g": { "get": { "parameters": [{ "in": "body", "name": "x" }, { "name": "y" }] } },
    }));
    assert_eq!(
        pointers(&wrong),
        [
            "/paths/~1b~1c/get",
            "/paths/~1b~1c/put/deprecated",
            "/paths/~1d/$ref",
            "/paths/~1e/$ref",
            "/paths/~1f/$ref",
            "/paths/~1g/get/parameters/0/in",
            "/paths/~1g/get/parameters/1",
            "/paths/~1{",
            "/paths/a",
        ]
    );
}

#[test]
fn ten_thousand_paths_are_read_and_one_more_is_not() {
    let paths = |count: usize| {
        let paths = (0..count).map(|n| (format!("/r{n}/{{id}}"), json!({ "get": { "responses": {} } })));
        minimal(&Value::Object(paths.collect()))
    };
    assert_eq!(parsed(&paths(MAX_PATHS)).operations.len(), MAX_PATHS);
    assert_eq!(pointers(&paths(MAX_PATHS + 1)), ["/paths"]);
}

#[test]
fn oddities_are_told_and_taken() {
    let value = minimal(&json!({
        "/a/{x}": { "get": { "responses": {} } },
        "/a/{y}": { "post": { "parameters": [{ "in": "path", "name": "y" }], "responses": {} } },
    }));
    let (document, warnings) = Document::from_value(&value).unwrap();
    assert_eq!(document.operations.len(), 2);
    assert!(warnings.iter().any(|warning| warning.reason.contains("path parameter `x`")));
    assert!(warnings.iter().any(|warning| warning.reason.contains("means the same as `/a/{x}`")));
}
