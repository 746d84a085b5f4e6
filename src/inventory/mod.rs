//! Endpoints: what a path is an instance of.

mod pattern;
mod template;

pub use pattern::Pattern;
pub use template::{Shape, Templated, templated};
