//! Messages beside contracts: what is told, what is left open, and how much work that is.

#![allow(clippy::needless_pass_by_value, reason = "what `json!` makes is handed over as it is")]

use serde_json::{Value, json};

use super::*;
use crate::inventory::openapi::Document;

/// A document of one operation, `POST /orders/{id}`, with these parts.
fn document(version: &str, operation: Value, schemas: Value) -> Document {
    let value = json!({
        "openapi": version,
        "info": { "title": "T", "version": "1" },
        "paths": { "/orders/{id}": { "post": operation } },
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "apiKey", "in": "query", "name": "api_key" } },
        },
    });
    Document::from_value(&value).unwrap().0
}

fn list(faults: Vec<Fault>) -> Vec<String> {
    faults.into_iter().map(|fault| format!("{} {}", fault.place, fault.what)).collect()
}

fn asked(document: &Document, target: &str, headers: &[(&str, &str)], body: Option<&str>) -> Vec<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let asked = Asked {
        template: "/orders/{id}",
        path,
        query,
        header: &header,
        content_type: header("content-type").unwrap_or(""),
        encoded: false,
        body: body.map(|body| (body.as_bytes(), false)),
        bodiless: body.is_none(),
    };
    list(request(&document.operations[0].contract, &document.schemas, &asked))
}

fn sent(document: &Document, body: &Value) -> Vec<String> {
    asked(document, "/orders/1", &[("content-type", "application/json; charset=utf-8")], Some(&body.to_string()))
}

/// A document whose operation takes a body of this schema.
fn taking(version: &str, schema: Value, schemas: Value) -> Document {
    let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    document(version, json!({ "requestBody": body, "responses": {} }), schemas)
}

#[test]
fn parameters_are_compared_as_the_texts_they_are() {
    let query = |name: &str, schema: Value| json!({ "in": "query", "name": name, "schema": schema });
    let document = document(
        "3.0.3",
        json!({
            "parameters": [
                { "in": "path", "name": "id", "required": true, "schema": { "type": "integer", "minimum": 1 } },
                { "in": "query", "name": "page", "required": true, "schema": { "type": "integer", "maximum": 100 } },
                query("sort", json!({ "type": "string", "enum": ["up", "down"] })),
                query("since", json!({ "type": "string", "format": "date" })),
                query("key", json!({ "type": "string", "format": "uuid" })),
                query("mail", json!({ "type": "string", "format": "email" })),
                query("full", json!({ "type": "boolean" })),
                query("price", json!({ "type": "number", "minimum": 0, "exclusiveMinimum": true })),
                query("code", json!({ "type": "string", "minLength": 3, "maxLength": 4 })),
                query("tag", json!({ "type": "array", "items": { "type": "integer" }, "maxItems": 2 })),
                { "in": "query", "name": "ids", "explode": false, "schema": { "type": "array", "items": { "type": "integer" } } },
                query("odd", json!({ "type": "string", "format": "color", "pattern": "^x$" })),
                query("either", json!({ "anyOf": [{ "type": "integer" }, { "type": "boolean" }] })),
                { "in": "header", "name": "X-Tenant", "required": true, "schema": { "type": "string", "maxLength": 3 } },
                { "in": "header", "name": "Authorization", "required": true, "schema": { "type": "integer" } },
            ],
            "responses": {},
        }),
        json!({}),
    );
    let tenant = [("x-tenant", "abc")];
    let told = |target: &str| asked(&document, target, &tenant, None);
    for fine in [
        "/orders/7?page=1",
        "/orders/7;v=1?page=1&sort=up&since=2026-02-28&key=018f2f6e-7c1a-7cc0-9f5e-0123456789ab&mail=a%40b.de",
        "/orders/7?page=1&full=true&price=0.01&code=%C3%A9%C3%A9%C3%A9%C3%A9&tag=1&tag=2&ids=1,2,3&odd=y&either=true",
        "/orders/7?page=1&sort=&since=&full=&utm_source=x&_=1700000000&gclid=1&api_key=x&tag[]=1",
        "/orders/7/?page=1",
        "/orders/%37?page=1",
    ] {
        assert_eq!(told(fine), Vec::<String>::new(), "{fine}");
    }
    for (target, fault) in [
        ("/orders/x?page=1", "path.id is no integer"),
        ("/orders/0?page=1", "path.id is too small"),
        ("/orders/7", "query.page is missing"),
        ("/orders/7?page=1.5", "query.page is no integer"),
        ("/orders/7?page=101", "query.page is too large"),
        ("/orders/7?page=1&page=x", "query.page is no integer"),
        ("/orders/7?page=1&sort=left", "query.sort is none of the values that it may be"),
        ("/orders/7?page=1&since=2026-13-01", "query.since is not of its format"),
        ("/orders/7?page=1&key=7", "query.key is not of its format"),
        ("/orders/7?page=1&mail=ann", "query.mail is not of its format"),
        ("/orders/7?page=1&full=yes", "query.full is no boolean"),
        ("/orders/7?page=1&price=0", "query.price is too small"),
        ("/orders/7?page=1&code=ab", "query.code is too short"),
        ("/orders/7?page=1&code=abcde", "query.code is too long"),
        ("/orders/7?page=1&tag=1&tag=2&tag=3", "query.tag has too many items"),
        ("/orders/7?page=1&ids=1,x", "query.ids is no integer"),
        ("/orders/7?page=1&either=maybe", "query.either fits none of its alternatives"),
        ("/orders/7?page=1&colour=red", "query.colour is not in the document"),
    ] {
        assert_eq!(told(target), [fault], "{target}");
    }
    assert_eq!(asked(&document, "/orders/7?page=1", &[], None), ["header.x-tenant is missing"]);
    assert_eq!(asked(&document, "/orders/7?page=1", &[("x-tenant", "abcd")], None), ["header.x-tenant is too long"]);
}

#[test]
fn names_are_open_where_the_document_does_not_list_them() {
    let of = |parameters: Value| document("3.1.0", json!({ "parameters": parameters, "responses": {} }), json!({}));
    let filter = json!({ "in": "query", "name": "filter", "style": "deepObject", "schema": { "type": "object" } });
    let exploded = json!({ "in": "query", "name": "any", "schema": { "type": "object", "properties": { "a": {} } } });
    for parameters in [json!([]), json!([filter]), json!([exploded])] {
        assert_eq!(asked(&of(parameters), "/orders/1?filter[x]=1&a=2", &[], None), Vec::<String>::new());
    }
}

#[test]
fn bodies_are_compared_with_their_schemas() {
    let document = taking(
        "3.0.3",
        json!({ "$ref": "#/components/schemas/Order" }),
        json!({
            "Order": {
                "type": "object",
                "required": ["items", "id"],
                "additionalProperties": false,
                "properties": {
                    "id": { "type": "string", "readOnly": true },
                    "items": { "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/Item" } },
                    "note": { "type": "string", "nullable": true, "enum": ["a", "b"] },
                    "parent": { "$ref": "#/components/schemas/Order" },
                    "total": { "type": "integer", "format": "int32" },
                    "at": { "type": "string", "format": "date-time" },
                    "extra": { "type": "object", "additionalProperties": { "type": "integer" } },
                    "password": { "type": "string", "writeOnly": true },
                },
            },
            "Item": {
                "type": "object",
                "required": ["sku"],
                "properties": { "sku": { "type": "string" }, "count": { "type": "integer", "minimum": 1, "default": 1 } },
            },
        }),
    );
    let order = |more: Value| {
        let mut order = json!({ "items": [{ "sku": "a", "count": 2, "gift": true }] });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        order
    };
    for fine in [
        json!({}),
        json!({ "note": null, "total": 7.0, "at": "2026-11-30T23:59:60.5+01:00", "extra": { "x": 1 }, "id": "sent back" }),
        json!({ "note": "a", "parent": { "items": [{ "sku": "b" }] }, "password": "x" }),
    ] {
        assert_eq!(sent(&document, &order(fine.clone())), Vec::<String>::new(), "{fine}");
    }
    for (more, fault) in [
        (json!({ "items": [] }), "body#/items has too few items"),
        (json!({ "items": [{ "sku": "a" }, { "sku": 7 }] }), "body#/items/1/sku is no text"),
        (json!({ "items": [{}] }), "body#/items/0/sku is missing"),
        (json!({ "note": "c" }), "body#/note is none of the values that it may be"),
        (json!({ "total": "7" }), "body#/total is no integer"),
        (json!({ "total": 2_147_483_648u64 }), "body#/total is beyond its format"),
        (json!({ "at": "yesterday" }), "body#/at is not of its format"),
        (json!({ "extra": { "a/b": "x" } }), "body#/extra/a~1b is no integer"),
        (json!({ "is_admin": true }), "body#/is_admin is not in the document"),
        (json!({ "parent": { "items": [{ "sku": "b" }], "x": 1 } }), "body#/parent/x is not in the document"),
    ] {
        assert_eq!(sent(&document, &order(more.clone())), [fault], "{more}");
    }
    assert_eq!(sent(&document, &json!([])), ["body# is no object"]);
    let post = |content_type, body| asked(&document, "/orders/1", &[("content-type", content_type)], body);
    assert_eq!(post("application/json", Some("{\"items\":")), ["body# is no JSON"]);
    assert_eq!(post("application/xml", Some("<a/>")), ["header.content-type is no type that the document has"]);
    assert_eq!(post("application/json", None), ["body is missing"]);
    for unread in
        ["\u{feff}{}", &format!("{{\"a\":{}", "[".repeat(200)), "{\"items\":[{\"sku\":\"a\"}],\"total\":1e999}"]
    {
        assert_eq!(post("application/json", Some(unread)), Vec::<String>::new(), "{unread}");
    }
}

#[test]
fn compositions_are_as_strict_as_their_parts_and_no_stricter() {
    let document = taking(
        "3.1.0",
        json!({
            "oneOf": [{ "$ref": "#/components/schemas/Card" }, { "$ref": "#/components/schemas/Transfer" }],
        }),
        json!({
            "Base": {
                "type": "object",
                "additionalProperties": false,
                "required": ["amount"],
                "properties": { "amount": { "type": ["number", "null"], "exclusiveMinimum": 0 } },
            },
            "Card": { "allOf": [
                { "$ref": "#/components/schemas/Base" },
                { "type": "object", "required": ["number"], "properties": { "kind": { "const": "card" }, "number": { "type": "string" } } },
            ] },
            "Transfer": {
                "type": "object",
                "required": ["kind", "iban"],
                "additionalProperties": false,
                "properties": { "kind": { "const": "transfer" }, "iban": { "$ref": "#/components/schemas/Iban", "maxLength": 34 } },
            },
            "Iban": { "type": "string", "minLength": 15 },
        }),
    );
    for fine in [
        json!({ "kind": "card", "amount": 5, "number": "4111" }),
        json!({ "kind": "card", "amount": null, "number": "4111" }),
        json!({ "kind": "transfer", "iban": "DE89370400440532013000" }),
    ] {
        assert_eq!(sent(&document, &fine), Vec::<String>::new(), "{fine}");
    }
    for wrong in [
        json!({ "kind": "card", "number": "4111" }),
        json!({ "kind": "card", "amount": 0, "number": "4111" }),
        json!({ "kind": "transfer", "iban": "DE89" }),
        json!({ "kind": "transfer", "iban": "x".repeat(35) }),
        json!({ "kind": "cash" }),
    ] {
        assert_eq!(sent(&document, &wrong), ["body# fits none of its alternatives"], "{wrong}");
    }
}

#[test]
fn what_is_not_read_or_leads_nowhere_asks_for_nothing() {
    for schema in [
        json!(true),
        json!({}),
        json!({ "type": "file" }),
        json!({ "not": {} }),
        json!({ "if": {}, "then": false }),
        json!({ "properties": { "a": { "pattern": "^b$" } }, "patternProperties": { "x": {} }, "additionalProperties": false }),
        json!({ "enum": [{ "a": 1 }] }),
        json!({ "prefixItems": [{ "type": "integer" }], "items": { "type": "string" } }),
        json!({ "unevaluatedProperties": false }),
        json!({ "$ref": "#/components/schemas/Nothing" }),
        json!({ "$ref": "elsewhere.json#/Order" }),
        json!({ "$ref": "#/components/schemas/Circle" }),
        json!({ "allOf": [{ "$ref": "#/components/schemas/Itself" }] }),
    ] {
        let schemas = json!({
            "Circle": { "$ref": "#/components/schemas/Circle" },
            "Itself": { "allOf": [{ "$ref": "#/components/schemas/Itself" }] },
        });
        let document = taking("3.1.0", schema.clone(), schemas);
        for body in [json!({ "a": "c", "z": 1 }), json!([1, "x", null]), json!("text")] {
            assert_eq!(sent(&document, &body), Vec::<String>::new(), "{schema} {body}");
        }
    }
}

#[test]
fn forms_are_compared_field_by_field() {
    let schema = json!({
        "type": "object",
        "required": ["amount"],
        "additionalProperties": false,
        "properties": { "amount": { "type": "integer" }, "lines": { "type": "array" }, "live": { "type": "boolean" } },
    });
    let body = json!({ "content": { "application/x-www-form-urlencoded": { "schema": schema } } });
    let document = document("3.0.0", json!({ "requestBody": body, "responses": {} }), json!({}));
    let told =
        |body| asked(&document, "/orders/1", &[("content-type", "application/x-www-form-urlencoded")], Some(body));
    assert_eq!(told("amount=7&live=true&lines[0][sku]=x&meta[a]=1"), Vec::<String>::new());
    assert_eq!(told("amount=x"), ["form.amount is no integer"]);
    assert_eq!(told("live=true"), ["form.amount is missing"]);
    assert_eq!(told("amount=7&admin=1"), ["form.admin is not in the document"]);
}

#[test]
fn answers_are_compared_by_status_type_and_body() {
    let ok = json!({ "application/json": { "schema": {
        "type": "object",
        "required": ["id", "secret"],
        "properties": { "id": { "type": "integer", "readOnly": true }, "secret": { "type": "string", "writeOnly": true } },
    } } });
    let answers = json!({ "200": { "description": "", "content": ok }, "4XX": { "description": "" } });
    let document = document("3.0.0", json!({ "responses": answers }), json!({}));
    let told = |status, content_type, body: &str| {
        let body = Some((body.as_bytes(), false));
        let answered = Answered { status, content_type, body };
        list(answer(&document.operations[0].contract, &document.schemas, &answered))
    };
    for (status, content_type, body) in [
        (200, "application/json", r#"{"id":1}"#),
        (200, "", "anything"),
        (404, "text/html", "<html>"),
        (500, "text/html", "<html>"),
        (302, "", ""),
    ] {
        assert_eq!(told(status, content_type, body), Vec::<String>::new(), "{status} {content_type}");
    }
    assert_eq!(told(200, "application/json", r#"{"id":"1"}"#), ["response.body#/id is no integer"]);
    assert_eq!(
        told(200, "application/json", r#"{"id":1,"secret":"x"}"#),
        ["response.body#/secret is for requests alone"]
    );
    assert_eq!(told(201, "application/json", "{}"), ["response.status is not in the document"]);
    assert_eq!(
        told(200, "text/html; charset=utf-8", "<html>"),
        ["response.content-type is no type that the document has"]
    );
}

#[test]
fn of_many_faults_the_first_are_told_without_values() {
    let closed = json!({ "type": "object", "additionalProperties": false });
    let document = taking("3.0.0", closed, json!({}));
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (format!("member{n:02}"), json!("a secret"))).collect();
    let told = sent(&document, &Value::Object(many));
    assert_eq!(told.len(), 4);
    let name = "é".repeat(500);
    let long = sent(&document, &json!({ name: 1 }));
    assert!(long[0].len() < 120, "{}", long[0]);
    assert!(super::told(&[]).is_none());
    let faults = [
        Fault { place: "query.a".to_owned(), what: "is missing" },
        Fault { place: "body#/b".to_owned(), what: "is no text" },
    ];
    let expected = ("query.a".to_owned(), "unlike its document: query.a is missing; body#/b is no text".to_owned());
    assert_eq!(super::told(&faults), Some(expected));
}

#[test]
fn hostile_documents_and_bodies_take_bounded_work() {
    // Each level has the next one twice, so that there are 2^40 ways through.
    let level = |n: usize| {
        let next = json!({ "$ref": format!("#/components/schemas/L{}", n + 1) });
        json!({ "anyOf": [{ "allOf": [&next] }, { "allOf": [&next] }] })
    };
    let mut schemas: serde_json::Map<String, Value> = (0..40).map(|n| (format!("L{n}"), level(n))).collect();
    schemas.insert("L40".to_owned(), json!({ "type": "integer" }));
    let document = taking("3.0.0", json!({ "$ref": "#/components/schemas/L0" }), Value::Object(schemas));
    assert!(sent(&document, &json!("x")).len() <= 1);
    let items = json!({ "type": "array", "items": { "type": "integer" } });
    let document = taking("3.0.0", items, json!({}));
    let large = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    let post = |body: &str| asked(&document, "/orders/1", &[("content-type", "application/json")], Some(body));
    assert_eq!(post(&large(30_000)), Vec::<String>::new());
    let fill = |n: usize| format!("[{}\"x\"]", " ".repeat(n - 5));
    assert_eq!(post(&fill(MAX_BODY)), ["body#/0 is no integer"]);
    assert_eq!(post(&fill(MAX_BODY + 1)), Vec::<String>::new());
    // Schemas beyond the limit are open, and a chain of references is no deeper stack.
    let chain = |n: usize| {
        let next = |k: usize| json!({ "properties": { "a": { "$ref": format!("#/components/schemas/C{}", k + 1) } } });
        let schemas: serde_json::Map<String, Value> = (0..n).map(|k| (format!("C{k}"), next(k))).collect();
        taking("3.0.0", json!({ "$ref": "#/components/schemas/C0" }), Value::Object(schemas))
    };
    assert_eq!(chain(MAX_SCHEMAS + 10).schemas.len(), MAX_SCHEMAS);
}
