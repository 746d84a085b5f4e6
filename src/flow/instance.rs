//! One run through a flow: a cart, a tab, a form. What was done of it, when, with which values; and what would be wrong
//! with the next step.

use serde::{Deserialize, Serialize};

use super::plan::{Flow, Steps, Violated};

/// The same step again within this long is a double click, ms.
const DOUBLE_CLICK_MS: u64 = 1_000;

/// A value that must stay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Which of the flow's kept parameters it is.
    pub which: u8,
    /// The step it was last told at.
    pub step: u8,
    pub digest: u32,
    /// The amount, where it is one: for the message.
    pub amount: Option<f64>,
}

/// A step as it is about to be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Move {
    pub time_ms: u64,
    /// What it may be.
    pub steps: Steps,
    /// Kept values it tells; their `step` means nothing yet.
    pub kept: Vec<Kept>,
    /// Whether everything the session did before is known.
    pub certain: bool,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Instance {
    /// Steps done.
    pub done: Steps,
    /// The last step that was done, and when, epoch ms.
    pub step: u8,
    pub time_ms: u64,
    /// The last step of the flow was done.
    pub completed: bool,
    /// The last step came twice at once.
    pub clicked: bool,
    /// Violations raised already, a bit for each.
    pub raised: u8,
    /// Values, in no order; one for each kept parameter at most.
    pub kept: Vec<Kept>,
}

/// What a step would be to a run, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It goes on.
    Next,
    /// The same or an earlier step, which is not wrong: another item, the back button.
    Again,
    /// The same request twice.
    DoubleClick,
    Wrong,
}

/// A step judged against a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub step: u8,
    pub fit: Fit,
    /// What is wrong with it, a bit for each [`Violated`].
    pub faults: u8,
    /// Kept values that are what they were.
    pub equal: u32,
}

impl Judged {
    pub fn has(&self, violated: Violated) -> bool {
        self.faults & violated.bit() != 0
    }
}

impl Instance {
    /// A run that begins with `step`; `done` is what is taken to be done before.
    pub fn begin(step: u8, done: Steps, made: &Move) -> Self {
        let mut this =
            Self { done, step, time_ms: made.time_ms, completed: false, clicked: false, raised: 0, kept: Vec::new() };
        this.take(step, made);
        this
    }

    /// Notes that the step was done.
    pub fn take(&mut self, step: u8, made: &Move) {
        self.done |= 1 << step;
        (self.step, self.time_ms, self.clicked) = (step, self.time_ms.max(made.time_ms), false);
        for value in &made.kept {
            match self.kept.iter_mut().find(|kept| kept.which == value.which) {
                // What an earlier step said is what holds, also after a violation.
                Some(kept) if kept.step < step => {}
                Some(kept) => *kept = Kept { step, ..*value },
                None => {
                    self.kept.reserve_exact(1);
                    self.kept.push(Kept { step, ..*value });
                }
            }
        }
    }

    /// The best that the step can be to this run, of all it may be.
    pub fn judge(&self, flow: &Flow, made: &Move) -> Option<Judged> {
        let steps = (0..=flow.last()).filter(|step| made.steps >> step & 1 == 1);
        steps.map(|step| self.judge_as(flow, step, made)).min_by_key(|j| (j.faults.count_ones(), j.fit, j.step))
    }

    fn judge_as(&self, flow: &Flow, step: u8, made: &Move) -> Judged {
        let missing = flow.required_before(step) & !self.done;
        let was_done = self.done >> step & 1 == 1;
        let is_last = step == flow.last();
        let rules = flow.step(step);
        let gap = made.time_ms.saturating_sub(self.time_ms);
        let may_repeat = rules.and_then(|rules| rules.repeat);
        let pairs = || made.kept.iter().filter_map(|new| Some((new, self.kept.iter().find(|k| k.which == new.which)?)));
        let equal = pairs().filter(|(new, kept)| new.digest == kept.digest).count();
        let differ = pairs().count() - equal;
        let at_once = self.step == step && gap <= DOUBLE_CLICK_MS && !self.clicked && differ == 0;
        let mut faults = 0;
        let fit = if was_done && at_once {
            Fit::DoubleClick
        } else if was_done {
            let again = may_repeat.unwrap_or(!is_last);
            faults |= if again { 0 } else { Violated::Replay.bit() };
            if again { Fit::Again } else { Fit::Wrong }
        } else if missing != 0 {
            faults |= Violated::Skip.bit();
            Fit::Wrong
        } else if self.done >> step != 0 && rules.is_some_and(|rules| !rules.optional) {
            faults |= Violated::Reorder.bit();
            Fit::Wrong
        } else {
            if rules.is_some_and(|r| r.min_ms.is_some_and(|min| gap < min) || r.max_ms.is_some_and(|max| gap > max)) {
                faults |= Violated::Speed.bit();
            }
            Fit::Next
        };
        if pairs().any(|(new, kept)| kept.step < step && kept.digest != new.digest) {
            faults |= Violated::ChangedValue.bit();
        }
        // A completed run in which no value is the same is another's: paying for something else is no replay.
        if self.completed && equal == 0 && differ > 0 {
            faults = (faults & !Violated::Replay.bit()) | Violated::Skip.bit();
        }
        Judged { step, fit, faults, equal: equal as u32 }
    }

    /// The kept parameter that is not what it was, with what it is and was.
    pub fn changed(&self, step: u8, made: &Move) -> Option<(u8, Option<f64>, Option<f64>)> {
        made.kept.iter().find_map(|new| {
            let kept = self.kept.iter().find(|kept| kept.which == new.which)?;
            (kept.step < step && kept.digest != new.digest).then_some((new.which, new.amount, kept.amount))
        })
    }
}
