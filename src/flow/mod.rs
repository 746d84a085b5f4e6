//! Business flows: what part of the business an endpoint belongs to, and the order in which its steps are to be taken.
//!
//! `recogniser` tags endpoints by the words in their paths, or as the policy says. `plan` is a flow of the policy,
//! `machine` follows one session through it, `instance` is one run (a cart, a tab), and says what would be wrong with
//! the next step. Nothing here knows of storage: states are plain data.

mod instance;
mod machine;
mod plan;
mod recogniser;

pub use machine::{Completions, FlowState, Observed, Sighting, Violation};
pub use plan::{Flow, Limit, MAX_KEPT, MAX_STEPS, Outcome, Step, Steps, Violated};
pub use recogniser::{BUILT_IN, FlowTags, MAX_TAGS, Tags};
