//! Endpoints: what a path is an instance of.

mod issued;
mod pattern;
mod template;

pub use issued::{Issued, issued};
pub use pattern::Pattern;
pub use template::{Shape, Templated, templated};
