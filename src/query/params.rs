//! Business parameters in questions and answers: tests of values, and values as the API shows them.

use serde::de::Deserializer;
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use super::filter::{Hit, Terms};
use crate::parameter::{Currency, Decimal, ParamStats, Type, Value};
use crate::session::value_of;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    Equal,
    Less,
    Greater,
}

/// One test of a value: `eq:`, `lt:` or `gt:` and what it is compared with; `eq:` may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamTest {
    compare: Compare,
    text: String,
    /// The text as an amount, if it is one; and as a time, epoch ms.
    amount: Option<(Decimal, Currency)>,
    time: Option<u64>,
    /// What a hashed value is stored as, where it is this one.
    forms: Vec<String>,
}

impl ParamTest {
    /// Parses what stands behind `param.NAME=`; `None` where it is to be greater or less than what has no order.
    pub fn parse(text: &str) -> Option<Self> {
        let (compare, text) = match text.split_once(':') {
            Some(("eq", rest)) => (Compare::Equal, rest),
            Some(("lt", rest)) => (Compare::Less, rest),
            Some(("gt", rest)) => (Compare::Greater, rest),
            _ => (Compare::Equal, text),
        };
        let money = Value::parse(Type::Money, text, None);
        let amount = money.amount().map(|amount| (amount, money.currency()));
        let time = match Value::parse(Type::Time, text, None) {
            Value::Time(ms) => Some(ms),
            _ => None,
        };
        let has_order = compare == Compare::Equal || amount.is_some() || time.is_some();
        has_order.then(|| Self { compare, text: text.to_owned(), amount, time, forms: Vec::new() })
    }

    /// Says which pseudonyms the value may be stored as.
    pub fn resolve(&mut self, forms: impl Fn(&str) -> Vec<String>) {
        self.forms = forms(&self.text);
    }

    /// Whether one of all values a session sent passes, as far as the extremes tell: for a session with more values than
    /// are counted one by one.
    fn fits_extremes(&self, stats: &ParamStats) -> bool {
        let Some((asked, currency)) = self.amount else { return false };
        let mut amounts = stats.summary().currencies.iter();
        amounts.any(|of| {
            let fits = currency == Currency::NONE || currency == of.currency;
            fits && match self.compare {
                Compare::Greater => of.max > asked,
                Compare::Less => of.min < asked,
                Compare::Equal => of.max == asked || of.min == asked,
            }
        })
    }

    /// Whether a value passes. An amount without a currency is compared with amounts of any.
    pub fn fits(&self, value: &Value) -> bool {
        let ordering = match value {
            Value::Number(_) | Value::Money(..) => {
                let fits = |currency: &Currency| *currency == Currency::NONE || *currency == value.currency();
                let asked = self.amount.filter(|(_, currency)| fits(currency));
                value.amount().zip(asked).map(|(amount, (asked, _))| amount.cmp(&asked))
            }
            Value::Time(ms) => self.time.map(|asked| ms.cmp(&asked)),
            _ => None,
        };
        match self.compare {
            Compare::Less => ordering.is_some_and(core::cmp::Ordering::is_lt),
            Compare::Greater => ordering.is_some_and(core::cmp::Ordering::is_gt),
            Compare::Equal => {
                ordering.is_some_and(core::cmp::Ordering::is_eq)
                    || match value {
                        Value::Text(text) => **text == *self.text,
                        Value::Hashed(form) => **form == *self.text || self.forms.iter().any(|known| **known == **form),
                        Value::Bool(_) | Value::Invalid(_) => value.to_string() == self.text,
                        _ => false,
                    }
            }
        }
    }
}

/// What is asked of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamTerms {
    pub name: String,
    pub terms: Terms<ParamTest>,
}

impl ParamTerms {
    /// What the extremes of all values say about a session.
    pub fn hit_extremes(&self, stats: &ParamStats) -> Hit {
        self.terms.hit(|test| test.fits_extremes(stats))
    }

    /// What a value, as sessions count it, says about a session that met it.
    pub fn hit(&self, key: &str) -> Hit {
        match value_of(key).filter(|(name, _)| *name == self.name) {
            Some((_, value)) => self.terms.hit(|test| test.fits(&value)),
            None => Hit::default(),
        }
    }
}

/// The values of one parameter of an event. JSON shows the only one as itself, several as a list; numbers, and amounts
/// without a currency, as numbers, truth values as such, everything else as text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamValues(pub Vec<Value>);

struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(amount) | Value::Money(amount, Currency::NONE) => serializer.serialize_f64(amount.to_f64()),
            Value::Bool(value) => serializer.serialize_bool(*value),
            other => serializer.serialize_str(&other.to_string()),
        }
    }
}

impl Serialize for ParamValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        if let [only] = self.0.as_slice() {
            return Shown(only).serialize(serializer);
        }
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|value| list.serialize_element(&Shown(value)))?;
        list.end()
    }
}

/// From messages between objects alone.
impl<'de> Deserialize<'de> for ParamValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_what_they_are() {
        let number = |text| Value::parse(Type::Number, text, None);
        let money = |text| Value::parse(Type::Money, text, None);
        let text = |text| Value::parse(Type::String, text, None);
        for (test, value, fits) in [
            ("gt:1000", number("1000.01"), true),
            ("gt:1000", number("1000"), false),
            ("gt:1000", text("2000"), false),
            ("lt:0", number("-3"), true),
            ("12.50", number("12.5"), true),
            ("eq:12.5", money("12.50 EUR"), true),
            ("12.5 USD", money("12.50 EUR"), false),
            ("gt:10 EUR", money("12.50 EUR"), true),
            ("red", text("red"), true),
            ("a:b", text("a:b"), true),
            ("true", Value::Bool(true), true),
            ("gt:2026-01-01T00:00:00Z", Value::parse(Type::Time, "2026-01-02T00:00:00Z", None), true),
            ("invalid:not_a_number", number("NaN"), true),
            ("0", number("NaN"), false),
        ] {
            assert_eq!(ParamTest::parse(test).unwrap().fits(&value), fits, "{test} {value}");
        }
        assert_eq!(ParamTest::parse("gt:red"), None);
        let mut hashed = ParamTest::parse("4111").unwrap();
        assert!(!hashed.fits(&Value::Hashed("h:1:2".into())));
        hashed.resolve(|raw| vec![format!("h:{raw}")]);
        assert!(hashed.fits(&Value::Hashed("h:4111".into())));
    }

    #[test]
    fn one_value_is_shown_as_itself_and_several_as_a_list() {
        let shown = |values| serde_json::to_string(&ParamValues(values)).unwrap();
        assert_eq!(shown(vec![Value::parse(Type::Number, "12.5", None)]), "12.5");
        assert_eq!(shown(vec![Value::Bool(true), Value::Text("x".into())]), r#"[true,"x"]"#);
        assert_eq!(shown(vec![Value::parse(Type::Money, "3 EUR", None)]), r#""3 EUR""#);
    }
}
