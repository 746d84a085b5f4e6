//! `FLOWS`: which endpoints belong to which part of the business, and in which order its steps are to be taken.

use serde::{Deserialize, Deserializer};

use super::parameters::check_name;
use super::watches::{duration, response};
use super::{Inline, OnError, Route};
use crate::flow::{Flow, Limit, MAX_KEPT, MAX_STEPS, Outcome, Step};
use crate::identity::Storing;
use crate::inventory::Pattern;
use crate::parameter::{ParamId, Parameters, Per};
use crate::verdict::Action;

/// The field at fault and what is wrong with it.
type Fault = (String, String);

/// Flows a deployment may have, with steps or without.
pub const MAX_FLOWS: usize = 64;
/// Endpoints of a flow without steps.
const MAX_ENDPOINTS: usize = 64;
const MAX_SECONDS: f64 = 86_400.0;
const MAX_COMPLETIONS: u32 = 100;
/// How long a step recorded by another isolate may be on its way: a flush waits a second, and may be tried again.
pub const GRACE_MS: u64 = 3_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFlow {
    name: String,
    #[serde(default)]
    endpoints: Vec<String>,
    #[serde(default)]
    steps: Vec<AnyStep>,
    min_seconds: Option<f64>,
    max_seconds: Option<f64>,
    #[serde(default)]
    keep: Vec<String>,
    limit: Option<RawLimit>,
    action: Option<Action>,
    r#for: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    at: String,
    #[serde(default)]
    optional: bool,
    repeat: Option<bool>,
    min_seconds: Option<f64>,
    max_seconds: Option<f64>,
    outcome: Option<RawOutcome>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutcome {
    status: Option<String>,
    param: Option<String>,
    equals: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    per: Option<Per>,
    window: String,
    completions: Option<u32>,
    abandoned: Option<u32>,
}

/// A step is its endpoint alone, or a table.
#[derive(Debug)]
struct AnyStep(RawStep);

impl<'de> Deserialize<'de> for AnyStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(at) => Ok(Self(RawStep { at, ..RawStep::default() })),
            table => RawStep::deserialize(table).map(Self).map_err(D::Error::custom),
        }
    }
}

/// An entry: a tag for endpoints, and for those with steps what is followed.
#[derive(Debug)]
pub struct Resolved {
    pub name: String,
    pub endpoints: Vec<Pattern>,
    pub machine: Option<Flow>,
}

fn fault<T>(field: &str, reason: impl Into<String>) -> Result<T, Fault> {
    Err((field.to_owned(), reason.into()))
}

fn pattern(field: &str, text: &str) -> Result<Pattern, Fault> {
    Pattern::parse(text).map_err(|reason| (field.to_owned(), reason))
}

fn millis(field: &str, seconds: Option<f64>) -> Result<Option<u64>, Fault> {
    match seconds {
        Some(s) if !(0.0..=MAX_SECONDS).contains(&s) => fault(field, format!("is {s}; use 0 to {MAX_SECONDS}")),
        seconds => Ok(seconds.map(|s| (s * 1_000.0).round() as u64)),
    }
}

impl RawFlow {
    /// Checks the whole entry. Steps are waited for unless one of them is on an inline route: then all are recorded
    /// before they are answered.
    pub fn resolve(self, parameters: &Parameters, routes: &[Route]) -> Result<Resolved, Fault> {
        check_name(&self.name)?;
        if self.endpoints.is_empty() == self.steps.is_empty() {
            return fault("steps", "or `endpoints`: a flow has either");
        }
        if self.endpoints.len() > MAX_ENDPOINTS {
            return fault("endpoints", format!("has more than {MAX_ENDPOINTS} entries"));
        }
        if !self.endpoints.is_empty() {
            let tagged = self.endpoints.iter().enumerate().map(|(i, e)| pattern(&format!("endpoints[{i}]"), e));
            let endpoints = tagged.collect::<Result<_, _>>()?;
            let others = [
                ("keep", !self.keep.is_empty()),
                ("limit", self.limit.is_some()),
                ("min_seconds", self.min_seconds.is_some()),
                ("max_seconds", self.max_seconds.is_some()),
                ("action", self.action.is_some()),
                ("for", self.r#for.is_some()),
            ];
            if let Some((field, _)) = others.into_iter().find(|(_, set)| *set) {
                return fault(field, "is for flows with steps");
            }
            return Ok(Resolved { name: self.name, endpoints, machine: None });
        }
        if self.name == "none" {
            return fault("name", "is for endpoints that belong to no flow");
        }
        let overall = (millis("min_seconds", self.min_seconds)?, millis("max_seconds", self.max_seconds)?);
        ordered(overall, "max_seconds")?;
        if self.steps.len() > MAX_STEPS {
            return fault("steps", format!("has {} entries; at most {MAX_STEPS} are taken", self.steps.len()));
        }
        let steps = self.steps.into_iter().enumerate().map(|(at, raw)| {
            raw.0.resolve(overall, parameters).map_err(|(field, reason)| (format!("steps[{at}].{field}"), reason))
        });
        let steps: Vec<Step> = steps.collect::<Result<_, _>>()?;
        if let Some((last, _)) = steps.iter().enumerate().next_back().filter(|(_, step)| step.optional) {
            return fault(&format!("steps[{last}].optional"), "is true: the last step is what completes a flow");
        }
        let machine = Flow {
            keep: kept(&self.keep, parameters)?,
            limit: self.limit.map(RawLimit::resolve).transpose()?,
            holds: self.r#for.is_some(),
            response: response(self.action, self.r#for.as_deref())?,
            grace_ms: if steps.iter().any(|step| inline_route(step, routes).is_some()) { 0 } else { GRACE_MS },
            name: self.name.clone(),
            steps,
        };
        let endpoints = machine.steps.iter().map(|step| step.at.clone()).collect();
        Ok(Resolved { name: self.name, endpoints, machine: Some(machine) })
    }
}

/// The inline route that a step may be on.
fn inline_route<'a>(step: &Step, routes: &'a [Route]) -> Option<&'a Route> {
    let (_, path) = step.text.split_once(' ').unwrap_or(("", ""));
    let is_on = |route: &Route| METHODS.iter().any(|m| step.at.matches(m, path) && route.pattern.matches(m, path));
    routes.iter().find(|route| route.inline && is_on(route))
}

/// How the steps of a flow are decided before they are sent on: as the route of one that is inline says, the strictest if
/// several are.
pub fn inline_of(flow: &Flow, routes: &[Route]) -> Option<Inline> {
    let inline = flow.steps.iter().filter_map(|step| inline_route(step, routes));
    let strictest = inline.max_by_key(|route| (route.on_error == OnError::Closed, route.deadline_ms));
    strictest.map(|route| Inline { judged: true, ..Inline::of(route) })
}

/// Methods by which a step may be on an inline route.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn ordered((min, max): (Option<u64>, Option<u64>), field: &str) -> Result<(), Fault> {
    match (min, max) {
        (Some(min), Some(max)) if max < min => fault(field, "is less than `min_seconds`"),
        _ => Ok(()),
    }
}

fn kept(names: &[String], parameters: &Parameters) -> Result<Vec<(ParamId, String)>, Fault> {
    if names.len() > MAX_KEPT {
        return fault("keep", format!("has {} entries; at most {MAX_KEPT} are taken", names.len()));
    }
    let kept = names.iter().enumerate().map(|(at, name)| match parameters.named(name) {
        Some((_, p)) if p.store == Storing::Drop => fault(&format!("keep[{at}]"), "is dropped, so it is not known"),
        Some((_, p)) if p.redact.is_some() => {
            fault(&format!("keep[{at}]"), "is redacted, so a change may not show; store it hashed")
        }
        Some((id, _)) => Ok((id, name.clone())),
        None => fault(&format!("keep[{at}]"), format!("`{name}` is not among PARAMETERS")),
    });
    kept.collect()
}

impl RawStep {
    fn resolve(self, overall: (Option<u64>, Option<u64>), parameters: &Parameters) -> Result<Step, Fault> {
        let min_ms = millis("min_seconds", self.min_seconds)?.or(overall.0);
        let max_ms = millis("max_seconds", self.max_seconds)?.or(overall.1);
        ordered((min_ms, max_ms), "max_seconds")?;
        let outcome = match self.outcome {
            None => Outcome::Status(200, 399),
            Some(raw) => raw.resolve(parameters).map_err(|(field, reason)| (format!("outcome.{field}"), reason))?,
        };
        let at = pattern("at", &self.at)?;
        Ok(Step { at, text: self.at, optional: self.optional, repeat: self.repeat, min_ms, max_ms, outcome })
    }
}

impl RawOutcome {
    fn resolve(self, parameters: &Parameters) -> Result<Outcome, Fault> {
        match (self.status, self.param, self.equals) {
            (Some(status), None, None) => match statuses(&status) {
                Some((from, to)) => Ok(Outcome::Status(from, to)),
                None => fault("status", format!("`{status}` is no status; write `201` or `2xx`")),
            },
            (None, Some(name), Some(equals)) => match parameters.named(&name) {
                Some((_, p)) if p.store != Storing::Plain || p.redact.is_some() => {
                    fault("param", "is not stored plain, so it cannot be compared")
                }
                Some((id, _)) => Ok(Outcome::Param(id, equals)),
                None => fault("param", format!("`{name}` is not among PARAMETERS")),
            },
            _ => fault("status", "alone, or `param` with `equals`: an outcome is either"),
        }
    }
}

fn statuses(text: &str) -> Option<(u16, u16)> {
    let (from, to) = match text.strip_suffix("xx") {
        Some(class) => class.parse::<u16>().ok().map(|class| (class * 100, class * 100 + 99))?,
        None => text.parse::<u16>().ok().map(|status| (status, status))?,
    };
    (100..600).contains(&from).then_some((from, to))
}

impl RawLimit {
    fn resolve(self) -> Result<Limit, Fault> {
        let window_ms = duration("limit.window", &self.window)?;
        if self.completions.is_none() && self.abandoned.is_none() {
            return fault("limit.completions", "is missing");
        }
        let counts = [("limit.completions", self.completions), ("limit.abandoned", self.abandoned)];
        for (field, count) in counts {
            if count.is_some_and(|count| !(1..=MAX_COMPLETIONS).contains(&count)) {
                return fault(field, format!("is not between 1 and {MAX_COMPLETIONS}"));
            }
        }
        Ok(Limit {
            per: self.per.unwrap_or(Per::Session),
            window_ms,
            completions: self.completions,
            abandoned: self.abandoned,
        })
    }
}
