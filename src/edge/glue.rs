//! Bindings to `glue.js`.

use wasm_bindgen::prelude::*;
use worker::worker_sys::web_sys::{Request, Response};

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    pub fn describe(request: &Request, names: &js_sys::Array) -> String;

    #[wasm_bindgen(js_name = isPreflight)]
    pub fn is_preflight(request: &Request) -> bool;

    #[wasm_bindgen(catch)]
    pub fn forward(
        request: &Request,
        url: Option<&str>,
        origin: &JsValue,
        strip: &JsValue,
        timeout: u32,
    ) -> Result<js_sys::Promise, JsValue>;

    pub fn outcome(response: &Response) -> String;

    #[wasm_bindgen(catch, js_name = withoutHeader)]
    pub fn without_header(response: &Response, name: &str) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn call(stub: &JsValue, path: &str, body: js_sys::Uint8Array, timeout: u32)
    -> Result<js_sys::Promise, JsValue>;

    pub fn sleep(ms: u32) -> js_sys::Promise;

    pub fn binding(env: &JsValue, name: &str) -> Option<String>;
}
