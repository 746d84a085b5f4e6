//! What is remembered of one session: states of watches and flows, and the events that led to them.

use serde::{Deserialize, Serialize};

use super::shared::Shared;
use super::{Keyed, Known, Seen, Settings, Told, finding, state_of};
use crate::flow::{Flow, FlowState, Sighting, Violated, Violation};
use crate::parameter::{Kind, ParamStats, Past, Per, WatchState};
use crate::session::{Detector, Evidence, Finding, SessionId};

/// Events shown with a finding.
const MAX_TRAIL: usize = 10;
/// Requests that were stopped for the same kind of rule within this long are told once, ms.
const STOPPED_AGAIN_MS: u64 = 60_000;
/// A session is told once within this long that it belongs to a surge, ms.
const SURGE_AGAIN_MS: u64 = 3_600_000;

/// States by the keys of their rules, at most one for each rule of the policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    watches: Vec<(u32, WatchState)>,
    flows: Vec<(u32, FlowState)>,
    /// The last events that a rule looked at, oldest first.
    trail: Vec<Evidence>,
    surge_ms: u64,
    /// When requests were last stopped for each kind of rule, epoch ms.
    stopped: Vec<(Detector, u64)>,
}

impl Memory {
    /// Whether a step waits to be judged.
    pub fn is_waiting(&self) -> bool {
        self.flows.iter().any(|(_, state)| state.is_waiting())
    }

    /// The events that rules looked at last, oldest first.
    pub(super) fn trail(&self) -> &[Evidence] {
        &self.trail
    }

    /// What a watch remembers.
    pub(super) fn watch(&self, key: u32) -> Option<&WatchState> {
        self.watches.iter().find(|(of, _)| *of == key).map(|(_, state)| state)
    }

    /// What a flow remembers.
    pub(super) fn flow(&self, key: u32) -> Option<&FlowState> {
        self.flows.iter().find(|(of, _)| *of == key).map(|(_, state)| state)
    }

    /// Whether it is to be told that a request was stopped for what `detector` found.
    pub fn tells_stop(&mut self, detector: Detector, now_ms: u64) -> bool {
        match self.stopped.iter_mut().find(|(of, _)| *of == detector) {
            Some((_, told_ms)) if now_ms.abs_diff(*told_ms) < STOPPED_AGAIN_MS => return false,
            Some((_, told_ms)) => *told_ms = now_ms,
            None => self.stopped.push((detector, now_ms)),
        }
        true
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        // A watch counts in ten parts, a flow has a few runs.
        let (watch, flow) = (size_of::<(u32, WatchState)>() + 400, size_of::<(u32, FlowState)>() + 400);
        let trail: usize = self.trail.iter().map(|event| size_of::<Evidence>() + event.what.len()).sum();
        size_of::<Self>() + self.watches.len() * watch + self.flows.len() * flow + trail
    }

    /// Shows an event to the rules about single sessions.
    pub fn observe(&mut self, shared: &Shared, settings: &Settings, seen: &Seen<'_>, known: Known<'_>) -> Vec<Told> {
        let is_step = settings.flows.iter().any(|flow| seen.steps(&flow.rule).0 != 0);
        if is_step || settings.watches.iter().any(|watch| seen.concerns(&watch.rule)) {
            if self.trail.len() >= MAX_TRAIL {
                self.trail.remove(0);
            }
            self.trail.push(Evidence::of(seen.event));
        }
        let mut told = Vec::new();
        let nothing = ParamStats::default();
        for Keyed { key, rule } in &settings.watches {
            // A spike is one against the session's own past, whoever it is told of.
            if (rule.per != Per::Session && rule.kind != Kind::Spike) || !seen.concerns(rule) {
                continue;
            }
            let own = (known.stats)(&rule.name).unwrap_or(&nothing);
            let past = Past { own, population: shared.population(*key, seen) };
            let Some(state) = state_of(&mut self.watches, *key) else { continue };
            if let Some(alarm) = seen.watch(rule, state, past) {
                told.push(seen.alarmed(rule, &alarm, self.trail.clone()));
            }
        }
        self.watches.retain(|(_, state)| *state != WatchState::default());
        let time_ms = seen.event.time_ms;
        for Keyed { key, rule } in &settings.flows {
            let (_, steps) = seen.steps(rule);
            let is_waiting = self.flows.iter().any(|(of, state)| of == key && state.is_waiting());
            if steps == 0 && !is_waiting {
                continue;
            }
            let Some(state) = state_of(&mut self.flows, *key) else { continue };
            let observed = if steps == 0 {
                state.settle(rule, time_ms)
            } else {
                let values = seen.values.as_slice();
                state.observe(rule, &Sighting { steps, values, time_ms, known_since_ms: known.since_ms }, seen.hash)
            };
            told.extend(self.violations(rule, observed.violations, seen.event.session));
        }
        told
    }

    /// Judges the steps whose wait is over at `now_ms`.
    pub fn settle(&mut self, settings: &Settings, session: SessionId, now_ms: u64) -> Vec<Told> {
        let mut told = Vec::new();
        for Keyed { key, rule } in &settings.flows {
            let Some((_, state)) = self.flows.iter_mut().find(|(of, _)| of == key) else { continue };
            let observed = state.settle(rule, now_ms);
            told.extend(self.violations(rule, observed.violations, session));
        }
        told
    }

    fn violations(&self, flow: &Flow, violations: Vec<Violation>, session: SessionId) -> Vec<Told> {
        let told = violations.into_iter().filter_map(|violation| {
            // The step itself; one from longer ago than is remembered is told with the last.
            let at = self.trail.iter().rev().find(|event| event.time_ms == violation.time_ms);
            let event = at.or(self.trail.last())?;
            let is_speed = violation.kind == Violated::Speed;
            let detector = if is_speed { Detector::FlowSpeed } else { Detector::FlowViolation };
            let finding = Finding {
                time_ms: violation.time_ms,
                value: violation.value,
                baseline: violation.baseline,
                message: violation.message,
                evidence: self.trail.clone(),
                ..finding(event.request, session, detector)
            };
            Some((finding, flow.response))
        });
        told.collect()
    }

    /// Whether the session is to be told that it belongs to a surge.
    pub fn joins_surge(&mut self, now_ms: u64) -> bool {
        let is_news = self.surge_ms == 0 || now_ms.abs_diff(self.surge_ms) >= SURGE_AGAIN_MS;
        if is_news {
            self.surge_ms = now_ms;
        }
        is_news
    }
}
