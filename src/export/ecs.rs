//! Elastic Common Schema 8.11: an event as `web` access, a finding as an alert; what has no field there is under
//! `throughline`.

use super::json::Json;
use super::{PRODUCT, VERSION};
use crate::query::{EventAnswer, FindingAnswer};
use crate::session::Severity;
use crate::verdict::Action;

/// Version of the schema.
pub const SCHEMA: &str = "8.11.0";

/// An event.
pub fn event(event: &EventAnswer, json: &mut Json) {
    json.open("");
    head(json, &event.time);
    json.open("event");
    json.text("kind", "event");
    json.texts("category", &["web".to_owned()]);
    json.texts("type", &["access".to_owned(), if is_stopped(event.action) { "denied" } else { "allowed" }.to_owned()]);
    json.text("action", event.action.name());
    json.text("outcome", if event.status < 400 { "success" } else { "failure" });
    json.text("id", &event.id);
    json.number("duration", i64::from(event.duration_ms) * 1_000_000);
    json.text("dataset", "throughline.event");
    json.close();
    request(json, event);
    json.open("throughline");
    json.text("session", &event.session);
    json.text("endpoint", &event.endpoint);
    json.maybe("flow", event.flow.as_deref());
    json.maybe("inventory", event.inventory.as_deref());
    json.maybe("ja4", event.ja4.as_deref());
    json.maybe("attempted_user", event.attempted_user.as_deref());
    json.texts("marks", &event.marks);
    json.close();
    json.close();
}

/// A finding; `event` is the request that completed it, where it is at hand.
pub fn finding(finding: &FindingAnswer, event: Option<&EventAnswer>, json: &mut Json) {
    json.open("");
    head(json, &finding.time);
    json.text("message", &finding.message);
    json.open("event");
    json.text("kind", "alert");
    json.texts("category", &["intrusion_detection".to_owned()]);
    json.texts("type", &[if is_stopped(finding.action) { "denied" } else { "info" }.to_owned()]);
    json.text("action", finding.action.name());
    json.text("id", &finding.id);
    json.number("severity", severity_number(finding.severity));
    json.decimal("risk_score", f64::from(finding.risk_added));
    json.text("dataset", "throughline.finding");
    json.close();
    json.open("rule");
    json.text("id", &finding.detector);
    json.text("name", &finding.detector);
    json.text("category", &finding.owasp.join(" "));
    json.close();
    if let Some(event) = event {
        request(json, event);
    }
    json.open("throughline");
    json.text("session", &finding.session);
    json.text("request", &finding.request);
    json.decimal("confidence", finding.confidence);
    json.decimal("value", finding.value);
    json.decimal("baseline", finding.baseline);
    json.maybe("where", finding.r#where.as_deref());
    json.close();
    json.close();
}

fn head(json: &mut Json, time: &str) {
    json.text("@timestamp", time);
    json.open("ecs");
    json.text("version", SCHEMA);
    json.close();
    json.open("observer");
    json.text("product", PRODUCT);
    json.text("vendor", PRODUCT);
    json.text("version", VERSION);
    json.text("type", "waf");
    json.close();
}

fn request(json: &mut Json, event: &EventAnswer) {
    json.open("http");
    json.open("request");
    json.text("id", &event.id);
    json.text("method", &event.method);
    json.maybe_number("bytes", event.request_bytes);
    json.close();
    json.open("response");
    json.number("status_code", i64::from(event.status));
    json.maybe_number("bytes", event.response_bytes);
    json.close();
    json.close();
    json.open("url");
    json.text("scheme", "https");
    json.text("domain", &event.host);
    json.text("path", &event.path);
    json.text("full", &format!("https://{}{}", event.host, event.path));
    json.close();
    if let Some(ip) = &event.ip {
        json.open("source");
        json.text("ip", ip);
        json.text("address", ip);
        if let Some(country) = &event.country {
            json.open("geo");
            json.text("country_iso_code", country);
            json.close();
        }
        if let Some(asn) = event.asn {
            json.open("as");
            json.number("number", i64::from(asn));
            json.close();
        }
        json.close();
    }
    if let Some(user) = &event.user {
        json.open("user");
        json.text("name", user);
        json.texts("roles", &event.roles);
        json.close();
    }
    if let Some(agent) = &event.user_agent {
        json.open("user_agent");
        json.text("original", agent);
        json.close();
    }
}

fn is_stopped(action: Action) -> bool {
    matches!(action, Action::Throttle | Action::Block)
}

fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}
