//! What a message says: `{type, timestamp, data}` as Standard Webhooks has it, or a text for Slack.

use serde_json::{Value, json};

use super::{On, Rule, Style};
use crate::query::{FindingAnswer, rfc3339};
use crate::session::Finding;
use crate::verdict::{Block, Subject};

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Happened<'a> {
    /// A finding after which its session has this risk.
    Found(&'a Finding, u8),
    Blocked(&'a Block),
}

/// The body of the message; `before` tells how much of the same was not told since the last one, `console` where it can be
/// looked at.
pub fn compose(rule: &Rule, happened: Happened<'_>, before: u32, console: Option<&str>) -> String {
    let link = |session: &str| console.map(|host| format!("https://{host}/_throughline/console/sessions/{session}"));
    let (kind, time_ms, mut data, text) = match happened {
        Happened::Found(finding, risk) => {
            let kind = match rule.on {
                On::Flagged => "session.flagged",
                On::Surge => "surge.found",
                On::RogueEndpoint => "endpoint.rogue",
                On::Finding | On::Blocked => "finding.created",
            };
            let link = link(&finding.session.to_string());
            let text = format!(
                "{} ({}): {}\nsession {} risk {risk}",
                finding.detector.name(),
                finding.severity.name(),
                finding.message,
                finding.session,
            );
            let data = json!({ "finding": FindingAnswer::new(finding), "session": finding.session.to_string(),
                "risk": risk, "link": link });
            (kind, finding.time_ms, data, (text, link))
        }
        Happened::Blocked(block) => {
            let link = match &block.subject {
                Subject::Session(id) => link(&id.to_string()),
                Subject::Ip(_) | Subject::User(_) | Subject::Device(_) => None,
            };
            let (kind, value) = (block.subject.kind(), block.subject.value());
            let action = block.action.name();
            let text = format!(
                "{action}: {kind} {value} until {}, by {}: {}",
                rfc3339(block.until_ms),
                block.by,
                block.reason
            );
            let data = json!({ "kind": kind, "value": value, "action": action, "until": rfc3339(block.until_ms),
                "by": block.by, "reason": block.reason, "link": link });
            ("session.blocked", block.created_ms, data, (text, link))
        }
    };
    match rule.style {
        Style::Slack => slack(&text.0, before, text.1.as_deref()),
        Style::Json => {
            if let Value::Object(members) = &mut data {
                members.insert("rule".to_owned(), json!(rule.name));
                members.insert("untold_before".to_owned(), json!(before));
            }
            json!({ "type": kind, "timestamp": rfc3339(time_ms), "data": data }).to_string()
        }
    }
}

/// Slack reads `&`, `<` and `>` as markup, and nothing else can address people or make a link.
fn slack(text: &str, before: u32, link: Option<&str>) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\n' => shown.push('\n'),
            c if crate::export::is_active(c) => shown.push(' '),
            c => shown.push(c),
        }
    }
    if before > 0 {
        shown.push_str(&format!("\nand {before} more like it before"));
    }
    if let Some(link) = link {
        shown.push_str(&format!("\n<{link}|open>"));
    }
    // Plain text: formatting characters of an attacker stay characters.
    json!({ "text": shown, "mrkdwn": false, "unfurl_links": false }).to_string()
}
