//! Every format with hostile text in it, held to what the published schemas require.

use serde_json::Value;

use super::*;
use crate::ordered::OrderedMap;
use crate::query::{EventAnswer, EvidenceAnswer, FindingAnswer};
use crate::session::Severity;
use crate::verdict::Action;

/// Everything that is active somewhere: formulas, quotes, separators of lines and of CEF, terminal escapes, directions.
const HOSTILE: &str = "=cmd|' /C calc'!A1,\"x\"\r\nCEF:0|a\\b=c \u{1b}[31m\u{9b}2J\u{2028}\u{2029}\u{202e}\0</script>";

fn finding(text: &str) -> FindingAnswer {
    FindingAnswer {
        id: "01HF7YAT00000000000000000A-brute_force".into(),
        session: "00112233445566778899aabbccddeeff".into(),
        request: "01HF7YAT00000000000000000A".into(),
        time: "2023-11-14T22:13:20.123Z".into(),
        detector: "brute_force".into(),
        scope: "session".into(),
        severity: Severity::High,
        confidence: 0.85,
        risk_added: 40,
        value: 12.0,
        baseline: 10.0,
        message: text.into(),
        evidence: vec![EvidenceAnswer {
            request: "r".into(),
            time: "2023-11-14T22:13:20.123Z".into(),
            what: text.into(),
        }],
        r#where: Some(text.into()),
        owasp: vec!["API2:2023".into()],
        action: Action::Block,
        reasons: Vec::new(),
        would: Action::Block,
        label: None,
    }
}

fn event(text: &str) -> EventAnswer {
    EventAnswer {
        id: "01HF7YAT00000000000000000A".into(),
        session: "00112233445566778899aabbccddeeff".into(),
        time: "2023-11-14T22:13:20.123Z".into(),
        method: "POST".into(),
        host: "shop.example.com".into(),
        path: text.into(),
        endpoint: format!("POST shop.example.com{text}"),
        status: 403,
        duration_ms: 12,
        request_bytes: None,
        response_bytes: Some(99),
        ip: Some("203.0.113.7".into()),
        country: Some("DE".into()),
        asn: Some(3320),
        colo: None,
        user_agent: Some(text.into()),
        ja4: None,
        user: Some(text.into()),
        attempted_user: None,
        roles: vec![text.into()],
        feedback: Vec::new(),
        params: OrderedMap::new(),
        flow: None,
        action: Action::Block,
        inventory: None,
        marks: Vec::new(),
        findings: vec![finding(text)],
    }
}

fn written(format: Format, text: &str) -> String {
    let mut writer = Writer::new(format, Of::Events);
    writer.event(&event(text));
    writer.event(&event("/plain"));
    writer.end();
    writer.take()
}

/// What the published schemas require, by class: OCSF 1.3.0 (HTTP Activity, API Activity, Detection Finding, with the
/// profiles host and security_control and the objects in them), ECS 8.11 (core fields, and those a group asks for), HAR 1.2.
const OCSF_BASE: &str = "activity_id category_uid class_uid metadata.version metadata.product.vendor_name severity_id time \
    type_uid action_id";
const REQUIRED: [(&str, &str); 5] = [
    ("4002", "http_request.http_method http_response.code src_endpoint.ip dst_endpoint.hostname actor.session.uid"),
    ("6003", "actor.session.uid api.operation src_endpoint.ip"),
    ("2004", "finding_info.uid finding_info.title finding_info.analytic.type_id actor.session.uid"),
    ("ecs", "@timestamp ecs.version event.kind event.category event.type event.dataset"),
    (
        "har",
        "startedDateTime time request.method request.url request.httpVersion request.cookies request.headers \
         request.queryString request.headersSize request.bodySize response.status response.statusText \
         response.httpVersion response.cookies response.headers response.content.size response.content.mimeType \
         response.redirectURL response.headersSize response.bodySize cache timings.send timings.wait timings.receive",
    ),
];

fn lacks(value: &Value, kind: &str) -> Vec<String> {
    let own = REQUIRED.iter().find(|(name, _)| *name == kind).unwrap().1;
    let base = if kind.parse::<u32>().is_ok() { OCSF_BASE } else { "" };
    let is_there = |path: &str| path.split('.').try_fold(value, |at, name| at.get(name)).is_some_and(|v| !v.is_null());
    base.split_whitespace().chain(own.split_whitespace()).filter(|path| !is_there(path)).map(str::to_owned).collect()
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn ocsf_has_what_its_classes_require() {
    for (format, class) in [(Format::Ocsf, 4002), (Format::OcsfApi, 6003)] {
        let lines = lines(&written(format, HOSTILE));
        let classes: Vec<u64> = lines.iter().map(|line| line["class_uid"].as_u64().unwrap()).collect();
        assert_eq!(classes, [class, 2004, class, 2004]);
        for line in &lines {
            let class = line["class_uid"].as_u64().unwrap();
            assert_eq!(lacks(line, &class.to_string()), [""; 0], "{line}");
            assert_eq!(line["type_uid"].as_u64().unwrap(), class * 100 + line["activity_id"].as_u64().unwrap());
            assert_eq!(line["category_uid"].as_u64().unwrap(), class / 1000);
            assert_eq!(line["metadata"]["version"], ocsf::SCHEMA);
            assert_eq!(line["time"], 1_700_000_000_123u64);
            assert_eq!(line["actor"]["session"]["uid"], "00112233445566778899aabbccddeeff");
        }
        assert_eq!(lines[0]["http_request"]["url"]["path"], HOSTILE);
        assert_eq!((&lines[0]["action_id"], &lines[0]["status_id"]), (&2.into(), &2.into()));
    }
}

#[test]
fn ecs_has_what_its_core_requires() {
    let lines = lines(&written(Format::Ecs, HOSTILE));
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!(lacks(line, "ecs"), [""; 0], "{line}");
        assert_eq!(line["ecs"]["version"], ecs::SCHEMA);
    }
    assert_eq!((&lines[0]["event"]["duration"], &lines[1]["event"]["kind"]), (&12_000_000.into(), &"alert".into()));
    assert_eq!(lines[1]["message"], HOSTILE);
}

#[test]
fn har_is_one_document_with_everything_required_and_says_what_is_not_kept() {
    let har: Value = serde_json::from_str(&written(Format::Har, HOSTILE)).unwrap();
    assert_eq!(har["log"]["version"], "1.2");
    assert!(har["log"]["comment"].as_str().unwrap().contains("keeps no bodies"));
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        assert_eq!(lacks(entry, "har"), [""; 0], "{entry}");
    }
    let mut empty = Writer::new(Format::Har, Of::Events);
    empty.end();
    let empty: Value = serde_json::from_str(&empty.take()).unwrap();
    assert_eq!(empty["log"]["entries"], serde_json::json!([]));
}

/// A reader of RFC 4180, strict about quotes.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut chars) = (Vec::new(), Vec::new(), String::new(), csv.chars().peekable());
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match (quoted, c) {
            (false, '"') if cell.is_empty() => quoted = true,
            (true, '"') if chars.next_if_eq(&'"').is_some() => cell.push('"'),
            (true, '"') => {
                assert!(matches!(chars.peek(), Some(',' | '\r')), "text behind a quote");
                quoted = false;
            }
            (false, ',') => row.push(core::mem::take(&mut cell)),
            (false, '\r') => {
                assert_eq!(chars.next(), Some('\n'));
                row.push(core::mem::take(&mut cell));
                rows.push(core::mem::take(&mut row));
            }
            (false, '"') => panic!("a quote inside a cell"),
            (_, c) => cell.push(c),
        }
    }
    rows
}

#[test]
fn csv_round_trips_and_holds_no_formula() {
    for text in ["/a,b", "/\"q\"", "/two\r\nlines", "=1+1", "+1", "-1", "@a", "\tx", "'quoted", "/\u{2028}x", "＝1", ""]
    {
        let rows = rows(&written(Format::Csv, text));
        let at = rows[0].iter().position(|name| name == "path").unwrap();
        assert_eq!(rows.len(), 3, "{text:?}");
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text:?}");
        let cell = &rows[1][at];
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text);
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']), "{cell:?}");
    }
    let hostile = written(Format::Csv, HOSTILE);
    assert!(!hostile.contains(['\u{1b}', '\0', '\u{9b}']) && hostile.contains("␛[31m"));
}

#[test]
fn cef_keeps_one_line_an_item_and_its_fields_apart() {
    let cef = written(Format::Cef, HOSTILE);
    let all: Vec<&str> = cef.lines().collect();
    assert_eq!(all.len(), 4, "{cef}");
    for line in &all {
        // Seven bars that are not escaped divide the header.
        let plain = line.replace("\\\\", "").replace("\\|", "");
        let header: Vec<&str> = plain.splitn(8, '|').collect();
        assert_eq!((header.len(), header[0], header[1]), (8, "CEF:0", "Throughline"), "{line}");
        assert!(!line.chars().any(char::is_control));
    }
    assert!(all[0].contains(r"\=cmd|' /C calc'!A1") && all[0].contains(r"a\\b\=c"), "{}", all[0]);
    assert!(
        all[1].starts_with(&format!("CEF:0|Throughline|Throughline|{VERSION}|brute_force|brute_force|8|")),
        "{}",
        all[1]
    );
}

#[test]
fn no_line_of_json_holds_what_a_terminal_or_a_reader_of_lines_acts_on() {
    for format in [Format::Ndjson, Format::Ocsf, Format::OcsfApi, Format::Ecs, Format::Har] {
        let text = written(format, HOSTILE);
        assert!(text.chars().all(|c| c == '\n' || !is_active(c)), "{format:?}");
        assert!(text.contains("\\u2028"), "{format:?}");
    }
    let lines = lines(&written(Format::Ndjson, HOSTILE));
    assert_eq!((lines.len(), &lines[0]["path"]), (2, &HOSTILE.into()));
}

#[test]
fn a_format_is_taken_out_of_the_question_and_refused_where_it_does_not_fit() {
    let (format, rest) = take_format("format=csv&country=DE&country!=US&q=a%26b", Of::Events).unwrap();
    assert_eq!((format, rest.as_str()), (Format::Csv, "country=DE&country%21=US&q=a%26b"));
    assert_eq!(take_format("", Of::Sessions).unwrap().0, Format::Ndjson);
    for (query, of, name) in [
        ("format=pdf", Of::Events, "format"),
        ("format=har", Of::Sessions, "format"),
        ("format=har", Of::Findings, "format"),
        ("format=csv&format=har", Of::Events, "format"),
        ("limit=5", Of::Events, "limit"),
        ("cursor=x", Of::Events, "cursor"),
    ] {
        assert_eq!(take_format(query, of).unwrap_err().name, name, "{query}");
    }
}
