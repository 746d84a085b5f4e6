//! Labels as they are ordered and shown, what they say about detectors, and the exceptions they propose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::order::reason_of;
use crate::query::{LabelAnswer, rfc3339};
use crate::session::{Judgement, Label};

/// `POST findings/{finding}/labels` and `POST sessions/{id}/labels`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelOrder {
    label: Judgement,
    note: Option<String>,
}

impl LabelOrder {
    /// Judgement and note.
    pub fn resolve(self) -> Result<(Judgement, String), Refusal> {
        Ok((self.label, reason_of("note", self.note)?))
    }
}

/// An entry for `EXCEPTIONS` that would have kept a finding from being made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Proposal {
    pub r#match: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    pub detector: &'static str,
}

impl Proposal {
    /// What a false positive proposes; of sessions and true positives there is none.
    pub fn of(label: &Label) -> Option<Self> {
        let detector = label.detector.filter(|_| label.judgement == Judgement::FalsePositive)?;
        // `query.id`, `body#/order/note`: what stands behind the part of the request.
        let name = label.place.split_once(['.', '#']).map(|(_, name)| name.to_owned());
        let parameter = name.filter(|name| !name.is_empty());
        Some(Self { r#match: label.endpoint.clone(), parameter, detector: detector.name() })
    }
}

/// A label with what it is on.
#[derive(Debug, Serialize)]
pub struct LabelledAnswer {
    /// `finding` or `session`.
    kind: &'static str,
    id: String,
    session: String,
    detector: Option<&'static str>,
    #[serde(flatten)]
    label: LabelAnswer,
    /// For `EXCEPTIONS`: nothing is excepted before it stands there.
    exception: Option<Proposal>,
}

impl LabelledAnswer {
    /// The label as the API shows it.
    pub fn new(label: &Label) -> Self {
        Self {
            kind: if label.detector.is_some() { "finding" } else { "session" },
            id: label.id.clone(),
            session: label.session.to_string(),
            detector: label.detector.map(crate::session::Detector::name),
            label: LabelAnswer::new(label),
            exception: Proposal::of(label),
        }
    }
}

/// How often a detector was right, as far as analysts said.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Precision {
    pub true_positives: u64,
    pub false_positives: u64,
    /// True ones among all that were labelled.
    pub precision: f64,
}

/// By detector.
pub fn precision<'a>(labels: impl IntoIterator<Item = &'a Label>) -> BTreeMap<&'static str, Precision> {
    let mut of: BTreeMap<&'static str, Precision> = BTreeMap::new();
    for (label, detector) in labels.into_iter().filter_map(|label| Some((label, label.detector?))) {
        let counts = of.entry(detector.name()).or_default();
        match label.judgement {
            Judgement::TruePositive => counts.true_positives += 1,
            Judgement::FalsePositive => counts.false_positives += 1,
        }
        counts.precision = counts.true_positives as f64 / (counts.true_positives + counts.false_positives) as f64;
    }
    of
}

/// `GET labels`.
#[derive(Debug, Serialize)]
pub struct LabelsAnswer {
    items: Vec<LabelledAnswer>,
    precision: BTreeMap<&'static str, Precision>,
    /// Exceptions proposed, each once, with how many false positives each would have spared.
    proposals: Vec<Proposed>,
    next: Option<String>,
    partial: bool,
    /// When it was asked.
    time: String,
}

#[derive(Debug, Serialize)]
struct Proposed {
    exception: Proposal,
    false_positives: u64,
    /// Findings of that detector there that were right: an exception would lose such.
    true_positives: u64,
}

impl LabelsAnswer {
    /// The first `limit` of `labels`, which are the newest first, and what all of them say.
    pub fn new(labels: &[Label], limit: usize, now_ms: u64) -> Self {
        let mut counts: BTreeMap<Proposal, (u64, u64)> = BTreeMap::new();
        for label in labels {
            let as_false = Label { judgement: Judgement::FalsePositive, ..label.clone() };
            let Some(proposal) = Proposal::of(&as_false) else { continue };
            let (wrong, right) = counts.entry(proposal).or_default();
            *if label.judgement == Judgement::FalsePositive { wrong } else { right } += 1;
        }
        let proposed = counts.into_iter().filter(|(_, (wrong, _))| *wrong > 0);
        let proposed = proposed.map(|(exception, (false_positives, true_positives))| Proposed {
            exception,
            false_positives,
            true_positives,
        });
        let mut proposals: Vec<Proposed> = proposed.collect();
        proposals.sort_by_key(|proposed| core::cmp::Reverse(proposed.false_positives));
        Self {
            items: labels.iter().take(limit).map(LabelledAnswer::new).collect(),
            precision: precision(labels),
            proposals,
            next: None,
            partial: labels.len() > limit,
            time: rfc3339(now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Attack;
    use crate::session::{Detector, SessionId};

    fn label(n: u8, judgement: Judgement, place: &str) -> Label {
        Label {
            id: format!("{n}"),
            session: SessionId([n; 16]),
            detector: Some(Detector::Attack(Attack::Sqli)),
            judgement,
            note: String::new(),
            by: "admin".to_owned(),
            time_ms: 1_000,
            endpoint: "POST /api/notes/{integer}".to_owned(),
            place: place.to_owned(),
        }
    }

    #[test]
    fn a_false_positive_proposes_an_exception_for_its_detector_at_its_place() {
        let proposal = |place| Proposal::of(&label(1, Judgement::FalsePositive, place)).map(|p| p.parameter);
        assert_eq!(proposal("body#/order/note"), Some(Some("/order/note".to_owned())));
        assert_eq!(proposal("query.q"), Some(Some("q".to_owned())));
        assert_eq!(proposal(""), Some(None));
        assert_eq!(Proposal::of(&label(1, Judgement::TruePositive, "query.q")), None);
    }

    #[test]
    fn what_labels_say_of_a_detector_is_told_with_what_an_exception_would_lose() {
        let all = [
            label(1, Judgement::FalsePositive, "query.q"),
            label(2, Judgement::FalsePositive, "query.q"),
            label(3, Judgement::TruePositive, "query.q"),
            label(4, Judgement::TruePositive, "query.id"),
        ];
        let answer = LabelsAnswer::new(&all, 3, 0);
        assert_eq!((answer.items.len(), answer.partial), (3, true));
        assert_eq!(answer.precision.get("sqli").map(|p| (p.true_positives, p.precision)), Some((2, 0.5)));
        let proposals: Vec<_> = answer.proposals.iter().map(|p| (p.false_positives, p.true_positives)).collect();
        assert_eq!(proposals, [(2, 1)]);
    }
}
