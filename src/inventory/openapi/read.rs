//! One JSON value → [`Document`].

use serde_json::{Map, Value};

use super::servers::bases;
use super::{Base, Document, Fault, MAX_FAULTS, MAX_PATHS, Operation, Template};
use crate::inventory::contract;

/// Members of a path item that are methods, and `additionalOperations` is read beside them.
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
/// References followed from one place before it counts as a circle.
const MAX_REFERENCES: usize = 16;

/// Reads a document.
pub fn document(root: &Value) -> Result<(Document, Vec<Fault>), Vec<Fault>> {
    let contracts = contract::Reader::new(root);
    let mut reader = Reader { root, contracts, faults: Vec::new(), warnings: Vec::new() };
    let document = reader.document();
    if reader.contracts.unread > 0 {
        let reason = format!(
            "{} schemas are not compared: what they refer to is not there, or they are too many",
            reader.contracts.unread
        );
        reader.warn("/components/schemas", reason);
    }
    let document = document.map(|document| Document { schemas: reader.contracts.finish(), ..document });
    reader.warnings.truncate(MAX_FAULTS);
    match document {
        Some(document) if reader.faults.is_empty() => Ok((document, reader.warnings)),
        _ => {
            reader.faults.truncate(MAX_FAULTS);
            Err(reader.faults)
        }
    }
}

struct Reader<'a> {
    root: &'a Value,
    contracts: contract::Reader<'a>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn fault(&mut self, pointer: impl Into<String>, reason: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault::at(pointer, reason));
        }
    }

    fn warn(&mut self, pointer: impl Into<String>, reason: impl Into<String>) {
        if self.warnings.len() < MAX_FAULTS {
            self.warnings.push(Fault::at(pointer, reason));
        }
    }

    fn document(&mut self) -> Option<Document> {
        let Some(root) = self.root.as_object() else {
            self.fault("", "is no object with `openapi`, `info` and `paths`");
            return None;
        };
        self.version(root);
        let info = |name: &str| root.get("info").and_then(|info| info.get(name)).and_then(Value::as_str);
        let (title, version) = (info("title"), info("version"));
        if title.is_none_or(|title| title.trim().is_empty()) {
            self.fault("/info/title", "is missing, or no text; documents of one title are versions of one API");
        }
        if version.is_none() {
            self.warn("/info/version", "is missing, or no text");
        }
        let mut bases = bases(root.get("servers"), "/servers", &mut self.warnings);
        if bases.is_empty() {
            bases.push(Base { host: None, path: String::new() });
        }
        let operations = self.paths(root);
        let cut = |text: Option<&str>| text.unwrap_or_default().chars().take(200).collect();
        Some(Document {
            title: cut(title.map(str::trim)),
            version: cut(version),
            bases,
            operations,
            schemas: Vec::new(),
        })
    }

    fn version(&mut self, root: &Map<String, Value>) {
        match (root.get("openapi"), root.get("swagger")) {
            (Some(Value::String(version)), _) if version.starts_with("3.0") || version.starts_with("3.1") => {}
            (Some(Value::String(version)), _) if version.starts_with("3.") => {
                self.warn("/openapi", format!("is {version}; it is read as 3.1"));
            }
            (Some(other), _) => self.fault("/openapi", format!("is {other}; versions 3.0 and 3.1 are read")),
            (None, Some(_)) => self.fault("/swagger", "Swagger 2.0 is not read; convert the document to OpenAPI 3"),
            (None, None) => self.fault("/openapi", "is missing: this is no OpenAPI document"),
        }
    }

    fn paths(&mut self, root: &'a Map<String, Value>) -> Vec<Operation> {
        let mut operations = Vec::new();
        let paths = match root.get("paths") {
            Some(Value::Object(paths)) => paths,
            Some(_) => {
                self.fault("/paths", "is no object");
                return operations;
            }
            None => {
                if !root.contains_key("webhooks") && !root.contains_key("components") {
                    self.fault("/paths", "is missing");
                }
                return operations;
            }
        };
        if paths.len() > MAX_PATHS {
            self.fault(
                "/paths",
                format!("has {} paths; at most {MAX_PATHS} are read: split the document", paths.len()),
            );
            return operations;
        }
        let secured = root.get("security").is_some_and(is_secured);
        // By the form of the template, to find two that mean the same.
        let mut forms: std::collections::HashMap<String, &str> = std::collections::HashMap::new();
        for (path, item) in paths {
            if path.starts_with("x-") {
                continue;
            }
            let pointer = format!("/paths/{}", escaped(path));
            let template = match Template::parse(path) {
                Ok(template) => template,
                Err(reason) => {
                    self.fault(pointer, reason);
                    continue;
                }
            };
            if let Some(other) = forms.insert(form_of(path), path) {
                self.warn(pointer.clone(), format!("means the same as `{other}`; both are taken"));
            }
            let Some(item) = self.resolve(item, &pointer) else { continue };
            let Some(item) = item.as_object() else {
                self.fault(pointer, "is no object");
                continue;
            };
            self.item(path, &template, item, &pointer, secured, &mut operations);
        }
        operations
    }

    fn item(
        &mut self,
        path: &str,
        template: &Template,
        item: &'a Map<String, Value>,
        pointer: &str,
        secured: bool,
        operations: &mut Vec<Operation>,
    ) {
        let own_bases = bases(item.get("servers"), &format!("{pointer}/servers"), &mut self.warnings);
        let shared = self.parameters(item.get("parameters"), &format!("{pointer}/parameters"));
        let additional = item.get("additionalOperations").and_then(Value::as_object);
        let more = additional.into_iter().flatten().map(|(method, operation)| (method.as_str(), operation));
        let known = METHODS.iter().filter_map(|method| Some((*method, item.get(*method)?)));
        for (method, operation) in known.chain(more) {
            let pointer = format!("{pointer}/{method}");
            let Some(operation) = operation.as_object() else {
                self.fault(pointer, "is no object");
                continue;
            };
            let deprecated = match operation.get("deprecated") {
                None => false,
                Some(Value::Bool(deprecated)) => *deprecated,
                Some(_) => {
                    self.fault(format!("{pointer}/deprecated"), "is neither true nor false");
                    continue;
                }
            };
            let mut named = shared.clone();
            named.extend(self.parameters(operation.get("parameters"), &format!("{pointer}/parameters")));
            let missing =
                template.names.iter().find(|name| !named.iter().any(|(r#in, n)| *r#in == "path" && n == *name));
            if let Some(name) = missing {
                self.warn(pointer.clone(), format!("does not describe its path parameter `{name}`"));
            }
            let servers = bases(operation.get("servers"), &format!("{pointer}/servers"), &mut self.warnings);
            operations.push(Operation {
                method: method.to_ascii_uppercase(),
                path: path.to_owned(),
                deprecated,
                secured: operation.get("security").map_or(secured, is_secured),
                bases: if servers.is_empty() { own_bases.clone() } else { servers },
                contract: self.contracts.operation(item.get("parameters"), operation),
            });
        }
    }

    /// Where parameters stand, with their names.
    fn parameters(&mut self, list: Option<&'a Value>, pointer: &str) -> Vec<(&'a str, &'a str)> {
        let Some(list) = list else { return Vec::new() };
        let Some(list) = list.as_array() else {
            self.fault(pointer, "is no list");
            return Vec::new();
        };
        let mut named = Vec::new();
        for (at, parameter) in list.iter().enumerate() {
            let pointer = format!("{pointer}/{at}");
            let Some(parameter) = self.resolve(parameter, &pointer) else { continue };
            let text = |name: &str| parameter.get(name).and_then(Value::as_str);
            match (text("in"), text("name")) {
                (Some(place @ ("path" | "query" | "header" | "cookie" | "querystring")), Some(name)) => {
                    named.push((place, name));
                }
                (Some(place), Some(_)) => {
                    self.fault(
                        format!("{pointer}/in"),
                        format!("is `{place}`; a parameter is in path, query, header or cookie"),
                    );
                }
                _ => self.fault(pointer, "has no `in` or no `name`"),
            }
        }
        named
    }

    /// What a value is, or what it refers to within the document; tells a reference that leads nowhere.
    fn resolve(&mut self, value: &'a Value, pointer: &str) -> Option<&'a Value> {
        match resolve(self.root, value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.fault(format!("{pointer}/$ref"), reason);
                None
            }
        }
    }
}

/// Follows references within a document.
pub fn resolve<'a>(root: &'a Value, value: &'a Value) -> Result<&'a Value, String> {
    let mut value = value;
    for _ in 0..MAX_REFERENCES {
        let Some(reference) = value.get("$ref") else { return Ok(value) };
        let Some(reference) = reference.as_str() else { return Err("is no text".to_owned()) };
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(format!("`{reference}` lies outside the document; bundle it into one"));
        };
        let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        value = root.pointer(&decoded).ok_or_else(|| format!("`{reference}` leads nowhere"))?;
    }
    Err("leads in a circle".to_owned())
}

/// Whether a list of security requirements lets nobody in without any.
fn is_secured(security: &Value) -> bool {
    let Some(list) = security.as_array() else { return false };
    !list.is_empty() && list.iter().all(|each| each.as_object().is_some_and(|each| !each.is_empty()))
}

/// A template with nameless placeholders.
fn form_of(path: &str) -> String {
    let mut form = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        form.push_str(before);
        form.push_str("{}");
        rest = behind.split_once('}').map_or("", |(_, behind)| behind);
    }
    form.push_str(rest);
    form
}

/// A name as a JSON pointer writes it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
