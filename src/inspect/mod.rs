//! What a request carries: attacks in the text of a single request.
//!
//! A request is taken apart into texts, each with the place it stands at (`walk`). A text is read as the programs behind us could read
//! it (`decode`), and one pass over each reading ([`Scan`]) tells which classes of attack are worth a closer look; for nearly
//! all text that is none. A class (`classes/`, one file each) knows the grammar of its attack and says how much of it is there.

mod attack;
pub mod classes;
mod decode;
mod examine;
mod inspector;
mod memory;
mod reading;
mod redact;
mod request;
mod scan;
mod walk;

pub use attack::Attack;
pub use inspector::{Cuts, Hit, Inspection, Inspector, Limits};
pub use reading::{Class, Layers, Part, Place, Reading, Scan, Sign};
pub use request::{Body, Request, RequestClass, Tell};
pub(crate) use walk::is_graphql;
