//! What looks wrong: detectors that read a session's events one by one.
//!
//! A detector is one file: a small state kept per session, a function from event to finding, and the reasons for every
//! number in it. Detectors know nothing of storage or responses; what a finding weighs in its session is said in
//! [`correlate`], what follows from it is decided in [`consequence`], from the policy.

mod account_takeover;
mod act;
pub mod attacks;
mod automation;
mod baseline;
mod bola_enumeration;
mod bola_foreign_object;
mod brute_force;
pub mod business;
mod common;
pub mod consequence;
mod correlate;
mod credential_stuffing;
mod crowd;
mod dry_run;
mod familiar;
mod forced_browsing;
mod geography;
mod habits;
mod impossible_travel;
mod known;
mod mass_registration;
pub mod normal;
mod password_spraying;
mod rate_spike;
mod reserve;
mod rogue_access;
mod session_hijack;
mod session_rotation;
mod suspicion;
mod token_sharing;
mod tuning;
mod volume_exfiltration;
mod whereabouts;

pub use bola_enumeration::object_of;
pub use common::Common;
pub use consequence::{At, Response, RouteRule};
pub use correlate::{Kind, weigh};
pub use crowd::{Crowd, MAX_MEMBERS};
pub use dry_run::{DryRun, WouldTouch, caller};
pub use forced_browsing::Settings as ForcedBrowsingSettings;
pub use known::KnownEndpoints;
pub use reserve::Reservations;
pub use session_rotation::Settings as SessionRotationSettings;
pub use suspicion::Suspicion;
pub use tuning::{Behaviours, Tuning};

use serde::{Deserialize, Serialize};

use crate::inventory::Pattern;
use crate::session::{Batch, Carried, Detector, Event, Finding, Objects, Session};
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
    /// Of sessions on routes that learn whose is what.
    handed: Option<Box<bola_foreign_object::Handed>>,
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
    /// What routes say about findings there, in the order of the routes.
    pub routes: Vec<RouteRule>,
    /// Where what a detector of behaviour finds is not told; `None` for everywhere.
    pub excepted: Vec<(Option<Pattern>, Detector)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forced_browsing: Some(ForcedBrowsingSettings::default()),
            session_rotation: Some(SessionRotationSettings::default()),
            behaviours: Behaviours::default(),
            attacks: attacks::Attacks::default(),
            region_surge: Some(Response::TAG),
            routes: Vec::new(),
            excepted: Vec::new(),
        }
    }
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
    let browsing = browsing.and_then(|tuned| memory.forced_browsing.observe(tuned, is_known, event, session));
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
    let found = browsing.into_iter().chain(rotation).chain(rogue).chain(behaviour);
    found.filter(|finding| !settings.excepts(finding, event)).collect()
}

impl Settings {
    fn excepts(&self, finding: &Finding, event: &Event<'_>) -> bool {
        let fits = |pattern: &Option<Pattern>| pattern.as_ref().is_none_or(|at| at.matches(event.method, event.path));
        self.excepted.iter().any(|(pattern, of)| *of == finding.detector && fits(pattern))
    }
}

/// Judges the objects of others that were opened, where their wait is over at `now_ms`; answers findings with the event of each.
pub fn settle_objects(
    memory: &mut Memory,
    common: &mut Common,
    settings: &Settings,
    now_ms: u64,
    (session, user): (&Session, u64),
) -> Vec<(Batch, Vec<Finding>)> {
    let Some(handed) = memory.handed.as_mut().filter(|handed| handed.is_waiting()) else { return Vec::new() };
    let Some(tuning) = settings.behaviours.get(Detector::BolaForeignObject) else { return Vec::new() };
    let told = &mut memory.told;
    let judged = bola_foreign_object::settle(handed, &mut common.ownership, now_ms, (session, user), tuning);
    let tell = |(batch, suspicions): (Batch, Vec<Suspicion>)| {
        let event = batch.event(0)?;
        let found = suspicions.into_iter().filter(|of| settings.behaviours.get(of.detector).is_some());
        let found = found.filter_map(|suspicion| told.tell(suspicion, &event));
        let found: Vec<Finding> = found.filter(|finding| !settings.excepts(finding, &event)).collect();
        Some((batch, found))
    };
    judged.into_iter().filter_map(tell).collect()
}

/// Shows an event of a route that learns whose is what, with the session's user as a hash; answers what looks wrong.
pub fn own(
    memory: &mut Memory,
    common: &mut Common,
    tuned: &Behaviours,
    (event, objects): (&Event<'_>, &Objects),
    (session, user): (&Session, u64),
) -> Vec<Suspicion> {
    if tuned.get(Detector::BolaForeignObject).is_none() || event.action >= Action::Throttle {
        return Vec::new();
    }
    let found =
        bola_foreign_object::observe(&mut memory.handed, &mut common.ownership, event, objects, (session, user));
    found.into_iter().filter(|suspicion| tuned.get(suspicion.detector).is_some()).collect()
}

impl Memory {
    /// Whether what an event carries is told of the session.
    pub fn tells(&mut self, event: &Event<'_>, carried: &Carried) -> bool {
        self.rogue_access.tells(event, carried)
    }

    /// When what waits is to be looked at, for an event of this time; `None` where no opening of an object waits.
    pub fn objects_due_ms(&self, time_ms: u64) -> Option<u64> {
        let handed = self.handed.as_ref().filter(|handed| handed.is_waiting());
        handed.map(|_| time_ms.saturating_add(bola_foreign_object::WAIT_MS))
    }

    /// What of it lies elsewhere, roughly, bytes.
    pub fn bytes(&self) -> usize {
        self.business.as_ref().map_or(0, |own| own.bytes()) + self.handed.as_ref().map_or(0, |own| own.bytes())
    }
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
