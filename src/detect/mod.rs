//! What looks wrong: detectors that read a session's events one by one.
//!
//! A detector is one file: a small state kept per session, a function from event to finding, and the reasons for every
//! number in it. Detectors know nothing of storage or responses; what follows from a finding is decided in
//! [`consequence`], from the policy.

mod account_takeover;
mod act;
pub mod attacks;
mod automation;
mod baseline;
mod bola_enumeration;
mod brute_force;
pub mod business;
mod credential_stuffing;
mod crowd;
mod forced_browsing;
mod geography;
mod impossible_travel;
mod known;
mod mass_registration;
pub mod normal;
mod rate_spike;
mod rogue_access;
mod session_hijack;
mod session_rotation;
mod suspicion;
mod token_sharing;
mod tuning;
mod volume_exfiltration;
mod whereabouts;

pub use crowd::{Crowd, MAX_MEMBERS};
pub use forced_browsing::Settings as ForcedBrowsingSettings;
pub use known::KnownEndpoints;
pub use session_rotation::Settings as SessionRotationSettings;
pub use suspicion::Suspicion;
pub use tuning::{Behaviours, Tuning};

use serde::{Deserialize, Serialize};

use crate::session::{Detector, Event, Finding, Keyless, Session};
use crate::verdict::Action;
use act::Act;
use whereabouts::Use;

/// What every detector remembers of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    forced_browsing: forced_browsing::Memory,
    session_rotation: session_rotation::Memory,
    /// Of few sessions there is any.
    pub business: Option<Box<business::Memory>>,
    account_takeover: account_takeover::Memory,
    whereabouts: whereabouts::Memory,
    bola_enumeration: bola_enumeration::Memory,
    automation: automation::Memory,
    rogue_access: rogue_access::Memory,
    told: suspicion::Told,
}

/// How a detector is tuned and what follows from its findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub forced_browsing: Option<ForcedBrowsingSettings>,
    pub session_rotation: Option<SessionRotationSettings>,
    pub behaviours: Behaviours,
    pub attacks: attacks::Attacks,
    pub region_surge: Option<Response>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forced_browsing: Some(ForcedBrowsingSettings::default()),
            session_rotation: Some(SessionRotationSettings::default()),
            behaviours: Behaviours::default(),
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

/// Shows `event`, whose endpoint is known to exist or not, to every detector that is on, with what the crowd says of it
/// and its session, the event taken in; answers what they found.
pub fn observe(
    memory: &mut Memory,
    settings: &Settings,
    is_known: bool,
    event: &Event<'_>,
    session: &Session,
    mut suspicions: Vec<Suspicion>,
) -> Vec<Finding> {
    // A request that was stopped here never reached the origin: its status says nothing about the client.
    let stopped = event.action >= Action::Throttle;
    let browsing = settings.forced_browsing.as_ref().filter(|_| !stopped);
    let browsing = browsing.and_then(|tuned| memory.forced_browsing.observe(tuned, is_known, event));
    let rotation = settings.session_rotation.as_ref();
    let rotation = rotation.and_then(|tuned| memory.session_rotation.observe(tuned, event));
    let is_idle = session.requests < session.refused + 2;
    suspicions.retain(|suspicion| is_idle || !suspicion.if_idle);
    if !stopped {
        behave(memory, &settings.behaviours, event, &mut suspicions);
    }
    let rogue = if stopped { None } else { memory.rogue_access.observe(event, &settings.behaviours) };
    let told = &mut memory.told;
    let behaviour = suspicions.into_iter().filter_map(|suspicion| told.tell(suspicion, event));
    browsing.into_iter().chain(rotation).chain(rogue).chain(behaviour).collect()
}

/// Shows an event that reached the origin to the detectors of behaviour that look at one session.
fn behave(memory: &mut Memory, tuned: &Behaviours, event: &Event<'_>, found: &mut Vec<Suspicion>) {
    if found.iter().any(|suspicion| suspicion.detector == Detector::AccountTakeover) {
        memory.account_takeover.taken(event.time_ms);
    } else if act::act(event) == Some(Act::Changed) {
        found.extend(memory.account_takeover.changed(event, tuned));
    }
    let usage = Use::of(event);
    if let Some(tuning) = tuned.get(Detector::BolaEnumeration) {
        found.extend(memory.bola_enumeration.observe(event, usage, tuning));
    }
    if let Some(tuning) = tuned.get(Detector::Automation) {
        found.extend(memory.automation.observe(event, usage, tuning));
    }
    let Some(usage) = usage else { return };
    let places = &mut memory.whereabouts;
    let Some(profile) = places.unlike_the_last(event) else { return };
    if usage == Use::Client {
        let hijack = tuned.get(Detector::SessionHijack);
        found.extend(hijack.and_then(|tuning| session_hijack::judge(places, &profile, tuning)));
    }
    if usage != Use::Program {
        let travel = tuned.get(Detector::ImpossibleTravel);
        found.extend(travel.and_then(|tuning| impossible_travel::judge(places, &profile, tuning)));
    }
    places.take(profile.clone());
    let sharing = tuned.get(Detector::TokenSharing);
    found.extend(sharing.and_then(|tuning| token_sharing::judge(places, &profile, usage, tuning)));
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
        behaviour => settings.behaviours.get(behaviour).map(|tuned| tuned.response),
    };
    spare(configured.unwrap_or(Response { action: Action::Tag, for_ms: 0 }), session)
}

/// What is done of what was configured, where the session may be many people.
pub fn spare(configured: Response, session: &Session) -> Response {
    let spared =
        session.keyless == Keyless::Address || (session.is_address_bound() && session.refused * 2 < session.requests);
    if spared { Response { action: configured.action.min(Action::Tag), for_ms: 0 } } else { configured }
}
