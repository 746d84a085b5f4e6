//! The platform: the only part that imports `worker`, `js_sys`, `web_sys` and `wasm_bindgen`.
//!
//! Everything here is glue: it reads what the platform hands over, asks the core, and turns the answer into what the
//! platform wants. [`frontend`] is the path of a request; [`shard`] and [`fleet`] are the Durable Objects; [`admin`]
//! answers the public API.

mod admin;
mod buffer;
mod clock;
mod fleet;
mod frontend;
mod glue;
mod isolate;
mod metrics;
mod object;
mod problem;
mod request;
mod shard;
mod sql;

use worker::worker_sys::web_sys;
use worker::{Context, Env, event};

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    Ok(frontend::handle(request, env, context).await)
}
