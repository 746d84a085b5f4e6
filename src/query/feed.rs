//! The question behind `GET findings`.

use serde::{Deserialize, Serialize};

use super::filter::Terms;
use super::parse::{Asked, Pairs, ParameterError, TIME, add, error, once, pairs, take_page};
use super::time::parse_time;
use super::{Order, Positions};
use crate::session::{Detector, Finding, Judgement, Label, SessionId, Severity};
use crate::verdict::Action;

/// A page of findings is asked for, newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FindingQuery {
    pub from_ms: Option<u64>,
    pub to_ms: Option<u64>,
    pub detector: Terms<Detector>,
    pub severity: Terms<Severity>,
    pub session: Terms<SessionId>,
    pub action: Terms<Action>,
    pub label: Terms<Judgement>,
    pub min_confidence: Option<f32>,
    pub limit: u32,
    /// Place of the last item of the page before.
    pub after: Option<(u64, u128)>,
}

impl FindingQuery {
    /// Whether the finding fits every filter.
    pub fn fits(&self, finding: &Finding) -> bool {
        self.from_ms.is_none_or(|from| finding.time_ms >= from)
            && self.to_ms.is_none_or(|to| finding.time_ms <= to)
            && self.min_confidence.is_none_or(|least| finding.confidence >= least)
            && holds(&self.detector, &finding.detector)
            && holds(&self.severity, &finding.severity)
            && holds(&self.session, &finding.session)
            && holds(&self.action, &finding.action)
    }

    /// Whether what analysts say of it fits.
    pub fn fits_label<'l>(&self, label: impl FnOnce() -> Option<&'l Label>) -> bool {
        if self.label.any.is_empty() && self.label.none.is_empty() {
            return true;
        }
        match label() {
            Some(label) => holds(&self.label, &label.judgement),
            None => self.label.any.is_empty(),
        }
    }

    /// Where a finding stands among all: by time, then by request, then by detector.
    pub fn place(finding: &Finding) -> (u64, u128) {
        // Times have 48 bits; a detector's number fits the rest.
        let time = finding.time_ms.min((1 << 48) - 1);
        (time << 16 | u64::from(finding.detector.number() & 0xffff), finding.request.0)
    }

    /// The place between the findings of this moment and all later ones.
    pub fn after_moment(time_ms: u64) -> (u64, u128) {
        ((time_ms + 1).min((1 << 48) - 1) << 16, 0)
    }
}

fn holds<T: PartialEq>(terms: &Terms<T>, value: &T) -> bool {
    (terms.any.is_empty() || terms.any.contains(value)) && !terms.none.contains(value)
}

/// Parses `GET findings`.
pub fn parse_findings(query: &str, now_ms: u64) -> Result<Asked<FindingQuery>, ParameterError> {
    let mut pairs = pairs(query)?;
    if pairs.iter().any(|(name, _)| name == "order") {
        return Err(error("order", "is not known here; findings come newest first"));
    }
    let page = take_page(&mut pairs, "findings", Order::Desc)?;
    let as_of_ms = page.cursor.as_ref().map_or(now_ms, |cursor| cursor.as_of_ms);
    let after = page.cursor.as_ref().map(|cursor| (cursor.value, cursor.id));
    let mut query = FindingQuery { limit: page.limit, after, ..FindingQuery::default() };
    take_filters(&mut query, pairs, as_of_ms)?;
    if let (Some(from), Some(to)) = (query.from_ms, query.to_ms)
        && from > to
    {
        return Err(error("from", "is later than `to`"));
    }
    Ok(Asked { query, question: page.question, as_of_ms, positions: Positions::default() })
}

fn take_filters(query: &mut FindingQuery, pairs: Pairs, now_ms: u64) -> Result<(), ParameterError> {
    for (name, value) in pairs {
        let (field, excluded) = name.strip_suffix('!').map_or((name.as_str(), false), |field| (field, true));
        set(query, field, excluded, &value, now_ms).map_err(|reason| error(&name, &reason))?;
    }
    Ok(())
}

/// What is wrong with what is no label.
pub(super) const LABELS: &str = "is none of: true_positive, false_positive";

fn set(query: &mut FindingQuery, field: &str, excluded: bool, value: &str, now_ms: u64) -> Result<(), String> {
    const ACTIONS: [Action; 4] = [Action::Allow, Action::Tag, Action::Throttle, Action::Block];
    match field {
        "detector" => {
            let known = super::parse::known_detectors();
            add(&mut query.detector, excluded, Detector::from_name(value), &known)
        }
        "severity" => add(
            &mut query.severity,
            excluded,
            Severity::from_name(value),
            "is none of: info, low, medium, high, critical",
        ),
        "action" => {
            let action = ACTIONS.into_iter().find(|action| action.name() == value);
            add(&mut query.action, excluded, action, "is none of: allow, tag, throttle, block")
        }
        "label" => add(&mut query.label, excluded, Judgement::parse(value), LABELS),
        "session" => add(&mut query.session, excluded, SessionId::parse(value), "is no session id (32 hex digits)"),
        "from" | "to" | "min_confidence" if excluded => Err("cannot exclude; use it without `!`".to_owned()),
        "from" => once(&mut query.from_ms, parse_time(value, now_ms), TIME),
        "to" => once(&mut query.to_ms, parse_time(value, now_ms), TIME),
        "min_confidence" => {
            let least = value.parse().ok().filter(|least: &f32| (0.0..=1.0).contains(least));
            once(&mut query.min_confidence, least, "is no number from 0 to 1")
        }
        _ => Err("is not known here".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn every_filter_is_understood_and_what_is_wrong_is_named() {
        let query = "from=-1h&to=2033-05-18T03:33:20Z&detector=forced_browsing&severity=high&severity=critical\
                     &session!=00112233445566778899aabbccddeeff&action!=tag&label=false_positive&min_confidence=0.5&limit=500";
        let asked = parse_findings(query, NOW_MS).unwrap().query;
        assert_eq!((asked.from_ms, asked.limit, asked.min_confidence), (Some(NOW_MS - 3_600_000), 500, Some(0.5)));
        assert_eq!(asked.severity.any, [Severity::High, Severity::Critical]);
        assert_eq!((asked.action.none.len(), asked.session.none.len()), (1, 1));
        for (query, name) in [
            ("colour=red", "colour"),
            ("order=asc", "order"),
            ("limit=501", "limit"),
            ("severity=bad", "severity"),
            ("detector=magic", "detector"),
            ("action=kill", "action"),
            ("label=maybe", "label"),
            ("session=1", "session"),
            ("min_confidence=2", "min_confidence"),
            ("min_confidence=NaN", "min_confidence"),
            ("min_confidence!=1", "min_confidence!"),
            ("from=-1h&from=-2h", "from"),
            ("from=-1h&to=-2h", "from"),
            ("cursor=x", "cursor"),
        ] {
            assert_eq!(parse_findings(query, NOW_MS).map_err(|e| e.name), Err(name.to_owned()), "{query}");
        }
    }
}
