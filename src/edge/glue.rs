//! Bindings to `glue.js`.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    pub fn call(stub: &JsValue, path: &str, body: js_sys::Uint8Array, timeout: u32)
    -> Result<js_sys::Promise, JsValue>;

    pub fn sleep(ms: u32) -> js_sys::Promise;

    pub fn post(url: &str, headers: JsValue, body: &str, timeout: u32) -> js_sys::Promise;

    pub fn stream(parts: super::parts::Parts) -> worker::worker_sys::web_sys::ReadableStream;

    pub fn binding(env: &JsValue, name: &str) -> Option<String>;
}
