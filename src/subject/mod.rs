//! Subjects: who and what is seen beside sessions. A user, an address, a token, a device; each has state of its own, in
//! the shard its hash falls to.
//!
//! One event is a sighting of up to four subjects ([`subjects_of`]). A subject's state ([`Subject`]) counts sightings,
//! in all and over sliding windows, and knows how many different sessions, users, addresses it was seen with: exactly
//! while they are few, by a sketch once they are many. Nothing here knows how states are stored or who routes
//! sightings to them, and nothing here judges: that is the detectors' work.

mod agent;
mod answer;
mod distinct;
mod hash;
mod key;
mod recent;
mod sighting;
mod sketch;
mod state;
mod windows;

pub use agent::{Agent, Family};
pub use answer::{CountAnswer, LoginsAnswer, PlaceAnswer, SeenAnswer, SetAnswer, SubjectAnswer, WindowAnswer};
pub use distinct::{Distinct, Entry, Value};
pub use hash::SubjectHash;
pub use key::{Device, Identity, Kind, SubjectKey, network};
pub use recent::Recent;
pub use sighting::{Country, Login, Sighting, identities, sighting_of, subjects_of, subjects_with};
pub use sketch::Sketch;
pub use state::{DecodeError, Place, Subject, VERSION};
pub use windows::{Counts, Window, Windows};
