//! Plain data of a policy: modes, routes, exceptions, and what may be wrong with the bindings.

use core::fmt;

use crate::inventory::Pattern;
use crate::session::Detector;
use crate::verdict::Action;

/// Whether verdicts are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything is seen, nothing is stopped.
    Monitor,
    Enforce,
}

impl Mode {
    /// The name the configuration and the API use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Enforce => "enforce",
        }
    }
}

/// What happens to a request when a part of this product fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It passes, marked.
    Open,
    /// It is refused with 503.
    Closed,
}

/// A route with settings of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub pattern: Pattern,
    /// Ask the shard before forwarding.
    pub inline: bool,
    /// How long that may take, ms.
    pub deadline_ms: u32,
    pub on_error: OnError,
    /// Whether requests are recorded at all.
    pub record: bool,
    /// Whether it is learned who was handed which objects, and the members of answers that hold ids besides those known by
    /// their names.
    pub objects: Option<Vec<String>>,
    /// Whether nothing is stopped there, whatever the mode.
    pub monitor: bool,
    /// Actions of detectors in place of those in `DETECTORS`.
    pub actions: Vec<(Detector, Action)>,
}

/// How a request is decided before it is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inline {
    pub deadline_ms: u32,
    pub on_error: OnError,
    /// Whether rules about the business may stop it, so that it has to be told what it holds.
    pub judged: bool,
}

impl Inline {
    /// As an inline route says; no rule is asked.
    pub fn of(route: &Route) -> Self {
        Self { deadline_ms: route.deadline_ms, on_error: route.on_error, judged: false }
    }
}

/// Where a class of attack, or any, is not looked for: an endpoint, a parameter of it, or both; or where what a detector of
/// behaviour finds is not told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exception {
    pub pattern: Option<Pattern>,
    /// Name of the parameter, header or cookie, or the pointer into the body.
    pub parameter: Option<String>,
    /// `None`: every class of attack.
    pub detector: Option<Detector>,
}

/// Bindings that only development accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Development {
    /// Client address, country, ASN and fingerprint come from request headers.
    pub client_headers: bool,
    /// Time comes from a request header.
    pub clock: bool,
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Binding and place inside it, e.g. `ROUTES[2].match`.
    pub path: String,
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}
