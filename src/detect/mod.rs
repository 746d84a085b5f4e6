//! What looks wrong: detectors that read a session's events one by one.
//!
//! A detector is one file: a small state kept per session, a function from event to finding, and the reasons for every
//! number in it. Detectors know nothing of storage or responses; what follows from a finding is decided in
//! [`consequence`], from the policy.

pub mod attacks;
pub mod business;
mod forced_browsing;
mod known;
mod session_rotation;

pub use forced_browsing::Settings as ForcedBrowsingSettings;
pub use known::KnownEndpoints;
pub use session_rotation::Settings as SessionRotationSettings;

use serde::{Deserialize, Serialize};

use crate::session::{Detector, Event, Finding, Keyless, Session};
use crate::verdict::Action;

/// What every detector remembers of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    forced_browsing: forced_browsing::Memory,
    session_rotation: session_rotation::Memory,
    /// Of few sessions there is any.
    pub business: Option<Box<business::Memory>>,
}

/// How a detector is tuned and what follows from its findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub forced_browsing: Option<ForcedBrowsingSettings>,
    pub session_rotation: Option<SessionRotationSettings>,
    pub attacks: attacks::Attacks,
    pub region_surge: Option<Response>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forced_browsing: Some(ForcedBrowsingSettings::default()),
            session_rotation: Some(SessionRotationSettings::default()),
            attacks: attacks::Attacks::default(),
            region_surge: Some(Response { action: Action::Tag, for_ms: 0 }),
        }
    }
}

/// What an enforcing deployment does about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    pub action: Action,
    /// How long a throttle or block holds, ms.
    pub for_ms: u64,
}

/// Shows `event`, whose endpoint is known to exist or not, to every detector that is on; answers what they found.
pub fn observe(memory: &mut Memory, settings: &Settings, is_known: bool, event: &Event<'_>) -> Vec<Finding> {
    // A request that was stopped here never reached the origin: its status says nothing about the client.
    let stopped = event.action >= Action::Throttle;
    let browsing = settings.forced_browsing.as_ref().filter(|_| !stopped);
    let browsing = browsing.and_then(|tuned| memory.forced_browsing.observe(tuned, is_known, event));
    let rotation = settings.session_rotation.as_ref();
    let rotation = rotation.and_then(|tuned| memory.session_rotation.observe(tuned, event));
    browsing.into_iter().chain(rotation).collect()
}

/// What follows from a finding about `session` where verdicts are enforced.
///
/// A session known only by an address, or by an address and a browser build, may be many people. The address alone is
/// never acted on automatically; with the agent it is, once most of what the session asks for is refused, which a
/// person among colleagues never brings about.
pub fn consequence(settings: &Settings, finding: &Finding, session: &Session) -> Response {
    let configured = match finding.detector {
        Detector::Attack(attack) => {
            let tuned = settings
                .attacks
                .get(attack)
                .filter(|tuned| tuned.at == attacks::At::Session && finding.value >= finding.baseline);
            tuned.map(|tuned| Response { action: tuned.action, for_ms: tuned.for_ms })
        }
        Detector::ForcedBrowsing => settings.forced_browsing.as_ref().map(|s| s.response),
        Detector::SessionRotation => settings.session_rotation.as_ref().map(|s| s.response),
        // What follows from a rule of the policy is told with its finding.
        _ => None,
    };
    spare(configured.unwrap_or(Response { action: Action::Tag, for_ms: 0 }), session)
}

/// What is done of what was configured, where the session may be many people.
pub fn spare(configured: Response, session: &Session) -> Response {
    let spared =
        session.keyless == Keyless::Address || (session.is_address_bound() && session.refused * 2 < session.requests);
    if spared { Response { action: configured.action.min(Action::Tag), for_ms: 0 } } else { configured }
}
