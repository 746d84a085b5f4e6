//! Looking at what a request carries: before it is forwarded where it may be stopped for it, else with its outcome, when
//! nobody waits any more.

use super::isolate::Isolate;
use super::request::{Described, Start};
use crate::detect::attacks::{TOLD, place_of};
use crate::detect::{consequence, normal};
use crate::inspect::{Body, Cuts, Hit, Inspection, Place, Request};
use crate::inventory::templated;
use crate::policy::{BodyOver, Mode, Policy};
use crate::session::{Carried, Detector};

/// Attacks told of one request, the strongest first.
const MAX_CARRIED: usize = 4;
/// Cuts that are in the nature of what was sent, or have marks of their own.
const ORDINARY: Cuts = Cuts(Cuts::FILE.0 | Cuts::ENCODING.0 | Cuts::BODY.0 | Cuts::UNREAD.0);

/// What was found in a request.
#[derive(Debug, Default)]
pub struct Looked {
    pub carried: Vec<Carried>,
    /// Whether the request is to be stopped for it.
    pub stops: bool,
    /// Whether something was not looked at.
    pub cut: bool,
}

/// Whether the body of a request has to be there for it to be looked at.
pub fn wants_body(described: &Described<'_>, policy: &Policy) -> bool {
    let bodiless = matches!(described.method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
    policy.detectors.attacks.any() && !bodiless && !described.preflight && described.request_bytes != Some(0)
}

/// Whether it has to be there before the request is forwarded.
pub fn wants_body_first(described: &Described<'_>, policy: &Policy) -> bool {
    policy.mode == Mode::Enforce
        && wants_body(described, policy)
        && policy.route(described.method, described.path).is_none_or(|route| route.record)
}

/// Looks at all of a request that was read. `spared` says that it is not to be stopped whatever it carries.
pub fn look(
    described: &Described<'_>,
    body: Option<&Start>,
    spared: bool,
    policy: &Policy,
    isolate: &Isolate,
) -> Looked {
    let Some(inspector) = &isolate.inspector else { return Looked::default() };
    let mut headers: Vec<(&str, &str)> = described.headers(policy).collect();
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
    let (content_type, content_encoding) = (header("content-type"), header("content-encoding"));
    let body = body.map(|start| Body { content_type, content_encoding, bytes: &start.bytes, cut: start.cut });
    if !described.client.user_agent.is_empty() {
        headers.push(("user-agent", described.client.user_agent));
    }
    let request = Request {
        method: described.method,
        host: described.host,
        path: described.path,
        query: described.query,
        headers: &headers,
        body,
    };
    let exceptions: Vec<_> = policy.exceptions(described.method, described.path).collect();
    let except = |attack, place: Place<'_>| {
        exceptions.iter().any(|exception| {
            exception.detector.is_none_or(|excepted| excepted == Detector::Attack(attack))
                && exception.parameter.as_deref().is_none_or(|name| name == place.name)
        })
    };
    let Inspection { hits, cuts, .. } = inspector.inspect(&request, &except);
    let is_worth_telling = hits.iter().any(|hit| hit.confidence >= TOLD);
    let stops = |hit: &Hit| {
        policy.mode == Mode::Enforce
            && !spared
            && consequence::stops(&policy.detectors, hit.attack, hit.confidence, described.method, described.path)
            && !is_normal(hit, described, policy, isolate)
    };
    // A body that comes slowly is not over: it is passed on, marked.
    let is_over = body.is_some_and(|body| body.cut && body.bytes.len() >= policy.limits.body_bytes as usize);
    let stops_over = is_over && policy.mode == Mode::Enforce && policy.limits.body_over == BodyOver::Block;
    let stopped = stops_over || hits.iter().any(stops);
    let carried = hits.iter().filter(|_| is_worth_telling).take(MAX_CARRIED).map(|hit| Carried {
        attack: hit.attack,
        severity: hit.severity,
        confidence: hit.confidence,
        place: place_of(hit.part, &hit.name),
        what: format!("{}: {}", hit.what, hit.snippet),
        stopped,
    });
    Looked { carried: carried.collect(), stops: stopped, cut: cuts.0 & !ORDINARY.0 != 0 }
}

/// Whether such text is ordinary where it stands, as the shards learned.
fn is_normal(hit: &Hit, described: &Described<'_>, policy: &Policy, isolate: &Isolate) -> bool {
    let hash = policy.keys.ring().subjects().0;
    let path = templated(described.path, policy.limits.path_bytes as usize);
    let endpoint = normal::endpoint_of(described.method, described.host, &path.template, &hash);
    normal::key(endpoint, hit.attack, &place_of(hit.part, &hit.name), hit.what, &hash)
        .is_some_and(|kind| isolate.is_normal(kind))
}
