//! A flow of the policy: its steps, and what may and may not happen between them.

use crate::detect::Response;
use crate::inventory::Pattern;
use crate::parameter::{ParamId, Per, Value};
use crate::verdict::Action;

/// Steps of a flow.
pub const MAX_STEPS: usize = 16;
/// Parameters that must stay the same.
pub const MAX_KEPT: usize = 8;

/// Steps that an endpoint may be, a bit for each: the same endpoint may be a step more than once.
pub type Steps = u16;

/// Ordered steps with rules.
#[derive(Debug, Clone)]
pub struct Flow {
    pub name: String,
    /// At most [`MAX_STEPS`]; the last one is required.
    pub steps: Vec<Step>,
    /// Values, with their names, that may not change from one step to a later one; at most [`MAX_KEPT`].
    pub keep: Vec<(ParamId, String)>,
    pub limit: Option<Limit>,
    pub response: Response,
    /// Whether the policy says for how long. Where it does not, a request that is stopped before it is sent on is all that
    /// is stopped.
    pub holds: bool,
    /// How long a step may arrive after one that followed it, ms. 0 where steps are recorded before they are answered.
    pub grace_ms: u64,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    pub at: Pattern,
    /// The pattern as it was written, for messages.
    pub text: String,
    /// The flow may go on without it.
    pub optional: bool,
    /// Whether it may be taken again: `None` says nothing, and then only the last step may not.
    pub repeat: Option<bool>,
    /// Time since the step before it, ms.
    pub min_ms: Option<u64>,
    pub max_ms: Option<u64>,
    /// What makes it done.
    pub outcome: Outcome,
}

/// What makes a step done. Whatever is not that neither advances the flow nor counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A status from the first to the second.
    Status(u16, u16),
    /// A status below 400, and a parameter that is shown as this text.
    Param(ParamId, String),
}

impl Outcome {
    /// Whether this answer, with these values in request and response, means that the step was done.
    pub fn is_done(&self, status: u16, values: &[(ParamId, Value)]) -> bool {
        match self {
            Self::Status(from, to) => (*from..=*to).contains(&status),
            Self::Param(id, text) => {
                let says = |(of, value): &(ParamId, Value)| of == id && value.to_string() == *text;
                (200..400).contains(&status) && values.iter().any(says)
            }
        }
    }
}

/// How often a flow may be completed, and how often left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub per: Per,
    pub window_ms: u64,
    /// Within the window; `None` for any number.
    pub completions: Option<u32>,
    /// Flows that may be begun in earnest (beyond their first step) and left in a day, in one session; `None` for any number.
    pub abandoned: Option<u32>,
}

/// What is wrong with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Violated {
    /// A required step before it was not taken.
    Skip,
    /// It was taken after a step that follows it.
    Reorder,
    /// It was taken again.
    Replay,
    /// It came sooner after the one before, or later, than it may.
    Speed,
    /// A value is not what it was.
    ChangedValue,
    /// Too many flows were begun and left.
    Abandoned,
    /// Completed too often.
    Limit,
}

impl Violated {
    /// The name answers use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Reorder => "reorder",
            Self::Replay => "replay",
            Self::Speed => "speed",
            Self::ChangedValue => "changed_value",
            Self::Abandoned => "abandoned",
            Self::Limit => "limit",
        }
    }

    pub(super) fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Flow {
    /// The steps an endpoint may be.
    pub fn steps_of(&self, method: &str, path: &str) -> Steps {
        let fits = self.steps.iter().take(MAX_STEPS).enumerate().filter(|(_, step)| step.at.matches(method, path));
        fits.fold(0, |all, (at, _)| all | 1 << at)
    }

    /// Those of `steps` that such an answer means are done.
    pub fn done(&self, steps: Steps, status: u16, values: &[(ParamId, Value)]) -> Steps {
        let done = |(at, step): &(usize, &Step)| steps >> at & 1 == 1 && step.outcome.is_done(status, values);
        self.steps.iter().take(MAX_STEPS).enumerate().filter(done).fold(0, |all, (at, _)| all | 1 << at)
    }

    /// Those of `steps` that a request with these values may come to do, whatever it is answered.
    pub fn may_do(&self, steps: Steps, values: &[(ParamId, Value)]) -> Steps {
        let may = |(at, step): &(usize, &Step)| {
            let says_otherwise = match &step.outcome {
                Outcome::Status(..) => false,
                Outcome::Param(id, text) => {
                    let mut said = values.iter().filter(|(of, _)| of == id).peekable();
                    said.peek().is_some() && said.all(|(_, value)| value.to_string() != *text)
                }
            };
            steps >> at & 1 == 1 && !says_otherwise
        };
        self.steps.iter().take(MAX_STEPS).enumerate().filter(may).fold(0, |all, (at, _)| all | 1 << at)
    }

    /// Whether requests are judged before they are sent on, because nothing has to be waited for.
    pub fn is_judged(&self) -> bool {
        self.grace_ms == 0 && self.response.action >= Action::Throttle
    }

    /// Whether the same last step twice at once counts twice: where the second is stopped beyond the limit, both that
    /// were not have done what is limited.
    pub fn counts_clicks(&self) -> bool {
        self.is_judged() && self.limit.is_some_and(|limit| limit.completions.is_some())
    }

    /// The number of the last step.
    pub(super) fn last(&self) -> u8 {
        // At most 16 steps.
        self.steps.len().clamp(1, MAX_STEPS) as u8 - 1
    }

    /// The step that completes it.
    pub fn last_step(&self) -> Steps {
        1 << self.last()
    }

    pub(super) fn step(&self, at: u8) -> Option<&Step> {
        self.steps.get(usize::from(at))
    }

    /// Required steps before this one.
    pub(super) fn required_before(&self, at: u8) -> Steps {
        let before = self.steps.iter().take(usize::from(at)).enumerate().filter(|(_, step)| !step.optional);
        before.fold(0, |all, (at, _)| all | 1 << at)
    }
}
