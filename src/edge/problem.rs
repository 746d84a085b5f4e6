//! Answers this product gives in its own name: problem documents (RFC 9457) and JSON.

use serde::Serialize;
use wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::{Headers, Response, ResponseInit};

/// A problem as the client is told of it; nothing about why beyond what `detail` says.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Problem {
    pub r#type: &'static str,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    /// Names the event, for the `request` filter of the API.
    pub reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: u16, title: &'static str, detail: impl Into<String>, reference: String) -> Self {
        Self { r#type: "about:blank", title, status, detail: detail.into(), reference, parameter: None }
    }

    /// The problem as a response.
    pub fn response(&self, extra: &[(&str, &str)]) -> Response {
        let body = serde_json::to_string(self).unwrap_or_default();
        respond(self.status, "application/problem+json", body.as_bytes(), extra)
    }
}

/// A JSON answer.
pub fn json<T: Serialize>(status: u16, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => respond(status, "application/json", &body, &[]),
        Err(_) => respond(500, "application/problem+json", b"{\"status\":500}", &[]),
    }
}

/// A whole answer that no cache may keep.
pub fn respond(status: u16, content_type: &str, body: &[u8], extra: &[(&str, &str)]) -> Response {
    let fixed = [("content-type", content_type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    let build = || -> Result<Response, JsValue> {
        let headers = Headers::new()?;
        for (name, value) in fixed.iter().chain(extra) {
            headers.set(name, value)?;
        }
        let init = ResponseInit::new();
        init.set_status(status);
        init.set_headers(&headers);
        let body: js_sys::Object = js_sys::Uint8Array::from(body).into();
        Response::new_with_opt_buffer_source_and_init(Some(&body), &init)
    };
    // Only an invalid header could fail, and all of them are ours.
    build().unwrap_or_else(|_| Response::error())
}
