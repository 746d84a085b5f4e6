//! Template and expression languages fed with expressions: arithmetic as a probe, ways from a value to its class and on to
//! the system, directives that load or run. A placeholder with a name, a member, a filter is what templates are full of.

mod words;

use core::ops::Range;

use super::seek::{before, byte, find, find_any, has, is_space, piece, skip, starts, tail, trim};
use super::shown;
use super::system::last_name;
use crate::inspect::{Attack, Class, Place, Reading, Scan, Sign};
use crate::session::Severity;
use words::{CALLS, OBJECTS, REACHES};

/// Expressions of template languages.
pub static SSTI: Class = Class { attack: Attack::Ssti, words: &WORDS, chars: b"{<([", may_be, judge };

const WORDS: [&str; 14] = [
    "java.lang",
    "_memberaccess",
    "freemarker.template",
    "pagecontext",
    "class.module.classloader",
    "class.classloader",
    "java.util.scanner",
    "javax.script",
    "__class__",
    "__globals__",
    "__subclasses__",
    "constructor.constructor",
    "$eval",
    "#set",
];
/// What opens an expression, what closes it, and whether arithmetic between is a probe there.
const DELIMITERS: [(&str, &str, bool); 13] = [
    ("{{", "}}", true),
    ("${", "}", true),
    ("#{", "}", true),
    ("<%", "%>", true),
    ("{%", "%}", true),
    ("@(", ")", true),
    ("*{", "}", true),
    ("%{", "}", true),
    ("~{", "}", true),
    ("@{", "}", true),
    ("[[", "]]", false),
    ("[%", "%]", true),
    ("{", "}", false),
];
/// Longest expression that is looked at, bytes.
const EXPRESSION: usize = 600;
/// How often a text may be read, for expressions inside expressions.
const READS: usize = 4;
/// Longest piece that is shown of what was found, bytes.
const SHOWN: usize = 100;

fn may_be(scan: Scan, _place: Place<'_>) -> bool {
    let has_expression = scan.any(b"{") && scan.any(b"}(.%|*+-[") && scan.any(b"$#%@*~{");
    scan.word(Attack::Ssti)
        || has_expression
        || scan.all(b"<%")
        || scan.all(b"<#")
        || scan.all(b"@()")
        || scan.all(b"#($=")
        || scan.all(b"[][*")
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let mut best = bare(text);
    // Expressions inside expressions are read again, as long as that costs no more than a few times the text.
    let mut budget = READS * (text.len() + EXPRESSION);
    let mut at = 0;
    while at < text.len() {
        let Some((open, close, is_probe)) = opened(text, at) else {
            at += 1;
            continue;
        };
        let inside = at + open.len();
        let window = piece(text, inside..inside + EXPRESSION);
        let Some(length) = find(window, close, 0) else {
            // Not closed where it is looked for; what lies inside may be. A text that was cut off may have lost the end.
            if window.len() < EXPRESSION && budget > window.len() {
                raise(&mut best, reaches(window).map(|(sure, what)| (sure.min(84), at..inside, what)));
            }
            at = if budget > window.len() { inside } else { inside + EXPRESSION / 2 };
            budget = budget.saturating_sub(window.len());
            continue;
        };
        // An expression may hold what closes it, in braces of its own.
        let end = inside + closing(window, length, open);
        let seen = expression(text, at..inside, piece(text, inside..end), is_probe);
        raise(&mut best, seen.map(|(sure, what)| (sure, at..end + close.len(), what)));
        budget = budget.saturating_sub(end - inside);
        at = if matches!(open, "{" | "[[") && budget > EXPRESSION { inside } else { end };
    }
    raise(&mut best, asks(reading));
    let (sure, at, what) = best?;
    let sure = shown::less(reading, at.start, sure);
    let severity = if sure >= 80 { Severity::Critical } else { Severity::Medium };
    Some(Sign { confidence: sure, severity, at: at.start..at.end.min(at.start + SHOWN).min(text.len()), what })
}

type Seen = (u8, Range<usize>, &'static str);

/// What templates are made of, by itself: nobody is greeted with `{{config}}`.
const ASKED: [&[u8]; 9] =
    [b"config", b"settings", b"self", b"_self", b"request", b"_context", b"debug", b"globals()", b"locals()"];

/// A value that is one expression with such a name.
fn asks(reading: &Reading<'_>) -> Option<Seen> {
    let (start, text) = trim(reading.text);
    let inside = ["{{", "{%", "${", "#{"].iter().find_map(|open| {
        let rest = text.strip_prefix(open.as_bytes())?;
        rest.strip_suffix(b"}}").or(rest.strip_suffix(b"%}")).or(rest.strip_suffix(b"}"))
    })?;
    let (_, name) = trim(inside);
    // Functions of Go's templates, which show that one is evaluated.
    let is_called = ["printf \"", "html \"", "js \"", "call ."].iter().any(|call| starts(name, 0, call));
    // `"config": "{{config}}"` hands a variable on.
    let is_own = last_name(reading.place).as_bytes().eq_ignore_ascii_case(name);
    let is_asked = !is_own && ASKED.contains(&name) || is_called && !text.contains(&b'\n');
    is_asked.then_some((82, start..start + text.len(), "an expression that reads the template's surroundings"))
}

fn raise(best: &mut Option<Seen>, seen: Option<Seen>) {
    if let Some(seen) = seen
        && best.as_ref().is_none_or(|(sure, ..)| seen.0 > *sure)
    {
        *best = Some(seen);
    }
}

fn opened(text: &[u8], at: usize) -> Option<(&'static str, &'static str, bool)> {
    if !matches!(byte(text, at), b'{' | b'$' | b'#' | b'<' | b'@' | b'*' | b'%' | b'~' | b'[') {
        return None;
    }
    DELIMITERS.into_iter().find(|(open, ..)| starts(text, at, open))
}

/// Where the expression ends whose first closing mark stands at `first`: at the last one before the next opening, where
/// it holds braces.
fn closing(window: &[u8], first: usize, open: &str) -> usize {
    let head = piece(window, 0..first);
    let count = |wanted: u8| head.iter().filter(|byte| **byte == wanted).count();
    let is_nested = open.ends_with('{') && count(b'{') > count(b'}') || open == "@(" && count(b'(') > count(b')');
    if !is_nested {
        return first;
    }
    let close = if open == "@(" { b')' } else { b'}' };
    let line = skip(window, 0, |byte| byte != b'\n');
    piece(window, 0..line).iter().rposition(|byte| *byte == close).unwrap_or(first)
}

/// What an expression does.
fn expression(text: &[u8], mark: Range<usize>, inside: &[u8], is_probe: bool) -> Option<(u8, &'static str)> {
    let open = piece(text, mark.clone());
    if let Some(seen) = reaches(inside) {
        // Braces alone are everywhere: only Smarty's own words count there.
        let is_plain = open == b"{" || open == b"[[";
        return if is_plain && !has(inside, "__") { smarty(inside).or(Some((45, seen.1))) } else { Some(seen) };
    }
    if open == b"{" {
        return smarty(inside).or_else(|| arithmetic(inside).map(|_| (55, "arithmetic in braces")));
    }
    if open == b"{{" && starts(inside, 0, "#with ") && has(inside, "as |") {
        let is_string = matches!(byte(inside, 6), b'"' | b'\'');
        return is_string.then_some((90, "a helper that turns a text into an object"));
    }
    let (sure, what) = arithmetic(inside)?;
    if !is_probe {
        return Some((if before(text, mark.start) == b'}' { sure } else { 55 }, what));
    }
    let behind = mark.end + inside.len();
    // `@(1+2)` inside a word is no template, `${2+2}$` is mathematics.
    let is_word = open == b"@("
        && (before(text, mark.start).is_ascii_alphanumeric() || byte(text, behind + 1).is_ascii_alphanumeric());
    let is_math = open == b"${" && byte(text, behind + 1) == b'$';
    let is_tag = open == b"{%";
    Some((
        if is_word || is_math {
            55
        } else if is_tag {
            70
        } else {
            sure
        },
        what,
    ))
}

/// Whether an expression reaches for the system.
fn reaches(inside: &[u8]) -> Option<(u8, &'static str)> {
    if inside.len() < 3 {
        return None;
    }
    let plain: Vec<u8> =
        inside.iter().filter(|byte| !matches!(byte, b' ' | b'\t')).map(u8::to_ascii_lowercase).collect();
    if find_any(&plain, &REACHES).is_some() {
        return Some((94, "an expression that reaches from a value to the system"));
    }
    if let Some((_, sure)) = OBJECTS.iter().find(|(name, _)| has(&plain, name)) {
        return Some((*sure, "an expression that reads the template's surroundings"));
    }
    for name in CALLS {
        if let Some(at) = find(&plain, name, 0)
            && byte(&plain, at + name.len()) == b'('
            && !(before(&plain, at).is_ascii_alphanumeric() || matches!(before(&plain, at), b'.' | b'_' | b'$' | b'-'))
        {
            return Some((90, "an expression that calls a function of the system"));
        }
    }
    let filters = ["|filter('", "|map('", "|sort('", "|reduce('", "|filter(\"", "|map(\"", "|sort(\"", "|reduce(\""];
    if let Some(found) = find_any(&plain, &filters) {
        let name = tail(&plain, found.end);
        if CALLS.iter().any(|call| starts(name, 0, call)) {
            return Some((94, "a filter that calls a function of the system"));
        }
    }
    let constructor = find(&plain, "constructor", 0);
    if let Some(at) = constructor
        && (matches!(byte(&plain, at + 11), b'(' | b'.' | b'[')
            || has(&plain, "lookup")
            || matches!(before(&plain, at), b'"' | b'\''))
    {
        return Some((92, "an expression that builds a function"));
    }
    if has(&plain, "$eval(") || has(&plain, "$on.constructor") {
        return Some((86, "an expression that evaluates a text"));
    }
    let loads = starts(&plain, 0, "importos")
        || starts(&plain, 0, "importsubprocess")
        || starts(&plain, 0, "require'")
        || has(&plain, "pageimport=\"java");
    if loads {
        return Some((88, "a directive that loads a module of the system"));
    }
    let file = [
        "include'/",
        "include\"/",
        "include'..",
        "include\"..",
        "include'file:",
        "include(\"/",
        "include('/",
        "source('/",
        "import'/",
        "extends'/",
    ];
    if file.iter().any(|directive| has(piece(&plain, 0..24), directive)) {
        return Some((84, "a directive that includes a file of the system"));
    }
    // `<%= `id` %>`, `#{%x(id)}`
    let (_, code) = trim(inside);
    let code = tail(code, skip(code, 0, |byte| matches!(byte, b'=' | b'-' | b' ')));
    let is_shell = (byte(code, 0) == b'`' && code.len() > 2 && code.ends_with(b"`"))
        || (starts(code, 0, "%x") && matches!(byte(code, 2), b'(' | b'|' | b'{' | b'['));
    is_shell.then_some((88, "an expression that runs a command"))
}

/// Smarty's tags between single braces.
fn smarty(inside: &[u8]) -> Option<(u8, &'static str)> {
    let words = ["php}", "smarty_internal_", "$smarty.", "self::getstreamvariable", "eval var=", "fetch file="];
    if inside.eq_ignore_ascii_case(b"php") || words.iter().any(|word| starts(inside, 0, word)) {
        return Some((86, "a Smarty tag that runs code"));
    }
    let condition = if starts(inside, 0, "if ") { 3 } else { 0 };
    let call = CALLS.iter().find(|name| starts(inside, condition, name))?;
    let argument = condition + call.len() + 1;
    let is_call = byte(inside, argument - 1) == b'(' && matches!(byte(inside, argument), b')' | b'\'' | b'"' | b'$');
    is_call.then_some((88, "a Smarty tag that calls a function of the system"))
}

/// Numbers (some in quotes) and operators, nothing else: `7*7`, `7*'7'`, `=7 * 7`.
fn arithmetic(inside: &[u8]) -> Option<(u8, &'static str)> {
    let inside = tail(inside, skip(inside, 0, |byte| is_space(byte) || matches!(byte, b'=' | b'{' | b'%' | b'$')));
    let is_part = |byte: &u8| byte.is_ascii_digit() || is_space(*byte) || b"*+-/%().'\"}".contains(byte);
    if inside.is_empty() || inside.len() > 60 || !inside.iter().all(is_part) {
        return None;
    }
    let numbers = inside.split(|byte| !byte.is_ascii_digit()).filter(|run| !run.is_empty()).count();
    let operators = inside.iter().filter(|byte| b"*+-/%".contains(byte)).count();
    if numbers < 2 || operators == 0 {
        return None;
    }
    let sure = if inside.contains(&b'*') {
        90
    } else if inside.contains(&b'+') {
        86
    } else if operators == 1 && inside.iter().any(|byte| matches!(byte, b'/' | b'%')) && numbers == 2 {
        80
    } else if operators == 1 && numbers == 2 {
        70
    } else {
        50
    };
    Some((sure, "arithmetic as a template's expression"))
}

/// What needs no delimiters: expressions that are evaluated whole, directives, probes of many languages at once.
fn bare(text: &[u8]) -> Option<Seen> {
    let certain = [
        "class.module.classloader",
        "class.classloader.",
        "t(java.lang.",
        "#_memberaccess",
        "\\u0023_memberaccess",
        "@java.lang.runtime@",
        "freemarker.template.utility",
        "@ognl.ognlcontext@",
        "(java.lang.processbuilder)",
        "new java.util.scanner(",
        "java.lang.runtime.getruntime",
        "new java.lang.processbuilder",
        "__class__.__",
        "__globals__[",
        "__globals__.",
    ];
    if let Some(at) = find_any(text, &certain) {
        return Some((94, at, "an expression that reaches from a value to the system"));
    }
    if let Some(at) = find_any(text, &["${{<%", "<%={{", "{{<%", "#{<%"]) {
        return Some((86, at, "a probe for many template languages at once"));
    }
    if let Some(at) = find(text, "#set", 0)
        && matches!(byte(text, skip(text, at + 4, is_space)), b'(')
    {
        let rest = piece(text, at..at + EXPRESSION);
        let runs =
            ["$class.", ".getclass", ".class.", "forname", "java.", ".inspect("].iter().any(|word| has(rest, word));
        let open = skip(text, at + 4, is_space);
        let value = piece(rest, rest.iter().position(|byte| *byte == b'=').map_or(rest.len(), |at| at + 1)..rest.len());
        let value = piece(value, 0..value.iter().position(|byte| *byte == b')').unwrap_or(0));
        let sure = if runs {
            92
        } else if arithmetic(value).is_some() && byte(text, open + 1) == b'$' {
            86
        } else {
            50
        };
        return Some((sure, at..at + 4, "a Velocity directive"));
    }
    if let Some(at) = find_any(text, &["$class.inspect(", "$class.type", ".getclass().forname(", ".class.forname("]) {
        return Some((88, at, "a Velocity reference to a class"));
    }
    if let Some(at) = find_any(text, &["<#assign", "[#assign"]) {
        let runs =
            find_any(piece(text, at.start..at.start + EXPRESSION), &["?new(", "objectconstructor", "execute", "?api"])
                .is_some();
        return Some((if runs { 94 } else { 60 }, at, "a FreeMarker directive"));
    }
    None
}
