//! ArcSight Common Event Format, CEF:0 (implementation standard, version 26): one line for an event, one for a finding.
//!
//! In the header `|` and `\` are escaped, in the extension `=` and `\`, and line breaks as `\n`; other control characters
//! become blanks.

use core::fmt::Write;

use super::json::is_active;
use super::{VERSION, epoch_ms};
use crate::query::{EventAnswer, FindingAnswer};
use crate::session::Severity;

/// An event.
pub fn event(event: &EventAnswer, out: &mut String) {
    let severity = event.findings.iter().map(|finding| level(finding.severity)).max().unwrap_or(1);
    header(out, "request", &event.endpoint, severity);
    request(out, event);
    number(out, "rt", epoch_ms(&event.time));
    text(out, "externalId", &event.id);
    text(out, "act", event.action.name());
    text(out, "outcome", if event.status < 400 { "success" } else { "failure" });
    labelled(out, "cs1", "session", &event.session);
    labelled(out, "cs2", "endpoint", &event.endpoint);
    if let Some(flow) = &event.flow {
        labelled(out, "cs3", "flow", flow);
    }
    end(out);
}

/// A finding; `event` is the request that completed it, where it is at hand.
pub fn finding(finding: &FindingAnswer, event: Option<&EventAnswer>, out: &mut String) {
    header(out, &finding.detector, &finding.detector, level(finding.severity));
    if let Some(event) = event {
        request(out, event);
    }
    number(out, "rt", epoch_ms(&finding.time));
    text(out, "externalId", &finding.id);
    text(out, "act", finding.action.name());
    text(out, "cat", &finding.owasp.join(" "));
    text(out, "msg", &finding.message);
    labelled(out, "cs1", "session", &finding.session);
    labelled(out, "cs2", "request", &finding.request);
    if let Some(place) = &finding.r#where {
        labelled(out, "cs3", "where", place);
    }
    let _ = write!(out, "cfp1={} cfp1Label=confidence ", finding.confidence);
    number(out, "cn2", i64::from(finding.risk_added));
    text(out, "cn2Label", "risk_added");
    end(out);
}

fn header(out: &mut String, class: &str, name: &str, severity: u8) {
    let _ = write!(out, "CEF:0|Throughline|Throughline|{VERSION}|");
    for part in [class, name] {
        escaped(out, part, &['\\', '|'], " ");
        out.push('|');
    }
    let _ = write!(out, "{severity}|");
}

fn request(out: &mut String, event: &EventAnswer) {
    text(out, "requestMethod", &event.method);
    text(out, "request", &format!("https://{}{}", event.host, event.path));
    text(out, "dhost", &event.host);
    number(out, "cn1", i64::from(event.status));
    text(out, "cn1Label", "status");
    let optional = [("src", &event.ip), ("suser", &event.user), ("requestClientApplication", &event.user_agent)];
    for (key, value) in optional {
        // An IPv6 address has a key of its own.
        match value {
            Some(ip) if key == "src" && ip.contains(':') => labelled(out, "c6a2", "Source IPv6 Address", ip),
            Some(value) => text(out, key, value),
            None => {}
        }
    }
    for (key, bytes) in [("in", event.request_bytes), ("out", event.response_bytes)] {
        if let Some(bytes) = bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
            number(out, key, bytes);
        }
    }
}

fn text(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    out.push('=');
    escaped(out, value, &['\\', '='], "\\n");
    out.push(' ');
}

fn labelled(out: &mut String, key: &str, label: &str, value: &str) {
    text(out, key, value);
    let _ = write!(out, "{key}Label=");
    escaped(out, label, &['\\', '='], "\\n");
    out.push(' ');
}

fn number(out: &mut String, key: &str, value: i64) {
    let _ = write!(out, "{key}={value} ");
}

fn escaped(out: &mut String, value: &str, special: &[char], line_break: &str) {
    for c in value.chars() {
        match c {
            '\n' => out.push_str(line_break),
            c if special.contains(&c) => out.extend(['\\', c]),
            c if is_active(c) => out.push(' '),
            c => out.push(c),
        }
    }
}

fn end(out: &mut String) {
    out.pop();
    out.push('\n');
}

fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}
