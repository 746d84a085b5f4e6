//! Answers in the shape the public API documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::time::rfc3339;
use crate::session::{Dictionary, Event, Finding, Kind, Session, State, Value};
use crate::verdict::Action;

/// A session as `GET sessions` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionAnswer {
    pub id: String,
    pub state: State,
    pub risk: u8,
    pub first_seen: String,
    pub last_seen: String,
    pub duration_ms: u64,
    pub requests: u64,
    pub attacks: u64,
    pub key: KeyAnswer,
    /// Why the key is believed: `verified`, `issued`, `used`, or `unproven`.
    pub proof: String,
    pub users: Vec<String>,
    pub roles: Vec<String>,
    pub ips: Vec<AddressAnswer>,
    pub user_agents: Vec<String>,
    pub endpoints: Vec<EndpointCount>,
    pub flows: Vec<FlowCount>,
    pub statuses: BTreeMap<String, u64>,
    pub methods: BTreeMap<String, u64>,
    pub params: BTreeMap<String, ParamAnswer>,
    /// Findings by detector.
    pub findings: BTreeMap<String, u64>,
    pub predecessors: Vec<LinkAnswer>,
    pub successors: Vec<LinkAnswer>,
    /// Users somebody tried to be in vain.
    pub attempted_users: Vec<String>,
    /// When it was ended by a logout.
    pub ended: Option<String>,
    /// What was out of the ordinary about any of its requests.
    pub marks: Vec<String>,
    /// Requests to endpoints beyond those listed.
    pub endpoints_rest: u64,
    /// Whether parts of it, from before the number of shards was changed, may be missing.
    pub partial: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyAnswer {
    pub source: String,
    pub verified: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddressAnswer {
    pub ip: String,
    pub country: Option<String>,
    pub asn: Option<u32>,
    pub requests: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointCount {
    pub endpoint: String,
    pub requests: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowCount {
    pub flow: String,
    pub requests: u64,
    pub percent: f64,
}

/// What a session sent of one business parameter. Nothing is recorded yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamAnswer {
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub last: Option<String>,
    pub distinct: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkAnswer {
    pub session: String,
    pub reason: String,
    pub time: String,
    /// The request whose response issued the key.
    pub request: String,
}

impl LinkAnswer {
    fn new(link: &crate::session::Link) -> Self {
        Self {
            session: link.session.to_string(),
            reason: link.reason.name().to_owned(),
            time: rfc3339(link.time_ms),
            request: link.request.to_string(),
        }
    }
}

/// An event as `GET events` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventAnswer {
    pub id: String,
    pub session: String,
    pub time: String,
    pub method: String,
    pub host: String,
    pub path: String,
    pub endpoint: String,
    pub status: u16,
    pub duration_ms: u32,
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub ip: Option<String>,
    pub country: Option<String>,
    pub asn: Option<u32>,
    pub colo: Option<String>,
    pub user_agent: Option<String>,
    pub ja4: Option<String>,
    pub user: Option<String>,
    /// Who somebody tried to be in vain.
    pub attempted_user: Option<String>,
    pub roles: Vec<String>,
    /// Names of what the origin reported in `Session-Event`.
    pub feedback: Vec<String>,
    pub params: BTreeMap<String, String>,
    pub flow: Option<String>,
    pub action: Action,
    /// `null`: no documents to compare with yet.
    pub inventory: Option<String>,
    /// What was out of the ordinary about recording it.
    pub marks: Vec<String>,
    pub findings: Vec<FindingAnswer>,
}

/// A finding with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingAnswer {
    pub id: String,
    pub session: String,
    pub request: String,
    pub time: String,
    pub detector: String,
    /// What it is about: `request` or `session`.
    pub scope: String,
    pub severity: crate::session::Severity,
    pub confidence: f64,
    pub risk_added: u8,
    pub value: f64,
    pub baseline: f64,
    pub message: String,
    pub evidence: Vec<EvidenceAnswer>,
    /// Where in the request it was found, for findings about a request.
    pub r#where: Option<String>,
    pub owasp: Vec<String>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceAnswer {
    pub request: String,
    pub time: String,
    pub what: String,
}

/// Totals, and buckets by time and group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StatsAnswer {
    pub total: StatsCount,
    pub buckets: Vec<StatsBucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatsCount {
    pub requests: u64,
    pub sessions: u64,
    pub attacks: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatsBucket {
    /// Start of the bucket; `null` without one.
    pub time: Option<String>,
    pub group: Option<String>,
    #[serde(flatten)]
    pub count: StatsCount,
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn some_number(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

impl SessionAnswer {
    /// The session at `now_ms`; `blocked` says whether a block holds.
    pub fn new(session: &Session, dictionary: &Dictionary, blocked: bool, now_ms: u64) -> Self {
        let counted = |kind: Kind| {
            let values = session.counts.of(kind).map(move |(number, n)| (kind.value(number, dictionary), u64::from(n)));
            values.filter_map(|(value, n)| Some((value?, n)))
        };
        let texts = |kind: Kind| {
            counted(kind).filter_map(|(value, n)| match value {
                Value::Text(text) => Some((text.to_owned(), n)),
                _ => None,
            })
        };
        let names = |kind: Kind| {
            let mut names: Vec<String> = texts(kind).map(|(text, _)| text).filter(|text| !text.is_empty()).collect();
            names.sort();
            names
        };
        let mut endpoints: Vec<EndpointCount> =
            texts(Kind::Endpoint).map(|(endpoint, requests)| EndpointCount { endpoint, requests }).collect();
        endpoints.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.endpoint.cmp(&b.endpoint)));
        let address = |(value, requests)| match value {
            Value::Address(a) => Some(AddressAnswer {
                ip: a.ip.to_string(),
                country: some_text(a.country),
                asn: some_number(a.asn),
                requests,
            }),
            _ => None,
        };
        let mut ips: Vec<AddressAnswer> = counted(Kind::Address).filter_map(address).collect();
        ips.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.ip.cmp(&b.ip)));
        let statuses = counted(Kind::Status).filter_map(|(value, n)| match value {
            Value::Status(status) => Some((status.to_string(), n)),
            _ => None,
        });
        let found = counted(Kind::Detector).filter_map(|(value, n)| match value {
            Value::Detector(detector) => Some((detector.name().to_owned(), n)),
            _ => None,
        });
        // A span without a user is one whose user was erased.
        let users = session.users.iter().map(|span| dictionary.text(span.user));
        Self {
            id: session.id.to_string(),
            state: session.state(blocked, now_ms),
            risk: session.risk.score(now_ms),
            first_seen: rfc3339(session.first_seen_ms),
            last_seen: rfc3339(session.last_seen_ms),
            duration_ms: session.last_seen_ms.saturating_sub(session.first_seen_ms),
            requests: session.requests,
            attacks: session.attacks,
            key: KeyAnswer { source: dictionary.text(session.key_source).to_owned(), verified: session.verified },
            proof: session.proof.name().to_owned(),
            users: users.filter(|user| !user.is_empty()).map(str::to_owned).collect(),
            roles: names(Kind::Role),
            ips,
            user_agents: names(Kind::Agent),
            endpoints,
            flows: Vec::new(),
            statuses: statuses.collect(),
            methods: texts(Kind::Method).collect(),
            params: BTreeMap::new(),
            findings: found.collect(),
            predecessors: session.predecessors.iter().map(LinkAnswer::new).collect(),
            successors: session.successors.iter().map(LinkAnswer::new).collect(),
            attempted_users: names(Kind::Attempted),
            ended: session.ended_ms.map(rfc3339),
            marks: session.marks.names().map(str::to_owned).collect(),
            endpoints_rest: u64::from(session.counts.rest(Kind::Endpoint)),
            partial: false,
        }
    }
}

impl EventAnswer {
    /// The event with the findings it completed.
    pub fn new<'a>(event: &Event<'_>, findings: impl Iterator<Item = &'a Finding>) -> Self {
        Self {
            id: event.id.to_string(),
            session: event.session.to_string(),
            time: rfc3339(event.time_ms),
            method: event.method.to_owned(),
            host: event.host.to_owned(),
            path: event.path.to_owned(),
            endpoint: event.endpoint(),
            status: event.status,
            duration_ms: event.duration_ms,
            request_bytes: event.request_bytes,
            response_bytes: event.response_bytes,
            ip: event.ip.map(|ip| ip.to_string()),
            country: some_text(event.country),
            asn: some_number(event.asn),
            colo: some_text(event.colo),
            user_agent: some_text(event.user_agent),
            ja4: some_text(event.ja4),
            user: some_text(event.confirmed_user()),
            attempted_user: some_text(event.attempted_user()),
            roles: event.roles().map(str::to_owned).collect(),
            feedback: event.feedback.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            params: BTreeMap::new(),
            flow: None,
            action: event.action,
            inventory: None,
            marks: event.marks.names().map(str::to_owned).collect(),
            findings: findings.filter(|f| f.request == event.id).map(FindingAnswer::new).collect(),
        }
    }
}

impl FindingAnswer {
    /// The finding as the API shows it.
    pub fn new(finding: &Finding) -> Self {
        let evidence = finding.evidence.iter().map(|e| EvidenceAnswer {
            request: e.request.to_string(),
            time: rfc3339(e.time_ms),
            what: e.what.clone(),
        });
        Self {
            id: finding.id(),
            session: finding.session.to_string(),
            request: finding.request.to_string(),
            time: rfc3339(finding.time_ms),
            detector: finding.detector.name().to_owned(),
            scope: if finding.detector.attack().is_some() { "request" } else { "session" }.to_owned(),
            severity: finding.severity,
            // Two digits are what a detector means by its confidence; more would be noise of the float.
            confidence: (f64::from(finding.confidence) * 100.0).round() / 100.0,
            risk_added: finding.risk_added,
            value: finding.value,
            baseline: finding.baseline,
            message: finding.message.clone(),
            evidence: evidence.collect(),
            r#where: Some(finding.place.clone()).filter(|place| !place.is_empty()),
            owasp: finding.detector.owasp().iter().map(|s| (*s).to_owned()).collect(),
            action: finding.action,
        }
    }
}
