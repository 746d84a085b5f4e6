//! Business: watches on parameters, machines of flows and surges of regions, as a shard applies them to events.
//!
//! What concerns one session is kept with it ([`Memory`]); what concerns a user, an address, a country or everybody is
//! kept by the shard ([`Shared`]), of those events it has: with several shards each counts its own. The rules
//! themselves are elsewhere (`src/parameter/watch.rs`, `src/flow/`, `surge.rs`): here is which event goes to which.

mod judge;
mod memory;
mod shared;
mod surge;

pub use judge::judge;
pub use memory::Memory;
pub use shared::Shared;

use std::rc::Rc;

use super::Response;
use crate::flow::{Flow, Steps, Tags};
use crate::parameter::{
    Alarm, Kind, Names, Of, ParamId, ParamStats, Past, Per, TOKEN_SUBJECT, Value, Watch, WatchState,
};
use crate::session::{Detector, Event, EventId, Evidence, Finding, SessionId, Severity, text_of};
use crate::subject::SubjectHash;
use crate::verdict::{Action, Subject};

/// How long the outcome of a request that was let through is waited for, unless the policy has its own limit, ms.
const DEFAULT_PATIENCE_MS: u64 = 60_000;

/// A finding, and what an enforcing deployment does about it.
pub type Told = (Finding, Response);

/// What the policy says about the business.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    names: Vec<Box<str>>,
    watches: Vec<Keyed<Watch>>,
    flows: Vec<Keyed<Flow>>,
    tags: Rc<Tags>,
    /// What follows from a surge; `None` where none is looked for.
    surge: Option<Response>,
    /// How long the outcome of a request that was let through is waited for, ms.
    patience_ms: u64,
    /// Whether some watch is about who is calling, so that events without values matter too.
    watches_names: bool,
}

/// A rule with the number its states are kept by: another rule has another, whatever the order in the policy.
#[derive(Debug, Clone)]
struct Keyed<T> {
    key: u32,
    rule: T,
}

impl Settings {
    /// `names` are those of parameters by the numbers that watches and flows know them by.
    pub fn new(
        names: Vec<Box<str>>,
        watches: Vec<Watch>,
        flows: Vec<Flow>,
        tags: Rc<Tags>,
        surge: Option<Response>,
    ) -> Self {
        Self {
            names,
            watches_names: watches.iter().any(|watch| watch.kind == Kind::Discrepancy),
            watches: watches.into_iter().map(|rule| Keyed { key: key_of_watch(&rule), rule }).collect(),
            flows: flows.into_iter().map(|rule| Keyed { key: key_of_flow(&rule), rule }).collect(),
            tags,
            surge,
            patience_ms: DEFAULT_PATIENCE_MS,
        }
    }

    /// The same, where outcomes come within `patience_ms` or not at all.
    pub fn with_patience(self, patience_ms: u64) -> Self {
        Self { patience_ms, ..self }
    }

    /// How long the outcome of a request that was let through is waited for, ms.
    pub fn patience_ms(&self) -> u64 {
        self.patience_ms
    }

    /// What tells flows.
    pub fn tags(&self) -> &Rc<Tags> {
        &self.tags
    }

    /// Whether any rule may stop a request before it is sent on.
    pub fn judges(&self) -> bool {
        self.watches.iter().any(|watch| watch.rule.response.action >= Action::Throttle)
            || self.flows.iter().any(|flow| flow.rule.is_judged())
    }

    /// Whether any rule counts for more than a session.
    pub fn is_shared(&self) -> bool {
        self.watches.iter().any(|watch| watch.rule.per != Per::Session)
            || self.flows.iter().any(|flow| flow.rule.limit.is_some_and(|limit| limit.per != Per::Session))
    }

    /// How long steps may wait to be judged, ms; 0 where there are no flows.
    pub fn grace_ms(&self) -> u64 {
        self.flows.iter().map(|flow| flow.rule.grace_ms).max().unwrap_or(0)
    }

    /// Whether no rule looks at the event.
    pub fn passes_over(&self, event: &Event<'_>) -> bool {
        // A request that was stopped here never reached the origin.
        event.action >= Action::Throttle || (event.params.is_empty() && self.flows.is_empty() && !self.watches_names)
    }

    /// The event's values by the numbers of their names; names the policy no longer has are passed over.
    fn values(&self, event: &Event<'_>) -> Vec<(ParamId, Value)> {
        let number = |name: &str| self.names.iter().position(|known| **known == *name);
        // A policy has at most 256 names.
        event.params.iter().filter_map(|(name, value)| Some((ParamId(number(name)? as u16), value.clone()))).collect()
    }
}

fn key_of_watch(watch: &Watch) -> u32 {
    let numbers = [watch.kind as u64, watch.of as u64, watch.per as u64, watch.window_ms, watch.above.to_bits()];
    let numbers = numbers.into_iter().flat_map(u64::to_le_bytes);
    fingerprint(watch.name.bytes().chain(numbers).chain(watch.currency.to_string().into_bytes()))
}

fn key_of_flow(flow: &Flow) -> u32 {
    let steps = flow.steps.iter().flat_map(|step| step.text.bytes().chain([0]));
    fingerprint(flow.name.bytes().chain([0]).chain(steps))
}

/// FNV-1a: rules are the policy's own, nobody chooses them to collide.
fn fingerprint(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What is known of a session when an event comes.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// What it sent before, by the names of parameters.
    pub stats: &'a dyn Fn(&str) -> Option<&'a ParamStats>,
    /// Since when it is known without a gap, epoch ms; `None` from its beginning.
    pub since_ms: Option<u64>,
}

/// An event as the rules look at it.
#[derive(Debug)]
pub struct Seen<'a> {
    event: &'a Event<'a>,
    values: Vec<(ParamId, Value)>,
    /// Who made it, as far as it or its session tells; else empty.
    user: &'a str,
    session: String,
    address: String,
    hash: &'a SubjectHash,
}

impl<'a> Seen<'a> {
    /// `user` is the one its session had at the time.
    pub fn new(event: &'a Event<'a>, user: &'a str, settings: &Settings, hash: &'a SubjectHash) -> Self {
        let user = if event.confirmed_user().is_empty() { user } else { event.confirmed_user() };
        let address = event.ip.map_or_else(String::new, |ip| Subject::client(ip).to_string());
        Self { event, values: settings.values(event), user, session: event.session.to_string(), address, hash }
    }

    /// Whose values are counted together, by name; empty where that is not known, or is the session.
    fn subject(&self, per: Per) -> &str {
        match per {
            Per::Session => "",
            Per::User => self.user,
            Per::Ip => &self.address,
            Per::Country => self.event.country,
        }
    }

    /// Whether the watch has anything to look at.
    fn concerns(&self, watch: &Watch) -> bool {
        watch.kind == Kind::Discrepancy || self.values.iter().any(|(id, _)| Some(*id) == watch.parameter)
    }

    /// Shows the event to a watch.
    fn watch(&self, watch: &Watch, state: &mut WatchState, past: Past<'_>) -> Option<Alarm> {
        let time_ms = self.event.time_ms;
        if watch.kind == Kind::Discrepancy {
            // Users count where they were named, sessions of a user as long as they are its.
            let user = if watch.of == Of::Users { self.event.confirmed_user() } else { self.user };
            let (session, address, country) = (self.session.as_str(), self.address.as_str(), self.event.country);
            let subject =
                if watch.of == Of::Subject { self.event.params.of(TOKEN_SUBJECT).map(text_of).last() } else { None };
            let names = Names { user, subject: subject.unwrap_or(""), session, address, country };
            return state.observe_names(watch, &names, time_ms, self.hash);
        }
        // A sum is what was spent, not what was tried: a card that was declined cost nothing.
        if watch.kind == Kind::Velocity && watch.of == Of::Sum && self.event.status >= 400 {
            return None;
        }
        let mut alarm = None;
        for (_, value) in self.values.iter().filter(|(id, _)| Some(*id) == watch.parameter) {
            alarm = state.observe(watch, value, time_ms, past, self.hash).or(alarm);
        }
        alarm
    }

    /// The steps of a flow that it may be, and those that are done with it.
    fn steps(&self, flow: &Flow) -> (Steps, Steps) {
        let steps = flow.steps_of(self.event.method, self.event.path);
        (steps, if steps == 0 { 0 } else { flow.done(steps, self.event.status, &self.values) })
    }

    fn alarmed(&self, watch: &Watch, alarm: &Alarm, evidence: Vec<Evidence>) -> Told {
        let per = match watch.per {
            Per::Session => "",
            Per::User => " (user)",
            Per::Ip => " (address)",
            Per::Country => " (country)",
        };
        let (detector, confidence) = match watch.kind {
            Kind::Threshold => (Detector::ParamThreshold, 0.6),
            Kind::Spike => (Detector::ParamSpike, 0.6),
            Kind::Velocity => (Detector::ParamVelocity, 0.7),
            Kind::Distinct => (Detector::ParamDistinct, 0.8),
            Kind::Discrepancy => (Detector::IdentityDiscrepancy, 0.7),
        };
        let finding = Finding {
            confidence,
            value: alarm.value,
            baseline: alarm.baseline,
            message: [alarm.message.as_str(), per].concat(),
            evidence,
            ..finding(self.event.id, self.event.session, detector)
        };
        (finding, watch.response)
    }
}

/// A finding of medium severity that says nothing yet.
fn finding(request: EventId, session: SessionId, detector: Detector) -> Finding {
    Finding {
        request,
        session,
        time_ms: request.time_ms(),
        detector,
        severity: Severity::Medium,
        confidence: 0.7,
        risk_added: 0,
        value: 0.0,
        baseline: 0.0,
        message: String::new(),
        place: String::new(),
        evidence: Vec::new(),
        reasons: Vec::new(),
        action: Action::Tag,
        would: Action::Tag,
    }
}

/// The state of a rule, new where it has none yet.
fn state_of<T: Default>(all: &mut Vec<(u32, T)>, key: u32) -> Option<&mut T> {
    if !all.iter().any(|(of, _)| *of == key) {
        all.reserve_exact(1);
        all.push((key, T::default()));
    }
    all.iter_mut().find(|(of, _)| *of == key).map(|(_, state)| state)
}
