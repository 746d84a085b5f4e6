//! Business parameters: the values that a deployment tracks because they mean something to its business.
//!
//! `decimal`, `currency`, `value` and `redact` say what a value is; `rules` reads the values of one exchange; `stats`
//! keeps what one session (or another subject) sent of one parameter; `quantile` and `baseline` what is usual across
//! all of them; `watch` says when something is not. Nothing here knows of storage: states are plain data that can be
//! encoded, and most can be merged.

mod baseline;
mod currency;
mod decimal;
mod quantile;
mod redact;
mod rules;
mod stats;
mod value;
mod watch;

pub use baseline::Baseline;
pub use currency::Currency;
pub use decimal::Decimal;
pub use quantile::Quantiles;
pub use redact::Redact;
pub use rules::{MAX_VALUES, On, ParamId, Parameter, Parameters, Pseudonym, Reading, TOKEN_SUBJECT, Unit};
pub use stats::{Amounts, ParamStats, ParamSummary};
pub use value::{MAX_TEXT, Reason, Type, Value};
pub use watch::{Alarm, Kind, MAX_DISTINCT, Names, Of, Past, Per, Watch, WatchState};
