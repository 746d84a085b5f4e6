//! The platform: the only part that imports `worker`, `js_sys`, `web_sys` and `wasm_bindgen`.
//!
//! Everything here is glue: it reads what the platform hands over, asks the core, and turns the answer into what the
//! platform wants. `entry.mjs` is where a request arrives and is forwarded, [`gateway`] what it calls on the way;
//! [`shard`] and [`fleet`] are the Durable Objects; [`admin`] answers the public API.

mod admin;
mod alerts;
mod attempt;
mod buffer;
mod caller;
mod clock;
mod contract;
mod documents;
mod due;
mod erasure;
mod exchange;
mod exchanges;
mod export;
mod feed;
mod fleet;
mod gateway;
mod glue;
mod group;
mod inspection;
mod inventory;
mod isolate;
mod jwks;
mod mcp;
mod metrics;
mod object;
mod outcome;
mod parts;
mod people;
mod problem;
mod queue;
mod related;
mod replay;
mod request;
mod shard;
mod share;
mod slices;
mod spread;
mod sql;
mod stream;

use worker::event;

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}
