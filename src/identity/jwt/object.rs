//! JSON objects of strangers, read strictly: a member that stands there twice is noticed, because two readers that
//! disagree about which one counts can be played against each other (RFC 7515 section 4, RFC 7519 section 4).

use core::fmt;
use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A member's value, as far as headers and registered claims need to tell values apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Member {
    Text(String),
    /// Exact up to 2^53, which is far beyond any date.
    Number(f64),
    /// An array of nothing but strings.
    Texts(Vec<String>),
    /// Everything else.
    Other,
}

/// The members that were asked for, of the object's top level. What is inside their values is not looked at.
#[derive(Debug, Default)]
pub(super) struct Object {
    members: Vec<(&'static str, Member)>,
    /// Whether any name, asked for or not, stands there more than once. Names are compared unescaped.
    pub repeated: bool,
}

impl Object {
    /// Reads the text of one JSON object, keeping the members named in `wanted`. `None` where it is not exactly that.
    pub(super) fn read(json: &str, wanted: &[&'static str]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let object = deserializer.deserialize_map(Reader { wanted }).ok()?;
        deserializer.end().ok()?;
        Some(object)
    }

    /// The member with this name, if it was asked for and is there.
    pub(super) fn get(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, member)| member)
    }

    /// The text of a member that must be a string where it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, NotText> {
        match self.get(name) {
            None => Ok(None),
            Some(Member::Text(text)) => Ok(Some(text)),
            Some(_) => Err(NotText),
        }
    }
}

/// The member is there and not a string.
pub(super) struct NotText;

struct Reader<'w> {
    wanted: &'w [&'static str],
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        // A set, not a list: a payload at the size limit has room for thousands of names.
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let wanted = self.wanted.iter().find(|wanted| **wanted == name);
            object.repeated |= !seen.insert(name);
            match wanted {
                Some(wanted) => object.members.push((wanted, map.next_value()?)),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(object)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberReader)
    }
}

struct MemberReader;

impl<'de> Visitor<'de> for MemberReader {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Member, E> {
        Ok(Member::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Member, E> {
        Ok(Member::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Member, E> {
        Ok(Member::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Member, A::Error> {
        let mut texts = Some(Vec::new());
        // An array in an array is read by calling this again; the parser stops that at a depth of 128.
        while let Some(element) = array.next_element::<Member>()? {
            match (element, &mut texts) {
                (Member::Text(text), Some(texts)) => texts.push(text),
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Member::Other, Member::Texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Object> {
        Object::read(json, &["a", "b"])
    }

    #[test]
    fn members_come_back_by_kind() {
        let object = read(r#" {"a": "x", "b": ["y", "z"], "c": {"a": 1}} "#).unwrap();
        assert_eq!(object.get("a"), Some(&Member::Text("x".into())));
        assert_eq!(object.get("b"), Some(&Member::Texts(vec!["y".into(), "z".into()])));
        assert_eq!(object.get("c"), None, "not asked for");
        assert!(!object.repeated, "what is inside a value is another object");
        for (json, expected) in [
            (r#"{"a": 1}"#, Member::Number(1.0)),
            (r#"{"a": -1}"#, Member::Number(-1.0)),
            (r#"{"a": 1.5e3}"#, Member::Number(1500.0)),
            (r#"{"a": []}"#, Member::Texts(vec![])),
            (r#"{"a": ["x", 1]}"#, Member::Other),
            (r#"{"a": [1, "x"]}"#, Member::Other),
            (r#"{"a": {}}"#, Member::Other),
            (r#"{"a": null}"#, Member::Other),
            (r#"{"a": true}"#, Member::Other),
        ] {
            assert_eq!(read(json).unwrap().get("a"), Some(&expected), "{json}");
        }
    }

    #[test]
    fn a_name_that_stands_there_twice_is_noticed_however_it_is_spelt() {
        for json in
            [r#"{"a": 1, "a": 1}"#, r#"{"x": 1, "a": 2, "x": 3}"#, r#"{"a": 1, "\u0061": 2}"#, r#"{"": 1, "": 2}"#]
        {
            assert!(read(json).unwrap().repeated, "{json}");
        }
        assert!(!read(r#"{"a": 1, "A": 2, "b": {"a": 1}}"#).unwrap().repeated);
    }

    #[test]
    fn only_a_whole_object_is_one() {
        for json in ["", "[]", "1", "\"a\"", "null", "{", "{}{}", "{} x", "{\"a\"}", "{\"a\":1,}", "\u{feff}{}"] {
            assert!(read(json).is_none(), "{json}");
        }
        assert!(read(&format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200))).is_none(), "too deep");
        assert!(read("{}").is_some());
    }
}
