//! The public API without the platform: its paths, who may call them, its orders and refusals.
//!
//! `openapi.json` describes it to the outside; a test holds the two together.

pub mod access;
pub mod alerts;
pub mod discovered;
pub mod documents;
pub mod dry_run;
pub mod erasure;
pub mod export;
pub mod identify;
pub mod label;
pub mod mcp;
pub mod order;
pub mod policy;
mod refusal;
pub mod related;
pub mod replay;
pub mod share;
pub mod story;
pub mod stream;
pub mod subject;

pub use refusal::Refusal;

use serde::Serialize;

use crate::export::Of;
use crate::policy::Mode;
use crate::query::{ParameterError, StatsAnswer, rfc3339};
use crate::session::{Detector, EventId, SessionId};
use crate::subject::Kind;
use crate::verdict::{Action, Block, KINDS, Subject};
use crate::wire::AuditEntry;

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Health,
    OpenApi,
    Metrics,
    Policy,
    Sessions,
    Session(SessionId),
    SessionEvents(SessionId),
    SessionAction(SessionId),
    SessionStory(SessionId),
    SessionNeighbours(SessionId),
    SessionLabel(SessionId),
    Identify,
    Replay,
    Events,
    Stats,
    Findings,
    /// The request that completed it; the whole id is in the path.
    Finding(EventId),
    FindingLabel(EventId),
    Labels,
    DryRun,
    Rollups,
    Lookup,
    Blocks,
    Block,
    Unblock,
    Audit,
    /// A whole list, in a format of choice.
    Export(Of),
    SessionExport(SessionId),
    /// What comes in, as it comes in.
    Stream,
    Shares,
    Share,
    Unshare(u64),
    Alerts,
    RetryAlert(u128),
    /// The Model Context Protocol.
    Mcp,
    /// The value is the last segment of the path; see [`subject::value_of`].
    Subject(Kind),
    /// The user is the last segment of the path, likewise.
    EraseUser,
    Endpoints,
    /// What was discovered, as an OpenAPI document.
    Discovered,
    /// What changed about endpoints.
    EndpointChanges,
    /// The id is a segment of the path; see [`Operation::id_in`].
    Endpoint,
    EndpointSessions,
    UnlearnEndpoint,
    Documents,
    AddDocument,
    Document(u64),
    RemoveDocument(u64),
}

impl Operation {
    /// Whether it takes parameters in the query string.
    pub fn takes_parameters(self) -> bool {
        matches!(
            self,
            Self::Sessions
                | Self::SessionEvents(_)
                | Self::Events
                | Self::Stats
                | Self::Findings
                | Self::Rollups
                | Self::Unblock
                | Self::Audit
                | Self::Labels
                | Self::Endpoints
                | Self::EndpointSessions
                | Self::EndpointChanges
                | Self::Export(_)
                | Self::SessionExport(_)
                | Self::Stream
                | Self::Alerts
        )
    }

    /// The id of an endpoint that stands in the path of its operations.
    pub fn id_in(path: &str) -> &str {
        path.split('/').nth(4).unwrap_or("")
    }

    /// Whether a viewer may not call it.
    pub fn changes_something(self) -> bool {
        matches!(
            self,
            Self::SessionAction(_)
                | Self::SessionLabel(_)
                | Self::FindingLabel(_)
                | Self::Block
                | Self::Unblock
                | Self::EraseUser
                | Self::UnlearnEndpoint
                | Self::AddDocument
                | Self::RemoveDocument(_)
                | Self::Share
                | Self::Unshare(_)
                | Self::RetryAlert(_)
        )
    }
}

/// The operation that a method and a path (below the admin prefix) name.
pub fn resolve(method: &str, path: &str) -> Result<Operation, Refusal> {
    const NOTHING: Refusal = Refusal::NotFound("There is nothing at this path; see openapi.json.");
    const KINDS: Refusal = Refusal::NotFound("A subject is a session, user, ip, token or device.");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let id = |text: &str| SessionId::parse(text).ok_or(Refusal::NotFound("A session id has 32 hex digits."));
    let get =
        |operation| if matches!(method, "GET" | "HEAD") { Ok(operation) } else { Err(Refusal::Method("GET, HEAD")) };
    let post = |operation| if method == "POST" { Ok(operation) } else { Err(Refusal::Method("POST")) };
    match segments.as_slice() {
        ["healthz"] => get(Operation::Health),
        ["openapi.json"] => get(Operation::OpenApi),
        ["metrics"] => get(Operation::Metrics),
        ["mcp"] => post(Operation::Mcp),
        ["api", "v1", rest @ ..] => match rest {
            ["policy"] => get(Operation::Policy),
            ["sessions"] => get(Operation::Sessions),
            [list @ ("sessions" | "events" | "findings"), "export"] => {
                get(Operation::Export(Of::from_name(list).unwrap_or(Of::Events)))
            }
            ["sessions", session] => get(Operation::Session(id(session)?)),
            ["sessions", session, "events"] => get(Operation::SessionEvents(id(session)?)),
            ["sessions", session, "export"] => get(Operation::SessionExport(id(session)?)),
            ["sessions", session, "story"] => get(Operation::SessionStory(id(session)?)),
            ["sessions", session, "neighbours"] => get(Operation::SessionNeighbours(id(session)?)),
            ["sessions", session, "labels"] => post(Operation::SessionLabel(id(session)?)),
            ["sessions", session, "actions"] => post(Operation::SessionAction(id(session)?)),
            ["events"] => get(Operation::Events),
            ["stream"] => get(Operation::Stream),
            ["alerts"] => get(Operation::Alerts),
            ["alerts", alert, "retry"] => {
                let id = crate::alert::id_from(alert);
                post(Operation::RetryAlert(id.ok_or(Refusal::NotFound("No alert has this id."))?))
            }
            ["share"] => match method {
                "GET" | "HEAD" => Ok(Operation::Shares),
                "POST" => Ok(Operation::Share),
                _ => Err(Refusal::Method("GET, HEAD, POST")),
            },
            ["share", share] if method == "DELETE" => Ok(Operation::Unshare(share::share_id(share)?)),
            ["share", _] => Err(Refusal::Method("DELETE")),
            ["stats"] => get(Operation::Stats),
            ["findings"] => get(Operation::Findings),
            ["findings", finding] => get(Operation::Finding(request_of(finding)?)),
            ["findings", finding, "labels"] => post(Operation::FindingLabel(request_of(finding)?)),
            ["labels"] => get(Operation::Labels),
            ["dryrun"] => get(Operation::DryRun),
            ["rollups"] => get(Operation::Rollups),
            ["identify"] => post(Operation::Identify),
            ["replay"] => post(Operation::Replay),
            ["lookup"] => post(Operation::Lookup),
            ["audit"] => get(Operation::Audit),
            ["subjects", "user", _] if method == "DELETE" => Ok(Operation::EraseUser),
            ["subjects", "user", _] => {
                get(Operation::Subject(Kind::User)).map_err(|_| Refusal::Method("GET, HEAD, DELETE"))
            }
            ["subjects", "session", session] => get(Operation::Session(id(session)?)),
            ["subjects", kind, _] => get(Operation::Subject(Kind::parse(kind).ok_or(KINDS)?)),
            ["endpoints"] => get(Operation::Endpoints),
            ["endpoints", "openapi.json"] => get(Operation::Discovered),
            ["endpoints", "changes"] => get(Operation::EndpointChanges),
            ["endpoints", id] if is_endpoint_id(id) => match method {
                "GET" | "HEAD" => Ok(Operation::Endpoint),
                "DELETE" => Ok(Operation::UnlearnEndpoint),
                _ => Err(Refusal::Method("GET, HEAD, DELETE")),
            },
            ["endpoints", id, "sessions"] if is_endpoint_id(id) => get(Operation::EndpointSessions),
            ["endpoints", _] | ["endpoints", _, "sessions"] => {
                Err(Refusal::NotFound("An endpoint's id has 32 hex digits; see the list."))
            }
            ["documents"] => match method {
                "GET" | "HEAD" => Ok(Operation::Documents),
                "POST" => Ok(Operation::AddDocument),
                _ => Err(Refusal::Method("GET, HEAD, POST")),
            },
            ["documents", number] => {
                let number = number.parse().map_err(|_| Refusal::NotFound("Documents are named by their number."))?;
                match method {
                    "GET" | "HEAD" => Ok(Operation::Document(number)),
                    "DELETE" => Ok(Operation::RemoveDocument(number)),
                    _ => Err(Refusal::Method("GET, HEAD, DELETE")),
                }
            }
            ["blocks"] => match method {
                "GET" | "HEAD" => Ok(Operation::Blocks),
                "POST" => Ok(Operation::Block),
                "DELETE" => Ok(Operation::Unblock),
                _ => Err(Refusal::Method("GET, HEAD, POST, DELETE")),
            },
            _ => Err(NOTHING),
        },
        _ => Err(NOTHING),
    }
}

/// The request that completed a finding, by the finding's id.
fn request_of(finding: &str) -> Result<EventId, Refusal> {
    let (request, detector) = finding.split_once('-').unwrap_or(("", ""));
    let known = Detector::from_name(detector).and_then(|_| EventId::parse(request));
    known.ok_or(Refusal::NotFound("A finding's id is a request id, `-`, and the name of a detector."))
}

fn is_endpoint_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A list as the API shows it.
#[derive(Debug, Serialize)]
pub struct ListAnswer<T> {
    pub items: Vec<T>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
    /// Whether something may be missing.
    pub partial: bool,
}

/// A block as the API shows it.
#[derive(Debug, Serialize)]
pub struct BlockAnswer {
    kind: &'static str,
    value: String,
    action: Action,
    created: String,
    until: String,
    reason: String,
    by: String,
    /// Whether this deployment acts on blocks at all.
    enforced: bool,
}

impl BlockAnswer {
    /// The block in a deployment of this mode.
    pub fn new(block: &Block, mode: Mode) -> Self {
        Self {
            kind: block.subject.kind(),
            value: block.subject.value(),
            action: block.action,
            created: rfc3339(block.created_ms),
            until: rfc3339(block.until_ms),
            reason: block.reason.clone(),
            by: block.by.clone(),
            enforced: mode == Mode::Enforce,
        }
    }
}

/// Totals and buckets as the API shows them.
#[derive(Debug, Serialize)]
pub struct StatsPage {
    #[serde(flatten)]
    pub stats: StatsAnswer,
    pub partial: bool,
}

/// One session that a raw key value leads to.
#[derive(Debug, Serialize)]
pub struct LookupAnswer {
    pub session: String,
    pub source: String,
}

/// The worker's condition, as much as the asker may know.
#[derive(Debug, Serialize)]
pub struct HealthAnswer {
    pub status: &'static str,
    #[serde(flatten)]
    pub details: Option<HealthDetails>,
}

/// What only somebody with a token is told.
#[derive(Debug, Default, Serialize)]
pub struct HealthDetails {
    pub version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    pub time: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl HealthAnswer {
    /// Whether the configuration is in force; `details` for those with a token.
    pub fn new(ready: bool, details: Option<HealthDetails>) -> Self {
        Self { status: if ready { "ok" } else { "misconfigured" }, details }
    }
}

/// An act as the API shows it.
#[derive(Debug, Serialize)]
pub struct AuditAnswer {
    time: String,
    actor: String,
    act: String,
    subject: String,
    detail: String,
}

impl From<AuditEntry> for AuditAnswer {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { time_ms, actor, act, subject, detail } = entry;
        Self { time: rfc3339(time_ms), actor, act, subject, detail }
    }
}

/// The subject named by `kind` and `value` in a query string.
pub fn subject_of(query: &str) -> Result<Subject, Refusal> {
    let (mut kind, mut value) = (None, None);
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match name.as_ref() {
            "kind" => &mut kind,
            "value" => &mut value,
            _ => return Err(bad(&name, "is not known here")),
        };
        if slot.replace(text.into_owned()).is_some() {
            return Err(bad(&name, "is given more than once"));
        }
    }
    let kind = kind.ok_or_else(|| bad("kind", "is missing; use session, user, device or ip"))?;
    let value = value.ok_or_else(|| bad("value", "is missing"))?;
    if !KINDS.contains(&kind.as_str()) {
        return Err(bad("kind", "is none of: session, user, device, ip"));
    }
    Subject::parse(&kind, &value).ok_or_else(|| bad("value", "is no session id, user, device or address"))
}

/// The `limit` of an audit question.
pub fn audit_limit(query: &str) -> Result<u32, Refusal> {
    let mut limit = None;
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let number = text.parse().ok().filter(|n| (1..=crate::query::MAX_LIMIT).contains(n));
        let number = match (name.as_ref(), number) {
            ("limit", Some(number)) => number,
            ("limit", None) => return Err(bad("limit", "is no whole number from 1 to 500")),
            _ => return Err(bad(&name, "is not known here")),
        };
        if limit.replace(number).is_some() {
            return Err(bad("limit", "is given more than once"));
        }
    }
    Ok(limit.unwrap_or(crate::query::DEFAULT_LIMIT))
}

fn bad(name: &str, reason: &str) -> Refusal {
    ParameterError { name: name.to_owned(), reason: reason.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_name_operations_and_nothing_else_does() {
        let id = "00112233445566778899aabbccddeeff";
        assert_eq!(resolve("GET", "/healthz"), Ok(Operation::Health));
        assert_eq!(resolve("HEAD", "/api/v1/sessions"), Ok(Operation::Sessions));
        assert_eq!(resolve("DELETE", "/api/v1/blocks"), Ok(Operation::Unblock));
        assert_eq!(resolve("DELETE", "/api/v1/subjects/user/ann%2Fb"), Ok(Operation::EraseUser));
        assert_eq!(resolve("GET", "/api/v1/subjects/ip/192.0.2.1"), Ok(Operation::Subject(Kind::Ip)));
        assert!(matches!(resolve("GET", &format!("/api/v1/subjects/session/{id}")), Ok(Operation::Session(_))));
        assert!(matches!(resolve("GET", &format!("/api/v1/sessions/{id}/events")), Ok(Operation::SessionEvents(_))));
        for (method, path, status) in [
            ("POST", "/api/v1/sessions", 405),
            ("GET", "/api/v1/lookup", 405),
            ("PATCH", "/api/v1/blocks", 405),
            ("POST", "/api/v1/subjects/user/ann", 405),
            ("DELETE", "/api/v1/subjects/ip/192.0.2.1", 405),
            ("GET", "/api/v1/subjects/planet/mars", 404),
            ("DELETE", "/api/v1/subjects/user", 404),
            ("DELETE", "/api/v1/subjects/user/ann/b", 404),
            ("GET", "", 404),
            ("GET", "/", 404),
            ("GET", "/api/v1/sessions/", 404),
            ("GET", "/api/v1/sessions/xyz", 404),
            ("GET", "/api/v2/sessions", 404),
            ("GET", "//healthz", 404),
        ] {
            assert_eq!(resolve(method, path).map_err(|r| r.describe().0), Err(status), "{method} {path}");
        }
    }

    #[test]
    fn a_subject_needs_a_kind_and_a_value_that_fits_it() {
        assert!(subject_of("kind=ip&value=192.0.2.1").is_ok());
        assert!(subject_of("kind=ip&value=2001:db8::1").is_ok());
        for (query, parameter) in [
            ("", "kind"),
            ("kind=ip", "value"),
            ("kind=colour&value=red", "kind"),
            ("kind=session&value=192.0.2.1", "value"),
            ("kind=ip&value=1&x=1", "x"),
        ] {
            assert_eq!(subject_of(query).map_err(|r| r.parameter()), Err(Some(parameter.to_owned())), "{query}");
        }
    }
}
