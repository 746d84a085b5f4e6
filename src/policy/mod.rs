//! Environment bindings → one typed, validated [`Policy`].
//!
//! Text is parsed in [`sections`] and becomes types here, once per isolate; nothing downstream reads a binding. Every
//! problem is found in one go and names the path of the value at fault.

mod access;
mod alerts;
mod allow;
mod detectors;
mod duration;
mod flows;
mod inventory;
mod parameters;
mod sections;
mod tokens;
mod types;
mod watches;

pub use access::Access;
pub use duration::parse_duration_ms;
pub use inventory::{DocumentSource, InventoryPlan};
pub use sections::{BodyOver, Limits};
pub use tokens::{KeySource, TokenIssuer};
pub use types::{Development, Exception, Inline, Mode, OnError, Problem, Route};

use std::rc::Rc;

use crate::alert::{Rule, Secret};
use crate::context::Signer;
use crate::detect;
use crate::flow::{Flow, Tags};
use crate::identity::{Allowances, KeyPlan, Keyring, UserPlan};
use crate::inventory::Pattern;
use crate::json_path::{self, PathError};
use crate::parameter::{Of, Parameters, TOKEN_SUBJECT, Watch};
use crate::selector::Side;
use crate::session::Detector;
use crate::store::Allowance;
use crate::verdict::{Action, Allowed, Caller};

/// The bindings of one deployment, validated.
#[derive(Debug, Clone)]
pub struct Policy {
    pub mode: Mode,
    /// Scheme, authority and base path of the origin, without a trailing slash; `None`: service binding or zone route.
    pub origin: Option<String>,
    pub shards: u32,
    pub retention_ms: u64,
    pub keys: KeyPlan,
    /// Whose tokens are verified.
    pub issuers: Vec<TokenIssuer>,
    pub users: UserPlan,
    pub parameters: Parameters,
    pub watches: Vec<Watch>,
    /// Names of the values events bring: those of the parameters by their numbers and, where it is watched, the subject
    /// of a token.
    pub value_names: Vec<Box<str>>,
    /// Flows with steps, and which endpoints belong to which flow.
    pub flows: Vec<Flow>,
    /// How the steps of each of them are decided, where one of them is on an inline route.
    inline_of: Vec<Option<Inline>>,
    pub tags: Rc<Tags>,
    /// Request headers that keys, users and parameters are read from, and response headers (Set-Cookie aside).
    pub headers: Vec<String>,
    pub response_headers: Vec<String>,
    /// Signs what the origin is told of a session; without a key it is told nothing.
    pub signer: Option<Signer>,
    pub routes: Vec<Route>,
    /// Who is never acted on.
    pub allow: Vec<Allowed>,
    pub detectors: detect::Settings,
    /// Where attacks are not looked for.
    pub exceptions: Vec<Exception>,
    /// What requests are compared with.
    pub inventory: InventoryPlan,
    pub limits: Limits,
    pub admin_host: Option<String>,
    /// Whom to tell of what, and what that is signed with.
    pub alerts: Vec<Rule>,
    pub webhook_secret: Option<Secret>,
    /// Sign-in through Cloudflare Access, where it is set.
    pub access: Option<Access>,
    /// Whether viewers see users that are stored plain.
    pub viewer_sees_users: bool,
    pub development: Development,
}

/// What an outcome takes to reach its shard once the origin has answered or is given up, ms.
const RECORDED_WITHIN_MS: u64 = 10_000;

/// Headers that say how a body is to be read.
const INSPECTED: [&str; 2] = ["content-type", "content-encoding"];
/// The same of a response.
const ANSWERED: [&str; 1] = ["content-type"];

/// Shards a deployment may have: what a fan-out read can ask within the platform's limit on subrequests.
pub const MAX_SHARDS: u32 = 256;
const MAX_RETENTION_DAYS: u64 = 3_650;
const MAX_SESSION_KEYS: usize = 32;
const MAX_ROUTES: usize = 256;
const MAX_EXCEPTIONS: usize = 256;
const MAX_ALLOWED: usize = 256;
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

    /// Whether the body of a request to this endpoint says who its user is, or holds parameters.
    pub fn needs_body(&self, method: &str, path: &str) -> bool {
        self.users.needs_body(Side::Request, method, path) || self.parameters.needs_body(Side::Request, method, path)
    }

    /// Whether the body of a response of this endpoint issues a key, says who its user is, or holds parameters.
    pub fn needs_response_body(&self, method: &str, path: &str) -> bool {
        self.keys.needs_response_body(method, path)
            || self.users.needs_body(Side::Response, method, path)
            || self.parameters.needs_body(Side::Response, method, path)
            || self.learned_ids(method, path).is_some()
    }

    /// Members that hold ids besides those known by their names, where it is learned who was handed which objects.
    pub fn learned_ids(&self, method: &str, path: &str) -> Option<&[String]> {
        let on = self.detectors.behaviours.get(Detector::BolaForeignObject).is_some();
        self.route(method, path).filter(|_| on)?.objects.as_deref()
    }

    /// What shards have to know of the business.
    pub fn business(&self) -> detect::business::Settings {
        let names = self.value_names.clone();
        let (watches, mut flows, tags) = (self.watches.clone(), self.flows.clone(), self.tags.clone());
        if self.mode == Mode::Monitor {
            // Nobody waits for a record there, so steps are waited for.
            flows.iter_mut().for_each(|flow| flow.grace_ms = flows::GRACE_MS);
        }
        let patience_ms = u64::from(self.limits.origin_timeout_ms) + RECORDED_WITHIN_MS;
        detect::business::Settings::new(names, watches, flows, tags, self.detectors.region_surge)
            .with_patience(patience_ms)
    }

    /// How a request to this endpoint is decided before it is sent on, where it is: as its route says or, of a step of a
    /// flow that may stop it, as the inline route of that flow says.
    pub fn inline(&self, method: &str, path: &str) -> Option<Inline> {
        if self.mode == Mode::Monitor {
            return None;
        }
        let watched = || self.watches.iter().any(|watch| watch.response.action >= Action::Throttle);
        let mut flows = self.flows.iter().zip(&self.inline_of).filter(|(flow, _)| flow.is_judged());
        let step = flows.find(|(flow, _)| flow.steps_of(method, path) != 0).and_then(|(_, inline)| *inline);
        match self.route(method, path).filter(|route| route.inline) {
            Some(route) => Some(Inline { judged: step.is_some() || watched(), ..Inline::of(route) }),
            None => step,
        }
    }

    /// Whether the endpoint is a step of a flow whose steps are recorded before they are answered, because one of them is
    /// decided inline.
    pub fn is_step_at_once(&self, method: &str, path: &str) -> bool {
        let at_once = |flow: &Flow| flow.grace_ms == 0 && flow.steps_of(method, path) != 0;
        self.mode == Mode::Enforce && self.flows.iter().any(at_once)
    }

    /// The exceptions that an endpoint has.
    pub fn exceptions<'a>(&'a self, method: &'a str, path: &'a str) -> impl Iterator<Item = &'a Exception> {
        let fits = move |pattern: &Pattern| pattern.matches(method, path);
        self.exceptions.iter().filter(move |exception| exception.pattern.as_ref().is_none_or(fits))
    }

    /// The first route whose pattern fits.
    pub fn route(&self, method: &str, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.pattern.matches(method, path))
    }

    /// What a client may start with keys that nothing vouches for.
    pub fn allowances(&self) -> Allowances {
        Allowances {
            per_address: self.limits.unproven_sessions,
            per_device: self.limits.unproven_device_sessions,
            window_ms: u64::from(self.limits.unproven_window_ms),
        }
    }

    /// What a client may start in one shard before every isolate is told: twice its share, because sessions spread by
    /// chance, and never fewer than a few.
    pub fn newcomers(&self) -> Allowance {
        let share = self.limits.unproven_sessions / self.shards;
        let sessions = if self.shards == 1 { share } else { (share * 2).max(16).min(self.limits.unproven_sessions) };
        Allowance { sessions, window_ms: u64::from(self.limits.unproven_window_ms) }
    }

    /// Whether nothing is ever done about a request of this caller.
    pub fn allows(&self, caller: &Caller<'_>) -> bool {
        self.allow.iter().any(|allowed| allowed.covers(caller))
    }

    /// What is done in this mode where `action` would be right.
    pub fn enforced(&self, action: Action) -> Action {
        match self.mode {
            Mode::Monitor => action.min(Action::Tag),
            Mode::Enforce => action,
        }
    }
}

fn union(names: &[String], more: Vec<String>) -> Vec<String> {
    let mut names = names.to_vec();
    names.extend(more);
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| name != "set-cookie" && seen.insert(name.clone()));
    names
}

fn value_names(parameters: &Parameters, watches: &[Watch]) -> Vec<Box<str>> {
    let subject = watches.iter().any(|watch| watch.of == Of::Subject).then(|| TOKEN_SUBJECT.into());
    parameters.names().iter().cloned().chain(subject).collect()
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
        let issuers = self.issuers();
        let keys = self.keys(issuers.iter().map(|i| i.namespace.clone()).collect());
        let parameters = self.parameters();
        let users = UserPlan::new(parameters.list().filter_map(|(_, parameter)| parameter.naming()).collect());
        let routes = self.routes();
        let exceptions = self.entries("EXCEPTIONS", MAX_EXCEPTIONS, sections::RawException::resolve);
        let (flows, tags) = self.flows(&parameters, &routes);
        let watches = self.watches(&parameters);
        let inline_of = flows.iter().map(|flow| flows::inline_of(flow, &routes)).collect();
        let headers = |own: Vec<String>, side| {
            let own = union(&own, users.headers(side));
            union(&own, parameters.headers(side))
        };
        Policy {
            mode,
            origin: self.origin(),
            shards: self.number("SHARDS", 1, 1, u64::from(MAX_SHARDS)) as u32,
            retention_ms: self.number("RETENTION_DAYS", 30, 1, MAX_RETENTION_DAYS) * DAY_MS,
            headers: headers([keys.headers(), &INSPECTED.map(str::to_owned)].concat(), Side::Request),
            response_headers: headers([keys.response_headers(), &ANSWERED.map(str::to_owned)].concat(), Side::Response),
            users,
            value_names: value_names(&parameters, &watches),
            watches,
            parameters,
            flows,
            inline_of,
            tags: Rc::new(tags),
            signer: self.signer(),
            allow: self.allow(keys.ring()),
            issuers,
            detectors: self.detectors(&routes, &exceptions),
            keys,
            routes,
            exceptions,
            inventory: self.inventory(),
            limits: self.limits(),
            admin_host: self.text("ADMIN_HOST").map(|host| host.to_ascii_lowercase()),
            alerts: self.alerts(),
            webhook_secret: self.webhook_secret(),
            access: self.access(),
            viewer_sees_users: self.flag("VIEWER_SEES_USERS"),
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

    fn keys(&mut self, issuers: Vec<String>) -> KeyPlan {
        let secret = self.secret("SESSION_SECRET").unwrap_or_else(|| {
            self.problem("SESSION_SECRET", "is not set; set it with `wrangler secret put SESSION_SECRET`");
            String::new()
        });
        let former = self.secret("SESSION_SECRET_PREVIOUS");
        if former.as_deref() == Some(secret.as_str()) {
            self.problem("SESSION_SECRET_PREVIOUS", "is the same as SESSION_SECRET; remove it");
        }
        let keys = self.entries("SESSION_KEYS", MAX_SESSION_KEYS, sections::RawKey::resolve);
        KeyPlan::new(keys, Keyring::new(secret.as_bytes(), former.as_deref().map(str::as_bytes)), issuers)
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        let secret = self.text(name)?;
        let least = crate::identity::MIN_SECRET_BYTES;
        if secret.len() < least {
            self.problem(name, format!("is shorter than {least} bytes; use a long random value"));
        }
        Some(secret)
    }

    fn issuers(&mut self) -> Vec<TokenIssuer> {
        let get = self.get;
        self.entries("JWT", tokens::MAX_ISSUERS, |raw: tokens::RawIssuer| raw.resolve(get))
    }

    fn parameters(&mut self) -> Parameters {
        let all = self.entries("PARAMETERS", parameters::MAX_PARAMETERS, parameters::RawParameter::resolve);
        self.problems.extend(parameters::contradictions(&all));
        Parameters::new(all)
    }

    fn watches(&mut self, parameters: &Parameters) -> Vec<Watch> {
        self.entries("WATCHES", watches::MAX_WATCHES, |raw: watches::RawWatch| raw.resolve(parameters))
    }

    /// Flows with steps, and the tags of all. One with a step on an inline route is recorded synchronously.
    fn flows(&mut self, parameters: &Parameters, routes: &[Route]) -> (Vec<Flow>, Tags) {
        let all = self.entries("FLOWS", flows::MAX_FLOWS, |raw: flows::RawFlow| raw.resolve(parameters, routes));
        let (mut machines, mut tags) = (Vec::new(), Tags::default());
        for (at, flow) in all.into_iter().enumerate() {
            let has_steps = flow.machine.is_some();
            let added = if has_steps { Tags::add_steps } else { Tags::add }(&mut tags, &flow.name, flow.endpoints);
            if !added {
                self.problem(
                    format!("FLOWS[{at}].name"),
                    "is one too many: there is room for 56 besides the built-in ones",
                );
            }
            machines.extend(flow.machine);
        }
        (machines, tags)
    }

    fn signer(&mut self) -> Option<Signer> {
        let key = self.text("CONTEXT_SIGNING_KEY")?;
        match Signer::new(&key) {
            Ok(signer) => Some(signer),
            Err(reason) => {
                self.problem("CONTEXT_SIGNING_KEY", reason);
                None
            }
        }
    }

    fn allow(&mut self, ring: &Keyring) -> Vec<Allowed> {
        let entries = self.entries("ALLOW", MAX_ALLOWED, |raw: allow::RawAllowed| raw.resolve(ring));
        entries.into_iter().flatten().collect()
    }

    fn routes(&mut self) -> Vec<Route> {
        self.entries("ROUTES", MAX_ROUTES, sections::RawRoute::resolve)
    }

    /// The entries of a list and of its continuations (`NAME_2`, `NAME_3`, …): a binding holds 5 KB at most.
    fn entries<Raw, T>(
        &mut self,
        name: &str,
        max: usize,
        resolve: impl Fn(Raw) -> Result<T, (String, String)>,
    ) -> Vec<T>
    where
        Raw: serde::de::DeserializeOwned,
    {
        let mut entries = Vec::new();
        for part in 1.. {
            let part = if part == 1 { name.to_owned() } else { format!("{name}_{part}") };
            if part != name && self.text(&part).is_none() {
                break;
            }
            for (i, raw) in self.section::<Vec<Raw>>(&part).into_iter().enumerate() {
                match resolve(raw) {
                    Ok(entry) => entries.push(entry),
                    Err((field, reason)) => self.problem(format!("{part}[{i}].{field}"), reason),
                }
            }
        }
        self.at_most(name, entries.len(), max);
        entries
    }

    fn detectors(&mut self, routes: &[Route], exceptions: &[Exception]) -> detect::Settings {
        let raw: detectors::RawDetectors = self.section("DETECTORS");
        let rules = routes.iter().map(|route| detect::RouteRule {
            pattern: route.pattern.clone(),
            monitor: route.monitor,
            actions: route.actions.clone(),
        });
        let excepted = exceptions.iter().filter_map(|exception| {
            let behaviour = exception.detector.filter(|detector| detector.attack().is_none())?;
            Some((exception.pattern.clone(), behaviour))
        });
        match raw.resolve() {
            Ok(settings) => detect::Settings { routes: rules.collect(), excepted: excepted.collect(), ..settings },
            Err((field, reason)) => {
                self.problem(format!("DETECTORS.{field}"), reason);
                detect::Settings::default()
            }
        }
    }

    fn inventory(&mut self) -> InventoryPlan {
        let (plan, faults) = self.section::<inventory::RawInventory>("INVENTORY").resolve();
        for (field, reason) in faults {
            self.problem(format!("INVENTORY.{field}"), reason);
        }
        plan
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
        json_path::read(text.as_bytes()).unwrap_or_else(|PathError { path, reason }| {
            let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
            self.problem(format!("{name}{dot}{path}"), reason);
            T::default()
        })
    }
}

#[cfg(test)]
mod tests;
