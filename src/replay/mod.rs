//! Dry runs: what another policy would make of exchanges that happened.
//!
//! A **run** is a shard's store of its own in memory, with nothing behind it: the exchanges go the way they went when
//! they happened, through the same detectors, watches and flows. Two runs over the same exchanges, under the policy in
//! force and under the other one, are compared; what really was found then is not, because it may stem from a third. What
//! was stopped then is passed over in both. What sessions have to do with each other is seen as far as they are in the
//! same run.

mod compare;
mod exchange;
mod nowhere;
mod run;

pub use compare::{DetectorChange, FindingsChange, Stopped, compare};
pub use exchange::Exchanged;
pub use run::{Played, play};
