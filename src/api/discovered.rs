//! What was discovered, as an OpenAPI 3.1 document to start from: paths, methods, parameters by their form, statuses,
//! and by which means callers showed who they are. No value that a client sent is in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::inventory::{Inventory, path_of};
use crate::query::EndpointAnswer;

/// The document.
pub fn document(rows: &[EndpointAnswer], now: &str) -> Value {
    // Hosts share their paths: who wants one alone asks for it.
    let mut paths: BTreeMap<String, (String, BTreeMap<String, Vec<&EndpointAnswer>>)> = BTreeMap::new();
    let mut means: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.calls > 0 && is_method(&row.method)) {
        means.extend(&row.auth_means);
        // Two templates that differ in the names of placeholders alone are one path.
        let (path, form) = named(path_of(&row.template));
        let (_, methods) = paths.entry(form).or_insert_with(|| (path, BTreeMap::new()));
        methods.entry(row.method.to_ascii_lowercase()).or_default().push(row);
    }
    let mut items = Map::new();
    for (path, methods) in paths.into_values() {
        let operations = methods.into_iter().map(|(method, rows)| (method, operation(&path, &rows)));
        items.insert(path.clone(), Value::Object(operations.collect()));
    }
    means.sort_unstable();
    means.dedup();
    let schemes: Map<String, Value> =
        means.into_iter().filter_map(|means| Some((means.to_owned(), scheme(means)?))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Discovered API",
            "version": now,
            "description": "What was seen in traffic. Types are those of the forms of values; examples are made up.",
        },
        "servers": [{ "url": "/" }],
        "paths": items,
        "components": { "securitySchemes": schemes },
    })
}

fn is_method(method: &str) -> bool {
    matches!(method, "GET" | "PUT" | "POST" | "DELETE" | "OPTIONS" | "HEAD" | "PATCH" | "TRACE")
}

/// The path with a name for each placeholder, and the same with nameless ones.
fn named(template: &str) -> (String, String) {
    let (mut path, mut form) = (String::new(), String::new());
    let mut taken: Vec<String> = Vec::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        let mut unique = name.to_owned();
        let mut number = 2;
        while taken.contains(&unique) {
            unique = format!("{name}{number}");
            number += 1;
        }
        path.push_str(&[before, "{", &unique, "}"].concat());
        form.push_str(&[before, "{}"].concat());
        taken.push(unique);
        rest = behind;
    }
    path.push_str(rest);
    form.push_str(rest);
    (path, form)
}

fn operation(path: &str, rows: &[&EndpointAnswer]) -> Value {
    let mut statuses: BTreeMap<&str, u64> = BTreeMap::new();
    for (status, calls) in rows.iter().flat_map(|row| &row.statuses) {
        *statuses.entry(status).or_default() += calls;
    }
    let valid = |status: &&str| status.parse().is_ok_and(|status: u16| (100..=599).contains(&status));
    let mut responses: Map<String, Value> = statuses
        .into_iter()
        .filter(|(status, _)| valid(status))
        .map(|(status, calls)| (status.to_owned(), json!({ "description": format!("{calls} answers") })))
        .collect();
    if responses.is_empty() {
        responses.insert("default".to_owned(), json!({ "description": "nothing was answered yet" }));
    }
    let mut operation = json!({ "responses": responses });
    let mut parameters: Vec<Value> = placeholders(path).map(parameter).collect();
    let mut members: [Map<String, Value>; 2] = [Map::new(), Map::new()];
    // Of several rows on one path the first that has a parameter says its type.
    let mut queries = Map::new();
    for seen in rows.iter().flat_map(|row| &row.parameters) {
        let to = match seen.r#in.as_str() {
            "query" => &mut queries,
            "body" => &mut members[0],
            _ => &mut members[1],
        };
        to.entry(seen.name.clone()).or_insert_with(|| schema_of(&seen.types, seen.r#in != "body"));
    }
    parameters
        .extend(queries.into_iter().map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema })));
    if let Some(operation) = operation.as_object_mut() {
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(parameters));
        }
        let types = ["application/json", "application/x-www-form-urlencoded"];
        let bodies: Map<String, Value> = types
            .into_iter()
            .zip(members)
            .filter(|(_, members)| !members.is_empty())
            .map(|(media, members)| {
                (media.to_owned(), json!({ "schema": { "type": "object", "properties": members } }))
            })
            .collect();
        if !bodies.is_empty() {
            operation.insert("requestBody".to_owned(), json!({ "content": bodies }));
        }
        if rows.iter().any(|row| row.inventory == Some(Inventory::Zombie)) {
            operation.insert("deprecated".to_owned(), Value::Bool(true));
        }
        let mut means: Vec<&str> = rows.iter().flat_map(|row| &row.auth_means).copied().collect();
        means.sort_unstable();
        means.dedup();
        let mut security: Vec<Value> =
            means.into_iter().filter(|means| scheme(means).is_some()).map(|means| json!({ means: [] })).collect();
        if !security.is_empty() {
            if rows.iter().any(|row| row.auth == "mixed") {
                security.push(json!({}));
            }
            operation.insert("security".to_owned(), Value::Array(security));
        }
    }
    operation
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
}

fn parameter(name: &str) -> Value {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let (schema, example) = match kind {
        "integer" => (json!({ "type": "integer" }), json!(1)),
        "uuid" => (json!({ "type": "string", "format": "uuid" }), json!("00000000-0000-4000-8000-000000000000")),
        "date" => (json!({ "type": "string", "format": "date" }), json!("2000-01-01")),
        "email" => (json!({ "type": "string", "format": "email" }), json!("name@example.com")),
        "hex" => (json!({ "type": "string", "pattern": "^[0-9a-fA-F]+$" }), json!("00000000")),
        "locale" => (json!({ "type": "string", "pattern": "^[a-z]{2}[-_][A-Z]{2}$" }), json!("en-US")),
        "base64" => (json!({ "type": "string", "contentEncoding": "base64" }), json!("AAAAAAA=")),
        "ulid" => (json!({ "type": "string", "minLength": 26, "maxLength": 26 }), json!("00000000000000000000000000")),
        _ => (json!({ "type": "string" }), json!("string")),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example })
}

/// What the types that were seen have in common, nothing where they have not; in a text anything is one.
fn schema_of(types: &[&str], is_text: bool) -> Value {
    match types {
        ["integer"] => json!({ "type": "integer" }),
        ["number"] | ["integer", "number"] => json!({ "type": "number" }),
        ["boolean"] => json!({ "type": "boolean" }),
        [format @ ("uuid" | "date" | "email")] => json!({ "type": "string", "format": format }),
        types if types.contains(&"nested") => json!({}),
        ["string"] | ["uuid" | "date" | "email", ..] => json!({ "type": "string" }),
        _ if is_text => json!({ "type": "string" }),
        _ => json!({}),
    }
}

fn scheme(means: &str) -> Option<Value> {
    Some(match means {
        "bearer" => json!({ "type": "http", "scheme": "bearer" }),
        "cookie" => json!({ "type": "apiKey", "in": "cookie", "name": "session" }),
        "api_key" => json!({ "type": "apiKey", "in": "header", "name": "X-API-Key" }),
        _ => return None,
    })
}
