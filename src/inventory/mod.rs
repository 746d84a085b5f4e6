//! Endpoints: what a path is an instance of.

mod template;

pub use template::{Shape, Templated, templated};
