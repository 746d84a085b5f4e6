//! Alerts that were not delivered yet, as they are asked for and shown.

use serde::Serialize;

use super::{Refusal, audit_limit, bad};
use crate::query::rfc3339;
use crate::wire::AlertEntry;

/// An alert as the API shows it.
#[derive(Debug, Serialize)]
pub struct AlertAnswer {
    id: String,
    rule: String,
    state: &'static str,
    created: String,
    /// When it is tried next; null for a dead letter.
    due: Option<String>,
    attempts: u32,
    /// Why the last attempt failed.
    reason: Option<String>,
}

impl From<AlertEntry> for AlertAnswer {
    fn from(entry: AlertEntry) -> Self {
        let AlertEntry { id, rule, created_ms, due_ms, attempts, reason, dead } = entry;
        let due = (!dead).then(|| rfc3339(due_ms.max(created_ms)));
        let (state, reason) = (if dead { "dead" } else { "waiting" }, Some(reason).filter(|reason| !reason.is_empty()));
        Self { id, rule, state, created: rfc3339(created_ms), due, attempts, reason }
    }
}

/// What a question about alerts asks for: whether dead letters, and how many.
pub fn alerts_asked(query: &str) -> Result<(bool, u32), Refusal> {
    let (mut dead, mut rest) = (None, form_urlencoded::Serializer::new(String::new()));
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (name.as_ref(), value.as_ref()) {
            ("state", _) if dead.is_some() => return Err(bad("state", "is given more than once")),
            ("state", "waiting") => dead = Some(false),
            ("state", "dead") => dead = Some(true),
            ("state", _) => return Err(bad("state", "is neither waiting nor dead")),
            _ => _ = rest.append_pair(&name, &value),
        }
    }
    Ok((dead.unwrap_or(false), audit_limit(&rest.finish())?))
}
