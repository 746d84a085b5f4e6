//! `PARAMETERS`: business values, and which of them say who is calling.

use serde::Deserialize;

use crate::identity::{Naming, Role, Storing};
use crate::inventory::Pattern;
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
    store: Option<Store>,
    role: Option<RawRole>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Number,
    String,
    Bool,
    Time,
    Money,
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

impl RawParameter {
    /// Checks the whole entry; answers what it says about who is calling, if it does.
    pub fn resolve(self) -> Result<Option<Naming>, Fault> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES || !self.name.bytes().all(fits) {
            let reason = format!("is no name: use up to {MAX_NAME_BYTES} letters, digits, `_`, `-` and `.`");
            return Err(("name".to_owned(), reason));
        }
        let from = Selector::parse(&self.from).map_err(|e| ("from".to_owned(), e.to_string()))?;
        let on = self.on.map(|on| Pattern::parse(&on).map_err(|reason| ("on".to_owned(), reason))).transpose()?;
        if let Some(name) = from.path_name()
            && on.as_ref().is_none_or(|on| !on.names(name))
        {
            return Err(("on".to_owned(), format!("names no `{{{name}}}` for `{}` to be read from", self.from)));
        }
        if from.needs_body() && on.is_none() && from.side() == Side::Response {
            return Err(("on".to_owned(), "is missing: say which responses are to be read".to_owned()));
        }
        let Some(role) = self.role else { return Ok(None) };
        if !matches!(self.r#type, None | Some(Type::String)) {
            return Err(("type".to_owned(), "of a user or role is string".to_owned()));
        }
        let (role, default) = match role {
            RawRole::User => (Role::User, Storing::Hashed),
            RawRole::Role => (Role::Role, Storing::Plain),
        };
        let store = match self.store {
            None => default,
            Some(Store::Plain) => Storing::Plain,
            Some(Store::Hashed) => Storing::Hashed,
            Some(Store::Drop) => Storing::Drop,
        };
        Ok(Some(Naming { name: self.name, from, on, role, store }))
    }
}
