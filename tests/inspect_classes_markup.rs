//! The classes of markup, templates and serialized objects, over tables of attacks and of their innocent twins
//! (`tests/corpus/texts/`): an attack reaches the confidence that blocks, no innocent text does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::Path;

use throughline::inspect::classes::{crlf, deserialization, jndi, prompt, ssi, ssti, xss, xxe};
use throughline::inspect::{Class, Layers, Part, Place, Reading, Scan, Sign};

/// From which confidence on a request is blocked.
const BLOCKS: u8 = 80;

fn classes() -> [&'static Class; 8] {
    [
        &xss::XSS,
        &ssti::SSTI,
        &ssi::SSI_INJECTION,
        &crlf::CRLF_INJECTION,
        &xxe::XXE,
        &jndi::JNDI,
        &deserialization::DESERIALIZATION,
        &prompt::PROMPT_INJECTION,
    ]
}

fn scan(text: &[u8]) -> Scan {
    let mut scan = Scan::default();
    for byte in text {
        if *byte < 128 {
            scan.ascii |= 1 << *byte;
        } else {
            scan.high = true;
        }
    }
    let lower = text.to_ascii_lowercase();
    for class in classes() {
        if class.words.iter().any(|word| stands(&lower, word.as_bytes())) {
            scan.words |= 1 << class.attack as u32;
        }
    }
    scan
}

/// Whether the word stands in the text without a letter or digit directly before or behind it.
fn stands(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).enumerate().any(|(at, piece)| {
        piece == word
            && (at == 0 || !text[at - 1].is_ascii_alphanumeric())
            && text.get(at + word.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

fn part(name: &str) -> Part {
    match name {
        "path" => Part::Path,
        "query_name" => Part::QueryName,
        "query" => Part::Query,
        "header" => Part::Header,
        "cookie" => Part::Cookie,
        "json_name" => Part::JsonName,
        "json" => Part::Json,
        "form_name" => Part::FormName,
        "form" => Part::Form,
        "file_name" => Part::FileName,
        "file" => Part::File,
        "xml" => Part::Xml,
        "xml_document" => Part::XmlDocument,
        "graphql" => Part::GraphqlArgument,
        "raw" => Part::Raw,
        other => panic!("no part is called {other}"),
    }
}

/// `\n`, `\r`, `\t`, `\\` and `\xNN` undone.
fn text(escaped: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().expect("a backslash stands before something") {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => panic!("no escape is written \\{}", char::from(other)),
        });
    }
    bytes
}

fn judge(class: &Class, place: Place<'_>, text: &[u8]) -> Option<Sign> {
    let scan = scan(text);
    if !(class.may_be)(scan, place) {
        return None;
    }
    let sign = (class.judge)(&Reading { place, text, layers: Layers::default(), scan });
    if let Some(sign) = &sign {
        assert!(sign.confidence <= 100 && sign.at.start <= sign.at.end && sign.at.end <= text.len(), "{sign:?}");
    }
    sign
}

struct Line {
    is_attack: bool,
    part: Part,
    name: String,
    escaped: String,
}

fn table(name: &str) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/texts/{name}.tsv"));
    let lines = fs::read_to_string(&path).unwrap();
    let lines = lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<_> = line.splitn(4, '\t').collect();
            assert_eq!(columns.len(), 4, "{name}: {line}");
            assert!(["attack", "benign"].contains(&columns[0]), "{name}: {line}");
            let (name, escaped) = (columns[2].to_owned(), columns[3].to_owned());
            Line { is_attack: columns[0] == "attack", part: part(columns[1]), name, escaped }
        })
        .collect()
}

/// Runs a table: attacks have to reach `enough` in `class`; innocent texts have to stay below what blocks in every class.
fn run(name: &str, class: &Class, enough: u8) {
    let mut wrong = Vec::new();
    for line in table(name) {
        let place = Place { part: line.part, name: &line.name };
        let bytes = text(&line.escaped);
        if line.is_attack {
            let sign = judge(class, place, &bytes);
            if sign.as_ref().is_none_or(|sign| sign.confidence < enough) {
                wrong.push(format!("missed ({:?}): {}", sign.map(|sign| sign.confidence), line.escaped));
            }
        } else {
            for class in classes() {
                if let Some(sign) = judge(class, place, &bytes)
                    && sign.confidence >= BLOCKS
                {
                    let seen = (class.attack, sign.confidence, sign.what);
                    wrong.push(format!("blocked {seen:?}: {}", line.escaped));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

#[test]
fn script_is_told_from_markup_code_and_prose() {
    run("xss", &xss::XSS, BLOCKS);
}

#[test]
fn template_expressions_are_told_from_placeholders() {
    run("ssti", &ssti::SSTI, BLOCKS);
}

#[test]
fn server_side_includes_are_told_from_comments() {
    run("ssi_injection", &ssi::SSI_INJECTION, BLOCKS);
}

#[test]
fn lines_for_protocols_are_told_from_lines_of_text() {
    run("crlf_injection", &crlf::CRLF_INJECTION, BLOCKS);
}

#[test]
fn documents_that_reach_outside_are_told_from_documents() {
    run("xxe", &xxe::XXE, BLOCKS);
}

#[test]
fn lookups_that_load_code_are_told_from_variables() {
    run("jndi", &jndi::JNDI, BLOCKS);
}

#[test]
fn serialized_objects_are_told_from_data() {
    run("deserialization", &deserialization::DESERIALIZATION, BLOCKS);
}

#[test]
fn instructions_to_models_are_told_and_never_block() {
    run("prompt_injection", &prompt::PROMPT_INJECTION, 50);
    for line in table("prompt_injection") {
        let place = Place { part: line.part, name: &line.name };
        let sign = judge(&prompt::PROMPT_INJECTION, place, &text(&line.escaped));
        assert!(sign.is_none_or(|sign| sign.confidence <= 60), "{}", line.escaped);
    }
}

#[test]
fn ordinary_words_numbers_and_tokens_are_not_even_looked_at() {
    for ordinary in [
        "Anna Müller",
        "2024-05-17T10:00:00Z",
        "42",
        "a3f0c2d4-11aa-4c1e-9d9e-0d5a0e2f7c11",
        "de-DE,de;q=0.9",
        "application/json",
    ] {
        for class in classes() {
            let place = Place { part: Part::Query, name: "q" };
            assert!(!(class.may_be)(scan(ordinary.as_bytes()), place), "{:?}: {ordinary}", class.attack);
        }
    }
}

/// What is repeated opens something and never closes it: a quadratic reading of any of these would take minutes.
#[test]
fn hostile_repetition_costs_no_more_than_reading() {
    const BYTES: usize = 200_000;
    let pieces = [
        "<a ",
        "<a b='",
        "\"",
        "' on",
        "on",
        "${",
        "{{",
        "#{",
        "${${",
        "<!ENTITY a \"&b;",
        "script:",
        "alert(",
        "top[",
        "/*",
        "\n",
        "\nA:",
        "O:1:",
        "a:1:{",
        "[",
        "document.",
        "location",
        "`",
        "{%",
        "<%",
        "${lower:",
        "!!",
        "eval ",
        "@type\":\"",
        "((((",
        "constructor",
        "<script>",
        "<!--",
        "ignore ",
        "=",
        " ",
    ];
    for piece in pieces {
        let text = piece.repeat(BYTES / piece.len());
        let scan = Scan { ascii: u128::MAX, high: true, words: u32::MAX };
        for class in classes() {
            for part in [Part::Query, Part::Json] {
                let place = Place { part, name: "prompt" };
                (class.judge)(&Reading { place, text: text.as_bytes(), layers: Layers::default(), scan });
            }
        }
    }
}
