//! Business parameters of an event, and what a session sent of each.

use serde::{Deserialize, Serialize};

use super::dictionary::{Dictionary, Symbol};
use super::id::EventId;
use crate::parameter::{ParamStats, Type, Value};
use crate::subject::SubjectHash;

/// Names one session keeps apart; values of others are only counted.
pub const MAX_PARAMS: usize = 64;
/// Values kept of one event …
pub const MAX_EVENT_VALUES: usize = 64;
/// … and bytes of their texts.
pub const MAX_EVENT_BYTES: usize = 4_096;

/// The values an event brought, by name: numbers of names with values, in the order they were read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params<'a> {
    names: &'a [Box<str>],
    values: &'a [(u32, Value)],
}

impl<'a> Params<'a> {
    /// Values whose names stand in a table; at most [`MAX_EVENT_VALUES`], whoever reads them sees to that.
    pub fn new(names: &'a [Box<str>], values: &'a [(u32, Value)]) -> Self {
        Self { names, values }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.values.is_empty()
    }

    /// Names and values.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.values.iter().filter_map(move |(name, value)| Some((self.names.get(*name as usize)?.as_ref(), value)))
    }

    /// The values of one name.
    pub fn of<'n>(self, name: &'n str) -> impl Iterator<Item = &'a Value> + use<'a, 'n> {
        self.iter().filter(move |(of, _)| *of == name).map(|(_, value)| value)
    }

    /// About how much the values take, bytes.
    pub fn bytes(self) -> usize {
        self.values.iter().map(|(_, value)| size_of::<(u32, Value)>() + text_of(value).len()).sum()
    }

    /// The values without those that are one of these texts; `None` where none is.
    pub fn without(self, is_text: &dyn Fn(&str) -> bool) -> Option<Vec<(u32, Value)>> {
        let goes = |value: &Value| is_text(text_of(value));
        let any = self.values.iter().any(|(_, value)| goes(value));
        any.then(|| self.values.iter().filter(|(_, value)| !goes(value)).cloned().collect())
    }

    /// The same names with other values.
    #[must_use]
    pub fn with(self, values: &'a [(u32, Value)]) -> Self {
        Self { values, ..self }
    }
}

impl PartialEq for Params<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// The text of a value that is one, plain or hashed; else empty, which names nobody.
pub fn text_of(value: &Value) -> &str {
    match value {
        Value::Text(text) | Value::Hashed(text) => text,
        _ => "",
    }
}

/// Cuts the values of an event to what is kept; answers whether some were left out.
pub fn limit(values: &mut Vec<(u32, Value)>) -> bool {
    let (all, mut bytes) = (values.len(), 0);
    values.truncate(MAX_EVENT_VALUES);
    values.retain(|(_, value)| {
        bytes += text_of(value).len();
        bytes <= MAX_EVENT_BYTES
    });
    values.len() < all
}

/// Name and value as sessions count them: `name=`, a letter for the type, and the value as it is shown.
pub fn key_of(name: &str, value: &Value) -> String {
    let (kind, shown) = match value {
        Value::Number(_) => ("n", value.to_string()),
        Value::Money(..) => ("m", value.to_string()),
        Value::Time(_) => ("t", value.to_string()),
        Value::Bool(_) => ("b", value.to_string()),
        Value::Text(text) => return [name, "=s", text].concat(),
        Value::Hashed(text) => return [name, "=h", text].concat(),
        Value::Invalid(_) => ("i", value.to_string()),
    };
    [name, "=", kind, &shown].concat()
}

/// Reads what [`key_of`] wrote; what could not be read then is a text now.
pub fn value_of(key: &str) -> Option<(&str, Value)> {
    let (name, rest) = key.split_once('=')?;
    let (kind, shown) = rest.split_at_checked(1)?;
    let value = match kind {
        "n" => Value::parse(Type::Number, shown, None),
        "m" => Value::parse(Type::Money, shown, None),
        "t" => Value::parse(Type::Time, shown, None),
        "b" => Value::Bool(shown == "true"),
        "h" => Value::Hashed(shown.into()),
        _ => Value::Text(shown.into()),
    };
    Some((name, value))
}

/// The text behind the name and the letter of [`key_of`].
pub fn shown_of(key: &str) -> &str {
    key.split_once('=').and_then(|(_, rest)| rest.get(1..)).unwrap_or("")
}

/// What a session sent of each parameter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParamBook {
    stats: Vec<(Symbol, ParamStats)>,
    /// Values of names that found no place.
    rest: u32,
}

impl ParamBook {
    /// Takes in a value.
    pub fn see(&mut self, name: Symbol, value: &Value, event: EventId, hash: &SubjectHash) {
        let at = match self.stats.iter().position(|(known, _)| *known == name) {
            None if self.stats.len() < MAX_PARAMS => {
                self.stats.reserve_exact(1);
                self.stats.push((name, ParamStats::default()));
                self.stats.len() - 1
            }
            None => {
                self.rest = self.rest.saturating_add(1);
                return;
            }
            Some(at) => at,
        };
        if let Some((_, stats)) = self.stats.get_mut(at) {
            stats.see(value, event, hash);
        }
    }

    /// What was seen, by name, in the order the names came.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, &ParamStats)> {
        self.stats.iter().map(|(name, stats)| (*name, stats))
    }

    /// What was seen of one name.
    pub fn get(&self, name: Symbol) -> Option<&ParamStats> {
        self.iter().find(|(of, _)| *of == name).map(|(_, stats)| stats)
    }

    /// Values of names that found no place.
    pub fn rest(&self) -> u32 {
        self.rest
    }

    /// A book of stats that were kept elsewhere.
    pub fn of(stats: Vec<(Symbol, ParamStats)>, rest: u32) -> Option<Box<Self>> {
        (!stats.is_empty() || rest > 0).then(|| Box::new(Self { stats, rest }))
    }

    /// Forgets last values that are one of these texts; answers whether any was.
    pub fn erase(&mut self, is_text: &dyn Fn(&str) -> bool) -> bool {
        let erase = |(_, stats): &mut (Symbol, ParamStats)| stats.erase_last(|value| is_text(text_of(value)));
        self.stats.iter_mut().fold(false, |erased, entry| erase(entry) | erased)
    }

    /// Gives its names the numbers they have in another dictionary.
    pub fn renumber(&mut self, from: &Dictionary, to: &mut Dictionary) {
        self.stats.iter_mut().for_each(|(name, _)| *name = to.symbol(from.text(*name)));
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        let stats = self.stats.iter().map(|(_, stats)| size_of::<(Symbol, ParamStats)>() + stats.heap_bytes());
        size_of::<Self>() + stats.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_value_is_read_back_as_what_it_was() {
        for (kind, text) in [
            (Type::Number, "-12.5"),
            (Type::Money, "1299.95 EUR"),
            (Type::Money, "3"),
            (Type::Time, "2026-01-31T12:00:00.000Z"),
            (Type::Bool, "false"),
            (Type::String, "a=b, 12"),
        ] {
            let value = Value::parse(kind, text, None);
            let key = key_of("order.total", &value);
            assert_eq!((value_of(&key), shown_of(&key)), (Some(("order.total", value)), text));
        }
        let hashed = Value::Hashed("h:3d97:00".into());
        assert_eq!(value_of(&key_of("card", &hashed)), Some(("card", hashed)));
    }

    #[test]
    fn an_event_keeps_so_many_values_and_so_much_text() {
        let mut many: Vec<_> = (0..100).map(|_| (0, Value::Bool(true))).collect();
        assert!(limit(&mut many) && many.len() == MAX_EVENT_VALUES && !limit(&mut many));
        let mut long: Vec<_> = (0..20).map(|_| (0, Value::Text("x".repeat(256).into()))).collect();
        assert!(limit(&mut long) && long.len() == 16);
    }
}
