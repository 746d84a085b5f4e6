//! Requests out of the compact files beside this one: values, put into carriers, each value in a few of them. README.md has the format.

use std::collections::BTreeMap;

use base64::Engine;
use throughline::inspect::{Body, Inspection, Inspector, Request};

/// A request of known nature.
#[derive(Debug, Clone)]
pub struct Case {
    pub label: String,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

/// What a browser and two programs send with everything.
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "okhttp/4.12.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
];

/// The requests of one file.
pub fn build(text: &str) -> Vec<Case> {
    let mut sets: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let (mut set, mut label, mut each) = (String::new(), String::new(), 1);
    let mut carriers: Vec<&str> = Vec::new();
    let (mut cases, mut values) = (Vec::new(), 0);
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("# ")) {
        if let Some(name) = line.strip_prefix("::") {
            set = name.trim().to_owned();
            sets.insert(set.clone(), Vec::new());
        } else if let Some(carrier) = line.strip_prefix("> ") {
            sets.get_mut(&set).expect("a carrier stands in a set").push(carrier);
        } else if let Some(group) = line.strip_prefix("!! ") {
            let words: Vec<&str> = group.split_whitespace().collect();
            let [name, used, count] = words[..] else { panic!("not a group: {line}") };
            label = name.to_owned();
            carriers = used.split(',').flat_map(|set| sets[set].clone()).collect();
            each = count.parse::<usize>().map_or(carriers.len(), |count| count.min(carriers.len()));
            values = 0;
        } else if let Some(request) = line.strip_prefix("= ") {
            cases.push(case(&label, request, "", cases.len()));
        } else {
            // Far apart for one value, and one on for the next.
            for step in 0..each {
                let at = (values + step * carriers.len() / each) % carriers.len();
                cases.push(case(&label, carriers[at], line, cases.len()));
            }
            values += 1;
        }
    }
    cases
}

fn case(label: &str, carrier: &str, value: &str, number: usize) -> Case {
    let mut parts = carrier.split(" ¦ ");
    let (method, target) = parts.next().unwrap().split_once(' ').expect("method and target");
    let value = plain(value);
    let mut headers = vec![
        ("host".to_owned(), "api.example.com".to_owned()),
        ("user-agent".to_owned(), AGENTS[number % AGENTS.len()].to_owned()),
        ("accept".to_owned(), "application/json, text/plain, */*".to_owned()),
    ];
    let mut body = None;
    for part in parts {
        if let Some((name, text)) = part.strip_prefix('~').and_then(|part| part.split_once(": ")) {
            headers.retain(|(known, _)| known != name);
            headers.push((name.to_owned(), fill(text, &value)));
        } else {
            body = Some(fill(&plain(part), &value));
        }
    }
    if let Some(body) = &body
        && !headers.iter().any(|(name, _)| name == "content-type")
    {
        let kind = match body.as_bytes().first() {
            Some(b'{' | b'[') => "application/json",
            Some(b'<') => "application/xml",
            Some(b'-') => "multipart/form-data; boundary=XX",
            _ => "application/x-www-form-urlencoded",
        };
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    let body = body.map(|body| {
        let body = if body.starts_with("--XX") { body.replace("\r\n", "\n").replace('\n', "\r\n") } else { body };
        body.into_bytes()
    });
    Case { label: label.to_owned(), method: method.to_owned(), target: fill(target, &value), headers, body }
}

/// With the pictures of control characters as those.
fn plain(text: &str) -> String {
    text.replace('␊', "\n").replace('␍', "\r").replace('␉', "\t").replace('␀', "\0")
}

/// The carrier with `«…»` replaced by the value, as its letters say.
fn fill(carrier: &str, value: &str) -> String {
    let mut filled = String::new();
    let mut rest = carrier;
    while let Some((before, (letters, after))) =
        rest.split_once('«').and_then(|(before, after)| Some((before, after.split_once('»')?)))
    {
        filled.push_str(before);
        filled.push_str(&letters.chars().fold(value.to_owned(), |text, letter| encoded(&text, letter)));
        rest = after;
    }
    filled + rest
}

/// One round of an encoding.
fn encoded(text: &str, letter: char) -> String {
    let each = |of: fn(char) -> String| text.chars().map(of).collect();
    let percent = |safe: fn(u8) -> bool| -> String {
        text.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    match letter {
        '-' => text.to_owned(),
        // As browsers and client libraries do, and of everything.
        'q' => percent(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)),
        'Q' => percent(|_| false),
        // As much as a typed address needs.
        'r' => percent(|b| b.is_ascii_graphic() && !b"%&+#<>\"".contains(&b)),
        '+' => text.replace("%20", "+"),
        'j' => {
            let quoted = serde_json::to_string(text).unwrap();
            quoted.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or_default().to_owned()
        }
        'u' => text
            .encode_utf16()
            .map(|unit| match char::from_u32(u32::from(unit)) {
                Some(c) if c.is_ascii_alphanumeric() => c.to_string(),
                _ => format!("\\u{unit:04x}"),
            })
            .collect(),
        'x' => each(|c| match c {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            _ => c.to_string(),
        }),
        'e' => each(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("&#{};", u32::from(c)) }),
        'b' => base64::engine::general_purpose::STANDARD.encode(text),
        'B' => base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text),
        'k' => text
            .char_indices()
            .map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect(),
        'c' => text.replace(' ', "/**/"),
        't' => text.replace(' ', "\t"),
        'n' => text.replace(' ', "\n"),
        'h' => text.replace(['\r', '\n', '\0'], " "),
        _ => panic!("there is no encoding {letter}"),
    }
}

/// What the core finds in a case.
pub fn inspect(inspector: &Inspector, case: &Case) -> Inspection {
    let headers: Vec<(&str, &str)> = case.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
    let mut request = Request { method: &case.method, path, query, headers: &headers, ..Request::default() };
    request.host = request.header("host").unwrap_or_default();
    let content_type = request.header("content-type").unwrap_or_default();
    request.body = case.body.as_deref().map(|bytes| Body { content_type, content_encoding: "", bytes, cut: false });
    inspector.inspect(&request, &|_, _| false)
}
