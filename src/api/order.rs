//! Bodies of the API's orders.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Refusal;
use crate::json_path::{self, PathError};
use crate::policy::parse_duration_ms;
use crate::verdict::{Action, KINDS, Subject};

/// How long a manual block holds when nothing is said, ms.
const DEFAULT_FOR_MS: u64 = 60 * 60 * 1000;
/// … and at the most.
const MAX_FOR_MS: u64 = 365 * 86_400_000;
/// Longest reason, bytes.
const MAX_REASON: usize = 500;
/// Longest raw key value that is looked up, bytes.
const MAX_LOOKUP: usize = 16 * 1024;

/// Reads a JSON body; the error names the member at fault.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    json_path::read(body).map_err(|PathError { path, reason }| {
        if reason.starts_with("trailing characters") {
            return Refusal::Body(format!("the body goes on after its end: {reason}"));
        }
        let place = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
        Refusal::Body(format!("the body is not as expected{place}: {reason}"))
    })
}

/// `POST lookup`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupOrder {
    value: String,
}

impl LookupOrder {
    /// The raw key value.
    pub fn value(self) -> Result<String, Refusal> {
        match self.value.len() {
            0 => Err(Refusal::Body("`value` is empty".into())),
            len if len > MAX_LOOKUP => Err(Refusal::Body(format!("`value` is longer than {MAX_LOOKUP} bytes"))),
            _ => Ok(self.value),
        }
    }
}

/// `POST sessions/{id}/actions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionOrder {
    action: Action,
    r#for: Option<String>,
    reason: Option<String>,
}

impl ActionOrder {
    /// Action, duration in ms and reason.
    pub fn resolve(self) -> Result<(Action, u64, String), Refusal> {
        Ok((manual(self.action, true)?, duration(self.r#for.as_deref())?, reason(self.reason)?))
    }
}

/// `POST blocks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockOrder {
    kind: String,
    value: String,
    action: Option<Action>,
    r#for: Option<String>,
    reason: Option<String>,
}

impl BlockOrder {
    /// Subject, action, duration in ms and reason.
    pub fn resolve(self) -> Result<(Subject, Action, u64, String), Refusal> {
        if !KINDS.contains(&self.kind.as_str()) {
            return Err(Refusal::Body(format!("`kind` is `{}`; use one of: {}", self.kind, KINDS.join(", "))));
        }
        let unfit = match self.kind.as_str() {
            "session" => "is no session id (32 hex digits)",
            "ip" => "is no address",
            "device" => "is no device; use JA4;AGENT;NETWORK, as subjects show it",
            _ => "is empty, or longer than 256 bytes",
        };
        let subject =
            Subject::parse(&self.kind, &self.value).ok_or_else(|| Refusal::Body(format!("`value` {unfit}")))?;
        let action = manual(self.action.unwrap_or(Action::Block), false)?;
        Ok((subject, action, duration(self.r#for.as_deref())?, reason(self.reason)?))
    }
}

fn manual(action: Action, may_allow: bool) -> Result<Action, Refusal> {
    match action {
        Action::Throttle | Action::Block => Ok(action),
        Action::Allow if may_allow => Ok(action),
        _ if may_allow => Err(Refusal::Body("`action` is none of: block, throttle, allow".into())),
        _ => Err(Refusal::Body("`action` is neither block nor throttle".into())),
    }
}

fn duration(text: Option<&str>) -> Result<u64, Refusal> {
    let Some(text) = text else { return Ok(DEFAULT_FOR_MS) };
    parse_duration_ms(text)
        .filter(|ms| (1_000..=MAX_FOR_MS).contains(ms))
        .ok_or_else(|| Refusal::Body(format!("`for` is `{text}`; write a duration from 1s to 365d, for example `10m`")))
}

fn reason(text: Option<String>) -> Result<String, Refusal> {
    reason_of("reason", text)
}

/// Words of an analyst, under this name in the order.
pub fn reason_of(name: &str, text: Option<String>) -> Result<String, Refusal> {
    let text = text.unwrap_or_default();
    if text.len() > MAX_REASON {
        return Err(Refusal::Body(format!("`{name}` is longer than {MAX_REASON} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(body: &str) -> Result<(Subject, Action, u64, String), Refusal> {
        read::<BlockOrder>(body.as_bytes()).and_then(BlockOrder::resolve)
    }

    #[test]
    fn a_block_order_has_sensible_defaults() {
        let (subject, action, for_ms, reason) = block(r#"{"kind":"ip","value":"192.0.2.1"}"#).unwrap();
        assert_eq!(
            (subject.value().as_str(), action, for_ms, reason.as_str()),
            ("192.0.2.1", Action::Block, DEFAULT_FOR_MS, "")
        );
    }

    #[test]
    fn what_is_wrong_with_an_order_is_said() {
        for (body, says) in [
            ("", "expected"),
            ("{", "expected"),
            (r#"{"kind":"ip"}"#, "value"),
            (r#"{"kind":"planet","value":"x"}"#, "`kind`"),
            (r#"{"kind":"user","value":""}"#, "`value`"),
            (r#"{"kind":"device","value":"x"}"#, "`value`"),
            (r#"{"kind":"ip","value":"x"}"#, "`value`"),
            (r#"{"kind":"ip","value":"192.0.2.1","for":"0s"}"#, "`for`"),
            (r#"{"kind":"ip","value":"192.0.2.1","for":"366d"}"#, "`for`"),
            (r#"{"kind":"ip","value":"192.0.2.1","action":"tag"}"#, "`action`"),
            (r#"{"kind":"ip","value":"192.0.2.1","colour":1}"#, "colour"),
            (r#"{"kind":"ip","value":"192.0.2.1"}{}"#, "after its end"),
        ] {
            let Err(Refusal::Body(reason)) = block(body) else { panic!("{body} must be refused") };
            assert!(reason.contains(says), "{body}: {reason}");
        }
        let with_reason = |n: usize| format!(r#"{{"kind":"ip","value":"192.0.2.1","reason":"{}"}}"#, "r".repeat(n));
        assert!(block(&with_reason(MAX_REASON)).is_ok() && block(&with_reason(MAX_REASON + 1)).is_err());
    }

    #[test]
    fn a_lookup_takes_values_up_to_its_limit() {
        let lookup = |n: usize| LookupOrder { value: "v".repeat(n) }.value();
        assert!(lookup(MAX_LOOKUP).is_ok());
        assert!(lookup(MAX_LOOKUP + 1).is_err() && lookup(0).is_err());
    }
}
