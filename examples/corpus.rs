//! Runs files of labelled requests through inspection and prints what it made of them. `scripts/corpus` is how to call it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::ExitCode;

use base64::Engine;
use serde::Deserialize;
use throughline::inspect::{Body, Cuts, Hit, Inspector, Limits, Request};

/// One line of a corpus; `tests/corpus/README.md` has the words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default = "get")]
    method: String,
    target: String,
    #[serde(default)]
    headers: Headers,
    body: Option<String>,
    body_base64: Option<String>,
    label: String,
    #[serde(default)]
    id: Option<serde_json::Value>,
}

fn get() -> String {
    "GET".to_owned()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Headers {
    Named(BTreeMap<String, String>),
    Listed(Vec<(String, String)>),
}

impl Default for Headers {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// How requests of one label were taken.
#[derive(Default)]
struct Tally {
    all: usize,
    /// With a hit of any class of at least 50 and 80.
    at_50: usize,
    at_80: usize,
    /// With a hit of the label's own class of at least 80.
    own: usize,
}

const BENIGN: &str = "benign";

fn main() -> ExitCode {
    let mut files = Vec::new();
    let mut quiet = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quiet" => quiet = true,
            _ => files.push(argument),
        }
    }
    match run(&files, quiet) {
        Ok(report) => {
            // A reader that has seen enough may close the pipe.
            let _ = std::io::stdout().write_all(report.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(files: &[String], quiet: bool) -> Result<String, String> {
    let inspector = Inspector::new(|_| true, Limits::default());
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let (mut misses, mut false_positives) = (String::new(), String::new());
    let mut cut = 0;
    for file in files {
        let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let at = format!("{file}:{number}");
            let line: Line = serde_json::from_str(line).map_err(|error| format!("{at}: {error}"))?;
            let (hits, cuts) = inspect(&inspector, &line).map_err(|error| format!("{at}: {error}"))?;
            cut += usize::from(cuts != Cuts::default());
            let best = hits.first().map_or(0, |hit| hit.confidence);
            let tally = tallies.entry(line.label.clone()).or_default();
            tally.all += 1;
            tally.at_50 += usize::from(best >= 50);
            tally.at_80 += usize::from(best >= 80);
            tally.own += usize::from(hits.iter().any(|hit| hit.confidence >= 80 && hit.attack.name() == line.label));
            if line.label == BENIGN && best >= 50 {
                told(&mut false_positives, &at, &line, &hits);
            } else if line.label != BENIGN && best < 80 {
                told(&mut misses, &at, &line, &hits);
            }
        }
    }
    let mut report = String::new();
    if !quiet {
        section(&mut report, "misses: attacks below 80", &misses);
        section(&mut report, "false positives: benign requests from 50 on", &false_positives);
    }
    summary(&mut report, &tallies, cut);
    Ok(report)
}

/// The hits of one line, the strongest first, and what was not looked at.
fn inspect(inspector: &Inspector, line: &Line) -> Result<(Vec<Hit>, Cuts), String> {
    let headers: Vec<(String, String)> = match &line.headers {
        Headers::Named(map) => map.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
        Headers::Listed(list) => list.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
    };
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let bytes = match (&line.body, &line.body_base64) {
        (Some(_), Some(_)) => return Err("both body and body_base64".to_owned()),
        (Some(text), None) => Some(text.clone().into_bytes()),
        (None, Some(text)) => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            Some(decoded.map_err(|error| format!("body_base64: {error}"))?)
        }
        (None, None) => None,
    };
    let (path, query) = line.target.split_once('?').unwrap_or((&line.target, ""));
    let mut request = Request { method: &line.method, path, query, headers: &headers, ..Request::default() };
    request.host = request.header("host").unwrap_or_default();
    let content_type = request.header("content-type").unwrap_or_default();
    let content_encoding = request.header("content-encoding").unwrap_or_default();
    request.body = bytes.as_deref().map(|bytes| Body { content_type, content_encoding, bytes, cut: false });
    let found = inspector.inspect(&request, &|_, _| false);
    Ok((found.hits, found.cuts))
}

fn told(to: &mut String, at: &str, line: &Line, hits: &[Hit]) {
    let id = line.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    let short = |text: &str| text.chars().take(200).collect::<String>().escape_debug().to_string();
    to.push_str(&format!("{at}{id} {}: {} {}\n", line.label, line.method, short(&line.target)));
    if let Some(body) = &line.body {
        to.push_str(&format!("    body {}\n", short(body)));
    }
    for hit in hits {
        let place = format!("{:?} {}", hit.part, hit.name.escape_debug());
        to.push_str(&format!(
            "    {} {} at {place}: {} [{}]\n",
            hit.attack.name(),
            hit.confidence,
            hit.what,
            hit.snippet
        ));
    }
}

fn section(to: &mut String, title: &str, text: &str) {
    if !text.is_empty() {
        to.push_str(&format!("== {title}\n{text}\n"));
    }
}

fn summary(to: &mut String, tallies: &BTreeMap<String, Tally>, cut: usize) {
    to.push_str(&format!("{:<22} {:>7} {:>7} {:>7} {:>7}\n", "label", "all", ">=50", ">=80", "own>=80"));
    for (label, tally) in tallies {
        to.push_str(&format!("{label:<22} {:>7} {:>7} {:>7} {:>7}\n", tally.all, tally.at_50, tally.at_80, tally.own));
    }
    let sum = |benign: bool, count: fn(&Tally) -> usize| -> usize {
        tallies.iter().filter(|(label, _)| (*label == BENIGN) == benign).map(|(_, tally)| count(tally)).sum()
    };
    let rate = |benign: bool, count: fn(&Tally) -> usize| {
        let all = sum(benign, |tally| tally.all);
        (all > 0).then(|| sum(benign, count) as f64 / all as f64)
    };
    let shown = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.4}"));
    for (threshold, count) in [("80", (|tally| tally.at_80) as fn(&Tally) -> usize), ("50", |tally| tally.at_50)] {
        let (tpr, fpr) = (rate(false, count), rate(true, count));
        let balanced = tpr.zip(fpr).map(|(tpr, fpr)| f64::midpoint(tpr, 1.0 - fpr));
        to.push_str(&format!(
            "at {threshold}: TPR {}  FPR {}  balanced accuracy {}\n",
            shown(tpr),
            shown(fpr),
            shown(balanced)
        ));
    }
    to.push_str(&format!("requests not looked at in full: {cut}\n"));
}
