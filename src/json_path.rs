//! Reads JSON into a type; what is wrong is named by its path, `[3].limit.per`, not by line and column.
//!
//! The reader says where in the text it stumbled. Only then the text is gone through once more up to there, to see which
//! members and items are open at that place. Nothing of this is compiled for each type, as a reader that keeps the path
//! while it goes would be.

use serde::de::{DeserializeOwned, IgnoredAny};

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// Empty where it is the whole.
    pub path: String,
    pub reason: String,
}

/// Reads a whole text.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, PathError> {
    serde_json::from_slice(json).map_err(|error| {
        let reason = error.to_string();
        // Of a type that lacks a member, the reader has seen the end.
        let lacks = reason.starts_with("missing field");
        // What is no value of the type may be said to be no JSON, though it is (`null` in the place of a word).
        let path = if error.is_data() || serde_json::from_slice::<IgnoredAny>(json).is_ok() {
            path_at(json, offset(json, error.line(), error.column()), lacks)
        } else {
            String::new()
        };
        PathError { path, reason }
    })
}

/// How many bytes stand before a place.
fn offset(json: &[u8], line: usize, column: usize) -> usize {
    let lines = json.split_inclusive(|byte| *byte == b'\n');
    lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum::<usize>().saturating_add(column)
}

/// What is open in a document: a member by its name, or an item by its number.
enum Step {
    Member(Option<String>),
    Item(usize),
}

/// The path to what is read when the first `upto` bytes have been. Where they end with a bracket it is the last thing within,
/// unless what was within is complete.
fn path_at(json: &[u8], upto: usize, is_complete: bool) -> String {
    let read = json.get(..upto.min(json.len())).unwrap_or(json);
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(byte) = read.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' => steps.push(Step::Member(None)),
            b'[' => steps.push(Step::Item(0)),
            b'}' | b']' if is_complete || !read.get(at..).is_none_or(|rest| rest.trim_ascii().is_empty()) => {
                steps.pop();
            }
            b',' => match steps.last_mut() {
                Some(Step::Item(number)) => *number += 1,
                Some(Step::Member(name)) => *name = None,
                None => {}
            },
            b'"' => {
                at += text_len(read.get(at..).unwrap_or_default());
                if let Some(Step::Member(name @ None)) = steps.last_mut() {
                    *name = read.get(start..at).and_then(|text| serde_json::from_slice(text).ok());
                }
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Item(number) => path += &format!("[{number}]"),
            Step::Member(Some(name)) if path.is_empty() => path += name,
            Step::Member(Some(name)) => path += &format!(".{name}"),
            Step::Member(None) => {}
        }
    }
    path
}

/// Bytes of a text after its opening quote, with the closing one.
fn text_len(rest: &[u8]) -> usize {
    let mut escaped = false;
    let end = rest.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    struct Entry {
        name: String,
        per: Option<Per>,
        limit: Option<Limit>,
        deep: Option<BTreeMap<String, Vec<u8>>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Per {
        User,
    }

    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Limit;

    impl TryFrom<String> for Limit {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            if text == "1" { Ok(Self) } else { Err(format!("{text} is no limit")) }
        }
    }

    fn path(json: &str) -> String {
        read::<Vec<Entry>>(json.as_bytes()).unwrap_err().path
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (json, expected) in [
            (r#"{}"#, ""),
            (r#"["#, ""),
            (r#"[{"name": 1}]"#, "[0].name"),
            (r#"[{"name": "a"}, {"name": {"b": 1}}]"#, "[1].name"),
            (r#"[{"name": "a", "nmae": 2}]"#, "[0].nmae"),
            (r#"[{"name": "a"}, {}]"#, "[1]"),
            (r#"[{"name": "a"}, {"per": "user"}]"#, "[1]"),
            (r#"[{"name": "a", "per": "usr"}]"#, "[0].per"),
            (r#"[{"name": "a", "per": "usr", "limit": "1"}]"#, "[0].per"),
            (r#"[{"name": "a", "limit": "2"}]"#, "[0].limit"),
            (r#"[{"limit": "2", "name": "a"}]"#, "[0].limit"),
            (r#"[{"name": "a", "deep": {"x\"}": [1, 2], "é": [1, 256]}}]"#, "[0].deep.é[1]"),
            ("[\n {\"name\": \"a\"},\n {\"name\": \"b\",\n  \"deep\": {\"}\": [300]}}\n]", "[1].deep.}[0]"),
        ] {
            assert_eq!(path(json), expected, "{json}");
        }
    }

    #[test]
    fn the_reason_is_the_readers() {
        let error = read::<Vec<Entry>>(br#"[{"name": "a", "nmae": 2}]"#).unwrap_err();
        assert!(error.reason.starts_with("unknown field `nmae`, expected one of"), "{}", error.reason);
        assert_eq!(read::<Vec<u8>>(b"[1, 2]"), Ok(vec![1, 2]));
        assert_eq!(read::<Vec<Per>>(br#"["user", null]"#).unwrap_err().path, "[1]");
        assert_eq!(read::<Vec<u8>>(b"[1, 2] x").unwrap_err().path, "");
    }
}
