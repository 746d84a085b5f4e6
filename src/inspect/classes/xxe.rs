//! XML that reaches outside of itself or grows without end: external entities, foreign document types, nested entities,
//! inclusions, and style sheets that open documents.

use super::seek::{byte, find, find_any, has, is_space, piece, skip, starts, tail};
use super::shown;
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// External entities and their kin.
pub static XXE: Class = Class { attack: Attack::Xxe, words: &WORDS, chars: b"", may_be, judge };

const WORDS: [&str; 8] =
    ["doctype", "entity", "xinclude", "xi:include", "php:function", "msxsl:script", "xsl", "xlink:href"];
/// Who publishes document types that ordinary documents name.
const PUBLISHERS: [&str; 14] = [
    "w3.org/",
    "apple.com/",
    "sun.com/",
    "oracle.com/",
    "cxml.org/",
    "xml.cxml.org/",
    "docbook.org/",
    "oasis-open.org/",
    "mybatis.org/",
    "hibernate.org/",
    "apache.org/",
    "springframework.org/",
    "openebook.org/",
    "freedesktop.org/",
];
/// References of one entity to others from which on it is made to grow.
const REFERENCES: usize = 4;
/// How much of a declaration is looked at, bytes.
const DECLARATION: usize = 2000;
/// Most declarations that are looked at; a document with more is told.
const DECLARATIONS: usize = 64;

type Seen = (u8, usize, &'static str);

fn may_be(scan: Scan, _place: Place<'_>) -> bool {
    scan.any(b"<") && scan.word(Attack::Xxe)
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let all = [
        entities(text),
        document_type(text, reading.place.part == Part::XmlDocument),
        inclusion(text),
        sheet(text),
        part_of_picture(text),
    ];
    let (sure, at, what) = all.into_iter().flatten().max_by_key(|(sure, ..)| *sure)?;
    let is_document = matches!(reading.place.part, Part::XmlDocument | Part::Raw | Part::File);
    let confidence = if is_document { sure } else { shown::less(reading, at, sure) };
    let severity = if sure >= 80 { Severity::Critical } else { Severity::Low };
    Some(Sign { confidence, severity, at: at..(at + 100).min(text.len()), what })
}

/// What follows `SYSTEM "` or `PUBLIC "…" "`, or where it would.
fn external(text: &[u8], at: usize) -> Option<&[u8]> {
    let is_public = starts(text, at, "public");
    if !is_public && !starts(text, at, "system") {
        return None;
    }
    let first = skip(text, at + 6, is_space);
    if !is_public {
        return quoted(text, first).map(|(value, _)| value);
    }
    let (name, end) = quoted(text, first)?;
    Some(quoted(text, skip(text, end, is_space)).map_or(name, |(value, _)| value))
}

/// A value in quotes, and where it ends.
fn quoted(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let quote = byte(text, at);
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let inside = piece(text, at + 1..at + 1 + DECLARATION);
    let length = inside.iter().position(|byte| *byte == quote).unwrap_or(inside.len());
    Some((piece(inside, 0..length), at + length + 2))
}

fn entities(text: &[u8]) -> Option<Seen> {
    let mut best: Option<Seen> = None;
    let (mut from, mut count, mut growing) = (0, 0, 0);
    while let Some(at) = find(text, "<!entity", from) {
        from = at + 8;
        count += 1;
        let mut name = skip(text, from, is_space);
        let is_parameter = byte(text, name) == b'%';
        if is_parameter {
            name = skip(text, name + 1, is_space);
        }
        let value = skip(text, skip(text, name, |byte| !is_space(byte)).min(name + 100), is_space);
        let seen = if starts(text, value, "system") || starts(text, value, "public") {
            Some((if external(text, value).is_some() { 96 } else { 60 }, at, "an external entity"))
        } else if let Some((literal, end)) = quoted(text, value) {
            from = from.max(end.min(text.len()));
            growing += usize::from(literal.iter().filter(|byte| matches!(byte, b'&' | b'%')).count() >= REFERENCES);
            let declares = has(literal, "<!entity") || has(literal, "!entity") && is_parameter;
            let sure = if declares {
                92
            } else if is_parameter {
                82
            } else {
                45
            };
            Some((sure, at, "an entity declared by the document"))
        } else {
            None
        };
        if let Some(seen) = seen
            && best.is_none_or(|(sure, ..)| seen.0 > sure)
        {
            best = Some(seen);
        }
        if growing >= 2 || count >= DECLARATIONS {
            return Some((94, at, "entities that grow with every reference"));
        }
    }
    best
}

/// A document type that is loaded from elsewhere.
fn document_type(text: &[u8], is_xml: bool) -> Option<Seen> {
    let at = find(text, "<!doctype", 0)?;
    let name = skip(text, at + 9, is_space);
    let value = skip(text, skip(text, name, |byte| !(is_space(byte) || matches!(byte, b'>' | b'['))), is_space);
    let what = "a document type from elsewhere";
    let Some(address) = external(text, value) else {
        // `%name;` in the document's own part of its type.
        let subset = piece(text, value..value + DECLARATION);
        let is_used = byte(text, value) == b'[' && has(subset, "%") && has(subset, "<!entity");
        return Some((if is_used { 60 } else { 10 }, at, "a document type"));
    };
    let host = find(address, "://", 0).map_or(&[][..], |scheme| tail(address, scheme + 3));
    let is_published = PUBLISHERS.iter().any(|publisher| {
        let host = if starts(host, 0, "www.") { tail(host, 4) } else { host };
        let host = if starts(host, 0, "java.") { tail(host, 5) } else { host };
        starts(host, 0, publisher)
    });
    let is_reach = ["file:", "php:", "expect:", "jar:", "gopher:", "ftp:", "netdoc:", "ldap:", "data:"]
        .iter()
        .any(|scheme| starts(address, 0, scheme));
    let is_absolute = starts(address, 0, "/") || starts(address, 0, "\\\\");
    let is_public = starts(text, value, "public");
    let sure = match () {
        () if is_reach || (is_absolute && has(address, "etc")) => 92,
        () if is_published || host.is_empty() => 40,
        // A document type that somebody published, and a page keeps for its readers.
        () if is_public && !is_xml && has(piece(text, value..value + 60), "-//") => 65,
        () => 85,
    };
    Some((sure, at, what))
}

/// `xlink:href="expect://id"`: a picture whose parts a program reads.
fn part_of_picture(text: &[u8]) -> Option<Seen> {
    let mut from = 0;
    while let Some(at) = find(text, "xlink:href=", from) {
        from = at + 11;
        let value = tail(text, from + usize::from(matches!(byte(text, from), b'"' | b'\'')));
        if ["expect:", "php:", "file:", "gopher:", "jar:", "netdoc:", "text:/", "msl:", "/etc/"]
            .iter()
            .any(|scheme| starts(value, 0, scheme))
        {
            return Some((88, at, "a picture with a part from the server"));
        }
    }
    None
}

fn inclusion(text: &[u8]) -> Option<Seen> {
    let at = find(text, "http://www.w3.org/2001/xinclude", 0).or_else(|| find(text, "<xi:include", 0))?;
    let element = find(text, "include", 0)?;
    let is_whole = has(tail(text, element), "href");
    Some((if is_whole { 88 } else { 50 }, at, "an inclusion of another document"))
}

/// A style sheet that opens documents or runs code.
fn sheet(text: &[u8]) -> Option<Seen> {
    if let Some(at) = find_any(
        text,
        &["php:function(", "<msxsl:script", "xalan://java", "xmlns:rt=\"http://xml.apache.org/xalan/java"],
    ) {
        return Some((90, at.start, "a style sheet that runs code"));
    }
    let at = find(text, "<xsl:", 0)?;
    let opens = find_any(tail(text, at), &["document('", "document(\"", "unparsed-text('", "system-property('"])?;
    Some((84, at + opens.start, "a style sheet that opens documents"))
}
