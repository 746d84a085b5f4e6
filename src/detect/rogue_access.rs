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
use crate::inventory::Inventory;
use crate::session::{Detector, Event, Finding, Severity};

/// Endpoints told of one session.
const MAX_TOLD: usize = 4;

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Hashes of the endpoints that were told.
    told: Vec<u32>,
}

impl Memory {
    /// Takes in one event.
    pub fn observe(&mut self, event: &Event<'_>, tuned: &Behaviours) -> Option<Finding> {
        let (detector, what) = match event.inventory? {
            Inventory::Shadow => (Detector::ShadowAccess, "in no document"),
            Inventory::Zombie => (Detector::ZombieAccess, "deprecated or removed, and still answered"),
            Inventory::Documented | Inventory::Orphan => return None,
        };
        tuned.get(detector)?;
        // What is refused was not used.
        if event.status >= 400 || self.told.len() >= MAX_TOLD {
            return None;
        }
        let hash = [event.method, event.host, event.template]
            .iter()
            .flat_map(|part| part.bytes())
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        if self.told.contains(&hash) {
            return None;
        }
        self.told.reserve_exact(1);
        self.told.push(hash);
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
