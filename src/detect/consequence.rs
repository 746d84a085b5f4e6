//! What follows from a finding: the table of detector, route and mode, and who is spared.
//!
//! A detector's settings say what is done (`action`), to whom (`at`) and for how long (`for`); a route may say otherwise
//! for what happens there, or that it is only watched. Whether that is enforced at all is the mode's to say: this is the
//! same in `monitor`, where it is noted as what would have been. Who owns a subject and whom it is shared with is looked
//! up by the store; here stands what may be done to a session that may be many people.

use serde::Deserialize;

use super::Settings;
use crate::inspect::Attack;
use crate::inventory::Pattern;
use crate::session::{Detector, Event, Finding, Keyless, Session};
use crate::verdict::Action;

/// How long a verdict of a route holds where the detector says nothing, ms: as long as one of the detector would.
const FOR_MS: u64 = 600_000;

/// Who is acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// The request itself, and nothing after it.
    Request,
    #[default]
    Session,
    /// The user of the session, where more than a claim says so; else the session.
    User,
    /// The device, where it is known and not many people's; else the session.
    Device,
    /// The address, where it is not many people's; else the session.
    Ip,
}

impl At {
    /// The name the configuration and the API use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Session => "session",
            Self::User => "user",
            Self::Device => "device",
            Self::Ip => "ip",
        }
    }
}

/// What an enforcing deployment does about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    pub action: Action,
    /// How long a throttle or block holds, ms.
    pub for_ms: u64,
    pub at: At,
    /// Whether an address or device is acted on although many healthy sessions share it.
    pub shared: bool,
}

impl Response {
    /// Nothing but a note.
    pub const TAG: Self = Self { action: Action::Tag, for_ms: 0, at: At::Session, shared: false };

    /// What the session is answered for so long.
    pub const fn of_session(action: Action, for_ms: u64) -> Self {
        Self { action, for_ms, at: At::Session, shared: false }
    }
}

/// What a route says about findings that an event of it completes.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteRule {
    pub pattern: Pattern,
    /// Nothing is enforced there.
    pub monitor: bool,
    /// Actions in place of those of the detectors.
    pub actions: Vec<(Detector, Action)>,
}

/// What is configured for a finding that `event` completed, and whether it is enforced on its route.
pub fn configured(settings: &Settings, finding: &Finding, event: &Event<'_>) -> (Response, bool) {
    let of_detector = match finding.detector {
        Detector::Attack(attack) => {
            let sure = |tuned: &&super::attacks::Settings| finding.value >= finding.baseline && tuned.at != At::Request;
            settings.attacks.get(attack).filter(sure).map(super::attacks::Settings::response)
        }
        Detector::ForcedBrowsing => settings.forced_browsing.as_ref().map(|s| s.response),
        Detector::SessionRotation => settings.session_rotation.as_ref().map(|s| s.response),
        behaviour => settings.behaviours.get(behaviour).map(|tuned| tuned.response),
    };
    on_route(settings, of_detector.unwrap_or(Response::TAG), finding.detector, event)
}

/// A response as the route of the event has it, and whether it is enforced there.
pub fn on_route(settings: &Settings, response: Response, of: Detector, event: &Event<'_>) -> (Response, bool) {
    let Some(rule) = rule(settings, event.method, event.path) else { return (response, true) };
    let action = rule.actions.iter().find(|(detector, _)| *detector == of).map(|(_, action)| *action);
    let mut response = Response { action: action.unwrap_or(response.action), ..response };
    if action.is_some() && response.action >= Action::Throttle && response.for_ms == 0 && response.at != At::Request {
        response.for_ms = FOR_MS;
    }
    (response, !rule.monitor)
}

/// The first route that fits.
pub fn rule<'s>(settings: &'s Settings, method: &str, path: &str) -> Option<&'s RouteRule> {
    settings.routes.iter().find(|rule| rule.pattern.matches(method, path))
}

/// What is done of what was configured, where the session may be many people.
///
/// A session known only by an address, or by an address and a browser build, may be many people. The address alone is
/// never acted on by way of its session; with the agent it is, once most of what the session asks for is refused, which
/// a person among colleagues never brings about.
pub fn spare(configured: Response, session: &Session) -> Response {
    let spared =
        session.keyless == Keyless::Address || (session.is_address_bound() && session.refused * 2 < session.requests);
    if spared && matches!(configured.at, At::Session | At::User) {
        Response { action: configured.action.min(Action::Tag), for_ms: 0, ..configured }
    } else {
        configured
    }
}

/// Whether a request there is stopped for carrying an attack, where verdicts are enforced.
pub fn stops(settings: &Settings, attack: Attack, confidence: u8, method: &str, path: &str) -> bool {
    let Some(tuned) = settings.attacks.get(attack) else { return false };
    let rule = rule(settings, method, path);
    let of_route = rule.and_then(|rule| rule.actions.iter().find(|(of, _)| *of == Detector::Attack(attack)));
    let action = of_route.map_or(tuned.action, |(_, action)| *action);
    super::attacks::Settings { action, ..*tuned }.stops(confidence)
}
