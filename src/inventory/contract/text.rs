//! Parameters and form fields: texts that stand for values, and formats.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::check::{Asked, At, Check};
use super::types::{ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, STRING};
use super::{ANYTHING, Contract, Format, Node, Others, Parameter, Place};
use crate::inventory::template::{is_calendar_date, is_uuid};

/// Values of one parameter that are looked at.
const MAX_VALUES: usize = 64;
/// Query parameters looked at.
const MAX_PARAMETERS: usize = 256;

/// Query parameters that no API documents: they are for whoever measures visits, or keep caches from answering.
fn is_foreign(name: &str) -> bool {
    const NAMES: [&str; 9] = ["_", "_ga", "_gl", "cb", "fbclid", "gclid", "msclkid", "ref", "ts"];
    name.starts_with("utm_") || NAMES.contains(&name)
}

/// Tells what is wrong with the parameters of a request.
pub(super) fn parameters(check: &mut Check<'_>, contract: &Contract, asked: &Asked<'_>) {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(asked.query.as_bytes()).take(MAX_PARAMETERS).collect();
    for parameter in &contract.parameters {
        let prefix = match parameter.place {
            Place::Path => "path.",
            Place::Query => "query.",
            Place::Header => "header.",
        };
        let place = [prefix, &parameter.name].concat();
        let at = At::root(&place);
        match parameter.place {
            Place::Path => {
                let value = in_path(asked.template, asked.path, &parameter.name);
                value.into_iter().for_each(|value| single(check, parameter, &[value], &at));
            }
            Place::Query => {
                // A list may stand under a name with brackets, as some frameworks write it.
                let is_name = |name: &str| name.strip_suffix("[]").unwrap_or(name) == &*parameter.name;
                let own = pairs.iter().filter(|(name, _)| is_name(name) || **name == *parameter.name);
                let values: Vec<Cow<'_, str>> =
                    own.map(|(_, value)| Cow::Borrowed(&**value)).take(MAX_VALUES).collect();
                if !values.is_empty() {
                    single(check, parameter, &values, &at);
                } else if parameter.required && pairs.len() < MAX_PARAMETERS {
                    check.tell(&at, "is missing");
                }
            }
            Place::Header => match (asked.header)(&parameter.name) {
                Some(value) => single(check, parameter, &[Cow::Borrowed(value)], &at),
                None if parameter.required => check.tell(&at, "is missing"),
                None => {}
            },
        }
    }
    let in_query = || contract.parameters.iter().filter(|parameter| parameter.place == Place::Query);
    if contract.open_query || in_query().next().is_none() {
        return;
    }
    for (name, _) in &pairs {
        let plain = name.strip_suffix("[]").unwrap_or(name);
        let is_known = in_query().any(|known| *known.name == *plain || *known.name == **name);
        if !is_known && !is_foreign(plain) {
            let place = ["query.", name].concat();
            check.tell(&At::root(cut(&place)), "is not in the document");
        }
    }
}

fn cut(place: &str) -> &str {
    let end = (0..=72.min(place.len())).rev().find(|at| place.is_char_boundary(*at)).unwrap_or(0);
    place.get(..end).unwrap_or("")
}

/// The value of a placeholder, where it is a whole segment.
fn in_path<'p>(template: &str, path: &'p str, name: &str) -> Option<Cow<'p, str>> {
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    if wanted.clone().count() != found.clone().count() {
        return None;
    }
    let at = wanted.position(|s| s.strip_prefix('{').and_then(|s| s.strip_suffix('}')) == Some(name))?;
    let segment = found.nth(at)?.split(';').next()?;
    percent_encoding::percent_decode_str(segment).decode_utf8().ok()
}

/// The values of one parameter: a list, or one value that may have been said more than once.
fn single(check: &mut Check<'_>, parameter: &Parameter, values: &[Cow<'_, str>], at: &At<'_>) {
    let Some(schema) = check.schema(parameter.schema) else { return };
    if schema.types & ARRAY != 0 && schema.types & STRING == 0 {
        let parts = |value: &'_ str| match parameter.separator {
            Some(separator) => value.split(separator).count(),
            None => 1,
        };
        let count = values.iter().map(|value| parts(value)).sum();
        let is_empty = values.iter().all(|value| value.is_empty());
        if !is_empty && count <= MAX_VALUES {
            check.size(schema.items, count, at, ["has too few items", "has too many items"]);
        }
        for value in values {
            match parameter.separator {
                Some(separator) => {
                    value.split(separator).take(MAX_VALUES).for_each(|part| text(check, schema.item, part, at));
                }
                None => text(check, schema.item, value, at),
            }
        }
    } else if schema.types & OBJECT == 0 {
        values.iter().for_each(|value| text(check, parameter.schema, value, at));
    }
}

/// One text that stands for a value: it fits where anything that it may stand for does. An empty one is none.
fn text(check: &mut Check<'_>, node: Node, text: &str, at: &At<'_>) {
    let Some(schema) = check.schema(node) else { return };
    if text.is_empty() {
        return;
    }
    let number = || text.parse::<i64>().ok().map(Number::from).or_else(|| text.parse().ok().and_then(Number::from_f64));
    let truth = || matches!(text, "true" | "false").then_some(Value::Bool(text == "true"));
    let readings = [
        (NUMBER | INTEGER, number().map(Value::Number)),
        (BOOLEAN, truth()),
        (NULL, (text == "null").then_some(Value::Null)),
        (STRING, Some(Value::String(text.to_owned()))),
    ];
    let may_be = |types: u8| schema.types == 0 || schema.types & types != 0;
    let mut wrong = None;
    for (types, reading) in readings {
        let Some(value) = reading.filter(|_| may_be(types)) else { continue };
        if check.fits(node, &value) {
            return;
        }
        wrong = Some(value);
    }
    check.value(node, &wrong.unwrap_or_else(|| Value::String(text.to_owned())), at, 0);
}

/// A form body as the object it stands for: each field by itself.
pub(super) fn form(check: &mut Check<'_>, node: Node, bytes: &[u8]) {
    let Some(schema) = check.schema(node) else { return };
    let fields: Vec<_> = form_urlencoded::parse(bytes).take(MAX_PARAMETERS).collect();
    let is_whole = fields.len() < MAX_PARAMETERS;
    let has = |name: &str| fields.iter().any(|(known, _)| known.split('[').next() == Some(name));
    for name in schema.required.iter().filter(|name| is_whole && !has(name)) {
        check.tell(&At::root(&["form.", name].concat()), "is missing");
    }
    for (name, value) in &fields {
        let place = ["form.", name].concat();
        let at = At::root(cut(&place));
        match schema.members.iter().find(|member| *member.name == **name) {
            Some(member) => {
                let is_flat = check.schema(member.schema).is_some_and(|of| of.types & (ARRAY | OBJECT) == 0);
                if is_flat && member.schema != ANYTHING {
                    text(check, member.schema, value, &at);
                }
            }
            None if schema.others == Others::Closed && !name.contains('[') => check.tell(&at, "is not in the document"),
            None => {}
        }
    }
}

/// Whether a text is of a format.
pub(super) fn fits_format(format: Format, text: &str) -> bool {
    match format {
        Format::None | Format::Int32 | Format::Int64 => true,
        Format::Uuid => is_uuid(text.as_bytes()),
        Format::Date => is_calendar_date(text.as_bytes()),
        Format::DateTime => is_date_time(text),
        Format::Email => text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        }),
    }
}

/// Whether a whole number is within its format.
pub(super) fn fits_integer(format: Format, value: f64) -> bool {
    match format {
        Format::Int32 => (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value),
        // Beyond it a double knows no single numbers.
        Format::Int64 => value.abs() <= 9_223_372_036_854_775_808.0,
        _ => true,
    }
}

/// RFC 3339, section 5.6; `t`, `z` and a space in the place of `T` are let through.
fn is_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let Some((time, zone)) = rest.split_at_checked(9) else { return false };
    let time = time.as_bytes();
    let shape = time.iter().enumerate().all(|(at, c)| match at {
        0 => matches!(c, b'T' | b't' | b' '),
        3 | 6 => *c == b':',
        _ => c.is_ascii_digit(),
    });
    let after_fraction =
        zone.strip_prefix('.').map_or(zone, |digits| digits.trim_start_matches(|c: char| c.is_ascii_digit()));
    let is_offset = |zone: &str| {
        zone.len() == 6
            && zone.bytes().enumerate().all(|(at, c)| match at {
                0 => matches!(c, b'+' | b'-'),
                3 => c == b':',
                _ => c.is_ascii_digit(),
            })
    };
    shape && is_calendar_date(date.as_bytes()) && (matches!(after_fraction, "Z" | "z") || is_offset(after_fraction))
}
