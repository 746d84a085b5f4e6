//! The text of a document → one JSON value, whether it was written as JSON or as YAML, within bounds.
//!
//! YAML is read event by event, so its aliases are ours to expand: each counts every value it stands for, and a
//! document that grows beyond [`MAX_VALUES`] is refused (a "billion laughs" among them).

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

use super::{Fault, MAX_BYTES};

/// Values (objects, lists, texts, numbers) a document may have, aliases expanded.
pub const MAX_VALUES: usize = 1_000_000;
/// How deep they may lie in each other; serde_json itself stops at 128.
const MAX_DEPTH: usize = 96;

/// Reads JSON, or YAML where the text does not begin like JSON.
pub fn parse(text: &str) -> Result<Value, Fault> {
    if text.len() > MAX_BYTES {
        return Err(Fault::at(
            "",
            format!("the document has more than {MAX_BYTES} bytes; leave out examples, or split it"),
        ));
    }
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().bytes().next() {
        None => Err(Fault::at("", "the document is empty")),
        Some(b'{') => json(text),
        Some(_) => Yaml::default().read(text),
    }
}

fn json(text: &str) -> Result<Value, Fault> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Fault::at("", format!("is no valid JSON: {error}")))?;
    match count(&value, 0) {
        Some(values) if values <= MAX_VALUES => Ok(value),
        Some(_) => Err(too_much()),
        None => Err(too_deep()),
    }
}

/// How many values there are; `None` where they lie too deep.
fn count(value: &Value, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    let inner = match value {
        Value::Array(items) => items.iter().map(|item| count(item, depth + 1)).sum::<Option<usize>>()?,
        Value::Object(members) => members.values().map(|item| count(item, depth + 1)).sum::<Option<usize>>()?,
        _ => 0,
    };
    Some(inner + 1)
}

fn too_much() -> Fault {
    Fault::at("", format!("the document has more than {MAX_VALUES} values, aliases expanded"))
}

fn too_deep() -> Fault {
    Fault::at("", format!("the document is nested more than {MAX_DEPTH} levels deep"))
}

/// What is open while YAML is read.
enum Open {
    List(Vec<Value>),
    /// With the name of the member whose value comes next, and what `<<` merges where nothing of its own stands.
    Object(Map<String, Value>, Option<String>, Map<String, Value>),
}

#[derive(Default)]
struct Yaml {
    open: Vec<(Open, usize)>,
    /// What anchors stand for, with how many values that is.
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
    root: Option<Value>,
}

impl Yaml {
    fn read(mut self, text: &str) -> Result<Value, Fault> {
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| unreadable(&error))?;
            let line = |what: String| Fault::at("", format!("line {}: {what}", span.start.line()));
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(line("a second YAML document begins; give one a file".to_owned()));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
                    self.close(if is_text { Value::String(text.into_owned()) } else { plain(&text) }, anchor, &span)?;
                }
                Event::SequenceStart(anchor, _) => self.open(Open::List(Vec::new()), anchor)?,
                Event::MappingStart(anchor, _) => self.open(Open::Object(Map::new(), None, Map::new()), anchor)?,
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some((open, anchor)) = self.open.pop() else { continue };
                    let value = match open {
                        Open::List(items) => Value::Array(items),
                        Open::Object(mut members, _, merged) => {
                            for (name, value) in merged {
                                members.entry(name).or_insert(value);
                            }
                            Value::Object(members)
                        }
                    };
                    self.close(value, anchor, &span)?;
                }
                Event::Alias(anchor) => {
                    let known = self.anchors.get(&anchor).cloned();
                    let Some((value, values)) = known else {
                        return Err(line("an alias stands for something that contains it, or for nothing".to_owned()));
                    };
                    self.values += values;
                    self.close(value, 0, &span)?;
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        self.root.ok_or_else(|| Fault::at("", "the document is empty"))
    }

    fn open(&mut self, open: Open, anchor: usize) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.open.push((open, anchor));
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn close(&mut self, value: Value, anchor: usize, span: &Span) -> Result<(), Fault> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(too_much());
        }
        if anchor != 0 {
            let values = count(&value, 0).ok_or_else(too_deep)?;
            // Every anchor keeps a copy.
            self.values += values;
            self.anchors.insert(anchor, (value.clone(), values));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Open::List(items), _)) => items.push(value),
            Some((Open::Object(members, name, merged), _)) => match name.take() {
                None => *name = Some(member_name(value, span)?),
                Some(merge) if merge == "<<" && value.is_object() => {
                    if let Value::Object(more) = value {
                        merged.extend(more);
                    }
                }
                Some(name) => {
                    if members.contains_key(&name) {
                        let what = format!("line {}: the member `{name}` stands there twice", span.start.line());
                        return Err(Fault::at("", what));
                    }
                    members.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

/// Names are texts: `200:` under `responses` is `"200"`.
fn member_name(value: Value, span: &Span) -> Result<String, Fault> {
    match value {
        Value::String(name) => Ok(name),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null => Ok("null".to_owned()),
        _ => Err(Fault::at("", format!("line {}: the name of a member is no text", span.start.line()))),
    }
}

/// A plain scalar by the core schema of YAML 1.2.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let is_numeric = text.bytes().next().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'));
    if is_numeric {
        if let Ok(number) = text.parse::<i64>() {
            // A leading zero, as in `007`, is kept as text by nobody; YAML 1.2 reads it as a number.
            return Value::Number(number.into());
        }
        let is_float = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
        if is_float && let Some(number) = text.parse().ok().and_then(Number::from_f64) {
            // `3.10` as the version of something stays what was written.
            return if text.ends_with('0') && text.contains('.') {
                Value::String(text.to_owned())
            } else {
                Value::Number(number)
            };
        }
    }
    Value::String(text.to_owned())
}

fn unreadable(error: &ScanError) -> Fault {
    Fault::at("", format!("is no valid JSON or YAML: line {}: {}", error.marker().line(), error.info()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_is_read_as_the_json_it_means() {
        let text = "openapi: 3.0.3\ninfo: {title: 'A', version: \"1.0\"}\npaths:\n  /a:\n    get:\n      responses:\n        200: &ok\n          description: >-\n            two\n            lines\n        404: *ok\n      x-list: [1, 2.5, true, null, no]\n";
        let expected = json!({
            "openapi": "3.0.3",
            "info": { "title": "A", "version": "1.0" },
            "paths": { "/a": { "get": {
                "responses": { "200": { "description": "two lines" }, "404": { "description": "two lines" } },
                "x-list": [1, 2.5, true, null, "no"],
            } } },
        });
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse("a: {x: 1}\nb:\n  <<: {x: 2, y: 3}\n  x: 9").unwrap_or_default()["b"]["y"], json!(3));
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (one, other) in "abcdefghijk".chars().zip("bcdefghijkl".chars()) {
            let nine = vec![format!("*{one}"); 9].join(", ");
            bomb += &format!("{other}: &{other} [{nine}]\n");
        }
        assert!(parse(&bomb).unwrap_err().reason.contains("more than 1000000 values"));
        assert!(parse("a: &a [*a]").unwrap_err().reason.contains("alias"));
        for deep in ["[".repeat(5_000), format!("{{\"a\":{}1", "[".repeat(5_000)), "- ".repeat(5_000) + "x"] {
            assert!(parse(&deep).is_err());
        }
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&nested).unwrap_err().reason.contains("levels deep"));
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        assert!(parse("{\"a\": }").unwrap_err().reason.contains("line 1 column 7"));
        assert!(parse("a: 1\nb: [").unwrap_err().reason.contains("line"));
        assert!(parse("a: 1\na: 2").unwrap_err().reason.contains("line 2: the member `a` stands there twice"));
        assert!(parse("a: 1\n---\nb: 2").unwrap_err().reason.contains("second YAML document"));
        assert!(parse(" \n").unwrap_err().reason.contains("empty"));
        assert!(parse(&"x".repeat(MAX_BYTES + 1)).unwrap_err().reason.contains("bytes"));
    }
}
