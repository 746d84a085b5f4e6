//! Types of business parameters, and their values: read by rule, or marked invalid with the reason.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Currency, Decimal};
use crate::subject::{SubjectHash, Value as Hashable};

/// Longest text kept, bytes. A longer one is invalid: cut, it would equal others that differ.
pub const MAX_TEXT: usize = 256;

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    #[default]
    String,
    Number,
    Bool,
    Time,
    /// An amount with its currency.
    Money,
}

impl Type {
    /// Whether its values are added up and compared.
    pub fn is_amount(self) -> bool {
        matches!(self, Self::Number | Self::Money)
    }
}

/// Why a text is no value of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    NotANumber,
    /// `1,234`: one thousand or one?
    Ambiguous,
    OutOfRange,
    TooLong,
    NotABool,
    NotATime,
    /// No three letters, two that contradict each other, or not as many as there are amounts.
    Currency,
}

impl Reason {
    /// The name answers use.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::Ambiguous => "ambiguous",
            Self::OutOfRange => "out_of_range",
            Self::TooLong => "too_long",
            Self::NotABool => "not_a_bool",
            Self::NotATime => "not_a_time",
            Self::Currency => "currency",
        }
    }
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    Number(Decimal),
    Money(Decimal, Currency),
    /// Epoch milliseconds.
    Time(u64),
    Bool(bool),
    /// At most [`MAX_TEXT`] bytes, without control characters.
    Text(Box<str>),
    /// A pseudonym, `h:KEYID:HEX`: equal where the values were.
    Hashed(Box<str>),
    /// What was sent is not kept.
    Invalid(Reason),
}

impl Value {
    /// Reads `text` as a value of type `kind`; `currency` is what stood beside an amount of money.
    ///
    /// - number: as [`Decimal::parse`] reads it; negative ones are numbers too.
    /// - money: a number, alone or with a currency before or after it: three letters, `€`, `£`, or one of the signs that
    ///   several currencies share, which say nothing (`$`, `¥`). Without any currency it has [`Currency::NONE`].
    /// - bool: `true yes on 1` and `false no off 0`, in any case.
    /// - time: RFC 3339 with its offset, a date alone (midnight UTC), or seconds since 1970 where the number is below
    ///   10^11, else milliseconds below 10^14. Before 1970 there is none.
    /// - string: as it is, without control characters.
    pub fn parse(kind: Type, text: &str, currency: Option<&str>) -> Self {
        let read = match kind {
            Type::Number => Decimal::parse(text).map(Self::Number),
            Type::Money => money(text, currency),
            Type::Bool => boolean(text).map(Self::Bool).ok_or(Reason::NotABool),
            Type::Time => time(text).map(Self::Time).ok_or(Reason::NotATime),
            Type::String if text.len() > MAX_TEXT => Err(Reason::TooLong),
            Type::String => Ok(Self::Text(printable(text))),
        };
        read.unwrap_or_else(Self::Invalid)
    }

    /// The amount of a number or of money.
    pub fn amount(&self) -> Option<Decimal> {
        match self {
            Self::Number(amount) | Self::Money(amount, _) => Some(*amount),
            _ => None,
        }
    }

    /// The currency of money; [`Currency::NONE`] of everything else.
    pub fn currency(&self) -> Currency {
        if let Self::Money(_, currency) = self { *currency } else { Currency::NONE }
    }

    /// Whether it could not be read.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }

    /// 32 bits of the keyed hash over what [`Value`] shows as: equal values have equal ones.
    pub fn digest(&self, hash: &SubjectHash) -> u32 {
        // The half that sketches do not look at is as good as the other; 32 bits are all that is compared.
        let text: Box<str> = match self {
            Self::Text(text) | Self::Hashed(text) => text.clone(),
            other => other.to_string().into(),
        };
        text.digest(hash) as u32
    }
}

/// As answers, logs and pseudonyms write it; equal values look equal.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(amount) | Self::Money(amount, Currency::NONE) => fmt::Display::fmt(amount, f),
            Self::Money(amount, currency) => write!(f, "{amount} {currency}"),
            Self::Time(ms) => match i64::try_from(*ms).ok().and_then(chrono::DateTime::from_timestamp_millis) {
                Some(time) => f.write_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)),
                None => fmt::Display::fmt(ms, f),
            },
            Self::Bool(value) => f.write_str(if *value { "true" } else { "false" }),
            Self::Text(text) | Self::Hashed(text) => f.write_str(text),
            Self::Invalid(reason) => {
                f.write_str("invalid:")?;
                f.write_str(reason.name())
            }
        }
    }
}

/// The text without control characters, which would garble logs and tables.
pub(super) fn printable(text: &str) -> Box<str> {
    if text.bytes().any(|b| !(b' '..0x7f).contains(&b)) {
        text.chars().filter(|c| !c.is_control()).collect::<String>().into()
    } else {
        text.into()
    }
}

fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "yes", "on", "1"].iter().any(is) {
        Some(true)
    } else {
        ["false", "no", "off", "0"].iter().any(is).then_some(false)
    }
}

/// What lies between the two is years after 5138 in seconds and before 1973 in milliseconds.
const SECONDS_BELOW: i128 = 100_000_000_000;
const MILLISECONDS_BELOW: i128 = 100_000_000_000_000;

fn time(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.len() > 40 {
        return None;
    }
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return u64::try_from(time.timestamp_millis()).ok();
    }
    if let Ok(date) = text.parse::<chrono::NaiveDate>() {
        let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc();
        return u64::try_from(midnight.timestamp_millis()).ok();
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let number = Decimal::parse(text).ok()?.billionths();
    let (whole, in_ms) = (number / 1_000_000_000, number / 1_000_000);
    let ms = if whole < SECONDS_BELOW { in_ms } else { whole };
    u64::try_from(ms).ok().filter(|_| whole < MILLISECONDS_BELOW)
}

fn money(text: &str, beside: Option<&str>) -> Result<Value, Reason> {
    let is_unit = |c: char| c.is_alphabetic() || matches!(c, '€' | '£' | '$' | '¥');
    let text = text.trim();
    let (unit, number) = if text.starts_with(is_unit) {
        split(text, text.find(|c| !is_unit(c)).unwrap_or(text.len()))
    } else {
        match text.char_indices().rev().take(8).take_while(|(_, c)| is_unit(*c)).last() {
            Some((at, _)) => {
                let (number, unit) = split(text, at);
                (unit, number)
            }
            None => ("", text),
        }
    };
    let amount = Decimal::parse(number.trim_matches([' ', '\u{a0}', '\u{202f}']))?;
    let with = match unit {
        "" | "$" | "¥" => Currency::NONE,
        "€" => Currency::EUR,
        "£" => Currency::GBP,
        code => Currency::parse(code).ok_or(Reason::Currency)?,
    };
    let beside = match beside.map(str::trim).filter(|code| !code.is_empty()) {
        Some(code) => Currency::parse(code).ok_or(Reason::Currency)?,
        None => Currency::NONE,
    };
    match (with, beside) {
        (Currency::NONE, currency) | (currency, Currency::NONE) => Ok(Value::Money(amount, currency)),
        (with, beside) if with == beside => Ok(Value::Money(amount, with)),
        _ => Err(Reason::Currency),
    }
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests;
