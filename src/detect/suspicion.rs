//! What a detector of behaviour states, before it is a finding of a session: each session is told once.

use serde::{Deserialize, Serialize};

use crate::session::{Detector, Event, EventId, Evidence, Finding, Severity};
use crate::verdict::Action;

/// A statement that is not yet about a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    pub detector: Detector,
    pub severity: Severity,
    /// 0–1.
    pub confidence: f32,
    pub value: f64,
    pub baseline: f64,
    pub message: String,
    /// Events before the one that completed it.
    pub evidence: Vec<EventId>,
    /// Whether it is not held against a session that does other things too, and is answered.
    pub if_idle: bool,
}

/// How long nothing is said again that has not become twice as much, ms.
const QUIET_MS: u64 = 3_600_000;

/// What a session was told: detector, when, how bad and how much.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Told(Vec<(u8, u64, u8, f32)>);

impl Told {
    /// The finding, unless the session was told as much lately.
    pub fn tell(&mut self, suspicion: Suspicion, event: &Event<'_>) -> Option<Finding> {
        let of = suspicion.detector.behaviour()? as u8;
        let (severity, value) = (suspicion.severity as u8, suspicion.value as f32);
        let news = (of, event.time_ms, severity, value);
        match self.0.iter_mut().find(|(told, ..)| *told == of) {
            Some((_, at_ms, was, much))
                if event.time_ms.saturating_sub(*at_ms) < QUIET_MS && severity <= *was && value < *much * 2.0 =>
            {
                return None;
            }
            Some(told) => *told = news,
            None => self.0.push(news),
        }
        Some(finding(suspicion, event))
    }
}

pub(super) fn finding(suspicion: Suspicion, event: &Event<'_>) -> Finding {
    let before = suspicion.evidence.into_iter().filter(|id| *id != event.id).map(|request| Evidence {
        request,
        time_ms: request.time_ms(),
        what: "before".to_owned(),
    });
    let mut evidence: Vec<Evidence> = before.collect();
    evidence.push(Evidence::of(event));
    Finding {
        request: event.id,
        session: event.session,
        time_ms: event.time_ms,
        detector: suspicion.detector,
        severity: suspicion.severity,
        confidence: suspicion.confidence,
        risk_added: 0,
        value: suspicion.value,
        baseline: suspicion.baseline,
        message: suspicion.message,
        place: String::new(),
        evidence,
        reasons: Vec::new(),
        action: Action::Tag,
        would: Action::Tag,
    }
}
