//! Throughline: API sessions at the edge.
//!
//! A Cloudflare Worker that stands in front of an origin API, groups requests into sessions, finds attacks in the
//! context of the whole session and, where told to, stops them. `ARCHITECTURE.md` tells the life of a request; this is
//! the map of the crate. Data flows from top to bottom, and only `edge` knows the platform.

pub mod alert;
pub mod api;
pub mod backlog;
pub mod backoff;
pub mod context;
pub mod detect;
pub mod export;
pub mod fleet;
pub mod flow;
pub mod identity;
pub mod inspect;
pub mod inventory;
pub mod json_path;
pub mod ordered;
pub mod parameter;
pub mod policy;
pub mod query;
pub mod recent;
pub mod replay;
pub mod rollup;
pub mod selector;
pub mod session;
pub mod sorting;
pub mod store;
pub mod subject;
pub mod verdict;
pub mod wire;

#[cfg(target_arch = "wasm32")]
mod edge;
