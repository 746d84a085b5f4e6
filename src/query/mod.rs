//! Questions and answers of the public API: filters, cursors, pages.
//!
//! A question is parsed and checked once, at the edge; shards answer it over what they hold, and the edge merges.

mod answer;
mod cursor;
mod filter;
mod page;
mod parse;
mod parts;
mod stats;
mod time;

pub use answer::{
    AddressAnswer, EndpointCount, EventAnswer, EvidenceAnswer, FindingAnswer, KeyAnswer, LinkAnswer, SessionAnswer,
    StatsAnswer, StatsBucket, StatsCount,
};
pub use cursor::Cursor;
pub use filter::{EndpointTerm, Filter, StatusTerm, Terms, UserTerm};
pub use page::{Page, is_after, merge};
pub use parse::{Asked, ParameterError, parse_events, parse_sessions, parse_stats};
pub use parts::{Parts, list_once};
pub use stats::merge_stats;
pub use time::{parse_time, rfc3339};

use serde::{Deserialize, Serialize};

/// Items of a page: by default, and at the most.
pub const DEFAULT_LIMIT: u32 = 50;
pub const MAX_LIMIT: u32 = 500;

/// What sessions are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    #[default]
    LastSeen,
    FirstSeen,
    Risk,
    Requests,
    Duration,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Asc,
    Desc,
}

/// A page of sessions is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionQuery {
    pub filter: Filter,
    pub sort: SortBy,
    pub order: Order,
    pub limit: u32,
    /// Moment whose state the pages show, so that they neither repeat nor skip while events arrive; epoch ms.
    pub as_of_ms: u64,
    /// Value and id of the last item of the page before.
    pub after: Option<(u64, u128)>,
}

/// A page of events is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventQuery {
    pub filter: Filter,
    pub order: Order,
    pub limit: u32,
    /// Id of the last item of the page before.
    pub after: Option<u128>,
}

/// Totals and a time series are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatsQuery {
    pub filter: Filter,
    /// Width of a bucket, ms; 0 for none.
    pub bucket_ms: u64,
    pub group_by: Option<GroupBy>,
}

/// What a statistic is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Country,
    Endpoint,
    Status,
}

/// A question to one shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Question {
    Sessions(SessionQuery),
    Session(crate::session::SessionId),
    Events(EventQuery),
    Stats(StatsQuery),
    /// The sessions named in the filter: which of them fit, and all that is known of them. Answered with [`Parts`].
    Parts(SessionQuery),
    /// Which of these sessions are known.
    Known(Vec<crate::session::SessionId>),
    Health,
}
