//! One OpenAPI document → the contracts of its operations.
//!
//! Every schema gets its number before it is read, and waits in a list until then: neither nesting nor chains of
//! references take a deeper stack, and a circle ends where it began.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::types::{ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, STRING};
use super::{
    ANYTHING, Answer, Bound, Contract, Format, MAX_SCHEMAS, Media, Member, Node, Others, Parameter, Place, Scalar,
    Schema, Size, essence,
};
use crate::inventory::openapi::resolve;

/// Members, alternatives and values of one schema; what is more makes it open.
const MAX_PARTS: usize = 2_000;
/// What stands beside a reference without asking for anything.
const NOTES: [&str; 7] = ["$ref", "description", "summary", "title", "deprecated", "example", "examples"];

/// Reads contracts.
pub struct Reader<'a> {
    root: &'a Value,
    /// 3.0, where nothing beside a reference counts.
    older: bool,
    schemas: Vec<Schema>,
    known: HashMap<&'a str, Node>,
    waiting: Vec<(Node, &'a Value)>,
    /// Query parameters that every operation may have: keys of callers.
    keys: Vec<&'a str>,
    /// References that lead nowhere, and schemas beyond the limit.
    pub unread: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the document `root`.
    pub fn new(root: &'a Value) -> Self {
        let schemes = root.pointer("/components/securitySchemes").and_then(Value::as_object);
        let in_query = |scheme: &&Value| scheme.get("in").and_then(Value::as_str) == Some("query");
        let keys = schemes.into_iter().flat_map(Map::values).filter(in_query).filter_map(|s| s.get("name")?.as_str());
        let version = root.get("openapi").and_then(Value::as_str).unwrap_or("");
        Self {
            root,
            older: version.starts_with("3.0"),
            schemas: vec![Schema::default()],
            known: HashMap::new(),
            waiting: Vec::new(),
            keys: keys.collect(),
            unread: 0,
        }
    }

    /// The schemas that contracts refer to.
    pub fn finish(self) -> Vec<Schema> {
        if self.schemas.len() > 1 { self.schemas } else { Vec::new() }
    }

    /// The contract of an operation on a path with these parameters.
    pub fn operation(&mut self, shared: Option<&'a Value>, operation: &'a Map<String, Value>) -> Contract {
        let mut contract = Contract::default();
        let own = operation.get("parameters");
        for list in [own, shared] {
            for parameter in list.and_then(Value::as_array).into_iter().flatten() {
                self.parameter(parameter, &mut contract);
            }
        }
        if contract.parameters.iter().any(|parameter| parameter.place == Place::Query) {
            let key = |name: &&str| Parameter {
                place: Place::Query,
                name: (*name).into(),
                required: false,
                schema: ANYTHING,
                separator: None,
            };
            contract.parameters.extend(self.keys.iter().map(key));
        }
        if let Some(body) = operation.get("requestBody").and_then(|body| self.resolved(body)) {
            contract.body_required = body.get("required").and_then(Value::as_bool) == Some(true);
            contract.body = self.media(body.get("content"));
        }
        for (status, answer) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
            let class = status.strip_suffix("XX").or_else(|| status.strip_suffix("xx"));
            let number = if status == "default" { Some(0) } else { class.unwrap_or(status).parse().ok() };
            let (Some(status), Some(answer)) = (number, self.resolved(answer)) else { continue };
            let media = self.media(answer.get("content"));
            contract.answers.push(Answer { status, media });
        }
        self.read_waiting();
        contract
    }

    fn parameter(&mut self, parameter: &'a Value, to: &mut Contract) {
        let Some(parameter) = self.resolved(parameter) else { return };
        let text = |name: &str| parameter.get(name).and_then(Value::as_str);
        let (Some(place), Some(name)) = (text("in"), text("name")) else { return };
        let (place, name) = match place {
            "path" => (Place::Path, name.to_owned()),
            "query" => (Place::Query, name.to_owned()),
            "header" => (Place::Header, name.to_ascii_lowercase()),
            "querystring" => {
                to.open_query = true;
                return;
            }
            _ => return,
        };
        let is_known = to.parameters.iter().any(|known| known.place == place && *known.name == *name);
        // OpenAPI itself says that these are described elsewhere.
        if is_known || (place == Place::Header && ["accept", "content-type", "authorization"].contains(&&*name)) {
            return;
        }
        let required = place == Place::Path || parameter.get("required").and_then(Value::as_bool) == Some(true);
        let style = text("style").unwrap_or(if place == Place::Query { "form" } else { "simple" });
        let explode = parameter.get("explode").and_then(Value::as_bool).unwrap_or(style == "form");
        let schema = parameter.get("schema").and_then(|schema| self.resolved(schema));
        let is_object = schema.is_some_and(|schema| self.may_be_object(schema, 0));
        // The members of an object stand in the query under names of their own.
        to.open_query |= place == Place::Query && (style == "deepObject" || (is_object && explode));
        let separator = match style {
            "form" if explode => None,
            "spaceDelimited" => Some(' '),
            "pipeDelimited" => Some('|'),
            _ => Some(','),
        };
        let plain = matches!(style, "form" | "simple" | "spaceDelimited" | "pipeDelimited");
        let schema = parameter.get("schema").filter(|_| plain).map_or(ANYTHING, |schema| self.node(schema));
        to.parameters.push(Parameter { place, name: name.into(), required, schema, separator });
    }

    /// Whether a schema is of objects, or one of its parts is.
    fn may_be_object(&self, schema: &'a Value, depth: usize) -> bool {
        let lists = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|name| schema.get(name)?.as_array());
        let mut parts = lists.flatten().filter_map(|part| self.resolved(part));
        schema.get("properties").is_some()
            || schema
                .get("type")
                .is_some_and(|of| of == "object" || of.as_array().is_some_and(|l| l.iter().any(|t| t == "object")))
            || (depth < 4 && parts.any(|part| self.may_be_object(part, depth + 1)))
    }

    fn media(&mut self, content: Option<&'a Value>) -> Vec<Media> {
        let content = content.and_then(Value::as_object).into_iter().flatten();
        content
            .map(|(range, media)| {
                let schema = media.get("schema").map_or(ANYTHING, |schema| self.node(schema));
                Media { range: essence(range).into(), schema }
            })
            .collect()
    }

    fn resolved(&self, value: &'a Value) -> Option<&'a Value> {
        resolve(self.root, value).ok()
    }

    /// The number of a schema, which is read later.
    fn node(&mut self, value: &'a Value) -> Node {
        let reference = value.get("$ref").and_then(Value::as_str);
        let alone = || value.as_object().is_some_and(|object| object.keys().all(|key| NOTES.contains(&&**key)));
        match reference {
            Some(reference) if self.older || alone() => self.reference(reference, value),
            None if value.as_object().is_none_or(Map::is_empty) => ANYTHING,
            _ => self.wait(value),
        }
    }

    fn reference(&mut self, reference: &'a str, value: &'a Value) -> Node {
        if let Some(known) = self.known.get(reference) {
            return *known;
        }
        let node = match self.resolved(value) {
            Some(found) if found.is_object() => self.wait(found),
            found => {
                self.unread += usize::from(found.is_none());
                ANYTHING
            }
        };
        self.known.insert(reference, node);
        node
    }

    fn wait(&mut self, value: &'a Value) -> Node {
        if self.schemas.len() >= MAX_SCHEMAS {
            self.unread += 1;
            return ANYTHING;
        }
        let node = self.schemas.len() as Node;
        self.schemas.push(Schema::default());
        self.waiting.push((node, value));
        node
    }

    fn read_waiting(&mut self) {
        while let Some((node, value)) = self.waiting.pop() {
            let Some(object) = value.as_object() else { continue };
            let schema = self.schema(object);
            if let Some(slot) = self.schemas.get_mut(node as usize) {
                *slot = schema;
            }
        }
    }

    fn schema(&mut self, object: &'a Map<String, Value>) -> Schema {
        let types = |value: &Value| match value.as_str() {
            Some("null") => NULL,
            Some("boolean") => BOOLEAN,
            Some("object") => OBJECT,
            Some("array") => ARRAY,
            Some("number") => NUMBER,
            Some("integer") => INTEGER,
            Some("string") => STRING,
            // What is none of them is open.
            _ => u8::MAX,
        };
        let types = match object.get("type") {
            Some(Value::Array(list)) => list.iter().map(types).fold(0, |all, one| all | one),
            Some(one) => types(one),
            None => 0,
        };
        let mut schema = Schema { types, ..Schema::default() };
        let nullable = object.get("nullable").and_then(Value::as_bool) == Some(true);
        if nullable && schema.types != 0 {
            schema.types |= NULL;
        }
        let constant = object.get("const").map(core::slice::from_ref);
        let listed = object.get("enum").and_then(Value::as_array).map(Vec::as_slice).or(constant);
        schema.values = listed.and_then(scalars).unwrap_or_default();
        if nullable && !schema.values.is_empty() {
            schema.values.push(Scalar::Null);
        }
        schema.format = format(object.get("format").and_then(Value::as_str).unwrap_or(""));
        schema.least = bound(object, "minimum", "exclusiveMinimum");
        schema.most = bound(object, "maximum", "exclusiveMaximum");
        schema.length = size(object, "minLength", "maxLength");
        schema.items = size(object, "minItems", "maxItems");
        schema.size = size(object, "minProperties", "maxProperties");
        if !object.contains_key("prefixItems")
            && let Some(item) = object.get("items").filter(|item| item.is_object())
        {
            schema.item = self.node(item);
        }
        let lists = |name: &str| object.get(name).and_then(Value::as_array).filter(|list| list.len() <= MAX_PARTS);
        schema.all = lists("allOf").into_iter().flatten().map(|part| self.node(part)).collect();
        if !self.older && object.get("$ref").is_some_and(Value::is_string) {
            let reference = object.get("$ref").and_then(Value::as_str).unwrap_or("");
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            schema.all.extend(target.map(|target| self.reference(reference, target)));
        }
        for name in ["anyOf", "oneOf"] {
            let Some(list) = lists(name).filter(|list| !list.is_empty()) else { continue };
            schema.choices.push(list.iter().map(|part| self.node(part)).collect());
        }
        self.members(object, &mut schema);
        schema
    }

    fn members(&mut self, object: &'a Map<String, Value>, schema: &mut Schema) {
        let members = object.get("properties").and_then(Value::as_object);
        if members.is_some_and(|members| members.len() > MAX_PARTS) {
            self.unread += 1;
            return;
        }
        for (name, member) in members.into_iter().flatten() {
            let resolved = self.resolved(member).unwrap_or(member);
            let is = |flag: &str| [member, resolved].iter().any(|m| m.get(flag).and_then(Value::as_bool) == Some(true));
            let (read_only, write_only) = (is("readOnly"), is("writeOnly"));
            schema.members.push(Member {
                name: name.as_str().into(),
                schema: self.node(member),
                read_only,
                write_only,
            });
        }
        schema.members.sort_by(|a, b| a.name.cmp(&b.name));
        let required = object.get("required").and_then(Value::as_array).into_iter().flatten();
        schema.required = required.filter_map(Value::as_str).map(Into::into).take(MAX_PARTS).collect();
        // Beside alternatives and patterns it is not certain which members belong to the schema.
        let is_open = ["allOf", "anyOf", "oneOf", "patternProperties", "$ref"].iter().any(|n| object.contains_key(*n));
        schema.others = match object.get("additionalProperties") {
            _ if is_open => Others::Open,
            Some(Value::Bool(false)) => Others::Closed,
            Some(other) if other.is_object() => Others::Like(self.node(other)),
            _ => Others::Open,
        };
    }
}

/// The values of an `enum`; `None` where one of them is no scalar.
fn scalars(list: &[Value]) -> Option<Vec<Scalar>> {
    if list.len() > MAX_PARTS {
        return None;
    }
    let scalar = |value: &Value| {
        Some(match value {
            Value::Null => Scalar::Null,
            Value::Bool(truth) => Scalar::Bool(*truth),
            Value::Number(number) => Scalar::Number(number.as_f64()?.into()),
            Value::String(text) => Scalar::Text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => return None,
        })
    };
    list.iter().map(scalar).collect()
}

fn format(name: &str) -> Format {
    match name {
        "int32" => Format::Int32,
        "int64" => Format::Int64,
        "uuid" => Format::Uuid,
        "date" => Format::Date,
        "date-time" => Format::DateTime,
        "email" => Format::Email,
        _ => Format::None,
    }
}

/// 3.0 says `exclusiveMinimum: true` beside `minimum`, 3.1 gives the number itself.
fn bound(object: &Map<String, Value>, inclusive: &str, exclusive: &str) -> Option<Bound> {
    let number = |name: &str| object.get(name).and_then(Value::as_f64);
    let flag = object.get(exclusive).and_then(Value::as_bool) == Some(true);
    let own = number(exclusive).map(|value| Bound { value: value.into(), exclusive: true });
    own.or_else(|| Some(Bound { value: number(inclusive)?.into(), exclusive: flag }))
}

fn size(object: &Map<String, Value>, least: &str, most: &str) -> Size {
    let number = |name: &str| object.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    Size { least: number(least).unwrap_or(0), most: number(most) }
}
