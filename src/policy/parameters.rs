//! `PARAMETERS`: business values, and which of them say who is calling.

use serde::Deserialize;

use super::Problem;
use crate::identity::{Role, Storing};
use crate::parameter::{Currency, On, Parameter, Redact, TOKEN_SUBJECT, Type, Unit};
use crate::selector::{Selector, Side};

/// The field at fault and what is wrong with it.
type Fault = (String, String);

/// Parameters a deployment may have.
pub const MAX_PARAMETERS: usize = 256;
const MAX_NAME_BYTES: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawParameter {
    pub name: String,
    from: String,
    on: Option<String>,
    r#type: Option<Type>,
    currency: Option<String>,
    store: Option<Store>,
    redact: Option<String>,
    role: Option<RawRole>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Store {
    Plain,
    Hashed,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawRole {
    User,
    Role,
}

/// Checks the name of a parameter, a flow: it stands in filters and answers.
pub fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(fits) {
        let reason = format!("is no name: use up to {MAX_NAME_BYTES} letters, digits, `_`, `-` and `.`");
        return Err(("name".to_owned(), reason));
    }
    if name == TOKEN_SUBJECT {
        return Err(("name".to_owned(), "is taken: it stands for the subject of a token".to_owned()));
    }
    Ok(())
}

fn fault<T>(field: &str, reason: &str) -> Result<T, Fault> {
    Err((field.to_owned(), reason.to_owned()))
}

impl RawParameter {
    /// Checks the whole entry.
    pub fn resolve(self) -> Result<Parameter, Fault> {
        check_name(&self.name)?;
        let from = Selector::parse(&self.from).map_err(|e| ("from".to_owned(), e.to_string()))?;
        let on = self.on.map(|on| On::parse(&on).map_err(|reason| ("on".to_owned(), reason))).transpose()?;
        if let Some(name) = from.path_name()
            && on.as_ref().is_none_or(|on| !on.pattern.names(name))
        {
            return Err(("on".to_owned(), format!("names no `{{{name}}}` for `{}` to be read from", self.from)));
        }
        if from.needs_body() && on.is_none() && from.side() == Side::Response {
            return fault("on", "is missing: say which responses are to be read");
        }
        let kind = self.r#type.unwrap_or_default();
        if self.role.is_some() && kind != Type::String {
            return fault("type", "of a user or role is string");
        }
        let role = self.role.map(|role| if role == RawRole::User { Role::User } else { Role::Role });
        let store = match self.store {
            None if role == Some(Role::User) => Storing::Hashed,
            None | Some(Store::Plain) => Storing::Plain,
            Some(Store::Hashed) => Storing::Hashed,
            Some(Store::Drop) => Storing::Drop,
        };
        let currency = self.currency.map(|text| unit(&text, kind, &from)).transpose()?;
        let redact = self.redact.map(|text| Redact::parse(&text).map_err(|reason| ("redact".to_owned(), reason)));
        let redact = redact.transpose()?;
        if redact.is_some() && (kind != Type::String || store != Storing::Plain || role.is_some()) {
            return fault("redact", "is for strings that are stored plain and have no role");
        }
        Ok(Parameter { name: self.name, from, on, kind, currency, store, redact, role })
    }
}

/// A currency by its code, or where it stands.
fn unit(text: &str, kind: Type, from: &Selector) -> Result<Unit, Fault> {
    if kind != Type::Money {
        return fault("currency", "is for parameters of type money");
    }
    if let Some(currency) = Currency::parse(text) {
        return Ok(Unit::Fixed(currency));
    }
    let selector = Selector::parse(text)
        .map_err(|e| ("currency".to_owned(), format!("is no code of three letters, and as a selector: {e}")))?;
    if selector.side() != from.side() || selector.path_name().is_some() {
        return fault("currency", "does not stand in the message that the amount stands in");
    }
    Ok(Unit::From(Box::new(selector)))
}

/// Entries of one name that are not of one kind: they are counted together, so they must be.
pub fn contradictions(all: &[Parameter]) -> Vec<Problem> {
    let first = |name: &str| all.iter().find(|other| other.name == name);
    let differs = all.iter().filter(|p| first(&p.name).is_some_and(|o| (o.kind, o.store) != (p.kind, p.store)));
    let reason = |p: &Parameter| format!("`{}` has entries that differ in type or store", p.name);
    differs.map(|p| Problem { path: "PARAMETERS".to_owned(), reason: reason(p) }).collect()
}
