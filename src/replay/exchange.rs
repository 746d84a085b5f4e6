//! One exchange as a run takes it: what its event says, and the attacks that were found in it.

use core::net::IpAddr;

use crate::inspect::Attack;
use crate::parameter::Value;
use crate::query::{EventAnswer, FindingAnswer};
use crate::session::{Carried, Event, EventId, Marks, Params, SessionId};
use crate::verdict::Action;

/// A recorded exchange, or one that was read from a sample.
#[derive(Debug, Clone)]
pub struct Exchanged {
    pub id: EventId,
    pub session: SessionId,
    pub key_source: String,
    pub verified: bool,
    /// Whether the origin was seen issuing the session's key.
    pub issued: bool,
    pub method: String,
    pub host: String,
    pub path: String,
    pub template: String,
    pub status: u16,
    pub duration_ms: u32,
    pub response_bytes: Option<u64>,
    pub ip: Option<IpAddr>,
    pub country: String,
    pub asn: u32,
    pub user_agent: String,
    pub ja4: String,
    pub user: String,
    pub attempted: bool,
    pub roles: String,
    pub feedback: String,
    pub params: Vec<(String, Value)>,
    pub action: Action,
    pub carried: Vec<Carried>,
}

impl Exchanged {
    /// An event as the API shows it, of a session with this key; `None` where its ids are none.
    pub fn recorded(answer: EventAnswer, key_source: &str, verified: bool, issued: bool) -> Option<Self> {
        let (id, session) = (EventId::parse(&answer.id)?, SessionId::parse(&answer.session)?);
        let head = [answer.method.as_str(), " ", &answer.host].concat();
        let template = answer.endpoint.strip_prefix(&head).unwrap_or(&answer.path).to_owned();
        let attempted = answer.user.is_none() && answer.attempted_user.is_some();
        let params = answer.params.into_iter();
        Some(Self {
            id,
            session,
            key_source: key_source.to_owned(),
            verified,
            issued,
            method: answer.method,
            host: answer.host,
            path: answer.path,
            template,
            status: answer.status,
            duration_ms: answer.duration_ms,
            response_bytes: answer.response_bytes,
            ip: answer.ip.and_then(|ip| ip.parse().ok()),
            country: answer.country.unwrap_or_default(),
            asn: answer.asn.unwrap_or_default(),
            user_agent: answer.user_agent.unwrap_or_default(),
            ja4: answer.ja4.unwrap_or_default(),
            user: answer.user.or(answer.attempted_user).unwrap_or_default(),
            attempted,
            roles: answer.roles.join(","),
            feedback: answer.feedback.join(","),
            params: params.flat_map(|(name, values)| values.0.into_iter().map(move |v| (name.clone(), v))).collect(),
            action: answer.action,
            carried: answer.findings.iter().filter_map(carried).collect(),
        })
    }

    /// Shows it as an event.
    pub fn with_event<T>(&self, use_it: impl FnOnce(&Event<'_>) -> T) -> T {
        let names: Vec<Box<str>> = self.params.iter().map(|(name, _)| name.as_str().into()).collect();
        let values: Vec<(u32, Value)> = (0..).zip(self.params.iter().map(|(_, value)| value.clone())).collect();
        let mut marks = Marks::default();
        if self.attempted {
            marks.set(Marks::USER_ATTEMPTED);
        }
        use_it(&Event {
            id: self.id,
            session: self.session,
            key_source: &self.key_source,
            verified: self.verified,
            time_ms: self.id.time_ms(),
            duration_ms: self.duration_ms,
            method: &self.method,
            host: &self.host,
            path: &self.path,
            template: &self.template,
            status: self.status,
            request_bytes: None,
            response_bytes: self.response_bytes,
            ip: self.ip,
            country: &self.country,
            asn: self.asn,
            colo: "",
            user_agent: &self.user_agent,
            ja4: &self.ja4,
            user: &self.user,
            roles: &self.roles,
            principal: 0,
            token: 0,
            feedback: &self.feedback,
            inventory: None,
            params: Params::new(&names, &values),
            action: self.action,
            marks,
        })
    }
}

/// The attack that a finding was made of.
fn carried(finding: &FindingAnswer) -> Option<Carried> {
    let (what, _) = finding.message.rsplit_once("; ").unwrap_or((&finding.message, ""));
    Some(Carried {
        attack: Attack::from_name(&finding.detector)?,
        severity: finding.severity,
        // Within 0 to 100.
        confidence: (finding.confidence * 100.0).round() as u8,
        place: finding.r#where.clone().unwrap_or_default(),
        what: what.to_owned(),
        stopped: finding.action >= Action::Throttle,
    })
}
