//! Environment bindings → one typed, validated [`Policy`].
//!
//! Text is parsed in [`sections`] and becomes types here, once per isolate; nothing downstream reads a binding. Every
//! problem is found in one go and names the path of the value at fault.

mod duration;
mod pattern;
mod sections;

pub use duration::parse_duration_ms;
pub use pattern::Pattern;
pub use sections::Limits;

use core::fmt;

use crate::detect;
use crate::identity::{KeyPlan, Keyring, SessionKey};
use crate::selector::Selector;
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
}

/// Bindings that only development accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Development {
    /// Client address, country, ASN and fingerprint come from request headers.
    pub client_headers: bool,
    /// Time comes from a request header.
    pub clock: bool,
}

/// The bindings of one deployment, validated.
#[derive(Debug, Clone)]
pub struct Policy {
    pub mode: Mode,
    /// Scheme, authority and base path of the origin, without a trailing slash; `None`: service binding or zone route.
    pub origin: Option<String>,
    pub shards: u32,
    pub retention_ms: u64,
    pub keys: KeyPlan,
    pub routes: Vec<Route>,
    pub detectors: detect::Settings,
    pub limits: Limits,
    pub admin_host: Option<String>,
    pub development: Development,
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

/// Shards a deployment may have: what a fan-out read can ask within the platform's limit on subrequests.
pub const MAX_SHARDS: u32 = 256;
const MAX_RETENTION_DAYS: u64 = 3_650;
const MAX_SESSION_KEYS: usize = 32;
const MAX_ROUTES: usize = 256;
/// Shortest token accepted for the admin API, bytes.
pub const MIN_TOKEN_BYTES: usize = 16;
const DAY_MS: u64 = 86_400_000;

impl Policy {
    /// Reads the bindings; `get` answers a binding's text, structured ones as JSON. All problems are reported at once.
    pub fn load(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { get, problems: Vec::new() };
        let policy = reader.policy();
        if reader.problems.is_empty() { Ok(policy) } else { Err(reader.problems) }
    }

    /// What to do with traffic when the policy itself cannot be loaded.
    pub fn on_error(get: &dyn Fn(&str) -> Option<String>) -> OnError {
        match get("ON_ERROR").as_deref() {
            Some("closed") => OnError::Closed,
            _ => OnError::Open,
        }
    }

    /// The first route whose pattern fits.
    pub fn route(&self, method: &str, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.pattern.matches(method, path))
    }

    /// What is done in this mode where `action` would be right.
    pub fn enforced(&self, action: Action) -> Action {
        match self.mode {
            Mode::Monitor => action.min(Action::Tag),
            Mode::Enforce => action,
        }
    }
}

struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn policy(&mut self) -> Policy {
        self.check_tokens();
        self.choice("ON_ERROR", "open", &["open", "closed"]);
        let mode = match self.choice("MODE", "monitor", &["monitor", "enforce"]).as_str() {
            "enforce" => Mode::Enforce,
            _ => Mode::Monitor,
        };
        Policy {
            mode,
            origin: self.origin(),
            shards: self.number("SHARDS", 1, 1, u64::from(MAX_SHARDS)) as u32,
            retention_ms: self.number("RETENTION_DAYS", 30, 1, MAX_RETENTION_DAYS) * DAY_MS,
            keys: self.keys(),
            routes: self.routes(),
            detectors: self.detectors(),
            limits: self.limits(),
            admin_host: self.text("ADMIN_HOST").map(|host| host.to_ascii_lowercase()),
            development: Development { client_headers: self.flag("DEV_CLIENT_HEADERS"), clock: self.flag("DEV_CLOCK") },
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn problem(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), reason: reason.into() });
    }

    fn choice(&mut self, name: &str, default: &str, allowed: &[&str]) -> String {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        if !allowed.contains(&text.as_str()) {
            self.problem(name, format!("is `{text}`; use one of: {}", allowed.join(", ")));
        }
        text
    }

    fn number(&mut self, name: &str, default: u64, min: u64, max: u64) -> u64 {
        let Some(text) = self.text(name) else { return default };
        match text.parse::<u64>() {
            Ok(n) if (min..=max).contains(&n) => n,
            _ => {
                self.problem(name, format!("is `{text}`; use a whole number from {min} to {max}"));
                default
            }
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        self.choice(name, "false", &["true", "false"]) == "true"
    }

    fn check_tokens(&mut self) {
        for (name, required) in [("ADMIN_TOKEN", true), ("VIEWER_TOKEN", false)] {
            match self.text(name) {
                None if required => self.problem(name, "is not set; set it with `wrangler secret put ADMIN_TOKEN`"),
                Some(token) if token.len() < MIN_TOKEN_BYTES => {
                    self.problem(name, format!("is shorter than {MIN_TOKEN_BYTES} bytes; use a long random value"));
                }
                _ => {}
            }
        }
    }

    fn origin(&mut self) -> Option<String> {
        let text = self.text("ORIGIN_URL")?;
        match sections::origin(&text) {
            Ok(origin) => Some(origin),
            Err(reason) => {
                self.problem("ORIGIN_URL", reason);
                None
            }
        }
    }

    fn keys(&mut self) -> KeyPlan {
        let secret = self.text("SESSION_SECRET").unwrap_or_default();
        if secret.len() < crate::identity::MIN_SECRET_BYTES {
            let least = crate::identity::MIN_SECRET_BYTES;
            self.problem(
                "SESSION_SECRET",
                format!("is not set or shorter than {least} bytes; use a long random value"),
            );
        }
        let raw: Vec<sections::RawKey> = self.section("SESSION_KEYS");
        self.at_most("SESSION_KEYS", raw.len(), MAX_SESSION_KEYS);
        let mut keys = Vec::new();
        for (i, key) in raw.into_iter().enumerate() {
            match Selector::parse(&key.from) {
                Ok(from) => keys.push(SessionKey { from, join: key.join }),
                Err(error) => self.problem(format!("SESSION_KEYS[{i}].from"), error.to_string()),
            }
        }
        KeyPlan::new(keys, Keyring::new(secret.as_bytes(), None))
    }

    fn routes(&mut self) -> Vec<Route> {
        let raw: Vec<sections::RawRoute> = self.section("ROUTES");
        self.at_most("ROUTES", raw.len(), MAX_ROUTES);
        let mut routes = Vec::new();
        for (i, route) in raw.into_iter().enumerate() {
            match route.resolve() {
                Ok(route) => routes.push(route),
                Err((field, reason)) => self.problem(format!("ROUTES[{i}].{field}"), reason),
            }
        }
        routes
    }

    fn detectors(&mut self) -> detect::Settings {
        let raw: sections::RawDetectors = self.section("DETECTORS");
        match raw.resolve() {
            Ok(settings) => settings,
            Err((field, reason)) => {
                self.problem(format!("DETECTORS.{field}"), reason);
                detect::Settings::default()
            }
        }
    }

    fn limits(&mut self) -> Limits {
        let limits: Limits = self.section("LIMITS");
        for (field, reason) in limits.out_of_range() {
            self.problem(format!("LIMITS.{field}"), reason);
        }
        limits
    }

    fn at_most(&mut self, name: &str, len: usize, max: usize) {
        if len > max {
            self.problem(name, format!("has {len} entries; at most {max} are taken"));
        }
    }

    fn section<T: Default + serde::de::DeserializeOwned>(&mut self, name: &str) -> T {
        let Some(text) = self.text(name) else { return T::default() };
        let json = &mut serde_json::Deserializer::from_str(&text);
        match serde_path_to_error::deserialize(json) {
            Ok(section) => section,
            Err(error) => {
                let inner = error.path().to_string();
                let dot = if inner.starts_with('[') { "" } else { "." };
                let path = if inner == "." { name.to_owned() } else { format!("{name}{dot}{inner}") };
                self.problem(path, error.inner().to_string());
                T::default()
            }
        }
    }
}

#[cfg(test)]
mod tests;
