//! `DETECTORS`: how detectors are tuned, or that they are off.

use serde::{Deserialize, Deserializer};

use super::parse_duration_ms;
use crate::detect::{self, At, ForcedBrowsingSettings, Response, SessionRotationSettings, Tuning, attacks};
use crate::inspect::Attack;
use crate::ordered::OrderedMap;
use crate::session::Detector;
use crate::verdict::Action;

/// The field at fault and what is wrong with it.
type Fault = (String, String);

/// `DETECTORS`: a table, or `"off"`, for each detector.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct RawDetectors(OrderedMap<String, RawDetector>);

#[derive(Debug)]
enum RawDetector {
    Off,
    Tuned(Tuned),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tuned {
    limit: Option<f32>,
    window: Option<String>,
    action: Option<Action>,
    min_confidence: Option<f32>,
    r#for: Option<String>,
    at: Option<At>,
    shared: Option<bool>,
}

impl<'de> Deserialize<'de> for RawDetector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(s) if s == "off" => Ok(Self::Off),
            table @ serde_json::Value::Object(_) => {
                Tuned::deserialize(table).map(Self::Tuned).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("expected \"off\" or a table of settings")),
        }
    }
}

impl RawDetectors {
    pub fn resolve(self) -> Result<detect::Settings, Fault> {
        let mut settings = detect::Settings::default();
        for (name, raw) in self.0 {
            let tuned = match raw {
                RawDetector::Off => None,
                RawDetector::Tuned(tuned) => Some(tuned),
            };
            let inside = |(field, reason): Fault| (format!("{name}.{field}"), reason);
            match Detector::from_name(&name) {
                Some(Detector::ForcedBrowsing) => {
                    settings.forced_browsing = tuned.map(Tuned::resolve).transpose().map_err(inside)?;
                }
                Some(Detector::SessionRotation) => {
                    settings.session_rotation = tuned.map(Tuned::resolve_rotation).transpose().map_err(inside)?;
                }
                Some(Detector::RegionSurge) => {
                    let response = tuned.map(Tuned::resolve_surge).transpose().map_err(inside)?;
                    settings.region_surge = response;
                }
                Some(Detector::Attack(attack)) => {
                    let tuned = tuned.map(|tuned| tuned.resolve_attack(attack)).transpose().map_err(inside)?;
                    settings.attacks.set(attack, tuned);
                }
                Some(rule) if rule.behaviour().is_none() => {
                    return Err((name, "is tuned where its rule is: in WATCHES or FLOWS".into()));
                }
                Some(behaviour) => {
                    let tuned = tuned.map(|tuned| tuned.resolve_behaviour(behaviour)).transpose().map_err(inside)?;
                    settings.behaviours.set(behaviour, tuned);
                }
                None => {
                    let known: Vec<&str> = Detector::all().map(Detector::name).collect();
                    return Err((name, format!("is no detector; there are: {}", known.join(", "))));
                }
            }
        }
        Ok(settings)
    }
}

impl Tuned {
    /// Attacks are judged one request at a time: nothing is counted over time.
    fn resolve_attack(self, attack: Attack) -> Result<attacks::Settings, Fault> {
        let mut settings = attacks::Settings::of(attack);
        if self.limit.is_some() || self.window.is_some() {
            let field = if self.limit.is_some() { "limit" } else { "window" };
            return Err((field.into(), "is not for attacks; use min_confidence".into()));
        }
        if let Some(confidence) = self.min_confidence {
            if !(0.5..=1.0).contains(&confidence) {
                return Err(("min_confidence".into(), format!("is {confidence}; use 0.5 to 1")));
            }
            settings.min_confidence = (confidence * 100.0).round() as u8;
        }
        if let Some(action) = self.action {
            settings.action = acting(action)?;
        }
        if let Some(text) = &self.r#for {
            settings.for_ms = duration("for", text)?;
        }
        settings.at = self.at.unwrap_or(At::Request);
        settings.shared = self.shares()?;
        Ok(settings)
    }

    /// Settings of detectors that judge sessions, by what behaviour is sure of.
    fn of_session(&self) -> Result<(), Fault> {
        if self.min_confidence.is_some() {
            return Err(("min_confidence".into(), "is for attacks in single requests; use limit".into()));
        }
        self.shares().map(|_| ())
    }

    /// Whether what is shared by many is acted on; only of addresses and devices there is a question.
    fn shares(&self) -> Result<bool, Fault> {
        if self.shared.is_some() && !matches!(self.at, Some(At::Ip | At::Device)) {
            return Err(("shared".into(), "is for `at = \"ip\"` and `at = \"device\"`".into()));
        }
        Ok(self.shared == Some(true))
    }

    /// Detectors of what may be many people only tag.
    fn not_at(&self) -> Result<(), Fault> {
        match self.at {
            None | Some(At::Session) => Ok(()),
            Some(_) => Err(("at".into(), "is not `session`: nobody is acted on for it".into())),
        }
    }

    /// The response with who is acted on.
    fn respond(&self, mut response: Response) -> Result<Response, Fault> {
        response.at = self.at.unwrap_or(response.at);
        response.shared = self.shares()?;
        if let Some(text) = &self.r#for {
            response.for_ms = duration("for", text)?;
        }
        if let Some(action) = self.action {
            response.action = acting(action)?;
        }
        Ok(response)
    }

    /// What follows from a surge: customers may be among those it is about.
    fn resolve_surge(self) -> Result<Response, Fault> {
        self.of_session()?;
        if self.limit.is_some() || self.window.is_some() {
            let field = if self.limit.is_some() { "limit" } else { "window" };
            return Err((field.into(), "is not for surges: what is usual is learnt".into()));
        }
        if self.action.is_some_and(|action| action != Action::Tag) {
            return Err(("action".into(), "is not `tag`: customers may be among them".into()));
        }
        self.not_at()?;
        Ok(Response::TAG)
    }

    /// How many sessions are too many is `LIMITS`' to say: the edge counts them.
    fn resolve_rotation(self) -> Result<SessionRotationSettings, Fault> {
        self.of_session()?;
        self.not_at()?;
        let mut settings = SessionRotationSettings::default();
        if self.limit.is_some() || self.window.is_some() {
            let field = if self.limit.is_some() { "limit" } else { "window" };
            return Err((field.into(), "is set by LIMITS.unproven_sessions and LIMITS.unproven_window_ms".into()));
        }
        match self.action {
            None | Some(Action::Tag) => {}
            Some(_) => return Err(("action".into(), "is not `tag`: such sessions may be many people".into())),
        }
        if let Some(text) = &self.r#for {
            settings.response.for_ms = duration("for", text)?;
        }
        Ok(settings)
    }

    fn resolve_behaviour(self, detector: Detector) -> Result<Tuning, Fault> {
        self.of_session()?;
        let mut tuning = Tuning::of(detector);
        tuning.limit = self.limited(tuning.limit)?;
        if let Some(window) = &self.window {
            tuning.window_ms = duration("window", window)?;
        }
        tuning.response = self.respond(tuning.response)?;
        Ok(tuning)
    }

    fn limited(&self, default: f32) -> Result<f32, Fault> {
        match self.limit {
            Some(limit) if !(1.0..=10_000.0).contains(&limit) => {
                Err(("limit".into(), format!("is {limit}; use 1 to 10000")))
            }
            limit => Ok(limit.unwrap_or(default)),
        }
    }

    fn resolve(self) -> Result<ForcedBrowsingSettings, Fault> {
        self.of_session()?;
        let mut settings = ForcedBrowsingSettings::default();
        settings.limit = self.limited(settings.limit)?;
        if let Some(window) = &self.window {
            // The bucket that holds `limit` runs empty in one window.
            settings.leak_ms = (duration("window", window)? as f64 / f64::from(settings.limit)) as u64;
        }
        settings.response = self.respond(settings.response)?;
        Ok(settings)
    }
}

pub fn acting(action: Action) -> Result<Action, Fault> {
    match action {
        Action::Allow => {
            Err(("action".into(), "is `allow`; use tag, throttle or block, or switch the detector `off`".into()))
        }
        action => Ok(action),
    }
}

fn duration(field: &str, text: &str) -> Result<u64, Fault> {
    parse_duration_ms(text)
        .filter(|ms| *ms > 0)
        .ok_or_else(|| (field.to_owned(), format!("`{text}` is no duration; write for example `90s`, `10m`, `1h`")))
}
