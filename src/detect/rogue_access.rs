//! Shadow and zombie access: a session uses what no document has, or what should not be used any more.
//!
//! **Fires** once for each such endpoint of a session, for at most four. What an endpoint is to the documents was decided
//! where the request was seen (`src/inventory/`), and without documents nothing is ever told.
//!
//! **Innocent behaviour that looks like it**: documentation that lags behind, and old versions of an app. So it says
//! little against a session, and never more than it says at four endpoints.

use serde::{Deserialize, Serialize};

use super::suspicion::{Suspicion, finding};
use super::tuning::Behaviours;
use crate::inspect::Attack;
use crate::inventory::Inventory;
use crate::session::{Carried, Detector, Event, Finding, Severity};

/// Endpoints told of one session.
const MAX_TOLD: usize = 4;
/// Places that are unlike their document told of one session.
const MAX_PLACES: usize = 8;

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Hashes of the endpoints that were told.
    told: Vec<u32>,
    /// … and of the places there that were.
    places: Vec<u32>,
}

/// FNV-1a, with the end of each part.
fn hash_of(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Whether a hash is news where there is room for so many; then it is noted.
fn is_news(known: &mut Vec<u32>, hash: u32, most: usize) -> bool {
    let news = known.len() < most && !known.contains(&hash);
    if news {
        known.reserve_exact(1);
        known.push(hash);
    }
    news
}

impl Memory {
    /// Whether what an event carries is told: of what is unlike its document each place of an endpoint once, and few of
    /// them. A client that is older than its document says the same with every request.
    pub fn tells(&mut self, event: &Event<'_>, carried: &Carried) -> bool {
        let hash = || hash_of(&[event.method, event.host, event.template, &carried.place]);
        carried.attack != Attack::SchemaViolation || is_news(&mut self.places, hash(), MAX_PLACES)
    }

    /// Takes in one event.
    pub fn observe(&mut self, event: &Event<'_>, tuned: &Behaviours) -> Option<Finding> {
        let (detector, what) = match event.inventory? {
            Inventory::Shadow => (Detector::ShadowAccess, "in no document"),
            Inventory::Zombie => (Detector::ZombieAccess, "deprecated or removed, and still answered"),
            Inventory::Documented | Inventory::Orphan => return None,
        };
        tuned.get(detector)?;
        // What is refused was not used.
        let hash = hash_of(&[event.method, event.host, event.template]);
        if event.status >= 400 || !is_news(&mut self.told, hash, MAX_TOLD) {
            return None;
        }
        let suspicion = Suspicion {
            detector,
            severity: Severity::Low,
            confidence: 0.3,
            value: self.told.len() as f64,
            baseline: 0.0,
            message: format!("used {} {}, which is {what}", event.method, event.template),
            evidence: Vec::new(),
            if_idle: false,
        };
        Some(finding(suspicion, event))
    }
}
