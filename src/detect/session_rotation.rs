//! Session rotation: a client makes up session keys, so that every request seems to be somebody else's first.
//!
//! **Counts** requests that the edge marked: their key is unproven, and their client has shown more such keys within
//! the window than it may (`LIMITS.unproven_sessions` and `unproven_device_sessions`). **Fires** at the first of them
//! in a session, and again at ten times as many. While the deployment is new every key is unproven, so
//! then the edge only marks; after that such requests fall into the client's own session, and this speaks about that.
//!
//! **Innocent behaviour that looks like it**: an office or a mobile network whose people all kept cookies from before
//! the deployment. Their keys prove themselves by use, and what follows here is a tag, never a block.

use serde::{Deserialize, Serialize};

use super::{Action, Detector, Event, Finding, Response};
use crate::session::{Evidence, Marks, Severity};

/// Requests shown with a finding.
const MAX_EVIDENCE: usize = 10;

/// How the detector is tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Unproven sessions a client may start within the window: what the edge compared with.
    pub limit: u32,
    pub response: Response,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: 200, response: Response::TAG }
    }
}

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    marked: u64,
    /// Count at which it fires next; 0 stands for the first.
    next: u64,
    evidence: Vec<Evidence>,
}

impl Memory {
    /// Takes in one event.
    pub fn observe(&mut self, settings: &Settings, event: &Event<'_>) -> Option<Finding> {
        if !event.marks.has(Marks::SESSION_ROTATION) {
            return None;
        }
        self.marked += 1;
        if self.evidence.len() >= MAX_EVIDENCE {
            self.evidence.remove(0);
        }
        self.evidence.push(Evidence::of(event));
        if self.marked < self.next {
            return None;
        }
        self.next = self.marked * 10;
        Some(Finding {
            request: event.id,
            session: event.session,
            time_ms: event.time_ms,
            detector: Detector::SessionRotation,
            severity: Severity::Low,
            confidence: 0.7,
            risk_added: 0,
            value: self.marked as f64,
            baseline: f64::from(settings.limit),
            place: String::new(),
            message: format!(
                "{} requests with session keys that nothing vouches for, from a client beyond its {} such keys",
                self.marked, settings.limit
            ),
            evidence: self.evidence.clone(),
            reasons: Vec::new(),
            action: Action::Tag,
            would: Action::Tag,
        })
    }
}
