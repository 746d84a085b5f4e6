//! `WATCHES`: when a business value is more than it should be.

use serde::Deserialize;

use super::parse_duration_ms;
use crate::detect::Response;
use crate::identity::Storing;
use crate::parameter::{Currency, Kind, MAX_DISTINCT, Of, Parameter, Parameters, Per, Type, Unit, Watch};
use crate::verdict::Action;

/// The field at fault and what is wrong with it.
type Fault = (String, String);

/// Watches a deployment may have.
pub const MAX_WATCHES: usize = 128;
const DEFAULT_WINDOW_MS: u64 = 3_600_000;
/// How long a throttle or block holds.
const DEFAULT_FOR_MS: u64 = 600_000;
const MIN_WINDOW_MS: u64 = 1_000;
const MAX_WINDOW_MS: u64 = 30 * 86_400_000;
/// A spike is five times what is usual, where five values say what that is, unless the policy says otherwise.
const DEFAULT_FACTOR: f64 = 5.0;
const DEFAULT_SAMPLES: u32 = 5;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWatch {
    parameter: Option<String>,
    kind: Kind,
    of: Option<Of>,
    per: Option<Per>,
    window: Option<String>,
    above: Option<f64>,
    below: Option<f64>,
    factor: Option<f64>,
    min_samples: Option<u32>,
    currency: Option<String>,
    action: Option<Action>,
    r#for: Option<String>,
}

fn fault<T>(field: &str, reason: impl Into<String>) -> Result<T, Fault> {
    Err((field.to_owned(), reason.into()))
}

pub fn duration(field: &str, text: &str) -> Result<u64, Fault> {
    match parse_duration_ms(text).filter(|ms| *ms > 0) {
        Some(ms) => Ok(ms),
        None => fault(field, format!("`{text}` is no duration; write for example `90s`, `10m`, `1h`")),
    }
}

/// What follows from a finding about the business: a tag, unless the policy says otherwise.
pub fn response(action: Option<Action>, duration_text: Option<&str>) -> Result<Response, Fault> {
    let for_ms = duration_text.map(|text| duration("for", text)).transpose()?;
    match action.unwrap_or(Action::Tag) {
        Action::Allow => fault("action", "is `allow`; use tag, throttle or block, or remove the entry"),
        action => Ok(Response::of_session(action, for_ms.unwrap_or(DEFAULT_FOR_MS))),
    }
}

impl RawWatch {
    /// Checks the whole entry.
    pub fn resolve(self, parameters: &Parameters) -> Result<Watch, Fault> {
        let watched = match &self.parameter {
            Some(name) => match parameters.named(name) {
                Some(found) => Some(found),
                None => return fault("parameter", format!("`{name}` is not among PARAMETERS")),
            },
            None if self.kind == Kind::Discrepancy => None,
            None => return fault("parameter", "is missing"),
        };
        let of = self.of()?;
        let currency = self.currency(watched.map(|(_, parameter)| parameter), of)?;
        let window_ms = match &self.window {
            Some(text) => duration("window", text)?,
            None => DEFAULT_WINDOW_MS,
        };
        if !(MIN_WINDOW_MS..=MAX_WINDOW_MS).contains(&window_ms) {
            return fault("window", "is not between 1s and 30d");
        }
        let per = match (of, self.per) {
            (Of::Users | Of::Subject, None | Some(Per::Session)) => Per::Session,
            (Of::Sessions | Of::Addresses | Of::Countries, None | Some(Per::User)) => Per::User,
            (Of::Sum | Of::Count, per) => per.unwrap_or(Per::Session),
            (Of::Users | Of::Subject, _) => return fault("per", "is session where it is about users of a session"),
            _ => return fault("per", "is user where it is about what one user does"),
        };
        Ok(Watch {
            name: self.parameter.clone().unwrap_or_default(),
            parameter: watched.map(|(id, _)| id),
            kind: self.kind,
            of,
            per,
            window_ms,
            above: self.above(of)?,
            below: self.below()?,
            factor: self.factor()?,
            min_samples: self.min_samples()?,
            currency,
            holds: self.r#for.is_some(),
            response: response(self.action, self.r#for.as_deref())?,
        })
    }

    fn of(&self) -> Result<Of, Fault> {
        match (self.kind, self.of) {
            (Kind::Velocity, Some(of @ (Of::Sum | Of::Count))) => Ok(of),
            (Kind::Velocity, None) => fault("of", "is missing; use sum or count"),
            (Kind::Velocity, Some(_)) => fault("of", "of a velocity is sum or count"),
            (Kind::Discrepancy, Some(Of::Sum | Of::Count)) => {
                fault("of", "of a discrepancy is users, sessions, addresses, countries or subject")
            }
            (Kind::Discrepancy, of) => {
                Ok(of.unwrap_or(if self.per == Some(Per::User) { Of::Sessions } else { Of::Users }))
            }
            (_, Some(_)) => fault("of", "is for velocity and discrepancy"),
            (_, None) => Ok(Of::Count),
        }
    }

    /// Checks that the parameter can be watched so, and answers the currency its amounts are compared in.
    fn currency(&self, parameter: Option<&Parameter>, of: Of) -> Result<Currency, Fault> {
        let amounts = matches!(self.kind, Kind::Threshold | Kind::Spike) || of == Of::Sum;
        let told = match &self.currency {
            None => None,
            Some(text) => match Currency::parse(text) {
                Some(currency) => Some(currency),
                None => return fault("currency", format!("`{text}` is no code of three letters")),
            },
        };
        let Some(parameter) = parameter else {
            return if told.is_some() { fault("currency", "is for amounts of money") } else { Ok(Currency::NONE) };
        };
        if parameter.store == Storing::Drop {
            return fault("parameter", "is dropped, so there is nothing to watch");
        }
        if self.kind == Kind::Distinct && parameter.redact.is_some() {
            return fault("parameter", "is redacted, so different values may look the same; store it hashed");
        }
        if amounts && (!parameter.kind.is_amount() || parameter.store == Storing::Hashed) {
            return fault("parameter", "is no number or money stored plain, so it has no size");
        }
        let fixed = match parameter.currency {
            Some(Unit::Fixed(currency)) => Some(currency),
            _ => None,
        };
        match (amounts && parameter.kind == Type::Money, told.or(fixed)) {
            (true, Some(currency)) => Ok(currency),
            (true, None) => fault("currency", "is missing: amounts of different currencies cannot be compared"),
            (false, _) if told.is_some() => fault("currency", "is for amounts of money"),
            (false, _) => Ok(Currency::NONE),
        }
    }

    fn above(&self, of: Of) -> Result<f64, Fault> {
        let counts = matches!(self.kind, Kind::Distinct | Kind::Discrepancy);
        match (self.kind, self.above) {
            (_, Some(above)) if !above.is_finite() => fault("above", "is no number"),
            (_, Some(_)) if of == Of::Subject => fault("above", "means nothing here: a user is the subject or is not"),
            (_, Some(above)) if counts && !(1.0..=MAX_DISTINCT as f64).contains(&above) => {
                fault("above", format!("is {above}; use 1 to {MAX_DISTINCT}"))
            }
            (_, Some(above)) => Ok(above),
            (Kind::Spike, None) => Ok(f64::INFINITY),
            (Kind::Threshold, None) if self.below.is_some() => Ok(f64::INFINITY),
            (Kind::Discrepancy, None) if matches!(of, Of::Users | Of::Subject) => Ok(1.0),
            (_, None) => fault("above", "is missing"),
        }
    }

    fn below(&self) -> Result<Option<f64>, Fault> {
        match self.below {
            Some(_) if self.kind != Kind::Threshold => fault("below", "is for thresholds"),
            Some(below) if self.above.is_some_and(|above| above < below) => fault("below", "is more than `above`"),
            below => Ok(below),
        }
    }

    fn factor(&self) -> Result<f64, Fault> {
        match self.factor {
            Some(_) if self.kind != Kind::Spike => fault("factor", "is for spikes"),
            Some(factor) if !(1.0..=1_000.0).contains(&factor) => {
                fault("factor", format!("is {factor}; use 1 to 1000"))
            }
            factor => Ok(factor.unwrap_or(DEFAULT_FACTOR)),
        }
    }

    fn min_samples(&self) -> Result<u32, Fault> {
        match self.min_samples {
            Some(_) if self.kind != Kind::Spike => fault("min_samples", "is for spikes"),
            Some(samples) if !(1..=10_000).contains(&samples) => {
                fault("min_samples", format!("is {samples}; use 1 to 10000"))
            }
            samples => Ok(samples.unwrap_or(DEFAULT_SAMPLES)),
        }
    }
}
