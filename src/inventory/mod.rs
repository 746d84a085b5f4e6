//! Endpoints: what a path is an instance of, and what an endpoint is to the documents that describe the API.
//!
//! Templates come from documents (`openapi/`, put together in `catalogue.rs`) or, where none has the path, from the form
//! of its segments (`template.rs`). `state.rs` has the words: documented, shadow, zombie, orphan. Patterns are those of
//! the configuration. Nothing here counts: what is known of each endpoint's use is the fleet's.

mod catalogue;
mod changes;
pub mod contract;
mod issued;
mod learned;
pub mod openapi;
mod operation;
mod pattern;
mod sensitive;
mod state;
mod tally;
mod template;
mod traits;
mod trie;

pub use catalogue::{Catalogue, Compared, Known, Seen, Standing, Variant};
pub use changes::{ChangeKind, EndpointChange, Outline};
pub use issued::{Issued, issued};
pub use learned::{Learned, MAX_LEARNED, lesson};
pub use operation::{MAX_OF_PATH, Operations, operation, path_of, with_operation};
pub use pattern::Pattern;
pub use sensitive::Sensitive;
pub use state::{Inventory, shows_existence};
pub use tally::{Different, Means, Tally};
pub use template::{Shape, Templated, templated};
pub use traits::{Sample, Traits, endpoint_hash, values};
