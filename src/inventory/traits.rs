//! What messages show of an endpoint beside its use: the names and types of parameters, and kinds of sensitive data.
//!
//! Looked at in a sample of what was answered with success, and told only where an isolate has not told it before: once
//! an endpoint is known, it costs nothing. Names are the client's to choose, so there are only so many of an endpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sensitive::Sensitive;
use super::template::Shape;
use crate::selector::{Format, Item, Request, looks_like_json, stream_json};

/// Parameters of one endpoint that are told apart, and the longest name, bytes.
pub const MAX_PARAMETERS: usize = 32;
const MAX_NAME: usize = 48;
/// Longest body that is read for them, bytes.
const MAX_BODY: usize = 64 * 1024;
/// The first exchanges of an endpoint are looked at, and one in so many after that.
const FIRST: u32 = 64;
const EVERY: u32 = 16;
/// Endpoints that an isolate remembers; the others are not looked at.
const MAX_ENDPOINTS: usize = 1_000;

/// Types that the values of a parameter had, a bit each.
pub mod values {
    pub const INTEGER: u8 = 1;
    pub const NUMBER: u8 = 1 << 1;
    pub const BOOLEAN: u8 = 1 << 2;
    pub const UUID: u8 = 1 << 3;
    pub const DATE: u8 = 1 << 4;
    pub const EMAIL: u8 = 1 << 5;
    pub const TEXT: u8 = 1 << 6;
    /// A list or an object.
    pub const NESTED: u8 = 1 << 7;
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traits {
    /// `query.page`, `body.items`, with the types of their values; sorted.
    pub parameters: Vec<(Box<str>, u8)>,
    pub sensitive: Sensitive,
}

impl Traits {
    /// What a request and the start of its answer show.
    pub fn of(request: &Request<'_>, answer: Option<&[u8]>) -> Self {
        let mut traits = Self::default();
        for (name, value) in form_urlencoded::parse(request.query.as_bytes()).take(MAX_PARAMETERS) {
            traits.add("query.", name.split('[').next().unwrap_or(""), type_of(&value));
        }
        if let Some(body) = request.body.filter(|body| body.bytes.len() <= MAX_BODY && !body.cut) {
            traits.body(body.bytes, Format::of(&body));
        }
        traits.sensitive = answer.map_or(Sensitive::default(), Sensitive::of);
        traits
    }

    fn body(&mut self, bytes: &[u8], format: Format) {
        match format {
            Format::Form => {
                for (name, value) in form_urlencoded::parse(bytes).take(MAX_PARAMETERS) {
                    self.add("form.", name.split('[').next().unwrap_or(""), type_of(&value));
                }
            }
            Format::Json if looks_like_json(bytes) => {
                let text = core::str::from_utf8(bytes).unwrap_or("");
                stream_json(text, "", &mut |pointer, item| {
                    let Some(name) = pointer.strip_prefix('/') else { return };
                    let kind = match item {
                        Item::Name(_) => return,
                        _ if name.contains('/') => values::NESTED,
                        Item::Text(text) => type_of(text) & !(values::INTEGER | values::NUMBER | values::BOOLEAN),
                        Item::Scalar("null") => return,
                        Item::Scalar(scalar) => type_of(scalar),
                    };
                    let kind = if kind == 0 { values::TEXT } else { kind };
                    self.add("body.", name.split('/').next().unwrap_or(""), kind);
                });
            }
            _ => {}
        }
    }

    fn add(&mut self, place: &str, name: &str, kind: u8) {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_-.:$".contains(&b);
        let sound = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_name);
        if !sound || Shape::of(name) != Shape::Literal {
            return;
        }
        let name = [place, name].concat();
        match self.parameters.binary_search_by(|(known, _)| (**known).cmp(&name)) {
            Ok(at) => self.parameters.get_mut(at).into_iter().for_each(|(_, kinds)| *kinds |= kind),
            Err(at) if self.parameters.len() < MAX_PARAMETERS => self.parameters.insert(at, (name.into(), kind)),
            Err(_) => {}
        }
    }

    /// Takes in what else was seen; answers whether that was news.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = (self.parameters.iter().map(|(_, kinds)| u32::from(*kinds)).sum::<u32>(), self.sensitive.0);
        for (name, kinds) in &other.parameters {
            let (place, name) = name.split_at_checked(name.find('.').map_or(0, |at| at + 1)).unwrap_or(("", name));
            self.add(place, name, *kinds);
        }
        self.sensitive.0 |= other.sensitive.0;
        // A name that came is one more kind at least.
        before != (self.parameters.iter().map(|(_, kinds)| u32::from(*kinds)).sum::<u32>(), self.sensitive.0)
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.parameters.iter().map(|(name, _)| 24 + name.len()).sum::<usize>()
    }
}

/// The type of a text by its form.
fn type_of(text: &str) -> u8 {
    match Shape::of(text) {
        Shape::Integer => values::INTEGER,
        Shape::Uuid => values::UUID,
        Shape::Date => values::DATE,
        Shape::Email => values::EMAIL,
        _ if matches!(text, "true" | "false") => values::BOOLEAN,
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => {
            if text.parse::<i64>().is_ok() {
                values::INTEGER
            } else {
                values::NUMBER
            }
        }
        _ => values::TEXT,
    }
}

/// What one isolate has seen and told.
#[derive(Debug, Default)]
pub struct Sample {
    known: BTreeMap<u64, (u32, Traits)>,
}

impl Sample {
    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.known.values().map(|(_, traits)| 16 + traits.bytes()).sum()
    }

    /// Whether this exchange of an endpoint, which was answered with success, is looked at.
    pub fn is_due(&mut self, endpoint: u64) -> bool {
        if self.known.len() >= MAX_ENDPOINTS && !self.known.contains_key(&endpoint) {
            return false;
        }
        let (seen, _) = self.known.entry(endpoint).or_default();
        *seen = seen.saturating_add(1);
        *seen <= FIRST || seen.is_multiple_of(EVERY)
    }

    /// What of it is to be told.
    pub fn news(&mut self, endpoint: u64, seen: Traits) -> Option<Traits> {
        let (_, known) = self.known.get_mut(&endpoint)?;
        known.merge(&seen).then_some(seen)
    }
}

/// What names an endpoint here: FNV-1a.
pub fn endpoint_hash(method: &str, host: &str, template: &str) -> u64 {
    let bytes = [method, "\n", host, "\n", template].into_iter().flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::Body;

    fn seen(query: &str, content_type: &str, body: &str) -> Vec<(String, u8)> {
        let body = Body { content_type, bytes: body.as_bytes(), cut: false };
        let request = Request { method: "POST", path: "/x", query, body: Some(body), ..Request::default() };
        Traits::of(&request, None).parameters.into_iter().map(|(name, kinds)| (name.into(), kinds)).collect()
    }

    #[test]
    fn names_and_types_are_seen_and_no_values() {
        let body = r#"{"items":[{"sku":"a"}],"count":2,"price":1.5,"gift":false,"note":"7","by":"a@b.example","none":null,"empty":[]}"#;
        let told = seen(
            "page=2&tag[]=x&day=2026-11-30&018f2f6e-7c1a-7cc0-9f5e-0123456789ab=1&a%20b=1",
            "application/json",
            body,
        );
        let told: Vec<(&str, u8)> = told.iter().map(|(name, kinds)| (name.as_str(), *kinds)).collect();
        assert_eq!(
            told,
            [
                ("body.by", values::EMAIL),
                ("body.count", values::INTEGER),
                ("body.gift", values::BOOLEAN),
                ("body.items", values::NESTED),
                ("body.note", values::TEXT),
                ("body.price", values::NUMBER),
                ("query.day", values::DATE),
                ("query.page", values::INTEGER),
                ("query.tag", values::TEXT),
            ]
        );
        let form = seen("", "application/x-www-form-urlencoded", "amount=10&amount=x&line[0]=1");
        assert_eq!(
            form,
            [("form.amount".to_owned(), values::INTEGER | values::TEXT), ("form.line".to_owned(), values::INTEGER)]
        );
    }

    #[test]
    fn names_beyond_the_limit_are_left_out_and_nothing_is_told_twice() {
        let many = |from: usize| (from..from + 20).map(|n| format!("name{n:02}=1")).collect::<Vec<_>>().join("&");
        let request = |query: &str| Traits::of(&Request { method: "GET", query, ..Request::default() }, None);
        let mut sample = Sample::default();
        assert!(sample.is_due(7));
        assert_eq!(sample.news(7, request(&many(0))).map(|news| news.parameters.len()), Some(20));
        assert_eq!(sample.news(7, request(&many(0))), None);
        assert!(sample.news(7, request(&many(20))).is_some());
        assert_eq!(sample.known[&7].1.parameters.len(), MAX_PARAMETERS);
        assert_eq!(sample.news(7, request(&many(60))), None, "there is no room");
        let due = (0..1_000).filter(|_| sample.is_due(7)).count();
        assert!((110..140).contains(&due), "{due}");
        assert_eq!((0..5_000).filter(|endpoint| sample.is_due(*endpoint)).count(), MAX_ENDPOINTS - 1);
        assert_eq!((sample.known.len(), sample.is_due(4_999), sample.is_due(7)), (MAX_ENDPOINTS, false, false));
    }
}
