//! How the detectors of behaviour are tuned: a limit, a window, and what follows, each with its default.

use super::Response;
use crate::session::Detector;
use crate::verdict::Action;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// How one detector of behaviour is tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuning {
    /// What it counts may reach this; each detector says in which unit.
    pub limit: f32,
    pub window_ms: u64,
    pub response: Response,
}

impl Tuning {
    /// The defaults of a detector: they tag. What is counted stands in its file.
    pub fn of(detector: Detector) -> Self {
        let (limit, window_ms) = match detector {
            // Failures, of which an honest person gives up or asks for a new password before the tenth.
            Detector::BruteForce => (10.0, 10 * MINUTE_MS),
            // Users tried in vain by one client: more than a family.
            Detector::CredentialStuffing => (5.0, HOUR_MS),
            // Failures of one build of client.
            Detector::PasswordSpraying => (40.0, HOUR_MS),
            // Failures in a row before a success.
            Detector::AccountTakeover => (5.0, HOUR_MS),
            // Accounts of one session: a second one is too many.
            Detector::MassRegistration => (1.0, 30 * MINUTE_MS),
            // Addresses of one key.
            Detector::TokenSharing => (5.0, HOUR_MS),
            // Changes of country that take turns.
            Detector::SessionHijack => (4.0, HOUR_MS),
            // Kilometres an hour.
            Detector::ImpossibleTravel => (900.0, 24 * HOUR_MS),
            // Objects of one endpoint.
            Detector::BolaEnumeration => (30.0, MINUTE_MS),
            // Foreign objects got.
            Detector::BolaForeignObject => (1.0, HOUR_MS),
            // Times the 99th percentile of the endpoint.
            Detector::RateSpike => (5.0, MINUTE_MS),
            Detector::VolumeExfiltration => (10.0, 10 * MINUTE_MS),
            // Different things asked for in one steady run.
            Detector::Automation => (60.0, HOUR_MS),
            _ => (1.0, MINUTE_MS),
        };
        Self { limit, window_ms, response: Response::of_session(Action::Tag, 10 * MINUTE_MS) }
    }
}

/// The detectors of behaviour, tuned; what is not there is off.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviours([Option<Tuning>; Detector::BEHAVIOURS]);

impl Default for Behaviours {
    fn default() -> Self {
        let mut all = Self([None; Detector::BEHAVIOURS]);
        Detector::all().filter(|of| of.behaviour().is_some()).for_each(|of| all.set(of, Some(Tuning::of(of))));
        all
    }
}

impl Behaviours {
    /// How a detector is tuned; `None` where it is off.
    pub fn get(&self, detector: Detector) -> Option<&Tuning> {
        self.0.get(detector.behaviour()?).and_then(Option::as_ref)
    }

    /// Tunes a detector, or switches it off.
    pub fn set(&mut self, detector: Detector, tuning: Option<Tuning>) {
        if let Some(slot) = detector.behaviour().and_then(|at| self.0.get_mut(at)) {
            *slot = tuning;
        }
    }
}
