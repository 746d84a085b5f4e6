//! The claims of a token that say whose it is and which, read in one pass and whatever else stands there.

use core::fmt;
use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Empty where they are missing or no text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenClaims {
    pub iss: String,
    pub sub: String,
    pub jti: String,
}

/// Reads them out of the payload of a token.
pub(crate) fn identity_claims(json: &str) -> TokenClaims {
    #[derive(serde::Deserialize)]
    struct Wanted<'a> {
        #[serde(borrow, default)]
        iss: Text<'a>,
        #[serde(borrow, default)]
        sub: Text<'a>,
        #[serde(borrow, default)]
        jti: Text<'a>,
    }
    let read = serde_json::from_str::<Wanted<'_>>(json);
    read.map_or_else(
        |_| TokenClaims::default(),
        |Wanted { iss, sub, jti }| TokenClaims {
            iss: iss.0.into_owned(),
            sub: sub.0.into_owned(),
            jti: jti.0.into_owned(),
        },
    )
}

/// A text; empty for any other value.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cow::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cow::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_no_text_takes_nothing_from_the_others() {
        for other in ["17", "-1", "1.5", "true", "null", "[1,[2]]", r#"{"a":{}}"#] {
            let claims = identity_claims(&format!(r#"{{"jti":{other},"iss":"a\u002fb","x":1,"sub":"ann"}}"#));
            assert_eq!((claims.iss.as_str(), claims.sub.as_str(), claims.jti.as_str()), ("a/b", "ann", ""), "{other}");
        }
        assert_eq!(identity_claims("no json"), TokenClaims::default());
        assert_eq!(identity_claims(r#"{"jti":"7"}"#).jti, "7");
    }
}
