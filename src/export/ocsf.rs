//! OCSF 1.3.0 (schema.ocsf.io/1.3.0): HTTP Activity 4002, API Activity 6003, Detection Finding 2004, with the session as
//! `actor.session` by the profile `host`.

use super::json::Json;
use super::{PRODUCT, VERSION, epoch_ms};
use crate::query::{EventAnswer, FindingAnswer};
use crate::session::Severity;
use crate::verdict::Action;

/// Version of the schema.
pub const SCHEMA: &str = "1.3.0";

/// An event as HTTP Activity, or as API Activity.
pub fn activity(event: &EventAnswer, as_api: bool, json: &mut Json) {
    let (category, class) = if as_api { (6, 6003) } else { (4, 4002) };
    let activity = if as_api { crud(&event.method) } else { method_number(&event.method) };
    let stopped = matches!(event.action, Action::Throttle | Action::Block);
    json.open("");
    kind(json, category, class, activity, &event.method);
    json.number("severity_id", worst(event));
    json.number("time", epoch_ms(&event.time));
    json.number("duration", i64::from(event.duration_ms));
    json.number("status_id", if event.status < 400 { 1 } else { 2 });
    json.text("status_code", &event.status.to_string());
    // Security control: what was done about it.
    json.number("action_id", if stopped { 2 } else { 1 });
    json.number("disposition_id", if stopped { 2 } else { 1 });
    metadata(json, &event.id);
    actor(json, &event.session, Some(event));
    if as_api {
        json.open("api");
        json.text("operation", &event.endpoint);
        json.open("request");
        json.text("uid", &event.id);
        json.close();
        json.close();
    }
    endpoints(json, event);
    request(json, event);
    json.open("http_response");
    json.number("code", i64::from(event.status));
    json.maybe_number("length", event.response_bytes);
    json.close();
    unmapped(json, event);
    json.close();
}

/// A finding as Detection Finding; `event` is the request that completed it, where it is at hand.
pub fn finding(finding: &FindingAnswer, event: Option<&EventAnswer>, json: &mut Json) {
    json.open("");
    kind(json, 2, 2004, 1, "Create");
    json.number("severity_id", severity_number(finding.severity));
    json.number("time", epoch_ms(&finding.time));
    json.number("status_id", 1);
    json.text("message", &finding.message);
    json.number("confidence_score", (finding.confidence * 100.0).round() as i64);
    json.number("action_id", if matches!(finding.action, Action::Throttle | Action::Block) { 2 } else { 1 });
    metadata(json, &finding.id);
    actor(json, &finding.session, event);
    json.open("finding_info");
    json.text("uid", &finding.id);
    json.text("title", &finding.detector);
    json.text("desc", &finding.message);
    json.number("created_time", epoch_ms(&finding.time));
    json.texts("types", &finding.owasp);
    json.open("analytic");
    json.text("name", &finding.detector);
    json.text("uid", &finding.detector);
    json.number("type_id", if finding.scope == "request" { 1 } else { 2 });
    json.close();
    json.close();
    json.open_list("evidences");
    for evidence in &finding.evidence {
        json.open("");
        json.open("data");
        json.text("request", &evidence.request);
        json.text("time", &evidence.time);
        json.text("what", &evidence.what);
        json.close();
        json.close();
    }
    json.close_list();
    json.open("unmapped");
    json.text("request", &finding.request);
    json.number("risk_added", i64::from(finding.risk_added));
    json.decimal("value", finding.value);
    json.decimal("baseline", finding.baseline);
    json.maybe("where", finding.r#where.as_deref());
    json.close();
    json.close();
}

fn kind(json: &mut Json, category: i64, class: i64, activity: i64, name: &str) {
    json.number("category_uid", category);
    json.number("class_uid", class);
    json.number("activity_id", activity);
    if activity == 99 {
        json.text("activity_name", name);
    }
    json.number("type_uid", class * 100 + activity);
}

fn metadata(json: &mut Json, uid: &str) {
    json.open("metadata");
    json.text("version", SCHEMA);
    json.text("uid", uid);
    json.texts("profiles", &["host".to_owned(), "security_control".to_owned()]);
    json.open("product");
    json.text("name", PRODUCT);
    json.text("vendor_name", PRODUCT);
    json.text("version", VERSION);
    json.close();
    json.close();
}

fn actor(json: &mut Json, session: &str, event: Option<&EventAnswer>) {
    json.open("actor");
    json.open("session");
    json.text("uid", session);
    json.close();
    if let Some(user) = event.and_then(|event| event.user.as_deref()) {
        json.open("user");
        json.text("name", user);
        json.close();
    }
    json.close();
}

fn endpoints(json: &mut Json, event: &EventAnswer) {
    json.open("src_endpoint");
    match &event.ip {
        Some(ip) => json.text("ip", ip),
        None => json.text("name", "unknown"),
    }
    if let Some(country) = &event.country {
        json.open("location");
        json.text("country", country);
        json.close();
    }
    if let Some(asn) = event.asn {
        json.open("autonomous_system");
        json.number("number", i64::from(asn));
        json.close();
    }
    json.close();
    json.open("dst_endpoint");
    json.text("hostname", &event.host);
    json.close();
}

fn request(json: &mut Json, event: &EventAnswer) {
    json.open("http_request");
    json.text("http_method", &event.method);
    json.text("uid", &event.id);
    json.open("url");
    json.text("hostname", &event.host);
    json.text("path", &event.path);
    json.text("scheme", "https");
    json.text("url_string", &format!("https://{}{}", event.host, event.path));
    json.close();
    json.maybe("user_agent", event.user_agent.as_deref());
    json.maybe_number("length", event.request_bytes);
    json.close();
}

fn unmapped(json: &mut Json, event: &EventAnswer) {
    json.open("unmapped");
    json.text("endpoint", &event.endpoint);
    json.text("action", event.action.name());
    json.maybe("flow", event.flow.as_deref());
    json.maybe("inventory", event.inventory.as_deref());
    json.maybe("ja4", event.ja4.as_deref());
    json.maybe("attempted_user", event.attempted_user.as_deref());
    json.texts("marks", &event.marks);
    json.close();
}

fn worst(event: &EventAnswer) -> i64 {
    event.findings.iter().map(|finding| severity_number(finding.severity)).max().unwrap_or(1)
}

fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

fn method_number(method: &str) -> i64 {
    const METHODS: [&str; 8] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE"];
    (1..).zip(METHODS).find(|(_, known)| *known == method).map_or(99, |(number, _)| number)
}

fn crud(method: &str) -> i64 {
    match method {
        "POST" => 1,
        "GET" | "HEAD" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => 99,
    }
}
