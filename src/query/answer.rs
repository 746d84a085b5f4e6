//! Answers in the shape the public API documents.

use serde::{Deserialize, Serialize};

use super::filter::parts;
use super::params::ParamValues;
use super::time::rfc3339;
use crate::flow::Tags;
use crate::ordered::OrderedMap;
use crate::parameter::{Currency, ParamStats};
use crate::session::{Dictionary, Event, Finding, Judgement, Kind, Label, Session, State, Value};
use crate::sorting;
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
    pub statuses: OrderedMap<String, u64>,
    pub methods: OrderedMap<String, u64>,
    pub params: OrderedMap<String, ParamAnswer>,
    /// Values of parameters beyond the 64 that are kept apart.
    pub params_rest: u64,
    /// Findings by detector.
    pub findings: OrderedMap<String, u64>,
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
    /// What an analyst said of it.
    pub label: Option<LabelAnswer>,
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

/// What a session sent of one business parameter. Sum, minimum and maximum are null where there is no amount, or where
/// they are in several currencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamAnswer {
    pub count: u64,
    /// Values that could not be read as what they should be, among those.
    pub invalid: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub last: Option<String>,
    pub distinct: u64,
    /// Sums by currency, of money alone.
    pub sums: OrderedMap<String, f64>,
}

impl ParamAnswer {
    fn new(stats: &ParamStats) -> Self {
        let summary = stats.summary();
        let money = summary.currencies.iter().filter(|of| summary.mixed || of.currency != Currency::NONE);
        Self {
            count: summary.count,
            invalid: summary.invalid,
            sum: summary.sum,
            min: summary.min,
            max: summary.max,
            last: summary.last,
            distinct: summary.distinct,
            sums: money.map(|of| (of.currency.to_string(), of.sum.to_f64())).collect(),
        }
    }
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
    pub params: OrderedMap<String, ParamValues>,
    /// Names of the flows its endpoint belongs to, separated by commas.
    pub flow: Option<String>,
    pub action: Action,
    /// What the endpoint is to the documents: documented, shadow, zombie; `null` where none speaks about it.
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
    /// What made it weigh more or less in its session.
    pub reasons: Vec<ReasonAnswer>,
    pub action: Action,
    /// What `enforce` does about it.
    pub would: Action,
    /// What an analyst said of it.
    pub label: Option<LabelAnswer>,
}

/// Why a finding weighs more or less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReasonAnswer {
    pub reason: String,
    /// Its evidence is multiplied by this.
    pub factor: f64,
    pub message: String,
}

/// What an analyst said, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelAnswer {
    pub label: Judgement,
    pub note: String,
    pub by: String,
    pub time: String,
}

impl LabelAnswer {
    /// The label as the API shows it with what it is on.
    pub fn new(label: &Label) -> Self {
        let Label { judgement, note, by, time_ms, .. } = label;
        Self { label: *judgement, note: note.clone(), by: by.clone(), time: rfc3339(*time_ms) }
    }
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

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StatsCount {
    pub requests: u64,
    pub sessions: u64,
    pub attacks: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub param: Option<ParamSum>,
}

/// What a parameter adds up to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParamSum {
    /// Amounts.
    pub count: u64,
    /// `null` where they are in several currencies.
    pub sum: Option<f64>,
    /// By currency, of money alone.
    pub sums: OrderedMap<String, f64>,
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
    /// The session at `now_ms`; `tags` tells the flows of its endpoints, `blocked` whether a block holds.
    pub fn new(session: &Session, dictionary: &Dictionary, tags: &Tags, blocked: bool, now_ms: u64) -> Self {
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
            sorting::sort(&mut names);
            names
        };
        let mut endpoints: Vec<EndpointCount> =
            texts(Kind::Endpoint).map(|(endpoint, requests)| EndpointCount { endpoint, requests }).collect();
        sorting::sort_by(&mut endpoints, |a, b| b.requests.cmp(&a.requests).then_with(|| a.endpoint.cmp(&b.endpoint)));
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
        sorting::sort_by(&mut ips, |a, b| b.requests.cmp(&a.requests).then_with(|| a.ip.cmp(&b.ip)));
        let statuses = counted(Kind::Status).filter_map(|(value, n)| match value {
            Value::Status(status) => Some((status.to_string(), n)),
            _ => None,
        });
        let found = counted(Kind::Detector).filter_map(|(value, n)| match value {
            Value::Detector(detector) => Some((detector.name().to_owned(), n)),
            _ => None,
        });
        let params = session.params.iter().flat_map(|book| book.iter());
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
            flows: flows(&endpoints, tags, session.requests),
            endpoints,
            statuses: statuses.collect(),
            methods: texts(Kind::Method).collect(),
            params: params.map(|(name, stats)| (dictionary.text(name).to_owned(), ParamAnswer::new(stats))).collect(),
            params_rest: session.params.as_ref().map_or(0, |book| u64::from(book.rest())),
            findings: found.collect(),
            predecessors: session.predecessors.iter().map(LinkAnswer::new).collect(),
            successors: session.successors.iter().map(LinkAnswer::new).collect(),
            attempted_users: names(Kind::Attempted),
            ended: session.ended_ms.map(rfc3339),
            marks: session.marks.names().map(str::to_owned).collect(),
            endpoints_rest: u64::from(session.counts.rest(Kind::Endpoint)),
            label: None,
            partial: false,
        }
    }
}

fn flows(endpoints: &[EndpointCount], tags: &Tags, of_requests: u64) -> Vec<FlowCount> {
    let mut counts: OrderedMap<&str, u64> = OrderedMap::new();
    for EndpointCount { endpoint, requests } in endpoints {
        let (method, _, template) = parts(endpoint);
        tags.names_of(method, template).for_each(|flow| *counts.entry(flow).or_default() += requests);
    }
    let percent = |requests: u64| requests as f64 * 100.0 / of_requests.max(1) as f64;
    let flow =
        |(flow, requests): (&str, u64)| FlowCount { flow: flow.to_owned(), requests, percent: percent(requests) };
    let mut flows: Vec<FlowCount> = counts.into_iter().map(flow).collect();
    sorting::sort_by_key(&mut flows, |flow| core::cmp::Reverse(flow.requests));
    flows
}

impl EventAnswer {
    /// The event with the findings it completed; `tags` tells the flows of its endpoint.
    pub fn new<'a>(event: &Event<'_>, tags: &Tags, findings: impl Iterator<Item = &'a Finding>) -> Self {
        let mut params: OrderedMap<String, ParamValues> = OrderedMap::new();
        for (name, value) in event.params.iter() {
            params.entry(name.to_owned()).or_default().0.push(value.clone());
        }
        let flows: Vec<&str> = tags.names_of(event.method, event.template).collect();
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
            params,
            flow: some_text(&flows.join(",")),
            action: event.action,
            inventory: event.inventory.map(|state| state.name().to_owned()),
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
        let reasons = finding.reasons.iter().map(|weight| ReasonAnswer {
            reason: weight.cause.name().to_owned(),
            factor: f64::from(weight.percent) / 100.0,
            message: weight.what.clone(),
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
            reasons: reasons.collect(),
            action: finding.action,
            would: finding.would,
            label: None,
        }
    }
}
