//! A finding: one detector's statement, with the evidence that lets an analyst judge it.

use serde::{Deserialize, Serialize};

use super::detector::Detector;
use super::event::{Event, cut};
use super::id::{EventId, SessionId};
use crate::verdict::Action;

/// How bad it is if true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical].into_iter().find(|s| s.name() == name)
    }
}

/// One piece of evidence: an event that counted, and what about it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub request: EventId,
    pub time_ms: u64,
    /// `METHOD path → status`, path masked.
    pub what: String,
}

/// How much of a path is shown with evidence, bytes.
const EVIDENCE_PATH_BYTES: usize = 256;

impl Evidence {
    /// The event with its method, path and status.
    pub fn of(event: &Event<'_>) -> Self {
        let mut path = event.path.to_owned();
        cut(&mut path, EVIDENCE_PATH_BYTES);
        let what = format!("{} {path} → {}", event.method, event.status);
        Self { request: event.id, time_ms: event.time_ms, what }
    }
}

/// One detector's statement about a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The event that completed the pattern; with the detector it names the finding.
    pub request: EventId,
    pub session: SessionId,
    pub time_ms: u64,
    pub detector: Detector,
    pub severity: Severity,
    /// 0–1: how sure the detector is that this is the behaviour it names.
    pub confidence: f32,
    /// By how much the session's risk (0–100) rose.
    pub risk_added: u8,
    /// What was measured, and what the detector compares it with.
    pub value: f64,
    pub baseline: f64,
    pub message: String,
    /// Where in the request it stood; empty where it is about more than one request.
    pub place: String,
    pub evidence: Vec<Evidence>,
    /// What made it weigh more or less in its session.
    pub reasons: Vec<Weight>,
    /// What follows from it in the mode it was found in.
    pub action: Action,
    /// What would follow from it in `enforce`.
    pub would: Action,
}

/// What a finding was weighed by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    pub cause: Cause,
    /// Its evidence is multiplied by this, in hundredths.
    pub percent: u8,
    /// In words, with what was seen.
    pub what: String,
}

/// Why a finding weighs more or less; `src/detect/correlate.rs` says how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The origin refused the request.
    Refused,
    /// The request was stopped before it reached the origin.
    Stopped,
    /// The session has long been like any other.
    Mature,
    /// Others send such text there, and get it answered.
    Usual,
    /// Another kind of detector said something of the session, too.
    Corroborated,
    /// Several classes of attack were tried.
    Varied,
    /// After attempts that were refused, one was answered.
    Breakthrough,
}

impl Cause {
    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::Mature => "mature_session",
            Self::Usual => "usual_here",
            Self::Corroborated => "corroborated",
            Self::Varied => "several_classes",
            Self::Breakthrough => "breakthrough",
        }
    }
}

/// Within which all reasons of a finding together change its evidence.
const FACTORS: (f32, f32) = (0.25, 2.0);

impl Finding {
    /// `REQUEST-detector`: unique, and locates itself (shard, time, session) as the event's id does.
    pub fn id(&self) -> String {
        format!("{}-{}", self.request, self.detector.name())
    }

    /// How sure it is, times what its session makes of it.
    pub fn sureness(&self) -> f32 {
        let (least, most) = FACTORS;
        let factor: f32 = self.reasons.iter().map(|reason| f32::from(reason.percent) / 100.0).product();
        self.confidence.clamp(0.0, 1.0) * factor.clamp(least, most)
    }

    /// Takes words out of the message; answers whether one was in it. The evidence stays: it shows what was asked for,
    /// and paths are not rewritten anywhere.
    pub fn erase(&mut self, words: &[String]) -> bool {
        let mut erased = false;
        for word in words.iter().filter(|word| !word.is_empty()) {
            if let Some(without) = without(&self.message, word) {
                self.message = without;
                erased = true;
            }
        }
        erased
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        let evidence = self.evidence.iter().map(|e| size_of::<Evidence>() + e.what.len()).sum::<usize>();
        let reasons = self.reasons.iter().map(|r| size_of::<Weight>() + r.what.len()).sum::<usize>();
        size_of::<Self>() + self.message.len() + self.place.len() + evidence + reasons
    }
}

/// The text with `…` for each place where `word` stands by itself; `None` where it does not.
fn without(text: &str, word: &str) -> Option<String> {
    let is_open = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let (mut rest, mut kept, mut found) = (text, String::new(), false);
    while let Some((before, behind)) = rest.split_once(word) {
        let alone = is_open(before.chars().next_back().or(kept.chars().next_back())) && is_open(behind.chars().next());
        kept.push_str(before);
        kept.push_str(if alone { "…" } else { word });
        (rest, found) = (behind, found | alone);
    }
    kept.push_str(rest);
    found.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_out_where_it_stands_by_itself() {
        assert_eq!(without("logins of ann, bob", "ann").as_deref(), Some("logins of …, bob"));
        assert_eq!(without("annex ann", "ann").as_deref(), Some("annex …"));
        assert_eq!(without("h:3d97:af6f and annann", "h:3d97:af6f").as_deref(), Some("… and annann"));
        assert_eq!(without("joann annex annann", "ann"), None);
    }
}
