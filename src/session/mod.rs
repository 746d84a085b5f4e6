//! What is known: events, findings, risk, and the state of a session built from them.
//!
//! Everything here is derived from the stream of events; nothing here knows how events are stored or decided upon.

mod batch;
mod carried;
mod counts;
mod detector;
mod dictionary;
mod event;
mod finding;
mod id;
mod label;
mod link;
mod params;
mod risk;
mod state;

pub use batch::{Batch, BatchBuilder, DecodeError, VERSION as BATCH_VERSION};
pub use carried::{Carried, Kinds, Objects, Stop};
pub use counts::{Counts, Kind, Value};
pub use detector::Detector;
pub use dictionary::{Address, Dictionary, Symbol};
pub use event::{Event, Marks, cut};
pub use finding::{Cause, Evidence, Finding, Severity, Weight};
pub use id::{EventId, SessionId, shard_of_prefix};
pub use label::{Judgement, Label};
pub use link::{Arrival, Issue, Link, MAX_LINKS, Principal, Reason, are_strangers};
pub use params::{MAX_PARAMS, ParamBook, Params, key_of, limit as limit_params, shown_of, text_of, value_of};
pub use risk::{FLAGGED, Risk};
pub use state::{Keyless, Proof, Session, State, UserSpan};
