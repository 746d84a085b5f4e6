//! The classes of systems, networks and protocol against tables of attacks and of their innocent twins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use throughline::inspect::classes::command::COMMAND_INJECTION;
use throughline::inspect::classes::path_traversal::PATH_TRAVERSAL;
use throughline::inspect::classes::ssrf::SSRF;
use throughline::inspect::{Class, Layers, Part, Place, Reading, Scan, Sign};

/// One line of a table.
struct Line {
    is_attack: bool,
    part: Part,
    name: String,
    text: Vec<u8>,
    shown: String,
}

/// From here on a request is blocked.
const BLOCKS: u8 = 80;

#[test]
fn paths_that_climb_are_told_from_paths_that_do_not() {
    every_line(&PATH_TRAVERSAL, include_str!("corpus/texts/path_traversal.tsv"));
}

#[test]
fn commands_are_told_from_words_that_are_also_commands() {
    every_line(&COMMAND_INJECTION, include_str!("corpus/texts/command_injection.tsv"));
}

#[test]
fn addresses_inside_a_network_are_told_from_public_ones() {
    every_line(&SSRF, include_str!("corpus/texts/ssrf.tsv"));
}

fn every_line(class: &Class, table: &str) {
    let mut misses = Vec::new();
    for line in lines(table) {
        let sign = judged(class, &line);
        let confidence = sign.as_ref().map_or(0, |sign| sign.confidence);
        assert!(sign.is_none_or(|sign| sign.at.end <= line.text.len()), "points outside the text: {}", line.shown);
        if (confidence >= BLOCKS) != line.is_attack {
            misses.push(format!("{confidence:3} {}", line.shown));
        }
    }
    assert!(misses.is_empty(), "{} lines:\n{}", misses.len(), misses.join("\n"));
}

fn judged(class: &Class, line: &Line) -> Option<Sign> {
    let place = Place { part: line.part, name: &line.name };
    let scan = scan(class, &line.text);
    let reading = Reading { place, text: &line.text, layers: Layers::default(), scan };
    (class.may_be)(scan, place).then(|| (class.judge)(&reading))?
}

/// What one pass over the text tells, the slow and simple way.
fn scan(class: &Class, text: &[u8]) -> Scan {
    let mut scan = Scan::default();
    for byte in text {
        scan.high |= *byte >= 128;
        scan.ascii |= if *byte < 128 { 1 << *byte } else { 0 };
    }
    let text = text.to_ascii_lowercase();
    let is_open = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let stands = |word: &str| {
        let word = word.as_bytes();
        text.windows(word.len()).enumerate().any(|(at, window)| {
            window == word
                && is_open(at.checked_sub(1).and_then(|at| text.get(at)))
                && is_open(text.get(at + word.len()))
        })
    };
    if class.words.iter().any(|word| stands(word)) {
        scan.words |= 1 << class.attack as u32;
    }
    scan
}

fn lines(table: &str) -> Vec<Line> {
    let written = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    written
        .map(|line| {
            let mut columns = line.splitn(4, '\t');
            let mut next = || columns.next().unwrap_or_else(|| panic!("four columns: {line}"));
            let is_attack = match next() {
                "attack" => true,
                "benign" => false,
                other => panic!("neither attack nor benign: {other}"),
            };
            let part = part(next());
            let name = next().to_owned();
            let text = unescaped(next());
            Line { is_attack, part, name, text, shown: line.to_owned() }
        })
        .collect()
}

fn part(name: &str) -> Part {
    match name {
        "path" => Part::Path,
        "query" => Part::Query,
        "query_name" => Part::QueryName,
        "header" => Part::Header,
        "cookie" => Part::Cookie,
        "json" => Part::Json,
        "form" => Part::Form,
        "file_name" => Part::FileName,
        "file" => Part::File,
        "xml" => Part::Xml,
        "graphql" => Part::GraphqlArgument,
        "raw" => Part::Raw,
        other => panic!("no part: {other}"),
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next().expect("an escape goes on") {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => panic!("no escape: {}", other as char),
        }
    }
    out
}
