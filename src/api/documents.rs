//! Documents as the API shows them: what is compared with, what is wrong with it, what a version changes.

use serde::Serialize;

use crate::inventory::contract::{Contract, Parameter, Place};
use crate::inventory::openapi::{Document, Fault, Operation};
use crate::query::rfc3339;

/// Problems, warnings or changes shown of one document.
const MAX_SHOWN: usize = 200;

/// A document as the API lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentAnswer {
    /// Of an uploaded one; `null` for a configured one, which is changed where it is configured.
    pub id: Option<u64>,
    /// `uploaded:ID`, `inline:PLACE` or the path of the asset.
    pub source: String,
    pub title: Option<String>,
    pub version: Option<String>,
    pub added: Option<String>,
    pub paths: usize,
    pub operations: usize,
    pub deprecated: usize,
    /// Schemas that messages are compared with.
    pub schemas: usize,
    /// Where its paths begin.
    pub servers: Vec<String>,
    /// Why it is not used.
    pub problems: Vec<String>,
}

/// One document with its operations and what it changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentDetails {
    #[serde(flatten)]
    pub document: DocumentAnswer,
    /// `METHOD /path`, as written.
    pub operation_names: Vec<String>,
    /// Against the version before it, where there is one.
    pub changes: Option<Changes>,
    pub warnings: Vec<String>,
}

/// What a document changes against the version before it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    pub since: String,
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Deprecated now, and not before.
    pub deprecated: Vec<String>,
    /// Documented as in need of authentication now, and not before; and the other way round.
    pub secured: Vec<String>,
    pub opened: Vec<String>,
    /// What is different about the messages of an operation that both have.
    pub contracts: Vec<String>,
}

impl DocumentAnswer {
    /// A document, or what is wrong with it.
    pub fn new(id: Option<u64>, source: String, added_ms: Option<u64>, document: Result<&Document, &[Fault]>) -> Self {
        let mut answer = Self {
            id,
            source,
            title: None,
            version: None,
            added: added_ms.map(rfc3339),
            paths: 0,
            operations: 0,
            deprecated: 0,
            schemas: 0,
            servers: Vec::new(),
            problems: Vec::new(),
        };
        match document {
            Err(faults) => answer.problems = faults.iter().map(ToString::to_string).collect(),
            Ok(document) => {
                let mut paths: Vec<&str> =
                    document.operations.iter().map(|operation| operation.path.as_str()).collect();
                paths.sort_unstable();
                paths.dedup();
                answer.title = Some(document.title.clone());
                answer.version = Some(document.version.clone());
                answer.paths = paths.len();
                answer.operations = document.operations.len();
                answer.deprecated = document.operations.iter().filter(|operation| operation.deprecated).count();
                answer.schemas = document.schemas.len();
                let server = |base: &crate::inventory::openapi::Base| {
                    let path = if base.path.is_empty() { "/" } else { &base.path };
                    [base.host.as_deref().unwrap_or(""), path].concat()
                };
                answer.servers = document.bases.iter().map(server).collect();
            }
        }
        answer
    }
}

/// `METHOD /path` of every operation.
pub fn operation_names(document: &Document) -> Vec<String> {
    document.operations.iter().map(name).collect()
}

fn name(operation: &Operation) -> String {
    [operation.method.as_str(), " ", &operation.path].concat()
}

/// What `newer` changes against `older`. Placeholders may have other names.
pub fn changes(older: &Document, newer: &Document) -> Changes {
    let same = |one: &Operation, other: &Operation| one.method == other.method && form(&one.path) == form(&other.path);
    let in_older = |operation: &Operation| older.operations.iter().find(|other| same(other, operation));
    let names = |wanted: &dyn Fn(&Operation) -> bool, of: &Document| {
        of.operations.iter().filter(|operation| wanted(operation)).take(MAX_SHOWN).map(name).collect()
    };
    Changes {
        since: older.version.clone(),
        added: names(&|operation| in_older(operation).is_none(), newer),
        removed: names(&|operation| !newer.operations.iter().any(|other| same(other, operation)), older),
        deprecated: names(&|o| o.deprecated && in_older(o).is_some_and(|was| !was.deprecated), newer),
        secured: names(&|o| o.secured && in_older(o).is_some_and(|was| !was.secured), newer),
        opened: names(&|o| !o.secured && in_older(o).is_some_and(|was| was.secured), newer),
        contracts: newer
            .operations
            .iter()
            .filter_map(|now| Some((name(now), differences(&in_older(now)?.contract, &now.contract))))
            .flat_map(|(name, different)| different.into_iter().map(move |what| [&name, ": ", &what].concat()))
            .take(MAX_SHOWN)
            .collect(),
    }
}

/// What clients have to know of a contract that changed: parameters, types of content, statuses.
fn differences(was: &Contract, now: &Contract) -> Vec<String> {
    let mut told = Vec::new();
    let place = |parameter: &Parameter| match parameter.place {
        Place::Path => None,
        Place::Query => Some(["query.", &parameter.name].concat()),
        Place::Header => Some(["header.", &parameter.name].concat()),
    };
    let of = |contract: &Contract| -> Vec<(String, bool)> {
        contract.parameters.iter().filter_map(|p| Some((place(p)?, p.required))).collect()
    };
    let (before, after) = (of(was), of(now));
    let find = |list: &[(String, bool)], name: &str| list.iter().find(|(known, _)| known == name).map(|(_, r)| *r);
    for (name, required) in &after {
        match find(&before, name) {
            None => told.push([name.as_str(), if *required { " is new and required" } else { " is new" }].concat()),
            Some(did) if did != *required => {
                told.push(
                    [name.as_str(), if *required { " is required" } else { " is not required any more" }].concat(),
                );
            }
            Some(_) => {}
        }
    }
    told.extend(
        before.iter().filter(|(n, _)| find(&after, n).is_none()).map(|(n, _)| [n.as_str(), " is gone"].concat()),
    );
    if was.body_required != now.body_required {
        told.push(if now.body_required { "a body is required" } else { "no body is required any more" }.to_owned());
    }
    let media = |contract: &Contract| contract.body.iter().map(|media| media.range.to_string()).collect::<Vec<_>>();
    let statuses = |contract: &Contract| {
        let said = |status: u16| match status {
            0 => "default".to_owned(),
            class @ 1..=9 => format!("{class}XX"),
            code => code.to_string(),
        };
        contract.answers.iter().map(|answer| said(answer.status)).collect::<Vec<_>>()
    };
    for (what, before, after) in [("bodies of", media(was), media(now)), ("the status", statuses(was), statuses(now))] {
        let only =
            |one: &[String], other: &[String]| one.iter().filter(|x| !other.contains(x)).cloned().collect::<Vec<_>>();
        told.extend(only(&after, &before).into_iter().map(|x| format!("{what} {x} is new")));
        told.extend(only(&before, &after).into_iter().map(|x| format!("{what} {x} is gone")));
    }
    told
}

/// A path with nameless placeholders.
fn form(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            let keep = !inside || *c == '}';
            inside = (*c == '{') || (inside && *c != '}');
            keep
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_version_tells_what_it_changes() {
        let read = |version: &str, paths: serde_json::Value| {
            let value = json!({ "openapi": "3.0.0", "info": { "title": "T", "version": version }, "paths": paths });
            Document::from_value(&value).unwrap().0
        };
        let older = read(
            "1",
            json!({
                "/a/{x}": {
                    "get": {
                        "parameters": [{ "in": "query", "name": "page" }, { "in": "query", "name": "old" }],
                        "responses": { "200": {}, "default": {} },
                    },
                    "put": {},
                },
                "/b": { "get": { "security": [{ "k": [] }] } },
                "/c": { "get": {} },
            }),
        );
        let newer = read(
            "2",
            json!({
                "/a/{id}": { "get": {
                    "deprecated": true,
                    "parameters": [
                        { "in": "query", "name": "page", "required": true },
                        { "in": "header", "name": "X-Tenant", "required": true },
                    ],
                    "requestBody": { "content": { "application/json": {} } },
                    "responses": { "200": {}, "4XX": {} },
                } },
                "/b": { "get": {} },
                "/c": { "get": { "security": [{ "k": [] }] } },
                "/d": { "post": {} },
            }),
        );
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let expected = Changes {
            since: "1".to_owned(),
            added: text(&["POST /d"]),
            removed: text(&["PUT /a/{x}"]),
            deprecated: text(&["GET /a/{id}"]),
            secured: text(&["GET /c"]),
            opened: text(&["GET /b"]),
            contracts: text(&[
                "GET /a/{id}: query.page is required",
                "GET /a/{id}: header.x-tenant is new and required",
                "GET /a/{id}: query.old is gone",
                "GET /a/{id}: bodies of application/json is new",
                "GET /a/{id}: the status 4XX is new",
                "GET /a/{id}: the status default is gone",
            ]),
        };
        assert_eq!(changes(&older, &newer), expected);
    }
}
