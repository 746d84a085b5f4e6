//! Attacks in single requests: how each class is tuned, and the finding that one becomes.
//!
//! They are recognised at the edge (`src/inspect/`); here they meet their session. Confidence decides what follows: a
//! request is stopped from [`Settings::min_confidence`] on, and what is weaker than half sure is only told where
//! something stronger stands beside it.

use super::consequence::{At, Response};
use crate::inspect::{Attack, Part};
use crate::session::{Carried, Detector, Event, Evidence, Finding};
use crate::verdict::Action;

/// From this confidence on a request is stopped by default, in hundredths.
pub const SURE: u8 = 80;
/// Below this nothing is told of a request that carries nothing stronger.
pub const TOLD: u8 = 50;

/// How a class of attack is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub action: Action,
    /// From which confidence on, in hundredths.
    pub min_confidence: u8,
    /// Who is acted on beside the request.
    pub at: At,
    /// How long, ms.
    pub for_ms: u64,
    /// See [`Response::shared`].
    pub shared: bool,
}

impl Settings {
    /// The defaults of a class. Prompt injection is only ever told by default: its words are ordinary language; and so is
    /// what is unlike its document: documents lag behind.
    pub fn of(attack: Attack) -> Self {
        let only_told = matches!(attack, Attack::PromptInjection | Attack::SchemaViolation);
        let action = if only_told { Action::Tag } else { Action::Block };
        Self { action, min_confidence: SURE, at: At::Request, for_ms: 600_000, shared: false }
    }

    /// What is done beside stopping the request.
    pub fn response(&self) -> Response {
        Response { action: self.action, for_ms: self.for_ms, at: self.at, shared: self.shared }
    }

    /// Whether a request is stopped for it.
    pub fn stops(&self, confidence: u8) -> bool {
        self.action >= Action::Throttle && confidence >= self.min_confidence
    }
}

/// The classes of attack, tuned; what is not there is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attacks([Option<Settings>; Attack::ALL.len()]);

impl Default for Attacks {
    fn default() -> Self {
        Self(Attack::ALL.map(|attack| Some(Settings::of(attack))))
    }
}

impl Attacks {
    /// How a class is tuned; `None` where it is off.
    pub fn get(&self, attack: Attack) -> Option<&Settings> {
        self.0.get(attack as usize).and_then(Option::as_ref)
    }

    /// Tunes a class, or switches it off.
    pub fn set(&mut self, attack: Attack, settings: Option<Settings>) {
        if let Some(slot) = self.0.get_mut(attack as usize) {
            *slot = settings;
        }
    }

    /// Whether any class is on that requests are inspected for.
    pub fn any(&self) -> bool {
        let inspected = |attack: &Attack| *attack != Attack::SchemaViolation && self.get(*attack).is_some();
        Attack::ALL.iter().any(inspected)
    }
}

/// The finding about an event that carries an attack.
pub fn finding(carried: &Carried, event: &Event<'_>, settings: Option<&Settings>) -> Finding {
    let outcome = match event.status {
        _ if carried.stopped => "the request was stopped".to_owned(),
        status @ 400.. => format!("answered {status}{}", measured(event)),
        status => format!("answered {status}: it went through{}", measured(event)),
    };
    Finding {
        request: event.id,
        session: event.session,
        time_ms: event.time_ms,
        detector: Detector::Attack(carried.attack),
        severity: carried.severity,
        confidence: f32::from(carried.confidence) / 100.0,
        risk_added: 0,
        value: f64::from(carried.confidence) / 100.0,
        baseline: f64::from(settings.map_or(SURE, |settings| settings.min_confidence)) / 100.0,
        message: format!("{}; {outcome}", carried.what),
        place: carried.place.clone(),
        evidence: vec![Evidence::of(event)],
        reasons: Vec::new(),
        action: if carried.stopped { Action::Block } else { Action::Tag },
        would: Action::Tag,
    }
}

/// How large the answer was and how long it took: what an injection is told by that worked blindly.
fn measured(event: &Event<'_>) -> String {
    let ms = event.duration_ms;
    event.response_bytes.map_or_else(|| format!(" ({ms} ms)"), |bytes| format!(" ({bytes} bytes, {ms} ms)"))
}

/// A place as the API shows it: `query.id`, `header.referer`, `body#/order/note`.
pub fn place_of(part: Part, name: &str) -> String {
    let (side, separator) = match part {
        Part::Path => ("path", "."),
        Part::QueryName | Part::Query => ("query", "."),
        Part::HeaderName | Part::Header => ("header", "."),
        Part::CookieName | Part::Cookie => ("cookie", "."),
        Part::JsonName | Part::Json | Part::GraphqlArgument => ("body", "#"),
        Part::FormName | Part::Form => ("form", "."),
        Part::FileName | Part::File => ("file", "."),
        Part::Xml | Part::XmlDocument => ("body.xml", "."),
        Part::Raw => ("body", "."),
    };
    if name.is_empty() { side.to_owned() } else { [side, separator, name].concat() }
}
