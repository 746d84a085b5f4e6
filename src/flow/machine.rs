//! One session's way through a flow.
//!
//! A session may be in several runs of a flow at once: tabs, carts. A step that was done is taken to belong to the run
//! to which it does the least wrong, so that nobody is accused of what another tab explains; values that are kept tell
//! runs apart best. What counts are steps that were done: a card that was declined, a form that was refused and a page
//! that was not found change nothing.
//!
//! **Innocent behaviour that must not fire**: a slow buyer (nothing is too slow unless the policy says so), the back
//! button (an earlier step again is no fault, and what it says now holds), a retry after a failure, a double click, two
//! tabs, a run that began before anything was recorded (`known_since_ms`), a link into an optional step.
//!
//! Flushes of two isolates may arrive in either order. So steps wait for [`Flow::grace_ms`] and are played in the order
//! of their times; what comes later still is counted and passed over. Where steps are recorded before they are answered
//! there is nothing to wait for.

use serde::{Deserialize, Serialize};

use super::instance::{Fit, Instance, Judged, Kept, Move};
use super::plan::{Flow, Steps, Violated};
use crate::parameter::{ParamId, Per, Value};
use crate::subject::SubjectHash;

/// Runs at once.
const MAX_OPEN: usize = 4;
/// Steps that wait; more than that at once are played early.
const MAX_WAITING: usize = 16;
/// A run that was left for this long is over, and a session that is known for this long is known well enough, ms.
const HORIZON_MS: u64 = 24 * 3_600_000;
/// Within which runs that were left are counted, ms.
const ABANDONED_MS: u64 = HORIZON_MS;

/// What is remembered of one session and one flow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FlowState {
    open: Vec<Instance>,
    /// Steps that wait, in the order of their times.
    waiting: Vec<Move>,
    /// Time of the newest step that was played, epoch ms.
    played_ms: u64,
    /// Time of the newest step of all, epoch ms.
    newest_ms: u64,
    /// Steps done in runs that had to be forgotten: who comes back to one is not accused of having skipped them.
    forgotten: Steps,
    completions: Completions,
    abandoned: Completions,
    /// Steps that came too late to be judged.
    late: u32,
}

/// One exchange that may be a step.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// What it may be, of what was done: [`Flow::steps_of`], then [`Flow::done`].
    pub steps: Steps,
    /// What request and response hold.
    pub values: &'a [(ParamId, Value)],
    pub time_ms: u64,
    /// Since when the session is known without a gap, epoch ms; `None` from its very beginning. A session whose key
    /// was in use before the deployment, or whose state was lost, is known since then.
    pub known_since_ms: Option<u64>,
}

/// Something was wrong with a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    pub kind: Violated,
    /// Number of the step, from 0.
    pub step: u8,
    pub time_ms: u64,
    /// What was measured and what it was compared with: seconds for speed, amounts for a changed value (0 where it is
    /// none), counts for the others, numbers of steps (from 1) for order.
    pub value: f64,
    pub baseline: f64,
    pub message: String,
}

/// What a sighting led to. It may be about earlier ones too, whose wait was over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    pub violations: Vec<Violation>,
    /// When runs were completed, epoch ms: for limits per user, address or country.
    pub completed_ms: Vec<u64>,
}

/// How often something happened of late, up to a limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Completions {
    /// Times, epoch ms, oldest first; one more than the limit at most.
    times: Vec<u64>,
    raised_ms: u64,
}

impl Completions {
    /// What would be wrong with one more completion at `time_ms`, after those at the times `under_way`.
    pub fn would_exceed(&self, flow: &Flow, under_way: &[u64], time_ms: u64) -> Option<Violation> {
        let mut then = self.clone();
        for other in under_way {
            then.complete(flow, *other);
        }
        then.raised_ms = 0;
        then.complete(flow, time_ms)
    }

    /// Takes in that the subject whose completions these are completed the flow at `time_ms`; answers what is wrong
    /// with that by the flow's limit.
    pub fn complete(&mut self, flow: &Flow, time_ms: u64) -> Option<Violation> {
        let limit = flow.limit?;
        let most = limit.completions?;
        let count = self.add(most, limit.window_ms, time_ms)?;
        Some(counted(flow, Violated::Limit, flow.last(), time_ms, count, most))
    }

    /// Takes in that it happened at `time_ms`; answers how often it did within the window when that is more than
    /// `limit`, once a window. Times may come in any order. One more than the limit stands for any number.
    pub fn add(&mut self, limit: u32, window_ms: u64, time_ms: u64) -> Option<u32> {
        let at = self.times.partition_point(|known| *known <= time_ms);
        self.times.insert(at, time_ms);
        let newest = self.times.last().copied().unwrap_or(time_ms);
        self.times.retain(|time| time.saturating_add(window_ms) > newest);
        // One more than the limit at most; limits are small.
        let count = self.times.len() as u32;
        if count <= limit {
            return None;
        }
        self.times.remove(0);
        let is_news = self.raised_ms == 0 || time_ms.abs_diff(self.raised_ms) >= window_ms;
        is_news.then(|| {
            self.raised_ms = time_ms;
            count
        })
    }
}

impl FlowState {
    /// Takes in what may be a step. Nothing happens where `steps` is empty.
    pub fn observe(&mut self, flow: &Flow, seen: &Sighting<'_>, hash: &SubjectHash) -> Observed {
        let mut observed = Observed::default();
        if seen.steps == 0 {
            return observed;
        }
        let made = read(flow, seen, hash);
        if flow.grace_ms == 0 {
            self.play(flow, &made, &mut observed);
            return observed;
        }
        self.newest_ms = self.newest_ms.max(made.time_ms);
        if made.time_ms < self.played_ms {
            self.late = self.late.saturating_add(1);
        } else {
            let at = self.waiting.partition_point(|other| other.time_ms <= made.time_ms);
            self.waiting.insert(at, made);
        }
        self.play_until(flow, self.newest_ms, &mut observed);
        observed
    }

    /// Plays what has waited long enough at `now_ms`.
    pub fn settle(&mut self, flow: &Flow, now_ms: u64) -> Observed {
        let mut observed = Observed::default();
        self.play_until(flow, now_ms, &mut observed);
        observed
    }

    /// Whether steps wait to be played.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Steps that came too late to be judged.
    pub fn late(&self) -> u32 {
        self.late
    }

    /// Whether nothing in it matters any more at `now_ms`.
    pub fn is_over(&self, flow: &Flow, now_ms: u64) -> bool {
        let window = flow.limit.map_or(0, |limit| limit.window_ms).max(HORIZON_MS);
        self.waiting.is_empty() && now_ms > self.played_ms.saturating_add(window)
    }

    /// What would be wrong with a step if it were done, while others are under way whose outcome nobody knows yet: for
    /// decisions before the request is sent on. Violations that were raised before are told again.
    pub fn would_violate(
        &self,
        flow: &Flow,
        seen: &Sighting<'_>,
        under_way: &[Sighting<'_>],
        hash: &SubjectHash,
    ) -> Vec<Violation> {
        if seen.steps == 0 {
            return Vec::new();
        }
        let mut violations = self.after(flow, &[], seen, hash);
        if !under_way.is_empty() {
            // What is under way may still fail: it counts where it makes something wrong, and not where it would make
            // something right, such as a step that has to be done before.
            let more = self.after(flow, under_way, seen, hash);
            let known: Vec<Violated> = violations.iter().map(|violation| violation.kind).collect();
            violations.extend(more.into_iter().filter(|violation| !known.contains(&violation.kind)));
        }
        violations
    }

    fn after(&self, flow: &Flow, before: &[Sighting<'_>], seen: &Sighting<'_>, hash: &SubjectHash) -> Vec<Violation> {
        let mut then = self.clone();
        then.settle(flow, u64::MAX);
        for other in before.iter().filter(|other| other.steps != 0) {
            then.play(flow, &read(flow, other, hash), &mut Observed::default());
        }
        then.open.iter_mut().for_each(|run| run.raised = 0);
        then.completions.raised_ms = 0;
        let mut observed = Observed::default();
        then.play(flow, &read(flow, seen, hash), &mut observed);
        // Runs that were left are not this request's fault.
        observed.violations.retain(|violation| violation.kind != Violated::Abandoned);
        observed.violations
    }

    fn play_until(&mut self, flow: &Flow, now_ms: u64, observed: &mut Observed) {
        while let Some(first) = self.waiting.first() {
            if first.time_ms.saturating_add(flow.grace_ms) > now_ms && self.waiting.len() <= MAX_WAITING {
                break;
            }
            let made = self.waiting.remove(0);
            self.play(flow, &made, observed);
        }
    }

    fn play(&mut self, flow: &Flow, made: &Move, observed: &mut Observed) {
        self.played_ms = self.played_ms.max(made.time_ms);
        while let Some(over) = self.open.iter().position(|run| run.time_ms.saturating_add(HORIZON_MS) < made.time_ms) {
            self.forget(flow, over, observed);
        }
        let judged = self.open.iter().enumerate().filter_map(|(at, run)| Some((at, run, run.judge(flow, made)?)));
        let best = judged
            .min_by_key(|(_, run, j)| (j.faults.count_ones(), u32::MAX - j.equal, j.fit, u64::MAX - run.time_ms))
            .map(|(at, run, judged)| (at, run.completed, judged));
        if let Some((at, _, judged)) = best
            && judged.faults == 0
            && judged.fit == Fit::Next
        {
            return self.go_on(flow, at, judged, made, observed);
        }
        let start = (0..=flow.last()).find(|step| made.steps >> step & 1 == 1 && flow.required_before(*step) == 0);
        match best {
            Some((at, _, judged)) if judged.fit == Fit::DoubleClick => {
                if let Some(run) = self.open.get_mut(at) {
                    run.clicked = true;
                }
                if flow.counts_clicks() {
                    self.complete(flow, at, judged.step, made, observed);
                }
            }
            // A first step begins another run, unless the policy says what its repetition is.
            Some((at, false, judged)) if start == Some(judged.step) && is_settled(flow, judged.step) => {
                self.go_on(flow, at, judged, made, observed);
            }
            _ if start.is_some() => {
                let at = self.open(flow, Instance::begin(start.unwrap_or(0), 0, made), observed);
                self.complete(flow, at, start.unwrap_or(0), made, observed);
            }
            Some((at, _, judged)) if !judged.has(Violated::Skip) => self.go_on(flow, at, judged, made, observed),
            other => {
                let run = other.filter(|(_, completed, _)| !completed).map(|(at, _, _)| at);
                self.jump(flow, run, made, observed);
            }
        }
    }

    /// A step that is the next one, or one again, or wrong with what it is.
    fn go_on(&mut self, flow: &Flow, at: usize, judged: Judged, made: &Move, observed: &mut Observed) {
        let Some(run) = self.open.get_mut(at) else { return };
        let fresh = judged.faults & !run.raised;
        run.raised |= judged.faults;
        let kinds = [Violated::Reorder, Violated::Replay, Violated::Speed, Violated::ChangedValue];
        let told = kinds.into_iter().filter(|kind| fresh & kind.bit() != 0);
        observed.violations.extend(told.map(|kind| violation(flow, run, kind, judged.step, made)));
        run.take(judged.step, made);
        if judged.fit == Fit::Next || judged.has(Violated::Replay) {
            self.complete(flow, at, judged.step, made, observed);
        }
    }

    /// A step of which no run has what must be done before it.
    fn jump(&mut self, flow: &Flow, run: Option<usize>, made: &Move, observed: &mut Observed) {
        let Some(step) = (0..=flow.last()).find(|step| made.steps >> step & 1 == 1) else { return };
        if flow.step(step).is_none_or(|rules| rules.optional) {
            return;
        }
        let required = flow.required_before(step);
        if self.forgotten & required == required || !made.certain {
            let done = core::mem::take(&mut self.forgotten) | required;
            let at = self.open(flow, Instance::begin(step, done, made), observed);
            return self.complete(flow, at, step, made, observed);
        }
        let at = match run {
            Some(at) => {
                let Some(run) = self.open.get_mut(at) else { return };
                if run.raised & Violated::Skip.bit() == 0 {
                    observed.violations.push(violation(flow, run, Violated::Skip, step, made));
                }
                run.take(step, made);
                at
            }
            None => {
                let nothing = Instance { done: 0, ..Instance::begin(step, 0, made) };
                observed.violations.push(violation(flow, &nothing, Violated::Skip, step, made));
                self.open(flow, Instance::begin(step, 0, made), observed)
            }
        };
        if let Some(run) = self.open.get_mut(at) {
            run.raised |= Violated::Skip.bit();
        }
        self.complete(flow, at, step, made, observed);
    }

    /// Notes a run that was completed with this step, if it was.
    fn complete(&mut self, flow: &Flow, at: usize, step: u8, made: &Move, observed: &mut Observed) {
        let Some(run) = self.open.get_mut(at).filter(|_| step == flow.last()) else { return };
        run.completed = true;
        observed.completed_ms.push(made.time_ms);
        if flow.limit.is_some_and(|limit| limit.per == Per::Session) {
            observed.violations.extend(self.completions.complete(flow, made.time_ms));
        }
    }

    /// Adds a run, in the place of another where there are too many: of one that is completed, else of the one that got
    /// least far, else of the oldest. Answers where it is.
    fn open(&mut self, flow: &Flow, run: Instance, observed: &mut Observed) -> usize {
        if self.open.len() >= MAX_OPEN {
            let key = |run: &Instance| (!run.completed, run.done.count_ones(), run.time_ms);
            let least = self.open.iter().enumerate().min_by_key(|(_, run)| key(run)).map(|(at, _)| at);
            if let Some(least) = least {
                self.forget(flow, least, observed);
            }
        }
        self.open.push(run);
        self.open.len() - 1
    }

    fn forget(&mut self, flow: &Flow, at: usize, observed: &mut Observed) {
        let run = self.open.remove(at);
        if run.completed {
            return;
        }
        self.forgotten |= run.done;
        let limit = flow.limit.and_then(|limit| limit.abandoned).filter(|_| run.done.count_ones() > 1);
        if let Some(limit) = limit
            && let Some(count) = self.abandoned.add(limit, ABANDONED_MS, run.time_ms)
        {
            observed.violations.push(counted(flow, Violated::Abandoned, run.step, run.time_ms, count, limit));
        }
    }
}

/// Whether the policy says what it means that this step is taken again.
fn is_settled(flow: &Flow, step: u8) -> bool {
    flow.step(step).is_some_and(|rules| rules.repeat.is_some()) && step != flow.last()
}

fn read(flow: &Flow, seen: &Sighting<'_>, hash: &SubjectHash) -> Move {
    // A flow keeps 8 values at most.
    let kept = (0..).zip(&flow.keep).filter_map(|(which, (id, _))| kept_of(which, *id, seen.values, hash));
    let certain = seen.known_since_ms.is_none_or(|since| seen.time_ms.saturating_sub(since) >= HORIZON_MS);
    Move { time_ms: seen.time_ms, steps: seen.steps, kept: kept.collect(), certain }
}

/// The values of one parameter as one: which different ones there are. What could not be read is a value too, and not
/// the one before.
fn kept_of(which: u8, id: ParamId, values: &[(ParamId, Value)], hash: &SubjectHash) -> Option<Kept> {
    let of = || values.iter().filter(|(of, _)| *of == id).map(|(_, value)| value);
    let mut digests: Vec<u32> = of().map(|value| value.digest(hash)).collect();
    digests.sort_unstable();
    digests.dedup();
    let amount = if digests.len() == 1 { of().next().and_then(Value::amount) } else { None };
    let digest = digests.into_iter().reduce(|all, next| all.rotate_left(7).wrapping_mul(0x9e37_79b1) ^ next)?;
    Some(Kept { which, step: 0, digest, amount: amount.map(|amount| amount.to_f64()) })
}

fn violation(flow: &Flow, run: &Instance, kind: Violated, step: u8, made: &Move) -> Violation {
    let text = |at: u8| flow.step(at).map_or("", |step| step.text.as_str());
    let number = |at: u8| f64::from(at) + 1.0;
    let gap = made.time_ms.saturating_sub(run.time_ms);
    let (value, baseline, what) = match kind {
        Violated::Skip => {
            let missing = flow.required_before(step) & !run.done;
            // Below 16.
            let first = missing.trailing_zeros() as u8;
            (number(step), number(first), [" without ", text(first)])
        }
        Violated::Reorder => (number(step), number(run.step), [" after ", text(run.step)]),
        Violated::Speed => {
            let rules = flow.step(step);
            let min = rules.and_then(|rules| rules.min_ms).filter(|min| gap < *min);
            let limit = min.or_else(|| rules.and_then(|rules| rules.max_ms)).unwrap_or(0);
            let what = if min.is_some() { " too soon after " } else { " too late after " };
            (gap as f64 / 1_000.0, limit as f64 / 1_000.0, [what, text(run.step)])
        }
        Violated::ChangedValue => {
            let (which, now, before) = run.changed(step, made).unwrap_or((0, None, None));
            let name = flow.keep.get(usize::from(which)).map_or("", |(_, name)| name.as_str());
            (now.unwrap_or(0.0), before.unwrap_or(0.0), [" with a changed ", name])
        }
        Violated::Replay | Violated::Abandoned | Violated::Limit => (2.0, 1.0, [" again", ""]),
    };
    let [what, of] = what;
    let message = [flow.name.as_str(), ": ", text(step), what, of].concat();
    Violation { kind, step, time_ms: made.time_ms, value, baseline, message }
}

fn counted(flow: &Flow, kind: Violated, step: u8, time_ms: u64, count: u32, limit: u32) -> Violation {
    let what = if kind == Violated::Limit { " completed " } else { " begun and left " };
    let message = [flow.name.as_str(), what, &count.to_string(), " times, above ", &limit.to_string()].concat();
    Violation { kind, step, time_ms, value: f64::from(count), baseline: f64::from(limit), message }
}
