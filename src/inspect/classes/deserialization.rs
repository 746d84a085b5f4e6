//! Serialized objects where a value should be: streams by their first bytes, texts by their tags, classes that run
//! something by their names.

use super::seek::{byte, find, find_any, has, is_space, piece, skip, starts, tail, trim};
use super::shown;
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// Serialized objects.
pub static DESERIALIZATION: Class = Class {
    attack: Attack::Deserialization,
    words: &WORDS,
    chars: b".{$\0\x01\x02\x03\x04\x05\x06\x08",
    may_be,
    judge,
};

const WORDS: [&str; 37] = [
    "aaeaaad",
    "aced",
    "nd_func",
    "__js_function",
    "python",
    "ruby",
    "tag:yaml.org",
    "java.lang",
    "java.net",
    "java.beans",
    "java.io",
    "javax",
    "com.sun",
    "org.apache",
    "org.springframework",
    "com.mchange",
    "ch.qos",
    "oracle.jdbc",
    "com.zaxxer",
    "org.hibernate",
    "org.codehaus",
    "bsh",
    "jdk.nashorn",
    "objectdataprovider",
    "system.windows",
    "system.diagnostics",
    "system.configuration",
    "system.management",
    "system.security",
    "dynamic-proxy",
    "py",
    "posix",
    "subprocess",
    "__builtin__",
    "builtins",
    "js/function",
    "system",
];
/// Classes, or the packages of classes, that run something when they are read. Lower case.
const GADGETS: [&str; 44] = [
    "jdbcrowsetimpl",
    "templatesimpl",
    "java.lang.processbuilder",
    "java.lang.runtime",
    "java.lang.class",
    "java.lang.autocloseable",
    "java.lang.thread",
    "java.net.",
    "javax.script.",
    "javax.naming.",
    "javax.management.",
    "javax.swing.",
    "javax.imageio.",
    "java.beans.",
    "java.io.",
    "com.sun.",
    "org.apache.",
    "org.springframework.",
    "com.mchange.",
    "ch.qos.logback.",
    "oracle.jdbc.",
    "com.zaxxer.",
    "org.hibernate.",
    "org.codehaus.groovy",
    "bsh.",
    "jdk.nashorn.",
    "net.sf.ehcache",
    "com.ibatis",
    "br.com.anteros",
    "objectdataprovider",
    "system.diagnostics.process",
    "system.configuration.install",
    "windowsidentity",
    "claimsidentity",
    "system.management.automation",
    "resourcedictionary",
    "system.windows.",
    "system.activities",
    "system.web.",
    "system.data.",
    "microsoft.visualstudio",
    "expandedwrapper",
    "sessionsecuritytoken",
    "typeconfusedelegate",
];
/// Members that name the class of what they stand in.
const TYPES: [&str; 7] = ["@type", "$type", "@class", "__type", "/class", "_class", "typename"];
/// The start of a .NET stream, and the same in base64 in its three alignments.
const NET: [u8; 9] = [0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
const NET_BASE64: [&str; 4] = ["aaeaaad/////", "aaqaaap////8", "abaaaa/////w", "aaeaaad_____"];
/// XML and YAML that build objects.
const BUILDERS: [(&str, u8); 24] = [
    ("java.beans.xmldecoder", 94),
    ("java.beans.eventhandler", 94),
    ("<dynamic-proxy", 90),
    ("<object class=\"java.", 92),
    ("<void class=\"java.", 92),
    ("<jdk.nashorn.internal", 94),
    ("<java.util.priorityqueue", 90),
    ("<javax.imageio", 92),
    ("<com.sun.", 90),
    ("<objectdataprovider", 92),
    ("clr-namespace:system.diagnostics", 92),
    ("!!python/object:", 95),
    ("!!python/object/", 95),
    ("!!python/name", 94),
    ("!!python/module", 94),
    ("!!javax.", 94),
    ("!!java.", 93),
    ("!!com.sun.", 94),
    ("!!org.", 90),
    ("!ruby/object", 93),
    ("!ruby/hash:", 90),
    ("!ruby/array:", 90),
    ("!!js/function", 90),
    ("tag:yaml.org,2002:python/", 93),
];
/// Names a pickle calls.
const PICKLED: [&str; 9] = [
    "os\nsystem\n",
    "os\npopen\n",
    "posix\nsystem\n",
    "nt\nsystem\n",
    "subprocess\n",
    "__builtin__\n",
    "builtins\nexec\n",
    "builtins\neval\n",
    "commands\ngetoutput\n",
];

type Seen = (u8, usize, &'static str);

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    let has_control = scan.ascii & 0x17c != 0 || scan.ascii & 0b11 != 0;
    scan.word(Attack::Deserialization)
        || (has_control && (scan.high || scan.any(b"\x04\x08")))
        || (scan.all(b":{}\"") && scan.any(b"OC"))
        || (scan.any(b".") && TYPES.iter().any(|name| place.name.ends_with(name)))
        || scan.all(b"_$N")
        || scan.all(b"a:;{}")
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let (start, text) = trim(reading.text);
    let all = [streams(reading.text), php(text), pickle(text), named(reading, text), built(text)];
    let (sure, at, what) = all.into_iter().flatten().max_by_key(|(sure, ..)| *sure)?;
    let confidence =
        if reading.place.part == Part::XmlDocument { sure } else { shown::less(reading, start + at, sure) };
    // A file may be what it likes.
    let confidence = if reading.place.part == Part::File { confidence.min(70) } else { confidence };
    let severity = if sure >= 80 { Severity::Critical } else { Severity::Low };
    let end = reading.text.len();
    Some(Sign { confidence, severity, at: (start + at).min(end)..(start + at + 80).min(end), what })
}

/// Streams by their first bytes.
fn streams(text: &[u8]) -> Option<Seen> {
    let starts_with = |magic: &[u8]| text.starts_with(magic);
    if starts_with(&[0xac, 0xed, 0, 5]) {
        return Some((97, 0, "a Java object stream"));
    }
    let (_, plain) = trim(text);
    if plain.starts_with(b"rO0AB") || (starts(plain, 0, "aced0005") && plain.len() > 12) {
        return Some((94, 0, "a Java object stream, encoded"));
    }
    let head = piece(text, 0..400);
    if starts_with(&NET)
        || ((head.first() == Some(&0xff) || text.len() > 40) && head.windows(NET.len()).any(|window| window == NET))
    {
        return Some((94, 0, "a .NET object stream"));
    }
    if let Some(at) = find_any(piece(text, 0..4000), &NET_BASE64) {
        return Some((93, at.start, "a .NET object stream, encoded"));
    }
    if starts_with(&[4, 8]) {
        let is_object = matches!(byte(text, 2), b'o' | b'U' | b'u' | b'e' | b'C') && byte(text, 3) != 0;
        let is_gadget =
            find_any(text, &["gem::", "erb", "deprecatedinstancevariableproxy", "net::writeadapter", "@method"])
                .is_some();
        return Some((
            if is_gadget {
                95
            } else if is_object {
                88
            } else {
                40
            },
            0,
            "a Ruby object stream",
        ));
    }
    if text.first() == Some(&0x80) && matches!(byte(text, 1), 2..=5) && text.len() > 6 {
        // Protocol 4 and later frame what follows; the older ones are known by what they call.
        let is_framed = byte(text, 2) == 0x95;
        let calls = find_any(text, &["posix", "system", "subprocess", "builtin", "eval", "exec"]).is_some();
        let is_whole = text.last() == Some(&b'.');
        return Some((
            if calls {
                96
            } else if is_framed || is_whole {
                88
            } else {
                45
            },
            0,
            "a Python object stream",
        ));
    }
    (plain.starts_with(b"gASV") && plain.len() > 20).then_some((86, 0, "a Python object stream, encoded"))
}

/// Objects as PHP writes them: `O:8:"stdClass":1:{…}`. Arrays without objects are data.
fn php(text: &[u8]) -> Option<Seen> {
    let mut array = None;
    for (at, byte_there) in text.iter().enumerate() {
        if !matches!(byte_there, b'O' | b'C' | b'o' | b'a' | b'E') || byte(text, at + 1) != b':' {
            continue;
        }
        if at.checked_sub(1).is_some_and(|last| byte(text, last).is_ascii_alphanumeric()) {
            continue;
        }
        let number = if byte(text, at + 2) == b'+' { at + 3 } else { at + 2 };
        let digits = skip(piece(text, 0..number + 8), number, |byte| byte.is_ascii_digit());
        if digits == number || byte(text, digits) != b':' {
            continue;
        }
        if *byte_there == b'a' {
            if byte(text, digits + 1) == b'{' {
                array = array.or(Some((if at == 0 { 40 } else { 20 }, at, "an array as PHP writes it")));
            }
            continue;
        }
        let quote = skip(text, digits + 1, |byte| byte == b'\\');
        let name = quote + 1;
        let end = skip(piece(text, 0..name + 120), name, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\\') || byte >= 0x80
        });
        let is_object = byte(text, quote) == b'"' && end > name && matches!(byte(text, end), b'"' | b':');
        let behind = skip(text, end, |byte| matches!(byte, b'\\' | b'"'));
        let count = skip(piece(text, 0..behind + 9), behind + 1, |byte| byte.is_ascii_digit());
        if is_object && byte(text, behind) == b':' && count > behind + 1 && byte(text, count) == b':' {
            return Some((93, at, "an object as PHP writes it"));
        }
        if is_object && *byte_there == b'E' && end < text.len() {
            return Some((70, at, "an enumeration as PHP writes it"));
        }
    }
    array
}

/// Pickles of the first protocol, which are text.
fn pickle(text: &[u8]) -> Option<Seen> {
    let at = find_any(text, &PICKLED)?;
    let opcode = at.start.checked_sub(1).map_or(0, |last| byte(text, last));
    let is_whole = text.ends_with(b".") && (has(text, "tr.") || has(text, "o.") || has(text, "\n."));
    (matches!(opcode, b'c' | b'i') && is_whole).then_some((94, at.start, "a Python object stream, as text"))
}

/// Classes that run something, where a class is named.
fn named(reading: &Reading<'_>, text: &[u8]) -> Option<Seen> {
    let name = reading.place.name;
    if matches!(reading.place.part, Part::JsonName | Part::FormName | Part::QueryName) {
        let is_reduce = starts(text, 0, "py/reduce") || starts(text, 0, "__js_function");
        return is_reduce.then_some((86, 0, "a member that calls something when it is read"));
    }
    let is_whole = text.len() < 300 && !text.iter().any(|byte| matches!(byte, b' ' | b'(' | b'/') && !has(text, ", "));
    let gadget = || find_any(piece(text, 0..4000), &GADGETS);
    let is_type = TYPES.iter().any(|known| name.ends_with(known));
    let what = "a class that runs something when it is read";
    if is_type && is_whole {
        let found = gadget()?;
        // The packages are names of classes only at the start of one, arrays (`[Lcom.…`) among them.
        let is_start = found.start <= 2 || !matches!(byte(text, found.end - 1), b'.');
        return is_start.then_some((90, found.start, what));
    }
    if name.ends_with("py~1object") || name.ends_with("py/object") || name.ends_with("py~1function") {
        let found = find_any(text, &["os.", "posix.", "subprocess.", "__builtin__.", "builtins.", "nt."])?;
        return (found.start == 0).then_some((90, 0, what));
    }
    // A type and its class inside a text: `{"@type":"com.sun.…`.
    for known in ["@type", "$type", "@class", "__type", "py/object"] {
        let mut from = 0;
        while let Some(at) = find(text, known, from) {
            from = at + known.len();
            let value = skip(text, from, |byte| is_space(byte) || matches!(byte, b'"' | b'\'' | b':' | b'\\' | b'['));
            let class = piece(text, value..value + 160);
            let class = piece(
                class,
                0..class.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'\\')).unwrap_or(class.len()),
            );
            let is_call = known == "py/object"
                && find_any(class, &["os.", "posix.", "subprocess.", "builtin"]).is_some_and(|found| found.start < 3);
            if value > from
                && (is_call
                    || find_any(class, &GADGETS)
                        .is_some_and(|found| found.start <= 2 || byte(class, found.end - 1) != b'.'))
            {
                return Some((90, at, what));
            }
        }
    }
    // A class alone, as the first item of an array: Jackson's way.
    let found = gadget()?;
    let dots = text.iter().filter(|byte| **byte == b'.').count();
    let is_class = is_whole && found.start == 0 && (dots >= 3 || dots == 2 && found.end == text.len());
    let is_item = name.ends_with("/*") || name.is_empty() || text.first() == Some(&b'[');
    let simple = tail(text, text.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1));
    (is_class
        && is_item
        && simple.first().is_some_and(u8::is_ascii_uppercase)
        && simple.iter().all(u8::is_ascii_alphanumeric))
    .then_some((82, 0, what))
}

/// Tags of YAML and elements of XML that build objects, functions that Node would run.
fn built(text: &[u8]) -> Option<Seen> {
    if let Some(at) = find(text, "_$$nd_func$$_", 0) {
        return Some((97, at, "a function as node-serialize writes it"));
    }
    let best = BUILDERS.iter().filter_map(|(word, sure)| find(text, word, 0).map(|at| (*sure, at))).max();
    best.map(|(sure, at)| (sure, at, "a text that builds objects of any class"))
}
