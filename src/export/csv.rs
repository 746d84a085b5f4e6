//! CSV as RFC 4180 has it, for spreadsheets that take a cell for a formula when it begins like one.
//!
//! Such a cell gets an apostrophe in front, and so does one that begins with an apostrophe: whoever takes one away has the
//! value back. Control characters other than line breaks and tabs are shown by their pictures (`␛`).

use core::fmt::{Display, Write};

use serde::Serialize;

use super::json::calmed;
use crate::query::{EventAnswer, FindingAnswer, SessionAnswer};

const EVENT_COLUMNS: &str = "id,time,session,method,host,path,endpoint,status,duration_ms,request_bytes,response_bytes,\
    ip,country,asn,colo,user_agent,ja4,user,attempted_user,roles,feedback,params,flow,action,inventory,marks,findings\r\n";
const SESSION_COLUMNS: &str = "id,state,risk,first_seen,last_seen,duration_ms,requests,attacks,key_source,key_verified,\
    proof,users,roles,ips,user_agents,endpoints,flows,statuses,methods,params,findings,predecessors,successors,\
    attempted_users,ended,marks,partial\r\n";
const FINDING_COLUMNS: &str = "id,time,session,request,detector,scope,severity,confidence,risk_added,value,baseline,\
    message,where,owasp,action,evidence\r\n";

/// The first row.
pub fn header(of: super::Of) -> &'static str {
    match of {
        super::Of::Sessions => SESSION_COLUMNS,
        super::Of::Events => EVENT_COLUMNS,
        super::Of::Findings => FINDING_COLUMNS,
    }
}

/// One row on its way.
struct Row<'a>(&'a mut String);

impl Row<'_> {
    fn text(&mut self, value: &str) -> &mut Self {
        let begins_like_a_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\'', '＝', '＋', '－', '＠']);
        let out = &mut *self.0;
        let quoted = begins_like_a_formula || value.contains([',', '"', '\r', '\n', '\u{2028}', '\u{2029}']);
        if quoted {
            out.push('"');
        }
        if begins_like_a_formula {
            out.push('\'');
        }
        for c in value.chars() {
            match c {
                '"' => out.push_str("\"\""),
                '\r' | '\n' | '\t' => out.push(c),
                '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␀')),
                '\u{7f}' => out.push('␡'),
                c if c.is_control() => out.push('\u{fffd}'),
                c => out.push(c),
            }
        }
        out.push_str(if quoted { "\"," } else { "," });
        self
    }

    fn maybe(&mut self, value: Option<&str>) -> &mut Self {
        self.text(value.unwrap_or(""))
    }

    fn number(&mut self, value: impl Display) -> &mut Self {
        let _ = write!(self.0, "{value},");
        self
    }

    fn maybe_number(&mut self, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.number(value),
            None => self.text(""),
        }
    }

    /// What has parts of its own, as JSON.
    fn json(&mut self, value: &impl Serialize) -> &mut Self {
        self.text(&calmed(&serde_json::to_string(value).unwrap_or_default()))
    }

    fn end(&mut self) {
        self.0.pop();
        self.0.push_str("\r\n");
    }
}

/// The row of an event.
pub fn event(event: &EventAnswer, out: &mut String) {
    let detectors: Vec<&str> = event.findings.iter().map(|finding| finding.detector.as_str()).collect();
    Row(out)
        .text(&event.id)
        .text(&event.time)
        .text(&event.session)
        .text(&event.method)
        .text(&event.host)
        .text(&event.path)
        .text(&event.endpoint)
        .number(event.status)
        .number(event.duration_ms)
        .maybe_number(event.request_bytes)
        .maybe_number(event.response_bytes)
        .maybe(event.ip.as_deref())
        .maybe(event.country.as_deref())
        .maybe_number(event.asn.map(u64::from))
        .maybe(event.colo.as_deref())
        .maybe(event.user_agent.as_deref())
        .maybe(event.ja4.as_deref())
        .maybe(event.user.as_deref())
        .maybe(event.attempted_user.as_deref())
        .json(&event.roles)
        .text(&event.feedback.join(" "))
        .json(&event.params)
        .maybe(event.flow.as_deref())
        .text(event.action.name())
        .maybe(event.inventory.as_deref())
        .text(&event.marks.join(" "))
        .text(&detectors.join(" "))
        .end();
}

/// The row of a session.
pub fn session(session: &SessionAnswer, out: &mut String) {
    Row(out)
        .text(&session.id)
        .text(session.state.name())
        .number(session.risk)
        .text(&session.first_seen)
        .text(&session.last_seen)
        .number(session.duration_ms)
        .number(session.requests)
        .number(session.attacks)
        .text(&session.key.source)
        .number(session.key.verified)
        .text(&session.proof)
        .json(&session.users)
        .json(&session.roles)
        .json(&session.ips)
        .json(&session.user_agents)
        .json(&session.endpoints)
        .json(&session.flows)
        .json(&session.statuses)
        .json(&session.methods)
        .json(&session.params)
        .json(&session.findings)
        .json(&session.predecessors)
        .json(&session.successors)
        .json(&session.attempted_users)
        .maybe(session.ended.as_deref())
        .text(&session.marks.join(" "))
        .number(session.partial)
        .end();
}

/// The row of a finding.
pub fn finding(finding: &FindingAnswer, out: &mut String) {
    Row(out)
        .text(&finding.id)
        .text(&finding.time)
        .text(&finding.session)
        .text(&finding.request)
        .text(&finding.detector)
        .text(&finding.scope)
        .text(finding.severity.name())
        .number(finding.confidence)
        .number(finding.risk_added)
        .number(finding.value)
        .number(finding.baseline)
        .text(&finding.message)
        .maybe(finding.r#where.as_deref())
        .text(&finding.owasp.join(" "))
        .text(finding.action.name())
        .json(&finding.evidence)
        .end();
}
