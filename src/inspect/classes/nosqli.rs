//! NoSQL injection: operators where a value should be, and script for `$where`.
//!
//! An operator is a name here, so most is decided by what it stands under. APIs that take queries as such are told by the
//! names they use (`filter`, `where`), and the query options of OData and Socrata by standing alone.

use super::names::{begins, ends_with_one, find, is_name, segments, unspaced};
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// NoSQL injection.
pub static NOSQLI: Class = Class {
    attack: Attack::Nosqli,
    words: &[
        "where",
        "ne",
        "gt",
        "gte",
        "lt",
        "lte",
        "eq",
        "in",
        "nin",
        "regex",
        "exists",
        "not",
        "nor",
        "or",
        "and",
        "expr",
        "function",
        "accumulator",
        "lookup",
        "func",
        "elemmatch",
        "type",
        "size",
        "all",
        "return",
        "sleep",
        "while",
        "do",
        "var",
        "this",
        "db",
    ],
    chars: b"'\"",
    may_be,
    judge,
};

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    let is_condition = scan.any(b"'\"") && scan.any(b"|&") && scan.any(b"=");
    if !(scan.word(Attack::Nosqli) || is_condition && !is_name(place.part))
        || matches!(place.part, Part::XmlDocument | Part::File)
    {
        return false;
    }
    if is_name(place.part) {
        return scan.any(b"$");
    }
    scan.any(b"$") && scan.any(b":") || scan.any(b";'\"") && scan.any(b"(=<> ") && scan.any(b";|&")
}

/// What an operator is good for to an attacker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// Runs script.
    Script,
    /// `$ne`, `$regex` …: true for values that are not known.
    Open,
    /// `$gt`, `$in` …: also what filters of honest APIs hold most.
    Range,
    Logic,
    /// Reaches other collections.
    Reach,
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "$where" | "$function" | "$accumulator" | "$func" => Operator::Script,
        "$ne" | "$nin" | "$regex" | "$exists" | "$not" => Operator::Open,
        "$gt" | "$gte" | "$lt" | "$lte" | "$in" | "$eq" | "$elemMatch" | "$size" | "$all" | "$type" => Operator::Range,
        "$or" | "$and" | "$nor" | "$expr" => Operator::Logic,
        "$lookup" | "$unionWith" | "$graphLookup" => Operator::Reach,
        _ => return None,
    })
}

const QUERIES: &[&str] = &[
    "filter",
    "filters",
    "where",
    "query",
    "selector",
    "conditions",
    "criteria",
    "match",
    "$match",
    "search",
    "s",
    "q",
    "pipeline",
    "aggregate",
    "rules",
    "having",
];
const CREDENTIALS: &[&str] = &[
    "user",
    "username",
    "user_name",
    "login",
    "email",
    "mail",
    "password",
    "pass",
    "passwd",
    "pwd",
    "token",
    "secret",
    "pin",
    "otp",
    "code",
    "apikey",
    "api_key",
    "key",
    "account",
    "session",
];
const AMOUNTS: &[&str] = &[
    "price",
    "date",
    "at",
    "_on",
    "age",
    "total",
    "amount",
    "count",
    "size",
    "rating",
    "score",
    "year",
    "quantity",
    "qty",
    "time",
    "timestamp",
    "created",
    "updated",
    "status",
    "category",
    "tags",
    "type",
    "stock",
    "distance",
    "weight",
];

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    if is_name(reading.place.part) { name(reading) } else { text(reading) }
}

fn sign(confidence: u8, at: core::ops::Range<usize>, what: &'static str) -> Option<Sign> {
    let severity = if confidence >= 80 { Severity::High } else { Severity::Low };
    Some(Sign { confidence, severity, at, what })
}

/// An operator as a name, judged by the names around it.
fn name(reading: &Reading<'_>) -> Option<Sign> {
    let is_json = reading.place.part == Part::JsonName;
    // In JSON each name is a text of its own; in others one name holds them all.
    let mut inner_first = segments(reading.place).rev();
    let operator = if is_json { operator(inner_first.next()?)? } else { inner_first.find_map(operator)? };
    let above =
        |words: &[&str]| segments(reading.place).any(|name| words.iter().any(|word| name.eq_ignore_ascii_case(word)));
    let under = inner_first.find(|name| !name.starts_with('$') && !name.bytes().all(|byte| byte.is_ascii_digit()));
    let alone = under.is_none();
    let on = |words: &[&str]| under.is_some_and(|name| ends_with_one(name, words));
    let in_query = above(QUERIES);
    let confidence = match operator {
        // Socrata's `$where=…`.
        Operator::Script if alone && !is_json => 40,
        Operator::Script => {
            if in_query {
                80
            } else {
                90
            }
        }
        Operator::Open | Operator::Range if on(CREDENTIALS) => 90,
        // A query compares members: nothing honest compares the query itself.
        Operator::Open | Operator::Range if on(QUERIES) && is_top(reading.place, under) => 85,
        Operator::Open if in_query => 65,
        Operator::Open => {
            if alone && !is_json {
                40
            } else {
                85
            }
        }
        Operator::Range if in_query || on(AMOUNTS) => 55,
        Operator::Range => {
            if alone {
                60
            } else {
                82
            }
        }
        Operator::Logic if in_query || !is_json => 55,
        Operator::Logic => 80,
        Operator::Reach => 60,
    };
    sign(confidence, 0..reading.text.len(), "an operator of a document database as a name")
}

/// Texts up to this many bytes are values; longer ones are documents that may show code.
const VALUE_BYTES: usize = 300;

fn text(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let short = text.len() <= VALUE_BYTES;
    let found = object(text).or_else(|| script(text))?;
    Some(Sign { confidence: if short { found.confidence } else { found.confidence.min(60) }, ..found })
}

/// `{$gt: ''}`, `true, $where: '1 == 1'`: an operator with its colon in a text that is no JSON.
fn object(text: &[u8]) -> Option<Sign> {
    const LONGEST: usize = 16;
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'$') {
        let rest = text.get(at..).unwrap_or_default();
        let length = 1 + rest.iter().skip(1).take(LONGEST).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let name = rest.get(..length).and_then(|name| core::str::from_utf8(name).ok()).and_then(operator);
        let behind = unspaced(rest.get(length..).unwrap_or_default());
        let behind = behind.strip_prefix(b"\"").or(behind.strip_prefix(b"'")).unwrap_or(behind);
        let Some(operator) = name.filter(|_| unspaced(behind).starts_with(b":")) else { continue };
        let before = text.get(..at).unwrap_or_default().trim_ascii_end();
        // A quote that ends a value, and a comma before the next member.
        let goes_on =
            before.strip_suffix(b",").is_some_and(|value| matches!(value.trim_ascii_end().last(), Some(b'\'' | b'"')));
        let opens = goes_on || matches!(unspaced(text).first(), Some(b'{' | b'[' | b'\'' | b'"' | b',' | b'}' | b'|'));
        let value = unspaced(behind).get(1..).map(unspaced).unwrap_or_default();
        let is_code = value.first().is_some_and(|byte| byte.is_ascii_digit() || b"'\"`(!{".contains(byte))
            || [&b"function"[..], b"this", b"sleep", b"return", b"true", b"while"]
                .iter()
                .any(|word| begins(value, word));
        let confidence = match operator {
            Operator::Script if !is_code => 55,
            Operator::Script => {
                if opens || text.len() < 100 {
                    85
                } else {
                    60
                }
            }
            _ if opens => 82,
            _ => 55,
        };
        return sign(confidence, at..at + length, "an operator of a document database");
    }
    None
}

/// Quotes that are looked behind.
const MAX_QUOTES: usize = 16;

/// `';return true;//`, `'||this.password.match(/^a/)||'`, `1;sleep(5000)`.
fn script(text: &[u8]) -> Option<Sign> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let quotes = text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'\'' | b'"')).map(|(at, _)| at + 1);
    for (number, at) in core::iter::once(digits).chain(quotes.take(MAX_QUOTES)).enumerate() {
        let rest = text.get(at..).unwrap_or_default();
        let rest = unspaced(
            rest.get(rest.iter().take_while(|byte| matches!(byte, b')' | b'}' | b' ')).count()..).unwrap_or_default(),
        );
        let confidence = if let Some(statement) = rest.strip_prefix(b";") {
            stacked(unspaced(statement), text)
        } else if let Some(condition) = rest.strip_prefix(b"||").or(rest.strip_prefix(b"&&")) {
            let condition = unspaced(condition);
            let own = begins(condition, b"this.")
                || begins(condition, b"this[")
                || begins(condition, b"(function(")
                || begins(condition, b"db.");
            // Behind a pair of quotes it is the text's own code.
            match number {
                0 | 1 if own => 90,
                0 | 1 if is_constant(condition) => 86,
                _ => 0,
            }
        } else {
            0
        };
        if confidence > 0 {
            return sign(
                confidence,
                at.saturating_sub(1)..text.len().min(at + 48),
                "script behind the end of a string",
            );
        }
    }
    None
}

/// `1==1`, `'a'=='a'`: equal in script, whatever was asked for.
fn is_constant(condition: &[u8]) -> bool {
    let Some(at) = condition.windows(2).take(16).position(|two| two == b"==") else { return false };
    let bare = |byte: &u8| !matches!(byte, b'\'' | b'"' | b' ' | b'=');
    let left: Vec<u8> = condition.iter().take(at).copied().filter(|byte| bare(byte)).collect();
    let right = condition.iter().skip(at).skip_while(|byte| !bare(byte)).take_while(|byte| bare(byte));
    !left.is_empty() && right.take(left.len()).eq(left.iter())
}

/// Whether the name an operator stands under is the outermost there is.
fn is_top(place: Place<'_>, under: Option<&str>) -> bool {
    under.is_some() && segments(place).next() == under
}

/// A statement of script that an attacker puts behind a value.
fn stacked(statement: &[u8], text: &[u8]) -> u8 {
    let argument = |word: &[u8]| if begins(statement, word) { statement.get(word.len()..) } else { None };
    if let Some(value) = argument(b"return") {
        let value = value.trim_ascii_start();
        let plain = value.first().is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'(' | b'\'' | b'"' | b'!'));
        let known = begins(value, b"true")
            || begins(value, b"this.")
            || begins(value, b"false")
            || begins(value, b"new ")
            || begins(value, b"math.");
        return if plain || known { 88 } else { 0 };
    }
    if let Some(value) = argument(b"sleep(") {
        return if value.first().is_some_and(u8::is_ascii_digit) { 88 } else { 0 };
    }
    if argument(b"while(").is_some()
        || argument(b"do{").is_some()
        || argument(b"while (").is_some()
        || argument(b"do {").is_some()
    {
        return 85;
    }
    if begins(statement, b"db.") && statement.contains(&b'(') {
        return 88;
    }
    let loops = find(text, b"new date").is_some() && (find(text, b"while").is_some() || find(text, b"do{").is_some());
    if loops { 88 } else { 0 }
}
