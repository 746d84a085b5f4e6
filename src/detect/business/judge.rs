//! What would be wrong with a request if it were let through: for inline routes, before it is sent on.
//!
//! Requests that were let through and whose outcome is not known yet are **under way**. They count as done where that
//! makes the next one wrong (a limit, a sum), so that of many at once no more pass than may; they do not count where it
//! would make it right (a step that has to be done before). Only rules that throttle or block are asked. Nothing is
//! changed here: what was stopped never happened, and what is let through counts when it is recorded.

use super::shared::Shared;
use super::{Detector, Finding, Keyed, Known, Memory, Seen, Settings, finding};
use crate::detect::Response;
use crate::flow::{Flow, FlowState, Sighting, Steps, Violated, Violation};
use crate::parameter::{Alarm, Kind, ParamStats, Past, Per, Watch, WatchState};
use crate::session::Evidence;
use crate::verdict::Action;

/// A rule the request would break, and what follows.
pub type Broken = (Finding, Response);

/// What the request `seen` would break. `memory` is what is remembered of its session.
pub fn judge(
    settings: &Settings,
    memory: Option<&Memory>,
    shared: &Shared,
    seen: &Seen<'_>,
    under_way: &[Seen<'_>],
    known: Known<'_>,
) -> Vec<Broken> {
    let case = Case { memory, shared, seen, under_way, known };
    let mut broken = Vec::new();
    for Keyed { key, rule } in settings.watches.iter().filter(|watch| watch.rule.response.action >= Action::Throttle) {
        if let Some(alarm) = case.watch(*key, rule) {
            let (found, response) = seen.alarmed(rule, &alarm, case.evidence());
            broken.push((found, only_the_request(response, rule.holds)));
        }
    }
    for Keyed { key, rule } in settings.flows.iter().filter(|flow| flow.rule.is_judged()) {
        let violations = case.flow(*key, rule);
        broken.extend(violations.into_iter().map(|v| (case.violated(v), only_the_request(rule.response, rule.holds))));
    }
    broken
}

fn only_the_request(response: Response, holds: bool) -> Response {
    Response { for_ms: if holds { response.for_ms } else { 0 }, ..response }
}

struct Case<'a, 'b, 'k> {
    memory: Option<&'a Memory>,
    shared: &'a Shared,
    seen: &'a Seen<'b>,
    under_way: &'a [Seen<'b>],
    known: Known<'k>,
}

impl Case<'_, '_, '_> {
    fn is_shared(&self, per: Per, other: &Seen<'_>) -> bool {
        match per {
            Per::Session => other.event.session == self.seen.event.session,
            _ => other.subject(per) == self.seen.subject(per),
        }
    }

    fn watch(&self, key: u32, rule: &Watch) -> Option<Alarm> {
        if !self.seen.concerns(rule) {
            return None;
        }
        let nothing = ParamStats::default();
        let is_own = rule.per == Per::Session || rule.kind == Kind::Spike;
        let subject = self.seen.subject(rule.per);
        if !is_own && subject.is_empty() {
            return None;
        }
        let mut state: WatchState = match (is_own, self.memory) {
            (true, Some(memory)) => memory.watch(key).cloned().unwrap_or_default(),
            (true, None) => WatchState::default(),
            (false, _) => self.shared.watch(key, subject, self.seen.hash).cloned().unwrap_or_default(),
        };
        let own = (self.known.stats)(&rule.name).unwrap_or(&nothing);
        let past = Past { own, population: self.shared.population(key, self.seen) };
        for other in self.under_way.iter().filter(|other| self.is_shared(rule.per, other) && other.concerns(rule)) {
            other.watch(rule, &mut state, past);
        }
        state.rearm();
        self.seen.watch(rule, &mut state, past)
    }

    fn flow(&self, key: u32, rule: &Flow) -> Vec<Violation> {
        let steps = steps_of(rule, self.seen);
        if steps == 0 {
            return Vec::new();
        }
        let time_ms = self.seen.event.time_ms;
        let known_since_ms = self.known.since_ms;
        let of_session = self.under_way.iter().filter(|other| self.is_shared(Per::Session, other));
        let before: Vec<Sighting<'_>> = of_session
            .map(|other| Sighting {
                steps: steps_of(rule, other),
                values: &other.values,
                time_ms: other.event.time_ms,
                known_since_ms,
            })
            .collect();
        let attempt = Sighting { steps, values: &self.seen.values, time_ms, known_since_ms };
        let fresh = FlowState::default();
        let state = self.memory.and_then(|memory| memory.flow(key)).unwrap_or(&fresh);
        let mut violations = state.would_violate(rule, &attempt, &before, self.seen.hash);
        violations.extend(self.exceeds(key, rule, steps));
        violations
    }

    /// A limit on completions of users, addresses or countries.
    fn exceeds(&self, key: u32, rule: &Flow, steps: Steps) -> Option<Violation> {
        let per = rule.limit.map(|limit| limit.per).filter(|per| *per != Per::Session)?;
        let subject = self.seen.subject(per);
        if subject.is_empty() || steps & rule.last_step() == 0 {
            return None;
        }
        let others = self.under_way.iter().filter(|other| self.is_shared(per, other));
        let others = others.filter(|other| steps_of(rule, other) & rule.last_step() != 0);
        let times: Vec<u64> = others.map(|other| other.event.time_ms).collect();
        let completions = self.shared.completions(key, subject, self.seen.hash).cloned().unwrap_or_default();
        completions.would_exceed(rule, &times, self.seen.event.time_ms)
    }

    fn violated(&self, violation: Violation) -> Finding {
        let is_speed = violation.kind == Violated::Speed;
        let detector = if is_speed { Detector::FlowSpeed } else { Detector::FlowViolation };
        let event = self.seen.event;
        Finding {
            value: violation.value,
            baseline: violation.baseline,
            message: violation.message,
            evidence: self.evidence(),
            ..finding(event.id, event.session, detector)
        }
    }

    /// What the session did before, and the request itself.
    fn evidence(&self) -> Vec<Evidence> {
        let event = self.seen.event;
        let what = [event.method, " ", event.path, ", not sent on"].concat();
        let this = Evidence { request: event.id, time_ms: event.time_ms, what };
        self.memory.map_or(&[][..], Memory::trail).iter().cloned().chain([this]).collect()
    }
}

fn steps_of(rule: &Flow, seen: &Seen<'_>) -> Steps {
    rule.may_do(rule.steps_of(seen.event.method, seen.event.path), &seen.values)
}
