//! `ALERTS`: whom to tell of what.

use serde::Deserialize;

use super::duration::parse_duration_ms;
use crate::alert::{On, Rule, Style, check_target};
use crate::session::{Detector, FLAGGED, Severity};

type Fault = (String, String);

/// Rules one deployment may have.
pub const MAX_ALERTS: usize = 64;
const MAX_NAME: usize = 64;
/// How often the same is told at the most, unless the rule says so, and the longest it may say, ms.
const EVERY_MS: u64 = 60_000;
const MAX_EVERY_MS: u64 = 7 * 86_400_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAlert {
    name: String,
    on: Option<On>,
    detectors: Option<Vec<String>>,
    min_severity: Option<String>,
    min_risk: Option<u8>,
    to: Option<String>,
    /// Name of the secret that holds the URL: whoever knows the URL of a chat can write there.
    to_binding: Option<String>,
    style: Option<Style>,
    every: Option<String>,
}

impl RawAlert {
    /// `get` answers the text of another binding.
    pub fn resolve(self, get: &dyn Fn(&str) -> Option<String>, development: bool) -> Result<Rule, Fault> {
        let fault = |field: &str, reason: String| Err((field.to_owned(), reason));
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return fault("name", format!("is empty or longer than {MAX_NAME} bytes"));
        }
        let on = self.on.unwrap_or(On::Finding);
        let mut detectors = Vec::new();
        for name in self.detectors.unwrap_or_default() {
            match Detector::from_name(&name) {
                Some(detector) => detectors.push(detector),
                None => return fault("detectors", format!("has `{name}`, which is no detector")),
            }
        }
        let min_severity = match self.min_severity.as_deref().map(Severity::from_name) {
            None => Severity::Info,
            Some(Some(severity)) => severity,
            Some(None) => return fault("min_severity", "is none of: info, low, medium, high, critical".into()),
        };
        let min_risk = self.min_risk.unwrap_or(if on == On::Flagged { FLAGGED } else { 0 });
        if min_risk > 100 {
            return fault("min_risk", format!("is {min_risk}; use 0 to 100"));
        }
        let (field, to) = match (self.to, self.to_binding) {
            (Some(to), None) => ("to", to),
            (None, Some(name)) => match get(&name).map(|to| to.trim().to_owned()).filter(|to| !to.is_empty()) {
                Some(to) => ("to_binding", to),
                None => return fault("to_binding", format!("`{name}` is not set")),
            },
            _ => return fault("to", "is missing; give either to or to_binding".into()),
        };
        if let Err(reason) = check_target(&to, development) {
            return fault(field, reason.into());
        }
        let every_ms = match self.every.as_deref().map(parse_duration_ms) {
            None => EVERY_MS,
            Some(Some(ms)) if ms <= MAX_EVERY_MS => ms,
            Some(_) => return fault("every", "is no duration up to 7d; write for example 1m".into()),
        };
        let style = self.style.unwrap_or(Style::Json);
        Ok(Rule { name: self.name, on, detectors, min_severity, min_risk, to, style, every_ms })
    }
}
