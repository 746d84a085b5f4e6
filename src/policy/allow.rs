//! `ALLOW`: subjects that are never acted on, by hand or by a detector.

use ipnet::IpNet;
use serde::Deserialize;

use crate::identity::{Keyring, UserPlan};
use crate::verdict::{Allowed, KINDS, Subject};

/// The field at fault and what is wrong with it.
type Fault = (String, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAllowed {
    kind: String,
    value: String,
}

impl RawAllowed {
    /// The entries it stands for: a user may be stored in several forms.
    pub fn resolve(self, ring: &Keyring) -> Result<Vec<Allowed>, Fault> {
        if !KINDS.contains(&self.kind.as_str()) {
            return Err(("kind".into(), format!("is `{}`; use one of: {}", self.kind, KINDS.join(", "))));
        }
        if self.kind == "ip"
            && let Ok(network) = self.value.parse::<IpNet>()
        {
            return Ok(vec![Allowed::Network(network)]);
        }
        let values = if self.kind == "user" { UserPlan::forms(ring, &self.value) } else { vec![self.value.clone()] };
        let subjects: Option<Vec<Subject>> = values.iter().map(|value| Subject::parse(&self.kind, value)).collect();
        let unknown = || ("value".to_owned(), format!("`{}` is no {}", self.value, self.kind));
        Ok(subjects.ok_or_else(unknown)?.into_iter().map(Allowed::Subject).collect())
    }
}
