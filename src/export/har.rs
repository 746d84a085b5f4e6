//! HAR 1.2, as far as there is something to tell: neither bodies nor cookies nor the query string are kept, of headers only
//! the agent. The file says so itself.

use super::json::Json;
use super::{PRODUCT, VERSION};
use crate::query::EventAnswer;

const KEPT: &str = "Throughline keeps no bodies, cookies, query strings or credentials, and of headers only the user \
    agent; path segments that look like secrets are masked. Sizes of -1 are unknown.";

/// Up to the first entry.
pub fn opening() -> String {
    let mut json = Json::default();
    json.open("");
    json.open("log");
    json.text("version", "1.2");
    json.open("creator");
    json.text("name", PRODUCT);
    json.text("version", VERSION);
    json.close();
    json.open_list("pages");
    json.close_list();
    json.text("comment", KEPT);
    json.open_list("entries");
    json.take()
}

/// From behind the last one.
pub const CLOSING: &str = "\n]}}\n";

/// An event as an entry.
pub fn entry(event: &EventAnswer, json: &mut Json) {
    json.open("");
    json.text("startedDateTime", &event.time);
    json.number("time", i64::from(event.duration_ms));
    json.open("request");
    json.text("method", &event.method);
    json.text("url", &format!("https://{}{}", event.host, event.path));
    about_message(json, event.request_bytes, event.user_agent.as_deref());
    json.open_list("queryString");
    json.close_list();
    json.close();
    json.open("response");
    json.number("status", i64::from(event.status));
    json.text("statusText", "");
    about_message(json, event.response_bytes, None);
    json.open("content");
    json.number("size", size(event.response_bytes));
    json.text("mimeType", "x-unknown");
    json.text("comment", "not kept");
    json.close();
    json.text("redirectURL", "");
    json.close();
    json.open("cache");
    json.close();
    json.open("timings");
    json.number("send", 0);
    json.number("wait", i64::from(event.duration_ms));
    json.number("receive", 0);
    json.close();
    json.text("_id", &event.id);
    json.text("_session", &event.session);
    json.text("_endpoint", &event.endpoint);
    json.text("_action", event.action.name());
    json.maybe("_clientIPAddress", event.ip.as_deref());
    json.maybe("_user", event.user.as_deref());
    let detectors: Vec<String> = event.findings.iter().map(|finding| finding.detector.clone()).collect();
    json.texts("_findings", &detectors);
    json.close();
}

/// What request and response both have.
fn about_message(json: &mut Json, bytes: Option<u64>, agent: Option<&str>) {
    json.text("httpVersion", "unknown");
    json.open_list("cookies");
    json.close_list();
    json.open_list("headers");
    if let Some(agent) = agent {
        json.open("");
        json.text("name", "User-Agent");
        json.text("value", agent);
        json.close();
    }
    json.close_list();
    json.number("headersSize", -1);
    json.number("bodySize", size(bytes));
}

fn size(bytes: Option<u64>) -> i64 {
    bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1)
}
