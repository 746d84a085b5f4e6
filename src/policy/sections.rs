//! The structured bindings as they are written, and their resolution into types.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Exception, OnError, Route};
use crate::identity::SessionKey;
use crate::inventory::Pattern;
use crate::selector::Selector;
use crate::session::Detector;
use crate::verdict::Action;

/// The field at fault and what is wrong with it.
type Fault = (String, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawKey {
    from: String,
    join: Option<String>,
    issued_by: Option<OneOrMany>,
    on: Option<String>,
}

/// A text, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(texts: OneOrMany) -> Self {
        match texts {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}

/// Ways one key may be issued.
const MAX_ISSUED_BY: usize = 8;
const MAX_JOIN_BYTES: usize = 64;

impl RawKey {
    pub fn resolve(self) -> Result<SessionKey, Fault> {
        let from = Selector::parse_request(&self.from).map_err(|e| ("from".to_owned(), e.to_string()))?;
        let on = self.on.map(|on| Pattern::parse(&on).map_err(|reason| ("on".to_owned(), reason))).transpose()?;
        if let Some(name) = from.path_name()
            && on.as_ref().is_none_or(|on| !on.names(name))
        {
            return Err(("on".to_owned(), format!("names no `{{{name}}}` for `{}` to be read from", self.from)));
        }
        if let Some(join) = &self.join
            && (join.is_empty() || join.len() > MAX_JOIN_BYTES)
        {
            return Err(("join".to_owned(), format!("is empty or longer than {MAX_JOIN_BYTES} bytes")));
        }
        let issued_by: Vec<String> = self.issued_by.map(Into::into).unwrap_or_default();
        if issued_by.len() > MAX_ISSUED_BY {
            return Err(("issued_by".to_owned(), format!("has more than {MAX_ISSUED_BY} selectors")));
        }
        let parsed = issued_by.iter().map(|text| Selector::parse_response(text));
        let issued_by = parsed.collect::<Result<_, _>>().map_err(|e| ("issued_by".to_owned(), e.to_string()))?;
        Ok(SessionKey { from, join: self.join, issued_by, on })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    r#match: String,
    decide: Option<Decide>,
    deadline_ms: Option<u32>,
    on_error: Option<RawOnError>,
    record: Option<OnOff>,
    mode: Option<RouteMode>,
    objects: Option<RawObjects>,
    object_ids: Option<Vec<String>>,
    #[serde(default)]
    actions: BTreeMap<String, Action>,
}

/// A route may be watched where the deployment enforces, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RouteMode {
    Monitor,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decide {
    Async,
    Inline,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawOnError {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawObjects {
    Learn,
    Off,
}

/// Members named as ids on one route, and their longest name, bytes.
const MAX_OBJECT_IDS: usize = 16;
const MAX_MEMBER_BYTES: usize = 32;

/// Deadline of an inline decision where a failure lets the request pass, and where it does not, ms.
const DEADLINE_OPEN_MS: u32 = 50;
const DEADLINE_CLOSED_MS: u32 = 1_000;
const MAX_DEADLINE_MS: u32 = 10_000;

impl RawRoute {
    pub fn resolve(self) -> Result<Route, Fault> {
        let pattern = Pattern::parse(&self.r#match).map_err(|reason| ("match".to_owned(), reason))?;
        let inline = self.decide == Some(Decide::Inline);
        let on_error = match self.on_error {
            Some(RawOnError::Open) => OnError::Open,
            Some(RawOnError::Closed) => OnError::Closed,
            // Observing routes fail open, enforcing ones closed.
            None if inline => OnError::Closed,
            None => OnError::Open,
        };
        let default = if on_error == OnError::Open { DEADLINE_OPEN_MS } else { DEADLINE_CLOSED_MS };
        let deadline_ms = self.deadline_ms.unwrap_or(default);
        if !(1..=MAX_DEADLINE_MS).contains(&deadline_ms) {
            return Err(("deadline_ms".into(), format!("is {deadline_ms}; use 1 to {MAX_DEADLINE_MS}")));
        }
        let record = self.record != Some(OnOff::Off);
        if inline && !record {
            return Err(("record".into(), "is off on an inline route; a decision needs a record".into()));
        }
        let monitor = self.mode == Some(RouteMode::Monitor);
        if monitor && inline {
            return Err(("mode".into(), "is monitor on an inline route; there is nothing to decide".into()));
        }
        let learns = self.objects == Some(RawObjects::Learn);
        let names = self.object_ids.unwrap_or_default();
        if !learns && !names.is_empty() {
            return Err(("object_ids".into(), "is for routes with `objects = \"learn\"`".into()));
        }
        if names.len() > MAX_OBJECT_IDS || names.iter().any(|n| n.is_empty() || n.len() > MAX_MEMBER_BYTES) {
            let most = format!(
                "has more than {MAX_OBJECT_IDS} names, or one that is empty or longer than {MAX_MEMBER_BYTES} bytes"
            );
            return Err(("object_ids".into(), most));
        }
        if learns && !record {
            return Err(("objects".into(), "is learn on a route that is not recorded".into()));
        }
        let objects = learns.then_some(names);
        let mut actions = Vec::new();
        for (name, action) in self.actions {
            let inside = |reason: String| (format!("actions.{name}"), reason);
            let detector = Detector::from_name(&name).ok_or_else(|| inside("is no detector".into()))?;
            let only_told = matches!(detector, Detector::SessionRotation | Detector::RegionSurge);
            if only_told && action != Action::Tag {
                return Err(inside("is not `tag`: it may be about many people".into()));
            }
            actions.push((detector, super::detectors::acting(action).map_err(|(_, reason)| inside(reason))?));
        }
        Ok(Route { pattern, inline, deadline_ms, on_error, record, objects, monitor, actions })
    }
}

/// `EXCEPTIONS`: where a class of attack is not looked for, or a detector not heard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawException {
    r#match: Option<String>,
    parameter: Option<String>,
    detector: Option<String>,
}

impl RawException {
    pub fn resolve(self) -> Result<Exception, Fault> {
        let pattern = self.r#match.map(|text| Pattern::parse(&text).map_err(|reason| ("match".to_owned(), reason)));
        let detector = self.detector.map(|name| {
            let unknown = || ("detector".to_owned(), format!("`{name}` is no detector"));
            Detector::from_name(&name).ok_or_else(unknown)
        });
        let detector = detector.transpose()?;
        if detector.is_some_and(|detector| detector.attack().is_none()) && self.parameter.is_some() {
            return Err(("parameter".to_owned(), "is for classes of attack; behaviour is excepted by `match`".into()));
        }
        let exception = Exception { pattern: pattern.transpose()?, parameter: self.parameter, detector };
        if exception == Exception::default() {
            return Err((
                "match".to_owned(),
                "is missing, and so are parameter and detector: say what is excepted".into(),
            ));
        }
        Ok(exception)
    }
}

/// What becomes of a body that is too long to be inspected whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyOver {
    /// It is passed on, marked `body_cut`.
    #[default]
    Pass,
    Block,
}

impl BodyOver {
    /// As it is configured.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Block => "block",
        }
    }
}

/// `LIMITS`: sizes and times within which traffic is handled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How long the origin may take to its response headers, ms; then the client is answered 504.
    pub origin_timeout_ms: u32,
    /// A flush goes out after this long, ms.
    pub flush_ms: u32,
    /// … or with this many events.
    pub flush_events: u32,
    /// Events an isolate holds while shards do not take them; what comes after is counted and dropped.
    pub buffer_events: u32,
    /// A request without an answer for this long is recorded as abandoned, ms.
    pub abandon_ms: u32,
    /// Longest path kept with an event, bytes.
    pub path_bytes: u32,
    /// How much of a body is read where a selector asks for it, bytes.
    pub body_bytes: u32,
    /// How long a request whose session key stands in its body may wait for the body, ms.
    pub body_ms: u32,
    /// What becomes in enforce mode of a request whose body goes on past `body_bytes`, so that its rest is not inspected.
    pub body_over: BodyOver,
    /// Sessions that a client (v4 address, v6 /64) may start within the window with keys that nothing vouches for …
    pub unproven_sessions: u32,
    /// … and those one device (address, agent, TLS fingerprint) may.
    pub unproven_device_sessions: u32,
    pub unproven_window_ms: u32,
    /// How long after installation what is beyond that is only flagged, ms: at first nothing vouches for any key.
    pub unproven_grace_ms: u32,
    /// Megabytes of folded events and sessions a shard keeps; beyond that the oldest go before their time.
    pub shard_mb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            origin_timeout_ms: 100_000,
            flush_ms: 1_000,
            flush_events: 250,
            buffer_events: 20_000,
            abandon_ms: 900_000,
            path_bytes: 1_024,
            body_bytes: 128 * 1_024,
            body_ms: 1_000,
            body_over: BodyOver::Pass,
            unproven_sessions: 200,
            unproven_device_sessions: 100,
            unproven_window_ms: 3_600_000,
            unproven_grace_ms: 7 * 86_400_000,
            shard_mb: 8_000,
        }
    }
}

impl Limits {
    /// Fields outside their range, each with the range.
    pub fn out_of_range(&self) -> Vec<(&'static str, String)> {
        let ranges = [
            ("origin_timeout_ms", self.origin_timeout_ms, 100, 600_000),
            ("flush_ms", self.flush_ms, 10, 10_000),
            ("flush_events", self.flush_events, 1, 2_000),
            ("buffer_events", self.buffer_events, 100, 100_000),
            ("abandon_ms", self.abandon_ms, 1_000, 86_400_000),
            ("path_bytes", self.path_bytes, 64, 8_192),
            ("body_bytes", self.body_bytes, 1_024, 1_048_576),
            ("body_ms", self.body_ms, 10, 10_000),
            ("unproven_sessions", self.unproven_sessions, 10, 10_000),
            ("unproven_device_sessions", self.unproven_device_sessions, 5, 10_000),
            ("unproven_window_ms", self.unproven_window_ms, 60_000, 86_400_000),
            ("unproven_grace_ms", self.unproven_grace_ms, 0, 30 * 86_400_000),
            // The platform ends an object's database at 10 GB.
            ("shard_mb", self.shard_mb, 1, 9_000),
        ];
        let wrong = ranges.into_iter().filter(|(_, value, min, max)| !(min..=max).contains(&value));
        wrong.map(|(field, value, min, max)| (field, format!("is {value}; use {min} to {max}"))).collect()
    }
}

/// Checks `ORIGIN_URL` and removes its trailing slash. The error does not repeat the value: it may hold credentials.
pub fn origin(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or("does not start with https:// or http://")?;
    let authority = rest.split('/').next().unwrap_or("");
    let wrong = if authority.is_empty() {
        "has no host"
    } else if authority.contains('@') {
        "holds credentials; have the origin take them from a header instead"
    } else if rest.contains(['?', '#']) {
        "has a query or fragment; give scheme, host and, if need be, a base path"
    } else if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        "holds a space, backslash or control character"
    } else {
        return Ok(text.trim_end_matches('/').to_owned());
    };
    Err(wrong.to_owned())
}
